//! Crashes that the firmware declared itself, and targets that did not crash.

use super::{Environment, Finding, Scene};
use crate::analysis::unwind::SVCALL;
use crate::arch::cortex_m::exception::{self, Code as _};
use crate::base::Address;
use crate::issue::{is_assert, is_fatal_path, is_machinery, is_panic};
use crate::report::{Category, Confidence};
use crate::rtos::FatalReason;

/// The firmware noticed the problem itself.
pub(super) fn panic_or_assert(scene: &Scene<'_, '_>) -> Option<Finding> {
    let context = scene.crash_context()?;
    let handler = scene.crashed?.checked_sub(1).and_then(|index| scene.contexts.get(index));
    let raised_by_svc = handler.map_or(scene.after_svc, |handler| handler.exception == SVCALL);
    let names = || scene.names_with_inlined(context);
    let at = scene.blamed(context).unwrap_or_default();
    let whereabouts = scene.whereabouts();
    if let Some(function) = names().into_iter().find(|name| is_assert(name)) {
        return Some(
            Finding::new(
                Category::Assert,
                Confidence::Certain,
                format!("Assertion failed in {at}{whereabouts}"),
            )
            .because(format!("{function} is in the backtrace")),
        );
    }
    if scene.reason == Some(FatalReason::SpuriousInterrupt) {
        let text = format!("An interrupt without a handler was taken{whereabouts}");
        let found = Finding::new(Category::Panic, Confidence::Certain, text);
        return Some(
            found.because("the kernel's fatal error code says so").titled("Spurious Interrupt"),
        );
    }
    let panic = names().into_iter().find(|name| is_panic(name));
    let panic = panic.map(|function| format!("{function} is in the backtrace"));
    let svc = raised_by_svc.then(|| "the fatal error was raised by SVC".to_string());
    let fatal = scene.in_fatal_path(context).map(|f| format!("{f} is in the backtrace"));
    let told = matches!(scene.reason, Some(FatalReason::Oops | FatalReason::Panic))
        .then(|| "the kernel's fatal error code says so".to_string());
    let evidence = panic.or(svc).or(fatal).or(told)?;
    let oops = scene.reason == Some(FatalReason::Oops);
    let what = if oops { "raised a kernel oops" } else { "stopped itself with a panic" };
    let text = format!("The firmware {what} in {at}{whereabouts}");
    let found = Finding::new(Category::Panic, Confidence::Certain, text).because(evidence);
    Some(if oops { found.titled("Oops") } else { found })
}

/// Nothing faulted: a debugger stopped the target. Says what runs and who waits for the CPU.
pub(super) fn halted(scene: &Scene<'_, '_>) -> Finding {
    let Some(context) = scene.contexts.first() else {
        return Finding::new(
            Category::Other,
            Confidence::Possible,
            "The dump holds no registers, so what happened cannot be told",
        );
    };
    let place = scene.blamed(context).unwrap_or_else(|| {
        context
            .frames
            .first()
            .map_or_else(|| "an unknown address".into(), |frame| frame.pc.address().to_string())
    });
    let runner = match (context.exception, scene.current_thread()) {
        (0, Some(thread)) => format!(" while thread {} ran", thread.name),
        (0, None) => String::new(),
        (number, _) => format!(" in the {} handler", exception::name(number)),
    };
    let mut found = Finding::new(
        Category::DebuggerHalted,
        Confidence::Likely,
        format!("Nothing faulted: the target was halted in {place}{runner}"),
    );
    let waiting: Vec<&str> = scene
        .threads()
        .iter()
        .filter(|thread| !thread.current && thread.state == crate::rtos::State::Ready)
        .map(|thread| thread.name.as_str())
        .collect();
    if !waiting.is_empty() {
        found = found.because(format!("ready to run and not running: {}", waiting.join(", ")));
    }
    found
}

impl Scene<'_, '_> {
    fn names_with_inlined(&self, context: &super::Context) -> Vec<String> {
        names_with_inlined(context, self.environment)
    }

    /// The innermost function that is not part of the machinery of asserting and panicking.
    pub(in crate::analysis) fn blamed(&self, context: &super::Context) -> Option<String> {
        let first = context.frames.first()?;
        if !self.environment.is_code(first.pc.lookup()) {
            return Some(Address(first.registers.pc()?).to_string());
        }
        let names = self.names_with_inlined(context);
        names.iter().find(|name| !is_machinery(name)).or_else(|| names.first()).cloned()
    }

    /// A function of the kernel's fatal error path among the frames of `context`.
    fn in_fatal_path(&self, context: &super::Context) -> Option<String> {
        self.names_with_inlined(context).into_iter().find(|name| is_fatal_path(name))
    }
}

/// Function names of every frame, inlined ones included, innermost first.
fn names_with_inlined(context: &super::Context, environment: &Environment<'_, '_>) -> Vec<String> {
    let mut names = Vec::new();
    for frame in &context.frames {
        let Some(symbols) = environment.symbols.at(frame.pc.lookup()) else { continue };
        let sources = symbols.frames_at(frame.pc);
        if sources.is_empty() {
            names.extend(
                symbols.symbol_at(frame.pc.lookup()).map(|(symbol, _)| symbol.name.to_string()),
            );
        }
        names.extend(sources.into_iter().filter_map(|source| source.function).map(str::to_string));
    }
    names
}

/// Whether the code of `context` gave up by itself: an assertion, a panic, the fatal path.
pub(in crate::analysis) fn is_fatal(
    context: &super::Context,
    environment: &Environment<'_, '_>,
) -> bool {
    names_with_inlined(context, environment).iter().any(|name| is_machinery(name))
}
