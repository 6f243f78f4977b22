//! Log lines that are still in memory.

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
}
