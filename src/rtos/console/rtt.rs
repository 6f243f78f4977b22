//! Channel 0 of SEGGER's Real Time Transfer, the terminal: a control block, `_SEGGER_RTT`, that
//! probes and programs on the target share.
//!
//! | offset | content |
//! |---|---|
//! | 0 | `SEGGER RTT`, NUL to 16 bytes, once it is initialised |
//! | 16, 20 | number of channels to the host, from the host |
//! | 24 | channel 0 to the host: name, buffer, size, write and read position, flags: a word each |
//!
//! The buffer is a ring; what the host has read stays in it until it is overwritten.

use super::{LogLine, lines, unrolled};
use crate::base::{Address, AddressRange, Memory};
use crate::symbols::SymbolFile;

/// Largest buffer that is read, in bytes.
const LARGEST: usize = 1 << 20;
/// What the control block begins with.
const IDENTIFIER: &[u8; 16] = b"SEGGER RTT\0\0\0\0\0\0";

/// Lines of the terminal, oldest first.
pub(in crate::rtos) fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<LogLine> {
    let block = symbols.symbol("_SEGGER_RTT").map(|symbol| symbol.address);
    let bytes = block.and_then(|block| ring(memory, block)).unwrap_or_default();
    lines(&bytes, "RTT")
}

fn ring(memory: &dyn Memory, block: Address) -> Option<Vec<u8>> {
    let mut identifier = [0; 16];
    memory.read(block, &mut identifier).ok()?;
    let word = |index: u32| memory.read_u32(block.word(index)).ok();
    if identifier != *IDENTIFIER || word(4)? == 0 {
        return None;
    }
    let range = AddressRange::new(Address(word(7)?), word(8)?.into())?;
    let bytes = memory.read_range(range, LARGEST).ok()?;
    let position = usize::try_from(word(9)?).ok().filter(|position| *position < bytes.len())?;
    Some(unrolled(&bytes, position))
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
