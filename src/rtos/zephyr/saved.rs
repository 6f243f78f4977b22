//! Registers of a thread that is switched out.
//!
//! PendSV port (all versions but those with CONFIG_USE_SWITCH): `callee_saved` holds r4 to r11 and
//! psp, which points at the frame that hardware pushed when PendSV was taken. With CONFIG_USE_SWITCH
//! `switch_handle` points at a frame that the kernel itself wrote: optional floating-point part,
//! optional PSPLIM, APSR, r0 to r12, lr, pc. Where the thread was interrupted within LDM, STM or an IT
//! block, pc leads to a stub that faults, and the control block holds the real one.

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
    let interrupted = member(thread, layout.interrupted_pc).and_then(|at| memory.read_u32(at).ok());
    let pc = interrupted.filter(|pc| *pc != 0).or(registers.pc()).unwrap_or(0);
    registers.set(Register::PC, pc & !1);
    registers.set(Register::SP, at.0);
    registers.set(Register::PSP, at.0);
    Ok(registers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    const THREAD: u32 = 0x2000_0000;
    const FRAME: u32 = 0x2000_1000;

    /// The registers of a thread whose frame is `words`, with CONFIG_USE_SWITCH.
    fn of_frame(layout: &Layout, interrupted_pc: u32, words: &[u32]) -> RegisterSet {
        let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut memory = MemoryImage::default();
        let block: Vec<u8> = bytes(&[FRAME, interrupted_pc]);
        memory.insert(Address(THREAD), block).unwrap();
        memory.insert(Address(FRAME), bytes(words)).unwrap();
        registers(&memory, layout, Address(THREAD)).unwrap()
    }

    fn layout(has_float: bool, has_limit: bool) -> Layout {
        Layout {
            switch_handle: Some(0),
            interrupted_pc: Some(4),
            switch_has_float: has_float,
            switch_has_limit: has_limit,
            ..Layout::default()
        }
    }

    /// APSR with the bit of a padded frame, r0 to r12, lr, pc.
    fn core_words() -> Vec<u32> {
        [0x0100_0200].into_iter().chain(100..=112).chain([0x8001, 0x9001]).collect()
    }

    #[track_caller]
    fn check_core(registers: &RegisterSet, pc: u32, end: u32) {
        for number in 0..=12u8 {
            assert_eq!(registers.core(number), Some(100 + u32::from(number)), "r{number}");
        }
        assert_eq!(registers.get(Register::LR), Some(0x8001));
        assert_eq!((registers.pc(), registers.sp()), (Some(pc), Some(end)));
    }

    #[test]
    fn frame_of_a_switched_thread_is_read_with_and_without_its_optional_parts() {
        let plain = of_frame(&layout(false, false), 0, &core_words());
        check_core(&plain, 0x9000, FRAME + 64);
        let limit: Vec<u32> = [0x2000_0800].into_iter().chain(core_words()).collect();
        let limited = of_frame(&layout(false, true), 0, &limit);
        check_core(&limited, 0x9000, FRAME + 68);
        assert_eq!(limited.get(Register::PSPLIM), Some(0x2000_0800));
        let unused: Vec<u32> = [0].into_iter().chain(limit.clone()).collect();
        let unused = of_frame(&layout(true, true), 0, &unused);
        check_core(&unused, 0x9000, FRAME + 72);
        assert_eq!(unused.get(Register::single(0).unwrap()), None);
        let float: Vec<u32> = [4].into_iter().chain(200..232).chain([7]).chain(limit).collect();
        let float = of_frame(&layout(true, true), 0, &float);
        check_core(&float, 0x9000, FRAME + 72 + 33 * 4);
        assert_eq!(float.get(Register::single(31).unwrap()), Some(231));
        assert_eq!(float.get(Register::FPSCR), Some(7));
    }

    #[test]
    fn thread_that_was_interrupted_within_an_instruction_goes_on_there() {
        let registers = of_frame(&layout(false, false), 0xa234, &core_words());
        check_core(&registers, 0xa234, FRAME + 64);
    }
}
