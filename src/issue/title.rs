//! The title of a crash, as a person would say it.

use super::{is_machinery, is_stack_check};
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
    let mut title = match thread.and_then(|thread| place(thread, overflowed)) {
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

/// The innermost function that is the user's business, else the address.
fn place(thread: &Thread, overflowed: bool) -> Option<String> {
    let first = thread.frames.first()?;
    let passes = |name: &str| is_machinery(name) || is_stack_check(name);
    let named = |frame: &&Frame| frame.function.as_deref().is_some_and(|name| !passes(name));
    // A jump to nowhere has no function: its address says most.
    if first.function.is_none() && !overflowed {
        return Some(first.pc.to_string());
    }
    let frame = thread.frames.iter().find(named).unwrap_or(first);
    frame.function.clone()
}
