//! A bounded little-endian reader over bytes that nobody vouches for.

/// Input ended before what was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input ends at offset {offset}: {wanted} more bytes wanted, {left} left")]
pub struct Truncated {
    /// Where the read began, from the start of the input.
    pub offset: usize,
    /// How many bytes were asked for.
    pub wanted: usize,
    /// How many there were.
    pub left: usize,
}

/// Walks a byte slice from front to back; never panics, never reads past the end.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, offset: 0 }
    }

    /// A reader that starts at `offset`; at or past the end it is empty.
    pub fn at(bytes: &'a [u8], offset: usize) -> Reader<'a> {
        Reader { bytes, offset: offset.min(bytes.len()) }
    }

    /// Distance from the start of the input, in bytes.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not yet read.
    pub fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.offset)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let error = Truncated { offset: self.offset, wanted: count, left: self.left() };
        let end = self.offset.checked_add(count).ok_or(error)?;
        let taken = self.bytes.get(self.offset..end).ok_or(error)?;
        self.offset = end;
        Ok(taken)
    }

    /// Passes over `count` bytes.
    pub fn skip(&mut self, count: usize) -> Result<(), Truncated> {
        self.bytes(count).map(|_| ())
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// A 16-bit value.
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// A 32-bit value.
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let bytes = self.bytes(N)?;
        let mut array = [0; N];
        array.copy_from_slice(bytes);
        Ok(array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_past_the_end_says_where_and_how_much() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5]);
        assert_eq!(reader.u32(), Ok(0x0403_0201));
        assert_eq!(reader.u16(), Err(Truncated { offset: 4, wanted: 2, left: 1 }));
        assert_eq!(reader.u8(), Ok(5));
        assert!(reader.is_empty());
        assert!(reader.bytes(usize::MAX).is_err());
    }
}
