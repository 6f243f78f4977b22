//! A format string with its arguments as `cbprintf` packs them (`lib/os/cbprintf_packaged.c`):
//!
//! | bytes | content |
//! |---|---|
//! | 0 | length of header and arguments, in words |
//! | 1, 2, 3 | how many strings are appended; positions of constant strings; of others |
//! | header size | address of the format string, then the arguments as `va_arg` reads them |
//! | behind them | positions: one byte each of constant strings, two of others |
//! | behind those | appended strings: which word points to it, the text, NUL |

use crate::base::printf::{Argument, Slot, format, slots};
use crate::base::{Address, Memory};

/// Longest text of a format or an argument.
const LONGEST: usize = 512;
/// Longest line, in characters: each argument may be as long as the format.
const LONGEST_LINE: usize = 4096;

/// The text of `package`, whose header without the format's address takes `header` bytes. `None`
/// when it is none.
pub(super) fn text(memory: &dyn Memory, package: &[u8], header: usize) -> Option<String> {
    let [words, strings, constant, others] = *package.first_chunk::<4>()?;
    let size = usize::from(words).checked_mul(4)?;
    let first = header.checked_add(4)?;
    let arguments = package.get(..size).filter(|_| size >= first)?;
    let pattern = string(memory, word(arguments, header)?)?;
    let is_text = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\x1b');
    if pattern.is_empty() || !pattern.chars().all(is_text) {
        return None;
    }
    let positions = usize::from(constant).checked_add(usize::from(others).checked_mul(2)?)?;
    let appended = appended(package.get(size.checked_add(positions)?..)?, strings);
    let mut at = first;
    let mut values = Vec::new();
    for slot in slots(&pattern) {
        if matches!(slot, Slot::Wide | Slot::Double) {
            at = at.checked_next_multiple_of(8)?;
        }
        let Some(low) = word(arguments, at) else { break };
        let high = at.checked_add(4).and_then(|at| word(arguments, at)).unwrap_or(0);
        let wide = u64::from(high) << 32 | u64::from(low);
        values.push(match slot {
            Slot::Word => Argument::Integer { value: low.into(), wide: false },
            Slot::Wide => Argument::Integer { value: wide.into(), wide: true },
            Slot::Double => Argument::Float(f64::from_bits(wide)),
            Slot::Text => {
                let copy = appended.iter().find(|(index, _)| index.checked_mul(4) == Some(at));
                let text = copy.map(|(_, text)| text.clone()).or_else(|| string(memory, low));
                Argument::Text(text.unwrap_or_else(|| format!("<{}>", Address(low))))
            }
        });
        let taken = if matches!(slot, Slot::Wide | Slot::Double) { 8 } else { 4 };
        at = at.checked_add(taken)?;
    }
    Some(format(&pattern, &values).chars().take(LONGEST_LINE).collect())
}

/// The appended strings, each with the number of the word that points to it.
fn appended(bytes: &[u8], count: u8) -> Vec<(usize, String)> {
    let mut rest = bytes;
    let mut found = Vec::new();
    for _ in 0..count {
        let Some((index, text)) = rest.split_first() else { break };
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        let (text, behind) = text.split_at_checked(end).unwrap_or((text, &[]));
        found.push((usize::from(*index), String::from_utf8_lossy(text).into_owned()));
        rest = behind.get(1..).unwrap_or(&[]);
    }
    found
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

fn string(memory: &dyn Memory, at: u32) -> Option<String> {
    let bytes = memory.read_c_string(Address(at), LONGEST).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
