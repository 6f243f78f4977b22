//! The title of a crash, as a person would say it.

use super::{is_allocator, is_kernel_code, is_machinery, is_stack_check};
use crate::report::{Category, Frame, Report, Thread};

/// `Mem Fault at compute_fft [Stack Overflow in accel-workq]`, `Hard Fault at 0x0badcafe`,
/// `Debugger Halted at arch_cpu_idle`. `qualifier` goes into the brackets; a crash in a handler is
/// qualified by that handler.
pub fn title(report: &Report, qualifier: Option<&str>) -> String {
    let kind = kind(report);
    let find = |wanted: fn(&Thread) -> bool| report.threads.iter().find(|thread| wanted(thread));
    let halted = report.category == Category::DebuggerHalted;
    let thread = find(|thread| thread.crashed)
        // Nothing crashed: what runs. After a fault whose origin is lost nothing is to be named.
        .or_else(|| find(|thread| thread.state == "handler").filter(|_| halted))
        .or_else(|| find(|thread| thread.current).filter(|_| halted));
    // Its innermost frame is often what the stack held before.
    let overflowed = report.category == Category::StackOverflow;
    // Who asked for memory says more than the allocator that found none.
    let passes_allocators = matches!(qualifier, Some("Out of Memory" | "Heap Corruption"));
    let passes = |frame: &Frame| {
        let name = frame.function.as_deref().unwrap_or("");
        is_machinery(name)
            || is_stack_check(name)
            || passes_allocators && is_allocator(name)
            || overflowed && is_kernel_code(name, frame.file.as_deref())
    };
    let mut title = match thread.and_then(|thread| place(thread, overflowed, passes)) {
        Some(place) => format!("{kind} at {place}"),
        None => kind.to_string(),
    };
    let in_handler = thread.filter(|thread| thread.crashed && thread.state == "handler");
    let qualifier = qualifier
        .map(str::to_string)
        .or_else(|| in_handler.map(|thread| format!("in {}", thread.name)));
    if let Some(qualifier) = qualifier {
        title.push_str(&format!(" [{qualifier}]"));
    }
    title
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
fn place(thread: &Thread, overflowed: bool, passes: impl Fn(&Frame) -> bool) -> Option<String> {
    let first = thread.frames.first()?;
    // A jump to nowhere has no function: its address says most.
    if first.function.is_none() && !overflowed {
        return Some(first.pc.to_string());
    }
    let named = |frame: &&Frame| frame.function.is_some() && !passes(frame);
    let frame = thread.frames.iter().find(named).unwrap_or(first);
    frame.function.clone()
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
        title(&report, Some(qualifier))
    }

    #[test]
    fn stack_overflow_is_at_the_first_function_outside_the_kernel() {
        let kernel = [("vTaskDelay", "Source/tasks.c"), ("read_sensor", "app/sensor.c")];
        let found = titled(Category::StackOverflow, "Stack Overflow in sensor", &kernel);
        assert_eq!(found, "Stack Overflow at read_sensor [Stack Overflow in sensor]");
        let threadx = [("_tx_thread_sleep", "tx_thread_sleep.c"), ("blink", "main.c")];
        let found = titled(Category::StackOverflow, "Stack Overflow in blink", &threadx);
        assert_eq!(found, "Stack Overflow at blink [Stack Overflow in blink]");
        // The user's own task may be called as the kernel's functions are.
        let own = [("vTaskDelay", "tasks.c"), ("vTaskBlink", "app/blink.c")];
        let found = titled(Category::StackOverflow, "x", &own);
        assert_eq!(found, "Stack Overflow at vTaskBlink [x]");
        let found = titled(Category::Panic, "x", &kernel);
        assert_eq!(found, "Panic at vTaskDelay [x]");
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
}
