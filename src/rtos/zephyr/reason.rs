//! What Zephyr's fatal error codes mean.
//!
//! The kernel clears the fault status registers on its way to the last loop; the code that it
//! passes along keeps what they said. `enum k_fatal_error_reason`, since 3.x extended by the
//! Cortex-M codes from `K_ERR_ARCH_START` (16) on; up to 1.14 the numbers of
//! `include/arch/arm/cortex_m/error.h`, of which three mean something else.

use crate::rtos::FatalReason;
use crate::symbols::SymbolFile;

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

/// What the source of 1.14 and before calls the codes, and their meaning.
const OLD: [(u32, &str, FatalReason); 6] = [
    (0, "_NANO_ERR_HW_EXCEPTION", FatalReason::Exception),
    (2, "_NANO_ERR_STACK_CHK_FAIL", FatalReason::StackCheck),
    (3, "_NANO_ERR_ALLOCATION_FAIL", FatalReason::OutOfMemory),
    (4, "_NANO_ERR_KERNEL_OOPS", FatalReason::Oops),
    (5, "_NANO_ERR_KERNEL_PANIC", FatalReason::Panic),
    (6, "_NANO_ERR_RECOVERABLE", FatalReason::Exception),
];

/// Handlers of fatal errors that only kernels with the old codes have: of 1.14, and before.
const OLD_HANDLERS: [&str; 2] = ["z_NanoFatalErrorHandler", "_NanoFatalErrorHandler"];

/// Functions that are handed the code, in an argument called `reason`: of today, then of 1.14.
pub(super) const CARRIERS: &[&str] = &[
    "z_arm_fatal_error",
    "z_fatal_error",
    "k_sys_fatal_error_handler",
    "arch_system_halt",
    "z_NanoFatalErrorHandler",
    "z_SysFatalErrorHandler",
];

/// `_SVC_CALL_RUNTIME_EXCEPT`: the SVC that raises a fatal error, the code in r0.
pub(super) const FATAL_SVC: u8 = 2;

/// Which numbers a kernel uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codes {
    /// `enum k_fatal_error_reason`, since 2.0.
    Current,
    /// `_NANO_ERR_…`, up to 1.14.
    Old,
}

impl Codes {
    /// Those of the kernel in `symbols`.
    pub(super) fn of(symbols: &SymbolFile<'_>) -> Codes {
        match OLD_HANDLERS.iter().any(|name| symbols.symbol(name).is_some()) {
            true => Codes::Old,
            false => Codes::Current,
        }
    }

    /// What the source calls `code`.
    pub(super) fn name(self, code: u32) -> Option<&'static str> {
        match self {
            Codes::Current => NAMES.iter().find(|(known, _)| *known == code).map(|row| row.1),
            Codes::Old => OLD.iter().find(|(known, ..)| *known == code).map(|row| row.1),
        }
    }

    /// The meaning of `code`.
    pub(super) fn meaning(self, code: u32) -> FatalReason {
        if self == Codes::Old {
            let row = OLD.iter().find(|(known, ..)| *known == code);
            return row.map_or(FatalReason::Exception, |row| row.2);
        }
        match code {
            1 => FatalReason::SpuriousInterrupt,
            2 => FatalReason::StackCheck,
            3 => FatalReason::Oops,
            4 => FatalReason::Panic,
            _ => STATUS_BITS
                .iter()
                .find(|(known, _)| *known == code)
                .map_or(FatalReason::Exception, |(_, bit)| FatalReason::StatusBit(bit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::cortex_m::fault::FAULT_BITS;

    #[test]
    fn every_code_has_a_name_and_every_name_a_meaning() {
        for (code, _) in STATUS_BITS {
            assert!(Codes::Current.name(code).is_some(), "{code}");
        }
        for (code, text) in NAMES {
            assert_eq!(Codes::Current.name(code), Some(text));
            let bare = text.contains("GENERIC") || code == 0;
            assert_eq!(Codes::Current.meaning(code) == FatalReason::Exception, bare, "{text}");
        }
        assert_eq!(Codes::Current.name(5), None);
    }

    #[test]
    fn old_codes_are_told_from_those_of_today() {
        for (code, text, meant) in OLD {
            assert_eq!(Codes::Old.name(code), Some(text));
            assert_eq!(Codes::Old.meaning(code), meant, "{text}");
        }
        assert_eq!(Codes::Current.meaning(4), FatalReason::Panic);
        assert_eq!(Codes::Old.meaning(4), FatalReason::Oops);
        assert_eq!(Codes::Old.name(16), None);
    }

    #[test]
    fn every_code_names_a_bit_of_cfsr() {
        for (code, name) in STATUS_BITS {
            let row = FAULT_BITS.iter().find(|row| row.register.name == "CFSR" && row.name == name);
            assert!(row.is_some(), "{name}");
            assert_eq!(Codes::Current.meaning(code), FatalReason::StatusBit(name));
        }
        assert_eq!(Codes::Current.meaning(2), FatalReason::StackCheck);
        assert_eq!(Codes::Current.meaning(0), FatalReason::Exception);
    }
}
