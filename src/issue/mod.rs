//! A crash in one line, and what of a backtrace is worth naming: pure functions of a report.

mod machinery;
mod title;

pub use machinery::{is_assert, is_fatal_path, is_machinery, is_panic};
pub use title::title;
