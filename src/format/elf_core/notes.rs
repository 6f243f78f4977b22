//! ELF notes, and the `key=value` lines inside ours.
//!
//! A note is three words (name size, descriptor size, type), the owner's name with its NUL and
//! the descriptor, each padded to the alignment of the segment.

use std::borrow::Cow;

use crate::base::{Reader, Truncated};

/// Longest value of a line in bytes; longer ones are cut when written and when read.
pub(super) const MAX_VALUE: usize = 4096;

/// One note as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note<'a> {
    /// The owner without its terminating NUL.
    pub(super) owner: &'a [u8],
    pub(super) kind: u32,
    pub(super) descriptor: &'a [u8],
}

/// The notes of one segment, in order; ends after the first that is cut short.
pub(super) struct Notes<'a> {
    reader: Reader<'a>,
    alignment: usize,
    failed: bool,
}

impl<'a> Notes<'a> {
    /// `alignment` is that of the segment; everything but 8 means 4.
    pub(super) fn new(bytes: &'a [u8], alignment: u32) -> Notes<'a> {
        let alignment = if alignment == 8 { 8 } else { 4 };
        Notes { reader: Reader::new(bytes), alignment, failed: false }
    }

    fn parse(&mut self) -> Result<Note<'a>, Truncated> {
        let name_size = to_usize(self.reader.u32()?);
        let descriptor_size = to_usize(self.reader.u32()?);
        let kind = self.reader.u32()?;
        let name = self.reader.bytes(name_size)?;
        self.pad();
        let descriptor = self.reader.bytes(descriptor_size)?;
        self.pad();
        let owner = name.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Note { owner, kind, descriptor })
    }

    /// Passes over padding; the last note of a segment may lack it.
    fn pad(&mut self) {
        let padded = self.reader.offset().next_multiple_of(self.alignment);
        let missing = padded.saturating_sub(self.reader.offset()).min(self.reader.left());
        // Cannot fail: no more is skipped than is left.
        let _ = self.reader.skip(missing);
    }
}

impl<'a> Iterator for Notes<'a> {
    type Item = Result<Note<'a>, Truncated>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.reader.is_empty() {
            return None;
        }
        let note = self.parse();
        self.failed = note.is_err();
        Some(note)
    }
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Appends one note, padded to four bytes.
pub(super) fn push(out: &mut Vec<u8>, owner: &str, kind: u32, descriptor: &[u8]) {
    let name_size = owner.len().saturating_add(1);
    for word in [name_size, descriptor.len()] {
        out.extend(u32::try_from(word).unwrap_or(u32::MAX).to_le_bytes());
    }
    out.extend(kind.to_le_bytes());
    out.extend(owner.as_bytes());
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(descriptor);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// The payload of a note of ours while it is built: `key=value` lines.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    /// Adds a line. Line ends, control characters and backslashes in `value` are escaped.
    pub(super) fn put(&mut self, key: &str, value: &str) {
        self.0.push_str(key);
        self.0.push('=');
        for c in cut(value).chars() {
            match c {
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                c if c.is_ascii_control() => {
                    self.0.push_str("\\x");
                    self.0.push_str(&crate::base::hex::encode(&[c as u8]));
                }
                c => self.0.push(c),
            }
        }
        self.0.push('\n');
    }

    /// Adds a line when there is a value.
    pub(super) fn put_some(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The `key=value` lines of a payload; lines without `=` are passed over.
pub(super) fn lines(payload: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    payload.trim_end_matches('\0').split('\n').filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        Some((key, unescape(value)))
    })
}

/// At most [`MAX_VALUE`] bytes of `text`, cut at a character.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_VALUE);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// Undoes the escapes of [`Lines::put`]; an unknown escape stands for itself.
fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(cut(value));
    }
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let (unescaped, used) = match after.as_bytes().first() {
            Some(b'\\') => ('\\', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'x') => match after.get(1..3).and_then(|d| u8::from_str_radix(d, 16).ok()) {
                Some(byte) if byte.is_ascii() => (char::from(byte), 3),
                _ => ('\\', 0),
            },
            _ => ('\\', 0),
        };
        text.push(unescaped);
        rest = after.get(used..).unwrap_or_default();
    }
    text.push_str(rest);
    Cow::Owned(cut(&text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_with_line_ends_and_escapes_survives() {
        for value in ["", "a=b", "tab\tnew\nline\r\\n \\x41 \x01\x7f", "Grüße \\", "\\x", "\\xzz"]
        {
            let mut payload = Lines::default();
            payload.put("key", value);
            let text = std::str::from_utf8(payload.as_bytes()).unwrap();
            let read: Vec<_> = lines(text).collect();
            assert_eq!(read, [("key", Cow::Borrowed(value))], "{text:?}");
        }
    }

    #[test]
    fn value_beyond_the_limit_is_cut_at_a_character() {
        let mut payload = Lines::default();
        payload.put("key", &"ü".repeat(MAX_VALUE));
        let text = std::str::from_utf8(payload.as_bytes()).unwrap();
        let (_, value) = lines(text).next().unwrap();
        assert_eq!(value.len(), MAX_VALUE);
        assert_eq!(unescape(&"x".repeat(MAX_VALUE + 1)).len(), MAX_VALUE);
    }

    #[test]
    fn notes_end_after_the_first_that_is_cut() {
        let mut bytes = Vec::new();
        push(&mut bytes, "CORE", 1, &[1, 2, 3]);
        push(&mut bytes, "MFLT", 2, &[]);
        let whole = bytes.len();
        bytes.extend([5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
        let read: Vec<_> = Notes::new(&bytes, 4).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(read[0], Ok(Note { owner: b"CORE", kind: 1, descriptor: &[1, 2, 3] }));
        assert_eq!(read[1], Ok(Note { owner: b"MFLT", kind: 2, descriptor: &[] }));
        assert!(matches!(read[2], Err(Truncated { offset, .. }) if offset == whole + 12));
    }
}
