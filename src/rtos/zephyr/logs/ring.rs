//! The ring of deferred logging (`subsys/logging`, version 2, since 2.6): messages in a
//! `struct mpsc_pbuf_buffer`, each with a descriptor, its source, a time and a `cbprintf` package.
//!
//! A message that was handed to the outputs is freed and stays in the ring until another needs its
//! place: those are read too. Where such old messages begin is not kept; a message is known by its
//! source, which stands in the linker's list of log sources, and by its format string.

use super::super::layout::member;
use super::super::package;
use super::sources::Sources;
use super::{Field, LARGEST, offset, rate};
use crate::base::{Address, AddressRange, Memory};
use crate::rtos::LogLine;
use crate::rtos::log::LEVELS;
use crate::symbols::SymbolFile;

/// Alignment of a message: that of `long long`.
const ALIGNMENT: usize = 8;
/// Lines in the ring, oldest first. `None` when there is no such ring.
pub(super) fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Vec<LogLine>> {
    let buffer = symbols.symbol("log_buffer")?.address;
    let word = |path: &str| {
        memory.read_u32(member(buffer, offset(symbols, "mpsc_pbuf_buffer", path))?).ok()
    };
    let start = Address(word("buf")?);
    let words = word("size")?;
    let range = AddressRange::new(start, u64::from(words).checked_mul(4)?)?;
    let bytes = memory.read_range(range, LARGEST).ok()?;
    let (write, read) = (word("wr_idx")?, word("rd_idx")?);
    if write > words || read > words {
        return None;
    }
    let messages = Messages {
        memory,
        layout: Layout::find(symbols)?,
        sources: Sources::find(symbols),
        rate: rate(memory, symbols),
    };
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
        })
    }
}

struct Messages<'a> {
    memory: &'a dyn Memory,
    layout: Layout,
    sources: Sources,
    rate: Option<f64>,
}

impl Messages<'_> {
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
        let module = self.sources.at(self.memory, source);
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
            console: None,
        };
        Some((line, size.checked_next_multiple_of(ALIGNMENT)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{poke, with_objects};
    use super::super::{read, told};

    #[test]
    fn ring_is_read_from_the_oldest_message_on() {
        with_objects(|memory, symbols| {
            let lines = read(memory, symbols);
            let expected = [
                ("raw", "-", "boot cold", false),
                ("inf", "sensor", "started, -2 left", false),
                ("err", "flash", "no answer from spi0", false),
                ("wrn", "sensor", "21.50 degrees, 5000000000 samples", true),
                ("dbg", "flash", "page 01 02 ff", true),
            ];
            assert_eq!(told(&lines), expected);
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
