//! From one frame to its caller within a context.
//!
//! What carries out a system call is left by its kernel's rules. Else, in order of trust: `.debug_frame`, `.ARM.exidx`, the instructions of the function's prologue,
//! the link register, and last a search of the stack for a return address (`search`).

mod frame_size;
mod search;

pub(super) use search::search;

use super::{Environment, UnwoundFrame, worlds};
use crate::arch::cortex_m::exception::{Code, ExcReturn};
use crate::arch::cortex_m::prologue::StackEffect;
use crate::arch::cortex_m::security::is_function_return;
use crate::base::Address;
use crate::snapshot::{Register, RegisterSet};
use crate::symbols::CodeAddress;
use crate::symbols::cfi::{self, CfaRule, RegisterRule, UnwindRow};
use crate::symbols::exidx::{Unwind, UnwindStep};

/// How a frame was found, from certain to guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// The CPU's registers.
    Registers,
    /// Registers that the kernel saved when it switched the thread out.
    SavedRegisters,
    /// Registers that hardware pushed when it took an exception.
    ExceptionFrame,
    /// `.debug_frame`.
    Cfi,
    /// `.ARM.exidx`.
    Exidx,
    /// The kernel's way back from a system call to the code that made it.
    SystemCall,
    /// Debug information on calls: the function ended in a jump to the one below and left nothing
    /// on the stack.
    TailCall,
    /// The link register, after a jump to an address that is no code.
    LinkRegister,
    /// A guess: the size of the frame, by a return address to a call of this very function.
    FrameSize,
    /// A guess: the instructions at the function's start.
    Prologue,
    /// A guess: a word on the stack that looks like a return address.
    Scan,
}

impl FoundBy {
    /// As the report names it.
    pub fn name(self) -> &'static str {
        match self {
            FoundBy::Registers => "registers",
            FoundBy::SavedRegisters => "saved registers",
            FoundBy::ExceptionFrame => "exception frame",
            FoundBy::Cfi => "cfi",
            FoundBy::Exidx => "exidx",
            FoundBy::SystemCall => "system call",
            FoundBy::TailCall => "tail call",
            FoundBy::LinkRegister => "link register",
            FoundBy::FrameSize => "frame size",
            FoundBy::Prologue => "prologue",
            FoundBy::Scan => "scan",
        }
    }
}

/// Where a frame leads.
pub(super) enum Step {
    /// To its caller.
    Caller(Box<UnwoundFrame>),
    /// It is the outermost frame of a handler.
    ExceptionReturn(Box<HandlerEntry>),
    /// Nowhere; the reason is `None` where a thread normally begins.
    End(Option<String>),
}

/// The state in which a handler was entered.
#[derive(Clone, Debug)]
pub(super) struct HandlerEntry {
    /// How it returns.
    pub(super) exc_return: ExcReturn,
    /// The stack pointer at entry.
    pub(super) sp: Address,
    /// Registers at entry that hardware does not save, as far as they are known.
    pub(super) registers: RegisterSet,
}

/// DWARF number of SP. AADWARF32 section 4.1.
const STACK_POINTER: u16 = 13;
/// Registers that a function must preserve: r4 to r11. AAPCS32 section 6.1.1.
const CALLEE_SAVED: std::ops::RangeInclusive<u8> = 4..=11;

/// Finds the caller of `frame`, whose CFA is filled in on the way. `innermost` says that no frame
/// was unwound before in this context, so LR may still hold the return address.
pub(super) fn caller(
    frame: &mut UnwoundFrame,
    innermost: bool,
    in_handler: bool,
    environment: &Environment<'_, '_>,
) -> Step {
    let lookup = frame.pc.lookup();
    if !environment.is_code(lookup) {
        return from_link_register(frame, innermost, in_handler, environment);
    }
    if let Some(step) = out_of_system_call(frame, lookup, environment) {
        return step;
    }
    if let Some(symbols) = environment.symbols.at(lookup) {
        if let Some(row) = symbols.call_frames().row(lookup) {
            // A function that has made a call has saved LR. A row that says it did not is that of
            // a `naked` function, whose assembler the compiler does not read.
            let is_void = row.rules.is_empty() && is_entry(&row.cfa);
            if !innermost
                && is_void
                && let Some(step) = by_prologue(frame, lookup, innermost, environment)
            {
                return checked(step, frame, innermost, in_handler, environment);
            }
            let found = by_cfi(frame, &row, environment)
                .or_else(|| frame_size::caller(frame, &row, environment));
            if let Some(step) = found {
                return checked(step, frame, innermost, in_handler, environment);
            }
        } else if let Some(step) = by_exidx(frame, lookup, environment) {
            return checked(step, frame, innermost, in_handler, environment);
        }
        if let Some(step) = by_prologue(frame, lookup, innermost, environment) {
            return checked(step, frame, innermost, in_handler, environment);
        }
    }
    if innermost && frame.registers.lr().is_some_and(|lr| ExcReturn::new(lr).is_some()) {
        return from_link_register(frame, innermost, in_handler, environment);
    }
    scan_from(frame, in_handler, environment)
}

/// From the code that carries out a system call to the code that made it, which has another stack.
fn out_of_system_call(
    frame: &mut UnwoundFrame,
    lookup: Address,
    environment: &Environment<'_, '_>,
) -> Option<Step> {
    let function = environment.function_name(lookup)?;
    let kernel = environment.kernel?;
    let registers = kernel.system_call(environment.memory, function, &frame.registers)?;
    let pc = CodeAddress::Return(Address(registers.pc()?));
    Some(Step::Caller(Box::new(UnwoundFrame {
        world: frame.world,
        other_sp: frame.other_sp,
        ..UnwoundFrame::new(pc, registers, FoundBy::SystemCall)
    })))
}

/// A caller as a method computed it: its registers, `pc` the return address as found.
pub(super) struct Candidate {
    pub(super) registers: RegisterSet,
    pub(super) cfa: Address,
    pub(super) found_by: FoundBy,
}

/// Turns a candidate into a step, or falls back to a search when it cannot be right.
fn checked(
    candidate: Candidate,
    frame: &mut UnwoundFrame,
    innermost: bool,
    in_handler: bool,
    environment: &Environment<'_, '_>,
) -> Step {
    frame.cfa = Some(candidate.cfa);
    let Some(target) = candidate.registers.pc() else {
        return Step::End(None);
    };
    if let Some(exc_return) = ExcReturn::new(target) {
        let Candidate { registers, cfa: sp, .. } = candidate;
        return Step::ExceptionReturn(Box::new(HandlerEntry { exc_return, sp, registers }));
    }
    if is_function_return(target) {
        return worlds::into_secure(candidate, frame, in_handler, environment);
    }
    // What threads and reset handlers find in LR at their start, and fill patterns.
    if matches!(target, 0 | 0xffff_ffff | 0xaaaa_aaaa | 0xa5a5_a5a5 | 0xdead_beef) {
        return Step::End(None);
    }
    if environment.is_thread_start(target) {
        return Step::End(None);
    }
    if worlds::is_left_by(target, frame, environment) {
        return worlds::into_non_secure(candidate, target, frame, in_handler, environment);
    }
    let sp = frame.registers.sp().unwrap_or(0);
    let grows = candidate.cfa.0 > sp || (innermost && candidate.cfa.0 == sp);
    let into_code = environment.is_return_address(target);
    if !grows || !candidate.cfa.is_aligned(4) || !into_code {
        let what = if into_code {
            format!("the stack does not grow at {}", candidate.cfa)
        } else {
            format!("return address 0x{target:08x} is not code")
        };
        return match scan_from(frame, in_handler, environment) {
            Step::Caller(mut found) => {
                found.remark.get_or_insert(what);
                Step::Caller(found)
            }
            Step::End(_) => Step::End(Some(what)),
            other => other,
        };
    }
    let mut registers = candidate.registers;
    let pc = Address(target).without_thumb_bit();
    registers.set(Register::PC, pc.0);
    registers.set(Register::SP, candidate.cfa.0);
    registers.set(Register::XPSR, frame.registers.get(Register::XPSR));
    Step::Caller(Box::new(UnwoundFrame {
        world: frame.world,
        other_sp: frame.other_sp,
        ..UnwoundFrame::new(CodeAddress::Return(pc), registers, candidate.found_by)
    }))
}

/// What every function hands on to its caller unless a rule says otherwise: callee-saved core and
/// floating-point registers, and the stack pointers of the other bank.
fn preserved(registers: &RegisterSet) -> RegisterSet {
    let kept = |register: &Register| {
        CALLEE_SAVED.filter_map(Register::core).any(|saved| saved == *register)
            || (16..32).filter_map(Register::single).any(|saved| saved == *register)
            || Register::special().any(|special| special == *register)
    };
    registers.iter().filter(|(register, _)| kept(register)).collect()
}

fn by_cfi(
    frame: &UnwoundFrame,
    row: &UnwindRow<'_>,
    environment: &Environment<'_, '_>,
) -> Option<Candidate> {
    let callee = &frame.registers;
    let memory = environment.memory;
    let register =
        |number: u16| dwarf_register(callee, number).and_then(|value| u32::try_from(value).ok());
    let cfa = match &row.cfa {
        CfaRule::Register(number, offset) => Address(register(*number)?).wrapping_add(*offset),
        CfaRule::Expression(bytes) => Address(cfi::evaluate(bytes, None, &register, memory)?),
    };
    let recover = |rule: &RegisterRule<'_>, number: u16| match rule {
        RegisterRule::Undefined => None,
        RegisterRule::SameValue => register(number),
        RegisterRule::Offset(offset) => memory.read_u32(cfa.wrapping_add(*offset)).ok(),
        RegisterRule::ValOffset(offset) => Some(cfa.wrapping_add(*offset).0),
        RegisterRule::Register(other) => register(*other),
        RegisterRule::Expression(bytes) => {
            let at = cfi::evaluate(bytes, Some(cfa.0), &register, memory)?;
            memory.read_u32(Address(at)).ok()
        }
        RegisterRule::ValExpression(bytes) => cfi::evaluate(bytes, Some(cfa.0), &register, memory),
    };
    let mut caller = preserved(callee);
    for (number, rule) in &row.rules {
        if let Some(known) = word_register(*number) {
            caller.set(known, recover(rule, *number));
        } else if let (Some((low, high)), RegisterRule::Offset(offset)) =
            (double_register(*number), rule)
        {
            caller.set(low, memory.read_u32(cfa.wrapping_add(*offset)).ok());
            let above = cfa.wrapping_add(*offset).wrapping_add(4);
            caller.set(high, memory.read_u32(above).ok());
        }
    }
    let target = match row.rule(row.return_register) {
        Some(rule) => recover(rule, row.return_register),
        None => register(row.return_register),
    };
    caller.set(Register::PC, target);
    // The caller's LR was overwritten by the call.
    caller.set(Register::LR, None);
    Some(Candidate { registers: caller, cfa, found_by: FoundBy::Cfi })
}

/// The rule of a function's first instruction: nothing is on the stack yet.
fn is_entry(cfa: &CfaRule<'_>) -> bool {
    matches!(cfa, CfaRule::Register(STACK_POINTER, 0))
}

/// The value of the register with DWARF number `number`: 64 to 95, s0 to s31, are obsolete and what
/// GCC uses. AADWARF32 section 4.1.
pub fn dwarf_register(registers: &RegisterSet, number: u16) -> Option<u64> {
    match number {
        256..=271 => registers.double(u8::try_from(number.checked_sub(256)?).ok()?),
        _ => registers.get(word_register(number)?).map(u64::from),
    }
}

/// The 32-bit register with DWARF number `number`. AADWARF32 section 4.1.
fn word_register(number: u16) -> Option<Register> {
    match number {
        0..=15 => Register::core(u8::try_from(number).ok()?),
        64..=95 => Register::single(u8::try_from(number.checked_sub(64)?).ok()?),
        _ => None,
    }
}

/// Both halves of DWARF register d0 to d15. AADWARF32 section 4.1.
fn double_register(number: u16) -> Option<(Register, Register)> {
    let index = u8::try_from(number.checked_sub(256)?).ok()?.checked_mul(2)?;
    Some((Register::single(index)?, Register::single(index.checked_add(1)?)?))
}

fn by_exidx(
    frame: &UnwoundFrame,
    lookup: Address,
    environment: &Environment<'_, '_>,
) -> Option<Candidate> {
    let symbols = environment.symbols.at(lookup)?;
    // An entry reaches to the next one: the linker joins equal neighbours, and closes the table
    // over functions without entries with "cannot unwind".
    let (_, unwind) = symbols.exception_index()?.find(lookup, symbols)?;
    let Unwind::Steps(steps) = unwind else { return None };
    let mut registers = frame.registers.clone();
    let mut vsp = Address(registers.sp()?);
    let mut popped_pc = None;
    let pop = |vsp: &mut Address| {
        let word = environment.memory.read_u32(*vsp).ok();
        *vsp = vsp.wrapping_add(4);
        word
    };
    for step in steps {
        match step {
            UnwindStep::Add(bytes) => vsp = vsp.wrapping_add(i64::from(bytes)),
            UnwindStep::FromRegister(number) => vsp = Address(registers.core(number)?),
            UnwindStep::Pop(mask) => {
                let mut new_sp = None;
                for number in (0..16u8).filter(|number| mask >> number & 1 == 1) {
                    let word = pop(&mut vsp);
                    match number {
                        13 => new_sp = word,
                        15 => popped_pc = word,
                        _ => registers.set(Register::core(number)?, word),
                    }
                }
                if let Some(sp) = new_sp {
                    vsp = Address(sp);
                }
            }
            UnwindStep::PopDouble { first, count, padded } => {
                for index in 0..count {
                    let number = first.checked_add(index)?.checked_mul(2)?;
                    for half in [number, number.checked_add(1)?] {
                        let word = pop(&mut vsp);
                        if let Some(register) = Register::single(half) {
                            registers.set(register, word);
                        }
                    }
                }
                if padded {
                    vsp = vsp.wrapping_add(4);
                }
            }
            UnwindStep::PopAuthCode => vsp = vsp.wrapping_add(4),
        }
    }
    let target = popped_pc.or_else(|| registers.lr())?;
    let mut caller = preserved(&registers);
    caller.set(Register::PC, target);
    Some(Candidate { registers: caller, cfa: vsp, found_by: FoundBy::Exidx })
}

fn by_prologue(
    frame: &UnwoundFrame,
    lookup: Address,
    innermost: bool,
    environment: &Environment<'_, '_>,
) -> Option<Candidate> {
    let start = environment.symbols.at(lookup)?.function_start(lookup)?;
    let effect = StackEffect::scan(environment.memory, start, frame.pc.address())?;
    let cfa = Address(frame.registers.sp()?).wrapping_add(i64::from(effect.depth));
    let mut caller = preserved(&frame.registers);
    let mut target = if innermost { frame.registers.lr() } else { None };
    for (number, depth) in &effect.saved {
        let word =
            environment.memory.read_u32(cfa.wrapping_add(i64::from(*depth).wrapping_neg())).ok();
        if *number == 14 {
            target = word;
        } else if CALLEE_SAVED.contains(number) {
            caller.set(Register::core(*number)?, word);
        }
    }
    // A guess must lead somewhere, or another method gets its turn.
    let leads =
        |target: u32| ExcReturn::new(target).is_some() || environment.is_return_address(target);
    caller.set(Register::PC, Some(target.filter(|target| leads(*target))?));
    Some(Candidate { registers: caller, cfa, found_by: FoundBy::Prologue })
}

/// After a jump to an address that is no code LR still holds the return address, and SP was not
/// moved.
fn from_link_register(
    frame: &mut UnwoundFrame,
    innermost: bool,
    in_handler: bool,
    environment: &Environment<'_, '_>,
) -> Step {
    let (Some(lr), Some(sp)) = (frame.registers.lr(), frame.registers.sp()) else {
        return Step::End(Some("the link register is not known".into()));
    };
    if innermost {
        if let Some(exc_return) = ExcReturn::new(lr) {
            let registers = preserved(&frame.registers);
            return Step::ExceptionReturn(Box::new(HandlerEntry {
                exc_return,
                sp: Address(sp),
                registers,
            }));
        }
        let pc = Address(lr).without_thumb_bit();
        if environment.is_return_address(lr) {
            frame.cfa = Some(Address(sp));
            // A jump from a function's own body leaves what a call would preserve untouched.
            let mut registers = preserved(&frame.registers);
            registers.set(Register::PC, pc.0);
            registers.set(Register::SP, sp);
            registers.set(Register::XPSR, frame.registers.get(Register::XPSR));
            return Step::Caller(Box::new(UnwoundFrame {
                world: frame.world,
                other_sp: frame.other_sp,
                ..UnwoundFrame::new(CodeAddress::Return(pc), registers, FoundBy::LinkRegister)
            }));
        }
    }
    scan_from(frame, in_handler, environment)
}

/// Searches the stack above `frame`.
fn scan_from(frame: &UnwoundFrame, in_handler: bool, environment: &Environment<'_, '_>) -> Step {
    match frame.registers.sp() {
        Some(sp) => search::scan(Address(sp), search::SCAN_WORDS, in_handler, environment),
        None => without_stack(frame, environment),
    }
}

/// The print of a fault has no stack: where LR points is all that is left.
fn without_stack(frame: &UnwoundFrame, environment: &Environment<'_, '_>) -> Step {
    let lr = frame.registers.lr().filter(|lr| environment.is_return(*lr));
    let Some(lr) = lr.filter(|_| frame.found_by == FoundBy::Registers) else {
        return Step::End(Some("the stack pointer is not known".into()));
    };
    let pc = Address(lr).without_thumb_bit();
    let mut registers = RegisterSet::default();
    registers.set(Register::PC, pc.0);
    registers.set(Register::XPSR, frame.registers.get(Register::XPSR));
    Step::Caller(Box::new(UnwoundFrame {
        world: frame.world,
        remark: Some("the caller, unless another call has returned since".into()),
        ..UnwoundFrame::new(CodeAddress::Return(pc), registers, FoundBy::LinkRegister)
    }))
}

#[cfg(test)]
mod tests;
