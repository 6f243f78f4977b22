//! The System Control Space as captured: which registers there are and what they hold.
//!
//! Source: Armv7-M ARM (DDI 0403E) B3.2, Armv8-M ARM (DDI 0553) D1.2.

use crate::base::{Address, Memory};

/// A 32-bit register of the System Control Space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemRegister {
    /// Name as in the Arm manual.
    pub name: &'static str,
    /// Where it stands.
    pub address: Address,
}

const fn register(name: &'static str, address: u32) -> SystemRegister {
    SystemRegister { name, address: Address(address) }
}

/// CPU identification. DDI 0403E B3.2.3.
pub const CPUID: SystemRegister = register("CPUID", 0xe000_ed00);
/// Interrupt control and state; bits 8:0 VECTACTIVE. DDI 0403E B3.2.4.
pub const ICSR: SystemRegister = register("ICSR", 0xe000_ed04);
/// Vector table offset. DDI 0403E B3.2.5.
pub const VTOR: SystemRegister = register("VTOR", 0xe000_ed08);
/// Application interrupt and reset control. DDI 0403E B3.2.6.
pub const AIRCR: SystemRegister = register("AIRCR", 0xe000_ed0c);
/// Configuration and control. DDI 0403E B3.2.8.
pub const CCR: SystemRegister = register("CCR", 0xe000_ed14);
/// System handler control and state. DDI 0403E B3.2.13.
pub const SHCSR: SystemRegister = register("SHCSR", 0xe000_ed24);
/// Configurable fault status: MMFSR, BFSR and UFSR. DDI 0403E B3.2.15.
pub const CFSR: SystemRegister = register("CFSR", 0xe000_ed28);
/// HardFault status. DDI 0403E B3.2.16.
pub const HFSR: SystemRegister = register("HFSR", 0xe000_ed2c);
/// Debug fault status. DDI 0403E C1.6.1.
pub const DFSR: SystemRegister = register("DFSR", 0xe000_ed30);
/// MemManage fault address. DDI 0403E B3.2.17.
pub const MMFAR: SystemRegister = register("MMFAR", 0xe000_ed34);
/// BusFault address. DDI 0403E B3.2.18.
pub const BFAR: SystemRegister = register("BFAR", 0xe000_ed38);
/// Auxiliary fault status, implementation defined. DDI 0403E B3.2.19.
pub const AFSR: SystemRegister = register("AFSR", 0xe000_ed3c);
/// Coprocessor access control. DDI 0403E B3.2.20.
pub const CPACR: SystemRegister = register("CPACR", 0xe000_ed88);
/// SecureFault status (Armv8-M). DDI 0553 D1.2.
pub const SFSR: SystemRegister = register("SFSR", 0xe000_ede4);
/// SecureFault address (Armv8-M). DDI 0553 D1.2.
pub const SFAR: SystemRegister = register("SFAR", 0xe000_ede8);
/// Debug halting control and status. DDI 0403E C1.6.2.
pub const DHCSR: SystemRegister = register("DHCSR", 0xe000_edf0);
/// Floating-point context control. DDI 0403E B3.2.21.
pub const FPCCR: SystemRegister = register("FPCCR", 0xe000_ef34);
/// Floating-point context address. DDI 0403E B3.2.22.
pub const FPCAR: SystemRegister = register("FPCAR", 0xe000_ef38);

/// CFSR of the non-secure world, as secure code sees it: MemManage and UsageFault are banked.
/// DDI 0553 D1.2.
pub const CFSR_NS: SystemRegister = register("CFSR_NS", 0xe002_ed28);
/// MMFAR of the non-secure world.
pub const MMFAR_NS: SystemRegister = register("MMFAR_NS", 0xe002_ed34);

/// The registers that a report lists, in the order in which people read them.
pub const REPORTED: [SystemRegister; 20] = [
    CFSR, HFSR, DFSR, MMFAR, BFAR, AFSR, SHCSR, SFSR, SFAR, CFSR_NS, MMFAR_NS, ICSR, VTOR, AIRCR,
    CCR, CPACR, FPCCR, FPCAR, DHCSR, CPUID,
];

/// Armv6-M, Armv7-M, Armv8-M: decides which registers exist and how frames are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Cortex-M0, M0+, M1: no CFSR, every fault is a HardFault.
    V6M,
    /// Cortex-M3, M4, M7.
    V7M,
    /// Cortex-M23: the baseline, which has no CFSR either.
    V8MBaseline,
    /// Cortex-M33 and later.
    V8MMainline,
}

impl Architecture {
    /// Whether CFSR, HFSR, MMFAR and BFAR exist.
    pub fn has_fault_status(self) -> bool {
        matches!(self, Architecture::V7M | Architecture::V8MMainline)
    }
}

/// The core that a CPUID value names, and its architecture.
///
/// CPUID: bits 31:24 implementer (0x41 Arm), 15:4 part number. DDI 0403E B3.2.3.
pub fn core_name(cpuid: u32) -> Option<(&'static str, Architecture)> {
    use Architecture::{V6M, V7M, V8MBaseline, V8MMainline};
    if cpuid >> 24 != 0x41 {
        return None;
    }
    Some(match (cpuid >> 4) & 0xfff {
        0xc20 => ("Cortex-M0", V6M),
        0xc60 => ("Cortex-M0+", V6M),
        0xc21 => ("Cortex-M1", V6M),
        0xc23 => ("Cortex-M3", V7M),
        0xc24 => ("Cortex-M4", V7M),
        0xc27 => ("Cortex-M7", V7M),
        0xd20 => ("Cortex-M23", V8MBaseline),
        0xd21 => ("Cortex-M33", V8MMainline),
        0xd31 => ("Cortex-M35P", V8MMainline),
        0xd22 => ("Cortex-M55", V8MMainline),
        0xd23 => ("Cortex-M85", V8MMainline),
        0xd24 => ("Cortex-M52", V8MMainline),
        _ => return None,
    })
}

/// The System Control Space of one snapshot, read through its memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemState {
    values: Vec<(SystemRegister, u32)>,
}

impl SystemState {
    /// Reads what `memory` holds of [`REPORTED`]. On cores without fault status registers
    /// (Armv6-M) the words at those addresses are reserved and left out.
    pub fn read(memory: &dyn Memory) -> SystemState {
        let cpuid = memory.read_u32(CPUID.address).ok();
        let architecture = cpuid.and_then(core_name).map(|(_, architecture)| architecture);
        let exists = |register: &SystemRegister| match architecture {
            Some(a) if !a.has_fault_status() => {
                [ICSR, VTOR, AIRCR, CCR, SHCSR, DFSR, DHCSR, CPUID].contains(register)
            }
            Some(Architecture::V7M) => ![SFSR, SFAR, CFSR_NS, MMFAR_NS].contains(register),
            _ => true,
        };
        let values = REPORTED
            .iter()
            .filter(|register| exists(register))
            .filter_map(|register| Some((*register, memory.read_u32(register.address).ok()?)))
            .collect();
        SystemState { values }
    }

    /// The value of `register`, when it was captured.
    pub fn get(&self, register: SystemRegister) -> Option<u32> {
        self.values.iter().find(|(known, _)| *known == register).map(|(_, value)| *value)
    }

    /// Captured registers with their values, in reading order.
    pub fn iter(&self) -> impl Iterator<Item = (SystemRegister, u32)> + '_ {
        self.values.iter().copied()
    }

    /// The architecture, when CPUID names a core of Arm's.
    pub fn architecture(&self) -> Option<Architecture> {
        self.get(CPUID).and_then(core_name).map(|(_, architecture)| architecture)
    }

    /// The core's name, for example `Cortex-M4`.
    pub fn core(&self) -> Option<&'static str> {
        self.get(CPUID).and_then(core_name).map(|(name, _)| name)
    }

    /// Number of the exception that is being handled (ICSR.VECTACTIVE); 0 is thread mode.
    pub fn active_exception(&self) -> Option<u16> {
        self.get(ICSR).map(|icsr| (icsr & 0x1ff) as u16)
    }

    /// Whether the core reports lockup (DHCSR.S_LOCKUP, bit 19).
    pub fn locked_up(&self) -> bool {
        self.get(DHCSR).is_some_and(|dhcsr| dhcsr & (1 << 19) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    #[test]
    fn fault_status_of_armv6m_is_left_out() {
        let mut memory = MemoryImage::default();
        let mut scb = vec![0xff; 0x90];
        scb[..4].copy_from_slice(&0x410c_c200u32.to_le_bytes());
        memory.insert(Address(0xe000_ed00), scb).unwrap();
        let state = SystemState::read(&memory);
        assert_eq!(state.core(), Some("Cortex-M0"));
        assert_eq!(state.get(CFSR), None);
        assert_eq!(state.active_exception(), Some(0x1ff));
    }
}
