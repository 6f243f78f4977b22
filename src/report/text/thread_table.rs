//! A line for each thread; several where the page is narrow.

use super::super::{Report, Stack, Thread};
use super::paint::{Ink, NARROWEST, Page};

/// Names of threads up to here are aligned.
const LONGEST_NAME: usize = 32;
/// What the columns are called, from the second on.
const HEADINGS: [&str; COLUMNS] = ["state", "prio", "stack", "max", "size"];
const COLUMNS: usize = 5;
/// Columns that hold numbers, which end below each other.
const NUMBERS: usize = 1;
/// How far that is indented which has no room in the line of its thread.
const INDENT: &str = "      ";

/// What stands in a line.
struct Row<'a> {
    thread: &'a Thread,
    cells: [String; COLUMNS],
    /// What it waits for, and that its stack overflowed.
    tail: String,
}

/// A table of all threads.
pub(super) fn overview(page: &mut Page, report: &Report) {
    if report.threads.is_empty() {
        return;
    }
    let rows: Vec<Row<'_>> = report.threads.iter().map(row).collect();
    let length = |text: &str| text.chars().count();
    let longest = rows.iter().map(|row| length(&row.thread.name)).max().unwrap_or(0);
    let name = longest.clamp(4, LONGEST_NAME);
    // The mark and a space stand before it.
    let lead = name.saturating_add(2);
    let widths: Vec<usize> = (0..COLUMNS)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.cells.get(column));
            let widest = cells.map(|cell| length(cell)).max().unwrap_or(0);
            let heading = HEADINGS.get(column).map_or(0, |heading| length(heading));
            // A column without anything in it is left out.
            if widest == 0 { 0 } else { widest.max(heading) }
        })
        .collect();
    let line = |cells: [&str; COLUMNS]| {
        let cells = cells.iter().zip(&widths).enumerate().filter(|(_, (_, width))| **width > 0);
        cells.fold(String::new(), |line, (column, (cell, width))| match column {
            column if column < NUMBERS => format!("{line} {cell:<width$}"),
            _ => format!("{line}  {cell:>width$}"),
        })
    };
    let table = lead.saturating_add(length(&line([""; COLUMNS])));
    let width = page.style().width;
    if table > width {
        page.heading("Threads");
        rows.iter().for_each(|row| list(page, row));
    } else {
        let mut heading = format!("{:<lead$}{}", "Threads", line(HEADINGS));
        let waits = "  waits for";
        let room = width.saturating_sub(table);
        if room >= length(waits) && rows.iter().any(|row| !row.tail.is_empty()) {
            heading.push_str(waits);
        }
        page.heading(heading.trim_end());
        for row in &rows {
            let start = format!("{} {:<name$}", mark(row.thread), row.thread.name);
            let cells = line(row.cells.each_ref().map(String::as_str));
            tabulate(page, row, &start, cells.trim_end(), table);
        }
    }
    page.blank();
}

/// One row of a table whose columns take `table` of the page's width.
fn tabulate(page: &mut Page, row: &Row<'_>, start: &str, cells: &str, table: usize) {
    let room = page.style().width.saturating_sub(table).saturating_sub(2);
    let fits = row.tail.chars().count() <= room;
    if row.tail.is_empty() || !fits && room < NARROWEST {
        page.wrapped(start, ink(row.thread), cells);
        if !row.tail.is_empty() {
            page.wrapped(INDENT, Ink::Plain, &row.tail);
        }
    } else if fits {
        let pad = table.saturating_sub(start.chars().count());
        page.wrapped(start, ink(row.thread), &format!("{cells:<pad$}  {}", row.tail));
    } else {
        let lead = format!("{start}{cells}");
        page.wrapped(&format!("{lead:<table$}  "), Ink::Plain, &row.tail);
    }
}

/// A thread where the page is too narrow for a table.
fn list(page: &mut Page, row: &Row<'_>) {
    let thread = row.thread;
    let start = format!("{} {} ", mark(thread), thread.name);
    page.wrapped(&start, ink(thread), &thread.state);
    let priority = Some(priority(thread)).filter(|text| !text.is_empty());
    let priority = priority.map(|text| format!("prio {text}"));
    let stack = thread.stack.as_ref().map(|stack| {
        let high = stack.high_water.map_or(String::new(), |high| format!(" (max {high})"));
        format!("stack {} of {}{high}", used(stack), stack.size)
    });
    let tail = Some(row.tail.clone()).filter(|tail| !tail.is_empty());
    for text in priority.into_iter().chain(stack).chain(tail) {
        page.wrapped(INDENT, Ink::Plain, &text);
    }
}

fn row(thread: &Thread) -> Row<'_> {
    let stack = thread.stack.as_ref();
    let number = |value: Option<u32>| value.map_or(String::new(), |value| value.to_string());
    let overflowed = stack.is_some_and(|stack| stack.overflowed);
    let flag = overflowed.then(|| "stack OVERFLOWED".to_string());
    let tail: Vec<String> = flag.into_iter().chain(thread.waits_for.clone()).collect();
    Row {
        thread,
        cells: [
            thread.state.clone(),
            priority(thread),
            stack.map_or(String::new(), used),
            number(stack.and_then(|stack| stack.high_water)),
            number(stack.map(|stack| stack.size)),
        ],
        tail: tail.join(", "),
    }
}

/// `!` for the one that crashed, `*` for the one that had the CPU.
fn mark(thread: &Thread) -> char {
    match (thread.crashed, thread.current) {
        (true, _) => '!',
        (false, true) => '*',
        (false, false) => ' ',
    }
}

fn ink(thread: &Thread) -> Ink {
    if thread.crashed { Ink::Fault } else { Ink::Plain }
}

/// `7`, or `5 (7)` with the priority that is its own.
fn priority(thread: &Thread) -> String {
    let base = thread.base_priority.map_or(String::new(), |base| format!(" ({base})"));
    thread.priority.map_or(String::new(), |priority| format!("{priority}{base}"))
}

fn used(stack: &Stack) -> String {
    stack.used.map_or_else(|| "?".to_string(), |used| used.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyze};
    use crate::report::{Hex32, Section, Style, render_section};
    use crate::snapshot::Snapshot;

    fn table(width: usize) -> String {
        let stack = |used, high_water, overflowed| {
            Some(Stack { start: Hex32(0x2000_0000), size: 1024, used, high_water, overflowed })
        };
        let crashed = Thread {
            name: "stack_hog".into(),
            state: "running".into(),
            priority: Some(9),
            crashed: true,
            stack: stack(Some(1100), Some(1024), true),
            ..Thread::default()
        };
        let waits = Thread {
            name: "sensor".into(),
            state: "pending".into(),
            priority: Some(-2),
            base_priority: Some(7),
            waits_for: Some("any of semaphore data_ready, signal done, message queue inbox".into()),
            stack: stack(None, Some(160), false),
            ..Thread::default()
        };
        let sleeps = Thread {
            name: "idle".into(),
            state: "sleeping".into(),
            waits_for: Some("sleep, 5 ms left".into()),
            ..Thread::default()
        };
        let empty = analyze(&Snapshot::default(), &[], &Options::default());
        let report = Report { threads: vec![crashed, waits, sleeps], ..empty };
        render_section(&report, Section::Threads, Style { width, ..Style::default() })
    }

    #[test]
    fn table_is_aligned_and_wraps_in_its_last_column() {
        let expected = "\
Threads     state       prio  stack   max  size  waits for
! stack_hog running        9   1100  1024  1024  stack OVERFLOWED
  sensor    pending   -2 (7)      ?   160  1024  any of semaphore data_ready, signal done, message
                                                 queue inbox
  idle      sleeping                             sleep, 5 ms left
";
        assert_eq!(table(100), expected);
    }

    #[test]
    fn what_has_no_room_stands_below_its_thread() {
        let expected = "\
Threads     state       prio  stack   max  size
! stack_hog running        9   1100  1024  1024
      stack OVERFLOWED
  sensor    pending   -2 (7)      ?   160  1024
      any of semaphore data_ready, signal done,
      message queue inbox
  idle      sleeping
      sleep, 5 ms left
";
        assert_eq!(table(50), expected);
    }

    #[test]
    fn narrow_page_lists_threads_and_loses_nothing() {
        let expected = "\
Threads
! stack_hog running
      prio 9
      stack 1100 of 1024 (max 1024)
      stack OVERFLOWED
  sensor pending
      prio -2 (7)
      stack ? of 1024 (max 160)
      any of semaphore data_ready,
      signal done, message queue inbox
  idle sleeping
      sleep, 5 ms left
";
        assert_eq!(table(40), expected);
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        for width in 36..160 {
            let text = table(width);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
            let words = |text: &str| text.replace("\n", " ").split_whitespace().count();
            // Headings, `prio` and `of` come and go.
            assert!(words(&text) >= 30, "{width}\n{text}");
        }
    }
}
