//! Names and formats that do not travel: they stand in the ELF of the firmware that sent a message.
//!
//! This is plain data; whoever reads the ELF fills it in.

use std::collections::BTreeMap;

use super::event::{Argument, CompactLog, MetricValue};

use crate::base::{Reader, printf};

/// Name of the session whose metrics are sent regularly.
pub const HEARTBEAT: &str = "heartbeat";
/// Bytes of one record of the table of metrics.
const METRIC_RECORD: usize = 24;
/// Metrics beyond this number are not taken.
const MAX_METRICS: usize = 1 << 12;
/// `LOGf` in memory, then version 1: how the section of log formats begins.
const LOG_FORMATS: &[u8] = b"LOGf\x01";
/// Format strings are not longer, in bytes.
const MAX_FORMAT: usize = 1024;

/// How the section of names of this project's own SDK begins. `sdk/SPEC.md`, "Names".
const NAMES: &[u8] = b"MFLT1\0";
/// Numbers in front of the first reason of each sort.
const WANTED: i64 = 0x1000;
const UNWANTED: i64 = 0xa000;

/// Names by number.
pub type Names = BTreeMap<i64, String>;

/// What the ELF of a firmware knows about its messages. Each part may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    /// Build ID of the ELF.
    pub build_id: Option<Vec<u8>>,
    /// Metrics of all sessions, in the order of the firmware's table.
    pub metrics: Vec<MetricKey>,
    /// Names of metrics, by index: `<session>__<metric>`.
    pub metric_names: Names,
    /// Names of sessions, by number.
    pub sessions: Names,
    /// Names of the reasons of traces, by number.
    pub trace_reasons: Names,
    /// Names of the reasons of reboots, those that the firmware defines included.
    pub reboot_reasons: Names,
    /// The section of log formats.
    pub log_formats: Vec<u8>,
}

/// What the value of a metric means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// 0.
    Unsigned,
    /// 1.
    Signed,
    /// 2: milliseconds.
    Timer,
    /// 3.
    Text,
    /// A number that has no meaning here.
    Other(u8),
}

/// A metric as the firmware defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricKey {
    /// Its index, by which it has a name.
    pub index: u32,
    /// What its value means.
    pub kind: MetricKind,
    /// Number of the session that it belongs to.
    pub session: u8,
    /// By how much its value is to be divided.
    pub scale: u32,
}

/// A value with what the dictionary knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedMetric<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// What it means.
    pub kind: MetricKind,
    /// The value, divided by the scale.
    pub value: MetricValue,
}

/// A message has other metrics than the ELF: it is of another build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} metrics in the message, {expected} in the ELF: it is of another build")]
pub struct WrongCount {
    /// Metrics of the session in the ELF.
    pub expected: usize,
    /// Values in the message.
    pub found: usize,
}

/// The format of a compact log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFormat<'a> {
    /// Source file of the line.
    pub file: &'a str,
    /// Its number.
    pub line: u32,
    /// Format string as of `printf`.
    pub format: &'a str,
}

impl MetricKey {
    /// The table of metrics as it stands in the ELF: records of 24 bytes, little endian. What is
    /// behind the last whole record is left out.
    pub fn parse_table(bytes: &[u8]) -> Vec<MetricKey> {
        let records = bytes.chunks_exact(METRIC_RECORD).take(MAX_METRICS);
        records.filter_map(MetricKey::parse).collect()
    }

    /// Index, type (the low byte of an enumeration), smallest value, range, session (likewise),
    /// scale.
    fn parse(record: &[u8]) -> Option<MetricKey> {
        let mut reader = Reader::new(record);
        let index = reader.u32().ok()?;
        let [kind, ..] = reader.array::<4>().ok()?;
        reader.skip(8).ok()?;
        let [session, ..] = reader.array::<4>().ok()?;
        let scale = reader.u32().ok()?;
        Some(MetricKey { index, kind: MetricKind::from_number(kind), session, scale })
    }
}

impl MetricKind {
    fn from_number(number: u8) -> MetricKind {
        match number {
            0 => MetricKind::Unsigned,
            1 => MetricKind::Signed,
            2 => MetricKind::Timer,
            3 => MetricKind::Text,
            other => MetricKind::Other(other),
        }
    }
}

impl Dictionary {
    /// Whether there is any name or format.
    pub fn has_names(&self) -> bool {
        let names = [&self.metric_names, &self.sessions, &self.trace_reasons, &self.reboot_reasons];
        names.iter().any(|names| !names.is_empty()) || !self.log_formats.is_empty()
    }

    /// Adds what the section `mflt_names` tells: strings that end with NUL, each a letter and its
    /// fields, whose numbers are their places. What is not understood is passed over.
    pub fn add_names(&mut self, section: &[u8]) {
        let Some(strings) = section.strip_prefix(NAMES) else { return };
        let strings = strings.split(|byte| *byte == 0).take(MAX_METRICS);
        for string in strings.filter_map(|string| std::str::from_utf8(string).ok()) {
            match string.split_once(';') {
                Some(("s", name)) => add_name(&mut self.sessions, 0, name),
                Some(("m", metric)) => drop(self.add_metric(metric)),
                Some(("t", name)) => add_name(&mut self.trace_reasons, 1, name),
                Some(("w", name)) => add_reason(&mut self.reboot_reasons, WANTED, name),
                Some(("u", name)) => add_reason(&mut self.reboot_reasons, UNWANTED, name),
                _ => {}
            }
        }
    }

    /// `<session>;<kind>;<scale>;<name>`.
    fn add_metric(&mut self, metric: &str) -> Option<()> {
        let mut fields = metric.splitn(4, ';');
        let (session, kind) = (fields.next()?, fields.next()?.parse().ok()?);
        let (scale, name) = (fields.next()?.parse().ok()?, fields.next()?);
        let (number, _) = self.sessions.iter().find(|(_, known)| *known == session)?;
        let index = u32::try_from(self.metrics.len()).ok()?;
        self.metrics.push(MetricKey {
            index,
            kind: MetricKind::from_number(kind),
            session: u8::try_from(*number).ok()?,
            scale,
        });
        self.metric_names.insert(i64::from(index), format!("{session}__{name}"));
        Some(())
    }

    /// Whether a message of that build ID, of which devices send the first bytes, may be of this
    /// firmware. `None` when either side does not say.
    pub fn fits(&self, build_id: Option<&[u8]>) -> Option<bool> {
        let (mine, sent) = (self.build_id.as_deref()?, build_id?);
        (!sent.is_empty()).then(|| mine.starts_with(sent))
    }

    /// The name of a session; without number it is the heartbeat.
    pub fn session(&self, number: Option<u64>) -> Option<&str> {
        match number {
            Some(number) => name_of(&self.sessions, i64::try_from(number).ok()?),
            None => Some(HEARTBEAT),
        }
    }

    /// Values of a session with their names.
    ///
    /// # Errors
    /// [`WrongCount`] when the firmware defines more metrics, or fewer.
    pub fn name_metrics(
        &self,
        session: Option<u64>,
        values: &[MetricValue],
    ) -> Result<Vec<NamedMetric<'_>>, WrongCount> {
        let heartbeat = || self.sessions.iter().find(|(_, name)| *name == HEARTBEAT).map(|s| *s.0);
        let number = session.map_or_else(heartbeat, |number| i64::try_from(number).ok());
        let number = number.unwrap_or_default();
        let keys = self.metrics.iter().filter(|key| i64::from(key.session) == number);
        let keys: Vec<&MetricKey> = keys.collect();
        if keys.len() != values.len() {
            return Err(WrongCount { expected: keys.len(), found: values.len() });
        }
        let prefix = name_of(&self.sessions, number).map(|name| format!("{name}__"));
        let named = keys.into_iter().zip(values).map(|(key, value)| {
            let full = name_of(&self.metric_names, i64::from(key.index));
            let name = full.map(|full| {
                let bare = prefix.as_ref().and_then(|prefix| full.strip_prefix(prefix.as_str()));
                bare.unwrap_or(full)
            });
            NamedMetric { name, kind: key.kind, value: scaled(value, key.scale) }
        });
        Ok(named.collect())
    }

    /// The name of the reason of a trace.
    pub fn trace_reason(&self, number: u32) -> Option<&str> {
        name_of(&self.trace_reasons, i64::from(number))
    }

    /// The name of a reason of reboot that the firmware defines.
    pub fn reboot_reason(&self, code: u32) -> Option<&str> {
        name_of(&self.reboot_reasons, i64::from(code))
    }

    /// The format of the compact log line `id`: `<arguments>;<file>;<line>;<format>`.
    pub fn log_format(&self, id: u64) -> Option<LogFormat<'_>> {
        // A line begins behind the header or the NUL of another.
        let at = usize::try_from(id).ok().filter(|at| *at >= 8)?;
        let formats = self.log_formats.as_slice();
        let before = at.checked_sub(1).and_then(|before| formats.get(before));
        if !formats.starts_with(LOG_FORMATS) || before != Some(&0) {
            return None;
        }
        let rest = formats.get(at..)?;
        let rest = rest.get(..MAX_FORMAT).unwrap_or(rest);
        let line = rest.split(|byte| *byte == 0).next()?;
        let line = std::str::from_utf8(line).ok()?;
        let mut parts = line.splitn(4, ';');
        parts.next()?;
        let (file, line) = (parts.next()?, parts.next()?);
        Some(LogFormat { file, line: line.parse().ok()?, format: parts.next()? })
    }

    /// The text of a compact log line.
    pub fn format_log(&self, log: &CompactLog) -> Option<String> {
        let format = self.log_format(log.id)?.format;
        Some(match log.overflow {
            Some(_) => format.to_owned(),
            None => printf::format(format, &log.arguments),
        })
    }
}

impl CompactLog {
    /// What can be said of it without a dictionary.
    pub fn raw(&self) -> String {
        let arguments: Vec<String> = self.arguments.iter().map(Argument::raw).collect();
        match self.overflow {
            Some(needed) => format!("log format {}, {needed} bytes left out", self.id),
            None => format!("log format {} ({})", self.id, arguments.join(", ")),
        }
    }
}

impl Argument {
    fn raw(&self) -> String {
        match self {
            Argument::Integer { value, .. } => value.to_string(),
            Argument::Float(value) => value.to_string(),
            Argument::Text(text) => format!("{text:?}"),
        }
    }
}

/// Numbers begin at `first`.
fn add_name(names: &mut Names, first: i64, name: &str) {
    let count = i64::try_from(names.len()).unwrap_or(i64::MAX);
    names.insert(first.saturating_add(count), name.to_owned());
}

/// Behind those of the same sort.
fn add_reason(names: &mut Names, base: i64, name: &str) {
    let last = names.range(base..base.saturating_add(WANTED)).next_back();
    let number = last.map_or(base, |(number, _)| *number).saturating_add(1);
    names.insert(number, name.to_owned());
}

fn name_of(names: &Names, number: i64) -> Option<&str> {
    names.get(&number).map(String::as_str)
}

fn scaled(value: &MetricValue, scale: u32) -> MetricValue {
    match value {
        MetricValue::Integer(raw) if scale > 1 => {
            MetricValue::Float(*raw as f64 / f64::from(scale))
        }
        other => other.clone(),
    }
}
