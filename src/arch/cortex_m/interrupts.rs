//! Exceptions and interrupts as the System Control Space holds them: which are enabled, pending and
//! active, their priorities, and what keeps a pending one from being taken.
//!
//! Sources: Armv7-M ARM (DDI 0403E) B1.5.4, B3.2, B3.3, B3.4; Armv6-M ARM (DDI 0419) B3.2, B3.4;
//! Armv8-M ARM (DDI 0553) B3.13, D1.2. Registers of the security state that the debugger sees are
//! read; what AIRCR.PRIS adds to priorities of the other state is not taken into account.

use super::system::{AIRCR, Architecture, DHCSR, ICSR, SHCSR, SystemState, VTOR};
use crate::base::{Address, Memory};
use crate::snapshot::{Register, RegisterSet};

/// Interrupt Controller Type: bits 3:0 count groups of 32 lines, less one. DDI 0403E B3.4.2.
const ICTR: Address = Address(0xe000_e004);
/// SysTick control and status: 0 ENABLE, 1 TICKINT, 2 CLKSOURCE, 16 COUNTFLAG. DDI 0403E B3.3.3.
const SYST_CSR: Address = Address(0xe000_e010);
/// SysTick reload value, 24 bits.
const SYST_RVR: Address = Address(0xe000_e014);
/// SysTick current value, 24 bits.
const SYST_CVR: Address = Address(0xe000_e018);
/// Interrupt set-enable, one bit a line.
const NVIC_ISER: Address = Address(0xe000_e100);
/// Interrupt set-pending.
const NVIC_ISPR: Address = Address(0xe000_e200);
/// Interrupt active bit; not on Armv6-M.
const NVIC_IABR: Address = Address(0xe000_e300);
/// Interrupt target non-secure (Armv8-M with the Security Extension).
const NVIC_ITNS: Address = Address(0xe000_e380);
/// Interrupt priority, one byte a line.
const NVIC_IPR: Address = Address(0xe000_e400);
/// System handler priority of exception 4; one byte an exception, up to 15.
const SHPR: Address = Address(0xe000_ed18);
/// Debug exception and monitor control; 16 MON_EN.
const DEMCR: Address = Address(0xe000_edfc);

/// First exception number of an external interrupt.
const FIRST_LINE: u16 = 16;
/// Lines of one word.
const GROUP: u16 = 32;

/// Registers that hold exceptions back. DDI 0403E B1.4.3.
const MASKS: [(&str, Register); 3] = [
    ("PRIMASK", Register::PRIMASK),
    ("FAULTMASK", Register::FAULTMASK),
    ("BASEPRI", Register::BASEPRI),
];

/// A system handler and the bits that tell its state.
struct Handler {
    number: u16,
    /// Bit of SHCSR that enables it; without one it is always enabled.
    enable: Option<u8>,
    /// Bits of SHCSR.
    active: Option<u8>,
    pending: Option<u8>,
    /// Bit of ICSR that says that it is pending.
    pending_icsr: Option<u8>,
}

const fn handler(
    number: u16,
    enable: Option<u8>,
    active: Option<u8>,
    pending: Option<u8>,
    pending_icsr: Option<u8>,
) -> Handler {
    Handler { number, enable, active, pending, pending_icsr }
}

/// System handlers. DDI 0403E B3.2.4, B3.2.13; bits 2, 4, 5, 19, 20, 21 of SHCSR: DDI 0553 D1.2.
const HANDLERS: [Handler; 10] = [
    handler(2, None, Some(5), None, Some(31)),
    handler(3, None, Some(2), Some(21), None),
    handler(4, Some(16), Some(0), Some(13), None),
    handler(5, Some(17), Some(1), Some(14), None),
    handler(6, Some(18), Some(3), Some(12), None),
    handler(7, Some(19), Some(4), Some(20), None),
    handler(11, None, Some(7), Some(15), None),
    handler(12, None, Some(8), None, None),
    handler(14, None, Some(10), None, Some(28)),
    handler(15, None, Some(11), None, Some(26)),
];

/// State of one exception. What was not captured, or what the core does not have, is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionState {
    /// Exception number; external interrupts begin at 16.
    pub number: u16,
    /// Where its vector leads, with the Thumb bit.
    pub vector: Option<u32>,
    /// Whether it is taken when it pends.
    pub enabled: Option<bool>,
    /// Whether it waits to be taken.
    pub pending: Option<bool>,
    /// Whether its handler runs or was itself interrupted.
    pub active: Option<bool>,
    /// Its priority byte, or the fixed −2 of NMI and −1 of HardFault; lower is more urgent.
    pub priority: Option<i16>,
    /// Whether the interrupt belongs to the non-secure state (Armv8-M).
    pub non_secure: Option<bool>,
    /// What keeps it from being taken, when it is pending.
    pub blocked_by: Vec<String>,
}

/// SysTick. DDI 0403E B3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SysTick {
    /// It counts.
    pub enabled: bool,
    /// It pends its exception at zero.
    pub interrupt: bool,
    /// Counts the processor's clock, else an external reference.
    pub processor_clock: bool,
    /// Value that it restarts from.
    pub reload: Option<u32>,
    /// Value now.
    pub current: Option<u32>,
}

impl SysTick {
    /// Reads what `memory` holds of it.
    pub fn read(memory: &dyn Memory) -> Option<SysTick> {
        let csr = memory.read_u32(SYST_CSR).ok()?;
        let counter = |at| memory.read_u32(at).ok().map(|value| value & 0x00ff_ffff);
        Some(SysTick {
            enabled: csr & 1 != 0,
            interrupt: csr & 2 != 0,
            processor_clock: csr & 4 != 0,
            reload: counter(SYST_RVR),
            current: counter(SYST_CVR),
        })
    }

    /// Whether it reached zero or restarted within the last 1/256 of its period: that its exception
    /// is not taken yet then says nothing.
    pub fn has_just_fired(&self) -> bool {
        if self.enabled && self.current == Some(0) {
            return true;
        }
        let elapsed = self.reload.zip(self.current).map(|(reload, now)| reload.checked_sub(now));
        elapsed.flatten().is_some_and(|elapsed| elapsed < self.reload.unwrap_or(0) / 256)
    }
}

/// Everything about exceptions that a dump holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interrupts {
    /// Lines that the interrupt controller has room for, a multiple of 32.
    pub lines: Option<u16>,
    /// Where the vector table is.
    pub vector_table: Option<Address>,
    /// AIRCR.PRIGROUP: bits of a priority byte up to this one only order pending exceptions.
    pub priority_group: Option<u8>,
    /// Bits of a priority byte, from the top: two without the Main Extension; else as many as the
    /// captured priorities make use of, for how many there are only a write would tell.
    pub priority_bits: Option<u8>,
    /// PRIMASK, FAULTMASK and BASEPRI, as far as known.
    pub masks: Vec<(&'static str, u32)>,
    /// System handlers, then lines that are enabled, pending or active.
    pub exceptions: Vec<ExceptionState>,
    /// The system timer.
    pub systick: Option<SysTick>,
    /// Registers that were not captured, by name.
    pub missing: Vec<&'static str>,
}

impl Interrupts {
    /// Reads what `memory` holds. `active` are the exceptions that unwinding found, innermost first;
    /// Armv6-M knows no others. `None` when nothing of the kind was captured.
    pub fn read(
        memory: &dyn Memory,
        system: &SystemState,
        registers: &RegisterSet,
        active: &[u16],
    ) -> Option<Interrupts> {
        let architecture = system.architecture();
        let baseline = architecture.is_some_and(|a| !a.has_fault_status());
        let has_system = system.get(ICSR).is_some();
        let has_lines = memory.read_u32(NVIC_ISER).is_ok();
        if !has_system && !has_lines {
            return None;
        }
        let groups = match memory.read_u32(ICTR) {
            // Reserved on Armv6-M, which has one group.
            Ok(_) | Err(_) if architecture == Some(Architecture::V6M) => 1,
            Ok(ictr) => (ictr & 15) as u16 + 1,
            Err(_) => 1,
        };
        let mut found = Interrupts {
            lines: has_lines.then_some(groups * GROUP),
            vector_table: system.get(VTOR).map(Address),
            priority_group: system.get(AIRCR).filter(|_| !baseline).map(|v| (v >> 8 & 7) as u8),
            ..Interrupts::default()
        };
        // A Cortex-M0 has no VTOR: its table is at 0.
        if found.vector_table.is_none() && architecture == Some(Architecture::V6M) {
            found.vector_table = Some(Address(0));
        }
        // The other two came with the Main Extension.
        let masks = MASKS.iter().take(if baseline { 1 } else { MASKS.len() });
        for (name, register) in masks {
            match registers.get(*register) {
                Some(value) => found.masks.push((*name, value)),
                None => found.missing.push(*name),
            }
        }
        let reader = Reader { memory, system, architecture, baseline, active };
        found.exceptions.extend(HANDLERS.iter().filter_map(|row| reader.handler(row)));
        found.exceptions.extend((0..groups * GROUP).filter_map(|line| reader.line(line)));
        for exception in &mut found.exceptions {
            let at = found.vector_table.map(|table| table.word(u32::from(exception.number)));
            exception.vector = at.and_then(|at| memory.read_u32(at).ok());
        }
        found.systick = SysTick::read(memory);
        found.missing.extend(reader.missing());
        found.count_priority_bits(baseline);
        found.find_what_blocks(system);
        Some(found)
    }

    /// The part of a priority byte that decides what interrupts what.
    pub fn group_priority(&self, priority: i16) -> i16 {
        let split = u32::from(self.priority_group.unwrap_or(0)) + 1;
        if priority < 0 { priority } else { priority >> split << split }
    }

    /// A mask by its name; 0 when it is not known.
    pub fn mask(&self, name: &str) -> u32 {
        self.masks.iter().find(|(known, _)| *known == name).map_or(0, |(_, value)| *value)
    }

    fn count_priority_bits(&mut self, baseline: bool) {
        if baseline {
            self.priority_bits = Some(2);
            return;
        }
        let used = self.exceptions.iter().filter_map(|e| e.priority).filter(|p| *p > 0);
        let used = used.fold(self.mask("BASEPRI"), |all, priority| all | priority as u32) & 0xff;
        self.priority_bits = (used != 0).then(|| 8 - used.trailing_zeros() as u8);
    }

    fn find_what_blocks(&mut self, system: &SystemState) {
        let (primask, faultmask) = (self.mask("PRIMASK") & 1, self.mask("FAULTMASK") & 1);
        let basepri = self.mask("BASEPRI") & 0xff;
        // C_MASKINTS: the debugger holds back PendSV, SysTick and interrupts. DDI 0403E C1.6.2.
        let debugger = system.get(DHCSR).is_some_and(|dhcsr| dhcsr & 0b1001 == 0b1001);
        let running: Vec<(u16, i16)> = self
            .exceptions
            .iter()
            .filter(|e| e.active == Some(true))
            .filter_map(|e| Some((e.number, self.group_priority(e.priority?))))
            .collect();
        let most_urgent = running.into_iter().min_by_key(|(_, priority)| *priority);
        let basepri_group = self.group_priority(basepri as i16);
        let groups: Vec<Option<i16>> =
            self.exceptions.iter().map(|e| e.priority.map(|p| self.group_priority(p))).collect();
        for (exception, group) in self.exceptions.iter_mut().zip(groups) {
            if exception.pending != Some(true) {
                continue;
            }
            let mut blocked = Vec::new();
            if exception.enabled == Some(false) {
                blocked.push("not enabled".to_string());
            }
            if let Some(group) = group {
                if faultmask == 1 && group >= -1 {
                    blocked.push("FAULTMASK".to_string());
                }
                if primask == 1 && group >= 0 {
                    blocked.push("PRIMASK".to_string());
                }
                if basepri != 0 && group >= basepri_group {
                    blocked.push(format!("BASEPRI 0x{basepri:02x}"));
                }
                if let Some((number, priority)) = most_urgent
                    && number != exception.number
                    && group >= priority
                {
                    blocked.push(format!("active {}", super::exception::name(number)));
                }
            }
            if debugger && exception.number >= 14 {
                blocked.push("the debugger (C_MASKINTS)".to_string());
            }
            exception.blocked_by = blocked;
        }
    }
}

struct Reader<'a> {
    memory: &'a dyn Memory,
    system: &'a SystemState,
    architecture: Option<Architecture>,
    /// No fault status registers, two priority bits.
    baseline: bool,
    active: &'a [u16],
}

impl Reader<'_> {
    fn handler(&self, row: &Handler) -> Option<ExceptionState> {
        let exists = match row.number {
            4..=6 | 12 => !self.baseline,
            7 => self.architecture == Some(Architecture::V8MMainline),
            _ => true,
        };
        self.system.get(ICSR).filter(|_| exists)?;
        let v8 = self.architecture == Some(Architecture::V8MMainline);
        let shcsr = self.system.get(SHCSR).filter(|_| !self.baseline);
        // Bits that Armv8-M added read as zero elsewhere.
        let is_new = |bit: &u8| matches!(bit, 2 | 4 | 5 | 19 | 20 | 21);
        let shcsr_bit = |bit: Option<u8>| {
            let bit = bit.filter(|bit| v8 || !is_new(bit))?;
            shcsr.map(|value| value >> bit & 1 == 1)
        };
        let icsr_bit = |bit: Option<u8>| Some(self.system.get(ICSR)? >> bit? & 1 == 1);
        let enabled = match row.number {
            12 => self.memory.read_u32(DEMCR).ok().map(|demcr| demcr >> 16 & 1 == 1),
            15 => self.memory.read_u32(SYST_CSR).ok().map(|csr| csr & 2 != 0),
            _ if row.enable.is_some() => shcsr_bit(row.enable),
            _ => Some(true),
        };
        let priority = match row.number {
            2 => Some(-2),
            3 => Some(-1),
            // Words only on Armv6-M, and SHPR1 does not exist there.
            number => self.byte(SHPR, number - 4),
        };
        Some(ExceptionState {
            number: row.number,
            vector: None,
            enabled,
            pending: icsr_bit(row.pending_icsr).or_else(|| shcsr_bit(row.pending)),
            active: self.active(row.number, shcsr_bit(row.active)),
            priority,
            non_secure: None,
            blocked_by: Vec::new(),
        })
    }

    /// A line that is enabled, pending or active.
    fn line(&self, line: u16) -> Option<ExceptionState> {
        let number = FIRST_LINE + line;
        let enabled = self.bit(NVIC_ISER, line);
        let pending = self.bit(NVIC_ISPR, line);
        let active = self.active(number, self.bit(NVIC_IABR, line).filter(|_| !self.is_v6()));
        if ![enabled, pending, active].contains(&Some(true)) {
            return None;
        }
        let v8 = matches!(
            self.architecture,
            Some(Architecture::V8MMainline | Architecture::V8MBaseline)
        );
        Some(ExceptionState {
            number,
            vector: None,
            enabled,
            pending,
            active,
            priority: self.byte(NVIC_IPR, line),
            non_secure: self.bit(NVIC_ITNS, line).filter(|_| v8),
            blocked_by: Vec::new(),
        })
    }

    fn is_v6(&self) -> bool {
        self.architecture == Some(Architecture::V6M)
    }

    /// By the register, or because a stack shows that its handler was entered.
    fn active(&self, number: u16, by_register: Option<bool>) -> Option<bool> {
        let on_stack = self.active.contains(&number);
        if on_stack { Some(true) } else { by_register }
    }

    fn bit(&self, register: Address, line: u16) -> Option<bool> {
        let word = self.memory.read_u32(register.word(u32::from(line / GROUP))).ok()?;
        Some(word >> (line % GROUP) & 1 == 1)
    }

    fn byte(&self, register: Address, index: u16) -> Option<i16> {
        let word = self.memory.read_u32(register.word(u32::from(index / 4))).ok()?;
        Some((word >> (index % 4 * 8) & 0xff) as i16)
    }

    fn missing(&self) -> Vec<&'static str> {
        let all = [
            ("ICSR", ICSR.address),
            ("VTOR", VTOR.address),
            ("SHPR", SHPR.word(2)),
            ("SYST_CSR", SYST_CSR),
            ("NVIC_ISER", NVIC_ISER),
            ("NVIC_ISPR", NVIC_ISPR),
            ("NVIC_IABR", NVIC_IABR),
            ("NVIC_IPR", NVIC_IPR),
        ];
        let is_missing = |(name, at): &(&str, Address)| {
            let exists = !(self.is_v6() && matches!(*name, "NVIC_IABR" | "VTOR"));
            exists && self.memory.read_u32(*at).is_err()
        };
        all.iter().filter(|row| is_missing(row)).map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    /// A Cortex-M4 with one group of interrupts whose words are in `words`.
    fn read(words: &[(u32, u32)], registers: &[(Register, u32)], active: &[u16]) -> Interrupts {
        let mut memory = MemoryImage::default();
        let mut scs = vec![0; 0x1000];
        let cpuid = (0xe000_ed00, 0x410f_c241);
        for (address, value) in words.iter().chain([&cpuid]) {
            let at = (address & 0xfff) as usize;
            scs[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        memory.insert(Address(0xe000_e000), scs).unwrap();
        let registers = registers.iter().copied().collect();
        Interrupts::read(&memory, &SystemState::read(&memory), &registers, active).unwrap()
    }

    fn exception(found: &Interrupts, number: u16) -> &ExceptionState {
        found.exceptions.iter().find(|e| e.number == number).unwrap()
    }

    #[test]
    fn system_timer_has_just_fired_only_at_zero_and_right_behind_its_reload() {
        let at = |current| SysTick {
            enabled: true,
            interrupt: true,
            processor_clock: true,
            reload: Some(247_366),
            current,
        };
        assert!(at(Some(0)).has_just_fired());
        assert!(!SysTick { enabled: false, ..at(Some(0)) }.has_just_fired());
        assert!(!at(Some(1)).has_just_fired());
        assert!(at(Some(247_358)).has_just_fired());
        assert!(!at(Some(246_000)).has_just_fired());
        assert!(!at(Some(247_367)).has_just_fired());
        assert!(!at(None).has_just_fired());
    }

    #[test]
    fn every_bit_of_every_handler_shows_in_its_state() {
        for row in &HANDLERS {
            let v8 = |bit: &u8| matches!(bit, 2 | 4 | 5 | 19 | 20 | 21);
            if row.number == 7 {
                continue; // Armv8-M only
            }
            for bit in row.active.iter().filter(|bit| !v8(bit)) {
                let found = read(&[(0xe000_ed24, 1 << bit)], &[], &[]);
                assert_eq!(exception(&found, row.number).active, Some(true), "{}", row.number);
            }
            for bit in row.pending.iter().filter(|bit| !v8(bit)) {
                let found = read(&[(0xe000_ed24, 1 << bit)], &[], &[]);
                assert_eq!(exception(&found, row.number).pending, Some(true), "{}", row.number);
            }
            if let Some(bit) = row.pending_icsr {
                let found = read(&[(0xe000_ed04, 1 << bit)], &[], &[]);
                assert_eq!(exception(&found, row.number).pending, Some(true), "{}", row.number);
            }
            if let Some(bit) = row.enable {
                let (off, on) = (read(&[], &[], &[]), read(&[(0xe000_ed24, 1 << bit)], &[], &[]));
                assert_eq!(exception(&off, row.number).enabled, Some(false));
                assert_eq!(exception(&on, row.number).enabled, Some(true));
            }
        }
    }

    #[test]
    fn line_has_its_own_bit_and_byte() {
        let words = [
            (0xe000_e004, 1),
            (0xe000_e104, 1 << 5),
            (0xe000_e204, 1 << 5),
            (0xe000_e424, 0x0000_6000),
        ];
        let found = read(&words, &[], &[]);
        assert_eq!(found.lines, Some(64));
        let line = exception(&found, 16 + 37);
        assert_eq!(
            (line.enabled, line.pending, line.active),
            (Some(true), Some(true), Some(false))
        );
        assert_eq!(line.priority, Some(0x60));
        assert_eq!(found.priority_bits, Some(3));
        assert_eq!(found.exceptions.iter().filter(|e| e.number >= 16).count(), 1);
    }

    #[test]
    fn masks_and_active_exceptions_block_what_is_no_more_urgent() {
        let pending = [
            (0xe000_e100, 0b11),
            (0xe000_e200, 0b111),
            (0xe000_e400, 0x0000_4020),
            (0xe000_ed0c, 4 << 8),
        ];
        let blocked = |registers: &[(Register, u32)], active: &[u16]| -> Vec<String> {
            let found = read(&pending, registers, active);
            (16..19).map(|n| exception(&found, n).blocked_by.join(", ")).collect()
        };
        assert_eq!(blocked(&[], &[]), ["", "", "not enabled"]);
        assert_eq!(blocked(&[(Register::PRIMASK, 1)], &[])[0], "PRIMASK");
        assert_eq!(blocked(&[(Register::FAULTMASK, 1)], &[])[0], "FAULTMASK");
        assert_eq!(blocked(&[(Register::BASEPRI, 0x40)], &[])[..2], ["", "BASEPRI 0x40"]);
        assert_eq!(blocked(&[], &[3])[..2], ["active HardFault", "active HardFault"]);
        // PRIGROUP 4: 0x40 and 0x50 are one group.
        assert_eq!(read(&pending, &[], &[]).group_priority(0x50), 0x40);
    }

    #[test]
    fn dump_without_the_registers_says_so() {
        let mut memory = MemoryImage::default();
        let read = |memory: &MemoryImage| {
            Interrupts::read(memory, &SystemState::read(memory), &RegisterSet::default(), &[])
        };
        assert_eq!(read(&memory), None);
        memory.insert(Address(0xe000_ed00), vec![0; 0x90]).unwrap();
        let found = read(&memory).unwrap();
        assert_eq!(found.lines, None);
        assert!(found.missing.contains(&"NVIC_ISER") && !found.missing.contains(&"ICSR"));
    }
}
