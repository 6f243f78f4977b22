//! The CBOR that events are made of (RFC 8949), read item by item.
//!
//! Refused: items of indefinite length, which no device sends. Text is taken as bytes, because log
//! lines of a device are not always UTF-8. Nothing recurses: what is not wanted is passed over by
//! counting.

use crate::base::{Reader, Truncated};

/// Why CBOR cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// It ends inside an item.
    #[error("the event ends at offset {offset}, inside a value")]
    Truncated {
        /// Where it ends.
        offset: usize,
    },
    /// The first byte of an item has no meaning here.
    #[error("byte 0x{byte:02x} at offset {offset} begins no value")]
    Reserved {
        /// The byte.
        byte: u8,
        /// Where it stands.
        offset: usize,
    },
    /// It is not the map or the array of maps that an event is.
    #[error("no event begins at offset {offset}")]
    NoEvent {
        /// Where an event should begin.
        offset: usize,
    },
    /// It holds more values than any device sends.
    #[error("more than {limit} values up to offset {offset}; the rest is left out")]
    TooMany {
        /// How many are taken.
        limit: usize,
        /// Where the next one stands.
        offset: usize,
    },
}

impl From<Truncated> for CborError {
    fn from(error: Truncated) -> CborError {
        CborError::Truncated { offset: error.offset.saturating_add(error.left) }
    }
}

/// One item; of an array or a map only how many items, or pairs, follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item<'a> {
    Unsigned(u64),
    /// The value is -1 minus this number.
    Negative(u64),
    Bytes(&'a [u8]),
    Text(&'a [u8]),
    Array(u64),
    Map(u64),
    Bool(bool),
    Null,
    Float(f64),
    Simple(u8),
}

impl Item<'_> {
    /// As a signed number.
    pub(super) fn integer(self) -> Option<i128> {
        match self {
            Item::Unsigned(value) => Some(i128::from(value)),
            Item::Negative(value) => Some((-1_i128).saturating_sub(i128::from(value))),
            _ => None,
        }
    }
}

/// Walks CBOR from front to back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cbor<'a> {
    reader: Reader<'a>,
    room: usize,
}

/// Values of one message that are kept.
const MAX_VALUES: usize = 1 << 16;

impl<'a> Cbor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cbor<'a> {
        Cbor { reader: Reader::new(bytes), room: MAX_VALUES }
    }

    /// Distance from the start, in bytes.
    pub(super) fn offset(&self) -> usize {
        self.reader.offset()
    }

    /// Counts a value that is to be kept.
    pub(super) fn keep(&mut self) -> Result<(), CborError> {
        let full = CborError::TooMany { limit: MAX_VALUES, offset: self.offset() };
        self.room = self.room.checked_sub(1).ok_or(full)?;
        Ok(())
    }

    /// Goes on with the room that `other`, another reader of the same message, has left.
    pub(super) fn copy_room(&mut self, other: &Cbor<'_>) {
        self.room = other.room;
    }

    /// The next item; tags are passed over.
    pub(super) fn item(&mut self) -> Result<Item<'a>, CborError> {
        loop {
            let offset = self.reader.offset();
            let byte = self.reader.u8()?;
            let reserved = CborError::Reserved { byte, offset };
            let short = byte & 0x1f;
            let (major, number) = (byte >> 5, self.number(short, reserved));
            return Ok(match major {
                0 => Item::Unsigned(number?),
                1 => Item::Negative(number?),
                2 => Item::Bytes(self.bytes(number?)?),
                3 => Item::Text(self.bytes(number?)?),
                4 => Item::Array(number?),
                5 => Item::Map(number?),
                6 => {
                    number?;
                    continue;
                }
                _ => {
                    let number = number?;
                    match short {
                        20 | 21 => Item::Bool(short == 21),
                        22 | 23 => Item::Null,
                        25 => Item::Float(half(number as u16)),
                        26 => Item::Float(f64::from(f32::from_bits(number as u32))),
                        27 => Item::Float(f64::from_bits(number)),
                        _ => Item::Simple(number as u8),
                    }
                }
            });
        }
    }

    /// Passes over the next item and all that is in it. Time is bounded by the input: every item
    /// that is counted takes a byte of it.
    pub(super) fn skip(&mut self) -> Result<(), CborError> {
        let item = self.item()?;
        self.skip_contents(item)
    }

    /// Passes over what is in `item`, which was the last.
    pub(super) fn skip_contents(&mut self, item: Item<'_>) -> Result<(), CborError> {
        let mut left = contents(item);
        while left > 0 {
            let item = self.item()?;
            left = left.saturating_sub(1).saturating_add(contents(item));
        }
        Ok(())
    }

    /// The number of the next item, when it is one that is not negative and fits.
    pub(super) fn unsigned<T: TryFrom<u64>>(&mut self) -> Result<Option<T>, CborError> {
        match self.item()? {
            Item::Unsigned(value) => Ok(T::try_from(value).ok()),
            other => self.skip_contents(other).map(|()| None),
        }
    }

    /// The text of the next item, when it is text or bytes; what is not UTF-8 is replaced.
    pub(super) fn text(&mut self) -> Result<Option<String>, CborError> {
        let bytes = self.bytes_or_text()?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    /// The bytes of the next item, when it is text or bytes.
    pub(super) fn bytes_or_text(&mut self) -> Result<Option<&'a [u8]>, CborError> {
        match self.item()? {
            Item::Bytes(bytes) | Item::Text(bytes) => Ok(Some(bytes)),
            other => self.skip_contents(other).map(|()| None),
        }
    }

    fn number(&mut self, short: u8, reserved: CborError) -> Result<u64, CborError> {
        Ok(match short {
            0..=23 => u64::from(short),
            24 => u64::from(self.reader.u8()?),
            25 => u64::from(u16::from_be_bytes(self.reader.array()?)),
            26 => u64::from(u32::from_be_bytes(self.reader.array()?)),
            27 => u64::from_be_bytes(self.reader.array()?),
            _ => return Err(reserved),
        })
    }

    fn bytes(&mut self, size: u64) -> Result<&'a [u8], CborError> {
        Ok(self.reader.bytes(usize::try_from(size).unwrap_or(usize::MAX))?)
    }
}

fn contents(item: Item<'_>) -> u64 {
    match item {
        Item::Array(count) => count,
        Item::Map(count) => count.saturating_mul(2),
        _ => 0,
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2_f64.powi(exponent.saturating_sub(25)),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex;

    fn items(text: &str) -> Result<Vec<Item<'static>>, CborError> {
        let bytes: &'static [u8] = Vec::leak(hex::decode(text.as_bytes()).unwrap());
        let mut cbor = Cbor::new(bytes);
        let mut items = Vec::new();
        while cbor.offset() < bytes.len() {
            items.push(cbor.item()?);
        }
        Ok(items)
    }

    /// RFC 8949, appendix A.
    #[test]
    fn examples_of_the_standard_decode() {
        let expected = [
            ("00", Item::Unsigned(0)),
            ("17", Item::Unsigned(23)),
            ("1818", Item::Unsigned(24)),
            ("1903e8", Item::Unsigned(1000)),
            ("1a000f4240", Item::Unsigned(1_000_000)),
            ("1bffffffffffffffff", Item::Unsigned(u64::MAX)),
            ("20", Item::Negative(0)),
            ("3903e7", Item::Negative(999)),
            ("f93c00", Item::Float(1.0)),
            ("f97bff", Item::Float(65504.0)),
            ("f90001", Item::Float(5.960_464_477_539_063e-8)),
            ("f9c400", Item::Float(-4.0)),
            ("f9fc00", Item::Float(f64::NEG_INFINITY)),
            ("fa47c35000", Item::Float(100_000.0)),
            ("fb7e37e43c8800759c", Item::Float(1.0e300)),
            ("f4", Item::Bool(false)),
            ("f5", Item::Bool(true)),
            ("f6", Item::Null),
            ("f7", Item::Null),
            ("f0", Item::Simple(16)),
            ("c11a514b67b0", Item::Unsigned(1_363_896_240)),
            ("4401020304", Item::Bytes(&[1, 2, 3, 4])),
            ("6449455446", Item::Text(b"IETF")),
            ("80", Item::Array(0)),
            ("a0", Item::Map(0)),
        ];
        for (text, item) in expected {
            assert_eq!(items(text), Ok(vec![item]), "{text}");
        }
        assert_eq!(Item::Negative(u64::MAX).integer(), Some(-18_446_744_073_709_551_616));
        assert!(matches!(items("f97e00").unwrap()[..], [Item::Float(nan)] if nan.is_nan()));
    }

    #[test]
    fn indefinite_and_truncated_items_are_refused() {
        for text in ["9f", "bf", "5f", "7f", "ff", "1c", "fc"] {
            let byte = hex::decode(text.as_bytes()).unwrap()[0];
            assert_eq!(items(text), Err(CborError::Reserved { byte, offset: 0 }), "{text}");
        }
        assert_eq!(items("19ff"), Err(CborError::Truncated { offset: 2 }));
        assert_eq!(items("44010203"), Err(CborError::Truncated { offset: 4 }));
        assert_eq!(items("5bffffffffffffffff"), Err(CborError::Truncated { offset: 9 }));
    }

    #[test]
    fn skip_passes_nested_items_of_any_depth() {
        let deep = [&[0x81; 100_000][..], &[0x01, 0x02]].concat();
        let mut cbor = Cbor::new(&deep);
        cbor.skip().unwrap();
        assert_eq!(cbor.unsigned::<u32>(), Ok(Some(2)));
        let endless = hex::decode(b"bbffffffffffffffff01").unwrap();
        assert_eq!(Cbor::new(&endless).skip(), Err(CborError::Truncated { offset: 10 }));
        let mixed = hex::decode(b"a201820203f562686907").unwrap();
        let mut cbor = Cbor::new(&mixed);
        assert_eq!(cbor.unsigned::<u32>(), Ok(None));
        assert_eq!(cbor.unsigned::<u8>(), Ok(Some(7)));
    }
}
