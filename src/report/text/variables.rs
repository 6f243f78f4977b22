//! Variables: in one line, and as trees.

use super::super::{Report, Status, Variable};
use super::paint::{Ink, Page};

/// Fewer equal elements than this are written out.
const FEWEST_REPEATS: u64 = 4;
/// Longest text of an aggregate in one line, in characters.
const BRIEF: usize = 60;

/// `name=value`, with aggregates cut short.
pub(super) fn brief(variable: &Variable) -> String {
    format!("{}={}", variable.name, shorten(&inline(variable), BRIEF))
}

/// Every global and static.
pub(super) fn globals(page: &mut Page, report: &Report) {
    if report.globals.is_empty() {
        return;
    }
    page.heading("Globals");
    for variable in &report.globals {
        tree(page, variable, 2);
    }
    page.blank();
}

/// `type name = value`; aggregates that do not fit a line go over several.
pub(super) fn tree(page: &mut Page, variable: &Variable, indent: usize) {
    let lead = format!("{:indent$}{} = ", "", variable.name);
    let room = page.style().width.saturating_sub(lead.chars().count());
    let value = inline(variable);
    let fits = value.chars().count() <= room.max(20);
    let is_flat = variable.children.iter().all(|child| child.children.is_empty());
    if variable.children.is_empty()
        || variable.summary.is_some()
        || fits
        || (is_array(variable) && is_flat)
    {
        page.wrapped(&lead, ink(variable), &value);
        return;
    }
    page.wrapped(&lead, Ink::Dim, &format!("({})", variable.type_name));
    for child in &variable.children {
        tree(page, child, indent.saturating_add(2));
        if let Some(repeats) = child.repeats {
            let lead = format!("{:1$}", "", indent.saturating_add(2));
            page.wrapped(&lead, Ink::Dim, &format!("<repeats {repeats} times>"));
        }
    }
    if let Some(omitted) = variable.omitted {
        page.wrapped(
            &format!("{:1$}", "", indent.saturating_add(2)),
            Ink::Dim,
            &format!("… {omitted} more"),
        );
    }
}

fn ink(variable: &Variable) -> Ink {
    if variable.status == Status::Ok { Ink::Plain } else { Ink::Dim }
}

/// The value on one line: `{x = 1, y = {2, 3}}`.
fn inline(variable: &Variable) -> String {
    if variable.status != Status::Ok {
        return variable.status.text().to_string();
    }
    if let Some(value) = variable.value.as_ref().or(variable.summary.as_ref()) {
        return value.clone();
    }
    let texts = variable.children.iter().map(|child| {
        let text = if child.name.is_empty() || child.name.starts_with('[') {
            inline(child)
        } else {
            format!("{} = {}", child.name, inline(child))
        };
        (text, child.repeats.unwrap_or(1))
    });
    let mut parts =
        if is_array(variable) { counted(texts) } else { texts.map(|(text, _)| text).collect() };
    if let Some(omitted) = variable.omitted {
        parts.push(format!("… {omitted} more"));
    }
    format!("{{{}}}", parts.join(", "))
}

fn is_array(variable: &Variable) -> bool {
    variable.children.first().is_some_and(|child| child.name.starts_with('['))
}

/// Equal neighbours are counted, as GDB does.
fn counted(texts: impl Iterator<Item = (String, u64)>) -> Vec<String> {
    let mut runs: Vec<(String, u64)> = Vec::new();
    for (text, repeats) in texts {
        match runs.last_mut() {
            Some((last, count)) if *last == text => *count = count.saturating_add(repeats),
            _ => runs.push((text, repeats)),
        }
    }
    let mut parts = Vec::new();
    for (text, count) in runs {
        if count >= FEWEST_REPEATS {
            parts.push(format!("{text} <repeats {count} times>"));
        } else {
            parts.extend((0..count).map(|_| text.clone()));
        }
    }
    parts
}

fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_string();
    }
    let cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{cut}…")
}
