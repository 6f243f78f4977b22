//! ELF cores of Arm machines: the file in which captures are kept.
//!
//! Written so that GDB, LLDB and readelf open them; our additions are notes with the owner
//! `MFLT`. Read from anywhere: `gcore`, scripts, this program. The layout stands in
//! `docs/elf-core.md`; sources: the System V ABI (ELF header, program headers, notes),
//! Linux `struct elf_prstatus` for Arm, and what GDB's `arm-none-tdep.c` expects.

mod notes;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::read;
pub use write::write;

/// Value of [`crate::snapshot::Origin::format`] for cores that do not say how they were taken.
pub const FORMAT_NAME: &str = "elf core";

/// Whether `bytes` begin like an ELF file of any kind.
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

const HEADER_SIZE: u16 = 52;
const PROGRAM_HEADER_SIZE: u16 = 32;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
/// `e_phnum` that refers to `sh_info` of the first section header.
const PN_XNUM: u16 = 0xffff;

/// Note types of the owner `CORE` and `LINUX`.
const NT_PRSTATUS: u32 = 1;
const NT_ARM_VFP: u32 = 0x400;

/// Note types of the owner `MFLT`. Far from the system's own numbers: GDB's BFD looks only at
/// the type when it does not know the owner, and would take a type 1 for a thread.
const NT_MFLT_REGISTERS: u32 = 0x4d46_0001;
const NT_MFLT_IDENTITY: u32 = 0x4d46_0002;
const NT_MFLT_CAPTURE: u32 = 0x4d46_0003;
const NT_MFLT_GAPS: u32 = 0x4d46_0004;
const NT_MFLT_REDACTED: u32 = 0x4d46_0005;

/// Size and fields of Linux `struct elf_prstatus` for 32-bit Arm.
mod prstatus {
    pub(super) const SIZE: usize = 148;
    pub(super) const CURSIG: usize = 12;
    pub(super) const PID: usize = 24;
    pub(super) const REGISTERS: usize = 72;
    /// r0 to r15, cpsr; a word of `orig_r0` and one of `pr_fpvalid` follow.
    pub(super) const REGISTER_COUNT: u8 = 17;
}
