//! The list of threads: a line each with a bar for its stack, and its frames below it.

use super::super::state::{SORTS, Sort, State};
use super::super::theme::Role;
use super::super::update::fullness;
use super::{ink, plain, span};
use crate::report::{Frame, Ink, Stack, Thread};
use ratatui::text::Line;

/// Cells of the bar.
const BAR: u64 = 8;
/// Columns of everything but the name, and those of the stack among them.
const REST: usize = 31;
const STACK: usize = 14;

pub(super) fn title(state: &State) -> String {
    let all = state.report_threads().len();
    let pane = &state.threads;
    let shown = pane.rows.iter().filter(|row| row.frame.is_none()).count();
    let number = if shown == all { all.to_string() } else { format!("{shown} of {all}") };
    let filter = if pane.filter.is_empty() { String::new() } else { format!(" /{}", pane.filter) };
    let sort = SORTS.iter().find(|(_, sort)| *sort == pane.sort && *sort != Sort::Report);
    let sort = sort.map_or(String::new(), |(name, _)| format!(" by {name}"));
    format!("Threads ({number}){sort}{filter}")
}

pub(super) fn rows(state: &State, first: usize, count: usize, width: u16) -> Vec<Line<'static>> {
    let threads = state.report_threads();
    let longest = threads.iter().map(|thread| thread.name.chars().count()).max().unwrap_or(0);
    let rest = if threads.iter().any(|t| t.stack.is_some()) { REST } else { REST - STACK };
    let room = usize::from(width).saturating_sub(rest).clamp(6, 40);
    let width = longest.min(room).max(4);
    let rows = state.threads.rows.iter().skip(first).take(count);
    let lines = rows.filter_map(|row| {
        let thread = threads.get(row.thread)?;
        Some(match row.frame {
            Some(frame) => frame_line(state, thread.frames.get(frame)?),
            None => {
                let open = state.threads.open.contains(&row.thread);
                thread_line(state, thread, open, width)
            }
        })
    });
    lines.collect()
}

/// `!▾ accel-workq  running    2 ████▒▒░░  81%`.
fn thread_line(state: &State, thread: &Thread, open: bool, width: usize) -> Line<'static> {
    let mark = match (thread.crashed, thread.current) {
        (true, _) => "!",
        (_, true) => "*",
        _ => " ",
    };
    let fold = match (thread.frames.is_empty(), open) {
        (true, _) => " ",
        (_, true) => "▾",
        _ => "▸",
    };
    let role = if thread.crashed { Ink::Fault } else { Ink::Plain };
    let priority = thread.priority.map_or(String::new(), |priority| priority.to_string());
    let name = clipped(&thread.name, width);
    let text = format!("{mark}{fold} {name} {:<9}{priority:>4} ", thread.state);
    let mut line = Line::from(ink(state, role, &text));
    if let Some(stack) = &thread.stack {
        line.push_span(ink(
            state,
            if stack.overflowed { Ink::Fault } else { Ink::Plain },
            &bar(stack),
        ));
        let full = match fullness(thread) {
            _ if stack.overflowed => " OVER".to_string(),
            Some(full) => format!(" {:>3}%", full.saturating_add(5) / 10),
            None => String::new(),
        };
        line.push_span(ink(state, if stack.overflowed { Ink::Fault } else { Ink::Dim }, &full));
    }
    line
}

/// `name`, padded or cut to `width` columns.
pub(super) fn clipped(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return format!("{name:<width$}");
    }
    let kept: String = name.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// In use, once in use, never used.
fn bar(stack: &Stack) -> String {
    let size = u64::from(stack.size).max(1);
    let cells = |bytes: Option<u32>| {
        let bytes = u64::from(bytes.unwrap_or(0));
        // What is used at all is seen.
        bytes.saturating_mul(BAR).div_ceil(size).min(BAR)
    };
    let used = if stack.overflowed { BAR } else { cells(stack.used) };
    let high = cells(stack.high_water).max(used);
    (0..BAR)
        .map(|cell| {
            if cell < used {
                '█'
            } else if cell < high {
                '▒'
            } else {
                '░'
            }
        })
        .collect()
}

/// `    #2 compute_fft  fft.c:42`.
fn frame_line(state: &State, frame: &Frame) -> Line<'static> {
    let function = frame.function.clone().unwrap_or_else(|| frame.pc.to_string());
    let guess = matches!(frame.found_by.as_str(), "scan" | "prologue" | "link register");
    let mut line = Line::from(vec![
        ink(state, Ink::Dim, &format!("    #{:<2} ", frame.index)),
        plain(&function),
    ]);
    if frame.inlined {
        line.push_span(ink(state, Ink::Dim, " inlined"));
    }
    if guess {
        line.push_span(ink(state, Ink::Warning, " ?"));
    }
    if let Some(file) = &frame.file {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
        let at = frame.line.map_or(String::new(), |line| format!(":{line}"));
        line.push_span(span(state, Role::Ink(Ink::Dim), &format!("  {name}{at}")));
    }
    line
}

/// What a row has no room for.
pub(super) fn detail(state: &State) -> String {
    let Some((thread, frame)) = state.selected() else { return String::new() };
    let row = state.threads.rows.get(state.threads.cursor.at);
    if let (Some(frame), true) = (frame, row.is_some_and(|row| row.frame.is_some())) {
        let whose = [&frame.image, &frame.world, &frame.remark];
        let whose: Vec<&str> = whose.into_iter().flatten().map(String::as_str).collect();
        let sp = frame.sp.map_or(String::new(), |sp| format!(" sp {sp}"));
        let more = if whose.is_empty() { String::new() } else { format!(": {}", whose.join(", ")) };
        return format!("pc {}{sp}, found by {}{more}", frame.pc, frame.found_by);
    }
    let mut parts = Vec::new();
    if let Some(waits) = &thread.waits_for {
        parts.push(format!("waits for {waits}"));
    }
    if let Some(stack) = &thread.stack {
        let number = |value: Option<u32>| value.map_or("?".to_string(), |value| value.to_string());
        let most = stack.high_water.map_or(String::new(), |most| format!(" (max {most})"));
        parts.push(format!("stack {} of {}{most}", number(stack.used), stack.size));
    }
    if let Some(base) = thread.base_priority {
        parts.push(format!("own priority {base}"));
    }
    if let Some(entry) = &thread.entry {
        parts.push(format!("entry {entry}"));
    }
    if let Some(ended) = &thread.unwind_ended {
        parts.push(format!("backtrace ends: {ended}"));
    }
    parts.join("; ")
}
