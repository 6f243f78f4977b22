//! The ring of deferred logging (`subsys/logging`, version 2, since 2.6): messages in a
//! `struct mpsc_pbuf_buffer`, each with a descriptor, its source, a time and a `cbprintf` package.
//!
//! A message that was handed to the outputs is freed and stays in the ring until another needs its
//! place: those are read too. Where such old messages begin is not kept; a message is known by its
//! source, which stands in the linker's list of log sources, and by its format string.

use super::layout::member;
use super::package;
use crate::base::{Address, AddressRange, Memory};
use crate::rtos::LogLine;
use crate::symbols::SymbolFile;

/// Largest ring that is read, in bytes.
const LARGEST: usize = 1 << 20;
/// Most lines, the last ones.
const MOST_LINES: usize = 1000;
/// Alignment of a message: that of `long long`.
const ALIGNMENT: usize = 8;
/// Levels by their number; 0 is raw text.
const LEVELS: [&str; 5] = ["", "err", "wrn", "inf", "dbg"];

/// Lines in the ring, oldest first.
pub(super) fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<LogLine> {
    let mut lines = ring(memory, symbols).unwrap_or_default();
    let surplus = lines.len().saturating_sub(MOST_LINES);
    lines.drain(..surplus);
    lines
}

fn ring(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Vec<LogLine>> {
    let buffer = symbols.symbol("log_buffer")?.address;
    let offset = |path: &str| offset(symbols, "mpsc_pbuf_buffer", path);
    let word = |path: &str| memory.read_u32(member(buffer, offset(path))?).ok();
    let start = Address(word("buf")?);
    let words = word("size")?;
    let range = AddressRange::new(start, u64::from(words).checked_mul(4)?)?;
    let bytes = memory.read_range(range, LARGEST).ok()?;
    let (write, read) = (word("wr_idx")?, word("rd_idx")?);
    if write > words || read > words {
        return None;
    }
    let messages =
        Messages { memory, symbols, layout: Layout::find(symbols)?, rate: rate(memory, symbols) };
    let at = |index: u32| usize::try_from(index).ok()?.checked_mul(4);
    let (write, read) = (at(write)?, at(read)?);
    // The oldest stand behind where the next will be written.
    let mut lines = Vec::new();
    for (from, to) in [(write, bytes.len()), (0, write)] {
        let mut at = from;
        while let Some(rest) = bytes.get(at..to).filter(|rest| !rest.is_empty()) {
            let Some((mut line, size)) = messages.parse(rest) else {
                at = at.saturating_add(4);
                continue;
            };
            // A full ring is read from where it is written.
            line.pending &= match read < write {
                true => (read..write).contains(&at),
                false => at >= read || at < write,
            };
            lines.push(line);
            at = at.saturating_add(size);
        }
    }
    Some(lines)
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

/// A field of the descriptor, the first word of a message.
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

/// Where a message keeps what.
struct Layout {
    valid: Field,
    kind: Field,
    level: Field,
    package: Field,
    data: Field,
    source: usize,
    time: usize,
    is_long_time: bool,
    /// Where the package begins.
    body: usize,
    /// Size of the package's header before the format.
    header: usize,
    /// The linker's lists of sources: constant data, and what can be switched at run time.
    constant: Option<AddressRange>,
    constant_size: u32,
    dynamic: Option<AddressRange>,
    dynamic_size: u32,
}

impl Layout {
    /// `log_msg` was `log_msg2` from 2.6 to 3.1.
    fn find(symbols: &SymbolFile<'_>) -> Option<Layout> {
        let known = |name: &&&str| symbols.layout(&format!("{name}_desc"), "package_len").is_some();
        let name = ["log_msg", "log_msg2"].iter().find(known)?;
        let (desc, header) = (format!("{name}_desc"), format!("{name}_hdr"));
        let field = |field: &str| Field::find(symbols, &desc, field);
        let at =
            |type_name: &str, path: &str| usize::try_from(offset(symbols, type_name, path)?).ok();
        let list = |kind: &str| {
            // Before 3.3 without `_list`.
            let bound = |end: &str| {
                let names = [format!("_log_{kind}_list_{end}"), format!("__log_{kind}_{end}")];
                names.iter().find_map(|name| symbols.symbol(name)).map(|symbol| symbol.address)
            };
            AddressRange::from_bounds(bound("start")?, bound("end")?)
        };
        let size = |name: &str| u32::try_from(symbols.size_of(name)?).ok().filter(|size| *size > 0);
        let package = symbols.size_of("cbprintf_package_hdr").unwrap_or(4);
        Some(Layout {
            valid: field("valid")?,
            kind: field("type")?,
            level: field("level")?,
            package: field("package_len")?,
            data: field("data_len")?,
            source: at(&header, "source")?,
            time: at(&header, "timestamp")?,
            is_long_time: symbols.layout(&header, "timestamp")?.size_bytes == Some(8),
            body: at(name, "data")?,
            header: usize::try_from(package).ok()?,
            constant: list("const"),
            constant_size: size("log_source_const_data").unwrap_or(8),
            dynamic: list("dynamic"),
            dynamic_size: size("log_source_dynamic_data").unwrap_or(4),
        })
    }
}

struct Messages<'a, 'd> {
    memory: &'a dyn Memory,
    symbols: &'a SymbolFile<'d>,
    layout: Layout,
    rate: Option<f64>,
}

impl Messages<'_, '_> {
    /// The message at the start of `bytes` and its size, if one stands there.
    fn parse(&self, bytes: &[u8]) -> Option<(LogLine, usize)> {
        let layout = &self.layout;
        let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let descriptor = word(0)?;
        if layout.kind.of(descriptor) != 0 {
            return None;
        }
        let level = LEVELS.get(layout.level.of(descriptor))?;
        let (package, data) = (layout.package.of(descriptor), layout.data.of(descriptor));
        let source = Address(word(layout.source)?);
        let module = self.module(source);
        // Raw text has no source.
        if module.is_none() && !(level.is_empty() && source.0 <= 1) {
            return None;
        }
        let end = layout.body.checked_add(package)?;
        let mut text = package::text(self.memory, bytes.get(layout.body..end)?, layout.header)?;
        let size = end.checked_add(data)?;
        if data > 0 {
            let dump: Vec<String> =
                bytes.get(end..size)?.iter().map(|byte| format!("{byte:02x}")).collect();
            text = format!("{text} {}", dump.join(" "));
        }
        let ticks = match layout.is_long_time {
            true => u64::from(word(layout.time.checked_add(4)?)?) << 32,
            false => 0,
        };
        let ticks = ticks | u64::from(word(layout.time)?);
        let line = LogLine {
            seconds: self.rate.map(|rate| ticks as f64 / rate),
            level: Some(*level).filter(|level| !level.is_empty()),
            module,
            text: text.trim_end().to_string(),
            // Cleared when it is freed.
            pending: layout.valid.of(descriptor) == 1,
        };
        Some((line, size.checked_next_multiple_of(ALIGNMENT)?))
    }

    /// The name of a source.
    fn module(&self, source: Address) -> Option<String> {
        let layout = &self.layout;
        let index = |list: Option<AddressRange>, size: u32| {
            let list = list.filter(|list| list.contains(source))?;
            let distance = source.0.checked_sub(list.start().0)?;
            distance.is_multiple_of(size).then_some(distance.checked_div(size)?)
        };
        let number = index(layout.constant, layout.constant_size)
            .or_else(|| index(layout.dynamic, layout.dynamic_size))?;
        let entry = number.checked_mul(layout.constant_size)?;
        let entry = layout.constant?.start().checked_add(entry)?;
        let name = member(entry, offset(self.symbols, "log_source_const_data", "name"))?;
        let name = self.memory.read_u32(name).ok()?;
        let name = self.memory.read_c_string(Address(name), 64).ok()?;
        Some(String::from_utf8_lossy(&name).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{poke, with_objects};
    use super::*;

    #[test]
    fn ring_is_read_from_the_oldest_message_on() {
        with_objects(|memory, symbols| {
            let lines = read(memory, symbols);
            let told: Vec<_> = lines
                .iter()
                .map(|line| {
                    let module = line.module.as_deref().unwrap_or("-");
                    (line.level.unwrap_or("raw"), module, line.text.as_str(), line.pending)
                })
                .collect();
            let expected = [
                ("raw", "-", "boot cold", false),
                ("inf", "sensor", "started, -2 left", false),
                ("err", "flash", "no answer from spi0", false),
                ("wrn", "sensor", "21.50 degrees, 5000000000 samples", true),
                ("dbg", "flash", "page 01 02 ff", true),
            ];
            assert_eq!(told, expected);
            let seconds: Vec<_> = lines.iter().filter_map(|line| line.seconds).collect();
            assert_eq!(seconds, [0.5, 1.0, 1.5, 2.0, 2.25]);
        });
    }

    #[test]
    fn nonsense_in_any_word_of_the_log_is_survived() {
        with_objects(|memory, symbols| {
            let sound = memory.clone();
            for (name, size) in [("ring", 288), ("log_buffer", 28)] {
                for offset in (0..size).step_by(4) {
                    for value in [0, 1, 0x7fff_ffff, 0xffff_ffff_u32, 0x2000_0000] {
                        *memory = sound.clone();
                        poke(memory, symbols, name, offset, &value.to_le_bytes());
                        assert!(read(memory, symbols).len() <= 6);
                    }
                }
            }
        });
    }
}
