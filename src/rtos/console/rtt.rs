//! Channel 0 of SEGGER's Real Time Transfer, the terminal: a control block, `_SEGGER_RTT`, that
//! probes and programs on the target share.
//!
//! | offset | content |
//! |---|---|
//! | 0 | `SEGGER RTT`, NUL to 16 bytes, once it is initialised |
//! | 16, 20 | number of channels to the host, from the host |
//! | 24 | channel 0 to the host: name, buffer, size, write and read position, flags: a word each |
//!
//! The buffer is a ring; what the host has read stays in it until it is overwritten. What no host
//! reads is never overwritten: bits 1:0 of the flags say what becomes of a write that finds no room
//! (0: it is dropped, 1: it is cut, 2: it waits).

use super::{LogLine, lines, unrolled};
use crate::base::{Address, AddressRange, Memory};
use crate::rtos::Remark;
use crate::symbols::SymbolFile;

/// Largest buffer that is read, in bytes.
const LARGEST: usize = 1 << 20;
/// What the control block begins with.
const IDENTIFIER: &[u8; 16] = b"SEGGER RTT\0\0\0\0\0\0";

/// Lines of the terminal, oldest first.
pub(in crate::rtos) fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<LogLine> {
    let bytes = Terminal::read(memory, symbols).map(|terminal| terminal.bytes).unwrap_or_default();
    lines(&bytes, "RTT")
}

/// That lines may be missing, where writes found no room.
pub(in crate::rtos) fn lost(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Remark> {
    let terminal = Terminal::read(memory, symbols)?;
    let longest = terminal.bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).max()?;
    let (needed, what) = match terminal.flags & 3 {
        0 => (longest, "dropped"),
        1 => (1, "cut"),
        _ => return None,
    };
    let text = format!(
        "the RTT buffer is full and no host reads it, so lines were {what}: the newest may be missing"
    );
    let remark = Remark { code: "rtt_full", text, address: Some(terminal.block) };
    (terminal.room < needed).then_some(remark)
}

/// Channel 0.
struct Terminal {
    block: Address,
    /// What it holds, oldest first.
    bytes: Vec<u8>,
    /// Bytes that may be written before the host reads on.
    room: usize,
    flags: u32,
}

impl Terminal {
    fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Terminal> {
        let block = symbols.symbol("_SEGGER_RTT")?.address;
        let mut identifier = [0; 16];
        memory.read(block, &mut identifier).ok()?;
        let word = |index: u32| memory.read_u32(block.word(index)).ok();
        if identifier != *IDENTIFIER || word(4)? == 0 {
            return None;
        }
        let range = AddressRange::new(Address(word(7)?), word(8)?.into())?;
        let bytes = memory.read_range(range, LARGEST).ok()?;
        let position = |index: u32| {
            let position = usize::try_from(word(index)?).ok()?;
            (position < bytes.len()).then_some(position)
        };
        let written = position(9)?;
        // One byte stays free, or a full ring would look empty. A damaged place of the host's is
        // none.
        let room = match position(10) {
            Some(read) if read > written => read.checked_sub(written)?,
            Some(read) => bytes.len().checked_sub(written)?.checked_add(read)?,
            None => bytes.len(),
        };
        Some(Terminal {
            block,
            bytes: unrolled(&bytes, written),
            room: room.saturating_sub(1),
            flags: word(11).unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtos::zephyr::fixture::{poke, with_old_objects};

    #[test]
    fn terminal_is_read_from_its_oldest_character() {
        with_old_objects(|memory, symbols| {
            let lines = read(memory, symbols);
            let told: Vec<_> = lines.iter().map(|l| (l.level, l.text.as_str())).collect();
            assert_eq!(told, [(Some("wrn"), "late"), (None, "half a li")]);
            assert!(lines.iter().all(|line| line.console == Some("RTT")));
        });
    }

    #[test]
    fn terminal_that_no_host_reads_tells_that_lines_may_be_missing() {
        with_old_objects(|memory, symbols| {
            // 20 of 32 bytes; then what the host has read, and the mode: dropped, cut, waits.
            let cases = [(21, 0, true), (21, 1, true), (21, 2, false), (19, 0, false)];
            for (read, mode, is_lost) in cases {
                for (offset, value) in [(36, 20_u32), (40, read), (44, mode)] {
                    poke(memory, symbols, "_SEGGER_RTT", offset, &value.to_le_bytes());
                }
                assert_eq!(lost(memory, symbols).is_some(), is_lost, "{read} {mode}");
            }
        });
    }

    #[test]
    fn block_that_is_not_initialised_or_was_overwritten_has_no_lines() {
        // The identifier, the count, the buffer, its size and the position in it.
        for (offset, value) in [(0, 0), (16, 0), (28, 0xf000_0000), (32, u32::MAX), (36, 32)] {
            with_old_objects(|memory, symbols| {
                poke(memory, symbols, "_SEGGER_RTT", offset, &u32::to_le_bytes(value));
                assert_eq!(read(memory, symbols), [], "{offset}");
            });
        }
    }
}
