//! Events: reboots, traces, metrics, logs and recordings, as devices write them in CBOR.
//!
//! They are read in `parse.rs`.

use super::cbor::CborError;
pub use crate::base::printf::Argument;

/// The events of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// Those that could be read, the last perhaps in part.
    pub events: Vec<Event>,
    /// Why reading ended before the end.
    pub error: Option<CborError>,
}

/// Something that happened on a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// When, in seconds since 1970-01-01 UTC, if the device knew.
    pub captured_at: Option<u64>,
    /// Which device it was and what it ran.
    pub device: Device,
    /// Version of the schema; 1.
    pub schema: Option<u64>,
    /// What happened.
    pub body: Body,
}

/// Which device sent an event and what it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Serial number; most devices leave it to the transport.
    pub serial: Option<String>,
    /// Name of the software.
    pub software_type: Option<String>,
    /// Version of the software.
    pub software_version: Option<String>,
    /// Version of the hardware.
    pub hardware_version: Option<String>,
    /// The first bytes of the build ID, six as a rule.
    pub build_id: Option<Vec<u8>>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Type 1: metrics of a heartbeat or of another session.
    Metrics(Metrics),
    /// Type 2 with a reason of reboot.
    Reboot(Reboot),
    /// Type 2 without: the firmware reports an error.
    Trace(Trace),
    /// Types 3, 4 and 6: log lines, oldest first.
    Logs(Vec<LogLine>),
    /// Type 5: a custom data recording.
    Recording(Recording),
    /// A type that is not known here; `None` when the event does not say.
    Other(Option<u64>),
}

impl Default for Body {
    fn default() -> Body {
        Body::Other(None)
    }
}

/// Metrics of one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Number of the session; old devices know only the heartbeat and leave it out.
    pub session: Option<u64>,
    /// What was measured.
    pub values: MetricValues,
}

/// Values, with names or without.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricValues {
    /// In the order in which the firmware defines the metrics: names stand in its ELF.
    Positional(Vec<MetricValue>),
    /// With their names, as old devices send them.
    Named(Vec<(String, MetricValue)>),
}

impl Default for MetricValues {
    fn default() -> MetricValues {
        MetricValues::Positional(Vec::new())
    }
}

/// A value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricValue {
    /// Not set in this interval.
    Unset,
    /// A number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    Text(String),
}

/// A reboot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reboot {
    /// Why: a number below 0x8000 stands for a reboot that was meant.
    pub reason: u32,
    /// Program counter.
    pub pc: Option<u32>,
    /// Link register.
    pub lr: Option<u32>,
    /// The MCU's register of reset causes.
    pub reset_register: Option<u32>,
    /// Whether the crash before it left a coredump.
    pub coredump_saved: Option<bool>,
}

/// An error that the firmware reports and survives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Number of its reason: names stand in the firmware's ELF.
    pub reason: Option<u32>,
    /// Program counter.
    pub pc: Option<u32>,
    /// Link register.
    pub lr: Option<u32>,
    /// A status code of the firmware's own.
    pub status: Option<i32>,
    /// What the firmware says of it.
    pub log: Option<LogText>,
}

/// How grave a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// 0.
    Debug,
    /// 1.
    Info,
    /// 2.
    Warning,
    /// 3.
    Error,
    /// A number that has no meaning here.
    Other(u64),
}

impl Level {
    pub(super) fn from_number(number: u64) -> Level {
        match number {
            0 => Level::Debug,
            1 => Level::Info,
            2 => Level::Warning,
            3 => Level::Error,
            other => Level::Other(other),
        }
    }

    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Other(_) => "unknown",
        }
    }
}

/// A log line.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// When, in seconds since 1970-01-01 UTC, if the device knew.
    pub at: Option<u64>,
    /// How grave it is.
    pub level: Level,
    /// What it says.
    pub text: LogText,
}

/// What a log line says.
#[derive(Clone, Debug, PartialEq)]
pub enum LogText {
    /// As the device formatted it.
    Text(String),
    /// To be formatted with the firmware's ELF.
    Compact(CompactLog),
}

/// A log line whose format string stayed in the firmware's ELF.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompactLog {
    /// Where the format string begins in the section `log_fmt`.
    pub id: u64,
    /// What is to be filled in.
    pub arguments: Vec<Argument>,
    /// Length in bytes that was needed, when the arguments did not fit and were left out.
    pub overflow: Option<u64>,
}

/// A custom data recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// How long was recorded.
    pub duration_ms: Option<u64>,
    /// What the data is.
    pub mime_types: Vec<String>,
    /// Why it was recorded.
    pub reason: Option<String>,
    /// The data.
    pub data: Vec<u8>,
}
