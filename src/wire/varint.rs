//! Unsigned LEB128 of at most 32 bits: seven bits a byte, the lowest first.

use crate::base::{Reader, Truncated};

/// Bytes of the longest number.
const MAX_BYTES: u32 = 5;

/// A number is longer than 32 bits, or the input ends inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadVarint;

impl From<Truncated> for BadVarint {
    fn from(_: Truncated) -> BadVarint {
        BadVarint
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<u32, BadVarint> {
    let mut value = 0_u64;
    for index in 0..MAX_BYTES {
        let byte = reader.u8()?;
        value |= u64::from(byte & 0x7f) << index.saturating_mul(7);
        if byte & 0x80 == 0 {
            return u32::try_from(value).map_err(|_| BadVarint);
        }
    }
    Err(BadVarint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_long_ones_refused() {
        let numbers: [(&[u8], u32); 5] = [
            (&[0x00], 0),
            (&[0x7f], 0x7f),
            (&[0xe8, 0x1f], 0xfe8),
            (&[0x80, 0x00], 0),
            (&[0xff, 0xff, 0xff, 0xff, 0x0f], u32::MAX),
        ];
        for (bytes, value) in numbers {
            assert_eq!(read(&mut Reader::new(bytes)), Ok(value), "{bytes:?}");
            assert_eq!(read(&mut Reader::new(&bytes[..bytes.len() - 1])), Err(BadVarint));
        }
        let too_long = [0xff, 0xff, 0xff, 0xff, 0x1f];
        assert_eq!(read(&mut Reader::new(&too_long)), Err(BadVarint));
        assert_eq!(read(&mut Reader::new(&[0x80; 8])), Err(BadVarint));
    }
}
