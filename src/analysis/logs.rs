//! The log as the report lists it.

use super::{Core, sdk_log};
use crate::report::{LogLine, Notes, Severity};
use crate::rtos;

/// What is left of the kernel's log and of consoles that are kept in memory, oldest first; then of
/// the SDK's log.
pub(super) fn read(core: &Core<'_, '_>, notes: &mut Notes) -> Vec<rtos::LogLine> {
    let mut lines = Vec::new();
    if let Some((kernel, file)) = core.kernel.zip(core.kernel_file) {
        lines = kernel.logs(&core.memory, file);
        if let Some(remark) = kernel.no_log(file) {
            notes.add(Severity::Info, remark.code, remark.text);
        }
    }
    for file in core.symbols.files() {
        lines = rtos::with_terminal(lines, &core.memory, file);
        if let Some(remark) = rtos::terminal_lost(&core.memory, file) {
            notes.add(Severity::Info, remark.code, remark.text);
        }
    }
    lines.extend(sdk_log::read(core, notes));
    lines
}

/// Every line as it is reported.
pub(super) fn list(lines: Vec<rtos::LogLine>) -> Vec<LogLine> {
    let listed = lines.into_iter().map(|line| LogLine {
        seconds: line.seconds,
        level: line.level.map(str::to_string),
        module: line.module,
        text: line.text,
        pending: line.pending,
        console: line.console.map(str::to_string),
    });
    listed.collect()
}
