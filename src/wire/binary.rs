//! Chunks that stand behind each other in one file, without anything that says how long they are.
//!
//! Where a chunk ends is found from what must follow: the checksum of a whole message, the offset of
//! the next chunk, the length of the message. A file of one chunk is the usual case.

use super::chunk::{CONTINUES, CRC_AT_END, MORE_FOLLOW};
use super::crc16::Crc16;
use super::varint;
use crate::base::Reader;

/// What a device fills the unused end of its buffer with.
const FILLER: u8 = 0xba;

/// A file split into chunks.
pub(super) struct Split<'a> {
    pub(super) chunks: Vec<&'a [u8]>,
    /// Whether the end of the first chunk was found and proves that this is one.
    pub(super) proven: bool,
}

/// Splits `bytes`. What cannot be split stays one chunk, for its reader to judge.
pub(super) fn split(bytes: &[u8]) -> Split<'_> {
    let mut split = Split { chunks: Vec::new(), proven: false };
    let mut rest = bytes;
    let mut message = None;
    while let Some(header) = rest.first() {
        let end = match *header {
            CRC_AT_END => whole(rest, split.chunks.is_empty()),
            header if header == CRC_AT_END | MORE_FOLLOW => begun(rest, &mut message),
            header if header & CONTINUES != 0 => continued(rest, header, &mut message),
            FILLER => {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            _ => None,
        };
        split.proven |= split.chunks.is_empty() && end.is_some();
        let (chunk, later) =
            rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
        split.chunks.push(chunk);
        rest = later;
    }
    split
}

/// A message of which the beginning was seen.
struct Message {
    size: usize,
    received: usize,
}

fn is_beginning(header: u8) -> bool {
    header & !MORE_FOLLOW == CRC_AT_END
}

/// The end of a chunk with a whole message: where its checksum stands. All of `bytes` is tried
/// first when it is all there is.
fn whole(bytes: &[u8], first: bool) -> Option<usize> {
    let message = bytes.get(1..)?;
    let checksum_at = |size: usize| {
        let mut reader = Reader::at(message, size);
        reader.u16().ok()
    };
    if let Some(size) = message.len().checked_sub(2).filter(|_| first)
        && checksum_at(size) == Some(Crc16::of(message.get(..size)?))
    {
        return Some(bytes.len());
    }
    let mut crc = Crc16::default();
    for (index, byte) in message.iter().enumerate() {
        crc.update(*byte);
        let size = index.saturating_add(1);
        let next = message.get(size.saturating_add(2)).copied();
        if checksum_at(size)? == crc.value() && next.is_none_or(is_beginning) {
            return Some(size.saturating_add(3));
        }
    }
    None
}

fn begun(bytes: &[u8], message: &mut Option<Message>) -> Option<usize> {
    *message = None;
    let mut reader = Reader::at(bytes, 1);
    let size = usize::try_from(varint::read(&mut reader).ok()?).ok()?;
    let data_at = reader.offset();
    let end = next_part(bytes, data_at, 0, size)?;
    *message = Some(Message { size, received: end.saturating_sub(data_at) });
    Some(end)
}

fn continued(bytes: &[u8], header: u8, message: &mut Option<Message>) -> Option<usize> {
    let mut reader = Reader::at(bytes, 1);
    let offset = usize::try_from(varint::read(&mut reader).ok()?).ok()?;
    let data_at = reader.offset();
    let known = message.take()?;
    if offset != known.received {
        return None;
    }
    if header & MORE_FOLLOW == 0 {
        let left = known.size.checked_sub(offset)?;
        let end = data_at.checked_add(left)?.checked_add(2)?;
        return (end <= bytes.len()).then_some(end);
    }
    let end = next_part(bytes, data_at, offset, known.size)?;
    let received = offset.saturating_add(end.saturating_sub(data_at));
    *message = Some(Message { received, ..known });
    Some(end)
}

/// Where the data from `data_at` on ends, which begins at `offset` in its message: the next chunk
/// names the very offset that it has then.
fn next_part(bytes: &[u8], data_at: usize, offset: usize, size: usize) -> Option<usize> {
    let most = size.saturating_sub(offset);
    let candidates = bytes.get(data_at..)?.iter().take(most.saturating_add(1)).enumerate();
    for (length, byte) in candidates {
        if *byte & !MORE_FOLLOW != CONTINUES {
            continue;
        }
        let end = data_at.saturating_add(length);
        let mut reader = Reader::at(bytes, end.saturating_add(1));
        let stated = varint::read(&mut reader).ok().and_then(|o| usize::try_from(o).ok());
        if stated == offset.checked_add(length) {
            return Some(end);
        }
    }
    None
}
