//! The compact binary coredump that the device SDK stores and that its GDB command sends.
//!
//! | part | bytes | content |
//! |---|---|---|
//! | header | 12 | magic `CORE`, version 1 or 2, size of the whole file |
//! | blocks | 12 + n | kind, three zero bytes, address, n; then n bytes |
//! | footer | 16 | version 2 only: magic `DUMP`, flags (bit 0: cut short), two zero words |
//!
//! Kind 0x80 holds further registers; its address is the number of the first one.
//!
//! The registers are those of the code that crashed; the device's handler has undone the
//! exception. Of other machines than Cortex-M nothing is read.

mod read;
#[cfg(test)]
mod tests;
mod write;

use crate::snapshot::Register;
pub use read::read;
pub use write::write;

/// Whether `bytes` begin like a coredump.
pub fn is_coredump(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

const MAGIC: &[u8; 4] = b"CORE";
const FOOTER_MAGIC: &[u8; 4] = b"DUMP";
const HEADER_SIZE: usize = 12;
const BLOCK_HEADER_SIZE: usize = 12;
const FOOTER_SIZE: usize = 16;
/// Footer flag: the storage was too small for all regions.
const FLAG_CUT_SHORT: u32 = 1;
/// Where version 1 keeps the time of the capture, in seconds since 1970-01-01 UTC.
const TIME_ADDRESS: u32 = 0xffff_fffc;

/// Kinds of block.
mod block {
    pub(super) const REGISTERS: u8 = 0;
    pub(super) const MEMORY: u8 = 1;
    pub(super) const DEVICE_SERIAL: u8 = 2;
    pub(super) const FIRMWARE_VERSION: u8 = 3;
    pub(super) const HARDWARE_VERSION: u8 = 4;
    pub(super) const REASON: u8 = 5;
    pub(super) const PADDING: u8 = 6;
    pub(super) const MACHINE: u8 = 7;
    pub(super) const MPU: u8 = 9;
    pub(super) const SOFTWARE_VERSION: u8 = 10;
    pub(super) const SOFTWARE_TYPE: u8 = 11;
    pub(super) const BUILD_ID: u8 = 12;
    /// Of this project's own SDK: registers that the register block has no room for.
    pub(super) const FURTHER_REGISTERS: u8 = 0x80;
}

/// Machine numbers: `e_machine` of ELF in the low half, a variant in the high half.
const MACHINES: [(u32, &str); 10] = [
    (0, "none"),
    (3, "i386"),
    (CORTEX_M, "Cortex-M"),
    (0x1_0028, "Cortex-R or Cortex-A"),
    (94, "Xtensa"),
    (0x1_005e, "Xtensa LX106"),
    (0x2_005e, "Xtensa LX7"),
    (0x3_005e, "Xtensa LX7 with two cores"),
    (183, "AArch64"),
    (243, "RISC-V"),
];
const CORTEX_M: u32 = 40;

/// Registers of a Cortex-M in the order of the register block; the last two only where a debugger
/// took the capture.
const REGISTERS: [&str; 21] = [
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr",
    "pc", "xpsr", "msp", "psp", "primask", "control",
];
/// How many of [`REGISTERS`] a device writes.
const DEVICE_REGISTERS: usize = 19;

/// Registers by the numbers of [`block::FURTHER_REGISTERS`], whose address is the first one's: where
/// a row of consecutive registers begins. `sdk/SPEC.md`, "Coredump".
const FURTHER_REGISTERS: [(u32, &str); 3] = [
    (0x00, "primask control basepri faultmask msplim psplim"),
    (0x10, "msp_ns psp_ns msplim_ns psplim_ns primask_ns basepri_ns faultmask_ns control_ns"),
    (0x60, "fpscr"),
];
/// Number of the first single-precision register; 31 follow.
const FURTHER_SINGLES: u32 = 0x40;
/// Behind the last number.
const FURTHER_END: u32 = 0x61;

/// The register with a number of [`FURTHER_REGISTERS`].
fn further_register(number: u32) -> Option<Register> {
    let single = number.checked_sub(FURTHER_SINGLES).filter(|single| *single < 32);
    if let Some(single) = single {
        return Register::single(u8::try_from(single).ok()?);
    }
    FURTHER_REGISTERS.iter().find_map(|(first, names)| {
        let at = usize::try_from(number.checked_sub(*first)?).ok()?;
        Register::from_name(names.split(' ').nth(at)?)
    })
}
