//! Log lines that were still in memory.

use serde::{Deserialize, Serialize};

/// One line of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Seconds since the log's clock began.
    pub seconds: Option<f64>,
    /// `err`, `wrn`, `inf` or `dbg`; null for raw text.
    pub level: Option<String>,
    /// The module that wrote it.
    pub module: Option<String>,
    /// The text with its arguments.
    pub text: String,
    /// Whether it was not yet handed to any output.
    pub pending: bool,
    /// The console whose buffer held it, `RAM console` or `RTT`; null for a message of the log.
    #[serde(default)]
    pub console: Option<String>,
}
