//! Registers of a thread that is switched out.
//!
//! Upwards from `tx_thread_stack_ptr`: EXC_RETURN, s16 to s31 when it says that the FPU was used, r4
//! to r11, the frame that hardware pushed. Armv6-M ports keep r8 to r11 before r4 to r7. Ports for
//! cores without FPU may keep no EXC_RETURN.

use crate::arch::cortex_m::exception::{ExcReturn, ExceptionFrame, FloatContext, XPSR_THUMB};
use crate::base::{Address, AddressRange, Memory};
use crate::snapshot::{Register, RegisterSet};
use crate::symbols::SymbolFile;

/// EXC_RETURN of a core without FPU: thread mode, basic frame on PSP.
const PLAIN: u32 = 0xffff_fffd;
/// In the order of Armv7-M and Armv8-M ports.
const ASCENDING: [u8; 8] = [4, 5, 6, 7, 8, 9, 10, 11];
/// In the order of Armv6-M ports: PUSH reaches low registers only.
const HIGH_FIRST: [u8; 8] = [8, 9, 10, 11, 4, 5, 6, 7];

/// The registers saved at `top`, or why they are missing.
pub(super) fn registers(
    memory: &dyn Memory,
    symbols: &SymbolFile<'_>,
    top: Address,
    stack: Option<AddressRange>,
) -> Result<RegisterSet, String> {
    if !top.is_aligned(4) {
        return Err(format!("its saved stack pointer {top} cannot be right"));
    }
    let first = memory.read_u32(top).map_err(|_| format!("its stack at {top} is not captured"))?;
    let kept = ExcReturn::new(first).map(|exc_return| (exc_return, 1));
    let plain = ExcReturn::new(PLAIN).map(|exc_return| (exc_return, 0));
    let found = kept
        .into_iter()
        .chain(plain)
        .find_map(|(exc_return, words)| read(memory, symbols, top.word(words), exc_return, stack));
    found.ok_or_else(|| format!("the words at {top} are not a thread's saved registers"))
}

/// Registers from the word behind EXC_RETURN on.
fn read(
    memory: &dyn Memory,
    symbols: &SymbolFile<'_>,
    mut at: Address,
    exc_return: ExcReturn,
    stack: Option<AddressRange>,
) -> Option<RegisterSet> {
    let mut upper = RegisterSet::default();
    if exc_return.has_float_frame() {
        for (number, index) in (16..32u8).zip(0..) {
            upper.set(Register::single(number)?, memory.read_u32(at.word(index)).ok());
        }
        at = at.word(16);
    }
    let frame =
        ExceptionFrame::read(memory, at.word(8), exc_return, FloatContext::default()).ok()?;
    let mut registers = frame.registers.clone();
    let pc = Address(registers.pc()?).without_thumb_bit();
    let inside = stack.is_none_or(|stack| u64::from(registers.sp().unwrap_or(0)) <= stack.end());
    let thumb = registers.get(Register::XPSR)? & XPSR_THUMB != 0;
    if !(thumb && inside && symbols.is_code(pc) && frame.is_shaped(exc_return)) {
        return None;
    }
    let order = if is_armv6(symbols) { HIGH_FIRST } else { ASCENDING };
    for (number, index) in order.into_iter().zip(0..) {
        registers.set(Register::core(number)?, memory.read_u32(at.word(index)).ok());
    }
    for (register, value) in upper.iter() {
        registers.set(register, value);
    }
    registers.set(Register::PC, pc.0);
    registers.set(Register::PSP, registers.sp());
    Some(registers)
}

/// Whether the port is one for Armv6-M, whose scheduler cannot save all registers at once: later ones
/// do with STMDB Rn!, {r4-r11} (DDI 0403E A7.7.160).
fn is_armv6(symbols: &SymbolFile<'_>) -> bool {
    let handlers = ["PendSV_Handler", "__tx_PendSVHandler"];
    let Some(handler) = handlers.iter().find_map(|name| symbols.symbol(name)) else {
        return false;
    };
    let code = (0..64_u32).map_while(|index| symbols.read_u32(handler.address.word(index)).ok());
    // Either half of a word may begin it.
    let halves: Vec<u32> = code.flat_map(|word| [word & 0xffff, word >> 16]).collect();
    !halves.windows(2).any(|pair| matches!(pair, [first, 0x0ff0] if first & 0xfff0 == 0xe920))
}
