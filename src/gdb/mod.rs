//! A dump as a GDB remote target: any debugger reads it as if the target still stood there.
//!
//! The protocol is that of the crate `gdbstub`; here is what it serves. Threads and their
//! registers are those of our ELF core: the crashed context first, with the registers that it had
//! before the exception. Nothing can be written and nothing runs. Does no I/O but through the
//! connection that it is handed.

mod description;
mod memory_map;
mod monitor;
mod session;
mod threads;

pub use session::{Ended, serve};

use crate::base::{Address, Memory};
use crate::report::Report;
use crate::snapshot::Snapshot;
use crate::symbols::{SymbolFile, Symbols};
use description::Description;
use threads::Thread;

/// A dump, ready to be served to any number of debuggers.
#[derive(Debug)]
pub struct ServedDump<'a, 'd> {
    snapshot: &'a Snapshot,
    symbols: Symbols<'a, 'd>,
    report: &'a Report,
    threads: Vec<Thread>,
    description: Description,
    memory_map: String,
}

impl<'a, 'd> ServedDump<'a, 'd> {
    /// `report` is that of `snapshot` with `symbols`.
    pub fn new(
        snapshot: &'a Snapshot,
        symbols: &'a [SymbolFile<'d>],
        report: &'a Report,
    ) -> ServedDump<'a, 'd> {
        let mut threads = threads::list(snapshot, symbols, report);
        let description = Description::of(&mut threads, &snapshot.registers);
        let symbols = Symbols::new(symbols);
        let memory_map = memory_map::xml(snapshot, &symbols);
        ServedDump { snapshot, symbols, report, threads, description, memory_map }
    }

    /// How many threads and handlers a debugger sees.
    pub fn thread_count(&self) -> usize {
        self.threads.len()
    }

    /// Fills `buffer` from `start` on with what was captured or is constant; gives how many bytes
    /// that were before the first that is neither.
    fn read(&self, start: Address, buffer: &mut [u8]) -> usize {
        let mut done = 0_usize;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = u32::try_from(done).ok().and_then(|done| start.checked_add(done));
            let Some(at) = at else { break };
            let count = match self.snapshot.memory.slice_from(at) {
                Some(held) => {
                    let count = held.len().min(rest.len());
                    let both = rest.iter_mut().zip(held);
                    both.for_each(|(to, from)| *to = *from);
                    count
                }
                None => {
                    // A captured segment may begin at any byte: constants are read one by one.
                    let mut byte = [0];
                    if self.symbols.read(at, &mut byte).is_err() {
                        break;
                    }
                    if let Some(to) = rest.first_mut() {
                        [*to] = byte;
                    }
                    1
                }
            };
            done = done.saturating_add(count);
        }
        done
    }
}
