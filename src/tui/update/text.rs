//! Text panes: the report's sections.

use super::super::document;
use super::super::event::Effect;
use super::super::keys::{Action, Pane, Screen};
use super::super::state::{Document, State};
use super::{distance, navigate};
use crate::report::Section;

/// The section that a screen shows.
fn section(screen: Screen) -> Option<Section> {
    match screen {
        Screen::Overview => Some(Section::Overview),
        Screen::Interrupts => Some(Section::Interrupts),
        Screen::Mpu => Some(Section::Mpu),
        Screen::Heap => Some(Section::Heaps),
        Screen::Log => Some(Section::Logs),
        Screen::Objects => Some(Section::Objects),
        Screen::Peripherals => Some(Section::Peripherals),
        _ => None,
    }
}

pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    let height = state.height_of(Pane::Text);
    let needle = state.needle.clone();
    let Some(document) = state.documents.get_mut(&state.screen) else { return };
    if let Some(rows) = distance(action, document.lines.len(), height) {
        document.cursor.move_by(rows);
        document.link = 0;
        return;
    }
    match action {
        Action::Left => turn_link(document, false),
        Action::Right => turn_link(document, true),
        Action::Open => {
            let line = document.lines.get(document.cursor.at);
            let link = line.and_then(|line| line.links.get(document.link));
            match link.map(|link| link.target.clone()) {
                Some(target) => navigate::follow(state, target, effects),
                None => state.complain("this line leads nowhere"),
            }
        }
        Action::NextFound | Action::PreviousFound => {
            find(state, &needle, action == Action::NextFound);
        }
        _ => {}
    }
}

/// The next link of the line, then of the next line that has one.
fn turn_link(document: &mut Document, forward: bool) {
    let links = |row: usize| document.lines.get(row).map_or(0, |line| line.links.len());
    let here = document.cursor.at;
    if forward && document.link.saturating_add(1) < links(here) {
        document.link = document.link.saturating_add(1);
    } else if !forward && document.link > 0 && links(here) > 0 {
        document.link = document.link.saturating_sub(1);
    } else if forward {
        let next = (here.saturating_add(1)..document.lines.len()).find(|row| links(*row) > 0);
        if let Some(row) = next {
            (document.cursor.at, document.link) = (row, 0);
        }
    } else if let Some(row) = (0..here).rev().find(|row| links(*row) > 0) {
        let last = links(row).saturating_sub(1);
        (document.cursor.at, document.link) = (row, last);
    }
}

/// Goes to the next line that holds `needle`.
pub(super) fn find(state: &mut State, needle: &str, forward: bool) {
    let lower = needle.to_lowercase();
    let Some(document) = state.documents.get_mut(&state.screen) else { return };
    let count = document.lines.len();
    let at = document.cursor.at;
    let order: Vec<usize> = match forward {
        true => (at.saturating_add(1)..count).chain(0..at.saturating_add(1)).collect(),
        false => (0..at).rev().chain((at..count).rev()).collect(),
    };
    let holds = |row: &usize| {
        document.lines.get(*row).is_some_and(|line| line.text().to_lowercase().contains(&lower))
    };
    match order.iter().find(|row| !lower.is_empty() && holds(row)) {
        Some(row) => (document.cursor.at, document.link) = (*row, 0),
        None => state.complain(format!("`{needle}` is not on this screen")),
    }
}

/// Wraps the text of the screen to its width, once.
pub(super) fn settle(state: &mut State) {
    let (screen, height) = (state.screen, state.height_of(Pane::Text));
    let (Some(section), Some(loaded)) = (section(screen), &state.loaded) else { return };
    // A column for the scroll bar.
    let width = usize::from(state.area.width).saturating_sub(1);
    let names = state.named.as_ref().map_or(&[][..], |named| &named.names);
    let document = state.documents.entry(screen).or_default();
    if document.width != width.max(1) {
        document.lines = document::of_section(&loaded.report, section, width, names);
        document.width = width.max(1);
    }
    document.cursor.settle(document.lines.len(), height);
    let line = document.lines.get(document.cursor.at);
    let links = line.map_or(0, |line| line.links.len());
    document.link = document.link.min(links.saturating_sub(1));
}
