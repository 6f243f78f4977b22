//! Log lines that are still in memory.

/// Levels of Zephyr's log by their number; 0 is raw text.
pub(super) const LEVELS: [&str; 5] = ["", "err", "wrn", "inf", "dbg"];

/// One line, as a kernel's log kept it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogLine {
    /// Seconds since the log's clock began, when its rate is known.
    pub seconds: Option<f64>,
    /// `err`, `wrn`, `inf` or `dbg`; `None` for raw text.
    pub level: Option<&'static str>,
    /// The module that wrote it.
    pub module: Option<String>,
    /// The text with its arguments.
    pub text: String,
    /// It was not yet handed to any output when the target stopped.
    pub pending: bool,
    /// The console that kept it, by the name people know it by; `None` for a message of the log.
    pub console: Option<&'static str>,
}
