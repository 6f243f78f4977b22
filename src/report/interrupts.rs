//! Exceptions and interrupts: what runs, what waits, what keeps it waiting.

use super::{Hex32, Registers};
use serde::{Deserialize, Serialize};

/// The interrupt controller and the exceptions of the core. Null is what was not captured or what
/// the core does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupts {
    /// Exceptions being handled, innermost first.
    pub active: Vec<String>,
    /// PRIMASK, FAULTMASK and BASEPRI, as far as known.
    pub masks: Registers,
    /// Address of the vector table.
    pub vector_table: Option<Hex32>,
    /// Lines that the controller has room for, a multiple of 32.
    pub lines: Option<u16>,
    /// AIRCR.PRIGROUP.
    pub priority_group: Option<u8>,
    /// Priority bits: 2 on Armv6-M; else as many as the captured priorities make use of, at least.
    pub priority_bits: Option<u8>,
    /// System handlers, then lines that are enabled, pending or active.
    pub exceptions: Vec<Exception>,
    /// The system timer.
    pub systick: Option<SysTick>,
    /// Registers that the dump lacks, by name.
    pub not_captured: Vec<String>,
}

/// One exception.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Exception number; interrupt 0 is 16.
    pub number: u16,
    /// `SysTick`, `IRQ 5`.
    pub name: String,
    /// The function that its vector leads to.
    pub handler: Option<String>,
    /// The function that the kernel's own table leads to, where the vector is the kernel's.
    pub service_routine: Option<String>,
    /// Whether it is taken when it pends.
    pub enabled: Option<bool>,
    /// Whether it waits to be taken.
    pub pending: Option<bool>,
    /// Whether its handler runs or was interrupted.
    pub active: Option<bool>,
    /// The priority byte, lower is more urgent; -2 NMI, -1 HardFault.
    pub priority: Option<i16>,
    /// The part of it that decides what interrupts what.
    pub group_priority: Option<i16>,
    /// `secure` or `non-secure` (Armv8-M).
    pub security: Option<String>,
    /// What keeps it from being taken, when it is pending.
    pub blocked_by: Vec<String>,
}

/// The system timer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SysTick {
    /// Whether it counts.
    pub enabled: bool,
    /// Whether it raises its exception at zero.
    pub interrupt: bool,
    /// `processor` or `external`.
    pub clock: String,
    /// Value that it restarts from.
    pub reload: Option<u32>,
    /// Value at the stop.
    pub current: Option<u32>,
}
