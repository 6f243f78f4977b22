//! What was captured: registers, sparse memory, identity, and where it all came from.
//!
//! A [`Snapshot`] knows no files, no sockets and no DWARF. Formats and targets make it,
//! the analysis reads it.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod image;
mod registers;

pub use image::{Gap, MemoryImage, PastEnd, Segment};
pub use registers::{Register, RegisterSet};

/// The state of a stopped target, as far as somebody captured it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Where the snapshot came from.
    pub origin: Origin,
    /// The CPU's own registers at the moment it was stopped, in a fault handler for example.
    pub registers: RegisterSet,
    /// Register sets of threads, where the source lists them; the crashed one first.
    pub threads: Vec<ThreadRegisters>,
    /// Captured memory, RAM and System Control Space alike.
    pub memory: MemoryImage,
    /// Which device this is and what it runs.
    pub identity: Identity,
    /// Why the capture was taken, in the words of the source.
    pub reason: Option<String>,
    /// Things the source could not give: lines for people.
    pub remarks: Vec<String>,
}

/// Refused: there is nothing to analyse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the dump holds neither registers nor memory")]
pub struct EmptySnapshot;

impl Snapshot {
    /// Passes a snapshot that holds at least some registers or some memory.
    pub fn non_empty(self) -> Result<Snapshot, EmptySnapshot> {
        let no_registers =
            self.registers.is_empty() && self.threads.iter().all(|t| t.registers.is_empty());
        if no_registers && self.memory.is_empty() { Err(EmptySnapshot) } else { Ok(self) }
    }
}

/// Registers of one thread as the source stores them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadRegisters {
    /// The source's number for the thread: the address of its control block where known.
    pub id: u32,
    /// Its registers.
    pub registers: RegisterSet,
}

/// Which device, and what it runs. Every part may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Serial number of the device.
    pub device_serial: Option<String>,
    /// Name of the software, for example `main` or `bootloader`.
    pub software_type: Option<String>,
    /// Version of the software.
    pub software_version: Option<String>,
    /// Version of the hardware.
    pub hardware_version: Option<String>,
    /// GNU build ID of the firmware that ran.
    pub build_id: Option<Vec<u8>>,
}

/// Where a snapshot came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Format or route, for example `elf core` or `gdb remote`.
    pub format: String,
    /// Program that made it, with its version.
    pub tool: Option<String>,
    /// The server or probe it was read through, as that names itself.
    pub server: Option<String>,
    /// When it was captured, milliseconds since 1970-01-01 UTC.
    pub captured_at_ms: Option<u64>,
    /// Whether every planned range was read: `Some(false)` after an interrupted capture.
    pub complete: Option<bool>,
}
