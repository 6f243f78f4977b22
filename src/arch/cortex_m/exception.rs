//! Exceptions: their names, EXC_RETURN, and the frames that hardware pushes.
//!
//! Source: Armv7-M ARM (DDI 0403E) B1.5.6 to B1.5.8; Armv8-M ARM (DDI 0553) B3.18 to B3.21.

use crate::base::{Address, Memory, Unreadable};
use crate::snapshot::{Register, RegisterSet};

/// The name of exception `number`: `HardFault`, `SysTick`, `IRQ 5`; 0 is `Thread`.
pub fn name(number: u16) -> String {
    let fixed = match number {
        0 => "Thread",
        1 => "Reset",
        2 => "NMI",
        3 => "HardFault",
        4 => "MemManage",
        5 => "BusFault",
        6 => "UsageFault",
        7 => "SecureFault",
        11 => "SVCall",
        12 => "DebugMonitor",
        14 => "PendSV",
        15 => "SysTick",
        16.. => return format!("IRQ {}", number.saturating_sub(16)),
        _ => return format!("exception {number}"),
    };
    fixed.to_string()
}

/// Whether exception `number` is one of the faults (HardFault to SecureFault).
pub fn is_fault(number: u16) -> bool {
    (3..=7).contains(&number)
}

/// A value that LR holds in an exception handler; branching to it returns from the exception.
///
/// Bits 31:24 are 0xFF. Bit 6 S (secure stack), 5 DCRS (default stacking rules), 4 FType
/// (1 = no floating-point context in the frame), 3 Mode (1 = return to thread mode),
/// 2 SPSEL (1 = frame on the process stack), 0 ES (taken to the secure world).
/// DDI 0553 B3.18; DDI 0403E B1.5.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExcReturn(u32);

impl ExcReturn {
    /// Takes `value` for an EXC_RETURN if its fixed bits say so.
    pub fn new(value: u32) -> Option<ExcReturn> {
        // Bits 23:7 are RES1; bit 1 is RES0. 0xFFFFFFFF and FNC_RETURN (0xFEFFFFFF) are not.
        (value & 0xffff_ff80 == 0xffff_ff80 && value & 2 == 0).then_some(ExcReturn(value))
    }

    /// The value itself.
    pub fn value(self) -> u32 {
        self.0
    }

    /// Frame on the process stack (PSP), else on the main stack (MSP).
    pub fn on_process_stack(self) -> bool {
        self.0 & 1 << 2 != 0
    }

    /// Returns to thread mode, else to another handler.
    pub fn to_thread_mode(self) -> bool {
        self.0 & 1 << 3 != 0
    }

    /// The frame holds floating-point registers.
    pub fn has_float_frame(self) -> bool {
        self.0 & 1 << 4 == 0
    }

    /// Armv8-M: the callee-saved registers were pushed below the frame. They are for an exception
    /// that secure code loses to the non-secure world; a secure one that follows it finds them there,
    /// and has DCRS clear.
    pub fn has_additional_context(self) -> bool {
        self.from_secure() && (!self.taken_to_secure() || self.0 & 1 << 5 == 0)
    }

    /// Armv8-M: the exception is handled in the secure world.
    pub fn taken_to_secure(self) -> bool {
        self.0 & 1 != 0
    }

    /// Armv8-M: the frame is on a secure stack.
    pub fn from_secure(self) -> bool {
        self.0 & 1 << 6 != 0
    }

    /// In words: which mode, which stack, which frame; with the worlds where the core has two.
    /// SPSEL is about the stack of the world that handles the exception.
    pub fn describe(self, secured: bool) -> String {
        let mode = if self.to_thread_mode() { "thread" } else { "handler" };
        let stack = if self.on_process_stack() { "PSP" } else { "MSP" };
        let frame = if self.has_float_frame() { "extended (FP)" } else { "basic" };
        let world = |secure| if secure { "secure" } else { "non-secure" };
        let own = world(self.from_secure());
        match secured {
            true if self.from_secure() == self.taken_to_secure() => {
                format!("to {own} {mode} mode, {frame} frame on {stack}")
            }
            true => format!("to {own} {mode} mode, {frame} frame on its own stack"),
            false => format!("to {mode} mode, {frame} frame on {stack}"),
        }
    }
}

/// Integrity signature under an additional state context; bit 0 is EXC_RETURN.FType.
/// DDI 0553 B3.20.
const INTEGRITY_SIGNATURE: u32 = 0xfefa_125a;
/// Size of the additional state context: signature, reserved word, r4 to r11.
const ADDITIONAL_SIZE: u32 = 0x28;
/// Size of r0 to r3, r12, lr, pc, xPSR.
const BASIC_SIZE: u32 = 0x20;
/// Size of s0 to s15, fpscr and one more word.
const FLOAT_SIZE: u32 = 0x48;
/// Size of s16 to s31, pushed when FPCCR.TS is set (Armv8-M, secure).
const FLOAT_CALLEE_SIZE: u32 = 0x40;

/// xPSR bit 9 in a stacked frame: SP was moved down by 4 to align the frame.
const XPSR_ALIGNED: u32 = 1 << 9;
/// Bits of a stacked xPSR that are zero. Bit 20 is SFPA and bit 21 B on Armv8-M (DDI 0553 D1.2,
/// RETPSR).
const XPSR_RESERVED: u32 = 0x00c0_0000;
/// xPSR bit 24: Thumb state.
pub const XPSR_THUMB: u32 = 1 << 24;

/// What hardware pushed when it took an exception, and the state before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionFrame {
    /// Where the frame begins: the stack pointer after stacking.
    pub address: Address,
    /// Its length in bytes with everything, alignment included.
    pub size: u32,
    /// Registers before the exception, as far as the frame holds them; `sp` is as it was before.
    pub registers: RegisterSet,
    /// Floating-point values are reserved room that was never written (lazy stacking):
    /// the live values are still in the FPU.
    pub lazy: bool,
}

/// Lazy floating-point state of the core: FPCCR.LSPACT with FPCAR, and FPCCR.TS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FloatContext {
    /// FPCAR when FPCCR.LSPACT is set: where the pending values belong.
    pub pending_at: Option<Address>,
    /// FPCCR is not known: whether the values of a frame were written cannot be told.
    pub unknown: bool,
    /// FPCCR.TS: frames of secure code hold s16 to s31 as well.
    pub stacks_callee: bool,
}

impl FloatContext {
    /// From the captured FPCCR and FPCAR. DDI 0403E B3.2.21, DDI 0553 D1.2.
    pub fn new(fpccr: Option<u32>, fpcar: Option<u32>) -> FloatContext {
        let unknown = fpccr.is_none();
        let fpccr = fpccr.unwrap_or(0);
        let active = fpccr & 1 != 0;
        FloatContext {
            unknown,
            pending_at: fpcar.filter(|_| active).map(|address| Address(address & !7)),
            stacks_callee: fpccr & 1 << 26 != 0,
        }
    }
}

impl ExceptionFrame {
    /// Reads the frame at `address`, laid out as `exc_return` says.
    ///
    /// # Errors
    /// [`Unreadable`] when the eight words every frame has are not all in `memory`.
    pub fn read(
        memory: &dyn Memory,
        address: Address,
        exc_return: ExcReturn,
        float: FloatContext,
    ) -> Result<ExceptionFrame, Unreadable> {
        let mut registers = RegisterSet::default();
        let mut basic = address;
        if exc_return.has_additional_context()
            && memory.read_u32(address).is_ok_and(|word| word & !1 == INTEGRITY_SIGNATURE)
        {
            for (number, index) in (4..=11u8).zip(2..) {
                let value = memory.read_u32(address.word(index)).ok();
                set(&mut registers, Register::core(number), value);
            }
            basic = address.wrapping_add(i64::from(ADDITIONAL_SIZE));
        }
        for (number, index) in [0, 1, 2, 3, 12, 14, 15].into_iter().zip(0..) {
            let value = memory.read_u32(basic.word(index))?;
            set(&mut registers, Register::core(number), Some(value));
        }
        let xpsr = memory.read_u32(basic.wrapping_add(28))?;
        registers.set(Register::XPSR, xpsr);

        let mut top = basic.wrapping_add(i64::from(BASIC_SIZE));
        let mut lazy = false;
        if exc_return.has_float_frame() {
            lazy = float.pending_at == Some(top);
            let callee = float.stacks_callee && exc_return.from_secure();
            if !lazy && !float.unknown {
                read_singles(memory, top, 0, &mut registers);
                let fpscr = memory.read_u32(top.wrapping_add(0x40)).ok();
                registers.set(Register::FPSCR, fpscr);
                if callee {
                    let upper = top.wrapping_add(i64::from(FLOAT_SIZE));
                    read_singles(memory, upper, 16, &mut registers);
                }
            }
            let more = if callee { FLOAT_CALLEE_SIZE } else { 0 };
            let size = FLOAT_SIZE.saturating_add(more);
            top = top.wrapping_add(i64::from(size));
        }
        if xpsr & XPSR_ALIGNED != 0 {
            top = top.wrapping_add(4);
        }
        registers.set(Register::SP, top.0);
        Ok(ExceptionFrame { address, size: top.0.wrapping_sub(address.0), registers, lazy })
    }

    /// Whether xPSR could be one: its reserved bits are clear, and its exception number fits the
    /// mode that `exc_return` returns to. Words that fail this were never pushed by hardware.
    pub fn is_shaped(&self, exc_return: ExcReturn) -> bool {
        let xpsr = self.registers.get(Register::XPSR).unwrap_or(u32::MAX);
        let mode_fits = (xpsr & 0x1ff == 0) == exc_return.to_thread_mode();
        xpsr & XPSR_RESERVED == 0 && mode_fits
    }

    /// Whether the words look like a frame and not like chance: xPSR is shaped like one, and the
    /// stacked PC is code, or else the stacked LR says which call led to where it points.
    pub fn is_plausible(&self, exc_return: ExcReturn, code: &dyn Code) -> bool {
        let get = |register| self.registers.get(register).unwrap_or(0);
        let (pc, lr, xpsr) = (get(Register::PC), get(Register::LR), get(Register::XPSR));
        let runs = xpsr & XPSR_THUMB != 0 && code.is_code(Address(pc));
        let was_called = code.is_return(lr) && ((xpsr | pc) != 0 || self.called_null(lr, code));
        // Behind an SVC that does not return there may be data.
        let svc = pc.checked_sub(2).map(Address);
        let behind_svc = xpsr & XPSR_THUMB != 0 && svc.is_some_and(|svc| code.is_code(svc));
        self.is_shaped(exc_return) && pc & 1 == 0 && (runs || behind_svc || was_called)
    }

    /// A null function pointer leaves a frame with zeros for PC and, without flags, for xPSR. Zeros
    /// behind a saved return address are common: the call has to be one through a register, and
    /// this register null.
    fn called_null(&self, lr: u32, code: &dyn Code) -> bool {
        let register = code.call_register(lr).filter(|register| matches!(register, 0..=3 | 12));
        register.is_some_and(|register| matches!(self.registers.core(register), Some(0 | 1)))
    }
}

/// What a frame's words are held against.
pub trait Code {
    /// Whether `address` holds instructions of the firmware.
    fn is_code(&self, address: Address) -> bool;
    /// Whether `value`, with the Thumb bit, is an address behind a call.
    fn is_return(&self, value: u32) -> bool;
    /// The register of the BLX that `value`, with the Thumb bit, is an address behind.
    fn call_register(&self, value: u32) -> Option<u8>;
}

fn set(registers: &mut RegisterSet, register: Option<Register>, value: Option<u32>) {
    if let Some(register) = register {
        registers.set(register, value);
    }
}

/// Sixteen single-precision registers from `first` on, as far as they can be read.
fn read_singles(memory: &dyn Memory, at: Address, first: u8, registers: &mut RegisterSet) {
    for (number, index) in (first..).take(16).zip(0..) {
        let value = memory.read_u32(at.word(index)).ok();
        set(registers, Register::single(number), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    fn read(words: &[u32], exc_return: u32, float: FloatContext) -> ExceptionFrame {
        let exc_return = ExcReturn::new(exc_return).unwrap();
        ExceptionFrame::read(
            &MemoryImage::of_words(0x2000_0000, words),
            Address(0x2000_0000),
            exc_return,
            float,
        )
        .unwrap()
    }

    #[test]
    fn exc_return_values_of_every_architecture_are_known() {
        for value in [0xffff_fff1, 0xffff_fff9, 0xffff_fffd, 0xffff_ffe1, 0xffff_ffed, 0xffff_ffbc]
        {
            assert!(ExcReturn::new(value).is_some(), "{value:08x}");
        }
        for value in [0xffff_ffff, 0xfeff_ffff, 0x0800_0001, 0xffff_ff02, 0] {
            assert!(ExcReturn::new(value).is_none(), "{value:08x}");
        }
        let fpu = ExcReturn::new(0xffff_ffed).unwrap();
        assert!(fpu.has_float_frame() && fpu.on_process_stack() && fpu.to_thread_mode());
    }

    #[test]
    fn callee_saved_registers_are_stacked_when_secure_code_is_left() {
        // S and ES as set, DCRS: DDI 0553 B3.18.
        for (value, stacked) in [
            (0xffff_fff9, false),
            (0xffff_fff8, true),
            (0xffff_ffd9, true),
            (0xffff_ffb9, false),
            (0xffff_ffbc, false),
        ] {
            assert_eq!(ExcReturn::new(value).unwrap().has_additional_context(), stacked);
        }
        let word = |value: u32| ExcReturn::new(value).unwrap().describe(true);
        assert_eq!(word(0xffff_fff9), "to secure thread mode, basic frame on MSP");
        assert_eq!(word(0xffff_ffb1), "to non-secure handler mode, basic frame on its own stack");
    }

    #[test]
    fn basic_frame_with_alignment_word_restores_sp() {
        let words = [0, 1, 2, 3, 12, 0x101, 0x200, 0x0100_0200];
        let frame = read(&words, 0xffff_fffd, FloatContext::default());
        assert_eq!(frame.registers.sp(), Some(0x2000_0024));
        assert_eq!(frame.registers.pc(), Some(0x200));
        assert_eq!(frame.registers.get(Register::R12), Some(12));
        assert_eq!(frame.size, 0x24);
    }

    #[test]
    fn extended_frame_gives_singles_unless_stacking_is_lazy() {
        let mut words = vec![0, 1, 2, 3, 12, 0x101, 0x200, 0x0100_0000];
        words.extend(100..118);
        let frame = read(&words, 0xffff_ffed, FloatContext::default());
        assert_eq!(frame.registers.sp(), Some(0x2000_0068));
        assert_eq!(frame.registers.get(Register::S0), Some(100));
        assert_eq!(frame.registers.get(Register::FPSCR), Some(116));
        let lazy = FloatContext::new(Some(1), Some(0x2000_0020));
        let frame = read(&words, 0xffff_ffed, lazy);
        assert!(frame.lazy);
        assert_eq!(frame.registers.get(Register::S0), None);
        assert_eq!(frame.registers.sp(), Some(0x2000_0068));
    }

    #[test]
    fn additional_state_context_of_armv8m_gives_callee_saved_registers() {
        let mut words = vec![0xfefa_125b, 0, 4, 5, 6, 7, 8, 9, 10, 11];
        words.extend([0, 1, 2, 3, 12, 0x101, 0x200, 0x0100_0000]);
        let frame = read(&words, 0xffff_ffdd, FloatContext::default());
        assert_eq!(frame.registers.core(4), Some(4));
        assert_eq!(frame.registers.core(11), Some(11));
        assert_eq!(frame.registers.pc(), Some(0x200));
        assert_eq!(frame.registers.sp(), Some(0x2000_0048));
    }

    #[test]
    fn frame_that_is_cut_off_is_unreadable() {
        let memory = MemoryImage::of_words(0x2000_0000, &[0, 1, 2]);
        let exc_return = ExcReturn::new(0xffff_fffd).unwrap();
        let frame = ExceptionFrame::read(
            &memory,
            Address(0x2000_0000),
            exc_return,
            FloatContext::default(),
        );
        assert_eq!(frame, Err(Unreadable { address: Address(0x2000_000c) }));
    }

    #[test]
    fn names_cover_system_exceptions_and_interrupts() {
        assert_eq!(name(3), "HardFault");
        assert_eq!(name(15), "SysTick");
        assert_eq!(name(16), "IRQ 0");
        assert_eq!(name(8), "exception 8");
        assert!(is_fault(7) && !is_fault(2));
    }
}
