//! What Zephyr's fatal error codes mean.
//!
//! The kernel clears the fault status registers on its way to the last loop; the code that it
//! passes along keeps what they said. `enum k_fatal_error_reason`, since 3.x extended by the
//! Cortex-M codes from `K_ERR_ARCH_START` (16) on.

use crate::rtos::FatalReason;

/// Code and name of the status bit that the kernel saw.
const STATUS_BITS: [(u32, &str); 18] = [
    (17, "MSTKERR"),
    (18, "MUNSTKERR"),
    (19, "DACCVIOL"),
    (20, "IACCVIOL"),
    (21, "MLSPERR"),
    (23, "STKERR"),
    (24, "UNSTKERR"),
    (25, "PRECISERR"),
    (26, "IMPRECISERR"),
    (27, "IBUSERR"),
    (28, "LSPERR"),
    (30, "DIVBYZERO"),
    (31, "UNALIGNED"),
    (32, "STKOF"),
    (33, "NOCP"),
    (34, "INVPC"),
    (35, "INVSTATE"),
    (36, "UNDEFINSTR"),
];

/// Functions that are handed the code, in an argument called `reason`.
pub(super) const CARRIERS: &[&str] =
    &["z_arm_fatal_error", "z_fatal_error", "k_sys_fatal_error_handler", "arch_system_halt"];

/// The meaning of `code`.
pub(super) fn meaning(code: u32) -> FatalReason {
    match code {
        1 => FatalReason::SpuriousInterrupt,
        2 => FatalReason::StackCheck,
        3 => FatalReason::Oops,
        4 | 5 => FatalReason::Panic,
        _ => STATUS_BITS
            .iter()
            .find(|(known, _)| *known == code)
            .map_or(FatalReason::Exception, |(_, bit)| FatalReason::StatusBit(bit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::cortex_m::fault::FAULT_BITS;

    #[test]
    fn every_code_names_a_bit_of_cfsr() {
        for (code, name) in STATUS_BITS {
            let row = FAULT_BITS.iter().find(|row| row.register.name == "CFSR" && row.name == name);
            assert!(row.is_some(), "{name}");
            assert_eq!(meaning(code), FatalReason::StatusBit(name));
        }
        assert_eq!(meaning(2), FatalReason::StackCheck);
        assert_eq!(meaning(0), FatalReason::Exception);
    }
}
