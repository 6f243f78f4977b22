//! The registers of a halted core, by DCRSR.REGSEL.

use probe_rs::{Core, CoreType, MemoryInterface as _, RegisterId};

use super::attach::failed;
use crate::snapshot::{Register, RegisterSet};
use crate::target::plan::CPUID;
use crate::target::{Registers, TargetError};

/// ID_PFR1: bits 7:4 tell of the Security Extension (DDI 0553 D1.2).
const ID_PFR1: u64 = 0xe000_ed44;
/// CPUID's part number of the Cortex-M23: Armv8-M without the Main Extension.
const CORTEX_M23: u32 = 0xd20;

/// REGSEL of the registers that every core has: DDI 0403 C1.6.3.
const ALL: [(u16, Register); 4] =
    [(15, Register::PC), (16, Register::XPSR), (17, Register::MSP), (18, Register::PSP)];

/// REGSEL of the stack pointers of both worlds: DDI 0553 D1.2.
const SECURITY: [(u16, &str); 4] = [(24, "msp_ns"), (25, "psp_ns"), (26, "msp_s"), (27, "psp_s")];

/// REGSEL of the stack limits: those of the secure world, then of the other.
const LIMITS: [(u16, &str); 4] =
    [(28, "msplim_s"), (29, "psplim_s"), (30, "msplim_ns"), (31, "psplim_ns")];

/// REGSEL of the words that hold CONTROL, FAULTMASK, BASEPRI and PRIMASK, and what names end in.
const MASKS: (u16, &str) = (20, "");
const BANKED_MASKS: [(u16, &str); 2] = [(34, "_s"), (35, "_ns")];
/// The bytes of such a word, lowest first.
const PARTS: [&str; 4] = ["primask", "basepri", "faultmask", "control"];

const FPSCR: u16 = 33;
const S0: u16 = 64;

/// Reads what `core` has.
///
/// # Errors
/// When not even the program counter can be read.
pub(super) fn read(core: &mut Core<'_>) -> Result<Registers, TargetError> {
    let mut registers = Registers::default();
    let mut set = RegisterSet::default();
    set.set(Register::PC, value(core, 15)?);
    let mut missing = Vec::new();
    let numbered = (0..15).filter_map(|number| Some((number, Register::core(number as u8)?)));
    for (number, register) in numbered.chain(ALL) {
        match value(core, number) {
            Ok(value) => set.set(register, value),
            Err(_) => missing.push(register.name()),
        }
    }
    if !missing.is_empty() {
        registers.remarks.push(format!("the probe does not give {}", missing.join(", ")));
    }
    masks(core, MASKS, &mut set);
    if core.core_type() == CoreType::Armv8m {
        armv8m(core, &mut set);
    }
    if core.fpu_support().unwrap_or(false) {
        set.set(Register::FPSCR, value(core, FPSCR).ok());
        for (number, register) in (S0..).zip((0..32).filter_map(Register::single)) {
            set.set(register, value(core, number).ok());
        }
    }
    registers.set = set;
    Ok(registers)
}

fn armv8m(core: &mut Core<'_>, set: &mut RegisterSet) {
    let has_security = core.read_word_32(ID_PFR1).is_ok_and(|features| features >> 4 & 0xf != 0);
    let cpuid = core.read_word_32(u64::from(CPUID.0)).unwrap_or(0);
    let has_main = cpuid >> 4 & 0xfff != CORTEX_M23;
    let named = |set: &mut RegisterSet, name: &str, value: Option<u32>| {
        if let Some(register) = Register::from_name(name) {
            set.set(register, value);
        }
    };
    if has_security {
        for (number, name) in SECURITY {
            named(set, name, value(core, number).ok());
        }
        for masks_of in BANKED_MASKS {
            masks(core, masks_of, set);
        }
        // The baseline has no limits of the Non-secure world.
        let count = if has_main { 4 } else { 2 };
        for (number, name) in LIMITS.into_iter().take(count) {
            named(set, name, value(core, number).ok());
        }
    } else if has_main {
        // A core with one world is Non-secure.
        set.set(Register::MSPLIM, value(core, 30).ok());
        set.set(Register::PSPLIM, value(core, 31).ok());
    }
}

fn masks(core: &mut Core<'_>, (number, ending): (u16, &str), set: &mut RegisterSet) {
    let Ok(word) = value(core, number) else { return };
    for (part, byte) in PARTS.iter().zip(word.to_le_bytes()) {
        if let Some(register) = Register::from_name(&format!("{part}{ending}")) {
            set.set(register, u32::from(byte));
        }
    }
}

fn value(core: &mut Core<'_>, number: u16) -> Result<u32, TargetError> {
    core.read_core_reg::<u32>(RegisterId(number)).map_err(failed)
}
