//! Zephyr's own coredump (CONFIG_DEBUG_COREDUMP), as bytes and as the `#CD:` lines of a log.
//!
//! | part | bytes | content |
//! |---|---|---|
//! | header | 12 | `ZE`, u16 version 1 or 2, u16 target (3 is Cortex-M), u8 log2 of the pointer's bits, u8 flags, u32 reason |
//! | `A` | 5 + n | u16 version, u16 n; registers in an order of their own |
//! | `T` | 5 + n | u16 version, u16 n; the bytes of `_kernel` |
//! | `M` | 11 + n | u16 version, u32 start, u32 end; then the memory in between |
//! | `C` | 7 | u16 version, u32 CRC-32 of all before; with bit 0 of the flags |
//!
//! There is no size and no end mark. Source: Zephyr's documentation of the core dump module and
//! captures of 2.6.0 and 3.4.99; `C` and version 3 of `A` by their pull requests only.

mod log;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use log::{is_log, read_log};
pub use read::read;
pub use write::{write, write_log};

/// Whether `bytes` begin like a coredump.
pub fn is_coredump(bytes: &[u8]) -> bool {
    // The magic is short: the target and the size of a pointer belong to it.
    bytes.starts_with(MAGIC)
        && matches!(bytes.get(2..4), Some([1..=9, 0]))
        && matches!(bytes.get(4..7), Some([0..=15, 0, 5 | 6]))
}

const MAGIC: &[u8; 2] = b"ZE";
const HEADER_SIZE: usize = 12;
/// Flag of the header: a CRC follows everything else.
const FLAG_CRC: u8 = 1;
const CRC_BLOCK_SIZE: usize = 7;
/// log2 of 32, the size of a pointer.
const POINTER_BITS: u8 = 5;

/// Target codes.
const TARGETS: [(u16, &str); 7] = [
    (0, "unknown"),
    (1, "x86"),
    (2, "x86-64"),
    (CORTEX_M, "Cortex-M"),
    (4, "RISC-V"),
    (5, "Xtensa"),
    (6, "AArch64"),
];
const CORTEX_M: u16 = 3;

/// Registers of the `A` block, in its order. Version 1 ends after sp.
const REGISTERS: [&str; 17] = [
    "r0", "r1", "r2", "r3", "r12", "lr", "pc", "xpsr", "sp", "r4", "r5", "r6", "r7", "r8", "r9",
    "r10", "r11",
];
/// How many of [`REGISTERS`] hardware pushes, in this order.
const FRAME_REGISTERS: usize = 8;

/// CRC-32 as in Ethernet and zip: polynomial 0xedb88320, reflected.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 0 { 0 } else { 0xedb8_8320 }
        })
    })
}
