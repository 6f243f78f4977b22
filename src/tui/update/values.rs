//! Arguments, locals and registers of the selected frame.

use super::super::event::{Effect, Request};
use super::super::keys::{Action, Pane, Screen};
use super::super::state::{BASES, State, Variables};
use super::super::tree::{Forest, Nodes, Path, Row, RowKind, Wanted};
use super::{distance, navigate};
use crate::base::Address;

/// The rows of the frame's variables.
pub(in crate::tui) fn rows(nodes: &Nodes, skip: usize, limit: usize) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut skip = skip;
    for root in nodes.roots() {
        if rows.len() >= limit {
            break;
        }
        if let Some(node) = nodes.root(root) {
            node.rows(&mut vec![root], &mut skip, limit, &mut rows);
        }
    }
    rows
}

fn count(nodes: &Nodes) -> usize {
    let heights = nodes.roots().filter_map(|root| nodes.root(root)).map(|node| node.height());
    heights.fold(0, usize::saturating_add)
}

pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    let height = state.height_of(Pane::Variables);
    if let Some(rows) = distance(action, count(&state.variables.nodes), height) {
        state.variables.cursor.move_by(rows);
        return;
    }
    let nodes = &state.variables.nodes;
    let Some(row) = rows(nodes, state.variables.cursor.at, 1).into_iter().next() else { return };
    let (steps, opened, is_more) = described(&row);
    match action {
        Action::Left if !opened => {
            // Up to the value around it.
            let around = steps.get(..steps.len().saturating_sub(1)).unwrap_or_default().to_vec();
            let all = rows(nodes, 0, state.variables.cursor.at);
            if let Some(at) = all.iter().rposition(|row| row.steps == around) {
                state.variables.cursor.at = at;
            }
        }
        Action::Open | Action::Left | Action::Right => {
            if action == Action::Right && opened && !is_more {
                state.variables.cursor.move_by(1);
                return;
            }
            let wanted = match is_more {
                true => state.variables.nodes.more(&steps),
                false => state.variables.nodes.toggle(&steps),
            };
            ask(Path { forest: Forest::Frame, steps }, wanted, effects);
        }
        Action::Chain | Action::ToMemory => {
            let path = Path { forest: Forest::Frame, steps };
            on_value(state, path, action, effects);
        }
        _ => {}
    }
}

/// The way of a row, whether it is an open value, and whether it stands for more parts.
pub(super) fn described(row: &Row<'_>) -> (Vec<usize>, bool, bool) {
    let opened = matches!(row.kind, RowKind::Value(node) if node.open);
    (row.steps.clone(), opened, matches!(row.kind, RowKind::More(_)))
}

/// Asks for what opening a row wants.
pub(super) fn ask(path: Path, wanted: Wanted, effects: &mut Vec<Effect>) {
    if let Wanted::Parts(part, from) = wanted {
        effects.push(Effect::Ask(Request::Children(path, part, from)));
    }
}

/// Follows a list, or shows the memory of a value, or what it points to.
pub(super) fn on_value(state: &mut State, path: Path, action: Action, effects: &mut Vec<Effect>) {
    let nodes = match path.forest {
        Forest::Frame => &state.variables.nodes,
        Forest::Globals => &state.globals.nodes,
    };
    let Some(item) = nodes.at(&path.steps).map(|node| &node.item) else { return };
    let (part, address, target) = (item.part.clone(), item.address, item.target);
    match (action, part) {
        (Action::Chain, Some(part)) => effects.push(Effect::Ask(Request::Chain(path, part))),
        (Action::Chain, None) => state.complain("this value leads to no list"),
        _ => match address.or(target) {
            Some(at) => navigate::to_memory(state, at),
            None => state.complain("this value is not in memory"),
        },
    }
}

pub(super) fn act_on_registers(state: &mut State, action: Action) {
    let height = state.height_of(Pane::Registers);
    let all = state.frame_registers().map_or(0, |registers| registers.0.len());
    if let Some(rows) = distance(action, all, height) {
        state.variables.registers.move_by(rows);
        return;
    }
    let at = state.variables.registers.at;
    let value = state.frame_registers().and_then(|registers| registers.0.get(at));
    let Some(value) = value.map(|(_, value)| Address(value.0)) else { return };
    match action {
        Action::Open => navigate::to_address(state, value),
        Action::ToMemory => navigate::to_memory(state, value),
        _ => {}
    }
}

pub(super) fn next_base(state: &mut State) {
    let at = BASES.iter().position(|(_, base)| *base == state.settings.base).unwrap_or(0);
    if let Some((name, base)) = BASES.get(at.saturating_add(1)).or(BASES.first()) {
        state.settings.base = *base;
        state.tell(format!("numbers: {name}"));
    }
}

/// Asks for the variables of the frame that is selected.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    if state.screen == Screen::Threads {
        let wanted =
            state.selected().and_then(|(thread, frame)| Some((thread.id.clone(), frame?.index)));
        if wanted != state.variables.of {
            if let Some((thread, frame)) = wanted.clone() {
                effects.push(Effect::Ask(Request::Variables { thread, frame }));
            }
            let registers = state.variables.registers;
            state.variables = Variables { of: wanted, registers, ..Variables::default() };
            state.sources.offset = 0;
        }
    }
    let height = state.height_of(Pane::Variables);
    let rows = count(&state.variables.nodes);
    state.variables.cursor.settle(rows, height);
    let height = state.height_of(Pane::Registers);
    let rows = state.frame_registers().map_or(0, |registers| registers.0.len());
    state.variables.registers.settle(rows, height);
}
