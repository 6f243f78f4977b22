//! Coredumps in a log: lines of hexadecimal digits behind `#CD:`, between `#CD:BEGIN#` and
//! `#CD:END#`, with whatever a log puts before and behind them. Lines carry no address, no number
//! and no checksum: what is lost can only be guessed from lines that are too short.

use super::read::{Damage, part_ends, read, read_damaged};
use crate::base::hex;
use crate::format::FormatError;
use crate::snapshot::Snapshot;

const MARKER: &[u8] = b"#CD:";
/// Digits of a full line.
const FULL_LINE: usize = 64;
/// What Zephyr's log writes in place of messages for which it had no room.
const DROPPED: &[u8] = b"messages dropped ---";

/// Whether `bytes` are a log with a coredump in it.
pub fn is_log(bytes: &[u8]) -> bool {
    position(bytes, MARKER).is_some()
}

/// Reads the last coredump of a log; the last that is complete, where there is one.
///
/// # Errors
/// [`FormatError::NoCoredumpInLog`], and those of [`read`].
pub fn read_log(bytes: &[u8]) -> Result<Snapshot, FormatError> {
    let streams = streams(bytes);
    let ended = streams.iter().rposition(|stream| stream.ended && !stream.bytes.is_empty());
    let chosen = ended.or(streams.iter().rposition(|stream| !stream.bytes.is_empty()));
    let stream = chosen.and_then(|chosen| streams.get(chosen));
    let stream = stream.ok_or(FormatError::NoCoredumpInLog)?;
    if !super::is_coredump(&stream.bytes) {
        return Err(FormatError::NoCoredumpInLog);
    }
    let mut snapshot = match stream.damage() {
        None => read(&stream.bytes)?,
        damage => read_damaged(&stream.bytes, damage)?,
    };
    snapshot.origin.format.push_str(" in a log");
    if !stream.ended {
        snapshot.origin.complete = Some(false);
        snapshot.remarks.push("the log ends before the coredump does".into());
    } else if stream.failed {
        snapshot.origin.complete = Some(false);
        snapshot.remarks.push("the device could not write all of the coredump".into());
    } else if snapshot.origin.complete == Some(false) && stream.damage().is_none() {
        let text = "whole lines of the log are lost: memory behind the first of them stands at \
                    wrong addresses";
        snapshot.remarks.push(text.into());
    }
    if streams.len() > 1 {
        let text = format!("the log holds {} coredumps; this is the last one", streams.len());
        snapshot.remarks.push(text);
    }
    Ok(snapshot)
}

/// One coredump while its lines are collected.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    /// Where a line that is not full begins and ends.
    short: Vec<(usize, usize)>,
    /// Where characters are certainly lost: the last line that is whole ends, the next begins.
    holes: Vec<(usize, usize)>,
    lines: usize,
    ended: bool,
    failed: bool,
}

/// Every coredump of the log, in order.
fn streams(log: &[u8]) -> Vec<Stream> {
    let mut streams: Vec<Stream> = Vec::new();
    for line in log.split(|byte| *byte == b'\n') {
        let mut rest = line;
        let mut found = false;
        // Two in one line when the end of the first is lost.
        while let Some(at) = position(rest, MARKER) {
            found = true;
            rest = rest.get(at.saturating_add(MARKER.len())..).unwrap_or_default();
            if rest.starts_with(b"BEGIN#") {
                streams.push(Stream::default());
                continue;
            }
            // A log that begins too late still has an end.
            if streams.is_empty() {
                streams.push(Stream::default());
            }
            let Some(stream) = streams.last_mut().filter(|stream| !stream.ended) else { continue };
            if rest.starts_with(b"END#") {
                stream.ended = true;
            } else if rest.starts_with(b"ERROR") {
                stream.failed = true;
            } else {
                stream.line(rest);
            }
        }
        if let (false, Some(_), Some(stream)) = (found, position(line, DROPPED), streams.last_mut())
        {
            stream.hole(stream.bytes.len());
        }
    }
    streams
}

impl Stream {
    fn line(&mut self, text: &[u8]) {
        let digits = text.iter().take_while(|byte| hex::digit(**byte).is_some()).count();
        let text = text.get(..digits).unwrap_or_default();
        let begin = self.bytes.len();
        let whole = text.get(..digits & !1).and_then(hex::decode).unwrap_or_default();
        self.bytes.extend(whole);
        self.lines = self.lines.saturating_add(1);
        if digits % 2 != 0 {
            self.hole(begin);
        } else if digits < FULL_LINE {
            self.short.push((begin, self.bytes.len()));
        }
    }

    /// Characters between `begin` and the end of what is collected are lost.
    fn hole(&mut self, begin: usize) {
        self.holes.push((begin, self.bytes.len()));
    }

    /// Where the stream is not whole. Headers and the last line of a block are short; another
    /// short line has lost characters, unless the log has lines of its own length.
    fn damage(&self) -> Option<Damage> {
        let mut holes = self.holes.clone();
        if self.short.len() < self.lines / 2 {
            let ends = part_ends(&self.bytes);
            let whole = |end: &usize| *end == self.bytes.len() || ends.binary_search(end).is_ok();
            holes.extend(self.short.iter().filter(|(_, end)| !whole(end)));
        }
        let whole_until = holes.iter().map(|(begin, _)| *begin).min()?;
        let whole_from = holes.iter().map(|(_, end)| *end).max().filter(|_| self.ended);
        Some(Damage { whole_until, whole_from })
    }
}

/// Where `wanted` first stands in `bytes`.
fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
