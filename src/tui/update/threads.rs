//! The list of threads and their frames.

use super::super::keys::{Action, Pane, Screen};
use super::super::state::{SORTS, Sort, State, ThreadRow};
use super::{distance, navigate};
use crate::base::Address;
use crate::report::Thread;

pub(super) fn act(state: &mut State, action: Action) {
    let height = state.height_of(Pane::Threads);
    if let Some(rows) = distance(action, state.threads.rows.len(), height) {
        state.threads.cursor.move_by(rows);
        return;
    }
    let Some(row) = state.threads.rows.get(state.threads.cursor.at).copied() else { return };
    match action {
        Action::Open if row.frame.is_some() => {
            // The frame's variables are beside it.
            state.focus = 1;
        }
        Action::Open => {
            if !state.threads.open.remove(&row.thread) {
                state.threads.open.insert(row.thread);
            }
            list(state);
        }
        Action::Right if row.frame.is_none() => {
            state.threads.open.insert(row.thread);
            list(state);
        }
        Action::Left => {
            state.threads.open.remove(&row.thread);
            list(state);
            select_row(state, ThreadRow { frame: None, ..row });
        }
        Action::Sort => {
            let at = SORTS.iter().position(|(_, sort)| *sort == state.threads.sort).unwrap_or(0);
            let next = SORTS.get(at.saturating_add(1)).or(SORTS.first());
            if let Some((name, sort)) = next {
                set_sort(state, *sort);
                state.tell(format!("sorted by: {name}"));
            }
        }
        Action::ToCode => show_code(state),
        Action::ToMemory => {
            let sp = state.selected().and_then(|(_, frame)| frame?.sp);
            match sp {
                Some(sp) => navigate::to_memory(state, Address(sp.0)),
                None => state.complain("the stack pointer of this frame is not known"),
            }
        }
        Action::NextFound | Action::PreviousFound => {
            let next = if action == Action::NextFound { Action::Down } else { Action::Up };
            act(state, next);
        }
        _ => {}
    }
}

/// Disassembles where the selected frame stands.
pub(super) fn show_code(state: &mut State) {
    let place = state.selected().and_then(|(_, frame)| {
        let frame = frame?;
        // Callers stand at their call, not behind it.
        let current = frame.disassembly.iter().find(|instruction| instruction.current);
        Some(Address(current.map_or(frame.pc.0, |instruction| instruction.address.0)))
    });
    match place {
        Some(pc) => navigate::to_code(state, pc),
        None => state.complain("this thread has no frames"),
    }
}

pub(super) fn set_sort(state: &mut State, sort: Sort) {
    let row = state.threads.rows.get(state.threads.cursor.at).copied();
    state.threads.sort = sort;
    list(state);
    if let Some(row) = row {
        select_row(state, row);
    }
}

/// Shows only threads whose name, state or wait holds `filter`.
pub(super) fn set_filter(state: &mut State, filter: &str) {
    state.threads.filter = filter.trim().to_lowercase();
    list(state);
    state.threads.cursor.at = 0;
    if state.threads.rows.is_empty() && !state.threads.filter.is_empty() {
        state.complain(format!("no thread has `{filter}` in its name, state or wait"));
    }
}

/// Shows the threads screen with a thread, or one of its frames.
pub(super) fn select(state: &mut State, thread: usize, frame: Option<usize>) {
    state.screen = Screen::Threads;
    state.focus = 0;
    state.threads.filter.clear();
    if frame.is_some() {
        state.threads.open.insert(thread);
    }
    list(state);
    select_row(state, ThreadRow { thread, frame });
}

fn select_row(state: &mut State, row: ThreadRow) {
    if let Some(at) = state.threads.rows.iter().position(|known| *known == row) {
        state.threads.cursor.at = at;
    }
}

/// Makes the rows anew.
pub(super) fn list(state: &mut State) {
    let threads = state.loaded.as_ref().map_or(&[][..], |loaded| &loaded.report.threads);
    let pane = &mut state.threads;
    let mut order: Vec<usize> = (0..threads.len())
        .filter(|index| threads.get(*index).is_some_and(|thread| passes(thread, &pane.filter)))
        .collect();
    let sort = pane.sort;
    order.sort_by(|a, b| {
        let (Some(a), Some(b)) = (threads.get(*a), threads.get(*b)) else {
            return std::cmp::Ordering::Equal;
        };
        match sort {
            Sort::Report => std::cmp::Ordering::Equal,
            Sort::Name => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
            Sort::Priority => {
                (a.priority.is_none(), a.priority).cmp(&(b.priority.is_none(), b.priority))
            }
            Sort::Stack => fullness(b).cmp(&fullness(a)),
            Sort::State => a.state.cmp(&b.state),
        }
    });
    pane.rows.clear();
    for thread in order {
        pane.rows.push(ThreadRow { thread, frame: None });
        if pane.open.contains(&thread) {
            let frames = threads.get(thread).map_or(0, |thread| thread.frames.len());
            pane.rows.extend((0..frames).map(|frame| ThreadRow { thread, frame: Some(frame) }));
        }
    }
}

fn passes(thread: &Thread, filter: &str) -> bool {
    let texts = [Some(&thread.name), Some(&thread.state), thread.waits_for.as_ref()];
    texts.into_iter().flatten().any(|text| text.to_lowercase().contains(filter))
}

/// How full the stack was at most: overrun first, then in thousandths.
pub(in crate::tui) fn fullness(thread: &Thread) -> Option<u64> {
    let stack = thread.stack.as_ref()?;
    if stack.overflowed {
        return Some(u64::MAX);
    }
    let most = stack.high_water.max(stack.used)?;
    u64::from(most).saturating_mul(1000).checked_div(u64::from(stack.size))
}

pub(super) fn settle(state: &mut State) {
    let height = state.height_of(Pane::Threads);
    let count = state.threads.rows.len();
    state.threads.cursor.settle(count, height);
}
