//! Live targets: reaching one, stopping it, reading it, leaving it as it was.
//!
//! [`Target`] is what a capture needs, [`Execution`] what a [`Watch`] needs; [`rsp::GdbClient`] is the
//! one over the GDB remote protocol, `probe::ProbeTarget` the one through debug probes; [`serial`] opens serial devices. Nothing here resets. Nothing is
//! written but MPU_RNR, where [`CapturePlan::all_mpu_regions`] asks for it, and what a [`Catch`] asks
//! for; both are put back.

mod capture;
mod error;
mod live;
mod mpu;
mod plan;
#[cfg(feature = "probe")]
pub mod probe;
pub mod rsp;
pub mod serial;
mod watch;

pub use capture::{Captured, Prioritise, Progress, capture};
pub use error::TargetError;
pub use live::LiveMemory;
pub use plan::{CapturePlan, PlannedRange, Purpose, nvic, system_control};
pub use watch::{Catch, Halt, Watch};

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
    /// The way to the target: `gdb remote`, `debug probe`.
    fn route(&self) -> &'static str;

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

    /// Reads `ranges`, which do not overlap; all are registers or none is. `progress` is told how
    /// many bytes are done and may stop it with `false`.
    fn read_memory(
        &mut self,
        ranges: &[AddressRange],
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> MemoryRead;

    /// Reads a register of `size` bytes, 1, 2 or 4, in one access, and nothing beside it.
    ///
    /// # Errors
    /// [`TargetError::Refused`] when it cannot be read, or what the connection says.
    fn read_register(&mut self, address: Address, size: u32) -> Result<Vec<u8>, TargetError>;

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

/// A core that can also be let run.
pub trait Execution: Target {
    /// Lets the stopped core run.
    ///
    /// # Errors
    /// What the server or the connection says.
    fn resume(&mut self) -> Result<(), TargetError>;

    /// Lets the stopped core execute one instruction.
    ///
    /// # Errors
    /// What the server or the connection says.
    fn step(&mut self) -> Result<(), TargetError>;

    /// Looks for a short while whether the running core has halted.
    ///
    /// # Errors
    /// What the connection says.
    fn has_halted(&mut self) -> Result<bool, TargetError>;

    /// Sets a hardware breakpoint on the stopped core, or removes it.
    ///
    /// # Errors
    /// [`TargetError::Refused`] when there are no more, or what the connection says.
    fn breakpoint(&mut self, address: Address, set: bool) -> Result<(), TargetError>;
}

/// Whether `address` is a register rather than memory: peripherals and the private peripheral
/// bus (Armv7-M ARM, DDI 0403, B3.1).
fn is_device(address: Address) -> bool {
    matches!(address.0, 0x4000_0000..=0x5fff_ffff | 0xe000_0000..=0xe00f_ffff)
}
