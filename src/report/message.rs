//! What a device sent, in words: one message, or what is wrong with the chunks of one.

use serde::Serialize;

use super::{Device, Hex32, Note, Report, SCHEMA};

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Version of this structure, [`super::SCHEMA`].
    pub schema: u32,
    /// Number of the chunk that ended it, from 1.
    pub chunk: usize,
    /// When, in seconds since 1970-01-01 UTC, if the device knew.
    pub captured_at: Option<u64>,
    /// The project that the device says it belongs to.
    pub project_key: Option<String>,
    /// Which device, and what it ran; absent when it does not say.
    pub device: Option<Device>,
    /// What it holds.
    #[serde(flatten)]
    pub content: Content,
    /// What could not be read or is doubtful.
    pub notes: Vec<Note>,
}

impl Message {
    /// The message of chunk `chunk` of which nothing but its content is known.
    pub fn new(chunk: usize, content: Content) -> Message {
        Message {
            schema: SCHEMA,
            chunk,
            captured_at: None,
            project_key: None,
            device: None,
            content,
            notes: Vec::new(),
        }
    }
}

/// What a message holds: `kind` in JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// A coredump.
    Coredump(Coredump),
    /// Metrics of a session.
    Metrics(Metrics),
    /// A reboot.
    Reboot(Reboot),
    /// An error that the firmware reports and survives.
    Trace(Trace),
    /// Log lines.
    Logs(Logs),
    /// A custom data recording.
    Recording(Recording),
    /// Something that is not known here.
    Other(Other),
    /// No message: chunks were lost or are damaged; the notes say how.
    Problem,
}

/// A coredump and what it tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coredump {
    /// Bytes.
    pub size: usize,
    /// Where it was written to.
    pub file: Option<String>,
    /// Why the device crashed; absent when it could not be read.
    pub report: Option<Box<Report>>,
}

/// Metrics of one interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// Name of the session, `heartbeat` for the regular one.
    pub session: Option<String>,
    /// Its number.
    pub session_number: Option<u64>,
    /// What was measured.
    pub metrics: Vec<Metric>,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Its name; absent when the ELF is missing or does not know it.
    pub name: Option<String>,
    /// Its value.
    pub value: MetricValue,
    /// `ms` for a duration.
    pub unit: Option<String>,
}

/// The value of a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum MetricValue {
    /// Not set in this interval: null.
    Unset,
    /// A number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    Text(String),
}

/// A reboot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reboot {
    /// Number of the reason.
    pub code: u32,
    /// Name of the reason.
    pub reason: Option<String>,
    /// Whether it was a crash.
    pub unexpected: bool,
    /// Program counter.
    pub pc: Option<CodePlace>,
    /// Link register.
    pub lr: Option<CodePlace>,
    /// The MCU's register of reset causes.
    pub reset_register: Option<Hex32>,
    /// Whether the crash left a coredump.
    pub coredump_saved: Option<bool>,
}

/// An error that the firmware reports and survives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trace {
    /// Number of the reason.
    pub code: Option<u32>,
    /// Name of the reason.
    pub reason: Option<String>,
    /// Program counter.
    pub pc: Option<CodePlace>,
    /// Link register.
    pub lr: Option<CodePlace>,
    /// A status code of the firmware's own.
    pub status: Option<i32>,
    /// What the firmware says of it.
    pub log: Option<LogText>,
}

/// Log lines, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Logs {
    /// The lines.
    pub lines: Vec<LogLine>,
}

/// A log line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogLine {
    /// When, in seconds since 1970-01-01 UTC, if the device knew.
    pub captured_at: Option<u64>,
    /// `debug`, `info`, `warning`, `error` or `unknown`; empty when the line does not say.
    pub level: String,
    /// What it says.
    #[serde(flatten)]
    pub text: LogText,
}

/// What a log line says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LogText {
    /// The line; of one whose format the ELF does not know, its number and arguments.
    pub text: String,
    /// Source file of a compact log line.
    pub file: Option<String>,
    /// Its number.
    pub line: Option<u32>,
}

/// A custom data recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recording {
    /// How long was recorded.
    pub duration_ms: Option<u64>,
    /// What the data is.
    pub mime_types: Vec<String>,
    /// Why it was recorded.
    pub reason: Option<String>,
    /// Bytes.
    pub size: usize,
    /// Where the data was written to.
    pub file: Option<String>,
    /// The data, lower-case hex.
    pub data: String,
}

/// Something that is not known here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Other {
    /// The number of the message's kind, when that is not known.
    pub message_type: Option<u8>,
    /// The number of the event's type.
    pub event_type: Option<u64>,
    /// Bytes of a message whose kind is not known.
    pub size: Option<usize>,
}

/// A place in the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodePlace {
    /// The address, as the device sent it.
    pub address: Hex32,
    /// The function there.
    pub function: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
}
