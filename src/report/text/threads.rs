//! Backtraces of threads.

use super::super::{Frame, Report, Thread};
use super::paint::{Ink, Page};
use super::variables;

/// Fewer frames of a recursion are written out.
const FEWEST_FOLDED: usize = 2;
/// Instructions before and behind the one of the crash in the short report.
const SHORT_LISTING: usize = 2;

/// Every thread's frames.
pub(super) fn backtraces(page: &mut Page, report: &Report) {
    for thread in &report.threads {
        backtrace(page, thread, thread.crashed || page.style().full);
    }
}

/// The frames of the crashed thread, without locals and registers.
pub(super) fn crashed(page: &mut Page, report: &Report) {
    if let Some(thread) = report.threads.iter().find(|thread| thread.crashed) {
        backtrace(page, thread, false);
    }
}

/// The frames of the thread that crashed, or that ran, without locals and registers.
pub(super) fn blamed(page: &mut Page, report: &Report) {
    if let Some(thread) = blamed_of(report) {
        backtrace(page, thread, false);
    }
}

fn blamed_of(report: &Report) -> Option<&Thread> {
    let crashed = report.threads.iter().find(|thread| thread.crashed);
    crashed.or_else(|| report.threads.iter().find(|thread| thread.current))
}

/// Frame `number` of the thread that crashed, or that ran, with its locals.
pub(super) fn one_frame(page: &mut Page, report: &Report, number: usize) {
    let Some(thread) = blamed_of(report) else {
        page.line(Ink::Plain, "no thread crashed, and none is known to run");
        return;
    };
    let Some(found) = thread.frames.get(number) else {
        let count = thread.frames.len();
        let text = format!("thread {} has {count} frames, counted from 0", thread.name);
        page.line(Ink::Plain, &text);
        return;
    };
    frame(page, found, true);
    if found.arguments.is_empty() && found.locals.is_empty() {
        page.wrapped("        ", Ink::Dim, "no arguments, no locals");
    }
    for variable in &found.arguments {
        variables::tree(page, variable, 8);
    }
}

fn backtrace(page: &mut Page, thread: &Thread, with_locals: bool) {
    let crashed = if thread.crashed { ", crashed" } else { "" };
    page.heading(&format!("Thread {} ({}, {}{crashed})", thread.name, thread.id, thread.state));
    if with_locals {
        registers(page, thread);
    }
    let mut frames = thread.frames.as_slice();
    while let Some((first, rest)) = frames.split_first() {
        self::frame(page, first, with_locals);
        if with_locals && (page.style().full || first.index == 0) {
            disassembly(page, first);
        }
        frames = rest;
        let more = recursions(first, rest);
        if more > FEWEST_FOLDED && !page.style().full {
            let text = format!("… {more} more frames of this recursion (--full shows them)");
            page.wrapped("        ", Ink::Dim, &text);
            frames = rest.get(more..).unwrap_or(&[]);
        }
    }
    if let Some(reason) = &thread.unwind_ended {
        page.wrapped("      ", Ink::Dim, &format!("backtrace ends: {reason}"));
    }
    page.blank();
}

/// How many of the next frames stand at the same place as `frame`.
fn recursions(frame: &Frame, rest: &[Frame]) -> usize {
    rest.iter().take_while(|next| next.pc == frame.pc && next.function == frame.function).count()
}

fn registers(page: &mut Page, thread: &Thread) {
    let per_line = (page.style().width.saturating_sub(6) / 19).clamp(1, 4);
    let shown: Vec<_> = thread
        .registers
        .0
        .iter()
        .filter(|(name, _)| page.style().full || !is_single(name))
        .collect();
    for row in shown.chunks(per_line) {
        let cells: Vec<String> =
            row.iter().map(|(name, value)| format!("{name:>7} {value}")).collect();
        page.wrapped("    ", Ink::Dim, &cells.join(" "));
    }
}

fn is_single(name: &str) -> bool {
    name.strip_prefix('s').is_some_and(|digits| digits.parse::<u8>().is_ok())
}

fn frame(page: &mut Page, frame: &Frame, with_locals: bool) {
    let function = match (&frame.function, frame.offset) {
        (Some(function), _) => function.clone(),
        (None, _) => "??".to_string(),
    };
    let arguments: Vec<String> = frame.arguments.iter().map(variables::brief).collect();
    let place = match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!(" at {}:{line}", direct(file)),
        (Some(file), None) => format!(" in {}", direct(file)),
        (None, _) => String::new(),
    };
    let lead = format!("  #{:<3}", frame.index);
    let pc = if frame.inlined { "  inlined ".to_string() } else { frame.pc.to_string() };
    let whose: Vec<&str> = frame.image.iter().chain(&frame.world).map(String::as_str).collect();
    let image = if whose.is_empty() { String::new() } else { format!(" [{}]", whose.join(", ")) };
    let doubt = doubt(frame);
    let text = format!("{pc} {function} ({}){place}{image}{doubt}", arguments.join(", "));
    page.wrapped(&lead, Ink::Plain, &text);
    if let Some(remark) = &frame.remark {
        page.wrapped("        ", Ink::Warning, remark);
    }
    if with_locals {
        for variable in &frame.locals {
            variables::tree(page, variable, 8);
        }
    }
}

/// `path` without detours: libraries of a toolchain are built as `/build/a/b/../../libgcc/lib1funcs.S`.
fn direct(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match (part, parts.last().copied()) {
            ("..", Some(last)) if !matches!(last, "" | "." | "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The instructions around a frame; in the short report only the next ones.
fn disassembly(page: &mut Page, frame: &Frame) {
    let current = frame.disassembly.iter().position(|instruction| instruction.current);
    for (index, instruction) in frame.disassembly.iter().enumerate() {
        if !page.style().full
            && current.is_none_or(|current| current.abs_diff(index) > SHORT_LISTING)
        {
            continue;
        }
        let (mark, ink) = if instruction.current { ("=>", Ink::Fault) } else { ("  ", Ink::Dim) };
        let lead = format!("     {mark} {} ", instruction.address);
        let remark =
            instruction.remark.as_ref().map_or(String::new(), |text| format!("  ; {text}"));
        page.wrapped(&lead, ink, &format!("{}{remark}", instruction.text));
    }
}

/// Guessed frames say so.
fn doubt(frame: &Frame) -> &'static str {
    match frame.found_by.as_str() {
        "scan" => "  [guess: found on the stack]",
        "prologue" => "  [guess: by its prologue]",
        "frame size" => "  [guess: by the size of the frame]",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_with_detours_is_shown_without_them() {
        for (path, shown) in [
            ("/build/gcc/nofp/libgcc/../../../libgcc/lib1funcs.S", "/build/libgcc/lib1funcs.S"),
            ("../../newlib/libc/./stdlib/free.c", "../../newlib/libc/./stdlib/free.c"),
            ("/../a/..b/../c.c", "/../a/c.c"),
            ("src/main.c", "src/main.c"),
        ] {
            assert_eq!(direct(path), shown);
        }
    }
}
