//! Values of the standard libraries of Rust and C++ as people expect them: slices, strings, vectors,
//! optional values, enums with data.
//!
//! Recognised by the names of the types and of their members, as core and alloc of Rust and libstdc++
//! have them. A value that looks different has no such text; its parts are shown in any case.

use super::file::SymbolFile;
use super::place::Place;
use super::render::quoted;
use super::types::TypeRef;
use super::values::{Limits, Member, Value, ValueKind};
use crate::base::{Address, Memory};

/// Members within each other that are searched for one by name.
const MAX_DEPTH: usize = 8;
/// Library types within each other that are spelled: a tree of slices would grow without end.
const NESTING: usize = 5;
/// Elements of a slice or vector that are spelled.
const ELEMENTS: u64 = 16;
/// Longest text in characters.
const LONGEST: usize = 240;
/// How much of an element is read.
const ELEMENT: Limits = Limits { depth: 8, elements: 16, nodes: 64, string: 64 };

impl<'d> SymbolFile<'d> {
    /// The text that people expect for `value`, when it is of such a library type.
    pub fn summary(&self, value: &Value<'d>, memory: &dyn Memory) -> Option<String> {
        self.summarised(value, memory, NESTING).map(shortened)
    }

    /// The text of the value at `address` of the type with that path: `app::Speed`.
    pub fn spelled_at(&self, path: &str, address: Address, memory: &dyn Memory) -> Option<String> {
        let place = Place::Memory(address);
        let value = self.read_value(self.type_by_path(path)?, &place, memory, ELEMENT);
        Some(shortened(self.spelled(&value, memory, NESTING)))
    }

    /// Types have their own names without the path to them.
    fn type_by_path(&self, path: &str) -> Option<TypeRef> {
        let (outer, generics) =
            path.split_once('<').map_or((path, ""), |(outer, rest)| (outer, rest));
        let name = outer.rsplit("::").next()?;
        let own = || self.type_by_name(path.get(outer.len().checked_sub(name.len())?..)?);
        self.type_by_name(path).or_else(own).filter(|_| !generics.contains("closure"))
    }

    fn summarised(&self, value: &Value<'d>, memory: &dyn Memory, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let ValueKind::Struct { members, .. } = &value.kind else { return None };
        let info = self.type_info(self.strip_type(value.ty));
        if info.is_c {
            return None;
        }
        let name = info.name?;
        let field = |name: &str| find(value, name, MAX_DEPTH);
        let number = |name: &str| field(name).and_then(whole_number);
        let pointer = |name: &str| self.first_pointer(field(name)?, MAX_DEPTH);
        if info.variants.is_some() {
            return Some(self.variant(members.last()?, memory, depth));
        }
        // A slice is nothing but these two.
        let is_slice = members.len() == 2 && members.iter().any(|m| m.name == Some("data_ptr"));
        if let (true, Some(start), Some(length)) = (is_slice, pointer("data_ptr"), number("length"))
        {
            return match name.ends_with("str") || name.ends_with("str>") {
                true => Some(text(start.address, length, memory)),
                false => self.elements(&start, length, memory, depth),
            };
        }
        match name.split_once('<').map_or(name, |(name, _)| name) {
            _ if name.starts_with('(') && !members.is_empty() => {
                Some(format!("({})", self.parts(members, true, memory, depth)))
            }
            "array" => {
                let held = field("_M_elems")?;
                let (ValueKind::Array { elements, omitted }, Place::Memory(address)) =
                    (&held.kind, held.place.clone())
                else {
                    return None;
                };
                let target = self.type_info(self.strip_type(held.ty)).target;
                let count = elements.iter().map(|element| element.count);
                let count = count.fold(*omitted, u64::saturating_add);
                self.elements(&Start { address, target }, count, memory, depth)
            }
            "String" => {
                let start = pointer("buf")?;
                Some(text(start.address, number("len")?, memory))
            }
            "Vec" if field("buf").is_some() => {
                let mut start = pointer("buf")?;
                // The pointer inside has lost its type; the name has it.
                start.target = self.type_by_path(first_argument(name)?)?;
                self.elements(&start, number("len")?, memory, depth)
            }
            "VecDeque" => {
                let mut start = pointer("buf")?;
                start.target = self.type_by_path(first_argument(name)?)?;
                // The room has a type of its own, which cannot be too large.
                let room = field("cap").and_then(|room| find(room, "__0", 1).or(Some(room)));
                let room = room.and_then(whole_number)?;
                self.ring(&start, number("head")?, number("len")?, room, memory, depth)
            }
            // What they hold, not how many hold it.
            "Rc" | "Arc" => {
                let start = pointer("ptr")?;
                let place = Place::Memory(start.address);
                let held = self.read_value(start.target, &place, memory, ELEMENT);
                let inner = find(&held, "value", 1).or_else(|| find(&held, "data", 1))?;
                Some(self.spelled(inner, memory, depth))
            }
            "Cell" => Some(self.spelled(find(field("value")?, "value", 2)?, memory, depth)),
            "RefCell" => {
                let inner = self.spelled(find(field("value")?, "value", 2)?, memory, depth);
                Some(match find(field("borrow")?, "value", 3).map(|borrow| &borrow.kind) {
                    Some(ValueKind::Signed(users)) if *users < 0 => {
                        format!("{inner} (mutably borrowed)")
                    }
                    Some(ValueKind::Signed(users)) if *users > 0 => format!("{inner} (borrowed)"),
                    _ => inner,
                })
            }
            "basic_string" if name.starts_with("basic_string<char,") => {
                let start = pointer("_M_p")?;
                Some(text(start.address, number("_M_string_length")?, memory))
            }
            "basic_string_view" if name.starts_with("basic_string_view<char,") => {
                Some(text(pointer("_M_str")?.address, number("_M_len")?, memory))
            }
            "vector" => {
                let (start, end) = (pointer("_M_start")?, pointer("_M_finish")?);
                let size = self.type_size(start.target).filter(|size| *size > 0)?;
                let bytes = end.address.0.checked_sub(start.address.0)?;
                self.elements(&start, u64::from(bytes).checked_div(size)?, memory, depth)
            }
            "optional" => match field("_M_engaged")?.kind {
                ValueKind::Bool(false) => Some("std::nullopt".to_owned()),
                ValueKind::Bool(true) => Some(self.spelled(field("_M_value")?, memory, depth)),
                _ => None,
            },
            "unique_ptr" => self.render_leaf(field("_M_head_impl")?, memory, ELEMENT),
            _ => None,
        }
    }

    /// `Some(5)`, `None`, `Move {x = -1, y = 2}`.
    fn variant(&self, chosen: &Member<'d>, memory: &dyn Memory, depth: usize) -> String {
        let name = chosen.name.unwrap_or("");
        let ValueKind::Struct { members, .. } = &chosen.value.kind else {
            return name.to_owned();
        };
        let is_tuple = members.iter().all(is_numbered);
        let parts = self.parts(members, is_tuple, memory, depth);
        match (members.is_empty(), is_tuple) {
            (true, _) => name.to_owned(),
            (false, true) => format!("{name}({parts})"),
            (false, false) => format!("{name} {{{parts}}}"),
        }
    }

    /// Members with commas between them; those of a tuple have no name.
    fn parts(
        &self,
        members: &[Member<'d>],
        is_tuple: bool,
        memory: &dyn Memory,
        depth: usize,
    ) -> String {
        joined(members.iter().take(16).map(|member| {
            let text = self.spelled(&member.value, memory, depth);
            match member.name {
                Some(name) if !is_tuple => format!("{name} = {text}"),
                _ => text,
            }
        }))
    }

    /// A value in one line.
    fn spelled(&self, value: &Value<'d>, memory: &dyn Memory, depth: usize) -> String {
        let info = self.type_info(self.strip_type(value.ty));
        if let (ValueKind::Pointer(address), Some(name)) = (&value.kind, info.name)
            && name.contains("boxed::Box<")
            && let Some(depth) = depth.checked_sub(1)
        {
            let held = self.read_value(info.target, &Place::Memory(*address), memory, ELEMENT);
            return self.spelled(&held, memory, depth);
        }
        // Whoever read it may have stopped above its parts.
        let whole;
        let value = match &value.kind {
            ValueKind::Struct { .. } if !info.is_c => {
                whole = self.read_value(value.ty, &value.place, memory, ELEMENT);
                &whole
            }
            _ => value,
        };
        if let Some(text) = self.summarised(value, memory, depth) {
            return text;
        }
        if let Some(text) = self.render_leaf(value, memory, ELEMENT) {
            return text;
        }
        let Some(depth) = depth.checked_sub(1) else { return "{...}".to_owned() };
        let parts = match &value.kind {
            ValueKind::Struct { members, .. } => {
                if let (true, false, Some(name)) = (members.is_empty(), info.is_c, info.name) {
                    return name.to_owned();
                }
                let is_tuple = !members.is_empty() && members.iter().all(is_numbered);
                let parts = self.parts(members, is_tuple, memory, depth);
                match info.name {
                    Some(name) if is_tuple => return format!("{name}({parts})"),
                    _ => parts,
                }
            }
            ValueKind::Array { elements, .. } => joined(
                elements.iter().take(16).map(|element| self.spelled(&element.value, memory, depth)),
            ),
            _ => return "{...}".to_owned(),
        };
        format!("{{{parts}}}")
    }

    /// The pointer that `value` is or, in wrappers, holds.
    fn first_pointer(&self, value: &Value<'d>, depth: usize) -> Option<Start> {
        let depth = depth.checked_sub(1)?;
        match &value.kind {
            ValueKind::Pointer(address) => {
                let target = self.type_info(self.strip_type(value.ty)).target;
                Some(Start { address: *address, target })
            }
            ValueKind::Struct { members, .. } => {
                members.iter().find_map(|member| self.first_pointer(&member.value, depth))
            }
            _ => None,
        }
    }

    /// Elements from number `head` on, of a ring that has room for `room`.
    fn ring(
        &self,
        start: &Start,
        head: u64,
        length: u64,
        room: u64,
        memory: &dyn Memory,
        depth: usize,
    ) -> Option<String> {
        let size = self.type_size(start.target)?;
        let parts = (0..length.min(ELEMENTS)).map_while(|index| {
            let number = head.checked_add(index)?.checked_rem(room)?;
            let offset = u32::try_from(number.checked_mul(size)?).ok()?;
            let place = Place::Memory(start.address.checked_add(offset)?);
            let value = self.read_value(start.target, &place, memory, ELEMENT);
            Some(self.spelled(&value, memory, depth))
        });
        let more = length.checked_sub(ELEMENTS).filter(|more| *more > 0);
        let more = more.map(|more| format!("… {more} more"));
        Some(format!("[{}]", joined(parts.chain(more))))
    }

    /// `[10, 20, 30]`.
    fn elements(
        &self,
        start: &Start,
        count: u64,
        memory: &dyn Memory,
        depth: usize,
    ) -> Option<String> {
        // Nothing has to have a place where it is empty.
        self.ring(start, 0, count, u64::MAX, memory, depth)
    }
}

/// The first type in the angle brackets of `name`.
fn first_argument(name: &str) -> Option<&str> {
    let arguments = name.split_once('<')?.1;
    let mut depth = 0_u32;
    let ends = |(_, c): &(usize, char)| {
        match c {
            '<' | '(' | '[' => depth = depth.saturating_add(1),
            '>' | ',' if depth == 0 => return true,
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        false
    };
    let end = arguments.char_indices().find(ends)?.0;
    arguments.get(..end)
}

/// A field of a tuple.
fn is_numbered(member: &Member<'_>) -> bool {
    member.name.is_some_and(|name| name.starts_with("__"))
}

/// `parts` with commas, up to where the whole text is cut in any case: lists within lists would
/// be read for nothing.
fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for (index, part) in parts.enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&part);
        // A character has four bytes at most.
        if text.len() > 4 * LONGEST {
            break;
        }
    }
    text
}

/// Where the elements are, and what they are.
struct Start {
    address: Address,
    target: TypeRef,
}

/// The member of that name, however deep.
fn find<'v, 'd>(value: &'v Value<'d>, name: &str, depth: usize) -> Option<&'v Value<'d>> {
    let depth = depth.checked_sub(1)?;
    let (ValueKind::Struct { members, .. } | ValueKind::Union { members, .. }) = &value.kind else {
        return None;
    };
    let own = members.iter().find(|member| member.name == Some(name));
    let own = own.map(|member| &member.value);
    // libstdc++ wraps payloads in a member of the same name.
    own.or_else(|| members.iter().find_map(|member| find(&member.value, name, depth)))
}

fn whole_number(value: &Value<'_>) -> Option<u64> {
    match value.kind {
        ValueKind::Unsigned(number) => Some(number),
        ValueKind::Signed(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

/// `length` bytes of UTF-8 at `at`, in quotes.
fn text(at: Address, length: u64, memory: &dyn Memory) -> String {
    let shown = usize::try_from(length).unwrap_or(usize::MAX).min(LONGEST);
    let mut bytes = vec![0; shown];
    if length > 0 && memory.read(at, &mut bytes).is_err() {
        return format!("<{length} bytes at {at} are not captured>");
    }
    quoted(&bytes, length > shown as u64, false)
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
