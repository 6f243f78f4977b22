//! What is left of Zephyr's log: the messages of deferred logging, in the ring of version 2 or in
//! the chunks of version 1, and the console that is kept in RAM.

mod chunks;
mod ram_console;
mod ring;
mod sources;

use crate::base::Memory;
use crate::rtos::console::merge;
use crate::rtos::{LogLine, Remark};
use crate::symbols::SymbolFile;

/// Largest buffer that is read, in bytes.
const LARGEST: usize = 1 << 20;
/// Most lines of the log, the last ones.
const MOST_LINES: usize = 1000;
/// Settings with which messages are printed where they are made and kept nowhere: until 2.5, since
/// 2.6, and where version 2 stood beside version 1.
const IMMEDIATE: &[&str] = &[
    "CONFIG_LOG_IMMEDIATE",
    "CONFIG_LOG_MODE_IMMEDIATE",
    "CONFIG_LOG2_MODE_IMMEDIATE",
    "CONFIG_LOG_MINIMAL",
    "CONFIG_LOG_MODE_MINIMAL",
];

/// Lines of the log and of the console, oldest first.
pub(super) fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<LogLine> {
    let ring = ring::read(memory, symbols).filter(|lines| !lines.is_empty());
    let mut lines = ring.or_else(|| chunks::read(memory, symbols)).unwrap_or_default();
    let surplus = lines.len().saturating_sub(MOST_LINES);
    lines.drain(..surplus);
    merge(lines, ram_console::read(memory, symbols))
}

/// Why there is no log, when the firmware was built to keep none.
pub(super) fn remark(symbols: &SymbolFile<'_>) -> Option<Remark> {
    let setting = IMMEDIATE.iter().find(|name| symbols.absolute(name) == Some(1))?;
    let text = format!("the firmware prints its log at once and keeps none in RAM ({setting}=y)");
    Some(Remark { code: "log_not_kept", text, address: None })
}

/// Ticks a second of the log's clock.
fn rate(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<f64> {
    let value = |name: &str| memory.read_u32(symbols.symbol(name)?.address).ok();
    // The output divides fast clocks first.
    let divided = value("freq").zip(value("timestamp_div"));
    let divided = divided.map(|(rate, divisor)| f64::from(rate) * f64::from(divisor));
    let whole = || value("timestamp_freq").map(f64::from);
    divided.filter(|rate| *rate > 0.0).or_else(whole).filter(|rate| *rate > 0.0)
}

fn offset(symbols: &SymbolFile<'_>, type_name: &str, path: &str) -> Option<u32> {
    u32::try_from(symbols.layout(type_name, path)?.offset_bytes).ok()
}

/// A bit-field in the first word of a structure.
#[derive(Clone, Copy)]
struct Field {
    shift: u32,
    width: u32,
}

impl Field {
    fn find(symbols: &SymbolFile<'_>, type_name: &str, name: &str) -> Option<Field> {
        let layout = symbols.layout(type_name, name)?;
        let (bit, width) = layout.bits?;
        let shift = layout.offset_bytes.checked_mul(8)?.checked_add(bit)?;
        let end = shift.checked_add(width).filter(|end| *end <= 32 && width > 0)?;
        let shift = end.checked_sub(width)?;
        Some(Field { shift: u32::try_from(shift).ok()?, width: u32::try_from(width).ok()? })
    }

    fn of(self, word: u32) -> usize {
        let mask = u32::MAX >> 32_u32.saturating_sub(self.width);
        usize::try_from((word >> self.shift) & mask).unwrap_or(0)
    }
}

/// For tests: what is said of each line.
#[cfg(test)]
fn told(lines: &[LogLine]) -> Vec<(&str, &str, &str, bool)> {
    let told = lines.iter().map(|line| {
        let module = line.module.as_deref().unwrap_or("-");
        (line.level.unwrap_or("raw"), module, line.text.as_str(), line.pending)
    });
    told.collect()
}
