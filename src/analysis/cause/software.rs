//! Crashes that the firmware declared itself.

use super::{Context, Environment, Finding, Scene, halt, heap, place};
use crate::analysis::faulting::is_endless;
use crate::analysis::unwind::SVCALL;
use crate::issue::{is_assert, is_fatal_path, is_kernel_code, is_machinery, is_panic};
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
    if asserts_by_looping(context, scene.environment) {
        let text = format!("Assertion failed{at}{whereabouts}: it stays in a loop");
        let found = Finding::new(Category::Assert, Confidence::Likely, text);
        let first = context.frames.first().map(|frame| halt::no_way_out(frame.pc.address()));
        let mask = halt::mask(context).map(halt::spell);
        let known = "the kernel's own functions loop so only where configASSERT failed".to_string();
        let evidence = first.into_iter().chain(mask).chain([known]);
        return Some(evidence.fold(found, Finding::because));
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
pub(in crate::analysis) fn is_fatal(context: &Context, environment: &Environment<'_, '_>) -> bool {
    place::functions(context, environment).iter().any(|place| is_machinery(&place.function))
        || asserts_by_looping(context, environment)
}

/// Whether `context` stands in an assertion of the kernel's own code that calls nothing.
fn asserts_by_looping(context: &Context, environment: &Environment<'_, '_>) -> bool {
    let loops = environment.kernel.is_some_and(|kernel| kernel.asserts_by_looping());
    let Some(frame) = context.frames.first().filter(|_| loops) else { return false };
    let symbols = environment.symbols.at(frame.pc.lookup());
    let is_kernel = symbols.is_some_and(|symbols| {
        symbols.frames_at(frame.pc).first().is_some_and(|source| {
            let name = source.readable().unwrap_or_default();
            let file = source.location.as_ref().map(|location| location.file.as_str());
            is_kernel_code(&name, file) && !is_machinery(&name)
        })
    });
    is_kernel && halt::mask(context).is_some() && is_endless(frame.pc.address(), environment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyze};
    use crate::snapshot::{MemoryImage, Register, Snapshot};
    use crate::symbols::{ElfImage, SymbolFile};

    #[test]
    fn kernel_that_stays_in_a_loop_has_failed_an_assertion() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/freertos/elf/mps2-an385-Os.elf");
        let bytes = std::fs::read(path).unwrap();
        let image = ElfImage::parse(&bytes).unwrap();
        let files = [SymbolFile::new(&image)];
        // `b .` where the assertion of `function` would end.
        let halted = |function: &str, basepri: u32| {
            let at = files[0].symbol(function).unwrap().address.0 & !1;
            let memory = MemoryImage::of(&[(at, &[0xfe, 0xe7])]);
            let mut snapshot = Snapshot { memory, ..Snapshot::default() };
            let values =
                [(Register::PC, at), (Register::SP, 0x2000_1000), (Register::BASEPRI, basepri)];
            for (register, value) in values {
                snapshot.registers.set(register, value);
            }
            analyze(&snapshot, &files, &Options::default())
        };
        let failed = halted("xQueueGenericSend", 0x50);
        assert_eq!(failed.title, "Assert at xQueueGenericSend");
        assert!(failed.cause.evidence.iter().any(|line| line == "BASEPRI is 0x50"));
        // With interrupts open a task may wait so, and the user's own function may mean to stop.
        assert_eq!(halted("xQueueGenericSend", 0).category, Category::DebuggerHalted);
        let own = halted("check_range", 0x50);
        assert_eq!(own.title, "Debugger Halted at check_range [Interrupts Locked]");
        assert!(own.cause.evidence.iter().any(|line| line.contains("configASSERT")));
    }

    #[test]
    fn assertion_whose_call_other_lines_jump_to_says_so() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/freertos/elf/mps2-an385-Os.elf");
        let bytes = std::fs::read(path).unwrap();
        let image = ElfImage::parse(&bytes).unwrap();
        let files = [SymbolFile::new(&image)];
        let at = |name: &str| files[0].symbol(name).unwrap().address.0 & !1;
        // What follows the call, in the next line.
        let behind = at("check_range") + 14;
        let evidence = |code: &[u8]| {
            let memory = MemoryImage::of(&[(behind, code)]);
            let mut snapshot = Snapshot { memory, ..Snapshot::default() };
            let values = [
                (Register::PC, at("vAssertCalled")),
                (Register::LR, behind | 1),
                (Register::SP, 0x2000_1000),
            ];
            for (register, value) in values {
                snapshot.registers.set(register, value);
            }
            let report = analyze(&snapshot, &files, &Options::default());
            assert_eq!(report.title, "Assert at check_range");
            report.cause.evidence.join("\n")
        };
        // A jump to the first instruction that gives the call its arguments.
        let merged = evidence(&[0xfa, 0xe7]);
        let told = format!("the call at 0x{:08x} is reached from line 97, too", behind - 4);
        assert!(merged.contains(&told), "{merged}");
        // pop {r3, pc}
        let alone = evidence(&[0x08, 0xbd]);
        assert!(!alone.contains("reached from"), "{alone}");
    }
}
