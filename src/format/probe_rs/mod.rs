//! Core dumps of probe-rs: one MessagePack map.
//!
//! | key | value |
//! |---|---|
//! | `registers` | map: number of the register (that of DCRSR, DDI 0403E C1.6.3, DDI 0553 D1.2) to `{"U32": value}` |
//! | `data` | array of `[{"start": address, "end": address}, bytes]` |
//! | `instruction_set` | `Thumb2` for Cortex-M |
//! | `core_type` | `armv6m`, `armv7m`, `armv7em`, `armv8m` |
//! | `supports_native_64bit_access`, `fpu_support`, `floating_point_register_count` | what they say |
//!
//! Source: dumps of probe-rs 0.2x.

mod message_pack;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::read;
pub use write::write;

/// Whether `bytes` begin like a dump: a short map whose first key is `registers`.
pub fn is_dump(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x81..=0x8f))
        && bytes.get(1..).is_some_and(|rest| rest.starts_with(b"\xa9registers"))
}

/// Registers by DCRSR.REGSEL.
const REGISTERS: [(u8, &str); 29] = [
    (0, "r0"),
    (1, "r1"),
    (2, "r2"),
    (3, "r3"),
    (4, "r4"),
    (5, "r5"),
    (6, "r6"),
    (7, "r7"),
    (8, "r8"),
    (9, "r9"),
    (10, "r10"),
    (11, "r11"),
    (12, "r12"),
    (13, "sp"),
    (14, "lr"),
    (15, "pc"),
    (16, "xpsr"),
    (17, "msp"),
    (18, "psp"),
    (0x18, "msp_ns"),
    (0x19, "psp_ns"),
    (0x1a, "msp_s"),
    (0x1b, "psp_s"),
    (0x1c, "msplim_s"),
    (0x1d, "psplim_s"),
    (0x1e, "msplim_ns"),
    (0x1f, "psplim_ns"),
    (0x21, "fpscr"),
    (FIRST_SINGLE, "s0"),
];
/// s0; s1 to s31 follow.
const FIRST_SINGLE: u8 = 0x40;
/// Four registers in one word, from bit 0 on, each with a `_s` and a `_ns` bank.
const MASKS: [&str; 4] = ["primask", "basepri", "faultmask", "control"];
/// Numbers of that word: of the current state, secure, non-secure.
const MASK_WORDS: [(u8, &str); 3] = [(20, ""), (0x22, "_s"), (0x23, "_ns")];
