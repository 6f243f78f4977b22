//! Arm Cortex-M: Armv6-M, Armv7-M and Armv8-M with and without the Security Extension.
//!
//! Sources: Armv6-M ARM (DDI 0419), Armv7-M ARM (DDI 0403), Armv8-M ARM (DDI 0553).

// The arithmetic of the decoders of instructions is on fields of at most 25 bits, widened first; what
// it gives is added to addresses modulo 2^32 and to depths with saturation.
#[allow(clippy::arithmetic_side_effects)]
pub mod dataflow;
#[cfg(feature = "disasm")]
pub mod disassembler;
pub mod exception;
pub mod fault;
#[allow(clippy::arithmetic_side_effects)]
mod immediate;
#[allow(clippy::arithmetic_side_effects)]
pub mod instruction;
// Numbers of lines are at most 512, shifts at most 31, counters at most 24 bits wide.
#[allow(clippy::arithmetic_side_effects)]
pub mod interrupts;
// Sizes and offsets of regions are at most 2^32, in 64 bits; region numbers a byte, counted in words.
#[allow(clippy::arithmetic_side_effects)]
pub mod mpu;
#[allow(clippy::arithmetic_side_effects)]
pub mod prologue;
pub mod security;
pub mod system;
