//! The help: the keys of the pane, the keys of all, the commands.

use super::super::keys::{self, Pane};
use super::super::state::State;
use super::super::theme::Role;
use super::super::update::usages;
use super::{fitted, ink, memory, plain, span};
use crate::report::Ink;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear};

fn lines(state: &State) -> Vec<Line<'static>> {
    let pane = state.pane();
    let mut lines = Vec::new();
    let own = keys::in_pane(pane).filter(|binding| !binding.panes.is_empty());
    let all = keys::in_pane(pane).filter(|binding| binding.panes.is_empty());
    let row = |binding: &keys::Binding| {
        Line::from(vec![
            span(state, Role::Key, &format!("  {:<12}", binding.shown)),
            plain(binding.help),
        ])
    };
    lines.push(Line::from(ink(state, Ink::Heading, "This pane")));
    lines.extend(own.map(row));
    lines.push(Line::default());
    lines.push(Line::from(ink(state, Ink::Heading, "Everywhere")));
    let reached = all.filter(|binding| keys::is_reached(binding, pane));
    lines.extend(reached.map(row));
    lines.push(Line::default());
    lines.push(Line::from(ink(state, Ink::Heading, "Commands (Tab completes)")));
    lines.extend(usages().map(|usage| Line::from(plain(&format!("  {usage}")))));
    if pane == Pane::Memory {
        lines.push(Line::default());
        lines.push(memory::legend(state));
    }
    lines
}

/// Draws the help over the screen, from `row` on.
pub(super) fn draw(state: &State, row: usize, area: Rect, frame: &mut Frame<'_>) {
    let lines = lines(state);
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).saturating_add(3);
    let width = u16::try_from(widest).unwrap_or(u16::MAX).min(area.width);
    let rows = u16::try_from(lines.len().saturating_add(2)).unwrap_or(u16::MAX);
    let height = rows.min(area.height);
    let place = Rect {
        x: area.x.saturating_add(area.width.saturating_sub(width) / 2),
        y: area.y.saturating_add(area.height.saturating_sub(height) / 2),
        width,
        height,
    };
    frame.render_widget(Clear, place);
    let more = if rows > height { "j k scroll, " } else { "" };
    let block = Block::bordered()
        .title(" Keys ")
        .title_bottom(format!(" {more}any other key closes "))
        .border_style(state.settings.theme.style(Role::Focus));
    let inner = block.inner(place);
    frame.render_widget(block, place);
    let first = row.min(lines.len().saturating_sub(usize::from(inner.height)));
    for (index, line) in lines.into_iter().skip(first).take(usize::from(inner.height)).enumerate() {
        let y = inner.y.saturating_add(u16::try_from(index).unwrap_or(u16::MAX));
        let place = Rect { y, height: 1, ..inner };
        frame.render_widget(fitted(line, inner.width), place.intersection(inner));
    }
}
