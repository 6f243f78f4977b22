//! As much of MessagePack as a dump needs: items one after the other, of arrays and maps the
//! number of their parts. Source: the MessagePack specification, "Formats".

use crate::base::{Reader, Truncated};

/// One item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item<'a> {
    /// A number that is not negative.
    Number(u64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// This many items follow.
    Array(usize),
    /// This many pairs follow.
    Map(usize),
    Bool(bool),
    /// Nil, negative numbers, fractions, extensions: passed over.
    Other,
}

/// Items of a byte slice.
#[derive(Clone, Debug)]
pub(super) struct Items<'a> {
    reader: Reader<'a>,
}

impl<'a> Items<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Items<'a> {
        Items { reader: Reader::new(bytes) }
    }

    pub(super) fn next(&mut self) -> Result<Item<'a>, Truncated> {
        let kind = self.reader.u8()?;
        let low = |mask: u8| usize::from(kind & mask);
        Ok(match kind {
            0..=0x7f => Item::Number(u64::from(kind)),
            0x80..=0x8f => Item::Map(low(0x0f)),
            0x90..=0x9f => Item::Array(low(0x0f)),
            0xa0..=0xbf => Item::Text(self.reader.bytes(low(0x1f))?),
            0xc2 | 0xc3 => Item::Bool(kind == 0xc3),
            0xc4..=0xc6 => Item::Bytes(self.sized(kind.wrapping_sub(0xc4))?),
            0xcc..=0xcf => Item::Number(self.number(kind.wrapping_sub(0xcc))?),
            0xd9..=0xdb => Item::Text(self.sized(kind.wrapping_sub(0xd9))?),
            0xdc | 0xdd => Item::Array(self.size(kind.wrapping_sub(0xdb))?),
            0xde | 0xdf => Item::Map(self.size(kind.wrapping_sub(0xdd))?),
            // Extensions with a size: a type, then the payload.
            0xc7..=0xc9 => {
                let size = self.size(kind.wrapping_sub(0xc7))?;
                self.reader.skip(size.saturating_add(1))?;
                Item::Other
            }
            0xca => self.pass(4)?,
            0xcb => self.pass(8)?,
            0xd0..=0xd3 => self.pass(1 << (kind & 3))?,
            // Extensions of 1, 2, 4, 8 and 16 bytes.
            0xd4..=0xd8 => self.pass((1_usize << kind.wrapping_sub(0xd4)).saturating_add(1))?,
            0xc0 | 0xc1 | 0xe0..=0xff => Item::Other,
        })
    }

    /// A number of 2^`power` bytes, most significant first.
    fn number(&mut self, power: u8) -> Result<u64, Truncated> {
        let bytes = self.reader.bytes(1 << (power & 3))?;
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn size(&mut self, power: u8) -> Result<usize, Truncated> {
        Ok(usize::try_from(self.number(power)?).unwrap_or(usize::MAX))
    }

    fn sized(&mut self, power: u8) -> Result<&'a [u8], Truncated> {
        let size = self.size(power)?;
        self.reader.bytes(size)
    }

    fn pass(&mut self, size: usize) -> Result<Item<'a>, Truncated> {
        self.reader.skip(size)?;
        Ok(Item::Other)
    }

    /// Passes over one item with all its parts.
    pub(super) fn skip(&mut self) -> Result<(), Truncated> {
        // Every part is a byte at least: the end of the input ends this.
        let mut left = 1_usize;
        while left > 0 {
            left = left.saturating_sub(1).saturating_add(match self.next()? {
                Item::Array(parts) => parts,
                Item::Map(pairs) => pairs.saturating_mul(2),
                _ => 0,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_item_is_read_or_passed_over() {
        let cases: [(&[u8], Item<'_>); 24] = [
            (&[0x7f], Item::Number(127)),
            (&[0xcc, 0xff], Item::Number(255)),
            (&[0xcd, 1, 2], Item::Number(0x102)),
            (&[0xce, 1, 2, 3, 4], Item::Number(0x0102_0304)),
            (&[0xcf, 0, 0, 0, 1, 0, 0, 0, 0], Item::Number(1 << 32)),
            (&[0xa2, b'a', b'b'], Item::Text(b"ab")),
            (&[0xd9, 1, b'a'], Item::Text(b"a")),
            (&[0xda, 0, 1, b'a'], Item::Text(b"a")),
            (&[0xc4, 2, 8, 9], Item::Bytes(&[8, 9])),
            (&[0xc5, 0, 1, 8], Item::Bytes(&[8])),
            (&[0x92], Item::Array(2)),
            (&[0xdc, 1, 0], Item::Array(256)),
            (&[0xdd, 0, 1, 0, 0], Item::Array(65536)),
            (&[0x83], Item::Map(3)),
            (&[0xde, 0, 9], Item::Map(9)),
            (&[0xdf, 0, 0, 0, 9], Item::Map(9)),
            (&[0xc3], Item::Bool(true)),
            (&[0xc0], Item::Other),
            (&[0xe0], Item::Other),
            (&[0xca, 0, 0, 0, 0], Item::Other),
            (&[0xcb, 0, 0, 0, 0, 0, 0, 0, 0], Item::Other),
            (&[0xd3, 0, 0, 0, 0, 0, 0, 0, 0], Item::Other),
            (&[0xd8, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Item::Other),
            (&[0xc7, 2, 5, 0, 0], Item::Other),
        ];
        for (bytes, expected) in cases {
            let mut items = Items::new(bytes);
            assert_eq!(items.next(), Ok(expected), "{bytes:02x?}");
            assert!(items.next().is_err(), "{bytes:02x?} is used up");
            assert!(Items::new(&bytes[..bytes.len() - 1]).next().is_err(), "{bytes:02x?} cut");
        }
    }

    #[test]
    fn skip_passes_over_all_parts_and_ends_with_the_input() {
        let mut items = Items::new(&[0x92, 0x81, 1, 0x91, 2, 0xa1, b'x', 7]);
        assert_eq!(items.skip(), Ok(()));
        assert_eq!(items.next(), Ok(Item::Number(7)));
        assert!(
            Items::new(&[0xdf, 0xff, 0xff, 0xff, 0xff, 0xdd, 0xff, 0xff, 0xff, 0xff])
                .skip()
                .is_err()
        );
    }
}
