//! The line of input at the bottom: commands with completion, and searches.

use super::super::event::{Effect, Request};
use super::super::keys::Pane;
use super::super::state::{Prompt, Purpose, State};
use super::{commands, globals, text, threads};
use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use tui_input::backend::crossterm::EventHandler as _;

/// Characters of one line; more of a paste is dropped.
const LONGEST: usize = 1024;
/// Lines that were typed before and can be had again.
const MOST_TYPED: usize = 100;

pub(super) fn open_command(state: &mut State, text: &str) {
    open(state, Purpose::Command, text.to_string());
}

pub(super) fn open_search(state: &mut State) {
    open(state, Purpose::Search, String::new());
}

fn open(state: &mut State, purpose: Purpose, text: String) {
    let input = tui_input::Input::new(text);
    state.prompt = Some(Prompt { purpose, input, offers: Vec::new(), offer: 0 });
}

/// A paste is text for the line of input, if there is one; it never counts as keys.
pub(super) fn paste(state: &mut State, text: &str) {
    let Some(prompt) = &mut state.prompt else {
        state.complain("pasted text goes into a command (:) or a search (/)");
        return;
    };
    let room = LONGEST.saturating_sub(prompt.input.value().chars().count());
    let printable = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    for character in printable.filter(|c| !c.is_control()).take(room) {
        prompt.input.handle(tui_input::InputRequest::InsertChar(character));
    }
    prompt.offers.clear();
}

pub(super) fn take_key(state: &mut State, key: KeyEvent, effects: &mut Vec<Effect>) {
    let Some(prompt) = &mut state.prompt else { return };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let before = prompt.input.value().to_string();
    match key.code {
        KeyCode::Esc => cancel(state, effects),
        KeyCode::Char('c') if control => cancel(state, effects),
        KeyCode::Enter => submit(state, effects),
        KeyCode::Tab | KeyCode::BackTab => complete(state, key.code == KeyCode::Tab),
        KeyCode::Up | KeyCode::Down => recall(state, key.code == KeyCode::Up),
        KeyCode::Backspace if before.is_empty() => cancel(state, effects),
        KeyCode::Char(_) if !control && before.chars().count() >= LONGEST => {}
        _ => {
            prompt.input.handle_event(&Input::Key(key));
            prompt.offers.clear();
            let typed = prompt.input.value().to_string();
            if prompt.purpose == Purpose::Search && typed != before {
                search_as_typed(state, &typed, effects);
            }
        }
    }
}

/// Lists narrow while somebody types.
fn search_as_typed(state: &mut State, typed: &str, effects: &mut Vec<Effect>) {
    match state.pane() {
        Pane::Globals => globals::search(state, typed, effects),
        Pane::Threads => threads::set_filter(state, typed),
        _ => {}
    }
}

/// A search that is given up shows all again.
fn cancel(state: &mut State, effects: &mut Vec<Effect>) {
    let purpose = state.prompt.take().map(|prompt| prompt.purpose);
    if purpose == Some(Purpose::Search) {
        search_as_typed(state, "", effects);
    }
}

fn submit(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(prompt) = state.prompt.take() else { return };
    let text = prompt.input.value().trim().to_string();
    match prompt.purpose {
        Purpose::Command => {
            if !text.is_empty() {
                state.typed.retain(|known| *known != text);
                state.typed.push(text.clone());
                let excess = state.typed.len().saturating_sub(MOST_TYPED);
                state.typed.drain(..excess);
            }
            commands::run(state, &text, effects);
        }
        Purpose::Search => match state.pane() {
            // These were narrowed while it was typed; nothing typed means all.
            Pane::Globals | Pane::Threads if text.is_empty() => search_as_typed(state, "", effects),
            Pane::Globals | Pane::Threads => {}
            Pane::Memory => find(state, text, effects),
            Pane::Text => {
                state.needle.clone_from(&text);
                text::find(state, &text, true);
            }
            _ => state.complain("only text, threads, globals and memory can be searched"),
        },
    }
}

/// Searches memory.
pub(super) fn find(state: &mut State, pattern: String, effects: &mut Vec<Effect>) {
    if pattern.is_empty() {
        return;
    }
    let registers = state.frame_registers().cloned().unwrap_or_default();
    state.busy = Some(format!("searching `{pattern}`"));
    effects.push(Effect::Ask(Request::Find(pattern, registers)));
}

/// Puts the next way to complete the line into it.
fn complete(state: &mut State, forward: bool) {
    let Some(prompt) = &state.prompt else { return };
    if prompt.purpose != Purpose::Command {
        return;
    }
    let (mut offers, mut offer) = (prompt.offers.clone(), prompt.offer);
    if offers.is_empty() {
        offers = commands::completions(state, prompt.input.value());
        offer = if forward { 0 } else { offers.len().saturating_sub(1) };
    } else {
        let count = offers.len();
        let step = if forward { 1 } else { count.saturating_sub(1) };
        offer = offer.saturating_add(step).checked_rem(count).unwrap_or(0);
    }
    if let (Some(text), Some(prompt)) = (offers.get(offer).cloned(), &mut state.prompt) {
        prompt.input = tui_input::Input::new(text);
        (prompt.offers, prompt.offer) = (offers, offer);
    }
}

/// Shows what was typed before.
fn recall(state: &mut State, older: bool) {
    let Some(prompt) = state.prompt.as_mut().filter(|p| p.purpose == Purpose::Command) else {
        return;
    };
    let shown = state.typed.iter().position(|typed| typed == prompt.input.value());
    let next = match (shown, older) {
        (Some(at), true) => at.checked_sub(1),
        (Some(at), false) => Some(at.saturating_add(1)),
        (None, true) => state.typed.len().checked_sub(1),
        (None, false) => None,
    };
    if let Some(text) = next.and_then(|at| state.typed.get(at)) {
        prompt.input = tui_input::Input::new(text.clone());
    }
}
