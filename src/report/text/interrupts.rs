//! Exceptions and interrupts: by default what is out of the ordinary, all of them in full.

use super::super::{Exception, Interrupts, Report};
use super::paint::{Ink, Page};

/// What runs nested, what is masked and what waits; in full also every exception and SysTick.
pub(super) fn overview(page: &mut Page, report: &Report) {
    let Some(interrupts) = &report.interrupts else { return };
    let full = page.style().full;
    let masked: Vec<String> = masks(interrupts);
    let waiting = |exception: &&Exception| exception.pending == Some(true);
    let pending: Vec<&Exception> = interrupts.exceptions.iter().filter(waiting).collect();
    let nested = interrupts.active.len() > 1;
    if !full && masked.is_empty() && pending.is_empty() && !nested {
        return;
    }
    page.heading("Interrupts");
    if nested || full && !interrupts.active.is_empty() {
        page.entry("active", Ink::Plain, &interrupts.active.join(", which interrupted "));
    }
    if !masked.is_empty() {
        page.entry("masks", Ink::Plain, &masked.join(", "));
    }
    for (index, exception) in pending.iter().enumerate() {
        let blocked = match exception.blocked_by.as_slice() {
            [] if !is_known(interrupts) => {
                ": what blocks it is not known, the masks are not captured".to_string()
            }
            [] => String::new(),
            reasons => format!(": blocked by {}", reasons.join(", ")),
        };
        let text = format!("{}{blocked}", label(exception));
        page.entry(if index == 0 { "pending" } else { "" }, Ink::Plain, &text);
    }
    if full {
        controller(page, interrupts);
        for exception in &interrupts.exceptions {
            page.entry(&exception.name, Ink::Plain, &describe(exception));
        }
    }
    page.blank();
}

/// Whether every mask of the core was captured.
fn is_known(interrupts: &Interrupts) -> bool {
    !interrupts.not_captured.iter().any(|name| name == "PRIMASK" || name == "BASEPRI")
}

/// The masks that are set.
fn masks(interrupts: &Interrupts) -> Vec<String> {
    let set = interrupts.masks.0.iter().filter(|(_, value)| value.0 & 0xff != 0);
    set.map(|(name, value)| match name.as_ref() {
        "BASEPRI" => format!("BASEPRI 0x{:02x}", value.0 & 0xff),
        _ => name.to_string(),
    })
    .collect()
}

fn controller(page: &mut Page, interrupts: &Interrupts) {
    let vectors = interrupts.vector_table.map(|at| format!("vectors at {at}"));
    let lines = interrupts.lines.map(|lines| format!("{lines} lines"));
    let group = interrupts.priority_group.map(|group| format!("PRIGROUP {group}"));
    let bits = interrupts.priority_bits.map(|bits| format!("{bits} priority bits in use"));
    let all: Vec<String> = [vectors, lines, group, bits].into_iter().flatten().collect();
    page.entry("NVIC", Ink::Plain, &all.join(", "));
    if let Some(systick) = &interrupts.systick {
        let state = if systick.enabled { "counts" } else { "stopped" };
        let counter = |name: &str, value: Option<u32>| {
            value.map(|value| format!(", {name} {value}")).unwrap_or_default()
        };
        let text = format!(
            "{state}, {} clock{}{}",
            systick.clock,
            counter("reload", systick.reload),
            counter("now", systick.current)
        );
        page.entry("timer", Ink::Plain, &text);
    }
    if !interrupts.not_captured.is_empty() {
        page.entry(
            "missing",
            Ink::Warning,
            &format!("not captured: {}", interrupts.not_captured.join(", ")),
        );
    }
}

/// `IRQ 5 uart_isr, priority 0x40`.
fn label(exception: &Exception) -> String {
    let mut text = exception.name.clone();
    if let Some(handler) = exception.service_routine.as_ref().or(exception.handler.as_ref()) {
        text.push_str(&format!(" {handler}"));
    }
    if let Some(priority) = exception.priority.filter(|priority| *priority >= 0) {
        text.push_str(&format!(", priority 0x{priority:02x}"));
    }
    text
}

/// `uart_isr, priority 0x40, enabled, pending`.
fn describe(exception: &Exception) -> String {
    let handler = exception.service_routine.as_ref().or(exception.handler.as_ref());
    let priority = exception.priority.map(|priority| match priority {
        0.. => format!("priority 0x{priority:02x}"),
        fixed => format!("priority {fixed}"),
    });
    let flag = |value: Option<bool>, name: &str| (value == Some(true)).then(|| name.to_string());
    let parts = [
        handler.cloned(),
        priority,
        exception.security.clone(),
        flag(exception.enabled, "enabled"),
        flag(exception.pending, "pending"),
        flag(exception.active, "active"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
