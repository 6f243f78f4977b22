//! The mouse, where it is wanted: clicks choose a screen, a pane and a row, the wheel scrolls.

use super::super::event::Effect;
use super::super::keys::{Action, Pane};
use super::super::layout;
use super::super::state::State;
use super::super::view::tab_at;
use super::{act, show};
use crate::base::Address;
use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

/// Rows that a turn of the wheel scrolls.
const WHEEL: usize = 3;

pub(super) fn take(state: &mut State, mouse: MouseEvent, effects: &mut Vec<Effect>) {
    let at = Position { x: mouse.column, y: mouse.row };
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => click(state, at, effects),
        MouseEventKind::ScrollDown => wheel(state, at, Action::Down, effects),
        MouseEventKind::ScrollUp => wheel(state, at, Action::Up, effects),
        _ => {}
    }
}

/// Gives the keys to the pane at `at`.
fn focus(state: &mut State, at: Position) -> Option<(Pane, ratatui::layout::Rect)> {
    let found = layout::panes(state).into_iter().find(|(_, area)| area.contains(at))?;
    let panes = state.screen.panes();
    state.focus = panes.iter().position(|pane| *pane == found.0).unwrap_or(state.focus);
    Some(found)
}

fn wheel(state: &mut State, at: Position, action: Action, effects: &mut Vec<Effect>) {
    if focus(state, at).is_some() {
        for _ in 0..WHEEL {
            act(state, action, effects);
        }
    }
}

fn click(state: &mut State, at: Position, effects: &mut Vec<Effect>) {
    let [tabs, _, _] = layout::screen(state.area);
    if tabs.contains(at) {
        if let Some(screen) = tab_at(state, at.x) {
            show(state, screen);
        }
        return;
    }
    let Some((pane, area)) = focus(state, at) else { return };
    let inner = layout::inner(pane, area);
    let Some(row) = at.y.checked_sub(inner.y).filter(|_| inner.contains(at)).map(usize::from)
    else {
        return;
    };
    let cursor = match pane {
        Pane::Text => state.documents.get_mut(&state.screen).map(|document| &mut document.cursor),
        Pane::Threads => Some(&mut state.threads.cursor),
        Pane::Variables => Some(&mut state.variables.cursor),
        Pane::Registers => Some(&mut state.variables.registers),
        Pane::Globals => Some(&mut state.globals.cursor),
        Pane::Code => Some(&mut state.code.cursor),
        Pane::Source => None,
        Pane::Memory => {
            use super::super::memory::MemoryRow;
            let row = state.memory.rows.get(state.memory.top.saturating_add(row));
            if let Some(MemoryRow::Bytes(at)) = row {
                super::memory::place(state, Address(at.0));
            }
            None
        }
    };
    let Some(cursor) = cursor else { return };
    let clicked = cursor.top.saturating_add(row);
    // A click on the row of the cursor opens it.
    if clicked == cursor.at {
        act(state, Action::Open, effects);
    } else {
        cursor.at = clicked;
    }
}
