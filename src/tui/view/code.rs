//! Disassembly with source lines.

use super::super::state::{CodeRow, State};
use super::super::theme::Role;
use super::{ink, plain, span};
use crate::base::Address;
use crate::report::Ink;
use ratatui::text::Line;

/// From this width the bytes of instructions are shown.
const WITH_BYTES: u16 = 72;

pub(super) fn title(state: &State) -> String {
    let at = state.code.at.map_or(String::new(), |at| at.to_string());
    let name = state.code.at.and_then(|at| super::values::owner(state, at));
    match name {
        Some(name) => format!("Code {name} ({at})"),
        None => format!("Code {at}"),
    }
}

pub(super) fn rows(state: &State, first: usize, count: usize, width: u16) -> Vec<Line<'static>> {
    if state.code.rows.is_empty() {
        let text = match (state.code.at, state.code.known) {
            (None, _) => "no frame is selected",
            (Some(at), true) if held(state, at) => "reading, or there are no instructions here",
            _ if state.names().is_empty() => "no instructions: give the ELF (--elf)",
            _ => "no instructions: this is not code of the ELF files",
        };
        return vec![Line::from(ink(state, Ink::Dim, text))];
    }
    let rows = state.code.rows.iter().skip(first).take(count);
    rows.filter_map(|row| match row {
        CodeRow::Source(index) => source_line(state, *index),
        CodeRow::Instruction(index) => instruction_line(state, *index, width),
    })
    .collect()
}

fn held(state: &State, at: Address) -> bool {
    state.loaded.as_ref().is_some_and(|loaded| loaded.memory.contains(at))
}

/// `fft.c:42  for (i = 0; …`.
fn source_line(state: &State, index: usize) -> Option<Line<'static>> {
    let line = state.code.lines.get(index)?;
    let (path, number) = (line.file.as_deref()?, line.line?);
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let text = state.sources.texts.get(path).and_then(|text| text.as_ref()?.as_ref().ok());
    let source = usize::try_from(number.saturating_sub(1)).ok();
    let source = text.zip(source).and_then(|(text, at)| text.get(at));
    let source = source.map_or(String::new(), |source| format!("  {}", source.trim()));
    Some(Line::from(vec![ink(state, Ink::Heading, &format!("{name}:{number}")), plain(&source)]))
}

/// `=> 0x00001234  d3f80020  ldr.w r2, [r3]  ; buffer`.
fn instruction_line(state: &State, index: usize, width: u16) -> Option<Line<'static>> {
    let line = state.code.lines.get(index)?;
    let instruction = &line.instruction;
    let mark = if instruction.current { "=>" } else { "  " };
    let role = if instruction.current { Role::Ink(Ink::Fault) } else { Role::Ink(Ink::Dim) };
    let mut shown = Line::from(span(state, role, &format!("{mark} {} ", instruction.address)));
    if width >= WITH_BYTES {
        shown.push_span(ink(state, Ink::Dim, &format!("{:<9}", instruction.bytes)));
    }
    shown.push_span(plain(&instruction.text));
    if let Some(remark) = &instruction.remark {
        shown.push_span(span(state, Role::Link, &format!("  ; {remark}")));
    }
    Some(shown)
}

pub(super) fn detail(state: &State) -> String {
    let row = state.code.rows.get(state.code.cursor.at);
    let Some(CodeRow::Instruction(index) | CodeRow::Source(index)) = row else {
        return String::new();
    };
    let line = state.code.lines.get(*index);
    let place = line.and_then(|line| Some(format!("{}:{}", line.file.as_deref()?, line.line?)));
    place.unwrap_or_default()
}
