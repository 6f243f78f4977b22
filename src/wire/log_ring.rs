//! The log ring of the device SDK, as it stands in memory (`sdk/SPEC.md`, "Log ring").
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 4 | `MfLR` in memory |
//! | 4 | 4 | version 1 |
//! | 8 | 4 | bytes of the data |
//! | 12 | 4 | the inverted sum of the words before |
//! | 16 | 4 | where the oldest record begins |
//! | 20 | 4 | where the next one will begin |
//! | 24 | 4 | records that were dropped to make room |
//! | 28 | | data |
//!
//! A record goes on at the start of the data where it reaches the end: size of the text (2), kind
//! (1), a byte that makes the sum of all bytes 0xa6 (1), milliseconds since boot (4), text.

use super::event::{Argument, Level};
use super::varint;
use crate::base::{Address, Reader, Truncated};

/// Bytes before the data.
pub const LOG_RING_HEADER: u32 = 28;
/// Rings are not larger, in bytes.
const MAX_SIZE: u32 = 1 << 24;
const MAGIC: u32 = 0x524c_664d;
const VERSION: u32 = 1;
const RECORD_HEADER: usize = 8;
/// What the bytes of a record add up to.
const SUM: u8 = 0xa6;
const KIND_LEVEL: u8 = 0x07;
const KIND_COMPACT: u8 = 0x08;
const KIND_RESET: u8 = 0x10;

/// The header of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRingHeader {
    /// Bytes of the data behind the header.
    pub size: u32,
    /// Records that were dropped to make room.
    pub lost: u32,
    oldest: usize,
    next: usize,
}

/// Why there is no ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogRingError {
    /// Nobody has made it yet.
    #[error("it was not initialised")]
    NotInitialised,
    /// It is of another version of the SDK.
    #[error("it is of version {found}, known is {VERSION}")]
    Version {
        /// The version.
        found: u32,
    },
    /// Its header contradicts itself.
    #[error("its header is damaged")]
    Damaged,
}

impl From<Truncated> for LogRingError {
    fn from(_: Truncated) -> LogRingError {
        LogRingError::Damaged
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// Milliseconds since boot.
    pub milliseconds: u32,
    /// How grave it is.
    pub level: Level,
    /// What it says.
    pub content: LogContent,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum LogContent {
    /// A text.
    Text(String),
    /// The device was reset here, and milliseconds begin anew.
    Reset,
    /// A format of the ELF and its arguments.
    Compact {
        /// Where the format stands.
        format: Address,
        /// Its arguments, as many as fitted.
        arguments: Vec<Argument>,
    },
}

impl LogRingHeader {
    /// The header at the start of `bytes`.
    ///
    /// # Errors
    /// [`LogRingError`] when that is none.
    pub fn parse(bytes: &[u8]) -> Result<LogRingHeader, LogRingError> {
        let mut reader = Reader::new(bytes);
        let mut word = || reader.u32();
        let (magic, version, size, check) = (word()?, word()?, word()?, word()?);
        let (oldest, next, lost) = (word()?, word()?, word()?);
        if magic != MAGIC {
            return Err(LogRingError::NotInitialised);
        }
        if version != VERSION {
            return Err(LogRingError::Version { found: version });
        }
        let sum = magic.wrapping_add(version).wrapping_add(size);
        if check != !sum || size > MAX_SIZE || oldest >= size || next >= size {
            return Err(LogRingError::Damaged);
        }
        let at = |word: u32| usize::try_from(word).map_err(|_| LogRingError::Damaged);
        Ok(LogRingHeader { size, lost, oldest: at(oldest)?, next: at(next)? })
    }

    /// The records in `data`, oldest first, and whether all of them are whole: behind one that is
    /// not, nothing can be found.
    pub fn records(&self, data: &[u8]) -> (Vec<LogRecord>, bool) {
        // In the order of writing: what is behind `oldest`, then what is before `next`.
        let part = |from: usize, to: usize| data.get(from..to).unwrap_or_default();
        let unrolled = match self.oldest <= self.next {
            true => part(self.oldest, self.next).to_vec(),
            false => [part(self.oldest, data.len()), part(0, self.next)].concat(),
        };
        let mut reader = Reader::new(&unrolled);
        let mut records = Vec::new();
        while !reader.is_empty() {
            match record(&mut reader) {
                Ok(record) => records.push(record),
                Err(_) => return (records, false),
            }
        }
        (records, true)
    }
}

fn record(reader: &mut Reader<'_>) -> Result<LogRecord, LogRingError> {
    let mut header = *reader;
    let size = usize::from(header.u16()?);
    let bytes = reader.bytes(RECORD_HEADER.saturating_add(size))?;
    if bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)) != SUM {
        return Err(LogRingError::Damaged);
    }
    let kind = header.u8()?;
    header.skip(1)?;
    let milliseconds = header.u32()?;
    let payload = header.bytes(size)?;
    let level = match kind & KIND_LEVEL {
        0 => Level::Debug,
        1 => Level::Info,
        2 => Level::Warning,
        3 => Level::Error,
        other => Level::Other(u64::from(other)),
    };
    let content = match kind {
        _ if kind & KIND_RESET != 0 => LogContent::Reset,
        _ if kind & KIND_COMPACT != 0 => compact(payload)?,
        _ => LogContent::Text(String::from_utf8_lossy(payload).into_owned()),
    };
    Ok(LogRecord { milliseconds, level, content })
}

/// Address of the format, classes of the arguments behind a leading 1, two bits each, the first one
/// highest; the arguments.
fn compact(payload: &[u8]) -> Result<LogContent, LogRingError> {
    let mut reader = Reader::new(payload);
    let format = Address(reader.u32()?);
    let classes = varint::read(&mut reader).map_err(|_| LogRingError::Damaged)?;
    let count = classes.checked_ilog2().ok_or(LogRingError::Damaged)? / 2;
    let classes = (0..count).rev().map(|place| classes >> place.saturating_mul(2) & 3);
    // A device leaves out what does not fit.
    let arguments = classes.map_while(|class| argument(&mut reader, class).ok()).collect();
    Ok(LogContent::Compact { format, arguments })
}

fn argument(reader: &mut Reader<'_>, class: u32) -> Result<Argument, Truncated> {
    Ok(match class {
        // Whether it has a sign is said by the format.
        0 => Argument::Integer { value: i128::from(reader.u32()?), wide: false },
        1 => Argument::Integer { value: i128::from(wide(reader)?), wide: true },
        2 => Argument::Float(f64::from_bits(wide(reader)?)),
        _ => {
            let size = usize::from(reader.u8()?);
            Argument::Text(String::from_utf8_lossy(reader.bytes(size)?).into_owned())
        }
    })
}

fn wide(reader: &mut Reader<'_>) -> Result<u64, Truncated> {
    reader.array().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring of 64 bytes whose records begin at 50: a text, a reset, a compact line. Written by
    /// hand from the table above.
    fn ring() -> Vec<u8> {
        let records: [&[u8]; 3] = [
            &[2, 0, 3, 0xb6, 0xe8, 3, 0, 0, b'h', b'i' - 0x67],
            &[0, 0, 0x11, 0x95, 0, 0, 0, 0],
            // 0x00f0, a word, a text: 0b1_00_11.
            &[12, 0, 0x0a, 0, 1, 0, 0, 0, 0xf0, 0, 0, 0, 0x13, 7, 0, 0, 0, 2, b'o', b'k'],
        ];
        let mut bytes: Vec<u8> = Vec::new();
        for word in [MAGIC, 1, 64, !(MAGIC + 1 + 64), 50, 24, 5] {
            bytes.extend(word.to_le_bytes());
        }
        let mut data = vec![0xee; 64];
        let mut at = 50;
        for record in records {
            let mut record = record.to_vec();
            record[3] = 0;
            record[3] = SUM.wrapping_sub(record.iter().fold(0, |a: u8, b| a.wrapping_add(*b)));
            for byte in record {
                data[at % 64] = byte;
                at += 1;
            }
        }
        assert_eq!(at, 64 + 24);
        bytes.extend(data);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<(Vec<LogRecord>, bool), LogRingError> {
        let header = LogRingHeader::parse(bytes)?;
        Ok(header.records(&bytes[28..]))
    }

    #[test]
    fn records_are_read_in_order_across_the_end() {
        let (records, whole) = read(&ring()).unwrap();
        assert!(whole);
        let word = Argument::Integer { value: 7, wide: false };
        let arguments = vec![word, Argument::Text("ok".into())];
        let contents: Vec<_> = records.iter().map(|record| record.content.clone()).collect();
        let expected = [
            LogContent::Text("h\u{2}".into()),
            LogContent::Reset,
            LogContent::Compact { format: Address(0xf0), arguments },
        ];
        assert_eq!(contents, expected);
        let levels: Vec<_> = records.iter().map(|record| record.level).collect();
        assert_eq!(levels, [Level::Error, Level::Info, Level::Warning]);
        assert_eq!(records[0].milliseconds, 1000);
        assert_eq!(LogRingHeader::parse(&ring()).unwrap().lost, 5);
    }

    #[test]
    fn damage_leaves_the_records_before_it() {
        let whole = read(&ring()).unwrap().0;
        for at in 28..28 + 64 {
            let mut damaged = ring();
            damaged[at] ^= 1;
            let (records, is_whole) = read(&damaged).unwrap();
            assert_eq!(records, whole[..records.len()], "{at}");
            // Bytes 24 to 49 of the data belong to no record.
            let free = (28 + 24..28 + 50).contains(&at);
            assert_eq!(is_whole, free, "{at}");
        }
        for at in 0..24 {
            let mut damaged = ring();
            damaged[at] ^= 0x80;
            match at {
                // Where the oldest record begins, or the next one: nothing there is whole.
                16 | 20 => assert!(read(&damaged).is_err() || !read(&damaged).unwrap().1),
                _ => assert!(read(&damaged).is_err(), "{at}"),
            }
        }
        for size in 0..ring().len() {
            // What is cut off is missing, or the records that need it are.
            let _ = read(&ring()[..size]).map(|(records, _)| assert!(records.len() <= 3));
        }
    }
}
