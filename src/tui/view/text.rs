//! Text panes.

use super::super::document::Line as Text;
use super::super::state::State;
use super::super::theme::Role;
use super::span;
use crate::report::printable;
use ratatui::text::{Line, Span};

pub(super) fn rows(state: &State, first: usize, count: usize) -> Vec<Line<'static>> {
    let Some(document) = state.documents.get(&state.screen) else { return Vec::new() };
    let lines = document.lines.iter().enumerate().skip(first).take(count);
    let chosen = |row: usize| (row == document.cursor.at).then_some(document.link);
    lines.map(|(row, text)| row_of(state, text, chosen(row))).collect()
}

/// A line; of the one with the cursor the chosen link stands out.
fn row_of(state: &State, text: &Text, chosen: Option<usize>) -> Line<'static> {
    let link = chosen.and_then(|chosen| text.links.get(chosen));
    let mut line = Line::default();
    let mut column = 0_usize;
    for part in &text.spans {
        let style = state.settings.theme.style(Role::Ink(part.ink));
        let Some(link) = link else {
            line.push_span(Span::styled(printable(&part.text), style));
            continue;
        };
        // Before, in and behind the link.
        let count = part.text.chars().count();
        let local = |at: usize| at.saturating_sub(column).min(count);
        let (start, end) = (local(link.start), local(link.end));
        let piece = |from: usize, to: usize| -> String {
            part.text.chars().skip(from).take(to.saturating_sub(from)).collect()
        };
        line.push_span(Span::styled(printable(&piece(0, start)), style));
        line.push_span(span(state, Role::Link, &piece(start, end)));
        line.push_span(Span::styled(printable(&piece(end, count)), style));
        column = column.saturating_add(count);
    }
    line
}
