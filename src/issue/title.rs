//! The title of a crash, as a person would say it.

use super::{
    before_giving_up, is_allocator, is_kernel_code, is_machinery, is_rust_library, is_stack_check,
};
use crate::base::Address;
use crate::report::{Category, Frame, Hex32, Report, Thread};

/// What the rules about causes know of the title.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// For the brackets: `Stack Overflow in accel-workq`.
    pub qualifier: Option<String>,
    /// The thread at fault, where it need not be the one that crashed.
    pub thread: Option<Address>,
    /// The function at fault, where it is known without a backtrace.
    pub function: Option<String>,
}

/// A title, and what is to be said about the place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// The title.
    pub text: String,
    /// Why the place is not that of the innermost frame.
    pub remark: Option<String>,
}

/// `Mem Fault at compute_fft [Stack Overflow in accel-workq]`, `Hard Fault at 0x0badcafe`,
/// `Debugger Halted at arch_cpu_idle`. A crash in a handler is qualified by that handler. What the kind
/// says is not said again: `Stack Overflow at compute_fft [in accel-workq]`.
pub fn title(report: &Report, naming: &Naming) -> Title {
    let kind = kind(report);
    let find = |wanted: fn(&Thread) -> bool| report.threads.iter().find(|thread| wanted(thread));
    let halted = report.category == Category::DebuggerHalted;
    let crashed = find(|thread| thread.crashed);
    let at_fault = naming.thread.map(|address| Hex32::from(address).to_string());
    let thread = at_fault
        .and_then(|id| report.threads.iter().find(|thread| thread.id == id))
        .or(crashed)
        // Nothing crashed: what runs. After a fault whose origin is lost nothing is to be named.
        .or_else(|| find(|thread| thread.state == "handler").filter(|_| halted))
        .or_else(|| find(|thread| thread.current).filter(|_| halted));
    // Its innermost frame is often what the stack held before.
    let overflowed = report.category == Category::StackOverflow;
    let qualifier = naming.qualifier.as_deref();
    // Who asked for memory says more than the allocator that found none.
    let passes_allocators = matches!(qualifier, Some("Out of Memory" | "Heap Corruption"));
    let passes = |frame: &Frame| {
        let name = frame.function.as_deref().unwrap_or("");
        is_machinery(name)
            || is_stack_check(name)
            || is_rust_library(name)
            || passes_allocators && is_allocator(name)
            || overflowed && is_kernel_code(name, frame.file.as_deref())
    };
    let (place, remark) = match (&naming.function, thread) {
        (Some(function), _) => (Some(function.clone()), None),
        (None, Some(thread)) if overflowed => trusted_place(thread, passes),
        (None, thread) => (thread.and_then(|thread| place(thread, passes)), None),
    };
    let repeats = qualifier.is_some_and(|qualifier| qualifier.ends_with(kind));
    let (kind, qualifier) = match qualifier {
        Some(qualifier) if repeats => (qualifier, None),
        _ => (kind, qualifier.map(|text| text.strip_prefix(kind).map_or(text, str::trim_start))),
    };
    let mut text = match place {
        Some(place) => format!("{kind} at {place}"),
        None => kind.to_string(),
    };
    let in_handler = crashed.filter(|thread| thread.state == "handler");
    let qualifier = qualifier
        .map(str::to_string)
        .or_else(|| in_handler.map(|thread| format!("in {}", thread.name)));
    if let Some(qualifier) = qualifier {
        text.push_str(&format!(" [{qualifier}]"));
    }
    Title { text, remark }
}

/// What hardware or the firmware calls it; a stack overflow goes by the fault that it led to.
fn kind(report: &Report) -> &'static str {
    let active = report.fault.as_ref().and_then(|fault| fault.active_exception.as_deref());
    match (report.category, active) {
        (Category::Assert, _) => "Assert",
        (Category::Panic, _) => "Panic",
        (Category::Watchdog, _) => "Watchdog",
        (Category::DebuggerHalted, _) => "Debugger Halted",
        (Category::Reboot, _) => "Reboot",
        (_, Some("HardFault")) => "Hard Fault",
        (_, Some("MemManage")) => "Mem Fault",
        (_, Some("BusFault")) => "Bus Fault",
        (_, Some("UsageFault")) => "Usage Fault",
        (_, Some("SecureFault")) => "Secure Fault",
        (Category::HardFault, _) => "Hard Fault",
        (Category::BusFault, _) => "Bus Fault",
        (Category::MemFault, _) => "Mem Fault",
        (Category::UsageFault, _) => "Usage Fault",
        (Category::SecureFault, _) => "Secure Fault",
        (Category::StackOverflow, Some("SVCall")) => "Panic",
        (Category::StackOverflow, _) => "Stack Overflow",
        (Category::Other, _) => "Halted",
    }
}

/// The innermost function that is the user's business, else the innermost, else the address.
fn place(thread: &Thread, passes: impl Fn(&Frame) -> bool) -> Option<String> {
    let first = thread.frames.first()?;
    // A jump to nowhere has no function: its address says most.
    if first.function.is_none() {
        return Some(first.pc.to_string());
    }
    let named = |frame: &&Frame| frame.function.is_some() && !passes(frame);
    let callers = before_giving_up(&thread.frames, |frame| frame.function.as_deref().unwrap_or(""));
    let frame = callers.iter().find(named).unwrap_or(first);
    frame.function.clone()
}

/// The same for a thread whose stack overflowed: frames on this side of the last guess are often
/// what the stack held before.
fn trusted_place(
    thread: &Thread,
    passes: impl Fn(&Frame) -> bool,
) -> (Option<String>, Option<String>) {
    let is_guess = |frame: &Frame| matches!(frame.found_by.as_str(), "scan" | "link register");
    let guess = thread.frames.iter().rposition(is_guess);
    let trusted = match (guess, &thread.unwind_ended) {
        (Some(_), Some(_)) => &[],
        (guess, _) => thread.frames.get(guess.unwrap_or(0)..).unwrap_or(&[]),
    };
    let named = trusted.iter().filter(|frame| frame.function.is_some());
    let place = named.clone().find(|frame| !passes(frame)).or(named.clone().next());
    let place = place.and_then(|frame| frame.function.clone());
    match (place, &thread.entry) {
        (Some(place), _) => {
            let text = || {
                format!("the innermost frames are guesses: {place} is the first that unwinds on")
            };
            let remark = guess.map(|_| text());
            (Some(place), remark)
        }
        (None, Some(entry)) => {
            let text = format!("no frame can be trusted: {entry} is the thread's entry");
            (Some(entry.clone()), Some(text))
        }
        (None, None) => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyze};
    use crate::snapshot::Snapshot;

    /// A crash of `category` in functions of files, innermost first.
    fn titled(category: Category, qualifier: &str, frames: &[(&str, &str)]) -> String {
        let frames = frames.iter().map(|(function, file)| Frame {
            function: Some((*function).into()),
            file: Some((*file).into()),
            ..Frame::default()
        });
        let thread = Thread { crashed: true, frames: frames.collect(), ..Thread::default() };
        let empty = analyze(&Snapshot::default(), &[], &Options::default());
        let report = Report { category, threads: vec![thread], ..empty };
        title(&report, &Naming { qualifier: Some(qualifier.into()), ..Naming::default() }).text
    }

    #[test]
    fn stack_overflow_is_at_the_first_function_outside_the_kernel() {
        let kernel = [("vTaskDelay", "Source/tasks.c"), ("read_sensor", "app/sensor.c")];
        let found = titled(Category::StackOverflow, "Stack Overflow in sensor", &kernel);
        assert_eq!(found, "Stack Overflow at read_sensor [in sensor]");
        let threadx = [("_tx_thread_sleep", "tx_thread_sleep.c"), ("blink", "main.c")];
        let found = titled(Category::StackOverflow, "Stack Overflow in blink", &threadx);
        assert_eq!(found, "Stack Overflow at blink [in blink]");
        // The user's own task may be called as the kernel's functions are.
        let own = [("vTaskDelay", "tasks.c"), ("vTaskBlink", "app/blink.c")];
        let found = titled(Category::StackOverflow, "x", &own);
        assert_eq!(found, "Stack Overflow at vTaskBlink [x]");
        // What handlers share, and a stack that is no thread's.
        let found = titled(Category::StackOverflow, "Interrupt Stack Overflow", &own[1..]);
        assert_eq!(found, "Interrupt Stack Overflow at vTaskBlink");
        let found = titled(Category::StackOverflow, "Stack Overflow", &own[1..]);
        assert_eq!(found, "Stack Overflow at vTaskBlink");
        let found = titled(Category::Panic, "x", &kernel);
        assert_eq!(found, "Panic at vTaskDelay [x]");
    }

    #[test]
    fn assertion_is_at_its_caller_whatever_it_calls_to_stop() {
        let frames = [
            ("stop", "main.c"),
            ("_kill", "main.c"),
            ("abort", ""),
            ("__assert_func", ""),
            ("push", "ring.c"),
        ];
        assert_eq!(titled(Category::Assert, "x", &frames), "Assert at push [x]");
        // picolibc, unless it is built to print what failed.
        let frames_of_picolibc = [("abort", ""), ("__assert_no_args", ""), ("push", "ring.c")];
        assert_eq!(titled(Category::Assert, "x", &frames_of_picolibc), "Assert at push [x]");
        // Its caller is lost: what is known.
        assert_eq!(titled(Category::Assert, "x", &frames[..4]), "Assert at stop [x]");
    }

    #[test]
    fn out_of_memory_is_at_the_caller_of_the_allocator() {
        let frames = [
            ("vApplicationMallocFailedHook", "hooks.c"),
            ("pvPortMalloc", "heap_4.c"),
            ("open_session", "session.c"),
        ];
        let found = titled(Category::Panic, "Out of Memory", &frames);
        assert_eq!(found, "Panic at open_session [Out of Memory]");
    }

    #[test]
    fn stack_overflow_passes_frames_that_are_guesses() {
        let frame = |function: &str, found_by: &str| Frame {
            function: Some(function.into()),
            found_by: found_by.into(),
            ..Frame::default()
        };
        let frames = vec![
            Frame { found_by: "exception frame".into(), ..Frame::default() },
            frame("stale", "link register"),
            frame("stale_too", "scan"),
            frame("vTaskDelay", "cfi"),
            frame("recurse", "scan"),
            frame("recurse", "cfi"),
        ];
        let thread =
            Thread { crashed: true, entry: Some("sensor_task".into()), ..Thread::default() };
        let titled = |thread: Thread| {
            let empty = analyze(&Snapshot::default(), &[], &Options::default());
            let category = Category::StackOverflow;
            title(&Report { category, threads: vec![thread], ..empty }, &Naming::default())
        };
        let found = titled(Thread { frames: frames.clone(), ..thread.clone() });
        assert_eq!(found.text, "Stack Overflow at recurse");
        assert!(found.remark.is_some_and(|remark| remark.contains("recurse is the first")));
        // The chain breaks off: it proves nothing.
        let unwind_ended = Some("no return address is on the stack".into());
        let found = titled(Thread { frames, unwind_ended, ..thread.clone() });
        assert_eq!(found.text, "Stack Overflow at sensor_task");
        assert!(found.remark.is_some_and(|remark| remark.contains("the thread's entry")));
        let frames = vec![frame("recurse", "exception frame"), frame("main", "cfi")];
        let found = titled(Thread { frames, ..thread });
        assert_eq!((found.text.as_str(), found.remark), ("Stack Overflow at recurse", None));
    }

    #[test]
    fn thread_at_fault_is_named_before_the_one_that_crashed() {
        let thread = |id: &str, crashed, function: &str| Thread {
            id: id.into(),
            crashed,
            state: if crashed { "handler".into() } else { "running".into() },
            frames: vec![Frame { function: Some(function.into()), ..Frame::default() }],
            ..Thread::default()
        };
        let threads = vec![thread("exception 15", true, "isr"), thread("0x20000100", false, "fft")];
        let empty = analyze(&Snapshot::default(), &[], &Options::default());
        let report = Report { category: Category::StackOverflow, threads, ..empty };
        let naming = Naming {
            qualifier: Some("Stack Overflow in dsp".into()),
            thread: Some(Address(0x2000_0100)),
            function: None,
        };
        let expected = "Stack Overflow at fft [in dsp]";
        assert_eq!(title(&report, &naming).text, expected);
        let naming = Naming { function: Some("recurse".into()), ..naming };
        assert!(title(&report, &naming).text.starts_with("Stack Overflow at recurse ["));
    }
}
