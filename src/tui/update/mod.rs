//! What an event does to the state, and what it asks for. No input, no output.

mod answers;
mod code;
mod commands;
mod globals;
mod memory;
mod mouse;
mod navigate;
mod prompt;
mod text;
mod threads;
mod values;

use super::event::{Effect, Event, Request};
use super::keys::{self, Action, Pane, Screen};
use super::state::State;
use ratatui::crossterm::event::{Event as Input, KeyEvent, KeyEventKind};
use ratatui::layout::Rect;

pub(super) use commands::usages;
pub(super) use globals::{GlobalRow, count as count_globals, rows as rows_of_globals};
pub(super) use memory::value as memory_value;
pub(super) use threads::fullness;
pub(super) use values::rows as value_rows;

/// Columns of the left side, in hundredths, that a key adds or takes away.
const SPLIT_STEP: u16 = 4;

/// Takes an event and says what is to be done outside.
pub fn update(state: &mut State, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    match event {
        Event::Input(input) => take_input(state, input, &mut effects),
        Event::Answer(answer) => answers::take(state, answer, &mut effects),
        // The loop makes a size of it.
        Event::Resumed => {}
        Event::Ended(_) => effects.push(Effect::Quit),
    }
    settle(state, &mut effects);
    effects
}

fn take_input(state: &mut State, input: Input, effects: &mut Vec<Effect>) {
    match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => take_key(state, key, effects),
        Input::Mouse(mouse) => mouse::take(state, mouse, effects),
        Input::Resize(columns, rows) => state.area = Rect::new(0, 0, columns, rows),
        Input::Paste(text) => prompt::paste(state, &text),
        _ => {}
    }
}

fn take_key(state: &mut State, key: KeyEvent, effects: &mut Vec<Effect>) {
    state.message = None;
    let action = keys::action(key, state.pane());
    if action == Some(Action::Suspend) {
        effects.push(Effect::Suspend);
    } else if let Some(row) = state.help {
        help(state, row, action);
    } else if state.prompt.is_some() {
        prompt::take_key(state, key, effects);
    } else if let Some(action) = action {
        act(state, action, effects);
    }
}

/// The help scrolls, and any other key closes it.
fn help(state: &mut State, row: usize, action: Option<Action>) {
    state.help = match action {
        Some(Action::Down) => Some(row.saturating_add(1)),
        Some(Action::Up) => Some(row.saturating_sub(1)),
        Some(Action::PageDown) => Some(row.saturating_add(10)),
        Some(Action::PageUp) => Some(row.saturating_sub(10)),
        Some(Action::First) => Some(0),
        Some(Action::Last) => Some(usize::MAX),
        _ => None,
    };
}

pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Quit => effects.push(Effect::Quit),
        Action::Help => state.help = Some(0),
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Command => prompt::open_command(state, ""),
        Action::Search => prompt::open_search(state),
        Action::NextPane => turn_pane(state, 1),
        Action::PreviousPane => turn_pane(state, -1),
        Action::Show(screen) => show(state, screen),
        Action::NextScreen => turn_screen(state, 1),
        Action::PreviousScreen => turn_screen(state, -1),
        Action::Back => navigate::back(state),
        Action::Forward => navigate::forward(state),
        Action::Zoom => state.zoomed = !state.zoomed,
        Action::Wider => resplit(state, SPLIT_STEP, true, effects),
        Action::Narrower => resplit(state, SPLIT_STEP, false, effects),
        Action::Base => {
            values::next_base(state);
            remember(state, effects);
        }
        Action::Reread if state.settings.live => {
            state.busy = Some("reading the target".to_string());
            effects.push(Effect::Ask(Request::Reread));
        }
        Action::Reread => {
            state.complain("this is a dump: only a live target (--gdb) can be read again")
        }
        Action::Copy => copy(state, super::view::line_text(state), effects),
        Action::CopyPane => copy(state, Some(super::view::pane_text(state)), effects),
        _ => in_pane(state, action, effects),
    }
}

fn in_pane(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    match state.pane() {
        Pane::Text => text::act(state, action, effects),
        Pane::Threads => threads::act(state, action),
        Pane::Variables => values::act(state, action, effects),
        Pane::Registers => values::act_on_registers(state, action),
        Pane::Source => code::act_on_source(state, action),
        Pane::Globals => globals::act(state, action, effects),
        Pane::Memory => memory::act(state, action, effects),
        Pane::Code => code::act(state, action),
    }
}

/// How far an action moves in a list of `count` rows with `height` in sight: rows down, or up.
fn distance(action: Action, count: usize, height: usize) -> Option<isize> {
    let page = isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(1);
    let all = isize::try_from(count).unwrap_or(isize::MAX);
    match action {
        Action::Down => Some(1),
        Action::Up => Some(-1),
        Action::PageDown => Some(page),
        Action::PageUp => Some(page.saturating_neg()),
        Action::First => Some(all.saturating_neg()),
        Action::Last => Some(all),
        _ => None,
    }
}

fn show(state: &mut State, screen: Screen) {
    if !state.screens().any(|(_, _, known)| known == screen) {
        state.complain("start with --svd FILE to see the registers of peripherals");
    } else if state.screen != screen {
        navigate::leave(state);
        state.screen = screen;
        state.focus = 0;
    }
}

fn turn_screen(state: &mut State, by: isize) {
    let screens: Vec<Screen> = state.screens().map(|(_, _, screen)| screen).collect();
    let at = screens.iter().position(|screen| *screen == state.screen).unwrap_or(0);
    let count = screens.len();
    let next = at.saturating_add(count).saturating_add_signed(by).checked_rem(count).unwrap_or(0);
    if let Some(screen) = screens.get(next) {
        show(state, *screen);
    }
}

/// The next pane; behind the last of a screen the next screen.
fn turn_pane(state: &mut State, by: isize) {
    let count = state.screen.panes().len();
    match state.focus.checked_add_signed(by).filter(|next| *next < count) {
        Some(next) => state.focus = next,
        None => {
            turn_screen(state, by);
            state.focus = if by < 0 { state.screen.panes().len().saturating_sub(1) } else { 0 };
        }
    }
}

fn resplit(state: &mut State, step: u16, wider: bool, effects: &mut Vec<Effect>) {
    let split = state.settings.split;
    let split = if wider { split.saturating_add(step) } else { split.saturating_sub(step) };
    state.settings.split = split.clamp(24, 76);
    remember(state, effects);
}

/// Keeps the settings for the next run.
fn remember(state: &State, effects: &mut Vec<Effect>) {
    effects.push(Effect::Ask(Request::Remember(state.settings.written())));
}

fn copy(state: &mut State, text: Option<String>, effects: &mut Vec<Effect>) {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => {
            let lines = text.lines().count();
            let what = if lines == 1 { "line".to_string() } else { format!("{lines} lines") };
            state.tell(format!("copied {what} (if the terminal allows OSC 52)"));
            effects.push(Effect::Copy(text));
        }
        None => state.complain("nothing to copy"),
    }
}

/// Brings every cursor into its list and into sight, and asks for what is in sight and not known.
fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    text::settle(state);
    threads::settle(state);
    values::settle(state, effects);
    globals::settle(state, effects);
    memory::settle(state, effects);
    code::settle(state, effects);
}
