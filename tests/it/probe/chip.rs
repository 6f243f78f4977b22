//! A chip behind a debug port: the memory and registers of a fixture, its flash from the ELF, and a
//! core that halts, steps and runs as the debug registers say (Armv7-M ARM, DDI 0403, C1.6).

use mflt::base::{Address, Memory};
use mflt::snapshot::{Register, RegisterSet, Snapshot};
use mflt::symbols::{ElfImage, SymbolFile};
use std::collections::HashMap;
use std::ops::Range;

const CPUID: u32 = 0xe000_ed00;
const AIRCR: u32 = 0xe000_ed0c;
const DFSR: u32 = 0xe000_ed30;
const DHCSR: u32 = 0xe000_edf0;
const DCRSR: u32 = 0xe000_edf4;
const DCRDR: u32 = 0xe000_edf8;
const DEMCR: u32 = 0xe000_edfc;
/// FP_CTRL: six comparators for instructions.
const FP_CTRL: u32 = 0xe000_2000;
const SIX_COMPARATORS: u32 = 6 << 4;
/// Bits of DHCSR.
const C_DEBUGEN: u32 = 1;
const C_HALT: u32 = 2;
const C_STEP: u32 = 4;
const S_REGRDY: u32 = 1 << 16;
const S_HALT: u32 = 1 << 17;
/// AIRCR.SYSRESETREQ and the key without which it cannot be written.
const SYSRESETREQ: u32 = 0x05fa_0004;
/// DFSR.HALTED and DFSR.VCATCH.
const HALTED: u32 = 1;
const VCATCH: u32 = 8;
/// DEMCR.VC_CORERESET.
const VC_CORERESET: u32 = 1;

/// One chip.
pub(crate) struct Chip {
    pub(crate) registers: RegisterSet,
    memory: Snapshot,
    elf: Vec<u8>,
    /// What faults although there is memory.
    pub(crate) holes: Vec<Range<u32>>,
    pub(crate) halted: bool,
    /// How often it was let run.
    pub(crate) runs: usize,
    /// How often it was reset.
    pub(crate) resets: usize,
    /// How often it is asked whether it has halted until it does, by vector catch.
    pub(crate) crashes_after: Option<usize>,
    /// What was written, but for the debug registers themselves.
    pub(crate) written: HashMap<u32, u32>,
    /// Sizes of reads, by address.
    pub(crate) reads: Vec<(u32, u32)>,
    pub(crate) demcr: u32,
    pub(crate) debug_enabled: bool,
    /// Accesses that are answered until the way to the chip is cut.
    pub(crate) accesses_left: usize,
    /// Nothing answers at the debug port until the chip is reset.
    pub(crate) asleep: bool,
    /// The system lets nobody open its probe.
    pub(crate) denied: bool,
    /// Nordic's control access port says that the chip is locked.
    pub(crate) locked: bool,
    dfsr: u32,
    dcrdr: u32,
}

impl Chip {
    /// The chip that gave `core`; it runs.
    pub(crate) fn new(core: Snapshot, elf: Vec<u8>) -> Chip {
        Chip {
            registers: core.registers.clone(),
            memory: core,
            elf,
            holes: Vec::new(),
            halted: false,
            runs: 0,
            resets: 0,
            crashes_after: None,
            written: HashMap::new(),
            reads: Vec::new(),
            demcr: 0,
            debug_enabled: false,
            accesses_left: usize::MAX,
            asleep: false,
            denied: false,
            locked: false,
            dfsr: 0,
            dcrdr: 0,
        }
    }

    /// Reads `size` bytes, 1, 2 or 4; `None` is a bus fault.
    pub(crate) fn read(&mut self, address: u32, size: u32) -> Option<u32> {
        self.reads.push((address, size));
        match address {
            DHCSR => return Some(self.dhcsr()),
            DCRSR => return Some(0),
            DCRDR => return Some(self.dcrdr),
            DEMCR => return Some(self.demcr),
            DFSR => return Some(self.dfsr),
            FP_CTRL => return Some(SIX_COMPARATORS),
            _ => {}
        }
        if let Some(word) = self.written.get(&(address & !3)) {
            return Some(word >> (8 * (address & 3)));
        }
        if self.holes.iter().any(|hole| hole.contains(&address)) {
            return None;
        }
        let mut bytes = [0; 4];
        let part = &mut bytes[..size as usize];
        let image = ElfImage::parse(&self.elf).expect("the ELF of the fixture");
        let found = self.memory.memory.read(Address(address), part);
        let found = found.or_else(|_| SymbolFile::new(&image).read(Address(address), part));
        let is_private = (0xe000_0000..0xe010_0000).contains(&address);
        (found.is_ok() || is_private).then(|| u32::from_le_bytes(bytes))
    }

    /// Writes a word; `None` is a bus fault.
    pub(crate) fn write(&mut self, address: u32, value: u32) -> Option<()> {
        match address {
            DHCSR if value >> 16 == 0xa05f => self.control(value),
            DHCSR => {}
            DCRSR => self.dcrdr = self.register(value & 0x7f),
            DCRDR => self.dcrdr = value,
            AIRCR if value == SYSRESETREQ => self.reset(),
            DEMCR => self.demcr = value,
            // Write one to clear.
            DFSR => self.dfsr &= !value,
            _ => {
                self.read(address & !3, 4)?;
                self.written.insert(address, value);
            }
        }
        Some(())
    }

    /// Leaves reset; debugging stays as it was (DDI 0403, C1.6).
    pub(crate) fn reset(&mut self) {
        self.resets += 1;
        let vectors = self.read(0, 4).unwrap_or(0);
        self.registers.set(Register::SP, vectors);
        let entry = self.read(4, 4).unwrap_or(0);
        self.registers.set(Register::PC, entry & !1);
        self.halted = self.debug_enabled && self.demcr & VC_CORERESET != 0;
        self.dfsr = if self.halted { VCATCH } else { 0 };
    }

    fn control(&mut self, value: u32) {
        self.debug_enabled = value & C_DEBUGEN != 0;
        let halt = self.debug_enabled && value & C_HALT != 0;
        if self.halted && !halt && value & C_STEP != 0 && self.debug_enabled {
            // One instruction, after which it is halted again.
            self.dfsr |= HALTED;
            return;
        }
        if self.halted && !halt {
            self.runs += 1;
        }
        if !self.halted && halt {
            self.dfsr |= HALTED;
        }
        self.halted = halt;
    }

    fn dhcsr(&mut self) -> u32 {
        if let (false, Some(left)) = (self.halted, self.crashes_after)
            && self.runs > 0
        {
            self.crashes_after = left.checked_sub(1);
            if left == 0 && self.demcr & 0x7f0 != 0 {
                self.halted = true;
                self.dfsr |= VCATCH;
            }
        }
        let halted = if self.halted { S_HALT | C_HALT } else { 0 };
        S_REGRDY | halted | u32::from(self.debug_enabled)
    }

    /// The register that DCRSR.REGSEL names.
    fn register(&self, number: u32) -> u32 {
        let get = |name: &str| {
            Register::from_name(name).and_then(|register| self.registers.get(register)).unwrap_or(0)
        };
        let masks = |ending: &str| {
            let byte = |name: &str| get(&format!("{name}{ending}")) & 0xff;
            byte("control") << 24 | byte("faultmask") << 16 | byte("basepri") << 8 | byte("primask")
        };
        match number {
            0..=15 => self.registers.core(number as u8).unwrap_or(0),
            16 => get("xpsr"),
            17 => get("msp"),
            18 => get("psp"),
            20 => masks(""),
            24 => get("msp_ns"),
            25 => get("psp_ns"),
            26 => get("msp_s"),
            27 => get("psp_s"),
            28 => get("msplim_s"),
            29 => get("psplim_s"),
            30 => get("msplim_ns"),
            31 => get("psplim_ns"),
            33 => get("fpscr"),
            34 => masks("_s"),
            35 => masks("_ns"),
            64..96 => get(&format!("s{}", number - 64)),
            other => panic!("REGSEL {other} names no register"),
        }
    }

    /// CPUID becomes that of another core.
    pub(crate) fn set_cpuid(&mut self, value: u32) {
        self.written.insert(CPUID, value);
    }
}
