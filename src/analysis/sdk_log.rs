//! The log ring of the device SDK (`sdk/SPEC.md`), with the formats of its compact lines.

use super::Core;
use crate::base::{Address, AddressRange, Memory as _, printf};
use crate::report::{Notes, Severity};
use crate::rtos::LogLine;
use crate::symbols::SymbolFile;
use crate::wire::{LOG_RING_HEADER, Level, LogContent, LogRecord, LogRingError, LogRingHeader};

/// The variable in which the SDK keeps its log.
const RING: &str = "mflt_log_memory";
/// The section of its formats.
const FORMATS: &str = "log_fmt";
/// Format strings are not longer, in bytes.
const LONGEST_FORMAT: usize = 1024;
/// Largest ring that is read, in bytes.
const LARGEST: usize = 1 << 24;
/// Most lines, the last ones.
const MOST_LINES: usize = 1000;

/// What is left of the SDK's log, oldest line first, of each image.
pub(super) fn read(core: &Core<'_, '_>, notes: &mut Notes) -> Vec<LogLine> {
    let files = core.symbols.files().iter();
    let rings = files.filter_map(|file| Some((*file, file.symbol(RING)?.address)));
    rings.flat_map(|(file, address)| ring(core, file, address, notes)).collect()
}

/// The lines in the ring at `address`.
fn ring(
    core: &Core<'_, '_>,
    file: &SymbolFile<'_>,
    address: Address,
    notes: &mut Notes,
) -> Vec<LogLine> {
    let read = |offset: u32, size: u32| {
        let start = address.checked_add(offset)?;
        core.memory.read_range(AddressRange::new(start, u64::from(size))?, LARGEST).ok()
    };
    let mut remark = |severity, text: String| notes.add_at(severity, "log_ring", address, text);
    let Some(header) = read(0, LOG_RING_HEADER) else {
        remark(Severity::Info, "the log of the SDK is not in the dump".to_string());
        return Vec::new();
    };
    let header = match LogRingHeader::parse(&header) {
        Ok(header) => header,
        Err(LogRingError::NotInitialised) => return Vec::new(),
        Err(error) => {
            remark(Severity::Warning, format!("the log of the SDK cannot be read: {error}"));
            return Vec::new();
        }
    };
    let Some(data) = read(LOG_RING_HEADER, header.size) else {
        remark(Severity::Warning, "the log of the SDK is not in the dump as a whole".to_string());
        return Vec::new();
    };
    let (records, whole) = header.records(&data);
    if !whole {
        let text = format!("the log of the SDK is damaged behind {} lines", records.len());
        remark(Severity::Warning, text);
    }
    let surplus = records.len().saturating_sub(MOST_LINES);
    records.into_iter().skip(surplus).map(|record| line(record, file)).collect()
}

fn line(record: LogRecord, file: &SymbolFile<'_>) -> LogLine {
    let (module, text) = match record.content {
        LogContent::Text(text) => (None, text),
        LogContent::Reset => (None, "-- reset --".to_string()),
        LogContent::Compact { format: at, arguments } => match format_at(file, at) {
            Some((place, format)) => (Some(place), printf::format(&format, &arguments)),
            None => (None, format!("format {at} is not in the ELF")),
        },
    };
    LogLine {
        seconds: Some(f64::from(record.milliseconds) / 1000.0),
        level: level_name(record.level),
        module,
        text: text.trim_end().to_string(),
        pending: false,
        console: None,
    }
}

fn level_name(level: Level) -> Option<&'static str> {
    match level {
        Level::Debug => Some("dbg"),
        Level::Info => Some("inf"),
        Level::Warning => Some("wrn"),
        Level::Error => Some("err"),
        Level::Other(_) => None,
    }
}

/// The place in the source (`flash.c:88`) and the format of the line whose format stands at `at`:
/// `<arguments>;<file>;<line>;<format>`. The section need not be part of the program.
fn format_at(file: &SymbolFile<'_>, at: Address) -> Option<(String, String)> {
    let image = file.image();
    let offset = at.0.checked_sub(image.section_address(FORMATS)?.0)?;
    let rest = image.section(FORMATS)?.get(usize::try_from(offset).ok()?..)?;
    let record = rest.get(..LONGEST_FORMAT).unwrap_or(rest).split(|byte| *byte == 0).next()?;
    let record = String::from_utf8_lossy(record);
    let mut parts = record.splitn(4, ';').skip(1);
    let (path, line, format) = (parts.next()?, parts.next()?, parts.next()?);
    let name = path.rsplit(['/', '\\']).next()?;
    Some((format!("{name}:{line}"), format.to_string()))
}
