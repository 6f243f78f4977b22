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

/// What the source calls the codes of `enum k_fatal_error_reason` and `k_fatal_error_reason_arch`.
const NAMES: [(u32, &str); 26] = [
    (0, "K_ERR_CPU_EXCEPTION"),
    (1, "K_ERR_SPURIOUS_IRQ"),
    (2, "K_ERR_STACK_CHK_FAIL"),
    (3, "K_ERR_KERNEL_OOPS"),
    (4, "K_ERR_KERNEL_PANIC"),
    (16, "K_ERR_ARM_MEM_GENERIC"),
    (17, "K_ERR_ARM_MEM_STACKING"),
    (18, "K_ERR_ARM_MEM_UNSTACKING"),
    (19, "K_ERR_ARM_MEM_DATA_ACCESS"),
    (20, "K_ERR_ARM_MEM_INSTRUCTION_ACCESS"),
    (21, "K_ERR_ARM_MEM_FP_LAZY_STATE_PRESERVATION"),
    (22, "K_ERR_ARM_BUS_GENERIC"),
    (23, "K_ERR_ARM_BUS_STACKING"),
    (24, "K_ERR_ARM_BUS_UNSTACKING"),
    (25, "K_ERR_ARM_BUS_PRECISE_DATA_BUS"),
    (26, "K_ERR_ARM_BUS_IMPRECISE_DATA_BUS"),
    (27, "K_ERR_ARM_BUS_INSTRUCTION_BUS"),
    (28, "K_ERR_ARM_BUS_FP_LAZY_STATE_PRESERVATION"),
    (29, "K_ERR_ARM_USAGE_GENERIC"),
    (30, "K_ERR_ARM_USAGE_DIV_0"),
    (31, "K_ERR_ARM_USAGE_UNALIGNED_ACCESS"),
    (32, "K_ERR_ARM_USAGE_STACK_OVERFLOW"),
    (33, "K_ERR_ARM_USAGE_NO_COPROCESSOR"),
    (34, "K_ERR_ARM_USAGE_ILLEGAL_EXC_RETURN"),
    (35, "K_ERR_ARM_USAGE_ILLEGAL_EPSR"),
    (36, "K_ERR_ARM_USAGE_UNDEFINED_INSTRUCTION"),
];

/// Functions that are handed the code, in an argument called `reason`.
pub(super) const CARRIERS: &[&str] =
    &["z_arm_fatal_error", "z_fatal_error", "k_sys_fatal_error_handler", "arch_system_halt"];

/// What the source calls `code`.
pub(super) fn name(code: u32) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

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
    fn every_code_has_a_name_and_every_name_a_meaning() {
        for (code, _) in STATUS_BITS {
            assert!(name(code).is_some(), "{code}");
        }
        for (code, text) in NAMES {
            assert_eq!(name(code), Some(text));
            let bare = text.contains("GENERIC") || code == 0;
            assert_eq!(meaning(code) == FatalReason::Exception, bare, "{text}");
        }
        assert_eq!(name(5), None);
    }

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
