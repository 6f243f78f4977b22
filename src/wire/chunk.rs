//! From chunks to messages.
//!
//! | header | kind | behind it |
//! |---|---|---|
//! | `0x08` | whole message | message, CRC |
//! | `0x48` | first of several | length of the message, data |
//! | `0xc0` | one in between | offset, data |
//! | `0x80` | the last | offset, data (perhaps none), CRC |
//! | `0x00`, `0x40` | as `0x08` and `0x48`, written by old devices | (length,) CRC, data; none at the end |
//!
//! Bits 0 to 2 of the header are the channel (always 0), bits 3 to 5 where the CRC stands, bit 6
//! that more follow, bit 7 that it continues. Lengths and offsets are LEB128 and count bytes of the
//! message; the CRC is over the whole message, low byte first, and never split. Behind the CRC of
//! a last chunk anything may stand.

use super::MAX_MESSAGE;
use super::crc16::Crc16;
use super::varint::{self, BadVarint};
use crate::base::{Reader, Truncated};

pub(super) const CONTINUES: u8 = 0x80;
pub(super) const MORE_FOLLOW: u8 = 0x40;
pub(super) const CRC_AT_END: u8 = 0x08;

/// Whether a chunk may begin with `header`.
pub(super) fn is_header(header: u8) -> bool {
    matches!(header & !MORE_FOLLOW, CONTINUES | CRC_AT_END | 0)
}

/// Chunks that are kept while one before them is missing.
const MAX_WAITING: usize = 16;

/// Why a chunk was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// The chunk has no byte.
    #[error("the chunk is empty")]
    Empty,
    /// The header is of no kind known here.
    #[error("header 0x{header:02x} is that of no chunk")]
    Header {
        /// Its value.
        header: u8,
    },
    /// The length or the offset behind the header is cut short or too large.
    #[error("the length behind the header is cut short or too large")]
    Length,
    /// The chunk ends before the checksum does.
    #[error("the chunk is cut short: {missing} more bytes belong to it")]
    Truncated {
        /// How many bytes are missing, at least.
        missing: usize,
    },
    /// The message is longer than [`MAX_MESSAGE`].
    #[error("a message of {size} bytes, at most {MAX_MESSAGE} are taken")]
    TooLarge {
        /// Length of the message.
        size: u32,
    },
    /// The chunk holds more bytes than its message has.
    #[error("the chunk ends at byte {end} of a message of {size}")]
    PastEnd {
        /// Where its data would end.
        end: usize,
        /// Length of the message.
        size: usize,
    },
    /// A chunk before this one is missing, and too many came since.
    #[error("a chunk is lost: bytes {expected} to {} are missing", .offset.saturating_sub(1))]
    Gap {
        /// How many bytes were received in a row.
        expected: usize,
        /// Where the first chunk behind the gap begins.
        offset: usize,
    },
    /// The chunk repeats bytes of the message, and they are not the same.
    #[error("the chunk repeats byte {offset} of the message with other contents")]
    Conflict {
        /// Where this chunk begins.
        offset: usize,
    },
    /// The chunk continues a message of which nothing was received.
    #[error("the chunk continues a message whose beginning is missing")]
    NoBeginning,
    /// The chunk is the one that ended the message before, once more.
    #[error("the chunk was received before")]
    Repeated,
}

impl From<BadVarint> for ChunkError {
    fn from(_: BadVarint) -> ChunkError {
        ChunkError::Length
    }
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It ended before it was complete: another one began, or nothing came any more.
    #[error("the message is cut short: {received} of {size} bytes were received in a row")]
    CutShort {
        /// Bytes received.
        received: usize,
        /// Length of the message.
        size: usize,
    },
    /// Its checksum is wrong: some byte of it is, too.
    #[error("checksum 0x{found:04x} does not fit the message, whose CRC is 0x{expected:04x}")]
    Checksum {
        /// That of the bytes received.
        expected: u16,
        /// What the chunk says.
        found: u16,
    },
}

/// A message put together from chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its bytes, with its header; those up to the first that is missing.
    pub bytes: Vec<u8>,
    /// What is wrong with them.
    pub damage: Option<Damage>,
    /// Chunks that came before one that belongs in front of them.
    pub early: usize,
    /// Chunks that brought nothing new.
    pub repeated: usize,
}

/// What a chunk led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Messages that it ended: one that was begun and is given up, and one that it completed.
    pub messages: Vec<Received>,
    /// Why the chunk itself was dropped.
    pub error: Option<ChunkError>,
}

/// Puts the chunks of one device together. Some may come twice, or a little too early.
#[derive(Clone, Debug, Default)]
pub struct Reassembler {
    partial: Option<Partial>,
    /// The chunk that ended the last message.
    ended_by: Vec<u8>,
}

impl Reassembler {
    /// Nothing received yet.
    pub fn new() -> Reassembler {
        Reassembler::default()
    }

    /// Takes the next chunk. One that begins a message ends the one before; one that does not fit is
    /// dropped, and what was received stays.
    pub fn push(&mut self, chunk: &[u8]) -> Pushed {
        let mut pushed = Pushed::default();
        match self.take(chunk, &mut pushed.messages) {
            Ok(Some(message)) => {
                self.ended_by.clear();
                self.ended_by.extend_from_slice(chunk);
                pushed.messages.push(message);
            }
            Ok(None) => {}
            Err(error) => pushed.error = Some(error),
        }
        pushed
    }

    /// Gives up the message that has begun and is not complete.
    pub fn finish(&mut self) -> Option<Received> {
        self.partial.take().map(Partial::cut_short)
    }

    fn take(
        &mut self,
        chunk: &[u8],
        given_up: &mut Vec<Received>,
    ) -> Result<Option<Received>, ChunkError> {
        let mut reader = Reader::new(chunk);
        let header = reader.u8().map_err(|_| ChunkError::Empty)?;
        if !is_header(header) {
            return Err(ChunkError::Header { header });
        }
        let more = header & MORE_FOLLOW != 0;
        let crc_at_end = header & CRC_AT_END != 0;
        if header & CONTINUES != 0 {
            let Some(partial) = &mut self.partial else {
                let repeated = self.ended_by == chunk;
                return Err(if repeated { ChunkError::Repeated } else { ChunkError::NoBeginning });
            };
            let complete = partial.continued(reader, more)?;
            return Ok(self.partial.take_if(|_| complete).map(Partial::complete));
        }
        given_up.extend(self.finish());
        if more {
            self.partial = Some(Partial::begun(reader, crc_at_end)?);
            return Ok(None);
        }
        whole(reader, crc_at_end).map(Some)
    }
}

/// A message of which the beginning was received.
#[derive(Clone, Debug, Default)]
struct Partial {
    size: usize,
    /// Stands in the first chunk of an old device, in the last one of others.
    crc: Option<u16>,
    data: Vec<u8>,
    waiting: Vec<Part>,
    early: usize,
    repeated: usize,
}

/// What a chunk adds to its message.
#[derive(Clone, Debug)]
struct Part {
    offset: usize,
    data: Vec<u8>,
    last: bool,
    crc: Option<u16>,
}

impl Partial {
    fn begun(mut reader: Reader<'_>, crc_at_end: bool) -> Result<Partial, ChunkError> {
        let announced = varint::read(&mut reader)?;
        let size = usize::try_from(announced).unwrap_or(usize::MAX);
        if size > MAX_MESSAGE {
            return Err(ChunkError::TooLarge { size: announced });
        }
        let crc = if crc_at_end { None } else { Some(crc_of(&mut reader)?) };
        let data = rest(&mut reader);
        if data.len() > size {
            return Err(ChunkError::PastEnd { end: data.len(), size });
        }
        Ok(Partial { size, crc, data: data.to_vec(), ..Partial::default() })
    }

    /// Takes a further chunk, from its offset on; whether the message is complete now.
    fn continued(&mut self, mut reader: Reader<'_>, more: bool) -> Result<bool, ChunkError> {
        let offset = usize::try_from(varint::read(&mut reader)?).unwrap_or(usize::MAX);
        let data = if more {
            rest(&mut reader)
        } else {
            let left = self.size.saturating_sub(offset);
            reader.bytes(left).map_err(truncated)?
        };
        let end = offset.saturating_add(data.len());
        if end > self.size {
            return Err(ChunkError::PastEnd { end, size: self.size });
        }
        // Read before anything is kept: a chunk that lacks its checksum may come again as a whole.
        let crc = if more || self.crc.is_some() { None } else { Some(crc_of(&mut reader)?) };
        let part = Part { offset, data: data.to_vec(), last: !more, crc };
        let expected = self.data.len();
        if offset > expected {
            if self.waiting.len() >= MAX_WAITING {
                let next = self.waiting.iter().map(|part| part.offset).min();
                let offset = next.map_or(offset, |next| next.min(offset));
                return Err(ChunkError::Gap { expected, offset });
            }
            self.waiting.push(part);
            return Ok(false);
        }
        let mut complete = self.append(part)?;
        while let Some(at) = self.waiting.iter().position(|part| part.offset <= self.data.len()) {
            let part = self.waiting.swap_remove(at);
            self.early = self.early.saturating_add(1);
            // One that contradicts what came since is dropped.
            complete |= self.append(part).unwrap_or(false);
        }
        Ok(complete)
    }

    /// Adds what is new in `part`, which leaves no gap; whether it is the last.
    fn append(&mut self, part: Part) -> Result<bool, ChunkError> {
        // A device that saw no answer sends a chunk again: what is known must be the same.
        let known = self.data.get(part.offset..).unwrap_or_default();
        let same = known.len().min(part.data.len());
        if known.get(..same) != part.data.get(..same) {
            return Err(ChunkError::Conflict { offset: part.offset });
        }
        let new = part.data.get(same..).unwrap_or_default();
        if new.is_empty() && !part.last {
            self.repeated = self.repeated.saturating_add(1);
        }
        self.data.extend_from_slice(new);
        self.crc = self.crc.or(part.crc);
        Ok(part.last)
    }

    fn complete(self) -> Received {
        let expected = Crc16::of(&self.data);
        let damage = self.crc.filter(|found| *found != expected);
        Received {
            bytes: self.data,
            damage: damage.map(|found| Damage::Checksum { expected, found }),
            early: self.early,
            repeated: self.repeated,
        }
    }

    fn cut_short(self) -> Received {
        let damage = Damage::CutShort { received: self.data.len(), size: self.size };
        Received {
            bytes: self.data,
            damage: Some(damage),
            early: self.early,
            repeated: self.repeated,
        }
    }
}

fn whole(mut reader: Reader<'_>, crc_at_end: bool) -> Result<Received, ChunkError> {
    let early_crc = if crc_at_end { None } else { Some(crc_of(&mut reader)?) };
    let behind: usize = if crc_at_end { 2 } else { 0 };
    let missing = behind.saturating_sub(reader.left());
    let size = reader.left().checked_sub(behind).ok_or(ChunkError::Truncated { missing })?;
    if size > MAX_MESSAGE {
        return Err(ChunkError::TooLarge { size: u32::try_from(size).unwrap_or(u32::MAX) });
    }
    let data = reader.bytes(size).map_err(truncated)?.to_vec();
    let crc = match early_crc {
        Some(crc) => crc,
        None => crc_of(&mut reader)?,
    };
    Ok(Partial { size, crc: Some(crc), data, ..Partial::default() }.complete())
}

fn crc_of(reader: &mut Reader<'_>) -> Result<u16, ChunkError> {
    reader.u16().map_err(truncated)
}

fn rest<'a>(reader: &mut Reader<'a>) -> &'a [u8] {
    reader.bytes(reader.left()).unwrap_or_default()
}

fn truncated(error: Truncated) -> ChunkError {
    ChunkError::Truncated { missing: error.wanted.saturating_sub(error.left) }
}
