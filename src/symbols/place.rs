//! Where a value is, and its bits when they are not in memory. DWARF 5 section 2.6.1.2
//! (composite locations): a structure may lie partly in registers, partly nowhere.

use std::sync::Arc;

use super::dwarf::DieRef;
use crate::base::{Address, Memory};

/// A value outside memory is a few registers; a forged piece list may claim more.
const MAX_BITS: u64 = 8 << 16;

/// Why a value, or a part of one, is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The compiler kept no copy at this place in the code.
    OptimizedOut,
    /// Its memory, or when there is no address its register, was not captured.
    NotCaptured {
        /// The first address that is missing.
        address: Option<Address>,
    },
    /// The debug information could not be followed.
    Unreadable {
        /// What stood in the way.
        reason: &'static str,
    },
}

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory.
    Memory(Address),
    /// In registers, in pieces, or given by the debug information itself.
    Bits {
        /// The bits of the outermost value.
        bits: Arc<Bits>,
        /// The first bit of this value.
        offset: u64,
    },
    /// A pointer that does not exist, to a variable that has no address.
    SyntheticPointer(SyntheticPointer),
    /// Nowhere.
    Missing(Missing),
}

/// What a pointer without a value points to (`DW_OP_implicit_pointer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntheticPointer {
    pub(super) target: DieRef,
    pub(super) offset: i64,
}

/// Bits of a value, with what is known of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    bytes: Vec<u8>,
    /// For each byte a mask of the bits that are known.
    known: Vec<u8>,
    /// For each byte why the others are not.
    reasons: Vec<Option<Missing>>,
    length: u64,
}

impl Bits {
    /// Bits of which all are known.
    pub(super) fn of_bytes(bytes: &[u8]) -> Bits {
        let mut bits = Bits::default();
        bits.push(bytes, 0, (bytes.len() as u64).saturating_mul(8));
        bits
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Appends `count` bits of `source` from its bit `start`; what it lacks is zero.
    pub(super) fn push(&mut self, source: &[u8], start: u64, count: u64) {
        self.extend(count, None, |index| {
            let at = start.saturating_add(index);
            let byte = usize::try_from(at / 8).ok().and_then(|i| source.get(i)).unwrap_or(&0);
            byte >> (at % 8) & 1 != 0
        });
    }

    /// Appends `count` bits that are not known.
    pub(super) fn push_missing(&mut self, count: u64, reason: Missing) {
        self.extend(count, Some(reason), |_| false);
    }

    fn extend(&mut self, count: u64, reason: Option<Missing>, bit: impl Fn(u64) -> bool) {
        for index in 0..count.min(MAX_BITS.saturating_sub(self.length)) {
            let mask = 1_u8 << (self.length % 8);
            if mask == 1 {
                self.bytes.push(0);
                self.known.push(0);
                self.reasons.push(None);
            }
            if bit(index)
                && let Some(byte) = self.bytes.last_mut()
            {
                *byte |= mask;
            }
            match (reason, self.known.last_mut(), self.reasons.last_mut()) {
                (None, Some(known), _) => *known |= mask,
                (Some(reason), _, Some(slot)) => *slot = Some(reason),
                _ => {}
            }
            self.length = self.length.saturating_add(1);
        }
    }

    /// At most 128 bits as a number.
    fn read(&self, start: u64, count: u64) -> Result<u128, Missing> {
        let mut value = 0_u128;
        for index in 0..count.min(128) {
            let at = start.saturating_add(index);
            let byte = usize::try_from(at / 8).unwrap_or(usize::MAX);
            let mask = 1_u8 << (at % 8);
            let (Some(bits), Some(known)) = (self.bytes.get(byte), self.known.get(byte)) else {
                return Err(Missing::OptimizedOut);
            };
            if known & mask == 0 {
                let reason = self.reasons.get(byte).copied().flatten();
                return Err(reason.unwrap_or(Missing::OptimizedOut));
            }
            if bits & mask != 0 {
                value |= 1_u128 << index;
            }
        }
        Ok(value)
    }
}

impl Place {
    pub(super) fn of_bytes(bytes: &[u8]) -> Place {
        Place::Bits { bits: Arc::new(Bits::of_bytes(bytes)), offset: 0 }
    }

    /// The address, for a value in memory.
    pub fn address(&self) -> Option<Address> {
        match self {
            Place::Memory(address) => Some(*address),
            _ => None,
        }
    }

    /// The place of a part that starts `bits` after the start of this; a bit-field in memory
    /// keeps the remainder of the division by eight to itself.
    pub fn part(&self, bits: u64) -> Place {
        match self {
            Place::Memory(address) => {
                let bytes = i64::try_from(bits / 8).unwrap_or(i64::MAX);
                Place::Memory(address.wrapping_add(bytes))
            }
            Place::Bits { bits: all, offset } => {
                Place::Bits { bits: Arc::clone(all), offset: offset.saturating_add(bits) }
            }
            Place::SyntheticPointer(_) if bits != 0 => Place::Missing(Missing::OptimizedOut),
            other => other.clone(),
        }
    }

    /// `count` bits, at most 128, from bit `start` of a little-endian value as a number.
    pub(super) fn read(
        &self,
        start: u64,
        count: u64,
        memory: &dyn Memory,
    ) -> Result<u128, Missing> {
        let count = count.min(128);
        match self {
            Place::Memory(address) => {
                let from = address.wrapping_add(i64::try_from(start / 8).unwrap_or(i64::MAX));
                let shift = start % 8;
                let size = shift.saturating_add(count).div_ceil(8).min(16);
                let mut bytes = [0_u8; 16];
                let size = usize::try_from(size).unwrap_or(16);
                let buffer = bytes.get_mut(..size).unwrap_or_default();
                memory
                    .read(from, buffer)
                    .map_err(|error| Missing::NotCaptured { address: Some(error.address) })?;
                let value = u128::from_le_bytes(bytes) >> shift;
                let unused = u32::try_from(128_u64.saturating_sub(count)).unwrap_or(0);
                let mask = u128::MAX.checked_shr(unused).unwrap_or(0);
                Ok(value & mask)
            }
            Place::Bits { bits, offset } => bits.read(offset.saturating_add(start), count),
            Place::SyntheticPointer(_) => Err(Missing::OptimizedOut),
            Place::Missing(missing) => Err(*missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoMemory;

    impl Memory for NoMemory {
        fn read(&self, address: Address, _: &mut [u8]) -> Result<(), crate::base::Unreadable> {
            Err(crate::base::Unreadable { address })
        }
    }

    #[test]
    fn value_in_pieces_is_known_where_the_pieces_are() {
        let mut bits = Bits::default();
        bits.push(&[0x78, 0x56, 0x34, 0x12], 0, 32);
        bits.push_missing(16, Missing::OptimizedOut);
        bits.push(&[0xf0], 4, 4);
        bits.push(&[0x05], 0, 12);
        let place = Place::Bits { bits: Arc::new(bits), offset: 0 };
        assert_eq!(place.read(0, 32, &NoMemory), Ok(0x1234_5678));
        assert_eq!(place.read(16, 16, &NoMemory), Ok(0x1234));
        assert_eq!(place.read(24, 16, &NoMemory), Err(Missing::OptimizedOut));
        assert_eq!(place.part(48).read(0, 16, &NoMemory), Ok(0x5f));
        assert_eq!(place.read(60, 8, &NoMemory), Err(Missing::OptimizedOut), "past the end");
        let memory = Place::Memory(Address(4));
        let missing = Missing::NotCaptured { address: Some(Address(5)) };
        assert_eq!(memory.read(8, 8, &NoMemory), Err(missing));
    }

    #[test]
    fn forged_piece_is_bounded() {
        let mut bits = Bits::default();
        bits.push_missing(u64::MAX, Missing::OptimizedOut);
        assert_eq!(bits.length(), MAX_BITS);
    }
}
