//! Chunks in whatever form they were saved: lines of a console log, hexadecimal or base64 lines,
//! binary. Told by content.
//!
//! A console prints a chunk as `MC:`, its base64, and a `:`; anything may stand around it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::binary;
use super::chunk::is_header;
use crate::base::hex;

const MARK: &[u8] = b"MC:";
/// Base64 digits behind [`MARK`] that make a chunk of which only the end is missing; fewer are
/// chance.
const FEWEST_DIGITS: usize = 8;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkStream<'a> {
    /// How they were written.
    pub encoding: Encoding,
    /// The chunks in order; `None` for one that is damaged so that it has no bytes, with the number
    /// of its line.
    pub chunks: Vec<Result<Cow<'a, [u8]>, DamagedLine>>,
}

/// A chunk of a console log that is cut short or no base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the log begins a chunk and does not end it")]
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
    let found = console_chunks(bytes);
    if !found.is_empty() {
        return Ok(ChunkStream { encoding: Encoding::ConsoleLog, chunks: found });
    }
    if is_text {
        let decoders = [
            (Encoding::HexLines, hex::decode as fn(&[u8]) -> Option<Vec<u8>>),
            (Encoding::Base64Lines, |text| STANDARD.decode(text).ok()),
        ];
        for (encoding, decode) in decoders {
            if let Some(chunks) = every_line(bytes, decode) {
                return Ok(ChunkStream { encoding, chunks });
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
    ChunkStream { encoding: Encoding::Binary, chunks }
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

fn console_chunks(bytes: &[u8]) -> Chunks<'_> {
    let mut chunks = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line_number = index.saturating_add(1);
        let mut rest = line;
        while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
            rest = rest.get(at.saturating_add(MARK.len())..).unwrap_or_default();
            let is_digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
            let length = rest.iter().take_while(|b| is_digit(b)).count();
            let (digits, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            let ends = behind.first() == Some(&b':');
            match STANDARD.decode(digits) {
                Ok(chunk) if ends && !chunk.is_empty() => chunks.push(Ok(Cow::Owned(chunk))),
                _ if length >= FEWEST_DIGITS => {
                    chunks.push(Err(DamagedLine { line: line_number }));
                }
                _ => {}
            }
            rest = behind;
        }
    }
    // Without one that may be a chunk they are words of another log.
    if has_chunk(&chunks) { chunks } else { Vec::new() }
}

fn has_chunk(chunks: &Chunks<'_>) -> bool {
    let mut whole = chunks.iter().flatten();
    whole.any(|chunk| chunk.first().is_some_and(|header| is_header(*header)))
}
