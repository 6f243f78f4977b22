//! Chunks in whatever form they were saved: lines of a console log, hexadecimal or base64 lines,
//! binary. Told by content.
//!
//! A console prints a chunk as `MC:`, its base64, and a `:`; anything may stand around it. Compact log
//! lines are printed so, too, in pieces, with `ML:`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::binary;
use super::cbor::CborError;
use super::chunk::is_header;
use super::event::CompactLog;
use super::parse::parse_compact_log;
use crate::base::hex;

/// Base64 digits behind a mark that make a chunk of which only the end is missing; fewer are
/// chance.
const FEWEST_DIGITS: usize = 8;
/// Bytes of a compact log line, from all of its pieces.
const MAX_LOG: usize = 1024;

/// How chunks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `MC:…:` in a console log.
    ConsoleLog,
    /// A chunk of hexadecimal digits on each line.
    HexLines,
    /// A chunk in base64 on each line.
    Base64Lines,
    /// As they are, one or several behind each other.
    Binary,
}

impl Encoding {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::ConsoleLog => "console log",
            Encoding::HexLines => "hex lines",
            Encoding::Base64Lines => "base64 lines",
            Encoding::Binary => "binary",
        }
    }
}

/// The chunks of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkStream<'a> {
    /// How they were written.
    pub encoding: Encoding,
    /// The chunks in order; `None` for one that is damaged so that it has no bytes, with the number
    /// of its line.
    pub chunks: Vec<Result<Cow<'a, [u8]>, DamagedLine>>,
    /// Compact log lines of a console log, in order.
    pub logs: Vec<PrintedLog>,
}

/// A compact log line that a console printed.
#[derive(Clone, Debug, PartialEq)]
pub struct PrintedLog {
    /// How many chunks stand before it.
    pub chunks_before: usize,
    /// What it says.
    pub log: CompactLog,
}

/// A line of a console log with a chunk or a compact log line that is cut short or no base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the console log is damaged")]
pub struct DamagedLine {
    /// Its number, from 1.
    pub line: usize,
}

/// The content is no chunk in any form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no chunks: neither `MC:…:` lines, nor lines of hex or base64, nor binary")]
pub struct UnknownEncoding;

/// The chunks in `bytes`.
///
/// # Errors
/// [`UnknownEncoding`] when there are none.
pub fn chunks(bytes: &[u8]) -> Result<ChunkStream<'_>, UnknownEncoding> {
    let is_text = bytes.iter().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    if !is_text {
        let split = binary::split(bytes);
        if split.proven {
            return Ok(binary(split));
        }
    }
    if let Some(found) = console(bytes) {
        return Ok(found);
    }
    if is_text {
        let decoders = [
            (Encoding::HexLines, hex::decode as fn(&[u8]) -> Option<Vec<u8>>),
            (Encoding::Base64Lines, |text| STANDARD.decode(text).ok()),
        ];
        for (encoding, decode) in decoders {
            if let Some(chunks) = every_line(bytes, decode) {
                return Ok(ChunkStream { encoding, chunks, logs: Vec::new() });
            }
        }
        return Err(UnknownEncoding);
    }
    // Damaged, so that no checksum proves it; its header must do.
    match bytes.first() {
        Some(header) if *header != 0 && is_header(*header) => Ok(binary(binary::split(bytes))),
        _ => Err(UnknownEncoding),
    }
}

fn binary(split: binary::Split<'_>) -> ChunkStream<'_> {
    let chunks = split.chunks.into_iter().map(|chunk| Ok(Cow::Borrowed(chunk))).collect();
    ChunkStream { encoding: Encoding::Binary, chunks, logs: Vec::new() }
}

type Chunks<'a> = Vec<Result<Cow<'a, [u8]>, DamagedLine>>;

/// What `decode` makes of each line that is not empty; `None` when it fails on any or none may be
/// a chunk.
fn every_line(bytes: &[u8], decode: fn(&[u8]) -> Option<Vec<u8>>) -> Option<Chunks<'_>> {
    let mut chunks = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        // Hex dumps set bytes apart.
        let digits: Vec<u8> = line.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        if !digits.is_empty() {
            chunks.push(Ok(Cow::Owned(decode(&digits)?)));
        }
    }
    has_chunk(&chunks).then_some(chunks)
}

/// The chunks and log lines of a console log; `None` without any.
fn console(bytes: &[u8]) -> Option<ChunkStream<'_>> {
    let mut chunks = Vec::new();
    let mut logs = Vec::new();
    let mut reader = ConsoleReader::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        for piece in reader.line(line) {
            match piece {
                Piece::Chunk(chunk) => chunks.push(Ok(Cow::Owned(chunk))),
                Piece::Damaged(damaged) => chunks.push(Err(damaged)),
                Piece::Log(log) => logs.push(PrintedLog { chunks_before: chunks.len(), log }),
            }
        }
    }
    // Without one that may be a chunk they are words of another log.
    let found = has_chunk(&chunks) || !logs.is_empty();
    found.then_some(ChunkStream { encoding: Encoding::ConsoleLog, chunks, logs })
}

/// What a line of a console log holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// A chunk.
    Chunk(Vec<u8>),
    /// A compact log line.
    Log(CompactLog),
    /// A chunk or a log line that is cut short or no base64.
    Damaged(DamagedLine),
}

/// Finds chunks and log lines in a console log, line by line.
#[derive(Debug, Default)]
pub struct ConsoleReader {
    /// The first pieces of a log line.
    begun: Vec<u8>,
    lines: usize,
}

impl ConsoleReader {
    /// What the next line holds.
    pub fn line(&mut self, line: &[u8]) -> Vec<Piece> {
        self.lines = self.lines.saturating_add(1);
        let damaged = DamagedLine { line: self.lines };
        let mut pieces = Vec::new();
        let mut rest = line;
        while let Some(at) = rest.windows(3).position(|word| matches!(word, b"MC:" | b"ML:")) {
            let is_log = rest.get(at.saturating_add(1)) == Some(&b'L');
            rest = rest.get(at.saturating_add(3)..).unwrap_or_default();
            let is_digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
            let length = rest.iter().take_while(|b| is_digit(b)).count();
            let (digits, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = behind;
            let ends = behind.first() == Some(&b':');
            let decoded = STANDARD.decode(digits).ok().filter(|bytes| ends && !bytes.is_empty());
            let understood = match decoded {
                Some(piece) if is_log => {
                    let (log, understood) = joined(&mut self.begun, &piece);
                    pieces.extend(log.map(Piece::Log));
                    understood
                }
                Some(chunk) => {
                    pieces.push(Piece::Chunk(chunk));
                    true
                }
                None => length < FEWEST_DIGITS,
            };
            if !understood {
                pieces.push(Piece::Damaged(damaged));
            }
        }
        pieces
    }
}

/// The log line that `piece` is or completes, and whether nothing was lost before it.
fn joined(begun: &mut Vec<u8>, piece: &[u8]) -> (Option<CompactLog>, bool) {
    if let Ok(Some(log)) = parse_compact_log(piece) {
        let understood = begun.is_empty();
        begun.clear();
        return (Some(log), understood);
    }
    begun.extend_from_slice(piece);
    match parse_compact_log(begun) {
        Ok(Some(log)) => {
            begun.clear();
            (Some(log), true)
        }
        Err(CborError::Truncated { .. }) if begun.len() <= MAX_LOG => (None, true),
        _ => {
            begun.clear();
            // Perhaps it begins another line.
            if matches!(parse_compact_log(piece), Err(CborError::Truncated { .. })) {
                begun.extend_from_slice(piece);
            }
            (None, false)
        }
    }
}

fn has_chunk(chunks: &Chunks<'_>) -> bool {
    let mut whole = chunks.iter().flatten();
    whole.any(|chunk| chunk.first().is_some_and(|header| is_header(*header)))
}
