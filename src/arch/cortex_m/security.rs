//! The two worlds of the Security Extension: banked stack pointers, calls from one into the other.
//!
//! Source: Armv8-M ARM (DDI 0553) B3.16 (security state transitions), B3.18 (EXC_RETURN), D1.2
//! (ID_PFR1).

use super::exception::ExcReturn;
use super::system::{Architecture, CPUID, core_name};
use crate::base::{Address, Memory};
use crate::snapshot::{Register, RegisterSet};

/// A security state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// Secure.
    Secure,
    /// Non-secure.
    NonSecure,
}

/// Processor features; bits 7:4 tell the Security Extension. DDI 0553 D1.2.
pub const ID_PFR1: Address = Address(0xe000_ed44);
/// FNC_RETURN without its lowest bit: LR in a non-secure function that secure code called.
const FUNCTION_RETURN: u32 = 0xfeff_fffe;

/// Whether the core has the Security Extension, as far as `word` tells, which reads a register. Other
/// architectures have other features in the same place.
pub fn has_security_extension(word: impl Fn(Address) -> Option<u32>) -> bool {
    let architecture = word(CPUID.address).and_then(core_name);
    let is_v8 = architecture.is_some_and(|(_, architecture)| {
        matches!(architecture, Architecture::V8MMainline | Architecture::V8MBaseline)
    });
    is_v8 && word(ID_PFR1).is_some_and(|features| features >> 4 & 0xf != 0)
}

/// Whether `target`, found as a return address, leads from non-secure code back into secure code.
pub fn is_function_return(target: u32) -> bool {
    target & !1 == FUNCTION_RETURN
}

/// The return address in the two words that BLXNS pushed at `sp`; the other holds parts of xPSR.
pub fn call_frame(memory: &dyn Memory, sp: Address) -> Option<u32> {
    /// RETPSR: SFPA (bit 20) and the exception number; all others are zero.
    const KEPT: u32 = 1 << 20 | 0x1ff;
    let status = memory.read_u32(sp.checked_add(4)?).ok()?;
    let target = memory.read_u32(sp).ok()?;
    (status & !KEPT == 0 && target & 1 == 1).then_some(target)
}

/// Bytes that BLXNS pushes.
pub const CALL_FRAME_SIZE: i64 = 8;

impl World {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            World::Secure => "secure",
            World::NonSecure => "non-secure",
        }
    }

    /// The world of what an exception with `exc_return` interrupted (EXC_RETURN.S).
    pub fn interrupted(exc_return: ExcReturn) -> World {
        if exc_return.from_secure() { World::Secure } else { World::NonSecure }
    }

    /// The world that handles the exception (EXC_RETURN.ES).
    pub fn handling(exc_return: ExcReturn) -> World {
        if exc_return.taken_to_secure() { World::Secure } else { World::NonSecure }
    }

    /// Its banked MSP.
    pub fn main_stack(self) -> Register {
        match self {
            World::Secure => Register::MSP_S,
            World::NonSecure => Register::MSP_NS,
        }
    }

    /// Its banked PSP.
    pub fn process_stack(self) -> Register {
        match self {
            World::Secure => Register::PSP_S,
            World::NonSecure => Register::PSP_NS,
        }
    }

    /// Its banked CONTROL, of which only SPSEL (bit 1) is looked at.
    pub fn control(self) -> Register {
        match self {
            World::Secure => Register::CONTROL_S,
            World::NonSecure => Register::CONTROL_NS,
        }
    }

    /// The stack pointers that this world may use, as far as `registers` knows them: the one that
    /// CONTROL.SPSEL selects, both when that is not known. Handlers use MSP. Whether the first one is
    /// certain to be it.
    pub fn stack_pointers(self, registers: &RegisterSet, in_handler: bool) -> (Vec<Address>, bool) {
        let selected = registers.get(self.control()).map(|control| control & 2 != 0);
        let banks: &[Register] = match (in_handler, selected) {
            (true, _) | (_, Some(false)) => &[self.main_stack()],
            (_, Some(true)) => &[self.process_stack()],
            (_, None) => &[self.process_stack(), self.main_stack()],
        };
        let known = banks.iter().filter_map(|bank| registers.get(*bank));
        let known = known.filter(|value| *value != 0).map(Address).collect();
        (known, in_handler || selected.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    #[test]
    fn security_extension_is_told_by_id_pfr1_of_armv8m() {
        let has = |cpuid, features| {
            has_security_extension(|at| Some(if at == ID_PFR1 { features } else { cpuid }))
        };
        assert!(has(0x411f_d210, 0x210));
        assert!(!has(0x411f_d210, 0x200));
        assert!(!has(0x410f_c240, 0x210));
        assert!(!has_security_extension(|_| None));
    }

    #[test]
    fn call_frame_holds_an_odd_address_and_a_partial_xpsr() {
        let at = Address(0x3800_0000);
        assert_eq!(
            call_frame(&MemoryImage::of_words(at.0, &[0x1000_0301, 3]), at),
            Some(0x1000_0301)
        );
        assert_eq!(
            call_frame(&MemoryImage::of_words(at.0, &[0x1000_0301, 1 << 20]), at),
            Some(0x1000_0301)
        );
        assert_eq!(call_frame(&MemoryImage::of_words(at.0, &[0x1000_0301, 1 << 24]), at), None);
        assert_eq!(call_frame(&MemoryImage::of_words(at.0, &[0x1000_0300, 0]), at), None);
        assert_eq!(call_frame(&MemoryImage::of_words(at.0, &[0x1000_0301]), at), None);
    }

    #[test]
    fn stack_pointer_is_the_one_that_control_selects() {
        let mut registers = RegisterSet::default();
        registers.set(Register::MSP_NS, 0x100);
        registers.set(Register::PSP_NS, 0x200);
        let world = World::NonSecure;
        let both = vec![Address(0x200), Address(0x100)];
        assert_eq!(world.stack_pointers(&registers, true), (vec![Address(0x100)], true));
        assert_eq!(world.stack_pointers(&registers, false), (both, false));
        for (control, expected) in [(0, 0x100), (2, 0x200)] {
            registers.set(Register::CONTROL_NS, control);
            let expected = (vec![Address(expected)], true);
            assert_eq!(world.stack_pointers(&registers, false), expected);
        }
        assert_eq!(World::Secure.stack_pointers(&registers, false), (vec![], false));
    }
}
