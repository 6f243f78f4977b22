//! What a format has no room for, told to whoever converts.

use crate::snapshot::{Moment, Register, RegisterSet, Snapshot};

/// A snapshot in another format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// What the file does not hold, one line each; empty when nothing is lost.
    pub dropped: Vec<String>,
}

/// The list while a file is written.
#[derive(Debug, Default)]
pub(super) struct Dropped(Vec<String>);

impl Dropped {
    /// What only an ELF core holds.
    pub(super) fn of(snapshot: &Snapshot) -> Dropped {
        let mut dropped = Dropped::default();
        let (threads, gaps) = (snapshot.threads.len(), snapshot.memory.gaps().len());
        if threads > 0 {
            dropped.add(format!("the register sets of {threads} threads"));
        }
        if gaps > 0 {
            dropped.add(format!("why {gaps} ranges are missing"));
        }
        if snapshot.memory.redacted().next().is_some() {
            dropped.add("which memory was redacted: it is 0 there");
        }
        if snapshot.origin.tool.is_some() || snapshot.origin.captured_at_ms.is_some() {
            dropped.add("how and when the dump was captured");
        }
        dropped
    }

    pub(super) fn add(&mut self, line: impl Into<String>) {
        self.0.push(line.into());
    }

    /// Says which of `registers` are not among `held`.
    pub(super) fn registers_beyond(&mut self, registers: &RegisterSet, held: &[&str]) {
        let lost: Vec<&str> = registers
            .iter()
            .map(|(register, _)| register.name())
            .filter(|name| !held.contains(name))
            .collect();
        if !lost.is_empty() {
            self.add(format!("the registers {}", lost.join(", ")));
        }
    }

    /// For formats without an identity.
    pub(super) fn identity(&mut self, snapshot: &Snapshot) {
        let identity = &snapshot.identity;
        let parts = [
            ("device serial", identity.device_serial.is_some()),
            ("software type", identity.software_type.is_some()),
            ("software version", identity.software_version.is_some()),
            ("hardware version", identity.hardware_version.is_some()),
            ("build ID", identity.build_id.is_some()),
        ];
        let lost: Vec<&str> =
            parts.into_iter().filter_map(|(name, is)| is.then_some(name)).collect();
        if !lost.is_empty() {
            self.add(format!("the {}", lost.join(", ")));
        }
    }

    /// The registers of the code that crashed, for formats that keep no others, with the number of
    /// the exception whose handler was left out.
    pub(super) fn crash_registers<'a>(
        &mut self,
        snapshot: &'a Snapshot,
    ) -> (&'a RegisterSet, Option<u16>) {
        let stopped = &snapshot.registers;
        let handler = stopped.get(Register::XPSR).map_or(0, |xpsr| (xpsr & 0x1ff) as u16);
        let crashed = snapshot.threads.first().map(|thread| &thread.registers);
        match crashed.filter(|crashed| !crashed.is_empty() && *crashed != stopped) {
            Some(crashed) if snapshot.moment == Moment::Stop && handler != 0 => {
                self.add("the registers inside the handler; those of what it interrupted are kept");
                (crashed, Some(handler))
            }
            _ => (stopped, None),
        }
    }

    pub(super) fn into_vec(self) -> Vec<String> {
        self.0
    }
}
