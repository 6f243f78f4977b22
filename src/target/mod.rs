//! Live targets: reaching one, stopping it, reading it, leaving it as it was.
//!
//! [`Target`] is what a capture needs; [`rsp::GdbClient`] is the one over the GDB remote
//! protocol; [`serial`] opens serial devices. Nothing here sets breakpoints or resets, and nothing is written but MPU_RNR, where
//! [`CapturePlan::all_mpu_regions`] asks for it.

mod capture;
mod error;
mod live;
mod mpu;
mod plan;
pub mod rsp;
pub mod serial;

pub use capture::{Captured, Prioritise, Progress, capture};
pub use error::TargetError;
pub use live::LiveMemory;
pub use plan::{CapturePlan, PlannedRange, Purpose, nvic, system_control};

use crate::base::{Address, AddressRange};
use crate::snapshot::{Gap, RegisterSet};

/// Registers of a stopped CPU, and what the source said about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registers {
    /// The values that could be read.
    pub set: RegisterSet,
    /// Doubts and omissions: lines for people.
    pub remarks: Vec<String>,
}

/// What became of a range of memory that was to be read.
#[derive(Debug, Default)]
pub struct MemoryRead {
    /// Bytes that were read, lowest address first; runs neither overlap nor touch.
    pub runs: Vec<(Address, Vec<u8>)>,
    /// What could not be read, and why.
    pub gaps: Vec<Gap>,
    /// Why reading ended early. What was not reached is a gap too.
    pub error: Option<TargetError>,
}

/// How to leave a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leave {
    /// Running if it ran, halted if it was halted.
    #[default]
    AsFound,
    /// Halted.
    Halted,
    /// Running.
    Running,
}

/// A core that can be stopped and read.
pub trait Target {
    /// What this is read through, in the words of the server or probe.
    fn server(&self) -> String;

    /// Whether the core was running when we came; `None` when that cannot be told.
    fn was_running(&self) -> Option<bool>;

    /// Why the core stopped, in the words of the server.
    fn stop_reason(&self) -> Option<String>;

    /// Stops the core. Does nothing when it is stopped.
    ///
    /// # Errors
    /// [`TargetError::DoesNotStop`], or what the connection says.
    fn halt(&mut self) -> Result<(), TargetError>;

    /// Reads the registers of the CPU.
    ///
    /// # Errors
    /// When none can be read.
    fn read_registers(&mut self) -> Result<Registers, TargetError>;

    /// Reads `range`. `progress` is told how many bytes are done and may stop it with `false`.
    fn read_memory(
        &mut self,
        range: AddressRange,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> MemoryRead;

    /// Writes a word of the stopped core's memory. A server that agrees may still have ignored it:
    /// who writes reads back.
    ///
    /// # Errors
    /// [`TargetError::Refused`] when the server does not write, or what the connection says.
    fn write_word(&mut self, address: Address, value: u32) -> Result<(), TargetError>;

    /// Ranges of RAM that the source knows of; empty when it knows none.
    ///
    /// # Errors
    /// What the connection says.
    fn ram(&mut self) -> Result<Vec<AddressRange>, TargetError>;

    /// Ends the session. Gives whether the target runs now, where that is known.
    ///
    /// # Errors
    /// What the connection says; the target's state is not known then.
    fn leave(&mut self, leave: Leave) -> Result<Option<bool>, TargetError>;
}

/// Whether `address` is a register rather than memory: peripherals and the private peripheral
/// bus (Armv7-M ARM, DDI 0403, B3.1).
fn is_device(address: Address) -> bool {
    matches!(address.0, 0x4000_0000..=0x5fff_ffff | 0xe000_0000..=0xe00f_ffff)
}
