//! The console in RAM (CONFIG_RAM_CONSOLE, `drivers/console/ram_console.c`): a ring of characters
//! and the position at which the next is written.

use super::LARGEST;
use crate::base::{Address, AddressRange, Memory};
use crate::rtos::LogLine;
use crate::rtos::console::{lines, unrolled};
use crate::symbols::SymbolFile;

/// Lines of the console, oldest first.
pub(super) fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<LogLine> {
    ring(memory, symbols).map(|bytes| lines(&bytes, "RAM console")).unwrap_or_default()
}

fn ring(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Vec<u8>> {
    // Since 4.1 `ram_console` is a pointer, usually to `ram_console_buf`.
    let symbol = symbols.symbol("ram_console")?;
    let (start, size) = if symbol.size == 4 {
        let size = symbols.absolute("CONFIG_RAM_CONSOLE_BUFFER_SIZE")?;
        (Address(memory.read_u32(symbol.address).ok()?), size)
    } else {
        (symbol.address, symbol.size)
    };
    // The last character is always NUL.
    let range = AddressRange::new(start, u64::from(size.checked_sub(1)?))?;
    let bytes = memory.read_range(range, LARGEST).ok()?;
    let position = position(memory, symbols, &bytes);
    Some(unrolled(&bytes, position))
}

/// Where the next character goes: the driver's static `pos`, a common name; without debug
/// information the end of the text, which is right until the ring is full.
fn position(memory: &dyn Memory, symbols: &SymbolFile<'_>, bytes: &[u8]) -> usize {
    let globals = symbols.globals();
    let is_driver = |unit: &str| unit.ends_with("ram_console.c");
    let own = globals.iter().find(|g| g.name == "pos" && g.unit.is_some_and(is_driver));
    let position = own.and_then(|own| memory.read_u32(own.place.address()?).ok());
    let position = position.and_then(|position| usize::try_from(position).ok());
    let end = || bytes.iter().position(|byte| *byte == 0);
    position.filter(|position| *position < bytes.len()).or_else(end).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::with_old_objects;
    use super::*;

    #[test]
    fn ring_is_read_from_its_oldest_character() {
        with_old_objects(|memory, symbols| {
            let lines = read(memory, symbols);
            let told: Vec<_> = lines.iter().map(|l| (l.level, l.text.as_str())).collect();
            let expected = [(None, "t cold"), (Some("inf"), "up"), (None, "all done")];
            assert_eq!(told, expected);
            assert!(lines.iter().all(|line| line.console == Some("RAM console")));
        });
    }
}
