//! The source around the line of the selected frame.

use super::super::state::State;
use super::super::theme::Role;
use super::{ink, plain, span};
use crate::report::Ink;
use ratatui::text::Line;

/// Columns of a tab.
const TAB: &str = "    ";

/// The file and the line of the selected frame.
fn place(state: &State) -> Option<(&str, Option<u32>)> {
    let (_, frame) = state.selected()?;
    let frame = frame?;
    Some((frame.file.as_deref()?, frame.line))
}

fn lines(state: &State) -> Option<&Vec<String>> {
    let (path, _) = place(state)?;
    state.sources.texts.get(path)?.as_ref()?.as_ref().ok()
}

pub(super) fn title(state: &State) -> String {
    match place(state) {
        Some((path, line)) => {
            let line = line.map_or(String::new(), |line| format!(":{line}"));
            format!("{path}{line}")
        }
        None => "Source".to_string(),
    }
}

pub(super) fn count(state: &State) -> usize {
    lines(state).map_or(0, Vec::len)
}

/// The row at the top, so that the line of the frame stands in the middle.
pub(super) fn first(state: &State) -> usize {
    let line = place(state).and_then(|(_, line)| line).unwrap_or(1);
    let height = state.height_of(super::super::keys::Pane::Source);
    let middle = usize::try_from(line).unwrap_or(1).saturating_sub(1).saturating_sub(height / 2);
    let last = count(state).saturating_sub(height);
    middle.saturating_add_signed(state.sources.offset).min(last)
}

pub(super) fn rows(state: &State, first: usize, count: usize) -> Vec<Line<'static>> {
    let Some((path, at)) = place(state) else {
        let text = "no source line is known here";
        return vec![Line::from(ink(state, Ink::Dim, text))];
    };
    let text = match state.sources.texts.get(path) {
        Some(Some(Ok(text))) => text,
        Some(Some(Err(error))) => {
            let lines = [error.as_str(), "--source-map FROM=TO tells where it is"];
            return lines.iter().map(|text| Line::from(ink(state, Ink::Dim, text))).collect();
        }
        _ => return vec![Line::from(ink(state, Ink::Dim, "reading …"))],
    };
    let shown = text.iter().enumerate().skip(first).take(count);
    let lines = shown.map(|(index, text)| {
        let number = index.saturating_add(1);
        let current = at.is_some_and(|at| usize::try_from(at) == Ok(number));
        let mark = if current { "=>" } else { "  " };
        let text = text.replace('\t', TAB);
        let number = format!("{mark}{number:>5} ");
        match current {
            true => Line::from(vec![
                span(state, Role::Ink(Ink::Fault), &number),
                span(state, Role::Ink(Ink::Strong), &text),
            ]),
            false => Line::from(vec![ink(state, Ink::Dim, &number), plain(&text)]),
        }
    });
    lines.collect()
}
