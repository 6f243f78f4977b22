//! Disassembly with source lines, and the source beside the frames.

use super::super::event::{Effect, Request};
use super::super::keys::{Action, Pane, Screen};
use super::super::state::{Code, CodeRow, State};
use super::{distance, navigate, threads};
use crate::base::Address;
use crate::report::Instruction;

/// Shows the function around `at`.
pub(super) fn look_at(state: &mut State, at: Address) {
    let held = state.code.lines.iter().position(|line| line.instruction.address.0 == at.0);
    state.code.at = Some(at);
    match held {
        Some(line) => put_cursor(state, line),
        None => state.code = Code { at: Some(at), ..Code::default() },
    }
}

fn put_cursor(state: &mut State, line: usize) {
    let row = state.code.rows.iter().position(|row| *row == CodeRow::Instruction(line));
    state.code.cursor.at = row.unwrap_or(0);
}

/// The instructions have come.
pub(super) fn list(state: &mut State) {
    let code = &mut state.code;
    let mut last = None;
    code.rows.clear();
    for (index, line) in code.lines.iter().enumerate() {
        let place = (line.file.as_deref(), line.line);
        if line.line.is_some_and(|line| line > 0) && last != Some(place) {
            code.rows.push(CodeRow::Source(index));
            last = Some(place);
        }
        code.rows.push(CodeRow::Instruction(index));
    }
    let current = code.lines.iter().position(|line| line.instruction.current);
    put_cursor(state, current.unwrap_or(0));
    // The line stands in the middle.
    let height = state.height_of(Pane::Code);
    let cursor = &mut state.code.cursor;
    cursor.top = cursor.at.saturating_sub(height / 2);
}

pub(super) fn act(state: &mut State, action: Action) {
    let height = state.height_of(Pane::Code);
    if let Some(rows) = distance(action, state.code.rows.len(), height) {
        state.code.cursor.move_by(rows);
        return;
    }
    let row = state.code.rows.get(state.code.cursor.at).copied();
    let (Some(CodeRow::Instruction(index)) | Some(CodeRow::Source(index))) = row else { return };
    let Some(line) = state.code.lines.get(index) else { return };
    match action {
        Action::Open => match target(&line.instruction) {
            Some(target) => navigate::to_address(state, target),
            None => state.complain("this instruction leads nowhere"),
        },
        Action::ToMemory => navigate::to_memory(state, Address(line.instruction.address.0)),
        _ => {}
    }
}

/// Where an instruction with a remark leads: `ldr r0, [pc, #8]  ; 0x20000000 buffer` to what it loads,
/// `bl #0x1234  ; main` to where it branches.
fn target(instruction: &Instruction) -> Option<Address> {
    let remark = instruction.remark.as_deref()?;
    let loaded = remark.split_whitespace().next()?.strip_prefix("0x");
    let branch = || instruction.text.rsplit_once("#0x").map(|(_, digits)| digits);
    u32::from_str_radix(loaded.or_else(branch)?, 16).ok().map(Address)
}

pub(super) fn act_on_source(state: &mut State, action: Action) {
    let height = state.height_of(Pane::Source);
    match action {
        Action::First => state.sources.offset = 0,
        Action::Open | Action::ToCode => threads::show_code(state),
        _ => {
            if let Some(rows) = distance(action, 0, height) {
                state.sources.offset = state.sources.offset.saturating_add(rows);
            }
        }
    }
}

/// The source file that the screen needs.
fn wanted(state: &State) -> Option<String> {
    match state.screen {
        Screen::Threads => state.selected().and_then(|(_, frame)| frame?.file.clone()),
        Screen::Code => {
            let row = state.code.rows.get(state.code.cursor.at)?;
            let (CodeRow::Instruction(index) | CodeRow::Source(index)) = row;
            Some(state.code.lines.get(*index)?.file.as_ref()?.to_string())
        }
        _ => None,
    }
}

/// Asks for the function and the source text that the screen shows.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    if state.screen == Screen::Code {
        if state.code.at.is_none() {
            // First seen: where the selected frame stands.
            let pc = state.selected().and_then(|(_, frame)| frame).map(|frame| Address(frame.pc.0));
            state.code.at = pc.map(Address::without_thumb_bit);
        }
        if let Some(at) = state.code.at.filter(|_| !state.code.known && state.code.lines.is_empty())
        {
            state.code.known = true;
            effects.push(Effect::Ask(Request::Code(at)));
        }
        let height = state.height_of(Pane::Code);
        let count = state.code.rows.len();
        state.code.cursor.settle(count, height);
    }
    if let Some(path) = wanted(state)
        && !state.sources.texts.contains_key(&path)
    {
        state.sources.texts.insert(path.clone(), None);
        effects.push(Effect::Ask(Request::Source(path)));
    }
}
