//! Reads events from the CBOR that devices send.
//!
//! A payload is one map, or an array of them. Keys may stand in any order; unknown ones and values
//! of another type than expected are passed over.
//!
//! | key | holds | | key | holds |
//! |---|---|---|---|---|
//! | 1 | time, Unix seconds | | 7 | device serial |
//! | 2 | type of the event | | 9 | software version |
//! | 3 | version of this schema | | 10 | software type |
//! | 4 | what happened, by type | | 11 | first bytes of the build ID |
//! | 6 | hardware version | | | |

use super::cbor::{Cbor, CborError, Item};
use super::event::{
    Argument, Body, CompactLog, Event, Events, Level, LogLine, LogText, MetricValue, MetricValues,
    Metrics, Reboot, Recording, Trace,
};

/// Reads the payload of a message of events.
pub fn parse_events(payload: &[u8]) -> Events {
    let mut cbor = Cbor::new(payload);
    let mut events = Events::default();
    events.error = read_all(&mut cbor, &mut events.events).err();
    events
}

fn read_all(cbor: &mut Cbor<'_>, events: &mut Vec<Event>) -> Result<(), CborError> {
    let count = match cbor.item()? {
        Item::Map(pairs) => return read_event(cbor, pairs, events),
        Item::Array(count) => count,
        _ => return Err(CborError::NoEvent { offset: 0 }),
    };
    for _ in 0..count {
        let offset = cbor.offset();
        let Item::Map(pairs) = cbor.item()? else { return Err(CborError::NoEvent { offset }) };
        read_event(cbor, pairs, events)?;
    }
    Ok(())
}

/// Reads one event; what was read before an error is kept.
fn read_event(cbor: &mut Cbor<'_>, pairs: u64, events: &mut Vec<Event>) -> Result<(), CborError> {
    cbor.keep()?;
    let mut event = Event::default();
    let mut kind = None;
    let mut info = None;
    let read = pairs_of(cbor, pairs, |cbor, key| {
        let device = &mut event.device;
        match key {
            1 => event.captured_at = cbor.unsigned()?,
            2 => kind = cbor.unsigned()?,
            3 => event.schema = cbor.unsigned()?,
            // Its meaning depends on key 2, which may follow.
            4 => {
                info = Some(*cbor);
                cbor.skip()?;
            }
            6 => device.hardware_version = cbor.text()?,
            7 => device.serial = cbor.text()?,
            9 => device.software_version = cbor.text()?,
            10 => device.software_type = cbor.text()?,
            11 => device.build_id = cbor.bytes_or_text()?.map(<[u8]>::to_vec),
            _ => cbor.skip()?,
        }
        Ok(())
    });
    event.body = Body::Other(kind);
    let mut read_body = Ok(());
    if let Some(mut info) = info {
        info.copy_room(cbor);
        read_body = read_info(&mut info, kind, &mut event.body);
        cbor.copy_room(&info);
    }
    events.push(event);
    read_body.and(read)
}

/// Calls `value` for each pair of a map with its key; pairs with other keys than numbers are passed
/// over.
fn pairs_of<'a>(
    cbor: &mut Cbor<'a>,
    count: u64,
    mut value: impl FnMut(&mut Cbor<'a>, u64) -> Result<(), CborError>,
) -> Result<(), CborError> {
    for _ in 0..count {
        match cbor.item()? {
            Item::Unsigned(key) => value(cbor, key)?,
            other => {
                cbor.skip_contents(other)?;
                cbor.skip()?;
            }
        }
    }
    Ok(())
}

/// As [`pairs_of`] for the next item; one that is no map is passed over.
fn map_of<'a>(
    cbor: &mut Cbor<'a>,
    value: impl FnMut(&mut Cbor<'a>, u64) -> Result<(), CborError>,
) -> Result<(), CborError> {
    match cbor.item()? {
        Item::Map(count) => pairs_of(cbor, count, value),
        other => cbor.skip_contents(other),
    }
}

fn read_info(cbor: &mut Cbor<'_>, kind: Option<u64>, body: &mut Body) -> Result<(), CborError> {
    match kind {
        Some(1) => {
            let mut metrics = Metrics::default();
            let read = read_metrics(cbor, &mut metrics);
            *body = Body::Metrics(metrics);
            read
        }
        Some(2) => read_trace(cbor, body),
        Some(kind @ (3 | 4 | 6)) => {
            let mut lines = Vec::new();
            let read = match kind {
                3 => read_log_error(cbor, &mut lines),
                _ => read_lines(cbor, kind == 6, &mut lines),
            };
            *body = Body::Logs(lines);
            read
        }
        Some(5) => {
            let mut recording = Recording::default();
            let read = read_recording(cbor, &mut recording);
            *body = Body::Recording(recording);
            read
        }
        _ => Ok(()),
    }
}

fn read_metrics(cbor: &mut Cbor<'_>, metrics: &mut Metrics) -> Result<(), CborError> {
    map_of(cbor, |cbor, key| match key {
        2 => {
            metrics.session = cbor.unsigned()?;
            Ok(())
        }
        1 => match cbor.item()? {
            Item::Array(count) => {
                let mut values = Vec::new();
                let read = (0..count).try_for_each(|_| {
                    cbor.keep()?;
                    values.push(metric_value(cbor)?);
                    Ok(())
                });
                metrics.values = MetricValues::Positional(values);
                read
            }
            Item::Map(count) => {
                let mut values = Vec::new();
                let read = (0..count).try_for_each(|_| {
                    cbor.keep()?;
                    let name = cbor.text()?;
                    let value = metric_value(cbor)?;
                    values.extend(name.map(|name| (name, value)));
                    Ok(())
                });
                metrics.values = MetricValues::Named(values);
                read
            }
            other => cbor.skip_contents(other),
        },
        _ => cbor.skip(),
    })
}

fn metric_value(cbor: &mut Cbor<'_>) -> Result<MetricValue, CborError> {
    let item = cbor.item()?;
    Ok(match item {
        Item::Text(text) | Item::Bytes(text) => {
            MetricValue::Text(String::from_utf8_lossy(text).into_owned())
        }
        Item::Float(value) => MetricValue::Float(value),
        Item::Bool(value) => MetricValue::Integer(i64::from(value)),
        other => match other.integer() {
            // Devices send 32 bits; what does not fit 64 keeps its magnitude.
            Some(value) => {
                i64::try_from(value).map_or(MetricValue::Float(value as f64), MetricValue::Integer)
            }
            None => {
                cbor.skip_contents(other)?;
                MetricValue::Unset
            }
        },
    })
}

fn read_trace(cbor: &mut Cbor<'_>, body: &mut Body) -> Result<(), CborError> {
    let mut reason = None;
    let mut reset_register = None;
    let mut coredump_saved: Option<u64> = None;
    let mut trace = Trace::default();
    let read = map_of(cbor, |cbor, key| {
        match key {
            1 => reason = cbor.unsigned()?,
            2 => trace.pc = cbor.unsigned()?,
            3 => trace.lr = cbor.unsigned()?,
            4 => reset_register = cbor.unsigned()?,
            5 => coredump_saved = cbor.unsigned()?,
            6 => trace.reason = cbor.unsigned()?,
            7 => {
                let item = cbor.item()?;
                cbor.skip_contents(item)?;
                // A status above 2^31 is one that the device took for unsigned.
                trace.status = item.integer().and_then(|value| {
                    i32::try_from(value)
                        .or_else(|_| u32::try_from(value).map(u32::cast_signed))
                        .ok()
                });
            }
            8 => trace.log = cbor.text()?.map(LogText::Text),
            9 => trace.log = compact_log(cbor)?.map(LogText::Compact),
            _ => cbor.skip()?,
        }
        Ok(())
    });
    *body = match reason {
        Some(reason) => Body::Reboot(Reboot {
            reason,
            pc: trace.pc,
            lr: trace.lr,
            reset_register,
            coredump_saved: coredump_saved.map(|saved| saved != 0),
        }),
        None => Body::Trace(trace),
    };
    read
}

/// The event of type 3: one line, which is an error.
fn read_log_error(cbor: &mut Cbor<'_>, lines: &mut Vec<LogLine>) -> Result<(), CborError> {
    map_of(cbor, |cbor, key| {
        if key != 1 {
            return cbor.skip();
        }
        let text = log_text(cbor)?;
        lines.extend(text.map(|text| LogLine { at: None, level: Level::Error, text }));
        Ok(())
    })
}

fn read_lines(
    cbor: &mut Cbor<'_>,
    timestamped: bool,
    lines: &mut Vec<LogLine>,
) -> Result<(), CborError> {
    let count = match cbor.item()? {
        Item::Array(count) => count,
        other => return cbor.skip_contents(other),
    };
    let items = if timestamped { 3 } else { 2 };
    for _ in 0..count.checked_div(items).unwrap_or_default() {
        cbor.keep()?;
        let at = if timestamped { cbor.unsigned()? } else { None };
        let level = cbor.unsigned()?.map_or(Level::Other(u64::MAX), Level::from_number);
        if let Some(text) = log_text(cbor)? {
            // Time 0 means that the device did not know it.
            lines.push(LogLine { at: at.filter(|at| *at != 0), level, text });
        }
    }
    Ok(())
}

/// A line of the log: text as it is, bytes that hold a compact log.
fn log_text(cbor: &mut Cbor<'_>) -> Result<Option<LogText>, CborError> {
    let mut at_item = *cbor;
    match cbor.item()? {
        Item::Text(text) => Ok(Some(LogText::Text(String::from_utf8_lossy(text).into_owned()))),
        Item::Bytes(bytes) => {
            // What is no compact log is a line of an old device.
            let mut inner = Cbor::new(bytes);
            inner.copy_room(cbor);
            let compact = compact_log(&mut inner).ok().flatten();
            cbor.copy_room(&inner);
            let text = || LogText::Text(String::from_utf8_lossy(bytes).into_owned());
            Ok(Some(compact.map_or_else(text, LogText::Compact)))
        }
        Item::Array(_) => {
            let log = compact_log(&mut at_item)?;
            *cbor = at_item;
            Ok(log.map(LogText::Compact))
        }
        other => cbor.skip_contents(other).map(|()| None),
    }
}

/// Reads a compact log line that stands alone; `None` for anything else.
///
/// # Errors
/// When it is cut short or no CBOR.
pub(super) fn parse_compact_log(bytes: &[u8]) -> Result<Option<CompactLog>, CborError> {
    let mut cbor = Cbor::new(bytes);
    let log = compact_log(&mut cbor)?;
    Ok(log.filter(|_| cbor.offset() == bytes.len()))
}

/// `[id, arguments…]`; `None` for anything else, which is passed over.
fn compact_log(cbor: &mut Cbor<'_>) -> Result<Option<CompactLog>, CborError> {
    let count = match cbor.item()? {
        Item::Array(count) if count > 0 => count,
        other => return cbor.skip_contents(other).map(|()| None),
    };
    let id = cbor.unsigned()?;
    let mut log = CompactLog { id: id.unwrap_or_default(), ..CompactLog::default() };
    for _ in 1..count {
        cbor.keep()?;
        match cbor.item()? {
            Item::Text(text) | Item::Bytes(text) => {
                log.arguments.push(Argument::Text(String::from_utf8_lossy(text).into_owned()));
            }
            Item::Float(value) => log.arguments.push(Argument::Float(value)),
            Item::Array(1) => {
                let item = cbor.item()?;
                cbor.skip_contents(item)?;
                let value = item.integer().unwrap_or_default();
                log.arguments.push(Argument::Integer { value, wide: true });
            }
            Item::Map(pairs) => pairs_of(cbor, pairs, |cbor, key| {
                match key {
                    1 => log.overflow = cbor.unsigned()?,
                    _ => cbor.skip()?,
                }
                Ok(())
            })?,
            other => {
                cbor.skip_contents(other)?;
                let value = other.integer().unwrap_or_default();
                log.arguments.push(Argument::Integer { value, wide: false });
            }
        }
    }
    Ok(id.map(|_| log))
}

fn read_recording(cbor: &mut Cbor<'_>, recording: &mut Recording) -> Result<(), CborError> {
    map_of(cbor, |cbor, key| {
        match key {
            1 => recording.duration_ms = cbor.unsigned()?,
            2 => match cbor.item()? {
                Item::Array(count) => {
                    for _ in 0..count {
                        cbor.keep()?;
                        recording.mime_types.extend(cbor.text()?);
                    }
                }
                other => cbor.skip_contents(other)?,
            },
            3 => recording.reason = cbor.text()?,
            4 => recording.data = cbor.bytes_or_text()?.unwrap_or_default().to_vec(),
            _ => cbor.skip()?,
        }
        Ok(())
    })
}
