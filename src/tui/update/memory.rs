//! The memory screen: the cursor, words, pointers, bookmarks, what differs.

use super::super::event::{Effect, Request};
use super::super::keys::{Action, Pane, Screen};
use super::super::memory::{MemoryRow, Rows, word};
use super::super::state::State;
use super::{distance, navigate, remember};
use crate::base::Address;
use crate::base::Memory as _;

/// Columns from which a row has sixteen bytes.
const WIDE: u16 = 76;
/// Bytes of a word, in the order of the key.
pub(super) const WORDS: [u32; 4] = [1, 2, 4, 8];

pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    let height = state.height_of(Pane::Memory);
    let pane = &state.memory;
    let (count, width) = (pane.rows.len(), i64::from(pane.rows.width()));
    let step = i64::from(state.settings.word);
    if let Some(rows) = distance(action, count, height) {
        match action {
            Action::First | Action::Last => {
                let row = if action == Action::First { 0 } else { count.saturating_sub(1) };
                let at = match pane.rows.get(row) {
                    Some(MemoryRow::Bytes(at)) => at,
                    _ => return,
                };
                let at = if action == Action::Last {
                    at.wrapping_add(width.saturating_sub(step))
                } else {
                    at
                };
                place(state, at);
            }
            _ => move_rows(state, rows),
        }
        return;
    }
    let at = pane.cursor;
    match action {
        Action::Left => move_to(state, at.0.checked_sub(state.settings.word).map(Address), false),
        Action::Right => move_to(state, at.checked_add(state.settings.word), true),
        Action::Open => {
            let pointer = state.loaded.as_ref().and_then(|loaded| loaded.memory.read_u32(at).ok());
            match pointer {
                Some(pointer) => navigate::to_address(state, Address(pointer)),
                None => state.complain(format!("the word at {at} is not held whole")),
            }
        }
        Action::ToCode => navigate::to_code(state, at),
        Action::WordSize => {
            let index = WORDS.iter().position(|size| *size == state.settings.word).unwrap_or(0);
            state.settings.word = *WORDS.get(index.saturating_add(1)).unwrap_or(&1);
            place(state, at);
            remember(state, effects);
        }
        Action::Endian => {
            state.memory.big = !state.memory.big;
            state.tell(if state.memory.big { "big end first" } else { "little end first" });
        }
        Action::Mark => {
            if state.memory.marks.remove(&at) {
                state.tell(format!("bookmark at {at} removed"));
            } else {
                state.memory.marks.insert(at);
                state.tell(format!("bookmark at {at}; ' goes to the next"));
            }
        }
        Action::NextMark => {
            let marks = &state.memory.marks;
            let next = marks.iter().find(|mark| **mark > at).or(marks.first()).copied();
            match next {
                Some(mark) => navigate::to_memory(state, mark),
                None => state.complain("no bookmarks: m sets one"),
            }
        }
        Action::NextChange | Action::PreviousChange => {
            change(state, action == Action::NextChange);
        }
        Action::NextFound | Action::PreviousFound => found(state, action == Action::NextFound),
        _ => {}
    }
}

/// Moves by rows, over a gap in one step.
fn move_rows(state: &mut State, by: isize) {
    let rows = &state.memory.rows;
    let last = rows.len().saturating_sub(1);
    let here = rows.of(state.memory.cursor);
    let mut row = here.saturating_add_signed(by).min(last);
    if matches!(rows.get(row), Some(MemoryRow::Gap(_))) {
        row = row.saturating_add_signed(by.signum()).min(last);
    }
    if let Some(MemoryRow::Bytes(at)) = rows.get(row) {
        let column = state.memory.cursor.0 & rows.width().saturating_sub(1);
        let wanted = Address(at.0 | column);
        // The first and the last row of a run are not full.
        let nearest = rows.nearest(wanted);
        place(state, if rows.of(nearest) == row { nearest } else { at });
    }
}

/// Moves to a neighbour, over gaps to what is held next.
fn move_to(state: &mut State, at: Option<Address>, forward: bool) {
    let Some(at) = at else { return };
    let row = state.memory.rows.of(at);
    if let Some(MemoryRow::Gap(gap)) = state.memory.rows.get(row) {
        let behind = u32::try_from(gap.end()).ok().map(Address);
        let before = gap.start().checked_sub(state.settings.word);
        if let Some(next) = if forward { behind } else { before } {
            place(state, next);
        }
        return;
    }
    place(state, at);
}

/// Puts the cursor on the word at `at`, or on the nearest that is held.
pub(super) fn place(state: &mut State, at: Address) {
    let aligned = Address(at.0 & !state.settings.word.saturating_sub(1));
    let nearest = state.memory.rows.nearest(aligned);
    state.memory.cursor = nearest;
}

/// Goes to the next run of bytes that differ from the other dump.
fn change(state: &mut State, forward: bool) {
    let at = state.memory.cursor;
    let starts = state.memory.changes.iter().map(|range| range.start());
    let next = match forward {
        true => starts.clone().find(|start| *start > at).or(starts.clone().next()),
        false => starts.clone().rev().find(|start| *start < at).or(starts.clone().next_back()),
    };
    let compared = state.loaded.as_ref().is_some_and(|loaded| loaded.other.is_some());
    match next {
        Some(start) => place(state, start),
        None if compared => state.complain("the memory of both dumps is the same"),
        None => {
            state.complain("nothing to compare with: start with --diff OTHER, or read again with r")
        }
    }
}

/// Goes to the next place that the search found.
fn found(state: &mut State, forward: bool) {
    let at = state.memory.cursor;
    let starts = state.memory.found.iter().map(|found| found.start);
    let next = match forward {
        true => starts.clone().find(|start| *start > at).or(starts.clone().next()),
        false => starts.clone().rev().find(|start| *start < at).or(starts.clone().next_back()),
    };
    let Some(start) = next else {
        state.complain("nothing was searched for: / searches");
        return;
    };
    let number = starts.clone().position(|known| known == start).unwrap_or(0).saturating_add(1);
    let (count, pattern) = (state.memory.found.len(), state.memory.pattern.clone());
    navigate::to_memory(state, start);
    // The word that holds the first byte may begin before it.
    state.tell(format!("`{pattern}` at {start}, {number} of {count}"));
}

/// The search came back.
pub(super) fn show_found(state: &mut State) {
    if state.screen != Screen::Memory {
        navigate::leave(state);
        state.screen = Screen::Memory;
        state.focus = 0;
    }
    let here = state.memory.cursor;
    let stands = state.memory.found.iter().any(|found| found.start == here);
    if stands {
        let count = state.memory.found.len();
        state.tell(format!("`{}` is here; {count} in all", state.memory.pattern));
    } else {
        found(state, true);
    }
}

/// The number under the cursor.
pub(in crate::tui) fn value(state: &State) -> Option<u64> {
    let memory = &state.loaded.as_ref()?.memory;
    word(memory, state.memory.cursor, state.settings.word, state.memory.big)
}

/// Fits the rows to the width, keeps the cursor in sight, and asks for its name.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(loaded) = &state.loaded else { return };
    let width = if state.area.width >= WIDE { 16 } else { 8 };
    if state.memory.rows.width() != width {
        state.memory.rows = Rows::new(&loaded.memory, width);
        state.memory.cursor = state.memory.rows.nearest(state.memory.cursor);
    }
    if state.screen != Screen::Memory {
        return;
    }
    let height = state.height_of(Pane::Memory).max(1);
    let pane = &mut state.memory;
    let row = pane.rows.of(pane.cursor);
    let last = pane.rows.len().saturating_sub(height);
    let end = pane.top.saturating_add(height);
    // A step scrolls by a row; a jump leaves some rows above.
    pane.top = match row {
        row if row.saturating_add(1) == pane.top => row,
        row if row == end => pane.top.saturating_add(1),
        row if row < pane.top || row > end => row.saturating_sub(height / 3),
        _ => pane.top,
    }
    .min(last);
    let cursor = pane.cursor;
    if pane.name.as_ref().is_none_or(|(at, _)| *at != cursor) && state.named.is_some() {
        state.memory.name = Some((cursor, None));
        effects.push(Effect::Ask(Request::Name(cursor)));
    }
}
