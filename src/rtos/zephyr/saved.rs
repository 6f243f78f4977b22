//! Registers of a thread that is switched out.
//!
//! PendSV port (all versions but those with CONFIG_USE_SWITCH): `callee_saved` holds r4 to r11 and
//! psp, which points at the frame that hardware pushed when PendSV was taken. With CONFIG_USE_SWITCH
//! `switch_handle` points at a frame that the kernel itself wrote: optional floating-point part,
//! optional PSPLIM, APSR, r0 to r12, lr, pc.

use super::layout::{Layout, member};
use crate::arch::cortex_m::exception::{ExcReturn, ExceptionFrame, FloatContext, XPSR_THUMB};
use crate::base::{Address, Memory};
use crate::snapshot::{Register, RegisterSet};

/// EXC_RETURN of a thread without floating-point context: thread mode, basic frame on PSP.
const PLAIN: u32 = 0xffff_fffd;

/// The registers of the switched-out thread at `thread`, or why they are missing.
pub(super) fn registers(
    memory: &dyn Memory,
    layout: &Layout,
    thread: Address,
) -> Result<RegisterSet, String> {
    if layout.switch_handle.is_some() {
        return switched(memory, layout, thread);
    }
    let psp = member(thread, layout.psp)
        .and_then(|at| memory.read_u32(at).ok())
        .ok_or("its saved stack pointer is not captured")?;
    if psp == 0 || psp % 4 != 0 {
        return Err(format!("its saved stack pointer 0x{psp:08x} cannot be right"));
    }
    let exc_return = member(thread, layout.exc_return)
        .and_then(|at| memory.read_u8(at).ok())
        .and_then(|low| ExcReturn::new(0xffff_ff00 | u32::from(low)))
        .or_else(|| ExcReturn::new(PLAIN))
        .ok_or("its EXC_RETURN cannot be right")?;
    // A switched-out thread's values are in its frame: switching out completes lazy stacking.
    let frame = ExceptionFrame::read(memory, Address(psp), exc_return, FloatContext::default())
        .map_err(|error| format!("its frame at 0x{psp:08x} is not captured ({error})"))?;
    let mut registers = frame.registers;
    if let Some(first) = member(thread, layout.callee_saved) {
        for (number, index) in (4..=11u8).zip(0..) {
            let value = memory.read_u32(first.word(index)).ok();
            if let Some(register) = Register::core(number) {
                registers.set(register, value);
            }
        }
    }
    if exc_return.has_float_frame()
        && let Some(first) = member(thread, layout.preempt_float)
    {
        for (number, index) in (16..32u8).zip(0..) {
            let value = memory.read_u32(first.word(index)).ok();
            if let Some(register) = Register::single(number) {
                registers.set(register, value);
            }
        }
    }
    registers.set(Register::PSP, registers.sp());
    Ok(registers)
}

/// The frame of CONFIG_USE_SWITCH.
fn switched(memory: &dyn Memory, layout: &Layout, thread: Address) -> Result<RegisterSet, String> {
    let handle = member(thread, layout.switch_handle)
        .and_then(|at| memory.read_u32(at).ok())
        .filter(|handle| *handle != 0)
        .ok_or("its switch handle is empty or not captured")?;
    let missing = |_| format!("its frame at 0x{handle:08x} is not captured");
    let mut at = Address(handle);
    let mut next = || {
        let word = memory.read_u32(at);
        at = at.wrapping_add(4);
        word
    };
    let mut registers = RegisterSet::default();
    if layout.switch_has_float && next().map_err(missing)? != 0 {
        for number in 0..32u8 {
            if let Some(register) = Register::single(number) {
                registers.set(register, next().map_err(missing)?);
            }
        }
        registers.set(Register::FPSCR, next().map_err(missing)?);
    }
    if layout.switch_has_limit {
        registers.set(Register::PSPLIM, next().map_err(missing)?);
    }
    registers.set(Register::XPSR, next().map_err(missing)? | XPSR_THUMB);
    for number in (0..=12u8).chain([14, 15]) {
        if let Some(register) = Register::core(number) {
            registers.set(register, next().map_err(missing)?);
        }
    }
    let pc = registers.pc().unwrap_or(0) & !1;
    registers.set(Register::PC, pc);
    registers.set(Register::SP, at.0);
    registers.set(Register::PSP, at.0);
    Ok(registers)
}
