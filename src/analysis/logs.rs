//! The log as the report lists it.

use super::Core;
use crate::report::LogLine;

/// What is left of the kernel's log, oldest first.
pub(super) fn list(core: &Core<'_, '_>) -> Vec<LogLine> {
    let Some((kernel, file)) = core.kernel.zip(core.kernel_file) else { return Vec::new() };
    let lines = kernel.logs(&core.memory, file).into_iter();
    let listed = lines.map(|line| LogLine {
        seconds: line.seconds,
        level: line.level.map(str::to_string),
        module: line.module,
        text: line.text,
        pending: line.pending,
    });
    listed.collect()
}
