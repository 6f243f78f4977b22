//! What a fault handler printed: registers and fault status in a serial log, with prefixes, time
//! stamps, colors and other lines around them.
//!
//! Read is the print of Zephyr's fatal errors (1.14 to 4.x: the sentences stand in its
//! `arch/arm/core` fault handlers) and whatever prints registers as `name = value`, as hard fault
//! handlers of FreeRTOS and bare-metal firmware do. There is no memory in it.

mod phrases;
mod record;
#[cfg(test)]
mod tests;
mod values;

use crate::snapshot::{Moment, Snapshot};
use record::Record;

/// Longest line that is looked at, in bytes.
const LONGEST_LINE: usize = 4096;

/// The last fault that `log` tells of; `None` when it holds none.
pub fn read(log: &[u8]) -> Option<Snapshot> {
    let records = records(log);
    let record = records.last()?;
    let mut snapshot = Snapshot { moment: Moment::Crash, ..Snapshot::default() };
    snapshot.origin.format = "fault text".to_owned();
    record.complete(&mut snapshot);
    snapshot.remarks.push("the dump is the print of a fault: there is no memory in it".to_owned());
    if records.len() > 1 {
        let text = format!("the log tells of {} faults; this is the last one", records.len());
        snapshot.remarks.push(text);
    }
    Some(snapshot)
}

/// Adds to `snapshot`, the coredump in the same log, what only the print tells.
pub(super) fn complete(snapshot: &mut Snapshot, log: &[u8]) {
    let pc = snapshot.registers.pc();
    if let Some(record) = records(log).iter().rfind(|record| record.pc() == pc) {
        record.complete(snapshot);
    }
}

/// Every fault of the log that names its place.
fn records(log: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut current = Record::default();
    for line in log.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line.get(..LONGEST_LINE).unwrap_or(line));
        let line = without_colors(&line);
        if current.begins_anew(&line) {
            let ended = std::mem::take(&mut current);
            records.extend(ended.is_fault().then_some(ended));
        }
        current.line(&line);
    }
    records.extend(current.is_fault().then_some(current));
    records
}

/// The text without the escape sequences of a terminal (`ESC [ … m`).
fn without_colors(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        let rest = end.and_then(|end| part.get(end.saturating_add(1)..));
        text.push_str(rest.unwrap_or(part));
    }
    text
}
