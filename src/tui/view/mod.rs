//! Draws the state. Changes nothing.

mod code;
mod help;
mod memory;
mod source;
mod text;
mod threads;
mod values;

use super::keys::{self, Pane, Screen};
use super::layout;
use super::state::{Purpose, State};
use super::theme::Role;
use crate::report::{Ink, printable};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

/// What stands where a line is cut.
const CUT: &str = "…";
/// Columns of a pane's text when it is copied or exported.
const COPY_WIDTH: u16 = 240;
/// Rows that are copied or exported at most.
const MOST_ROWS: usize = 200_000;

/// Draws everything.
pub fn view(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.is_empty() {
        return;
    }
    let [tabs, _, bottom] = layout::screen(area);
    frame.render_widget(tab_line(state, tabs.width), tabs);
    for (pane, place) in layout::panes(state) {
        draw_pane(state, pane, place.intersection(area), frame);
    }
    draw_bottom(state, bottom, frame);
    if let Some(row) = state.help {
        help::draw(state, row, area, frame);
    }
}

/// A span, with what a terminal would act on made visible.
fn span(state: &State, role: Role, text: &str) -> Span<'static> {
    Span::styled(printable(text), state.settings.theme.style(role))
}

/// Plain text.
fn plain(text: &str) -> Span<'static> {
    Span::raw(printable(text))
}

fn ink(state: &State, ink: Ink, text: &str) -> Span<'static> {
    span(state, Role::Ink(ink), text)
}

/// `line` in `width` columns; where it is cut it says so.
fn fitted(line: Line<'static>, width: u16) -> Line<'static> {
    let width = usize::from(width);
    if line.width() <= width {
        return line;
    }
    let mut room = width.saturating_sub(1);
    let mut spans: Vec<Span<'static>> = Vec::new();
    for span in line.spans {
        let own = span.width();
        if own <= room {
            room = room.saturating_sub(own);
            spans.push(span);
            continue;
        }
        let mut kept = String::new();
        for character in span.content.chars() {
            let wide = Span::raw(character.to_string()).width();
            let Some(left) = room.checked_sub(wide) else { break };
            room = left;
            kept.push(character);
        }
        spans.push(Span::styled(kept, span.style));
        break;
    }
    if width > 0 {
        let style = spans.last().map_or(Style::new(), |span| span.style);
        spans.push(Span::styled(CUT, style));
    }
    Line { spans, ..line }
}

/// What stands between the key and the name of a tab: nothing where it makes all of them fit.
fn tab_gap(state: &State) -> &'static str {
    // The key, the name, and a space before each.
    let tabs = state.screens().map(|(_, name, _)| name.len().saturating_add(3));
    let needed = tabs.fold(0, usize::saturating_add).saturating_sub(1);
    if needed > usize::from(state.area.width) { "" } else { " " }
}

/// The tabs, each with its key.
fn tab_line(state: &State, width: u16) -> Line<'static> {
    let gap = tab_gap(state);
    let mut spans = Vec::new();
    for (key, name, screen) in state.screens() {
        if !spans.is_empty() {
            spans.push(Span::raw(" "));
        }
        if screen == state.screen {
            spans.push(span(state, Role::Selected, &format!("{key}{gap}{name}")));
        } else {
            spans.push(span(state, Role::Key, &key.to_string()));
            spans.push(plain(&format!("{gap}{name}")));
        }
    }
    let line = Line::from(spans);
    let title = printable(&state.settings.title);
    let room = usize::from(width).saturating_sub(line.width());
    if room > title.chars().count().saturating_add(4) {
        let gap = room.saturating_sub(title.chars().count());
        let mut line = line;
        line.push_span(Span::raw(" ".repeat(gap)));
        line.push_span(ink(state, Ink::Dim, &title));
        return line;
    }
    fitted(line, width)
}

/// The screen whose tab stands in `column`.
pub(super) fn tab_at(state: &State, column: u16) -> Option<Screen> {
    let gap = tab_gap(state).len();
    let mut end = 0_usize;
    state.screens().find_map(|(_, name, screen)| {
        // The key, the name; and a space before the next.
        end = end.saturating_add(name.len()).saturating_add(gap).saturating_add(2);
        (usize::from(column) < end).then_some(screen)
    })
}

fn draw_pane(state: &State, pane: Pane, area: Rect, frame: &mut Frame<'_>) {
    if area.is_empty() {
        return;
    }
    let focused = state.pane() == pane;
    let inner = layout::inner(pane, area);
    let head = Rect { height: 1, ..area };
    frame.render_widget(head_line(state, pane, focused, area.width), head);
    let cursor = cursor_row(state, pane);
    let first = first_row(state, pane);
    let lines = rows(state, pane, first, usize::from(inner.height), inner.width);
    for (index, line) in lines.into_iter().enumerate() {
        let y = inner.y.saturating_add(u16::try_from(index).unwrap_or(u16::MAX));
        let place = Rect { y, height: 1, ..inner }.intersection(area);
        let mut line = fitted(line, inner.width);
        if cursor == Some(first.saturating_add(index)) {
            let role = if focused { Role::Selected } else { Role::Marked };
            line = line.patch_style(state.settings.theme.style(role));
            if focused {
                // The whole row, so that it is seen beside short text too.
                frame.render_widget(
                    Paragraph::new("").style(state.settings.theme.style(role)),
                    place,
                );
            }
        }
        frame.render_widget(line, place);
    }
    if let Some(place) = layout::detail(pane, area) {
        frame.render_widget(fitted(detail(state, pane), place.width), place);
    }
    // What stands to the left of a pane on the right side.
    if let Some(x) = area.x.checked_sub(1) {
        for y in area.top()..area.bottom() {
            if let Some(cell) = frame.buffer_mut().cell_mut(Position { x, y }) {
                cell.set_symbol("│").set_style(state.settings.theme.style(Role::Border));
            }
        }
    }
}

/// `─ Threads (22) ─────────────── 3/57 ─`.
fn head_line(state: &State, pane: Pane, focused: bool, width: u16) -> Line<'static> {
    let role = if focused { Role::Focus } else { Role::Border };
    let mark = if focused { "▶ " } else { "─ " };
    let title = title(state, pane);
    let mut line = Line::from(vec![span(state, role, mark), span(state, role, &title)]);
    let place = place(state, pane);
    let used = line.width().saturating_add(1);
    let room = usize::from(width).saturating_sub(used);
    let behind = place.chars().count().saturating_add(2);
    let (fill, end) = if room > behind && !place.is_empty() {
        (room.saturating_sub(behind), format!(" {place} "))
    } else {
        (room, String::new())
    };
    line.push_span(span(state, Role::Border, &format!(" {}", "─".repeat(fill))));
    line.push_span(span(state, role, &end));
    fitted(line, width)
}

fn title(state: &State, pane: Pane) -> String {
    match pane {
        Pane::Text => {
            let tab = state.screens().find(|(_, _, screen)| *screen == state.screen);
            match (state.screen, tab) {
                (Screen::Interrupts, _) => "Exceptions and interrupts".to_string(),
                (Screen::Objects, _) => "Kernel objects".to_string(),
                (Screen::Peripherals, _) => "Peripherals".to_string(),
                (_, tab) => tab.map_or(String::new(), |(_, name, _)| name.to_string()),
            }
        }
        Pane::Threads => threads::title(state),
        Pane::Variables => values::frame_title(state),
        Pane::Registers => "Registers".to_string(),
        Pane::Source => source::title(state),
        Pane::Globals => values::globals_title(state),
        Pane::Memory => memory::title(state),
        Pane::Code => code::title(state),
    }
}

/// How many rows there are.
fn count(state: &State, pane: Pane) -> usize {
    match pane {
        Pane::Text => state.documents.get(&state.screen).map_or(0, |document| document.lines.len()),
        Pane::Threads => state.threads.rows.len(),
        Pane::Variables => values::frame_count(state),
        Pane::Registers => state.frame_registers().map_or(0, |registers| registers.0.len()),
        Pane::Source => source::count(state),
        Pane::Globals => super::update::count_globals(&state.globals),
        Pane::Memory => state.memory.rows.len(),
        Pane::Code => state.code.rows.len(),
    }
}

/// `3/57` where not all rows are seen.
fn place(state: &State, pane: Pane) -> String {
    let (count, height) = (count(state, pane), state.height_of(pane));
    match cursor_row(state, pane) {
        Some(row) if count > height => format!("{}/{count}", row.saturating_add(1)),
        _ => String::new(),
    }
}

fn cursor_row(state: &State, pane: Pane) -> Option<usize> {
    match pane {
        Pane::Text => state.documents.get(&state.screen).map(|document| document.cursor.at),
        Pane::Threads => Some(state.threads.cursor.at),
        Pane::Variables => Some(state.variables.cursor.at),
        Pane::Registers => Some(state.variables.registers.at),
        Pane::Globals => Some(state.globals.cursor.at),
        Pane::Code => Some(state.code.cursor.at),
        // These mark their place themselves.
        Pane::Source | Pane::Memory => None,
    }
}

fn first_row(state: &State, pane: Pane) -> usize {
    match pane {
        Pane::Text => state.documents.get(&state.screen).map_or(0, |document| document.cursor.top),
        Pane::Threads => state.threads.cursor.top,
        Pane::Variables => state.variables.cursor.top,
        Pane::Registers => state.variables.registers.top,
        Pane::Source => source::first(state),
        Pane::Globals => state.globals.cursor.top,
        Pane::Memory => state.memory.top,
        Pane::Code => state.code.cursor.top,
    }
}

/// Rows of a pane, `count` at most from `first` on.
fn rows(state: &State, pane: Pane, first: usize, count: usize, width: u16) -> Vec<Line<'static>> {
    if state.loaded.is_none() {
        return Vec::new();
    }
    match pane {
        Pane::Text => text::rows(state, first, count),
        Pane::Threads => threads::rows(state, first, count, width),
        Pane::Variables => values::frame_rows(state, first, count),
        Pane::Registers => values::register_rows(state, first, count, width),
        Pane::Source => source::rows(state, first, count),
        Pane::Globals => values::global_rows(state, first, count, width),
        Pane::Memory => memory::rows(state, first, count),
        Pane::Code => code::rows(state, first, count, width),
    }
}

/// More about the row with the cursor.
fn detail(state: &State, pane: Pane) -> Line<'static> {
    let text = match pane {
        Pane::Threads => threads::detail(state),
        Pane::Variables => values::frame_detail(state),
        Pane::Globals => values::globals_detail(state),
        Pane::Memory => memory::detail(state),
        Pane::Code => code::detail(state),
        _ => String::new(),
    };
    Line::from(ink(state, Ink::Dim, &text))
}

/// The line of input, a message, or what the keys do.
fn draw_bottom(state: &State, area: Rect, frame: &mut Frame<'_>) {
    if area.is_empty() {
        return;
    }
    frame.render_widget(Clear, area);
    if let Some(prompt) = &state.prompt {
        let sign = if prompt.purpose == Purpose::Command { ":" } else { "/" };
        let room = usize::from(area.width).saturating_sub(2);
        let skip = prompt.input.visual_scroll(room);
        let shown: String = prompt.input.value().chars().skip(skip).collect();
        frame.render_widget(Line::from(vec![span(state, Role::Key, sign), plain(&shown)]), area);
        let column = prompt.input.visual_cursor().saturating_sub(skip).saturating_add(1);
        let x = area.x.saturating_add(u16::try_from(column).unwrap_or(u16::MAX));
        frame.set_cursor_position(Position { x: x.min(area.right().saturating_sub(1)), y: area.y });
        return;
    }
    let line = match (&state.message, &state.busy) {
        (Some(message), _) => {
            let role = if message.bad { Ink::Warning } else { Ink::Strong };
            let sign = if message.bad { "! " } else { "" };
            Line::from(ink(state, role, &format!("{sign}{}", message.text)))
        }
        (None, Some(busy)) => Line::from(ink(state, Ink::Dim, &format!("{busy} …"))),
        (None, None) => hints(state, area.width),
    };
    frame.render_widget(fitted(line, area.width), area);
}

/// The keys of the pane, as many as there is room for; those of all panes are kept.
fn hints(state: &State, width: u16) -> Line<'static> {
    let pane = state.pane();
    let bindings: Vec<_> = keys::in_pane(pane)
        .filter(|binding| binding.hint.is_some())
        .filter(|binding| keys::is_reached(binding, pane))
        .collect();
    let size = |binding: &keys::Binding| {
        let hint = binding.hint.unwrap_or_default();
        short(binding.shown).chars().count().saturating_add(hint.chars().count()).saturating_add(3)
    };
    let is_kept = |binding: &&&keys::Binding| {
        matches!(binding.action, keys::Action::Help | keys::Action::Quit)
    };
    let kept: usize = bindings.iter().filter(is_kept).map(|binding| size(binding)).sum();
    let mut room = usize::from(width).saturating_sub(kept);
    let mut line = Line::default();
    let mut cut = false;
    for binding in &bindings {
        if !is_kept(&binding) {
            match room.checked_sub(size(binding)).filter(|_| !cut) {
                Some(left) => room = left,
                None => {
                    cut = true;
                    continue;
                }
            }
        }
        line.push_span(span(state, Role::Key, short(binding.shown)));
        line.push_span(plain(&format!(" {}  ", binding.hint.unwrap_or_default())));
    }
    line
}

/// The first of the keys that do the same.
fn short(shown: &str) -> &str {
    shown.split(' ').next().unwrap_or(shown)
}

/// The text of the row with the cursor.
pub(super) fn line_text(state: &State) -> Option<String> {
    let pane = state.pane();
    if pane == Pane::Memory {
        return Some(detail(state, pane).to_string());
    }
    let row = cursor_row(state, pane).unwrap_or_else(|| first_row(state, pane));
    let line = rows(state, pane, row, 1, COPY_WIDTH).into_iter().next()?;
    Some(line.to_string().trim().to_string())
}

/// The text of the whole pane; of memory what is in sight.
pub(super) fn pane_text(state: &State) -> String {
    let pane = state.pane();
    let (first, count) = match pane {
        Pane::Memory => (state.memory.top, state.height_of(pane)),
        _ => (0, count(state, pane).min(MOST_ROWS)),
    };
    let mut text = String::new();
    for line in rows(state, pane, first, count, COPY_WIDTH) {
        text.push_str(line.to_string().trim_end());
        text.push('\n');
    }
    text
}
