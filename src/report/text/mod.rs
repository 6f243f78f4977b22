//! The report as text for people: aware of the terminal's width, colored on request.

mod difference;
mod heaps;
mod interrupts;
mod logs;
mod messages;
mod mpu;
mod objects;
mod paint;
mod peripherals;
mod thread_table;
mod threads;
mod variables;

pub use difference::render_difference;
pub use messages::render_message;
pub use paint::{Ink, Span, Style, printable};

use super::{Category, Confidence, FaultBit, MatchKind, Note, Report, Severity};
use paint::Page;

/// Notes that a short report shows.
const SHORT_NOTES: usize = 4;

/// Renders `report`. What is shown of frames and globals depends on `style.full`: all locals and
/// globals, or the locals of the crashed thread only.
pub fn render_text(report: &Report, style: Style) -> String {
    let mut page = Page::new(style);
    report_on(&mut page, report);
    page.finish()
}

fn report_on(page: &mut Page, report: &Report) {
    page.line(Ink::Title, &report.title);
    page.blank();
    cause(page, report);
    identity(page, report);
    page.blank();
    if page.style().full || !nothing_faulted(report) {
        fault(page, report);
    }
    thread_table::overview(page, report);
    heaps::overview(page, report);
    logs::overview(page, report);
    threads::backtraces(page, report);
    interrupts::overview(page, report);
    peripherals::overview(page, report);
    if page.style().full {
        mpu::overview(page, report);
        objects::overview(page, report);
        variables::globals(page, report);
        memory(page, report);
    }
    notes_on(page, &news(report));
}

/// Why it crashed and where: the cause, the end of the log, and the frames of the crashed thread
/// without their locals.
fn short_report_on(page: &mut Page, report: &Report) {
    page.line(Ink::Title, &report.title);
    page.blank();
    cause(page, report);
    identity(page, report);
    page.blank();
    logs::overview(page, report);
    threads::crashed(page, report);
    let notes = news(report);
    let shown = notes.get(..SHORT_NOTES).unwrap_or(&notes);
    notes_on(page, shown);
    let more = notes.len().saturating_sub(shown.len());
    if more > 0 {
        page.wrapped("  ", Ink::Dim, &format!("… {more} more notes (--full shows them)"));
    }
    page.blank();
}

/// A part of the text that stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// All there is about the crash itself: cause, frames of the crashed thread, device, fault
    /// registers, notes.
    Overview,
    /// Title, cause and evidence.
    Cause,
    /// Fault registers in words.
    Fault,
    /// A line for each thread.
    Threads,
    /// One frame of the thread that crashed, by its number, with arguments and locals.
    Frame(usize),
    /// Exceptions and interrupts.
    Interrupts,
    /// Regions of the MPU.
    Mpu,
    /// Heaps.
    Heaps,
    /// What was left of the log.
    Logs,
    /// The kernel's objects.
    Objects,
    /// Registers of peripherals that an SVD file names.
    Peripherals,
}

/// Renders one section of `report`, in the words of [`render_text`].
pub fn render_section(report: &Report, section: Section, style: Style) -> String {
    section_page(report, section, style).finish()
}

/// The same as lines of pieces, for those who paint themselves.
pub fn section_lines(report: &Report, section: Section, style: Style) -> Vec<Vec<Span>> {
    section_page(report, section, style).into_lines()
}

fn section_page(report: &Report, section: Section, style: Style) -> Page {
    let mut page = Page::new(style);
    match section {
        Section::Overview => {
            page.line(Ink::Title, &report.title);
            page.blank();
            cause(&mut page, report);
            page.blank();
            threads::blamed(&mut page, report);
            notes_on(&mut page, &news(report));
            page.blank();
            identity(&mut page, report);
            page.blank();
            page.shorten();
            fault(&mut page, report);
        }
        Section::Cause => {
            page.line(Ink::Title, &report.title);
            page.blank();
            cause(&mut page, report);
        }
        Section::Fault if report.fault.is_none() => {
            page.line(Ink::Plain, "no fault registers were captured");
        }
        Section::Fault => fault(&mut page, report),
        Section::Threads => thread_table::overview(&mut page, report),
        Section::Frame(number) => threads::one_frame(&mut page, report, number),
        Section::Interrupts => interrupts::overview(&mut page, report),
        Section::Mpu => mpu::overview(&mut page, report),
        Section::Heaps => heaps::overview(&mut page, report),
        Section::Logs => logs::overview(&mut page, report),
        Section::Objects => objects::overview(&mut page, report),
        Section::Peripherals => peripherals::overview(&mut page, report),
    }
    page
}

fn cause(page: &mut Page, report: &Report) {
    page.field("Cause", Ink::Strong, &report.cause.summary);
    let sure = match report.cause.confidence {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible",
    };
    page.field("Confidence", Ink::Plain, sure);
    for (index, evidence) in report.cause.evidence.iter().enumerate() {
        page.field(if index == 0 { "Evidence" } else { "" }, Ink::Plain, evidence);
    }
}

fn identity(page: &mut Page, report: &Report) {
    let device = &report.device;
    let named =
        |label: &str, value: &Option<String>| value.as_ref().map(|value| format!("{label}{value}"));
    let what = [
        named("", &device.core),
        named("", &device.rtos),
        named("serial ", &device.serial),
        named("hardware ", &device.hardware_version),
        named("", &device.software_type),
        named("version ", &device.software_version),
    ];
    let what: Vec<String> = what.into_iter().flatten().collect();
    if !what.is_empty() {
        page.field("Device", Ink::Plain, &what.join(", "));
    }
    for symbols in &report.symbols {
        let how = match symbols.matched {
            MatchKind::BuildId => "matched by build ID",
            MatchKind::Contents => "matched by contents",
            MatchKind::Ram => "fits the RAM; the dump has no code",
            MatchKind::Forced => "FORCED: does not belong to this dump",
            MatchKind::None => "could not be matched with the dump",
        };
        let path = symbols.path.as_deref().unwrap_or("(unnamed)");
        page.field("Symbols", Ink::Plain, &format!("{path} ({how})"));
        if let Some(id) = &symbols.build_id {
            page.field("Build ID", Ink::Plain, id);
        }
    }
    if let Some(origin) = &device.origin {
        page.field("Dump", Ink::Plain, origin);
    }
}

fn fault(page: &mut Page, report: &Report) {
    let Some(fault) = &report.fault else { return };
    page.heading("Fault");
    if let Some(active) = &fault.active_exception {
        let from = fault.escalated_from.as_ref().map(|from| format!(", escalated from {from}"));
        page.entry("exception", Ink::Plain, &format!("{active}{}", from.unwrap_or_default()));
    }
    if let Some(exc_return) = &fault.exc_return {
        page.entry("EXC_RETURN", Ink::Plain, exc_return);
    }
    for (name, value) in &fault.registers.0 {
        let bits: Vec<_> = fault.bits.iter().filter(|bit| bit.register == *name).collect();
        // Registers without a set bit and without news are for the full report.
        let telling = matches!(name.as_ref(), "CFSR" | "HFSR" | "ICSR" | "SHCSR")
            || !bits.is_empty()
            || fault.address == Some(*value);
        if !telling && !page.style().full {
            continue;
        }
        if name == "SHCSR" {
            // Which handlers are enabled and active: state, not news.
            let names: Vec<&str> = bits.iter().map(|bit| bit.name.as_str()).collect();
            let text = format!("{value} {}", names.join(" "));
            page.entry(name, Ink::Plain, text.trim_end());
            continue;
        }
        page.entry(name, Ink::Plain, &value.to_string());
        for bit in bits {
            page.entry("", Ink::Fault, &format!("{}: {}", bit.name, bit.meaning));
        }
    }
    page.blank();
}

/// Whether there is nothing to say about faults: the cause tells what was running instead.
fn nothing_faulted(report: &Report) -> bool {
    let is_status = |bit: &FaultBit| bit.register != "SHCSR";
    report.category == Category::DebuggerHalted
        && report.fault.as_ref().is_none_or(|fault| !fault.bits.iter().any(is_status))
}

fn memory(page: &mut Page, report: &Report) {
    page.heading("Memory");
    for range in &report.memory {
        let size = range.size;
        let what = match (&range.reason, range.captured) {
            (_, true) => "captured".to_string(),
            (Some(reason), false) => format!("not captured: {reason}"),
            (None, false) => "not captured".to_string(),
        };
        page.entry(&range.start.to_string(), Ink::Plain, &format!("{size:>8} bytes, {what}"));
    }
    page.blank();
}

/// The notes, without those that the cause gives as its evidence.
fn news(report: &Report) -> Vec<&Note> {
    let is_new = |note: &&Note| !report.cause.evidence.contains(&note.text);
    report.notes.iter().filter(is_new).collect()
}

fn notes_on(page: &mut Page, notes: &[&Note]) {
    if notes.is_empty() {
        return;
    }
    page.heading("Notes");
    for note in notes {
        let (label, ink) = match note.severity {
            Severity::Info => ("info", Ink::Plain),
            Severity::Warning => ("warning", Ink::Warning),
            Severity::Error => ("error", Ink::Fault),
        };
        page.entry(label, ink, &note.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyze};
    use crate::snapshot::Snapshot;

    #[test]
    fn note_that_is_evidence_is_told_once() {
        let note = |text: &str| Note {
            code: "heap_corrupt".into(),
            severity: Severity::Error,
            text: text.into(),
            address: None,
        };
        let mut report = analyze(&Snapshot::default(), &[], &Options::default());
        report.cause.evidence.push("heap malloc is corrupted".into());
        report.notes.extend(["heap malloc is corrupted", "heap b is corrupted"].map(note));
        let text = render_text(&report, Style::default());
        assert_eq!(text.matches("heap malloc is corrupted").count(), 1, "{text}");
        assert_eq!(text.matches("heap b is corrupted").count(), 1, "{text}");
    }
}
