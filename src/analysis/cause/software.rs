//! Crashes that the firmware declared itself.

use super::{Environment, Finding, Scene, heap, place};
use crate::analysis::unwind::SVCALL;
use crate::issue::{is_assert, is_fatal_path, is_machinery, is_panic};
use crate::report::{Category, Confidence};
use crate::rtos::FatalReason;

/// The firmware noticed the problem itself.
pub(super) fn panic_or_assert(scene: &Scene<'_, '_>) -> Option<Finding> {
    let context = scene.crash_context()?;
    let handler = scene.crashed?.checked_sub(1).and_then(|index| scene.contexts.get(index));
    let raised_by_svc = handler.map_or(scene.after_svc, |handler| handler.exception == SVCALL);
    let functions = scene.functions(context);
    let called = |is: fn(&str) -> bool| functions.iter().map(|f| &f.function).find(|f| is(f));
    let at = scene.at(context);
    let whereabouts = scene.whereabouts();
    let claim = scene.claim(context).unwrap_or_default();
    if let Some(function) = called(is_assert) {
        let condition = claim.condition.map_or(String::new(), |text| format!(": `{text}`"));
        let text = format!("Assertion failed{at}{whereabouts}{condition}");
        let found = Finding::new(Category::Assert, Confidence::Certain, text)
            .because(format!("{function} is in the backtrace"));
        return Some(claim.lines.into_iter().fold(found, Finding::because));
    }
    if scene.reason == Some(FatalReason::SpuriousInterrupt) {
        let text = format!("An interrupt without a handler was taken{whereabouts}");
        let found = Finding::new(Category::Panic, Confidence::Certain, text);
        return Some(found.titled("Spurious Interrupt"));
    }
    let panic = called(is_panic).map(|function| format!("{function} is in the backtrace"));
    let svc = raised_by_svc.then(|| "the fatal error was raised by SVC".to_string());
    let fatal = called(is_fatal_path).map(|f| format!("{f} is in the backtrace"));
    let evidence = panic.or(svc).or(fatal);
    // The kernel's code is added to the evidence of every cause.
    if evidence.is_none() && !scene.reason.is_some_and(FatalReason::is_raised) {
        return None;
    }
    let (what, title) = match scene.reason {
        Some(FatalReason::Oops) => ("raised a kernel oops", Some("Oops")),
        Some(FatalReason::OutOfMemory) => ("ran out of memory", Some("Out of Memory")),
        _ => ("stopped itself with a panic", None),
    };
    let is_rust = functions.iter().any(|place| place.function.starts_with("core::panicking::"));
    let panicked = is_rust.then(|| scene.rust_panic(context)).flatten().unwrap_or_default();
    let location = panicked.location.map(|location| format!("panicked at {location}"));
    // The message says what its parts do.
    let (said, lines) = match panicked.message {
        Some(message) => (format!(": {message}"), Vec::new()),
        None => (String::new(), claim.lines),
    };
    let text = format!("The firmware {what}{at}{whereabouts}{said}");
    let found = Finding::new(Category::Panic, Confidence::Certain, text);
    let evidence = evidence.into_iter().chain(location).chain(lines);
    let mut found = evidence.fold(found, Finding::because);
    if let Some(full) = heap::full(scene) {
        found = found.because(full).titled("Out of Memory");
    }
    Some(match title {
        Some(title) => found.titled(title),
        None => found,
    })
}

/// Whether the code of `context` gave up by itself: an assertion, a panic, the fatal path.
pub(in crate::analysis) fn is_fatal(
    context: &super::Context,
    environment: &Environment<'_, '_>,
) -> bool {
    place::functions(context, environment).iter().any(|place| is_machinery(&place.function))
}
