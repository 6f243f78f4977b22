//! Going where something points, and back.

use super::super::document::Target;
use super::super::event::{Effect, Request};
use super::super::keys::Screen;
use super::super::state::{Cursor, Spot, State};
use super::{memory, threads};
use crate::base::Address;
use crate::report::Thread;

/// Places that are remembered.
const MOST_SPOTS: usize = 256;

/// Remembers where the reader is, because he goes somewhere else.
pub(super) fn leave(state: &mut State) {
    let spot = here(state);
    if state.back.last() != Some(&spot) {
        state.back.push(spot);
    }
    if state.back.len() > MOST_SPOTS {
        state.back.remove(0);
    }
    state.forward.clear();
}

fn here(state: &State) -> Spot {
    let row = match state.screen {
        Screen::Globals => state.globals.cursor.at,
        Screen::Code => state.code.cursor.at,
        Screen::Threads => state.variables.cursor.at,
        screen => state.documents.get(&screen).map_or(0, |document| document.cursor.at),
    };
    Spot {
        screen: state.screen,
        focus: state.focus,
        thread: state.threads.cursor.at,
        memory: state.memory.cursor,
        code: state.code.at,
        row,
    }
}

fn go_to(state: &mut State, spot: Spot) {
    state.screen = spot.screen;
    state.focus = spot.focus;
    state.threads.cursor.at = spot.thread;
    memory::place(state, spot.memory);
    if state.code.at != spot.code {
        state.code = super::super::state::Code { at: spot.code, ..Default::default() };
    }
    match spot.screen {
        Screen::Globals => state.globals.cursor.at = spot.row,
        Screen::Code => state.code.cursor.at = spot.row,
        Screen::Threads => state.variables.cursor.at = spot.row,
        screen => {
            if let Some(document) = state.documents.get_mut(&screen) {
                document.cursor = Cursor { at: spot.row, top: document.cursor.top };
            }
        }
    }
}

pub(super) fn back(state: &mut State) {
    match state.back.pop() {
        Some(spot) => {
            state.forward.push(here(state));
            go_to(state, spot);
        }
        None => state.complain("this is where you began"),
    }
}

pub(super) fn forward(state: &mut State) {
    match state.forward.pop() {
        Some(spot) => {
            state.back.push(here(state));
            go_to(state, spot);
        }
        None => state.complain("you have not gone back"),
    }
}

/// Goes where `target` points.
pub(super) fn follow(state: &mut State, target: Target, effects: &mut Vec<Effect>) {
    match target {
        Target::Address(at) => to_address(state, at),
        Target::Symbol(name) => effects.push(ask_address(state, name)),
        Target::Frame(frame) => {
            let blamed = blamed(state.report_threads());
            leave(state);
            threads::select(state, blamed, usize::try_from(frame).ok());
        }
        Target::Thread(thread) => {
            leave(state);
            threads::select(state, thread, None);
        }
    }
}

/// The thread that crashed, else the one that ran, else the first.
pub(super) fn blamed(threads: &[Thread]) -> usize {
    let crashed = threads.iter().position(|thread| thread.crashed);
    crashed.or(threads.iter().position(|thread| thread.current)).unwrap_or(0)
}

/// Asks what `text` means, to go there.
pub(super) fn ask_address(state: &State, text: String) -> Effect {
    let registers = state.frame_registers().cloned().unwrap_or_default();
    Effect::Ask(Request::Goto(text, registers))
}

/// Goes to `at`: code is disassembled, anything else is shown as memory.
pub(super) fn to_address(state: &mut State, at: Address) {
    if is_function(state, at) { to_code(state, at) } else { to_memory(state, at) }
}

/// Whether a function owns `at`.
pub(super) fn is_function(state: &State, at: Address) -> bool {
    use crate::analysis::inspector::OwnerKind;
    let owner = state.named.as_ref().and_then(|named| named.owners.at(at.without_thumb_bit()));
    owner.is_some_and(|owner| owner.kind == OwnerKind::Function)
}

pub(super) fn to_memory(state: &mut State, at: Address) {
    let held = state.loaded.as_ref().is_some_and(|loaded| loaded.memory.contains(at));
    if !held {
        state.complain(format!("{at} is not captured, and the ELF does not hold it"));
        return;
    }
    leave(state);
    state.screen = Screen::Memory;
    state.focus = 0;
    memory::place(state, at);
}

pub(super) fn to_code(state: &mut State, at: Address) {
    leave(state);
    state.screen = Screen::Code;
    state.focus = 0;
    super::code::look_at(state, at.without_thumb_bit());
}
