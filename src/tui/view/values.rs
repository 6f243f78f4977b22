//! Trees of values, and registers.

use super::super::state::{Base, State};
use super::super::theme::Role;
use super::super::tree::{Node, Row, RowKind};
use super::super::update::{GlobalRow, rows_of_globals, value_rows};
use super::threads::clipped;
use super::{ink, plain, span};
use crate::analysis::inspector::{Item, Number};
use crate::base::Address;
use crate::report::{Ink, Status};
use ratatui::text::{Line, Span};

/// Below this stand vector tables.
const LOWEST: Address = Address(0x400);
/// Columns of a global's name, and from which width its type has columns too.
const NAME: usize = 28;
const WITH_TYPE: u16 = 110;
const TYPE: usize = 26;

pub(super) fn frame_title(state: &State) -> String {
    match state.selected() {
        Some((thread, Some(frame))) => {
            let function = frame.function.as_deref().unwrap_or("??");
            format!("#{} {function} of {}", frame.index, thread.name)
        }
        Some((thread, None)) => format!("{}: no frames", thread.name),
        None => "Variables".to_string(),
    }
}

pub(super) fn frame_count(state: &State) -> usize {
    let nodes = &state.variables.nodes;
    let heights = nodes.roots().filter_map(|root| nodes.root(root)).map(Node::height);
    heights.fold(0, usize::saturating_add)
}

pub(super) fn frame_rows(state: &State, first: usize, count: usize) -> Vec<Line<'static>> {
    if state.variables.nodes.len() == 0 {
        let text = match (state.variables.known, state.selected()) {
            (_, None | Some((_, None))) => "",
            (true, _) => "no arguments and no locals are known here",
            (false, _) => "reading …",
        };
        return vec![Line::from(ink(state, Ink::Dim, text))];
    }
    let rows = value_rows(&state.variables.nodes, first, count);
    rows.iter().map(|row| tree_line(state, row, 0)).collect()
}

/// `  ▸ node = 0x20001310 <app_wq>`; with a width the names of the roots stand in a column.
fn tree_line(state: &State, row: &Row<'_>, column: usize) -> Line<'static> {
    let indent = "  ".repeat(row.depth);
    let node = match &row.kind {
        RowKind::Value(node) => node,
        RowKind::Reading => {
            return Line::from(ink(state, Ink::Dim, &format!("{indent}  reading …")));
        }
        RowKind::More(more) => {
            let text = format!("{indent}  … {more} more (Enter)");
            return Line::from(ink(state, Ink::Dim, &text));
        }
        RowKind::End(end) => {
            return Line::from(ink(state, Ink::Warning, &format!("{indent}  {end}")));
        }
    };
    let item = &node.item;
    let fold = match (&item.part, node.open) {
        (None, _) => "  ",
        (_, true) => "▾ ",
        _ => "▸ ",
    };
    let name = match item.name.as_str() {
        "" => format!("<{}>", item.type_name),
        name => name.to_string(),
    };
    let name = if row.depth == 0 && column > 0 { clipped(&name, column) } else { name };
    let role = if item.argument { Role::Ink(Ink::Heading) } else { Role::Ink(Ink::Plain) };
    let mut line = Line::from(vec![plain(&format!("{indent}{fold}")), span(state, role, &name)]);
    line.push_span(plain(if column > 0 && row.depth == 0 { " " } else { " = " }));
    line.push_span(value(state, item));
    line
}

/// The value, with its number in the base that is wanted.
fn value(state: &State, item: &Item) -> Span<'static> {
    if item.status != Status::Ok {
        return ink(state, Ink::Dim, item.status.text());
    }
    match item.number.and_then(|number| in_base(number, state.settings.base)) {
        // What the text says besides the number stays: a symbol, an enumerator.
        Some(number) => match item.text.split_once(' ') {
            Some((_, rest)) if item.text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                plain(&format!("{number} {rest}"))
            }
            _ if item.text.starts_with(|c: char| c.is_alphabetic() || c == '(') => {
                plain(&format!("{number} {}", item.text))
            }
            _ => plain(&number),
        },
        None => plain(&item.text),
    }
}

/// None where the text is right as it is.
fn in_base(number: Number, base: Base) -> Option<String> {
    let width = usize::try_from(number.width).unwrap_or(64);
    match base {
        Base::Natural => None,
        Base::Hexadecimal => {
            Some(format!("0x{:0digits$x}", number.bits, digits = width.div_ceil(4)))
        }
        Base::Decimal => Some(number.bits.to_string()),
        Base::Binary => Some(format!("0b{:0width$b}", number.bits)),
    }
}

/// `struct k_thread at 0x20001310, 296 bytes`.
fn described(item: &Item) -> String {
    let at = item.address.map_or_else(|| " (not in memory)".to_string(), |at| format!(" at {at}"));
    let size = item.size.map_or(String::new(), |size| format!(", {size} bytes"));
    format!("{}{at}{size}", item.type_name)
}

pub(super) fn frame_detail(state: &State) -> String {
    let rows = value_rows(&state.variables.nodes, state.variables.cursor.at, 1);
    match rows.first().map(|row| &row.kind) {
        Some(RowKind::Value(node)) => described(&node.item),
        _ => String::new(),
    }
}

pub(super) fn register_rows(
    state: &State,
    first: usize,
    count: usize,
    width: u16,
) -> Vec<Line<'static>> {
    let Some(registers) = state.frame_registers() else { return Vec::new() };
    let rows = registers.0.iter().skip(first).take(count);
    let lines = rows.map(|(name, value)| {
        let bits = Number { bits: u64::from(value.0), width: 32 };
        let shown = in_base(bits, state.settings.base).unwrap_or_else(|| value.to_string());
        let mut line =
            Line::from(vec![ink(state, Ink::Dim, &format!("{name:>7} ")), plain(&shown)]);
        let at = Address(value.0);
        let is_code = ["pc", "lr"].contains(&&**name);
        let named = if is_code { owner(state, at) } else { target(state, at) };
        if let Some(owner) = named.filter(|_| width > 24) {
            line.push_span(ink(state, Ink::Dim, &format!(" {owner}")));
        }
        line
    });
    lines.collect()
}

/// What a value would point to; where firmware begins, numbers are just small.
pub(super) fn target(state: &State, value: Address) -> Option<String> {
    owner(state, value).filter(|_| value >= LOWEST)
}

/// `rx_ring+12`, of what owns an address.
pub(super) fn owner(state: &State, at: Address) -> Option<String> {
    use crate::analysis::inspector::OwnerKind;
    let at = at.without_thumb_bit();
    let owner = state.named.as_ref()?.owners.at(at)?;
    // Small numbers are no pointers to the vector table, and a section is too vague.
    if matches!(owner.kind, OwnerKind::Vectors | OwnerKind::Section) {
        return None;
    }
    let offset = at.0.saturating_sub(owner.range.start().0);
    Some(match offset {
        0 => owner.name.clone(),
        offset => format!("{}+{offset}", owner.name),
    })
}

pub(super) fn globals_title(state: &State) -> String {
    let all = state.named.as_ref().map_or(0, |named| named.globals.len());
    let shown = state.globals.shown.len();
    let pins = state.settings.pins.len();
    let query = state.globals.query.trim();
    let number = if shown == all { all.to_string() } else { format!("{shown} of {all}") };
    let query = if query.is_empty() { String::new() } else { format!(" /{query}") };
    let pins = if pins == 0 { String::new() } else { format!(", {pins} pinned") };
    format!("Globals and statics ({number}{pins}){query}")
}

pub(super) fn global_rows(
    state: &State,
    first: usize,
    count: usize,
    width: u16,
) -> Vec<Line<'static>> {
    let Some(named) = &state.named else {
        return vec![Line::from(ink(state, Ink::Dim, "reading the names …"))];
    };
    if state.globals.shown.is_empty() {
        let text = match named.globals.is_empty() {
            true => "no globals are known: give the ELF with debug information (--elf)",
            false => "nothing fits; / changes the search, Esc in it shows all",
        };
        return vec![Line::from(ink(state, Ink::Dim, text))];
    }
    let rows = rows_of_globals(&state.globals, first, count);
    let lines = rows.iter().map(|row| {
        let (root, mut line) = match row {
            GlobalRow::Read(row) => {
                let root = row.steps.first().copied().filter(|_| row.depth == 0);
                let is_root = matches!(row.kind, RowKind::Value(_));
                (root.filter(|_| is_root), tree_line(state, row, NAME))
            }
            GlobalRow::Unread(root) => {
                let name = named.globals.get(*root).map_or("", |global| global.name.as_str());
                let name = format!("  {} …", clipped(name, NAME));
                (Some(*root), Line::from(plain(&name)))
            }
        };
        let global = root.and_then(|root| named.globals.get(root));
        let pinned = global.is_some_and(|global| state.settings.pins.contains(&global.name));
        if let (Some(first), true) = (line.spans.first_mut(), pinned) {
            let fold = first.content.chars().next().unwrap_or(' ');
            *first = span(state, Role::Key, &format!("{fold}•"));
        }
        if let Some(global) = global.filter(|_| width >= WITH_TYPE) {
            let place = 2_usize.saturating_add(NAME).min(line.spans.len());
            let text = format!("{} ", clipped(&global.type_name, TYPE));
            // Behind the name, before the value.
            let at = 2.min(place).min(line.spans.len());
            line.spans.insert(at, ink(state, Ink::Dim, &format!(" {text}")));
        }
        line
    });
    lines.collect()
}

pub(super) fn globals_detail(state: &State) -> String {
    let row = rows_of_globals(&state.globals, state.globals.cursor.at, 1).into_iter().next();
    let Some(GlobalRow::Read(row)) = row else { return String::new() };
    let RowKind::Value(node) = &row.kind else { return String::new() };
    let root = row.steps.first().and_then(|root| state.named.as_ref()?.globals.get(*root));
    let unit = root.and_then(|global| global.unit.as_deref());
    let unit = unit.map_or(String::new(), |unit| format!(", {unit}"));
    format!("{}{unit}", described(&node.item))
}
