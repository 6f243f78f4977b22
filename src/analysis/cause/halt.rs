//! Targets that did not crash: a debugger stopped them. Says what runs and what waits for what.

use super::{Context, Finding, Scene};
use crate::analysis::faulting::is_endless;
use crate::analysis::waits;
use crate::arch::cortex_m::exception::Code as _;
use crate::arch::cortex_m::interrupts::SysTick;
use crate::arch::cortex_m::system::ICSR;
use crate::base::Address;
use crate::report::{Category, Confidence};
use crate::rtos::{self, State, Thread};
use crate::snapshot::Register;

/// ICSR: SysTick is pending. Armv7-M ARM (DDI 0403E) B3.2.4.
const PENDSTSET: u32 = 1 << 26;
/// Threads that are listed in one line of evidence.
const MOST: usize = 12;

/// Nothing faulted: deadlock, code that ran off, a loop with interrupts locked, or a mere halt.
pub(super) fn halted(scene: &Scene<'_, '_>) -> Finding {
    let Some(context) = scene.contexts.first() else {
        let text = "The dump holds no registers, so what happened cannot be told";
        return Finding::new(Category::Other, Confidence::Possible, text);
    };
    let runner = match (context.exception, scene.current_thread()) {
        (0, thread) if thread.is_none_or(Thread::is_main_stack) => String::new(),
        _ => format!(" while {} ran", scene.runner(context)),
    };
    let halted = format!("the target was halted{}{runner}", scene.at(context));
    let found = deadlock(scene, &halted)
        .or_else(|| ran_off(scene, context, &runner))
        .or_else(|| stuck(scene, context, &halted))
        .or_else(|| locked(scene, context, &halted))
        .or_else(|| spins(scene, context, &halted));
    // Who waits for what stands in the list of threads.
    found.unwrap_or_else(|| {
        let text = format!("Nothing faulted: {halted}");
        let found = Finding::new(Category::DebuggerHalted, Confidence::Likely, text);
        let evidence = "no fault status bit is set, no handler of a fault is active, and no function \
                        by which firmware stops itself is at work";
        found.because(evidence)
    })
}

/// Threads that wait for each other in a circle.
fn deadlock(scene: &Scene<'_, '_>, halted: &str) -> Option<Finding> {
    let threads = scene.threads();
    let circle = rtos::deadlocks(threads).into_iter().next()?;
    let waits: Vec<String> = circle.iter().map(|at| waits::wait(threads, *at)).collect();
    let names: Vec<String> = circle.iter().map(|at| waits::name(threads, *at)).collect();
    let text = format!("Deadlock: {}", waits.join("; "));
    let found = Finding::new(Category::DebuggerHalted, Confidence::Certain, text);
    Some(found.because(halted).titled(format!("Deadlock of {}", names.join(", "))))
}

/// The core executes what is no code.
fn ran_off(scene: &Scene<'_, '_>, context: &Context, runner: &str) -> Option<Finding> {
    let registers = &context.frames.first()?.registers;
    let pc = Address(registers.pc()?);
    if scene.environment.symbols.is_empty() || scene.environment.is_code(pc) {
        return None;
    }
    let text = format!(
        "Nothing faulted, but the core executes at {pc}, where the firmware has no code{runner}: \
         it jumped to nowhere"
    );
    let found = Finding::new(Category::DebuggerHalted, Confidence::Likely, text)
        .because(format!("PC {pc}: {}", scene.describe(pc)))
        .titled("Jump to Nowhere");
    let Some(lr) = registers.lr() else { return Some(found) };
    let lr = Address(lr);
    Some(found.because(format!("LR holds {lr}: {}", scene.describe(lr))))
}

/// The register by which the code of `context` keeps interrupts out, and its value.
pub(super) fn mask(context: &Context) -> Option<(Register, u32)> {
    let registers = &context.frames.first()?.registers;
    let set = |register| registers.get(register).filter(|value| *value != 0);
    [Register::PRIMASK, Register::FAULTMASK, Register::BASEPRI]
        .into_iter()
        .find_map(|register| Some((register, set(register)?)))
}

pub(super) fn spell((register, value): (Register, u32)) -> String {
    format!("{} is 0x{value:x}", register.name().to_uppercase())
}

/// A loop without a way out where no scheduler can take over: in an exception handler, or with
/// interrupts locked. The first round of it tells as much as the last.
fn stuck(scene: &Scene<'_, '_>, context: &Context, halted: &str) -> Option<Finding> {
    let mask = mask(context);
    if mask.is_none() && context.exception == 0 {
        return None;
    }
    let evidence = endless(scene, context)?;
    let text = format!("Hang: {halted}, in a loop that has no way out");
    let (why, title) = match mask {
        Some(mask) => (spell(mask), "Interrupts Locked"),
        None => {
            let text =
                "no thread runs, and no interrupt of its priority or below, until it returns";
            (text.to_string(), "Endless Loop")
        }
    };
    let asserts = scene.environment.kernel.is_some_and(|kernel| kernel.asserts_by_looping());
    let may_assert = (asserts && mask.is_some()).then(|| "a failed configASSERT may end so".into());
    let evidence = [evidence, why].into_iter().chain(may_assert).chain(scene.kept_waiting());
    let found = Finding::new(Category::DebuggerHalted, Confidence::Certain, text);
    Some(evidence.fold(found, Finding::because).titled(title))
}

/// Code that runs with interrupts locked, while some wait: nothing else can ever run.
fn locked(scene: &Scene<'_, '_>, context: &Context, halted: &str) -> Option<Finding> {
    let registers = &context.frames.first()?.registers;
    let mask = mask(context);
    let known = registers.get(Register::PRIMASK).is_some();
    let icsr = scene.environment.system.get(ICSR).unwrap_or(0);
    let waits = icsr & PENDSTSET != 0 && !scene.current_thread().is_some_and(is_idle);
    if !waits || (mask.is_none() && known && context.exception == 0) {
        return None;
    }
    // The very halt may have kept it from being taken.
    let just_fired = || SysTick::read(scene.environment.memory).is_some_and(|t| t.has_just_fired());
    if mask.is_none() && just_fired() {
        return None;
    }
    let text = format!("Hang: {halted}, and no interrupt gets through");
    // It may be on its way out of a short critical section.
    let confidence = if mask.is_some() { Confidence::Likely } else { Confidence::Possible };
    let found = Finding::new(Category::DebuggerHalted, confidence, text)
        .because("ICSR.PENDSTSET: the SysTick interrupt is pending and is not taken");
    let more = mask.map(spell).into_iter().chain(scene.kept_waiting());
    let found = more.fold(found, Finding::because);
    Some(found.titled("Interrupts Locked"))
}

/// A thread that never gives the CPU away while others could run. Interrupts still come, and what
/// they wake may run: it need not be wrong.
fn spins(scene: &Scene<'_, '_>, context: &Context, halted: &str) -> Option<Finding> {
    let runs = scene.current_thread().is_some_and(|thread| !is_idle(thread));
    if context.exception != 0 || !runs {
        return None;
    }
    let others = scene.kept_waiting()?;
    let evidence = endless(scene, context)?;
    let text = format!("Possible hang: {halted}, in a loop that has no way out");
    let found = Finding::new(Category::DebuggerHalted, Confidence::Possible, text);
    Some(found.because(evidence).because(others).titled("Endless Loop"))
}

/// That the code of `context` stands in a loop without a way out.
fn endless(scene: &Scene<'_, '_>, context: &Context) -> Option<String> {
    let pc = context.frames.first()?.pc.address();
    is_endless(pc, scene.environment).then(|| no_way_out(pc))
}

pub(super) fn no_way_out(pc: Address) -> String {
    format!("no instruction that can follow {pc} leaves its loop, calls or waits")
}

/// The thread that a kernel runs when no other can: it sleeps with interrupts locked.
fn is_idle(thread: &Thread) -> bool {
    thread.name.to_ascii_lowercase().starts_with("idle")
}

impl Scene<'_, '_> {
    /// Who could run and does not.
    pub(super) fn kept_waiting(&self) -> Option<String> {
        let ready = |thread: &&Thread| !thread.current && thread.state == State::Ready;
        let ready = self.threads().iter().filter(ready).filter(|thread| !is_idle(thread));
        let ready: Vec<&str> = ready.map(|thread| thread.name.as_str()).take(MOST).collect();
        (!ready.is_empty()).then(|| format!("ready to run and not running: {}", ready.join(", ")))
    }
}
