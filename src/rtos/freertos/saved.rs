//! Registers of a task that is switched out.
//!
//! PendSV pushes them below the frame that hardware pushed, and `pxTopOfStack` points at the last.
//! What it pushes in which order is the port's business; the port does not say its name, but the
//! words do: only one order has an EXC_RETURN, a stack limit and a frame where they belong. Ports
//! with an MPU keep everything in the control block from V10.6 on.

use crate::arch::cortex_m::exception::{ExcReturn, ExceptionFrame, FloatContext, XPSR_THUMB};
use crate::base::{Address, AddressRange, Memory};
use crate::snapshot::{Register, RegisterSet};
use crate::symbols::SymbolFile;

/// What a port pushes: at which word, upwards from `pxTopOfStack`.
struct Order {
    /// EXC_RETURN; ports for cores without FPU keep none.
    exc_return: Option<u32>,
    /// PSPLIM, which is the stack's lowest address.
    limit: Option<u32>,
    /// The secure side has a context of its own, and may hold the frame.
    secure: bool,
    /// r4 of r4 to r11.
    callee_saved: u32,
    /// How many words in all, without those of the FPU.
    words: u32,
}

/// Every order that is known, with the folders of portable/GCC. Those that ask for more come first.
const ORDERS: &[Order] = &[
    // ARM_CM33_NTZ and its like (CM23, CM35P, CM52, CM55, CM85).
    Order { exc_return: Some(1), limit: Some(0), secure: false, callee_saved: 2, words: 10 },
    // ARM_CM33_NTZ with an MPU, before V10.6: CONTROL between.
    Order { exc_return: Some(2), limit: Some(0), secure: false, callee_saved: 3, words: 11 },
    // ARM_CM33: xSecureContext first.
    Order { exc_return: Some(2), limit: Some(1), secure: true, callee_saved: 3, words: 11 },
    // ARM_CM33 with an MPU, before V10.6.
    Order { exc_return: Some(3), limit: Some(1), secure: true, callee_saved: 4, words: 12 },
    // The same with the keys of pointer authentication below, from V11.2.
    Order { exc_return: Some(5), limit: Some(4), secure: false, callee_saved: 6, words: 14 },
    Order { exc_return: Some(6), limit: Some(5), secure: true, callee_saved: 7, words: 15 },
    // ARM_CM0 from V11.1.
    Order { exc_return: Some(0), limit: None, secure: false, callee_saved: 1, words: 9 },
    // ARM_CM4F, ARM_CM7.
    Order { exc_return: Some(8), limit: None, secure: false, callee_saved: 0, words: 9 },
    // ARM_CM4_MPU before V10.6: CONTROL first.
    Order { exc_return: Some(9), limit: None, secure: false, callee_saved: 1, words: 10 },
    // ARM_CM3, and ARM_CM0 before V11.1.
    Order { exc_return: None, limit: None, secure: false, callee_saved: 0, words: 8 },
    // ARM_CM3_MPU before V10.6: CONTROL first.
    Order { exc_return: None, limit: None, secure: false, callee_saved: 1, words: 9 },
];

/// What a port with an MPU keeps in the control block from V10.6 on: how many words below its end.
struct OrderInTask {
    exc_return: u32,
    /// Copy of what hardware pushed.
    frame: u32,
    psp: u32,
    /// r4 of r4 to r11.
    callee_saved: u32,
    /// The end of what the FPU has: s16 to s31, s0 to s15, FPSCR.
    float: u32,
}

const IN_TASK: &[OrderInTask] = &[
    // Armv8-M.
    OrderInTask { exc_return: 1, frame: 12, psp: 4, callee_saved: 20, float: 20 },
    // The same with xSecureContext behind the frame.
    OrderInTask { exc_return: 1, frame: 13, psp: 4, callee_saved: 21, float: 21 },
    // ARM_CM3_MPU, ARM_CM4_MPU.
    OrderInTask { exc_return: 10, frame: 8, psp: 9, callee_saved: 18, float: 19 },
];

/// EXC_RETURN of a core without FPU: thread mode, basic frame on PSP.
const PLAIN: u32 = 0xffff_fffd;

/// A task's memory, for the look at its registers.
pub(super) struct Saved<'a, 'd> {
    pub(super) memory: &'a dyn Memory,
    pub(super) symbols: &'a SymbolFile<'d>,
    /// `pxTopOfStack`.
    pub(super) top: Address,
    /// `pxStack`.
    pub(super) lowest: Address,
    /// As far as its end is known.
    pub(super) stack: Option<AddressRange>,
}

impl Saved<'_, '_> {
    /// The registers, or why they are missing.
    pub(super) fn registers(&self) -> Result<RegisterSet, String> {
        if !self.top.is_aligned(4) || self.memory.read_u32(self.top).is_err() {
            return Err(format!("its saved registers at {} are not captured", self.top));
        }
        let mut orders = ORDERS.iter();
        orders.find_map(|order| self.by_order(order)).unwrap_or_else(|| {
            Err(format!("the words at {} are not a task's saved registers", self.top))
        })
    }

    fn by_order(&self, order: &Order) -> Option<Result<RegisterSet, String>> {
        let word = |index: u32| self.memory.read_u32(self.top.word(index)).ok();
        if let Some(limit) = order.limit
            && word(limit)? != self.lowest.0
        {
            return None;
        }
        let exc_return = ExcReturn::new(order.exc_return.map_or(Some(PLAIN), word)?)?;
        if !exc_return.to_thread_mode() || !exc_return.on_process_stack() {
            return None;
        }
        if order.secure && exc_return.from_secure() {
            let text = "it is in secure code, and its registers are on a secure stack";
            return Some(Err(text.into()));
        }
        let float = if exc_return.has_float_frame() { 16 } else { 0 };
        let at = self.top.word(order.words.checked_add(float)?);
        let mut registers = self.frame(at, exc_return)?;
        let sp = u64::from(registers.sp()?);
        if self.stack.is_some_and(|stack| sp > stack.end()) {
            return None;
        }
        self.callee_saved(self.top.word(order.callee_saved), &mut registers);
        if float > 0 {
            self.singles(self.top.word(order.words), 16, &mut registers);
        }
        registers.set(Register::PSPLIM, order.limit.and_then(word));
        registers.set(Register::PSP, registers.sp());
        Some(Ok(registers))
    }

    /// What hardware pushed, if the words look like it.
    fn frame(&self, at: Address, exc_return: ExcReturn) -> Option<RegisterSet> {
        // Switching out has completed lazy stacking.
        let frame =
            ExceptionFrame::read(self.memory, at, exc_return, FloatContext::default()).ok()?;
        let mut registers = frame.registers.clone();
        let pc = Address(registers.pc()?).without_thumb_bit();
        let runs = registers.get(Register::XPSR)? & XPSR_THUMB != 0 && self.symbols.is_code(pc);
        registers.set(Register::PC, pc.0);
        (runs && frame.is_shaped(exc_return)).then_some(registers)
    }

    fn callee_saved(&self, first: Address, registers: &mut RegisterSet) {
        for (number, index) in (4..=11u8).zip(0..) {
            if let Some(register) = Register::core(number) {
                registers.set(register, self.memory.read_u32(first.word(index)).ok());
            }
        }
    }

    /// Sixteen floating-point registers from number `from` on.
    fn singles(&self, first: Address, from: u8, registers: &mut RegisterSet) {
        for (number, index) in (from..).take(16).zip(0..) {
            if let Some(register) = Register::single(number) {
                registers.set(register, self.memory.read_u32(first.word(index)).ok());
            }
        }
    }

    /// Of ports that keep everything in the control block, where `pxTopOfStack` is the end of it.
    pub(super) fn registers_in_task(&self) -> Result<RegisterSet, String> {
        let mut orders = IN_TASK.iter();
        orders
            .find_map(|order| self.by_order_in_task(order))
            .ok_or_else(|| format!("the words below {} are not a task's saved registers", self.top))
    }

    fn by_order_in_task(&self, order: &OrderInTask) -> Option<RegisterSet> {
        let below = |words: u32| self.top.word(words.wrapping_neg());
        let word = |words: u32| self.memory.read_u32(below(words)).ok();
        let exc_return = ExcReturn::new(word(order.exc_return)?)?;
        if !exc_return.to_thread_mode() || !exc_return.on_process_stack() {
            return None;
        }
        let psp = Address(word(order.psp)?);
        let mut registers = self.frame_in_task(below(order.frame), psp, exc_return)?;
        self.callee_saved(below(order.callee_saved), &mut registers);
        if exc_return.has_float_frame() {
            self.singles(below(order.float.checked_add(17)?), 0, &mut registers);
            self.singles(below(order.float.checked_add(33)?), 16, &mut registers);
            registers.set(Register::FPSCR, word(order.float.checked_add(1)?));
        }
        registers.set(Register::PSP, registers.sp());
        Some(registers)
    }

    /// A copy of the frame at `copy`; it was, and will be, at `psp`.
    fn frame_in_task(
        &self,
        copy: Address,
        psp: Address,
        exc_return: ExcReturn,
    ) -> Option<RegisterSet> {
        let basic = ExcReturn::new(exc_return.value() | 0x10)?;
        let mut registers = self.frame(copy, basic)?;
        let size: u32 = if exc_return.has_float_frame() { 0x68 } else { 0x20 };
        let pad = if registers.get(Register::XPSR)? & 0x200 != 0 { 4 } else { 0 };
        registers.set(Register::SP, psp.checked_add(size.checked_add(pad)?)?.0);
        Some(registers)
    }
}
