//! Arm Cortex-M: Armv6-M, Armv7-M and Armv8-M with and without the Security Extension.
//!
//! Sources: Armv6-M ARM (DDI 0419), Armv7-M ARM (DDI 0403), Armv8-M ARM (DDI 0553).

pub mod exception;
pub mod fault;
pub mod instruction;
pub mod prologue;
pub mod system;
