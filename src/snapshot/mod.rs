//! What was captured: registers, sparse memory, identity, and where it all came from.
//!
//! A [`Snapshot`] knows no files, no sockets and no DWARF. Formats and targets make it,
//! the analysis reads it.

mod image;
pub mod reboot_reason;
mod registers;

use crate::base::Address;

pub use image::{Gap, MemoryImage, PastEnd, Segment};
pub use registers::{Register, RegisterSet};

/// The state of a stopped target, as far as somebody captured it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Where the snapshot came from.
    pub origin: Origin,
    /// The CPU's own registers, at the moment that `moment` tells.
    pub registers: RegisterSet,
    /// When the CPU had these registers.
    pub moment: Moment,
    /// Register sets of threads, where the source lists them; the crashed one first.
    pub threads: Vec<ThreadRegisters>,
    /// Captured memory, RAM and System Control Space alike.
    pub memory: MemoryImage,
    /// Which device this is and what it runs.
    pub identity: Identity,
    /// Region registers of the MPU, by region number. Not memory: all regions share one address.
    pub mpu_regions: Vec<MpuRegion>,
    /// The bytes of the kernel's root object, where the source does not tell its address.
    pub kernel_object: Option<Vec<u8>>,
    /// Control block of the thread that the CPU belonged to, where the source tells it.
    pub current_thread: Option<Address>,
    /// Why the capture was taken, in the words of the source.
    pub reason: Option<String>,
    /// The same as a number, where the source has one.
    pub reason_code: Option<ReasonCode>,
    /// Things the source could not give: lines for people.
    pub remarks: Vec<String>,
}

/// When the CPU had the registers of a [`Snapshot`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    /// When it was stopped: after a crash inside the fault handler, whose stack leads to the code
    /// that crashed.
    #[default]
    Stop,
    /// At the crash: the device's own handler has already undone the exception, and the registers
    /// are those of the code that crashed.
    Crash,
}

/// A number by which a source says why the capture was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonCode {
    /// A reboot reason of the device's SDK: see [`reboot_reason`].
    Reboot(u32),
    /// A fatal error code of the kernel.
    Kernel(u32),
}

/// The registers of one MPU region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MpuRegion {
    /// MPU_RBAR.
    pub base: u32,
    /// MPU_RASR, on Armv8-M MPU_RLAR.
    pub attributes: u32,
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
    /// Its name, where the source tells it.
    pub name: Option<String>,
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
