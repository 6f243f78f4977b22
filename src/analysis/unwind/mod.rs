//! Backtraces: from one register set to every frame that led there, across exceptions.
//!
//! A stopped Cortex-M is a stack of contexts: the handler that runs, what it interrupted, down to
//! a thread. Within a context frames are found by unwind tables, else by guesses that say so
//! ([`FoundBy`]); contexts are joined by the frames that hardware pushed. Functions that gave
//! their stack back and jumped on get a frame where debug information leaves no other way.

mod boundary;
mod step;
mod worlds;

pub use step::{FoundBy, dwarf_register};

use crate::arch::cortex_m::exception::{Code, ExcReturn, FloatContext};
use crate::arch::cortex_m::prologue::{call_register, follows_call};
use crate::arch::cortex_m::security::World;
use crate::arch::cortex_m::system::SystemState;
use crate::base::{Address, AddressRange, Memory};
use crate::report::{Notes, Severity};
use crate::rtos::Kernel;
use crate::snapshot::{Moment, Register, RegisterSet};
use crate::symbols::{CodeAddress, SymbolKind, Symbols};

/// Deepest nesting of exceptions that is followed; hardware priorities allow far fewer.
const CONTEXT_LIMIT: usize = 16;

/// Exception number of SVCall.
pub const SVCALL: u16 = 11;
/// Exception number of PendSV.
pub const PENDSV: u16 = 14;

/// What unwinding may look at.
pub struct Environment<'a, 'd> {
    /// Captured memory over the read-only contents of the ELF.
    pub memory: &'a (dyn Memory + Sync),
    /// The symbols of all images.
    pub symbols: &'a Symbols<'a, 'd>,
    /// Captured system registers.
    pub system: &'a SystemState,
    /// The core has the Security Extension.
    pub secured: bool,
    /// Lazy floating-point state.
    pub float: FloatContext,
    /// Functions below which there is nothing to show.
    pub outermost: &'a [&'a str],
    /// The kernel, which knows the ways into itself.
    pub kernel: Option<&'static dyn Kernel>,
    /// Stack of the thread that owns the CPU, where known.
    pub thread_stack: Option<AddressRange>,
    /// Registers that the kernel saved last for that thread: right while it switches threads.
    pub saved: Option<&'a RegisterSet>,
    /// The kernel found at the fault that the stack of that thread had overflowed: what hardware
    /// pushed, if anything, lies below it.
    pub overran: bool,
    /// Most frames of one context.
    pub max_frames: usize,
}

#[cfg(test)]
impl<'a, 'd> Environment<'a, 'd> {
    /// Memory and symbols without a kernel.
    pub(super) fn bare(
        memory: &'a (dyn Memory + Sync),
        symbols: &'a Symbols<'a, 'd>,
        system: &'a SystemState,
        max_frames: usize,
    ) -> Environment<'a, 'd> {
        Environment {
            memory,
            symbols,
            system,
            secured: false,
            float: FloatContext::default(),
            outermost: &[],
            kernel: None,
            thread_stack: None,
            saved: None,
            overran: false,
            max_frames,
        }
    }
}

impl Code for Environment<'_, '_> {
    /// Without symbols everything outside the peripheral, device and system regions may be code
    /// (DDI 0403E B3.1).
    fn is_code(&self, address: Address) -> bool {
        if self.symbols.is_empty() {
            return address.0 >= 0x40 && address.0 < 0x4000_0000;
        }
        self.symbols.is_code(address)
    }

    fn is_return(&self, value: u32) -> bool {
        let after = Address(value).without_thumb_bit();
        self.is_return_address(value) && follows_call(self.memory, after)
    }

    fn call_register(&self, value: u32) -> Option<u8> {
        call_register(self.memory, Address(value).without_thumb_bit())
    }
}

impl Environment<'_, '_> {
    /// Whether a call could return to `target`, a word with the Thumb bit. What counts is the call
    /// itself: behind one that does not return there may be data.
    fn is_return_address(&self, target: u32) -> bool {
        target & 1 == 1 && self.is_code(CodeAddress::Return(Address(target)).lookup())
    }

    /// Whether a thread's first function would return to `target`: the start of a function, which
    /// no call returns to.
    fn is_thread_start(&self, target: u32) -> bool {
        let at = Address(target).without_thumb_bit();
        let start = self.symbols.symbol_at(at);
        let is_start = start
            .is_some_and(|(symbol, distance)| distance == 0 && symbol.kind == SymbolKind::Function);
        is_start && !follows_call(self.memory, at)
    }

    /// The world whose firmware holds `address`.
    fn world_at(&self, address: Address) -> Option<World> {
        let secure = self.symbols.is_secure_at(address)?;
        Some(if secure { World::Secure } else { World::NonSecure })
    }

    fn function_name(&self, address: Address) -> Option<&str> {
        self.symbols.symbol_at(address).map(|(symbol, _)| symbol.name)
    }
}

/// One physical frame; inlined functions share their caller's.
#[derive(Clone, Debug)]
pub struct UnwoundFrame {
    /// Where it executes.
    pub pc: CodeAddress,
    /// Registers as they were in this frame; those that cannot be known are unknown.
    pub registers: RegisterSet,
    /// Canonical frame address: the caller's stack pointer at the call, where a table gives it.
    pub cfa: Option<Address>,
    /// How it was found.
    pub found_by: FoundBy,
    /// The security state it runs in, where the core has two and it is known.
    pub world: Option<World>,
    /// The stack pointer that the other world has meanwhile, where that was unwound.
    pub other_sp: Option<Address>,
    /// A doubt about it.
    pub remark: Option<String>,
}

impl UnwoundFrame {
    fn new(pc: CodeAddress, registers: RegisterSet, found_by: FoundBy) -> UnwoundFrame {
        UnwoundFrame {
            pc,
            registers,
            cfa: None,
            found_by,
            world: None,
            other_sp: None,
            remark: None,
        }
    }
}

/// Frames of one handler or of a thread, innermost first.
#[derive(Clone, Debug)]
pub struct Context {
    /// Exception number; 0 in thread mode.
    pub exception: u16,
    /// Frames, innermost first.
    pub frames: Vec<UnwoundFrame>,
    /// How this handler was entered and will return, where that was found.
    entry: Option<Box<step::HandlerEntry>>,
    /// Where the frame that hardware pushed for this handler lies, and whether it is believed.
    pub exception_frame: Option<Address>,
    /// Why the frames end here, when that is not where a thread or a handler begins.
    pub ended: Option<String>,
}

impl Context {
    /// EXC_RETURN of this handler, where it was found.
    pub fn exc_return(&self) -> Option<ExcReturn> {
        self.entry.as_ref().map(|entry| entry.exc_return)
    }

    /// Gives `world` to the frames of which it is not known.
    fn settle(&mut self, world: World) {
        for frame in &mut self.frames {
            frame.world.get_or_insert(world);
        }
    }
}

/// Where unwinding begins.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The registers of the CPU.
    pub registers: RegisterSet,
    /// When it had them.
    pub moment: Moment,
    /// Whether PC stands behind an SVC that is over.
    pub after_svc: bool,
}

/// Unwinds from the registers of a stopped CPU: the innermost context first.
pub fn contexts(
    start: &Start,
    environment: &Environment<'_, '_>,
    notes: &mut Notes,
) -> Vec<Context> {
    let mut contexts: Vec<Context> = Vec::new();
    let mut next = Some((start.registers.clone(), FoundBy::Registers, None));
    let mut world = None;
    while let Some((registers, found_by, remark)) = next.take() {
        // At the crash the handler that ICSR names had not begun.
        let as_stopped = contexts.is_empty() && start.moment == Moment::Stop;
        let exception = exception_number(&registers, environment, as_stopped);
        // An SVC is over when its exception is taken: the stacked PC is the address behind it,
        // which after a panic, that never returns, may belong to the next function.
        let supervisor_call =
            contexts.last().map_or(start.after_svc, |context| context.exception == SVCALL);
        let pc = registers.pc().map(Address).map(|pc| match supervisor_call {
            true => CodeAddress::Return(pc),
            false => CodeAddress::Instruction(pc),
        });
        let mut context = frames(&registers, pc, exception, (found_by, world), environment);
        worlds::resume(&mut context, &contexts, environment);
        if let (Some(first), Some(remark)) = (context.frames.first_mut(), remark) {
            first.remark = Some(remark);
        }
        if environment.secured
            && let Some(exc_return) = context.exc_return()
        {
            context.settle(World::handling(exc_return));
            world = Some(World::interrupted(exc_return));
        }
        // PendSV saves the thread's registers first; where its own are lost, those tell.
        let lost = context.entry.is_none() || registers.get(Register::PSP).is_none();
        let switching = context.exception == PENDSV && lost && contexts.len() < CONTEXT_LIMIT;
        if let Some(saved) = environment.saved.filter(|_| switching) {
            next = Some((saved.clone(), FoundBy::SavedRegisters, None));
        } else if let Some(entry) = &context.entry {
            if contexts.len() >= CONTEXT_LIMIT {
                notes.add(
                    Severity::Warning,
                    "exceptions_too_deep",
                    "exceptions nest deeper than any core allows; the stack is damaged",
                );
            } else {
                let outer = boundary::cross(entry, &contexts, &context, &registers, environment);
                match outer {
                    Ok(outer) => {
                        context.exception_frame = Some(outer.address);
                        next = Some((outer.registers, FoundBy::ExceptionFrame, outer.remark));
                    }
                    Err(text) => {
                        notes.add(Severity::Warning, "exception_frame_lost", text);
                        let searched = searched(entry, environment);
                        contexts.push(context);
                        contexts.extend(searched);
                        return contexts;
                    }
                }
            }
        }
        contexts.push(context);
    }
    contexts
}

/// What the whole stack of the running thread gives when the place of its frame is lost.
fn searched(entry: &step::HandlerEntry, environment: &Environment<'_, '_>) -> Option<Context> {
    let stack = environment.thread_stack.filter(|_| entry.exc_return.to_thread_mode())?;
    let mut registers = entry.registers.clone();
    registers.set(Register::PC, None);
    registers.set(Register::SP, stack.start().0);
    registers.set(Register::XPSR, 0);
    let mut context = frames(&registers, None, 0, (FoundBy::Scan, None), environment);
    if let Some(first) = context.frames.first_mut() {
        let text = "where the thread stopped is lost; its whole stack was searched";
        first.remark = Some(text.into());
    }
    Some(context)
}

/// Unwinds one thread that is switched out.
pub fn thread(registers: &RegisterSet, environment: &Environment<'_, '_>) -> Context {
    let pc = registers.pc().map(|pc| CodeAddress::Instruction(Address(pc)));
    frames(registers, pc, 0, (FoundBy::SavedRegisters, None), environment)
}

/// The exception that the code behind `registers` handles: IPSR, else ICSR for the code in which
/// the CPU was stopped.
fn exception_number(
    registers: &RegisterSet,
    environment: &Environment<'_, '_>,
    as_stopped: bool,
) -> u16 {
    let ipsr = registers.get(Register::XPSR).map(|xpsr| (xpsr & 0x1ff) as u16);
    let active = environment.system.active_exception();
    match ipsr {
        // Tools that know no xPSR store 0 or a CPSR; VECTACTIVE then tells.
        Some(0) | None if as_stopped => active.or(ipsr).unwrap_or(0),
        Some(number) => number,
        None => 0,
    }
}

fn frames(
    registers: &RegisterSet,
    pc: Option<CodeAddress>,
    exception: u16,
    (found_by, world): (FoundBy, Option<World>),
    environment: &Environment<'_, '_>,
) -> Context {
    let mut context =
        Context { exception, frames: Vec::new(), entry: None, exception_frame: None, ended: None };
    let first = match pc {
        Some(pc) => Some(UnwoundFrame::new(pc, registers.clone(), found_by)),
        None => step::search(registers, environment),
    };
    let Some(mut frame) = first else {
        context.ended = Some("the program counter is not known".into());
        return context;
    };
    frame.world = world.or_else(|| environment.world_at(frame.pc.lookup()));
    add_callers(&mut context, frame, environment);
    context
}

/// Adds `frame` and its callers to `context`.
fn add_callers(context: &mut Context, mut frame: UnwoundFrame, environment: &Environment<'_, '_>) {
    loop {
        let at_bottom = environment
            .function_name(frame.pc.lookup())
            .is_some_and(|name| environment.outermost.contains(&name));
        let innermost = context.frames.is_empty();
        let step = step::caller(&mut frame, innermost, context.exception != 0, environment);
        context.frames.push(frame);
        if let (step::Step::Caller(caller), false) = (&step, at_bottom) {
            add_tail_calls(&mut context.frames, caller, environment);
        }
        if context.frames.len() >= environment.max_frames {
            context.ended = Some(format!("stopped after {} frames", environment.max_frames));
            return;
        }
        match step {
            step::Step::Caller(caller) if !at_bottom => frame = *caller,
            step::Step::ExceptionReturn(entry) => {
                if let Some(last) = context.frames.last_mut() {
                    last.cfa = Some(entry.sp);
                }
                context.entry = Some(entry);
                return;
            }
            step::Step::End(reason) => {
                context.ended = if at_bottom { None } else { reason };
                return;
            }
            step::Step::Caller(_) => return,
        }
    }
}

/// Adds the functions that jumped to the last of `frames` after `caller` had called them. They had
/// given back their stack: what is known of their registers is what the caller finds.
fn add_tail_calls(
    frames: &mut Vec<UnwoundFrame>,
    caller: &UnwoundFrame,
    environment: &Environment<'_, '_>,
) {
    let Some(callee) = frames.last() else { return };
    // A word that a search found need not be of the nearest caller.
    if caller.found_by == FoundBy::Scan {
        return;
    }
    // Nothing jumps from one image into another: both ends are in the caller's.
    let Some(symbols) = environment.symbols.at(caller.pc.lookup()) else { return };
    let (cfa, callee_world) = (callee.cfa, callee.world);
    let calls = symbols.tail_calls(caller.pc.address(), callee.pc.lookup());
    for pc in calls.into_iter().take(environment.max_frames.saturating_sub(frames.len())) {
        let mut registers = caller.registers.clone();
        registers.set(Register::PC, pc.address().0);
        let world = callee_world;
        let found_by = FoundBy::TailCall;
        frames.push(UnwoundFrame { cfa, world, ..UnwoundFrame::new(pc, registers, found_by) });
    }
}

#[cfg(test)]
mod tests;
