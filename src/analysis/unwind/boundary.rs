//! Across an exception: from a handler to what it interrupted.
//!
//! Where the frame lies is certain when the stack pointers are known. Dumps without MSP and PSP
//! (plain ELF cores, older debug servers) leave a search: a handler keeps the frame's address in
//! its registers or on its own stack, and a frame has a shape.

use super::step::HandlerEntry;
use super::{Context, Environment};
use crate::arch::cortex_m::exception::{ExcReturn, ExceptionFrame, is_fault};
use crate::arch::cortex_m::fault::is_set;
use crate::arch::cortex_m::security::World;
use crate::arch::cortex_m::system::CFSR;
use crate::base::{Address, AddressRange};
use crate::snapshot::{Register, RegisterSet};

/// The state that a handler interrupted.
pub(super) struct Outer {
    /// Where the frame that hardware pushed begins.
    pub(super) address: Address,
    /// Registers before the exception.
    pub(super) registers: RegisterSet,
    /// A doubt about them.
    pub(super) remark: Option<String>,
}

/// Words of a handler's stack that are searched for the frame or its address.
const SEARCH_WORDS: u32 = 512;
/// Largest thread stack that is searched for a frame, in bytes.
const THREAD_STACK_LIMIT: u64 = 1 << 20;

/// Reads the state that the handler of `context`, entered as `entry` says, interrupted.
/// `inner` are the handlers on top of it; `stopped` holds the registers at its innermost frame.
pub(super) fn cross(
    entry: &HandlerEntry,
    inner: &[Context],
    context: &Context,
    stopped: &RegisterSet,
    environment: &Environment<'_, '_>,
) -> Result<Outer, String> {
    let exc_return = entry.exc_return;
    let other_world =
        environment.secured && World::handling(exc_return) != World::interrupted(exc_return);
    let place = if other_world {
        stack_of_the_other_world(exc_return, stopped, environment)
    } else if exc_return.on_process_stack() {
        process_stack(exc_return, stopped).map(|psp| (psp, None))
    } else {
        Some(main_stack(exc_return, entry.sp, environment))
    };
    let (address, remark) = match place {
        Some(place) => place,
        None => recover(exc_return, inner, context, environment)?,
    };
    let frame = ExceptionFrame::read(environment.memory, address, exc_return, environment.float)
        .map_err(|error| format!("the exception frame at {address} is not captured: {error}"))?;

    let mut registers = before_exception(&frame, &entry.registers);
    if frame.lazy {
        // The values are still in the FPU: no handler has touched it, up to the innermost.
        let live = inner.first().unwrap_or(context).frames.first();
        if let Some(live) = live.map(|frame| &frame.registers) {
            copy_singles(live, &mut registers, 0..16);
            registers.set(Register::FPSCR, live.get(Register::FPSCR));
        }
    }
    if environment.secured {
        // A handler runs on its world's main stack, and leaves it as it was at entry. SPSEL is what
        // CONTROL of that world had (DDI 0553 B3.18).
        let world = World::handling(exc_return);
        registers.set(world.main_stack(), entry.sp.0);
        let control = registers.get(world.control()).unwrap_or(0) & !2;
        registers.set(world.control(), control | u32::from(exc_return.on_process_stack()) << 1);
    }
    if other_world {
        registers.set(Register::MSP, None);
        registers.set(Register::PSP, None);
    } else if exc_return.on_process_stack() {
        registers.set(Register::PSP, frame.registers.sp());
        registers.set(Register::MSP, entry.sp.0);
    } else {
        registers.set(Register::MSP, frame.registers.sp());
    }
    let plausible = frame.is_plausible(exc_return, environment);
    let shaped = frame.is_shaped(exc_return);
    let remark = match not_stacked(address, plausible, shaped, environment) {
        Some(reason) => {
            forget_frame(&mut registers, address);
            Some(reason)
        }
        None if !plausible => {
            remark.or_else(|| Some(format!("the frame at {address} does not look like one")))
        }
        None => remark,
    };
    Ok(Outer { address, registers, remark })
}

/// Registers that the frame does not hold are those of the handler's outermost frame: hardware
/// saves only what a C function may destroy.
fn before_exception(frame: &ExceptionFrame, entry: &RegisterSet) -> RegisterSet {
    let mut registers = frame.registers.clone();
    for register in (4..=11u8).filter_map(Register::core) {
        if registers.get(register).is_none() {
            registers.set(register, entry.get(register));
        }
    }
    copy_singles(entry, &mut registers, 16..32);
    if registers.get(Register::S0).is_none() && !frame.lazy {
        copy_singles(entry, &mut registers, 0..16);
    }
    for register in Register::special() {
        registers.set(register, entry.get(register));
    }
    registers
}

fn copy_singles(from: &RegisterSet, to: &mut RegisterSet, numbers: std::ops::Range<u8>) {
    for register in numbers.filter_map(Register::single) {
        if to.get(register).is_none() {
            to.set(register, from.get(register));
        }
    }
}

/// Drops what the frame was said to hold; SP is where hardware stopped pushing.
fn forget_frame(registers: &mut RegisterSet, address: Address) {
    let stacked = [0, 1, 2, 3, 12, 14, 15].into_iter().filter_map(Register::core);
    let float = (0..16).filter_map(Register::single);
    for register in stacked.chain(float).chain([Register::XPSR]) {
        registers.set(register, None);
    }
    registers.set(Register::SP, address.0);
}

/// Why the frame at `address` holds no registers although the stack pointer is right. The status
/// bits alone do not tell: with STKOF or MSTKERR the frame may be there all the same, when only the
/// instruction, or only the floating-point part of the frame, went past the limit.
fn not_stacked(
    address: Address,
    plausible: bool,
    shaped: bool,
    environment: &Environment<'_, '_>,
) -> Option<String> {
    let set = |bit: &&(&str, &str)| is_set(environment.system, CFSR, bit.0);
    let reasons = [
        ("STKOF", "the stack limit was reached, so hardware pushed no frame; registers are stale"),
        ("MSTKERR", "pushing the frame violated the MPU; its contents are not to be trusted"),
        ("STKERR", "pushing the frame failed on the bus; its contents are not to be trusted"),
    ];
    let Some((bit, text)) = reasons.iter().find(set) else {
        // Firmware may have cleared the bits since.
        let text = format!("the words at {address} are no exception frame; registers are lost");
        return (!shaped).then_some(text);
    };
    // Hardware that stacks nothing leaves the stack pointer at its limit.
    let at_limit = environment.thread_stack.is_some_and(|stack| stack.start() == address);
    (!plausible || (*bit == "STKOF" && at_limit)).then(|| (*text).to_string())
}

/// Where the frame lies when the exception was taken to the other world: on the stack that the
/// interrupted world's CONTROL selects; SPSEL of EXC_RETURN is about the handler's. DDI 0553 B3.18.
fn stack_of_the_other_world(
    exc_return: ExcReturn,
    stopped: &RegisterSet,
    environment: &Environment<'_, '_>,
) -> Option<(Address, Option<String>)> {
    let in_handler = !exc_return.to_thread_mode();
    let world = World::interrupted(exc_return);
    let (places, is_certain) = world.stack_pointers(stopped, in_handler);
    let fits = |at: &Address| is_certain || is_frame(*at, exc_return, environment);
    places.into_iter().find(fits).map(|at| (at, None))
}

/// PSP of the security state that `exc_return` names.
fn process_stack(exc_return: ExcReturn, stopped: &RegisterSet) -> Option<Address> {
    let banked = if exc_return.from_secure() { Register::PSP_S } else { Register::PSP_NS };
    // PSP is that of the state the core is in; without the Security Extension it is the only one.
    let value = stopped.get(banked).filter(|value| *value != 0).or(stopped.get(Register::PSP))?;
    Some(Address(value))
}

/// The frame on the main stack begins at the handler's stack pointer at entry. When that was
/// guessed, the nearest place above that holds a frame is better.
fn main_stack(
    exc_return: ExcReturn,
    sp: Address,
    environment: &Environment<'_, '_>,
) -> (Address, Option<String>) {
    let fits = |at: Address| is_frame(at, exc_return, environment);
    if fits(sp) {
        return (sp, None);
    }
    let found = (0..32).map(|index| sp.word(index)).find(|at| fits(*at));
    match found {
        Some(at) => (at, Some(format!("the exception frame was searched for and found at {at}"))),
        None => (sp, None),
    }
}

fn is_frame(at: Address, exc_return: ExcReturn, environment: &Environment<'_, '_>) -> bool {
    at.is_aligned(4)
        && ExceptionFrame::read(environment.memory, at, exc_return, environment.float)
            .is_ok_and(|frame| frame.is_plausible(exc_return, environment))
}

/// A frame that the kernel made for a thread that never ran: no running thread is there.
fn is_thread_start(at: Address, environment: &Environment<'_, '_>) -> bool {
    let pc = at.checked_add(24).and_then(|slot| environment.memory.read_u32(slot).ok());
    let symbol = pc.and_then(|pc| environment.symbols.symbol_at(Address(pc)));
    symbol
        .is_some_and(|(symbol, offset)| offset == 0 && environment.outermost.contains(&symbol.name))
}

/// Finds the frame on an unknown process stack.
fn recover(
    exc_return: ExcReturn,
    inner: &[Context],
    context: &Context,
    environment: &Environment<'_, '_>,
) -> Result<(Address, Option<String>), String> {
    let stack = environment.thread_stack;
    let world = World::interrupted(exc_return);
    let name = match environment.secured && World::handling(exc_return) != world {
        true => format!("the {} stack pointer", world.name()),
        false => "PSP".to_string(),
    };
    let remark = |at: Address, how: &str| {
        (at, Some(format!("{name} is not in the dump; the frame at {at} was recovered from {how}")))
    };
    let entry_sp = context.frames.last().and_then(|frame| frame.cfa);
    let pointers = handler_words(inner, context, environment);
    // A stack that was overrun has its frame below its start: allow for that.
    let near = stack.and_then(|stack| {
        let start = Address(stack.start().0.saturating_sub(256));
        AddressRange::new(start, stack.end().saturating_sub(u64::from(start.0)))
    });
    let in_ram = |at: Address| {
        let section = environment.symbols.section_at(at);
        section.is_none_or(|section| section.is_ram()) && at.is_aligned(8)
    };
    let elsewhere = |at: Address| {
        in_ram(at) && entry_sp.is_none_or(|sp| at >= sp || sp.0.saturating_sub(at.0) > 4096)
    };
    let is_near = |at: &Address| near.is_some_and(|near| near.contains(*at));
    let is_inside = |at: &Address| stack.is_some_and(|stack| stack.contains(*at));
    let overran = environment.overran && is_fault(context.exception);
    let fits = |at: &Address| {
        is_frame(*at, exc_return, environment)
            && !is_thread_start(*at, environment)
            && !(overran && is_inside(at))
    };
    let pointers: Vec<Address> = pointers.into_iter().map(Address).collect();
    // One huge frame may have left the stack far behind: any frame the handler points at will do.
    // A stack limit does not let it: what lies elsewhere then is left from earlier. And what an
    // interrupted handler keeps may point into the stacks of other threads.
    let limited = near.is_some() && is_set(environment.system, CFSR, "STKOF");
    let far = || {
        let mut far = pointers.iter().filter(|_| !limited && inner.is_empty());
        far.find(|at| elsewhere(**at) && fits(at))
    };
    // Below a stack may be that of another thread, with its own frame.
    let mut close = pointers.iter().filter(|at| is_near(at) && fits(at));
    let pointed = close.clone().find(|at| is_inside(at)).or_else(|| close.next());
    if let Some(at) = pointed.or_else(far) {
        return Ok(remark(*at, "the handler's own stack"));
    }
    let near = near.filter(|stack| stack.size() <= THREAD_STACK_LIMIT).ok_or_else(|| {
        format!("{name} is not in the dump and the current thread's stack is not known")
    })?;
    let words = u32::try_from(near.size() / 8).unwrap_or(0);
    let bottom_up = |index: u32| Address(near.start().0 & !7).word(index.wrapping_mul(2));
    // At the vector r0 to r3 and r12 still are what hardware pushed: that is the best proof.
    let innermost = context.frames.first().map(|frame| &frame.registers);
    let same = |at: &Address| {
        let frame =
            ExceptionFrame::read(environment.memory, *at, exc_return, environment.float).ok();
        frame.zip(innermost).is_some_and(|(frame, live)| {
            [0, 1, 2, 3, 12].iter().all(|n| {
                frame.registers.core(*n).is_some() && frame.registers.core(*n) == live.core(*n)
            })
        })
    };
    let candidates = || (0..words).map(bottom_up).filter(fits);
    if let Some(at) = candidates().find(same) {
        return Ok(remark(at, "the current thread's stack"));
    }
    // With a stacking error the frame is nowhere: what looks like one is left from earlier.
    let pushed =
        !["MSTKERR", "STKERR", "STKOF"].iter().any(|bit| is_set(environment.system, CFSR, bit));
    candidates()
        .find(is_inside)
        .or_else(|| candidates().next())
        .filter(|_| pushed)
        .map(|at| remark(at, "the current thread's stack"))
        .ok_or_else(|| format!("{name} is not in the dump and no exception frame was found"))
}

/// Every word that the handler's frames hold in registers, then on its stack.
pub(super) fn handler_words(
    inner: &[Context],
    context: &Context,
    environment: &Environment<'_, '_>,
) -> Vec<u32> {
    let mut words = Vec::new();
    for frame in inner.iter().rev().chain([context]).flat_map(|context| &context.frames) {
        words.extend((0..=12u8).filter_map(|number| frame.registers.core(number)));
    }
    // All handlers share the main stack, the innermost lowest.
    let lowest = inner.first().unwrap_or(context);
    let start = lowest.frames.first().and_then(|frame| frame.registers.sp()).map(Address);
    let end = context.frames.last().and_then(|frame| frame.cfa);
    if let (Some(start), Some(end)) = (start, end) {
        let count = (end.0.saturating_sub(start.0) / 4).min(SEARCH_WORDS);
        // From the vector inwards: the outermost frames were written first, at the crash.
        for index in 1..=count {
            let at = end.word(index.wrapping_neg());
            words.extend(environment.memory.read_u32(at).ok());
        }
    }
    words
}
