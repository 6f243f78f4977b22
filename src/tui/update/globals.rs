//! Globals and statics: searched, pinned, read when they come into sight.

use super::super::event::{Effect, Request};
use super::super::keys::{Action, Pane, Screen};
use super::super::state::{Globals, State};
use super::super::tree::{Forest, Path, Row, RowKind};
use super::values::{ask, described, on_value};
use super::{distance, remember};
use std::collections::BTreeSet;

/// A row of the list: part of a global that was read, or one that was not.
pub(in crate::tui) enum GlobalRow<'a> {
    Read(Row<'a>),
    Unread(usize),
}

/// Rows of each global that is open, by its number. Of a hundred thousand few are: every other one
/// has a row.
struct Heights(Vec<(usize, usize)>);

impl Heights {
    fn of(globals: &Globals) -> Heights {
        let roots = globals.nodes.roots();
        let nodes = roots.filter_map(|root| Some((root, globals.nodes.root(root)?)));
        let open = nodes.filter(|(_, node)| node.open);
        Heights(open.map(|(root, node)| (root, node.height())).collect())
    }

    fn of_root(&self, root: usize) -> usize {
        let found = self.0.binary_search_by_key(&root, |(open, _)| *open).ok();
        found.and_then(|index| self.0.get(index)).map_or(1, |(_, height)| *height)
    }
}

/// The rows from `skip` on, `limit` at most.
pub(in crate::tui) fn rows(globals: &Globals, skip: usize, limit: usize) -> Vec<GlobalRow<'_>> {
    let heights = Heights::of(globals);
    let mut shown = Vec::new();
    let mut skip = skip;
    for root in &globals.shown {
        if shown.len() >= limit {
            break;
        }
        let height = heights.of_root(*root);
        if skip >= height {
            skip = skip.saturating_sub(height);
            continue;
        }
        match globals.nodes.root(*root) {
            Some(node) => {
                let mut rows = Vec::new();
                let left = limit.saturating_sub(shown.len());
                node.rows(&mut vec![*root], &mut skip, left, &mut rows);
                shown.extend(rows.into_iter().map(GlobalRow::Read));
            }
            None => shown.push(GlobalRow::Unread(*root)),
        }
    }
    shown
}

pub(in crate::tui) fn count(globals: &Globals) -> usize {
    let heights = Heights::of(globals);
    if heights.0.is_empty() {
        return globals.shown.len();
    }
    let height = |root: &usize| heights.of_root(*root);
    globals.shown.iter().map(height).fold(0, usize::saturating_add)
}

pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    let height = state.height_of(Pane::Globals);
    if let Some(rows) = distance(action, count(&state.globals), height) {
        state.globals.cursor.move_by(rows);
        return;
    }
    let at = state.globals.cursor.at;
    let row = rows(&state.globals, at, 1).into_iter().next();
    let Some(GlobalRow::Read(row)) = row else { return };
    let (steps, opened, is_more) = described(&row);
    let path = |steps| Path { forest: Forest::Globals, steps };
    match action {
        Action::Left if !opened => {
            // Up to the value around it: above, so many rows as lie between.
            let around = steps.get(..steps.len().saturating_sub(1)).unwrap_or_default().to_vec();
            if around.is_empty() {
                return;
            }
            let is_around = |at: &usize| {
                let row = rows(&state.globals, *at, 1).into_iter().next();
                matches!(row, Some(GlobalRow::Read(row))
                    if row.steps == around && matches!(row.kind, RowKind::Value(_)))
            };
            if let Some(found) = (0..at).rev().find(is_around) {
                state.globals.cursor.at = found;
            }
        }
        Action::Open | Action::Left | Action::Right => {
            if action == Action::Right && opened && !is_more {
                state.globals.cursor.move_by(1);
                return;
            }
            let wanted = match is_more {
                true => state.globals.nodes.more(&steps),
                false => state.globals.nodes.toggle(&steps),
            };
            ask(path(steps), wanted, effects);
        }
        Action::Chain | Action::ToMemory => on_value(state, path(steps), action, effects),
        Action::Pin => {
            if let Some(root) = steps.first().copied() {
                pin(state, root);
                remember(state, effects);
            }
        }
        _ => {}
    }
}

/// Pins global number `root` to the top, or unpins it; the cursor stays on it.
fn pin(state: &mut State, root: usize) {
    let Some(global) = state.named.as_ref().and_then(|named| named.globals.get(root)) else {
        return;
    };
    let name = global.name.clone();
    let pins = &mut state.settings.pins;
    match pins.iter().position(|pin| *pin == name) {
        Some(index) => {
            pins.remove(index);
            state.tell(format!("unpinned {name}"));
        }
        None => {
            pins.push(name.clone());
            state.tell(format!("pinned {name}"));
        }
    }
    list(state);
}

/// Makes the list anew: the pinned ones, then what the query means.
pub(super) fn list(state: &mut State) {
    let globals = state.named.as_ref().map_or(&[][..], |named| &named.globals);
    let pins = state.settings.pins.iter();
    let pinned: Vec<usize> = pins
        .filter_map(|pin| globals.binary_search_by(|global| global.name.as_str().cmp(pin)).ok())
        .collect();
    let known: BTreeSet<usize> = pinned.iter().copied().collect();
    let rest = state.globals.matches.iter().copied().filter(|index| !known.contains(index));
    state.globals.shown = pinned.iter().copied().chain(rest).collect();
}

/// Searches for `query`; an empty one means all.
pub(super) fn search(state: &mut State, query: &str, effects: &mut Vec<Effect>) {
    state.globals.query = query.to_string();
    state.globals.cursor = Default::default();
    if query.trim().is_empty() {
        let count = state.named.as_ref().map_or(0, |named| named.globals.len());
        state.globals.matches = (0..count).collect();
        list(state);
    } else {
        effects.push(Effect::Ask(Request::Filter(query.to_string())));
    }
}

/// Asks for the values that are in sight.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    if state.screen != Screen::Globals {
        return;
    }
    let height = state.height_of(Pane::Globals);
    let all = count(&state.globals);
    state.globals.cursor.settle(all, height);
    let in_sight = rows(&state.globals, state.globals.cursor.top, height);
    let unread: Vec<usize> = in_sight
        .iter()
        .filter_map(|row| match row {
            GlobalRow::Unread(root) if !state.globals.asked.contains(root) => Some(*root),
            _ => None,
        })
        .collect();
    if !unread.is_empty() {
        state.globals.asked.extend(&unread);
        effects.push(Effect::Ask(Request::Globals(unread)));
    }
}
