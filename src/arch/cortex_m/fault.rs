//! Every bit of the fault status registers, in words.
//!
//! Source: Armv7-M ARM (DDI 0403E) B3.2.13 to B3.2.19 and C1.6.1; bits that Armv8-M adds:
//! Armv8-M ARM (DDI 0553) D1.2 (CFSR.STKOF, SHCSR, SFSR, DFSR.PMU).

use super::system::{self, SystemRegister, SystemState};

/// What kind of fault a status bit belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// MemManage.
    MemManage,
    /// BusFault.
    Bus,
    /// UsageFault.
    Usage,
    /// HardFault.
    Hard,
    /// SecureFault (Armv8-M).
    Secure,
    /// State or debug information: not a cause by itself.
    Status,
}

/// One bit of a fault status register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultBit {
    /// The register that holds it.
    pub register: SystemRegister,
    /// Bit number, 0 to 31.
    pub bit: u8,
    /// Name as in the manual.
    pub name: &'static str,
    /// What it means when set.
    pub meaning: &'static str,
    /// The fault it belongs to.
    pub kind: FaultKind,
}

const fn row(
    register: SystemRegister,
    bit: u8,
    name: &'static str,
    kind: FaultKind,
    meaning: &'static str,
) -> FaultBit {
    FaultBit { register, bit, name, meaning, kind }
}

use FaultKind::{Bus, Hard, MemManage, Secure, Status, Usage};
use system::{CFSR, CFSR_NS, DFSR, HFSR, SFSR, SHCSR};

/// All bits that have a meaning, by register and bit number.
pub const FAULT_BITS: &[FaultBit] = &[
    // CFSR bits 7:0 are MMFSR. DDI 0403E B3.2.15.
    row(CFSR, 0, "IACCVIOL", MemManage, "instruction fetch from a location the MPU forbids"),
    row(CFSR, 1, "DACCVIOL", MemManage, "data access to a location the MPU forbids"),
    row(CFSR, 3, "MUNSTKERR", MemManage, "MPU violation while unstacking on exception return"),
    row(CFSR, 4, "MSTKERR", MemManage, "MPU violation while stacking on exception entry"),
    row(CFSR, 5, "MLSPERR", MemManage, "MPU violation during lazy floating-point stacking"),
    row(CFSR, 7, "MMARVALID", Status, "MMFAR holds the address of the access"),
    // CFSR bits 15:8 are BFSR.
    row(CFSR, 8, "IBUSERR", Bus, "bus error on an instruction fetch"),
    row(CFSR, 9, "PRECISERR", Bus, "bus error on a data access, reported at the instruction"),
    row(
        CFSR,
        10,
        "IMPRECISERR",
        Bus,
        "bus error on an earlier write; the stacked PC is not the culprit",
    ),
    row(CFSR, 11, "UNSTKERR", Bus, "bus error while unstacking on exception return"),
    row(CFSR, 12, "STKERR", Bus, "bus error while stacking on exception entry"),
    row(CFSR, 13, "LSPERR", Bus, "bus error during lazy floating-point stacking"),
    row(CFSR, 15, "BFARVALID", Status, "BFAR holds the address of the access"),
    // CFSR bits 31:16 are UFSR.
    row(CFSR, 16, "UNDEFINSTR", Usage, "undefined instruction"),
    row(CFSR, 17, "INVSTATE", Usage, "execution with EPSR.T clear: the branch target lacks bit 0"),
    row(CFSR, 18, "INVPC", Usage, "exception return with an invalid EXC_RETURN or stack"),
    row(CFSR, 19, "NOCP", Usage, "coprocessor or FPU instruction while it is disabled or absent"),
    row(CFSR, 20, "STKOF", Usage, "stack pointer went below its limit (MSPLIM or PSPLIM)"),
    row(CFSR, 24, "UNALIGNED", Usage, "unaligned access that the core or CCR forbids"),
    row(CFSR, 25, "DIVBYZERO", Usage, "integer division by zero with CCR.DIV_0_TRP set"),
    // HFSR. DDI 0403E B3.2.16.
    row(HFSR, 1, "VECTTBL", Hard, "the vector table could not be read"),
    row(HFSR, 30, "FORCED", Hard, "a configurable fault was escalated to HardFault"),
    row(HFSR, 31, "DEBUGEVT", Hard, "a debug event (BKPT) with no debugger to take it"),
    // DFSR. DDI 0403E C1.6.1; PMU: DDI 0553.
    row(DFSR, 0, "HALTED", Status, "halted by request of the debugger, or after a step"),
    row(DFSR, 1, "BKPT", Status, "breakpoint"),
    row(DFSR, 2, "DWTTRAP", Status, "watchpoint or trace unit"),
    row(DFSR, 3, "VCATCH", Status, "vector catch"),
    row(DFSR, 4, "EXTERNAL", Status, "external debug request"),
    row(DFSR, 5, "PMU", Status, "performance counter overflow"),
    // SHCSR. DDI 0403E B3.2.13; bits 2, 4, 5, 19, 20, 21: DDI 0553.
    row(SHCSR, 0, "MEMFAULTACT", Status, "MemManage is active"),
    row(SHCSR, 1, "BUSFAULTACT", Status, "BusFault is active"),
    row(SHCSR, 2, "HARDFAULTACT", Status, "HardFault is active"),
    row(SHCSR, 3, "USGFAULTACT", Status, "UsageFault is active"),
    row(SHCSR, 4, "SECUREFAULTACT", Status, "SecureFault is active"),
    row(SHCSR, 5, "NMIACT", Status, "NMI is active"),
    row(SHCSR, 7, "SVCALLACT", Status, "SVCall is active"),
    row(SHCSR, 8, "MONITORACT", Status, "DebugMonitor is active"),
    row(SHCSR, 10, "PENDSVACT", Status, "PendSV is active"),
    row(SHCSR, 11, "SYSTICKACT", Status, "SysTick is active"),
    row(SHCSR, 12, "USGFAULTPENDED", Status, "UsageFault is pending"),
    row(SHCSR, 13, "MEMFAULTPENDED", Status, "MemManage is pending"),
    row(SHCSR, 14, "BUSFAULTPENDED", Status, "BusFault is pending"),
    row(SHCSR, 15, "SVCALLPENDED", Status, "SVCall is pending"),
    row(SHCSR, 16, "MEMFAULTENA", Status, "MemManage is enabled"),
    row(SHCSR, 17, "BUSFAULTENA", Status, "BusFault is enabled"),
    row(SHCSR, 18, "USGFAULTENA", Status, "UsageFault is enabled"),
    row(SHCSR, 19, "SECUREFAULTENA", Status, "SecureFault is enabled"),
    row(SHCSR, 20, "SECUREFAULTPENDED", Status, "SecureFault is pending"),
    row(SHCSR, 21, "HARDFAULTPENDED", Status, "HardFault is pending"),
    // SFSR. DDI 0553 D1.2.
    row(SFSR, 0, "INVEP", Secure, "non-secure code called secure code past an SG instruction"),
    row(SFSR, 1, "INVIS", Secure, "integrity signature missing or wrong on the stack"),
    row(SFSR, 2, "INVER", Secure, "EXC_RETURN names the wrong security state"),
    row(SFSR, 3, "AUVIOL", Secure, "non-secure access to secure memory"),
    row(SFSR, 4, "INVTRAN", Secure, "branch from secure to non-secure code without BXNS or BLXNS"),
    row(SFSR, 5, "LSPERR", Secure, "security violation during lazy floating-point stacking"),
    row(SFSR, 6, "SFARVALID", Status, "SFAR holds the address of the access"),
    row(SFSR, 7, "LSERR", Secure, "error in the lazy floating-point state"),
];

/// Every bit that is set in the captured fault status registers, in the order of the table; those of
/// the non-secure bank as `CFSR_NS`.
pub fn set_bits(state: &SystemState) -> Vec<FaultBit> {
    let banks = |row: &FaultBit| {
        let twin = (row.register == CFSR).then_some(FaultBit { register: CFSR_NS, ..*row });
        [Some(*row), twin].into_iter().flatten()
    };
    let is_set =
        |row: &FaultBit| state.get(row.register).is_some_and(|value| value >> row.bit & 1 == 1);
    FAULT_BITS.iter().flat_map(banks).filter(is_set).collect()
}

/// Whether the bit called `name` of `register` is set, in either bank.
pub fn is_set(state: &SystemState, register: SystemRegister, name: &str) -> bool {
    let is_meant = |bit: &FaultBit| {
        bit.name == name
            && (bit.register == register || (register == CFSR && bit.register == CFSR_NS))
    };
    set_bits(state).iter().any(is_meant)
}

/// The address of the faulting access with the register it was read from, when one is marked
/// valid: MMFAR by CFSR.MMARVALID, BFAR by CFSR.BFARVALID, SFAR by SFSR.SFARVALID.
pub fn fault_address(state: &SystemState) -> Option<(SystemRegister, u32)> {
    let valid = [
        (CFSR, "MMARVALID", system::MMFAR),
        (CFSR_NS, "MMARVALID", system::MMFAR_NS),
        (CFSR, "BFARVALID", system::BFAR),
        (SFSR, "SFARVALID", system::SFAR),
    ];
    let bits = set_bits(state);
    let is_set = |register, name| bits.iter().any(|b| b.register == register && b.name == name);
    valid.into_iter().find_map(|(status, bit, address)| {
        is_set(status, bit).then(|| state.get(address).map(|value| (address, value)))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Address;
    use crate::snapshot::MemoryImage;

    fn state(values: &[(SystemRegister, u32)]) -> SystemState {
        let mut memory = MemoryImage::default();
        for (register, value) in values {
            memory.insert(register.address, value.to_le_bytes().to_vec()).unwrap();
        }
        SystemState::read(&memory)
    }

    #[test]
    fn every_row_is_reported_alone_and_only_once() {
        for (index, row) in FAULT_BITS.iter().enumerate() {
            let alone = set_bits(&state(&[(row.register, 1 << row.bit)]));
            assert_eq!(alone, [*row], "{}", row.name);
            let twin = FAULT_BITS[..index]
                .iter()
                .any(|other| (other.register, other.bit) == (row.register, row.bit));
            assert!(!twin, "{} stands twice", row.name);
        }
    }

    #[test]
    fn all_bits_at_once_are_all_reported() {
        let all = [CFSR, HFSR, DFSR, SHCSR, SFSR].map(|register| (register, u32::MAX));
        assert_eq!(set_bits(&state(&all)).len(), FAULT_BITS.len());
    }

    #[test]
    fn bits_of_the_non_secure_bank_count_as_well() {
        let state = state(&[(CFSR, 0), (CFSR_NS, 0x82), (system::MMFAR_NS, 0x2820_0000)]);
        let names: Vec<_> =
            set_bits(&state).iter().map(|bit| (bit.register.name, bit.name)).collect();
        assert_eq!(names, [("CFSR_NS", "DACCVIOL"), ("CFSR_NS", "MMARVALID")]);
        assert!(is_set(&state, CFSR, "DACCVIOL"));
        assert_eq!(fault_address(&state), Some((system::MMFAR_NS, 0x2820_0000)));
    }

    #[test]
    fn address_counts_only_when_its_valid_bit_is_set() {
        let invalid = state(&[(CFSR, 0x0000_0400), (system::BFAR, 0x4000_0000)]);
        assert_eq!(fault_address(&invalid), None);
        let valid = state(&[(CFSR, 0x0000_8200), (system::BFAR, 0x4000_0000)]);
        assert_eq!(fault_address(&valid), Some((system::BFAR, 0x4000_0000)));
        assert_eq!(system::BFAR.address, Address(0xe000_ed38));
    }
}
