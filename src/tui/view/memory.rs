//! Memory: words in the color of their owner, characters, gaps.

use super::super::memory::{MemoryRow, word};
use super::super::state::State;
use super::super::theme::Role;
use super::super::update::memory_value;
use super::{ink, plain, span};
use crate::analysis::inspector::OwnerKind;
use crate::base::number::format_size;
use crate::base::{Address, AddressRange};
use crate::report::Ink;
use ratatui::text::{Line, Span};

/// What stands for a byte that is not held.
const ABSENT: &str = "··";

pub(super) fn title(state: &State) -> String {
    let word = state.settings.word;
    let end = match (word, state.memory.big) {
        (1, _) => "bytes".to_string(),
        (_, true) => format!("words of {word} bytes, big end first"),
        _ => format!("words of {word} bytes"),
    };
    let changes: u64 = state.memory.changes.iter().map(|range| range.size()).sum();
    let compared = state.loaded.as_ref().is_some_and(|loaded| loaded.other.is_some());
    let changes = if compared { format!(", {changes} changed") } else { String::new() };
    format!("Memory ({end}{changes})")
}

pub(super) fn rows(state: &State, first: usize, count: usize) -> Vec<Line<'static>> {
    let rows = &state.memory.rows;
    let shown = (first..first.saturating_add(count)).map_while(|index| rows.get(index));
    shown
        .map(|row| match row {
            MemoryRow::Gap(range) => gap(state, range),
            MemoryRow::Bytes(at) => bytes(state, at),
        })
        .collect()
}

/// `── 4 KiB not captured: bus error ──`.
fn gap(state: &State, range: AddressRange) -> Line<'static> {
    let size = format_size(range.size());
    let loaded = state.loaded.as_ref();
    let mut reasons = loaded.into_iter().flat_map(|loaded| loaded.captured.gaps());
    let reason = reasons.find(|gap| gap.range.intersection(range).is_some());
    let why = reason.map_or(String::new(), |gap| format!(": {}", gap.reason));
    Line::from(ink(state, Ink::Dim, &format!("── {range}  {size} not captured{why}")))
}

fn bytes(state: &State, start: Address) -> Line<'static> {
    let width = state.memory.rows.width();
    let size = state.settings.word.clamp(1, 8).min(width.max(1));
    let digits = usize::try_from(size.saturating_mul(2)).unwrap_or(2);
    let mut line = Line::from(ink(state, Ink::Dim, &format!("{start} ")));
    let mut offset = 0_u32;
    while offset < width {
        if offset.is_multiple_of(4) {
            line.push_span(plain(" "));
        }
        let at = start.wrapping_add(i64::from(offset));
        let memory = state.loaded.as_ref().map(|loaded| &loaded.memory);
        let value = memory.and_then(|memory| word(memory, at, size, state.memory.big));
        let text = match value {
            Some(value) => format!("{value:0digits$x}"),
            None => partly(state, at, size),
        };
        line.push_span(Span::styled(text, style(state, at, size)));
        offset = offset.saturating_add(size);
        if offset < width && size < 8 {
            line.push_span(plain(" "));
        }
    }
    line.push_span(plain("  "));
    for offset in 0..width {
        let at = start.wrapping_add(i64::from(offset));
        let byte = state.loaded.as_ref().and_then(|loaded| word(&loaded.memory, at, 1, false));
        let byte = byte.and_then(|byte| u8::try_from(byte).ok());
        let shown = match byte {
            Some(byte @ 0x20..=0x7e) => char::from(byte).to_string(),
            Some(_) => ".".to_string(),
            None => " ".to_string(),
        };
        line.push_span(Span::styled(shown, style(state, at, 1)));
    }
    line
}

/// A word of which not all is held, byte by byte.
fn partly(state: &State, at: Address, size: u32) -> String {
    let byte = |offset: u32| {
        let at = at.checked_add(offset)?;
        state.loaded.as_ref().and_then(|loaded| word(&loaded.memory, at, 1, false))
    };
    let mut bytes: Vec<String> = (0..size)
        .map(|offset| byte(offset).map_or(ABSENT.to_string(), |byte| format!("{byte:02x}")))
        .collect();
    if !state.memory.big {
        bytes.reverse();
    }
    bytes.concat()
}

/// How the bytes from `at` look: under the cursor, found, changed, or by their owner.
fn style(state: &State, at: Address, size: u32) -> ratatui::style::Style {
    let pane = &state.memory;
    let theme = state.settings.theme;
    let end = u64::from(at.0).saturating_add(u64::from(size));
    let cursor_end = u64::from(pane.cursor.0).saturating_add(u64::from(state.settings.word));
    if u64::from(at.0) < cursor_end && end > u64::from(pane.cursor.0) {
        return theme.style(Role::Selected);
    }
    let kind = state.named.as_ref().and_then(|named| named.owners.at(at)).map(|owner| owner.kind);
    let base = theme.style(Role::Owner(kind.unwrap_or(OwnerKind::Section)));
    let touches = |start: Address, size: u64| {
        let start = u64::from(start.0);
        start < end && start.saturating_add(size) > u64::from(at.0)
    };
    let last = pane.found.partition_point(|found| u64::from(found.start.0) < end);
    let near = pane.found.get(last.saturating_sub(4)..last).unwrap_or_default();
    if near.iter().any(|found| touches(found.start, found.size)) {
        return base.patch(theme.style(Role::Found));
    }
    let last = pane.changes.partition_point(|range| u64::from(range.start().0) < end);
    let near = last.checked_sub(1).and_then(|index| pane.changes.get(index));
    if near.is_some_and(|range| touches(range.start(), range.size())) {
        return base.patch(theme.style(Role::Changed));
    }
    if pane.marks.contains(&at) {
        return base.patch(theme.style(Role::Marked));
    }
    base
}

/// Whose the word under the cursor is, what it holds, where that points.
pub(super) fn detail(state: &State) -> String {
    let pane = &state.memory;
    let at = pane.cursor;
    let mut text = at.to_string();
    if pane.marks.contains(&at) {
        text.push_str(" [mark]");
    }
    let named = match &pane.name {
        Some((known, Some(name))) if *known == at => Some(name.clone()),
        _ => None,
    };
    let owner = state.named.as_ref().and_then(|named| named.owners.at(at));
    match (named, owner) {
        (Some(name), Some(owner)) if owner.kind == OwnerKind::Variable => {
            text.push_str(&format!(" {name}"));
        }
        (_, Some(owner)) => {
            let offset = at.0.saturating_sub(owner.range.start().0);
            let offset = if offset == 0 { String::new() } else { format!("+{offset}") };
            text.push_str(&format!(" {}{offset}", owner.name));
        }
        _ => {}
    }
    if let Some(value) = memory_value(state) {
        text.push_str(&format!(" = {value}"));
    }
    if let Some(other) = state.loaded.as_ref().and_then(|loaded| loaded.other.as_ref())
        && let Some(before) = word(other, at, state.settings.word, pane.big)
        && Some(before) != memory_value(state)
    {
        text.push_str(&format!(" (other dump: {before})"));
    }
    let pointer = state.loaded.as_ref().and_then(|loaded| word(&loaded.memory, at, 4, false));
    let pointer = pointer.and_then(|value| u32::try_from(value).ok()).map(Address);
    if let Some(pointer) = pointer
        && let Some(target) = super::values::target(state, pointer)
    {
        text.push_str(&format!("; {pointer} -> {target}"));
    }
    let captured = state.loaded.as_ref().is_some_and(|loaded| loaded.captured.contains(at));
    if !captured {
        text.push_str(" [from the ELF]");
    }
    text
}

/// A span of a legend for the help: what the colors of memory mean.
pub(super) fn legend(state: &State) -> Line<'static> {
    let kinds = [
        ("variable", OwnerKind::Variable),
        ("stack frame", OwnerKind::Frame),
        ("free stack", OwnerKind::FreeStack),
        ("heap", OwnerKind::Block),
        ("vectors, system", OwnerKind::Vectors),
        ("code", OwnerKind::Function),
    ];
    let mut line = Line::from(plain("  colors of memory: "));
    for (name, kind) in kinds {
        line.push_span(span(state, Role::Owner(kind), name));
        line.push_span(plain("  "));
    }
    line
}
