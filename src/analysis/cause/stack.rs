//! Stack overflow, by every trace it leaves.

use super::status::register_evidence;
use super::{Context, Finding, Scene};
use crate::analysis::describe::{GUARD_REACH, NULL_PAGE, guard_of};
use crate::analysis::unwind::PENDSV;
use crate::arch::cortex_m::exception::Code as _;
use crate::arch::cortex_m::fault::fault_address;
use crate::arch::cortex_m::instruction::Instruction;
use crate::base::{Address, AddressRange};
use crate::issue::is_canary;
use crate::report::{Category, Confidence};
use crate::rtos::{FatalReason, Thread};
use crate::snapshot::Register;

/// A function wrote past the end of one of its local variables: the stack itself was large enough.
pub(super) fn canary(scene: &Scene<'_, '_>) -> Option<Finding> {
    let context = scene.crash_context()?;
    let functions = scene.functions(context);
    let noticed = functions.iter().find(|place| is_canary(&place.function))?;
    let (at, whereabouts) = (scene.at(context), scene.whereabouts());
    let text = format!("A local variable was written past its end{at}{whereabouts}");
    let found = Finding::new(Category::Panic, Confidence::Certain, text);
    Some(found.titled("Stack Canary").because(format!(
        "{} is in the backtrace: the canary behind the local variables was overwritten",
        noticed.function
    )))
}

/// A stack that was too small, of the thread that crashed or of another.
pub(super) fn overflow(scene: &Scene<'_, '_>) -> Option<Finding> {
    let rules: [fn(&Scene<'_, '_>) -> Option<Finding>; 9] = [
        by_handlers,
        by_limit,
        by_pointer,
        by_guard,
        by_stacking,
        by_kernel,
        by_recursion,
        by_sentinel,
        by_neighbour,
    ];
    let found = rules.iter().find_map(|rule| rule(scene))?;
    Some(register_evidence(scene).into_iter().fold(found, Finding::because))
}

fn finding(thread: Option<&Thread>, confidence: Confidence, what: String) -> Finding {
    let (who, title) = match thread {
        Some(thread) if thread.is_main_stack() => {
            (" of the main stack".to_string(), "Stack Overflow".to_string())
        }
        Some(thread) => {
            (format!(" in thread {}", thread.name), format!("Stack Overflow in {}", thread.name))
        }
        None => (String::new(), "Stack Overflow".to_string()),
    };
    let mut found =
        Finding::new(Category::StackOverflow, confidence, format!("Stack overflow{who}: {what}"))
            .titled(title);
    found.naming.thread =
        thread.filter(|thread| !thread.is_main_stack()).map(|thread| thread.address);
    if let Some(stack) = thread.and_then(|thread| thread.stack) {
        found = found.because(format!("the stack is {} bytes at {stack}", stack.size()));
    }
    let full = |thread: &&Thread| {
        thread.high_water.zip(thread.stack).is_some_and(|(h, s)| u64::from(h) >= s.size())
    };
    if thread.filter(full).is_some() {
        found = found.because("all of it was in use");
    }
    found
}

/// Lowest stack pointer of the exception handlers is below the stack that they share.
fn by_handlers(scene: &Scene<'_, '_>) -> Option<Finding> {
    scene.crash_context()?;
    // Where they share the stack with what they interrupt, that was there first.
    if scene.crashed_thread().is_some_and(Thread::is_main_stack) {
        return None;
    }
    let stack = scene.kernel?.handler_stack?;
    let handlers = scene.contexts.iter().filter(|context| context.exception != 0);
    let sp = |context: &Context| context.frames.first()?.registers.sp();
    let lowest = Address(handlers.filter_map(sp).min()?);
    let below = stack.start().0.checked_sub(lowest.0).filter(|below| *below > 0)?;
    // A pointer far away is corrupted, not overflowed.
    if u64::from(below) > stack.size().max(4096) {
        return None;
    }
    let deepest = scene.contexts.iter().rfind(|context| {
        context.exception != 0 && sp(context).is_some_and(|sp| sp < stack.start().0)
    })?;
    let text = format!(
        "Stack overflow of the exception handlers: SP {lowest} is {below} bytes below their stack, \
         which was left{} in {}",
        scene.at(deepest),
        scene.runner(deepest)
    );
    let found = Finding::new(Category::StackOverflow, Confidence::Certain, text);
    let mut found = found.titled("Interrupt Stack Overflow");
    found = found.because(format!("the stack is {} bytes at {stack}", stack.size()));
    Some(match scene.overwritten(lowest) {
        Some(what) => found.because(what),
        None => found,
    })
}

/// Armv8-M: PSPLIM or MSPLIM was reached.
fn by_limit(scene: &Scene<'_, '_>) -> Option<Finding> {
    if !scene.has("STKOF") {
        return None;
    }
    let thread = scene.crashed_thread();
    let what = match thread.and_then(|thread| thread.stack) {
        Some(stack) => format!("the stack pointer reached its limit {}", stack.start()),
        None => "the stack pointer reached its limit (MSPLIM or PSPLIM)".to_string(),
    };
    Some(finding(thread, Confidence::Certain, what))
}

/// The stack pointer of the running thread is below its stack, whether the thread itself crashed or
/// what interrupted it.
fn by_pointer(scene: &Scene<'_, '_>) -> Option<Finding> {
    let crashed = scene.crashed?;
    let index = scene.contexts.iter().position(|context| context.exception == 0)?;
    let first = scene.contexts.get(index)?.frames.first()?;
    // While the kernel switches threads PSP may be another's, and a frame that was searched for
    // proves nothing against a thread that did not crash.
    let is_switching = scene.contexts.iter().any(|context| context.exception == PENDSV);
    if index != crashed && (is_switching || first.remark.is_some()) {
        return None;
    }
    let thread = scene.current_thread()?;
    let stack = thread.stack?;
    // The frame that hardware pushed lies deeper than SP at the crash.
    let pushed = index.checked_sub(1).and_then(|handler| scene.contexts.get(handler));
    let pushed = pushed.and_then(|handler| handler.exception_frame);
    let sp = first.registers.sp().map(Address);
    let lowest = pushed.into_iter().chain(sp).min()?;
    let below = stack.start().0.checked_sub(lowest.0).filter(|below| *below > 0)?;
    // A pointer far away is corrupted, not overflowed.
    if u64::from(below) > stack.size().max(4096) {
        return None;
    }
    let register = if thread.is_main_stack() { "MSP" } else { "PSP" };
    let what = format!("{register} {lowest} is {below} bytes below the stack");
    let found = finding(Some(thread), Confidence::Certain, what);
    Some(match scene.overwritten(lowest) {
        Some(what) if thread.is_main_stack() => found.because(what),
        _ => found,
    })
}

/// The access hit the guard below a stack.
fn by_guard(scene: &Scene<'_, '_>) -> Option<Finding> {
    scene.crash_context()?;
    let thread = scene.crashed_thread().filter(|thread| !thread.is_main_stack())?;
    let stack = thread.stack?;
    let sp = scene.crash_registers()?.sp()?;
    let reported = fault_address(scene.environment.system).map(|(register, address)| {
        (Address(address), format!("{} holds {}", register.name, Address(address)))
    });
    // Cores without fault addresses: the instruction tells what it wrote.
    let decoded = match scene.instruction() {
        Some(Instruction::Access(access)) => access.address.map(|at| {
            (at, format!("the instruction at {} writes {at}", scene.crash_pc().unwrap_or(at)))
        }),
        _ => None,
    };
    let hits = |at: Address| {
        let guard = AddressRange::from_bounds(
            Address(stack.start().0.saturating_sub(GUARD_REACH)),
            stack.start().checked_add(64).unwrap_or(stack.start()),
        );
        guard.is_some_and(|guard| guard.contains(at))
    };
    let (address, evidence) =
        reported.into_iter().chain(decoded).find(|(address, _)| hits(*address))?;
    // The stack must be all but used up, or this is a stray pointer.
    let left = i64::from(sp).saturating_sub(i64::from(stack.start().0));
    if left > 512 {
        return None;
    }
    let what = match guard_of(address, std::slice::from_ref(thread)) {
        Some((_, distance)) => {
            format!("an access to {address}, {distance} bytes below the stack, hit its guard")
        }
        None => format!("an access to {address} hit the guard at the end of the stack"),
    };
    Some(finding(Some(thread), Confidence::Certain, what).because(evidence).because(format!(
        "SP {} leaves {} bytes",
        Address(sp),
        left.max(0)
    )))
}

/// Hardware could not push its frame where the stack pointer was.
fn by_stacking(scene: &Scene<'_, '_>) -> Option<Finding> {
    if !scene.has("MSTKERR") && !scene.has("STKERR") {
        return None;
    }
    let thread = scene.crashed_thread();
    let sp = scene
        .crash_registers()
        .and_then(|registers| registers.get(Register::PSP).or(registers.sp()))
        .map(Address);
    let near = |sp: Address| {
        thread.and_then(|thread| thread.stack).is_some_and(|stack| {
            let left = i64::from(sp.0).saturating_sub(i64::from(stack.start().0));
            (-4096..=256).contains(&left)
        })
    };
    let confidence = if sp.is_some_and(near) { Confidence::Certain } else { Confidence::Likely };
    let what = "hardware had no room to push the exception frame".to_string();
    Some(finding(thread, confidence, what))
}

/// The kernel itself checked the stack and gave up.
fn by_kernel(scene: &Scene<'_, '_>) -> Option<Finding> {
    if scene.reason != Some(FatalReason::StackCheck) {
        return None;
    }
    let what = "the kernel's stack check failed".to_string();
    let thread = scene.current_thread();
    let found = finding(thread, Confidence::Certain, what);
    // A code is evidence by itself.
    Some(match scene.code {
        Some(_) => found,
        None => found.because("the kernel has called its hook for stack overflows"),
    })
}

/// Bytes at the end of a stack that are searched for a recursion: several frames of the largest
/// that is told from chance.
const RECURSION_REACH: u32 = 2048;
/// Words between the frames of a recursion, at most.
const RECURSION_STRIDE: u32 = 128;
/// Frames of a recursion on both sides of the end of a stack that prove that it goes on there.
const FEWEST_WITHIN: u32 = 3;
const FEWEST_BELOW: u32 = 2;
/// Frames of a recursion that are counted below a stack.
const MOST_BELOW: u32 = 1 << 12;
/// Stacks that are looked at for a recursion.
const MOST_STACKS: usize = 8;

/// A recursion that went on below the stack: its return address stands there as it does within, at
/// the same distance. It may have overwritten so much that what crashed in the end has nothing to do
/// with it.
fn by_recursion(scene: &Scene<'_, '_>) -> Option<Finding> {
    scene.crashed.or(scene.handler)?;
    let mut threads = scene.used_up().collect::<Vec<_>>();
    threads.sort_by_key(|(thread, _)| !thread.current);
    threads
        .into_iter()
        .take(MOST_STACKS)
        .find_map(|(thread, stack)| recursion(scene, thread, stack))
}

fn recursion(scene: &Scene<'_, '_>, thread: &Thread, stack: AddressRange) -> Option<Finding> {
    let memory = scene.environment.memory;
    let start = stack.start();
    let word = |index: i64| memory.read_u32(start.wrapping_add(index.wrapping_mul(4))).ok();
    let reach = u32::try_from(stack.size()).unwrap_or(u32::MAX).min(RECURSION_REACH) / 4;
    let is_return = |word: &u32| word & 1 == 1 && scene.environment.is_return(*word);
    (0..i64::from(reach)).find_map(|lowest| {
        let back = word(lowest).filter(is_return)?;
        let same = |index: i64| word(index) == Some(back);
        (2..=i64::from(RECURSION_STRIDE)).find_map(|stride| {
            let at = |count: u32| lowest.saturating_add(stride.saturating_mul(i64::from(count)));
            let below = |count: u32| lowest.saturating_sub(stride.saturating_mul(count.into()));
            // Downwards from the lowest within: what follows is outside.
            let is_end = below(1) < 0;
            if !is_end
                || !(1..FEWEST_WITHIN).all(|count| same(at(count)))
                || !(1..=FEWEST_BELOW).all(|count| same(below(count)))
            {
                return None;
            }
            let beyond =
                (1..MOST_BELOW).take_while(|count| same(below(*count))).last().unwrap_or(0);
            let bytes = below(beyond).saturating_mul(4).unsigned_abs();
            let (symbol, _) = scene.environment.symbols.symbol_at(Address(back))?;
            let function = symbol.readable().into_owned();
            let what = format!("the recursion of {function} went on at least {bytes} bytes below it");
            let mut found = finding(Some(thread), Confidence::Certain, what).because(format!(
                "{beyond} of its return addresses, 0x{back:08x}, stand below the stack, {} bytes apart",
                stride.saturating_mul(4)
            ));
            found.naming.function = Some(function);
            Some(found)
        })
    })
}

/// A sentinel word at the end of a stack was overwritten, of whichever thread.
fn by_sentinel(scene: &Scene<'_, '_>) -> Option<Finding> {
    scene.crash_context()?;
    let lost = |thread: &&Thread| thread.sentinel_lost;
    let thread =
        scene.crashed_thread().filter(lost).or_else(|| scene.threads().iter().find(lost))?;
    let start = thread.stack?.start();
    let what = format!("the sentinel word at {start} was overwritten");
    Some(finding(Some(thread), Confidence::Likely, what))
}

/// Bytes of a stack that may have kept their fill although all of it was in use.
const MISSED: u64 = 32;
/// How far below an overflowed stack its overwritten neighbours are looked for, in words.
const NEIGHBOURS: u32 = 128;

/// The bad pointer stands right below a stack that was used up: the overflow put it there, long
/// before it was followed.
fn by_neighbour(scene: &Scene<'_, '_>) -> Option<Finding> {
    let registers = scene.crash_registers()?;
    let access = match scene.instruction() {
        Some(Instruction::Access(access)) => registers.core(access.base),
        Some(_) => None,
        // Nothing is executed there: it was jumped to.
        None => registers.pc(),
    };
    let pointer = access.filter(|pointer| *pointer >= NULL_PAGE)?;
    let memory = scene.environment.memory;
    let is_pointer = |word: u32| word & !1 == pointer & !1;
    scene.used_up().find_map(|(thread, stack)| {
        let words = (1..=NEIGHBOURS).filter_map(|n| stack.start().checked_sub(n.checked_mul(4)?));
        // The guard is part of the stack's own array.
        let own = scene.environment.symbols.symbol_at(stack.start()).map(|(own, _)| own.address);
        let is_other = |at: &Address| {
            let symbol = scene.environment.symbols.symbol_at(*at);
            symbol.is_some_and(|(symbol, _)| Some(symbol.address) != own)
        };
        let mut below = words.take_while(|at| !scene.is_stack(*at)).filter(is_other);
        let at = below.find(|at| memory.read_u32(*at).is_ok_and(is_pointer))?;
        let distance = stack.start().0.saturating_sub(at.0);
        let place = scene.place(at);
        let what = format!(
            "{place}, {distance} bytes below it, was overwritten, and what stood there was followed{}",
            scene.at(scene.crash_context()?)
        );
        let found = finding(Some(thread), Confidence::Likely, what);
        let pointer = Address(pointer);
        Some(found.because(format!("{at} ({place}) holds the bad pointer {pointer}")))
    })
}

impl Scene<'_, '_> {
    /// Whose memory `lowest`, an address below a stack, is.
    fn overwritten(&self, lowest: Address) -> Option<String> {
        let holds = |range: Option<AddressRange>| range.is_some_and(|range| range.contains(lowest));
        let heap = self.heaps.iter().find(|heap| holds(heap.range));
        let heap = heap.map(|heap| format!("the heap {}", heap.name));
        let symbol = || {
            let (symbol, _) = self.environment.symbols.symbol_at(lowest)?;
            Some(symbol.name.to_string())
        };
        heap.or_else(symbol).map(|name| format!("{name} lies below it and was overwritten"))
    }

    /// Threads that have used all of their stacks, by the fill pattern.
    pub(super) fn used_up(&self) -> impl Iterator<Item = (&Thread, AddressRange)> {
        self.threads().iter().filter_map(|thread| {
            let (stack, used) = (thread.stack?, u64::from(thread.high_water?));
            (used.saturating_add(MISSED) > stack.size()).then_some((thread, stack))
        })
    }

    fn is_stack(&self, address: Address) -> bool {
        let stacks = self.threads().iter().filter_map(|thread| thread.stack);
        stacks.into_iter().any(|stack| stack.contains(address))
    }
}
