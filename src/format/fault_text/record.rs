//! One fault, put together from the lines that tell of it.

use super::phrases::{FATAL_ERRORS, HEADINGS, Heading, SENTENCES, Status};
use super::values::{register, values};
use crate::base::{Address, Memory};
use crate::snapshot::{ReasonCode, Register, RegisterSet, Snapshot, ThreadRegisters};

/// SCB (DDI 0403E B3.2) and SAU (DDI 0553 D1.2) registers that a print may name, with the name.
const SYSTEM: [(&str, u32); 8] = [
    ("shcsr", 0xe000_ed24),
    ("cfsr", CFSR),
    ("hfsr", HFSR),
    ("dfsr", 0xe000_ed30),
    ("mmfar", MMFAR),
    ("bfar", BFAR),
    ("afsr", 0xe000_ed3c),
    ("sfsr", SFSR),
];
const CFSR: u32 = 0xe000_ed28;
const HFSR: u32 = 0xe000_ed2c;
const MMFAR: u32 = 0xe000_ed34;
const BFAR: u32 = 0xe000_ed38;
const SFSR: u32 = 0xe000_ede4;
/// Bits of CFSR that mark MMFAR and BFAR as valid.
const MMARVALID: u32 = 1 << 7;
const BFARVALID: u32 = 1 << 15;

/// Fewer registers than this are no print of a fault, unless the kernel says so.
const FEWEST: usize = 4;

/// What is told of one fault.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    registers: RegisterSet,
    exc_return: Option<u32>,
    heading: Option<Heading>,
    /// Words of the System Control Space: as printed, or put together from sentences.
    system: Vec<(u32, u32)>,
    by_sentences: bool,
    reason: Option<u32>,
    thread: Option<Address>,
    thread_name: Option<String>,
}

impl Record {
    pub(super) fn pc(&self) -> Option<u32> {
        self.registers.pc()
    }

    /// Whether this is the print of a fault.
    pub(super) fn is_fault(&self) -> bool {
        let known = self.registers.iter().count();
        self.pc().is_some() && (self.reason.is_some() || known >= FEWEST)
    }

    /// Whether `line` begins the print of another fault.
    pub(super) fn begins_anew(&self, line: &str) -> bool {
        let ended = self.thread.is_some() || self.reason.is_some() && self.pc().is_some();
        let heading = HEADINGS.iter().any(|(text, _)| line.contains(text));
        let again = |register| self.registers.get(register).is_some();
        let registers = values(line).iter().any(|(label, _)| {
            let begins = register(label).filter(|r| [Register::R0, Register::PC].contains(r));
            begins.is_some_and(again)
        });
        heading && (ended || self.pc().is_some()) || registers
    }

    pub(super) fn line(&mut self, line: &str) {
        if let Some((_, heading)) = HEADINGS.iter().find(|(text, _)| line.contains(text)) {
            self.heading = Some(*heading);
        }
        for (heading, sentence, status) in SENTENCES {
            let told = line.find(sentence).filter(|_| self.heading == Some(heading));
            // `Imprecise …` ends like `Precise …` begins; the letter before tells.
            if told.is_some_and(|at| !line.get(..at).unwrap_or("").ends_with(char::is_alphabetic)) {
                self.set_bit(status);
            }
        }
        if let Some((_, behind)) = line.split_once("ZEPHYR FATAL ERROR ") {
            let digits = behind.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
            self.reason = digits.parse().ok().or(self.reason);
        } else if let Some((_, code)) = FATAL_ERRORS.iter().find(|(text, _)| line.contains(text)) {
            self.reason = Some(*code);
        }
        self.values(line);
    }

    fn values(&mut self, line: &str) {
        for (label, value) in values(line) {
            let label = label.trim_end();
            let word = label.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
            let word = word.unwrap_or_default().to_ascii_lowercase();
            let lower = label.to_ascii_lowercase();
            if lower.contains("current thread") {
                self.thread = Some(Address(value));
                self.thread_name = name_in_parentheses(line);
            } else if lower.ends_with("bfar address") {
                self.set_system(BFAR, value);
                self.or_system(CFSR, BFARVALID);
            } else if lower.ends_with("mmfar address") {
                self.set_system(MMFAR, value);
                self.or_system(CFSR, MMARVALID);
            } else if lower.ends_with("faulting instruction address") {
                self.registers.set(Register::PC, value);
            } else if word == "exc_return" {
                self.exc_return = Some(value);
            } else if let Some((_, address)) = SYSTEM.iter().find(|(name, _)| *name == word) {
                self.set_system(*address, value);
            } else if let Some((_, shift)) =
                [("mmfsr", 0), ("bfsr", 8), ("ufsr", 16)].iter().find(|(name, _)| *name == word)
            {
                self.or_system(CFSR, value.wrapping_shl(*shift));
            } else if let Some(register) = register(label) {
                self.registers.set(register, value);
            }
        }
    }

    fn set_bit(&mut self, status: Status) {
        self.by_sentences = true;
        match status {
            Status::Cfsr(bit) => self.or_system(CFSR, 1_u32.wrapping_shl(bit.into())),
            Status::Hfsr(bit) => self.or_system(HFSR, 1_u32.wrapping_shl(bit.into())),
            Status::Sfsr(bit) => self.or_system(SFSR, 1_u32.wrapping_shl(bit.into())),
        }
    }

    fn set_system(&mut self, address: u32, value: u32) {
        self.system.retain(|(known, _)| *known != address);
        self.system.push((address, value));
    }

    fn or_system(&mut self, address: u32, bits: u32) {
        let known = self.system.iter().find(|(known, _)| *known == address);
        let value = known.map_or(0, |(_, value)| *value);
        self.set_system(address, value | bits);
    }

    /// Adds everything to `snapshot` that it does not know.
    pub(super) fn complete(&self, snapshot: &mut Snapshot) {
        for (register, value) in self.registers.iter() {
            if snapshot.registers.get(register).is_none() {
                snapshot.registers.set(register, value);
            }
        }
        if snapshot.registers.sp().is_none() {
            snapshot.registers.set(Register::SP, self.stack_pointer());
        }
        let mut placed = false;
        for (address, value) in &self.system {
            if snapshot.memory.read_u32(Address(*address)).is_err() {
                // Four bytes below the end of memory always fit.
                let _ = snapshot.memory.insert(Address(*address), value.to_le_bytes().to_vec());
                placed = true;
            }
        }
        if placed && self.by_sentences {
            let text = "the fault status registers are put together from the sentences of the log";
            snapshot.remarks.push(text.to_owned());
        }
        if let (None, Some(code)) = (snapshot.reason_code, self.reason) {
            snapshot.reason = Some(format!("kernel error {code}"));
            snapshot.reason_code = Some(ReasonCode::Kernel(code));
        }
        snapshot.current_thread = snapshot.current_thread.or(self.thread);
        if let (true, Some(thread)) = (snapshot.threads.is_empty(), self.thread) {
            let registers = snapshot.registers.clone();
            let name = self.thread_name.clone();
            snapshot.threads.push(ThreadRegisters { id: thread.0, name, registers });
        }
    }

    /// SP before the exception: above the frame on the stack that EXC_RETURN names (bit 2: PSP),
    /// which with bit 4 clear has floating-point registers. DDI 0403E B1.5.8.
    fn stack_pointer(&self) -> Option<u32> {
        let exc_return = self.exc_return?;
        let frame = if exc_return & 4 != 0 { Register::PSP } else { Register::MSP };
        let frame = self.registers.get(frame)?;
        let size = if exc_return & 0x10 == 0 { 0x68 } else { 0x20 };
        let padded = self.registers.get(Register::XPSR)? & (1 << 9) != 0;
        frame.checked_add(size)?.checked_add(if padded { 4 } else { 0 })
    }
}

/// `Current thread: 0x20001088 (stack_hog)`; `unknown` stands for no name.
fn name_in_parentheses(line: &str) -> Option<String> {
    let (_, behind) = line.rsplit_once('(')?;
    let (name, _) = behind.split_once(')')?;
    let plain = !name.is_empty() && name != "unknown" && !name.contains(char::is_control);
    plain.then(|| name.to_owned())
}
