//! The threads that a debugger sees, with names.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use crate::analysis;
use crate::report::{Hex32, Report, printable};
use crate::snapshot::{RegisterSet, Snapshot, ThreadRegisters};
use crate::symbols::SymbolFile;

/// A thread, or a handler under the number of its exception.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    pub(super) id: NonZeroUsize,
    pub(super) registers: RegisterSet,
    /// Name and state, for people.
    pub(super) label: String,
}

/// All threads in the order of an ELF core: where the crash happened first.
pub(super) fn list(
    snapshot: &Snapshot,
    symbols: &[SymbolFile<'_>],
    report: &Report,
) -> Vec<Thread> {
    let mut stored = Vec::new();
    // Without symbols nobody knows the threads better than whoever wrote the dump.
    if symbols.is_empty() {
        stored.clone_from(&snapshot.threads);
    }
    if stored.is_empty() {
        stored = analysis::thread_contexts(snapshot, symbols);
    }
    if stored.is_empty() {
        stored.clone_from(&snapshot.threads);
    }
    if stored.is_empty() {
        // Memory alone can be looked at too, but no debugger attaches to a target without threads.
        stored.push(ThreadRegisters { id: 1, ..ThreadRegisters::default() });
    }
    let mut seen = HashSet::new();
    stored
        .into_iter()
        .filter(|thread| seen.insert(thread.id))
        .filter_map(|thread| {
            let id = NonZeroUsize::new(usize::try_from(thread.id).ok()?)?;
            let label = label(&thread, report);
            Some(Thread { id, registers: thread.registers, label })
        })
        .collect()
}

/// `accel-workq, running, crashed`.
fn label(stored: &ThreadRegisters, report: &Report) -> String {
    let id = stored.id;
    let address = Hex32(id).to_string();
    let handler = format!("exception {id}");
    let known = report.threads.iter().find(|thread| thread.id == address || thread.id == handler);
    // Without a kernel the thread that runs has the number 1 and no address.
    let known = known.or_else(|| report.threads.iter().find(|t| t.id == "thread mode" && id == 1));
    let Some(thread) = known else {
        return stored.name.as_deref().map_or(address, printable);
    };
    let mut label = thread.name.clone();
    if thread.state != "handler" && thread.state != "unknown" {
        label.push_str(", ");
        label.push_str(&thread.state);
    }
    if thread.crashed {
        label.push_str(", crashed");
    }
    printable(&label)
}
