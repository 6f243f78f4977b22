//! Unwind instructions from `.ARM.exidx` and `.ARM.extab`.
//!
//! Source: Exception Handling ABI for the Arm Architecture (IHI 0038), sections 6 and 10.3.

use crate::base::{Address, Memory};

/// One step of unwinding on the virtual stack pointer, vsp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnwindStep {
    /// vsp += bytes.
    Add(i32),
    /// Pop core registers: bit n of the mask is rn; lowest number first.
    Pop(u16),
    /// vsp = rn.
    FromRegister(u8),
    /// Pop `count` double registers from `first` on; `padded` for FSTMX, which has one more word.
    PopDouble {
        /// First double register.
        first: u8,
        /// How many.
        count: u8,
        /// One more word follows the registers.
        padded: bool,
    },
    /// Pop the return address authentication code (Armv8.1-M).
    PopAuthCode,
}

/// What the table says about a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwind {
    /// Execute these, then the return address is in LR, unless PC was popped.
    Steps(Vec<UnwindStep>),
    /// The function is marked as one that cannot be unwound.
    CannotUnwind,
}

/// The index table and the memory that holds the long entries.
#[derive(Clone, Copy, Debug)]
pub struct ExceptionIndex<'d> {
    table: &'d [u8],
    address: Address,
}

const CANNOT_UNWIND: u32 = 1;
const ENTRY_SIZE: usize = 8;
/// Longest instruction sequence that a table entry can announce: 4 + 255 * 4 bytes.
const LONGEST: u32 = 255;

impl<'d> ExceptionIndex<'d> {
    /// The section's contents and run-time address.
    pub fn new(table: &'d [u8], address: Address) -> ExceptionIndex<'d> {
        ExceptionIndex { table, address }
    }

    /// The entry that covers `pc`: where its function starts, and how to unwind it.
    /// `memory` must hold `.ARM.extab`. `None` where there is no entry, or a malformed one.
    pub fn find(&self, pc: Address, memory: &dyn Memory) -> Option<(Address, Unwind)> {
        let count = self.table.len() / ENTRY_SIZE;
        // Entries are sorted by function; find the last that starts at or before `pc`.
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.function(middle)? <= pc { low = middle + 1 } else { high = middle }
        }
        let index = low.checked_sub(1)?;
        let start = self.function(index)?;
        let word = self.word(index * ENTRY_SIZE + 4)?;
        let unwind = if word == CANNOT_UNWIND {
            Unwind::CannotUnwind
        } else if word & 0x8000_0000 != 0 {
            compact(word, None, memory)?
        } else {
            let at = self.place(index * ENTRY_SIZE + 4)?.wrapping_add(prel31(word));
            compact(memory.read_u32(at).ok()?, Some(at), memory)?
        };
        Some((start, unwind))
    }

    fn word(&self, offset: usize) -> Option<u32> {
        let bytes = self.table.get(offset..offset.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    fn place(&self, offset: usize) -> Option<Address> {
        self.address.checked_add(u32::try_from(offset).ok()?)
    }

    fn function(&self, index: usize) -> Option<Address> {
        let offset = index * ENTRY_SIZE;
        let target = self.place(offset)?.wrapping_add(prel31(self.word(offset)?));
        Some(target.without_thumb_bit())
    }
}

/// A 31-bit offset relative to its own place, sign extended.
fn prel31(word: u32) -> i64 {
    // Shifting the unused top bit out and back extends bit 30.
    i64::from(((word << 1) as i32) >> 1)
}

/// Decodes an entry in a compact model; `at` is where `word` stands, for entries in `.ARM.extab`.
fn compact(word: u32, at: Option<Address>, memory: &dyn Memory) -> Option<Unwind> {
    let mut bytes = Vec::new();
    let more = |from: Address, count: u32, bytes: &mut Vec<u8>| {
        for index in 0..count.min(LONGEST) {
            let word = memory.read_u32(from.wrapping_add(4 * i64::from(index))).ok()?;
            bytes.extend(word.to_be_bytes());
        }
        Some(())
    };
    if word & 0x8000_0000 == 0 {
        // A personality routine of the language: its data follow GCC's layout, in which the
        // first byte counts further words (IHI 0038 section 6.3 leaves this to the routine).
        let next = at?.checked_add(4)?;
        let first = memory.read_u32(next).ok()?;
        bytes.extend(first.to_be_bytes().get(1..)?);
        more(next.checked_add(4)?, first >> 24, &mut bytes)?;
        return Some(steps(&bytes));
    }
    match word >> 24 & 0xf {
        0 => bytes.extend(word.to_be_bytes().get(1..)?),
        1 | 2 => {
            bytes.extend(word.to_be_bytes().get(2..)?);
            more(at?.checked_add(4)?, word >> 16 & 0xff, &mut bytes)?;
        }
        _ => return None,
    }
    Some(steps(&bytes))
}

/// Decodes unwind instructions up to "finish", the end, or one that is reserved.
/// IHI 0038 section 10.3, table 4.
fn steps(bytes: &[u8]) -> Unwind {
    let mut steps = Vec::new();
    let mut at = bytes.iter().copied();
    while let Some(code) = at.next() {
        let low = u16::from(code & 0xf);
        let step = match code {
            0x00..=0x3f => UnwindStep::Add(i32::from(code & 0x3f) * 4 + 4),
            0x40..=0x7f => UnwindStep::Add(-(i32::from(code & 0x3f) * 4 + 4)),
            0x80..=0x8f => {
                let mask = low << 8 | u16::from(at.next().unwrap_or(0));
                if mask == 0 {
                    return Unwind::CannotUnwind;
                }
                UnwindStep::Pop(mask << 4)
            }
            0x9d | 0x9f => return Unwind::CannotUnwind,
            0x90..=0x9f => UnwindStep::FromRegister(code & 0xf),
            0xa0..=0xaf => {
                let with_lr = if code & 8 != 0 { 1 << 14 } else { 0 };
                UnwindStep::Pop(((1 << ((code & 7) + 1)) - 1) << 4 | with_lr)
            }
            0xb0 => break,
            0xb1 => UnwindStep::Pop(u16::from(at.next().unwrap_or(0) & 0xf)),
            0xb2 => UnwindStep::Add(uleb128(&mut at).saturating_mul(4).saturating_add(0x204)),
            0xb3 => double(at.next().unwrap_or(0), 0, true),
            0xb4 => UnwindStep::PopAuthCode,
            0xb8..=0xbf => UnwindStep::PopDouble { first: 8, count: (code & 7) + 1, padded: true },
            0xc8 => double(at.next().unwrap_or(0), 16, false),
            0xc9 => double(at.next().unwrap_or(0), 0, false),
            0xd0..=0xd7 => UnwindStep::PopDouble { first: 8, count: (code & 7) + 1, padded: false },
            _ => return Unwind::CannotUnwind,
        };
        steps.push(step);
    }
    Unwind::Steps(steps)
}

fn double(operand: u8, base: u8, padded: bool) -> UnwindStep {
    UnwindStep::PopDouble { first: base + (operand >> 4), count: (operand & 0xf) + 1, padded }
}

fn uleb128(bytes: &mut impl Iterator<Item = u8>) -> i32 {
    let mut value = 0i32;
    for shift in [0, 7, 14, 21] {
        let Some(byte) = bytes.next() else { break };
        value |= i32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    fn table(entries: &[(u32, u32)]) -> Vec<u8> {
        let base = 0x1000u32;
        let mut bytes = Vec::new();
        for (index, (function, word)) in entries.iter().enumerate() {
            let place = base + 8 * index as u32;
            bytes.extend((function.wrapping_sub(place) & 0x7fff_ffff).to_le_bytes());
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn inline_entry_is_found_by_address() {
        // 0x80 personality 0; 0xa8: pop {r4, lr}; finish.
        let bytes = table(&[(0x100, 0x80a8_b0b0), (0x140, CANNOT_UNWIND)]);
        let index = ExceptionIndex::new(&bytes, Address(0x1000));
        let none = MemoryImage::default();
        let found = index.find(Address(0x120), &none);
        let steps = Unwind::Steps(vec![UnwindStep::Pop(1 << 4 | 1 << 14)]);
        assert_eq!(found, Some((Address(0x100), steps)));
        assert_eq!(index.find(Address(0x150), &none), Some((Address(0x140), Unwind::CannotUnwind)));
        assert_eq!(index.find(Address(0x80), &none), None);
    }

    #[test]
    fn long_entry_is_read_from_extab() {
        let mut extab = MemoryImage::default();
        // Personality 1, one more word: vsp = r7; vsp += 8; pop {r4-r7, lr}; finish.
        let words = [0x8101_9701u32, 0xabb0_b0b0];
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        extab.insert(Address(0x2000), bytes).unwrap();
        let relative = 0x2000u32.wrapping_sub(0x1004) & 0x7fff_ffff;
        let bytes = table(&[(0x100, relative)]);
        let index = ExceptionIndex::new(&bytes, Address(0x1000));
        let expected = Unwind::Steps(vec![
            UnwindStep::FromRegister(7),
            UnwindStep::Add(8),
            UnwindStep::Pop(0x40f0),
        ]);
        assert_eq!(index.find(Address(0x100), &extab), Some((Address(0x100), expected)));
        assert_eq!(index.find(Address(0x100), &MemoryImage::default()), None);
    }

    #[test]
    fn every_instruction_byte_decodes_without_panic() {
        for first in 0..=255u8 {
            for second in [0, 1, 0x7f, 0x80, 0xff] {
                let _ = steps(&[first, second, second, second, second, second]);
            }
        }
        assert_eq!(steps(&[0xb2, 0x80, 0x01]), Unwind::Steps(vec![UnwindStep::Add(0x404)]));
    }
}
