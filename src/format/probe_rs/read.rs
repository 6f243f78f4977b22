//! A dump of probe-rs as a snapshot.

use super::message_pack::{Item, Items};
use super::{FIRST_SINGLE, MASK_WORDS, MASKS, REGISTERS};
use crate::base::{Address, Truncated};
use crate::format::coverage::Coverage;
use crate::format::{FormatError, gap};
use crate::snapshot::{Gap, Register, RegisterSet, Snapshot};

/// Reads a dump.
///
/// # Errors
/// [`FormatError::OtherProcessor`]. What is cut short yields what stands before.
pub fn read(bytes: &[u8]) -> Result<Snapshot, FormatError> {
    let mut dump = Dump { items: Items::new(bytes), ..Dump::default() };
    if let Err(error) = dump.read() {
        dump.snapshot.origin.complete = Some(false);
        dump.snapshot.remarks.push(format!("the dump is cut short: {error}"));
    }
    if let Some(found) = dump.other_processor {
        return Err(FormatError::OtherProcessor { found });
    }
    let mut snapshot = dump.snapshot;
    snapshot.origin.format = "probe-rs dump".to_owned();
    let mut coverage = Coverage::default();
    for (start, bytes) in &dump.memory {
        coverage.insert(*start, bytes);
    }
    coverage.into_image(&mut snapshot.memory);
    for gap in dump.gaps {
        snapshot.memory.insert_gap(gap);
    }
    Ok(snapshot.non_empty()?)
}

struct Dump<'a> {
    items: Items<'a>,
    snapshot: Snapshot,
    memory: Vec<(Address, Vec<u8>)>,
    gaps: Vec<Gap>,
    other_processor: Option<String>,
}

impl Default for Dump<'_> {
    fn default() -> Self {
        Dump {
            items: Items::new(&[]),
            snapshot: Snapshot::default(),
            memory: Vec::new(),
            gaps: Vec::new(),
            other_processor: None,
        }
    }
}

impl Dump<'_> {
    fn read(&mut self) -> Result<(), Truncated> {
        let Item::Map(fields) = self.items.next()? else { return Ok(()) };
        for _ in 0..fields {
            match self.items.next()? {
                Item::Text(b"registers") => self.registers()?,
                Item::Text(b"data") => self.data()?,
                Item::Text(b"instruction_set") => {
                    if let Item::Text(found) = self.items.next()?
                        && found != b"Thumb2"
                    {
                        self.other_processor = Some(String::from_utf8_lossy(found).into_owned());
                    }
                }
                _ => self.items.skip()?,
            }
        }
        Ok(())
    }

    fn registers(&mut self) -> Result<(), Truncated> {
        let Item::Map(pairs) = self.items.next()? else { return Ok(()) };
        for _ in 0..pairs {
            let number = match self.items.next()? {
                Item::Number(number) => u8::try_from(number).ok(),
                _ => None,
            };
            // A map of one pair: the width, and the value.
            let value = match self.items.next()? {
                Item::Map(1) => {
                    self.items.skip()?;
                    self.items.next()?
                }
                Item::Map(pairs) => {
                    (0..pairs.saturating_mul(2)).try_for_each(|_| self.items.skip())?;
                    continue;
                }
                value => value,
            };
            if let (Some(number), Item::Number(value)) = (number, value)
                && let Ok(value) = u32::try_from(value)
            {
                set(&mut self.snapshot.registers, number, value);
            }
        }
        Ok(())
    }

    fn data(&mut self) -> Result<(), Truncated> {
        let Item::Array(ranges) = self.items.next()? else { return Ok(()) };
        for _ in 0..ranges {
            let Item::Array(2) = self.items.next()? else { return Ok(()) };
            let (start, end) = self.range()?;
            let mut bytes = Vec::new();
            let read = self.bytes(&mut bytes);
            if let (Some(start), Some(end)) = (start, end) {
                let missing = u64::from(end.wrapping_sub(start)).saturating_sub(bytes.len() as u64);
                let from = Address(start).wrapping_add(i64::try_from(bytes.len()).unwrap_or(0));
                let cut = read.is_err().then_some(missing);
                self.gaps.extend(cut.and_then(|size| gap(from, size, "the dump is cut short")));
                self.memory.push((Address(start), bytes));
            }
            read?;
        }
        Ok(())
    }

    /// `{"start": address, "end": address}`; nothing for addresses beyond 32 bits.
    fn range(&mut self) -> Result<(Option<u32>, Option<u32>), Truncated> {
        let (mut start, mut end) = (None, None);
        let Item::Map(pairs) = self.items.next()? else { return Ok((None, None)) };
        for _ in 0..pairs {
            let key = self.items.next()?;
            match (key, self.items.next()?) {
                (Item::Text(b"start"), Item::Number(value)) => start = u32::try_from(value).ok(),
                // The end of the address space wraps to 0.
                (Item::Text(b"end"), Item::Number(value)) => end = Some(value as u32),
                (_, Item::Array(_) | Item::Map(_)) => return Ok((None, None)),
                _ => {}
            }
        }
        Ok((start, end))
    }

    /// A byte string, or an array of numbers.
    fn bytes(&mut self, bytes: &mut Vec<u8>) -> Result<(), Truncated> {
        match self.items.next()? {
            Item::Bytes(all) => bytes.extend(all),
            Item::Array(count) => {
                for _ in 0..count {
                    match self.items.next()? {
                        Item::Number(byte) => bytes.push(byte as u8),
                        _ => bytes.push(0),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Sets the registers behind one number.
fn set(registers: &mut RegisterSet, number: u8, value: u32) {
    if let Some((_, bank)) = MASK_WORDS.iter().find(|(known, _)| *known == number) {
        for (name, byte) in MASKS.iter().zip(value.to_le_bytes()) {
            if let Some(register) = Register::from_name(&format!("{name}{bank}")) {
                registers.set(register, u32::from(byte));
            }
        }
    } else if let Some((_, name)) = REGISTERS.iter().find(|(known, _)| *known == number) {
        if let Some(register) = Register::from_name(name) {
            registers.set(register, value);
        }
    } else if let Some(single) = number.checked_sub(FIRST_SINGLE).and_then(Register::single) {
        registers.set(single, value);
    }
}
