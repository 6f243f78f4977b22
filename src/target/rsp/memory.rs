//! Reading memory: large blocks, several on their way at once, holes narrowed down.
//!
//! What cannot be read becomes a gap with the server's reason; nothing is filled with zeros.

use std::collections::VecDeque;

use super::link::{READ, error_code, shorten};
use super::{GdbClient, ServerKind, console};
use crate::base::{Address, AddressRange};
use crate::snapshot::Gap;
use crate::target::plan::CPUID;
use crate::target::{MemoryRead, TargetError, is_device};

/// Peripherals and system control are read in blocks of this size: larger ones fail as a whole
/// on some servers, and what is word-only stays word-only.
const DEVICE_BLOCK: u32 = 64;
/// Below this, `m` requests are not made smaller.
const MIN_BLOCK: u32 = 64;
/// A hole of this size or less whose first and last words fail counts as a whole.
const FINE: u64 = 256;
/// Memory begins and ends at a multiple of this many bytes, mostly.
const PROBED: u64 = 1 << 10;
/// Refused requests in one range before whole blocks count as holes.
const MAX_REFUSED: usize = 4096;

/// Reads `ranges`; see [`crate::target::Target::read_memory`].
pub(super) fn read(
    client: &mut GdbClient,
    ranges: &[AddressRange],
    progress: &mut dyn FnMut(u64) -> bool,
) -> MemoryRead {
    let mut wanted: Vec<Span> =
        ranges.iter().map(|range| (u64::from(range.start().0), range.end())).collect();
    wanted.sort_unstable();
    let device = ranges.iter().any(|range| is_device(range.start()));
    // Whole words of registers; the surplus is cut off below.
    let whole = |span: &Span| (span.0 & !3, span.1.next_multiple_of(4));
    let spans = wanted.iter().map(|span| if device { whole(span) } else { *span });
    let mut reading = Reading {
        client,
        progress,
        device,
        parts: Vec::new(),
        gaps: Vec::new(),
        again: spans.collect(),
        refused: VecDeque::new(),
        suspects: VecDeque::new(),
        refusals: 0,
        can_verify: None,
        blame_size: true,
        done: 0,
    };
    let error = reading.run().err();
    let (parts, gaps) = (reading.parts, reading.gaps);
    finish(&wanted, parts, gaps, error)
}

/// Start and end of a range.
pub(super) type Span = (u64, u64);

struct Reading<'c, 'p> {
    client: &'c mut GdbClient,
    progress: &'p mut dyn FnMut(u64) -> bool,
    device: bool,
    parts: Vec<(u64, Vec<u8>)>,
    gaps: Vec<(Span, String)>,
    /// To be read block by block.
    again: VecDeque<Span>,
    /// Blocks that the server refused.
    refused: VecDeque<(Span, String)>,
    /// Blocks of zeros from a server that says zero for everything it cannot read.
    suspects: VecDeque<Span>,
    refusals: usize,
    can_verify: Option<bool>,
    /// Whether E22 and E02 may still mean that a request was too large.
    blame_size: bool,
    done: u64,
}

/// What a reply to `m` says.
enum Answer {
    /// This many bytes were appended.
    Bytes(u64),
    Refused(String),
}

impl Reading<'_, '_> {
    fn run(&mut self) -> Result<(), TargetError> {
        self.stream()?;
        if self.client.kind == ServerKind::Qemu && !self.device && !self.refused.is_empty() {
            self.look_past_the_mpu()?;
        }
        while let Some((span, reason)) = self.refused.pop_front() {
            self.narrow(span, &reason)?;
        }
        while let Some(span) = self.suspects.pop_front() {
            self.verify(span)?;
        }
        if self.device && !self.gaps.is_empty() {
            console::fill(self.client, &mut self.gaps, &mut self.parts)?;
        }
        Ok(())
    }

    fn block(&self) -> u64 {
        let largest = self.client.max_read;
        u64::from(if self.device { largest.min(DEVICE_BLOCK) } else { largest })
    }

    fn is_binary(&self) -> bool {
        self.client.features.binary && !self.device
    }

    fn queue(&mut self, span: Span) {
        // Half as many bytes on their way. Registers are read as GDB has always done it.
        let kind = if self.is_binary() { 'x' } else { 'm' };
        let request = format!("{kind}{:x},{:x}", span.0, span.1.saturating_sub(span.0));
        self.client.link.queue(request.as_bytes());
    }

    /// Reads what is to be read in blocks, many of them on their way at once. A server has to
    /// show first that it answers one correctly.
    fn stream(&mut self) -> Result<(), TargetError> {
        let result = self.stream_blocks();
        self.client.link.lazy_acks = false;
        result
    }

    /// The next block to ask for.
    fn next_block(&mut self) -> Option<Span> {
        let (start, end) = self.again.pop_front()?;
        let next = start.saturating_add(self.block()).min(end);
        if next < end {
            self.again.push_front((next, end));
        }
        Some((start, next))
    }

    fn stream_blocks(&mut self) -> Result<(), TargetError> {
        let mut on_their_way: VecDeque<Span> = VecDeque::new();
        let mut cancelled = None;
        loop {
            let limit = if self.client.proven { self.client.pipeline } else { 1 };
            self.client.link.lazy_acks = limit > 4;
            // Refilled by halves, so that requests travel many to a write.
            if on_their_way.len() <= limit / 2 {
                while on_their_way.len() < limit
                    && cancelled.is_none()
                    && let Some(span) = self.next_block()
                {
                    self.queue(span);
                    on_their_way.push_back(span);
                }
                if !on_their_way.is_empty() {
                    self.client.link.flush()?;
                }
            }
            let Some(span) = on_their_way.pop_front() else {
                return cancelled.map_or(Ok(()), Err);
            };
            let size = span.1.saturating_sub(span.0);
            // Blocks mostly continue the part before them.
            let mut bytes = match self.parts.pop() {
                Some((at, bytes)) if at.saturating_add(bytes.len() as u64) == span.0 => (at, bytes),
                other => {
                    self.parts.extend(other);
                    (span.0, Vec::new())
                }
            };
            let before = bytes.1.len();
            let answer = self.answer(span, &mut bytes.1);
            let new = bytes.1.get(before..).unwrap_or_default();
            let suspect = self.client.kind == ServerKind::OpenOcd
                && !self.device
                && !new.is_empty()
                && new.iter().all(|byte| *byte == 0);
            if suspect {
                self.suspects.push_back((span.0, span.0.saturating_add(new.len() as u64)));
                bytes.1.truncate(before);
            }
            if !bytes.1.is_empty() {
                self.parts.push(bytes);
            }
            match answer? {
                Answer::Bytes(count) if count == size => self.client.proven = true,
                Answer::Bytes(count) => {
                    // Shorter than asked: what is there counts, the rest is asked for again,
                    // one at a time.
                    self.client.pipeline = 1;
                    self.again.push_back((span.0.saturating_add(count), span.1));
                }
                Answer::Refused(code) => {
                    let about_size = matches!(code.as_str(), "E22" | "E02") && !self.device;
                    let limit = u64::from(self.client.max_read);
                    if !about_size || !self.blame_size || size < limit {
                        self.refused.push_back((span, code));
                    } else if limit <= u64::from(MIN_BLOCK) {
                        // Small requests fail as well: it was not their size after all.
                        self.blame_size = false;
                        self.client.max_read = self.client.features.max_read();
                        self.refused.push_back((span, code));
                    } else {
                        // QEMU and Black Magic say so when a request is too large. Several on
                        // their way may be refused for the same reason: halve only once.
                        if size == limit {
                            let half = (self.client.max_read / 2) & !3;
                            self.client.max_read = half.max(MIN_BLOCK);
                        }
                        self.again.push_back(span);
                    }
                }
            }
            // What is on its way when the user interrupts is waited for: the replies would come
            // in between later, and their acknowledgements would stop QEMU again after a detach.
            cancelled = cancelled.or(self.advance(span).err());
        }
    }

    fn advance(&mut self, span: Span) -> Result<(), TargetError> {
        // Blocks that are read twice count once more; the total is a bound, not a sum.
        self.done = self.done.saturating_add(span.1.saturating_sub(span.0));
        let go_on = (self.progress)(self.done);
        if go_on && !self.client.link.cancelled() { Ok(()) } else { Err(TargetError::Cancelled) }
    }

    /// Waits for the reply to the request for `span` and appends its bytes.
    fn answer(&mut self, span: Span, bytes: &mut Vec<u8>) -> Result<Answer, TargetError> {
        let size = span.1.saturating_sub(span.0);
        let reply = self.client.link.reply(READ, "m")?;
        if let Some(code) = error_code(&reply) {
            return Ok(Answer::Refused(code));
        }
        if reply.is_empty() {
            return Ok(Answer::Refused("an empty reply".to_owned()));
        }
        let before = bytes.len();
        let (count, sound) = match reply.strip_prefix(b"b").filter(|_| self.is_binary()) {
            Some(binary) => {
                bytes.extend_from_slice(binary);
                (binary.len() as u64, true)
            }
            None => ((reply.len() / 2) as u64, decode_into(&reply, bytes)),
        };
        if count > size || !sound {
            bytes.truncate(before);
            let reply = shorten(&reply);
            return Err(TargetError::Unexpected {
                request: format!("m{:x},{size:x}", span.0),
                reply,
            });
        }
        Ok(Answer::Bytes(count))
    }

    /// Reads a small range at once.
    fn attempt(&mut self, span: Span) -> Result<Result<Vec<u8>, String>, TargetError> {
        if self.client.link.cancelled() {
            return Err(TargetError::Cancelled);
        }
        self.queue(span);
        let mut bytes = Vec::new();
        match self.answer(span, &mut bytes)? {
            Answer::Bytes(count) if count == span.1.saturating_sub(span.0) => Ok(Ok(bytes)),
            Answer::Bytes(_) => Ok(Err("a short reply".to_owned())),
            Answer::Refused(code) => {
                self.refusals = self.refusals.saturating_add(1);
                Ok(Err(code))
            }
        }
    }

    /// QEMU refuses what the MPU denies to the program; a debug probe is not bound by the MPU.
    /// Its physical mode is not either, but says zero where there is no memory at all: zeros
    /// prove nothing, and such blocks stay refused. System registers are invisible in that mode,
    /// so it is left again at once.
    fn look_past_the_mpu(&mut self) -> Result<(), TargetError> {
        if self.client.link.request("Qqemu.PhyMemMode:1", READ)? != b"OK" {
            return Ok(());
        }
        for (span, reason) in std::mem::take(&mut self.refused) {
            match self.attempt(span) {
                Ok(Ok(bytes)) if bytes.iter().any(|byte| *byte != 0) => {
                    self.parts.push((span.0, bytes));
                }
                Ok(_) | Err(TargetError::Cancelled) => self.refused.push_back((span, reason)),
                Err(error) => return Err(error),
            }
        }
        self.client.link.request("Qqemu.PhyMemMode:0", READ)?;
        Ok(())
    }

    /// Finds out which words of a refused range can be read after all.
    fn narrow(&mut self, span: Span, reason: &str) -> Result<(), TargetError> {
        let size = span.1.saturating_sub(span.0);
        if size <= 4 || self.refusals > MAX_REFUSED {
            self.gaps.push((span, reason.to_owned()));
            return Ok(());
        }
        if size <= FINE && !self.device {
            let first = self.attempt((span.0, span.0.saturating_add(4)))?;
            let last = self.attempt((span.1.saturating_sub(4), span.1))?;
            if first.is_err() && last.is_err() {
                self.gaps.push((span, reason.to_owned()));
                return Ok(());
            }
        }
        let middle = span.0.saturating_add((size / 2).next_multiple_of(4)).min(span.1);
        for half in [(span.0, middle), (middle, span.1)] {
            if half.0 == half.1 {
                continue;
            }
            match self.attempt(half)? {
                Ok(bytes) => self.parts.push((half.0, bytes)),
                Err(reason) => self.narrow(half, &reason)?,
            }
        }
        Ok(())
    }

    /// OpenOCD answers zeros, without an error, when any byte of a range cannot be read. Its
    /// console is honest: it is asked about each block of zeros, a word in every [`PROBED`] bytes.
    fn verify(&mut self, span: Span) -> Result<(), TargetError> {
        let able = match self.can_verify {
            Some(able) => able,
            None => self.is_readable(u64::from(CPUID.0))?,
        };
        self.can_verify = Some(able);
        let size = span.1.saturating_sub(span.0);
        let (mut any, mut all) = (!able, true);
        let mut at = span.0 & !3;
        while able && at < span.1 {
            let readable = self.is_readable(at)?;
            (any, all) = (any || readable, all && readable);
            let last = span.1.saturating_sub(1) & !3;
            let next = at.saturating_add(1).next_multiple_of(PROBED);
            at = if at == last { span.1 } else { next.min(last) };
        }
        match (any, all) {
            (true, true) => {
                let zeros = vec![0; usize::try_from(size).unwrap_or(0)];
                self.parts.push((span.0, zeros));
            }
            (true, false) if size > 4 => {
                // Some is memory: its bytes were zeroed together with the rest.
                let middle = span.0.saturating_add((size / 2).next_multiple_of(4)).min(span.1);
                for half in [(span.0, middle), (middle, span.1)] {
                    if half.0 == half.1 {
                        continue;
                    }
                    match self.attempt(half)? {
                        Ok(bytes) if bytes.iter().any(|byte| *byte != 0) => {
                            self.parts.push((half.0, bytes));
                        }
                        Ok(_) => self.verify(half)?,
                        Err(reason) => self.gaps.push((half, reason)),
                    }
                }
            }
            _ => {
                self.gaps.push((span, "the server answers zeros and reports a fault".to_owned()));
            }
        }
        Ok(())
    }

    fn is_readable(&mut self, address: u64) -> Result<bool, TargetError> {
        if self.client.link.cancelled() {
            return Err(TargetError::Cancelled);
        }
        match self.client.link.monitor(&format!("read_memory 0x{address:x} 32 1")) {
            // Its log may be printed in between.
            Ok(text) => Ok(text.lines().any(|line| line.trim_start().starts_with("0x"))),
            Err(error) if error.is_answer() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Appends the bytes that `digits` spell; `false` when any is no digit, or one is missing.
fn decode_into(digits: &[u8], bytes: &mut Vec<u8>) -> bool {
    /// The value of each digit, or 0xff.
    #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    static VALUES: [u8; 256] = {
        let mut values = [0xff; 256];
        let mut value = 0;
        while value < 10 {
            values[b'0' as usize + value] = value as u8;
            value += 1;
        }
        while value < 16 {
            values[b'a' as usize + value - 10] = value as u8;
            values[b'A' as usize + value - 10] = value as u8;
            value += 1;
        }
        values
    };
    let value = |digit: u8| VALUES.get(usize::from(digit)).copied().unwrap_or(0xff);
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut wrong = 0;
    bytes.extend(pairs.iter().map(|[high, low]| {
        let (high, low) = (value(*high), value(*low));
        wrong |= high | low;
        high << 4 | (low & 15)
    }));
    rest.is_empty() && wrong < 16
}

/// Puts parts and gaps in order, cuts them to what was wanted and names what is missing.
fn finish(
    wanted: &[Span],
    mut parts: Vec<(u64, Vec<u8>)>,
    mut gaps: Vec<(Span, String)>,
    error: Option<TargetError>,
) -> MemoryRead {
    parts.sort_by_key(|(start, _)| *start);
    let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
    for (start, bytes) in parts {
        for (start, mut bytes) in cut(wanted, start, bytes) {
            match runs.last_mut() {
                Some((at, run)) if at.saturating_add(run.len() as u64) == start => {
                    run.append(&mut bytes);
                }
                _ => runs.push((start, bytes)),
            }
        }
    }
    // What is neither read nor refused was not reached.
    let mut known: Vec<Span> = gaps.iter().map(|(span, _)| *span).collect();
    known.extend(runs.iter().map(|(at, run)| (*at, at.saturating_add(run.len() as u64))));
    known.sort_unstable();
    let why = error.as_ref().map_or("not read".to_owned(), |error| format!("not read: {error}"));
    let mut known = known.into_iter().peekable();
    let mut reached = 0;
    for (start, end) in wanted {
        reached = reached.max(*start);
        while let Some(span) = known.next_if(|span| span.0 < *end) {
            if span.0 > reached {
                gaps.push(((reached, span.0), why.clone()));
            }
            reached = reached.max(span.1);
        }
        if reached < *end {
            gaps.push(((reached, *end), why.clone()));
        }
    }
    gaps.sort();
    let mut merged: Vec<(Span, String)> = Vec::new();
    for (span, reason) in gaps {
        for span in wanted.iter().filter_map(|wanted| intersection(*wanted, span)) {
            match merged.last_mut() {
                Some((last, known)) if last.1 == span.0 && *known == reason => last.1 = span.1,
                _ => merged.push((span, reason.clone())),
            }
        }
    }
    let address = |at: u64| u32::try_from(at).ok().map(Address);
    MemoryRead {
        runs: runs.into_iter().filter_map(|(at, run)| Some((address(at)?, run))).collect(),
        gaps: merged
            .into_iter()
            .filter_map(|((start, end), reason)| {
                let range = AddressRange::new(address(start)?, end.saturating_sub(start))?;
                Some(Gap { range, reason })
            })
            .collect(),
        error,
    }
}

fn intersection(a: Span, b: Span) -> Option<Span> {
    let both = (a.0.max(b.0), a.1.min(b.1));
    (both.0 < both.1).then_some(both)
}

/// The pieces of `bytes` at `start` that were wanted.
fn cut(wanted: &[Span], start: u64, bytes: Vec<u8>) -> Vec<(u64, Vec<u8>)> {
    let part = (start, start.saturating_add(bytes.len() as u64));
    let pieces: Vec<Span> = wanted.iter().filter_map(|span| intersection(*span, part)).collect();
    if pieces == [part] {
        return vec![(start, bytes)];
    }
    let piece = |(from, to): Span| {
        let index = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
        Some((from, bytes.get(index(from)..index(to))?.to_vec()))
    };
    pieces.into_iter().filter_map(piece).collect()
}
