//! Guesses: words of the stack that a call could have left there.

use super::{FoundBy, HandlerEntry, STACK_POINTER, Step, caller, dwarf_register};
use crate::analysis::unwind::{Environment, UnwoundFrame};
use crate::arch::cortex_m::exception::{Code as _, ExcReturn};
use crate::arch::cortex_m::prologue::call_target;
use crate::base::{Address, AddressRange};
use crate::snapshot::{Register, RegisterSet};
use crate::symbols::CodeAddress;

/// Words of stack that are searched for a return address.
pub(super) const SCAN_WORDS: u32 = 256;
/// Words of a whole stack that are searched when the stack pointer is lost.
const LONGEST_SCAN: u32 = 1 << 16;
/// Most bytes that hardware pushes: an extended frame with its alignment word.
const LARGEST_FRAME: u32 = 0x6c;
/// Candidates for the innermost frame when the program counter is lost.
const SEARCH_CANDIDATES: usize = 64;
/// Frames that are unwound to choose among the candidates, all together.
const SEARCH_STEPS: usize = 2048;

/// A frame on the stack when the program counter is lost: a guess. Among the words that look like
/// return addresses some are left from earlier calls, in arrays that were never written: the
/// one from which unwind tables lead to the thread's start is taken, before others one whose
/// callee's frame ends where the stack does; else the nearest.
pub(in crate::analysis::unwind) fn search(
    registers: &RegisterSet,
    environment: &Environment<'_, '_>,
) -> Option<UnwoundFrame> {
    let sp = Address(registers.sp()?);
    // A stack that was overrun is searched from its start: what lies below is not its own.
    let mut at = environment.thread_stack.map_or(sp, |stack| stack.start().max(sp));
    // Nothing is known of where in the stack the thread was.
    let words = environment.thread_stack.map_or(SCAN_WORDS, |stack| {
        u32::try_from(stack.size() / 4).unwrap_or(u32::MAX).min(LONGEST_SCAN)
    });
    let mut steps = SEARCH_STEPS;
    let mut homing = None;
    let mut nearest = None;
    for _ in 0..SEARCH_CANDIDATES {
        let Step::Caller(found) = scan(at, words, false, environment) else { break };
        at = Address(found.registers.sp()?);
        if leads_home(&found, &mut steps, environment) {
            if fills_the_stack(&found, registers, environment) {
                return Some(*found);
            }
            homing.get_or_insert(*found);
        } else {
            nearest.get_or_insert(*found);
        }
    }
    homing.or(nearest)
}

/// Whether the function that `frame` called fits between it and the end of the stack. Hardware could
/// not push its own frame there, so less room than that was left; and a frame that is counted from
/// a callee-saved register must be where that register, in `live`, says.
fn fills_the_stack(
    frame: &UnwoundFrame,
    live: &RegisterSet,
    environment: &Environment<'_, '_>,
) -> bool {
    let callee = call_target(environment.memory, frame.pc.address());
    let (Some(stack), Some(callee), Some(above)) =
        (environment.thread_stack, callee, frame.registers.sp())
    else {
        return false;
    };
    let Some(symbols) = environment.symbols.at(callee) else { return false };
    // The word that was found stands just below `above`.
    let slot = Address(above).wrapping_add(-4);
    let room = AddressRange::new(stack.start(), u64::from(LARGEST_FRAME).saturating_add(1));
    symbols.call_frames().return_slots(callee).into_iter().any(|(base, cfa, from_cfa)| {
        let expected = slot.wrapping_add(from_cfa.wrapping_neg()).wrapping_add(cfa.wrapping_neg());
        if base == STACK_POINTER {
            room.is_some_and(|room| room.contains(expected))
        } else {
            dwarf_register(live, base) == Some(u64::from(expected.0))
        }
    })
}

/// Whether unwind tables alone lead from `frame` to where threads begin, in no more than `steps`.
fn leads_home(frame: &UnwoundFrame, steps: &mut usize, environment: &Environment<'_, '_>) -> bool {
    let mut frame = frame.clone();
    for _ in 0..environment.max_frames {
        match steps.checked_sub(1) {
            Some(left) => *steps = left,
            None => return false,
        }
        let name = environment.function_name(frame.pc.lookup());
        if name.is_some_and(|name| environment.outermost.contains(&name)) {
            return true;
        }
        match caller(&mut frame, false, false, environment) {
            Step::Caller(next) if is_by_tables(next.found_by) => {
                frame = *next;
            }
            Step::End(None) => return true,
            _ => return false,
        }
    }
    false
}

/// Searches `words` words of the stack upwards from `sp` for a word that a call could have left there.
pub(super) fn scan(
    sp: Address,
    words: u32,
    in_handler: bool,
    environment: &Environment<'_, '_>,
) -> Step {
    for index in 0..words {
        let at = sp.word(index);
        let top = environment.thread_stack.filter(|stack| stack.contains(sp));
        if top.is_some_and(|stack| !stack.contains(at)) {
            break;
        }
        let Ok(word) = environment.memory.read_u32(at) else {
            let reason = format!("the stack at {at} is not captured");
            return Step::End(Some(reason));
        };
        let above = at.wrapping_add(4);
        if let Some(exc_return) = ExcReturn::new(word).filter(|_| in_handler) {
            let registers = RegisterSet::default();
            return Step::ExceptionReturn(Box::new(HandlerEntry {
                exc_return,
                sp: above,
                registers,
            }));
        }
        let pc = Address(word).without_thumb_bit();
        if environment.is_return(word) {
            let mut registers = RegisterSet::default();
            registers.set(Register::PC, pc.0);
            registers.set(Register::SP, above.0);
            let pc = CodeAddress::Return(pc);
            let world = environment.world_at(pc.lookup());
            let found = UnwoundFrame { world, ..UnwoundFrame::new(pc, registers, FoundBy::Scan) };
            return Step::Caller(Box::new(found));
        }
    }
    Step::End(Some("no return address is on the stack".into()))
}

/// Whether unwind tables led there, with a lost register made up for at most.
fn is_by_tables(found_by: FoundBy) -> bool {
    matches!(found_by, FoundBy::Cfi | FoundBy::Exidx | FoundBy::FrameSize)
}
