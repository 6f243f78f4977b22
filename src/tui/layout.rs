//! Where everything stands on the screen.

use super::keys::{Pane, Screen};
use super::state::State;
use ratatui::layout::{Constraint, Layout, Rect};

/// Rows and columns below which only the pane with the keys is shown.
const NARROW: u16 = 56;
const LOW: u16 = 16;

/// The line of tabs, the body and the bottom line.
pub(super) fn screen(area: Rect) -> [Rect; 3] {
    Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(area)
}

/// The panes of the screen that are shown, each with its place.
pub(super) fn panes(state: &State) -> Vec<(Pane, Rect)> {
    let [_, body, _] = screen(state.area);
    let alone = state.zoomed || body.width < NARROW || body.height < LOW;
    if state.screen != Screen::Threads || alone {
        return vec![(state.pane(), body)];
    }
    let split = state.settings.split.clamp(20, 80);
    let [left, right] = Layout::horizontal([Constraint::Percentage(split), Constraint::Min(0)])
        .spacing(1)
        .areas(body);
    let [threads, source] =
        Layout::vertical([Constraint::Percentage(62), Constraint::Min(0)]).areas(left);
    let [variables, registers] =
        Layout::vertical([Constraint::Percentage(62), Constraint::Min(0)]).areas(right);
    vec![
        (Pane::Threads, threads),
        (Pane::Variables, variables),
        (Pane::Registers, registers),
        (Pane::Source, source),
    ]
}

/// What is left of a pane for its rows: under its title, and above its detail line where it has one.
pub(super) fn inner(pane: Pane, area: Rect) -> Rect {
    let detail = u16::from(has_detail(pane) && area.height > 4);
    Rect {
        y: area.y.saturating_add(1).min(area.bottom()),
        height: area.height.saturating_sub(1).saturating_sub(detail),
        ..area
    }
}

/// The line at the bottom of a pane that tells more of the row with the cursor.
pub(super) fn detail(pane: Pane, area: Rect) -> Option<Rect> {
    let shown = has_detail(pane) && area.height > 4;
    shown.then(|| Rect { y: area.bottom().saturating_sub(1), height: 1, ..area })
}

fn has_detail(pane: Pane) -> bool {
    !matches!(pane, Pane::Text | Pane::Registers | Pane::Source)
}
