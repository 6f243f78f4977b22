//! Between the secure and the non-secure world without an exception: BLXNS calls a non-secure function
//! and leaves FNC_RETURN in its LR, BXNS returns from a secure function that non-secure code called.
//!
//! Each world has its own stacks. Where the dump lacks the stack pointers of one, the one that the
//! other side was unwound to counts, or a word of the fault handler from which unwind tables lead on.
//! Source: Armv8-M ARM (DDI 0553) B3.16; Arm v8-M Security Extensions (ECM0359818) 5.4.

use super::step::{self, Candidate, FoundBy, Step};
use super::{Context, Environment, UnwoundFrame, boundary};
use crate::arch::cortex_m::security::{CALL_FRAME_SIZE, World, call_frame};
use crate::base::Address;
use crate::snapshot::{Register, RegisterSet};
use crate::symbols::CodeAddress;

/// What compilers prefix the symbol of a function with that non-secure code may call.
const ENTRY_PREFIX: &str = "__acle_se_";
/// Stack pointers that are tried, and frames that each is followed.
const MOST_CANDIDATES: usize = 64;
const FOLLOWED: usize = 16;

/// From a non-secure function that secure code called to its caller.
pub(super) fn into_secure(
    callee: Candidate,
    frame: &UnwoundFrame,
    in_handler: bool,
    environment: &Environment<'_, '_>,
) -> Step {
    let lost = || Step::End(Some("the caller is secure code; its stack is not in the dump".into()));
    let known = match frame.other_sp {
        Some(sp) => vec![sp],
        None => World::Secure.stack_pointers(&callee.registers, in_handler).0,
    };
    let called = known.into_iter().find_map(|sp| {
        let target = call_frame(environment.memory, sp)?;
        environment.is_return_address(target).then_some((sp, target))
    });
    let Some((sp, target)) = called else { return lost() };
    let sp = sp.wrapping_add(CALL_FRAME_SIZE);
    caller(callee, target, Some(sp), World::Secure, frame)
}

/// Whether `target`, the return address of `frame`, is one of non-secure code: hardware clears bit 0
/// when a gateway is entered, and only entry functions are reached through one.
pub(super) fn is_left_by(
    target: u32,
    frame: &UnwoundFrame,
    environment: &Environment<'_, '_>,
) -> bool {
    let name = environment.function_name(frame.pc.lookup());
    target & 1 == 0 && name.is_some_and(|name| name.starts_with(ENTRY_PREFIX))
}

/// From a secure entry function to the non-secure code that called it.
pub(super) fn into_non_secure(
    callee: Candidate,
    target: u32,
    frame: &UnwoundFrame,
    in_handler: bool,
    environment: &Environment<'_, '_>,
) -> Step {
    let sp = frame.other_sp.or_else(|| {
        match World::NonSecure.stack_pointers(&callee.registers, in_handler) {
            (places, true) => places.first().copied(),
            (places, false) => best(&places, target, &callee.registers, environment),
        }
    });
    caller(callee, target, sp, World::NonSecure, frame)
}

fn caller(
    callee: Candidate,
    target: u32,
    sp: Option<Address>,
    world: World,
    frame: &UnwoundFrame,
) -> Step {
    let mut registers = callee.registers;
    let pc = Address(target).without_thumb_bit();
    registers.set(Register::PC, pc.0);
    registers.set(Register::SP, sp.map(|sp| sp.0));
    registers.set(Register::XPSR, frame.registers.get(Register::XPSR));
    Step::Caller(Box::new(UnwoundFrame {
        world: Some(world),
        other_sp: Some(callee.cfa),
        ..UnwoundFrame::new(CodeAddress::Return(pc), registers, callee.found_by)
    }))
}

/// Goes on where `context` ended for want of a stack pointer, when the handlers in `inner` kept it:
/// fault handlers of secure firmware store the stack pointers of both worlds.
pub(super) fn resume(context: &mut Context, inner: &[Context], environment: &Environment<'_, '_>) {
    let Some(last) = context.frames.last() else { return };
    let is_lost = last.world == Some(World::NonSecure) && last.registers.sp().is_none();
    let (Some((handler, others)), true) = (inner.split_first(), is_lost) else { return };
    // The innermost handler is the one that runs now.
    let words = boundary::handler_words(&[], handler, environment);
    let outer = others.iter().flat_map(|other| boundary::handler_words(&[], other, environment));
    let is_stack = |at: &Address| {
        let section = environment.symbols.section_at(*at);
        at.is_aligned(4) && section.is_some_and(|section| section.is_ram())
    };
    let mut places: Vec<Address> =
        words.into_iter().chain(outer).map(Address).filter(is_stack).collect();
    places.truncate(MOST_CANDIDATES);
    let pc = last.pc.address().0;
    let Some(sp) = best(&places, pc, &last.registers, environment) else { return };
    let Some(mut frame) = context.frames.pop() else { return };
    frame.registers.set(Register::SP, sp.0);
    frame.remark = Some(format!(
        "the non-secure stack pointer is not in the dump; {sp} was found in the handler's frames"
    ));
    context.ended = None;
    super::add_callers(context, frame, environment);
}

/// The stack pointer among `places` from which unwind tables lead farthest from the caller at `pc`.
fn best(
    places: &[Address],
    pc: u32,
    registers: &RegisterSet,
    environment: &Environment<'_, '_>,
) -> Option<Address> {
    let reach = |sp: &Address| -> usize {
        let mut registers = registers.clone();
        registers.set(Register::SP, sp.0);
        let pc = CodeAddress::Return(Address(pc).without_thumb_bit());
        let mut frame = UnwoundFrame::new(pc, registers, FoundBy::Cfi);
        let mut frames = 0_usize;
        while frames < FOLLOWED {
            match step::caller(&mut frame, false, false, environment) {
                Step::Caller(next) if matches!(next.found_by, FoundBy::Cfi | FoundBy::Exidx) => {
                    frame = *next;
                }
                _ => break,
            }
            frames = frames.saturating_add(1);
        }
        frames
    };
    let reached = places.iter().map(|place| (reach(place), *place));
    // The first of equals: it was written first.
    let best = reached.rev().max_by_key(|(frames, _)| *frames);
    best.filter(|(frames, _)| *frames > 0).map(|(_, place)| place)
}
