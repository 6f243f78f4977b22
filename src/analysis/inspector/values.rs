//! Values one level at a time: what a variable holds, what a pointer leads to, the elements of an
//! array by the page, the nodes of a list.

use super::super::variables::status_of;
use super::Inspector;
use crate::base::Address;
use crate::report::Status;
use crate::symbols::{
    FrameContext, Global, Limits, MemberInfo, NoFrame, Place, SymbolFile, TypeKind, TypeRef, Value,
    ValueKind,
};
use std::collections::HashMap;
use std::sync::Arc;

/// What is read of a value to show it on one line.
pub(super) const SHALLOW: Limits = Limits { depth: 3, elements: 16, nodes: 96, string: 200 };
/// Characters of a value on one line.
const LONGEST: usize = 400;
/// Nodes of a list that are followed.
const MOST_NODES: usize = 1000;
/// Anonymous structures within each other that are searched for a link.
const LINK_DEPTH: usize = 4;

/// A value, on one line, with what can be asked about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its name: a variable's, a member's, `[3]` for an element.
    pub name: String,
    /// Whether it is an argument of its function.
    pub argument: bool,
    /// Type as C writes it.
    pub type_name: Arc<str>,
    /// Where it is, when it is in memory.
    pub address: Option<Address>,
    /// Bytes.
    pub size: Option<u64>,
    /// Whether the value is known.
    pub status: Status,
    /// The value, or why there is none.
    pub text: String,
    /// The value as a number, when it is one.
    pub number: Option<Number>,
    /// Where a pointer leads.
    pub target: Option<Address>,
    /// What [`Inspector::children`] takes; none for a value without parts.
    pub part: Option<Part>,
}

/// A number that can be written in another base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Its bits.
    pub bits: u64,
    /// How many of them count.
    pub width: u32,
}

/// A value that has parts: which file knows its type, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    file: usize,
    ty: TypeRef,
    place: Place,
}

/// Some of the parts of a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Children {
    /// The parts, in order; equal elements of an array are one: `[16..79]`.
    pub items: Vec<Item>,
    /// Number of the part behind these.
    pub next: u64,
    /// How many more there are from that one on.
    pub more: u64,
}

/// A list, followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// Its nodes, in order.
    pub items: Vec<Item>,
    /// How it ends.
    pub end: String,
}

/// A global or static, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalName {
    /// Its name; `function::name` for a `static` of a function.
    pub name: String,
    /// Its type.
    pub type_name: Arc<str>,
    /// The source file of its unit.
    pub unit: Option<Arc<str>>,
    /// Where it is; none when it was optimised out.
    pub address: Option<Address>,
}

impl<'a, 'd> Inspector<'a, 'd> {
    /// Every global and static of every file, without reading their values. The position is the
    /// number that [`Inspector::global`] takes.
    pub fn globals(&self) -> Vec<GlobalName> {
        let mut units: HashMap<&str, Arc<str>> = HashMap::new();
        let known = self.known_globals().iter().filter_map(|(file, global)| {
            let unit = global
                .unit
                .map(|unit| Arc::clone(units.entry(unit).or_insert_with(|| unit.into())));
            Some(GlobalName {
                name: global.full_name(),
                type_name: self.file(*file)?.type_name(global.ty),
                unit,
                address: global.place.address(),
            })
        });
        known.collect()
    }

    /// The value of global number `index`.
    pub fn global(&self, index: usize) -> Option<Item> {
        let (file, global) = self.known_globals().get(index)?;
        let file = self.file(*file)?;
        let memory = self.memory();
        let value = file.read_value(global.ty, &global.place, memory, SHALLOW);
        Some(self.item(file, &global.full_name(), &value, &NoFrame(memory)))
    }

    /// The parts of a value, from number `from` on.
    pub fn children(&self, part: &Part, from: u64) -> Children {
        let Some(file) = self.file(part.file) else { return Children::default() };
        let memory = self.memory();
        if let Some(array) = file.array_layout(part.ty) {
            return self.elements(file, &array, &part.place, from);
        }
        let value = file.read_value(part.ty, &part.place, memory, SHALLOW);
        let items = match &value.kind {
            ValueKind::Struct { .. } | ValueKind::Union { .. } => self.members(file, part),
            // What a pointer to a number or to another pointer leads to.
            _ => vec![self.item(file, "*", &value, &NoFrame(memory))],
        };
        Children { next: items.len() as u64, items, more: 0 }
    }

    /// The members of the structure or union at `part`, each with room of its own for its line.
    fn members(&self, file: &SymbolFile<'d>, part: &Part) -> Vec<Item> {
        let memory = self.memory();
        // One level: the values of the members themselves are read one by one.
        let flat = Limits { depth: 1, elements: 0, nodes: 1 << 12, string: SHALLOW.string };
        let whole = file.read_value(part.ty, &part.place, memory, flat);
        let (ValueKind::Struct { members, .. } | ValueKind::Union { members, .. }) = &whole.kind
        else {
            return Vec::new();
        };
        let items = members.iter().map(|member| {
            let has_parts = matches!(
                member.value.kind,
                ValueKind::Struct { .. } | ValueKind::Union { .. } | ValueKind::Array { .. }
            );
            let name = member.name.unwrap_or("");
            if has_parts {
                let value = file.read_value(member.value.ty, &member.value.place, memory, SHALLOW);
                self.item(file, name, &value, &NoFrame(memory))
            } else {
                self.item(file, name, &member.value, &NoFrame(memory))
            }
        });
        items.collect()
    }

    /// The nodes of the list that begins at a structure or behind a pointer: the member by which
    /// one leads to the next is found by its type. `None` for what is no list.
    pub fn chain(&self, part: &Part) -> Option<Chain> {
        let file = self.file(part.file)?;
        let memory = self.memory();
        let (node, mut at) = self.first_node(file, part)?;
        let link = link_of(file, node, LINK_DEPTH)?;
        let mut seen: HashMap<Address, usize> = HashMap::new();
        let mut items = Vec::new();
        let end = loop {
            if at == Address(0) {
                break "ends with a null pointer".to_string();
            }
            if let Some(index) = seen.get(&at) {
                break match index {
                    0 => "leads back to [0]: a ring".to_string(),
                    index => format!("cycle: leads back to [{index}]"),
                };
            }
            if items.len() >= MOST_NODES {
                break format!("more than {MOST_NODES} nodes; the rest is not followed");
            }
            seen.insert(at, items.len());
            let value = file.read_value(node, &Place::Memory(at), memory, SHALLOW);
            let missing = value.missing().is_some();
            items.push(self.item(file, &format!("[{}]", items.len()), &value, &NoFrame(memory)));
            if missing {
                break format!("{at} is not captured: the list is lost there");
            }
            let next = Place::Memory(at).part(link.bit_offset);
            match next.address().and_then(|next| memory.read_u32(next).ok()) {
                Some(next) => at = Address(next),
                None => break "the link is not captured: the list is lost there".to_string(),
            }
        };
        Some(Chain { items, end })
    }

    /// The type of a list's nodes and the first of them: `part` itself, or what its first pointer to
    /// such a node leads to.
    fn first_node(&self, file: &SymbolFile<'d>, part: &Part) -> Option<(TypeRef, Address)> {
        let ty = file.strip_type(part.ty);
        if link_of(file, ty, LINK_DEPTH).is_some() {
            return Some((ty, part.place.address()?));
        }
        let info = file.type_info(ty);
        let mut heads = info.members.iter().filter_map(|member| {
            let pointer = file.type_info(file.strip_type(member.ty));
            let target = file.strip_type(pointer.target);
            (pointer.kind == TypeKind::Pointer && link_of(file, target, LINK_DEPTH).is_some())
                .then_some((member, target))
        });
        let (member, target) = heads.next()?;
        let place = part.place.part(member.bit_offset).address()?;
        Some((target, Address(self.memory().read_u32(place).ok()?)))
    }

    /// `value` under `name`, as people see it.
    pub(super) fn item(
        &self,
        file: &SymbolFile<'d>,
        name: &str,
        value: &Value<'d>,
        state: &dyn FrameContext,
    ) -> Item {
        let memory = state.memory();
        let status = value.missing().map_or(Status::Ok, |missing| status_of(missing, memory));
        let text = match status {
            Status::Ok => {
                let summary = file.summary(value, memory);
                summary.unwrap_or_else(|| file.render(value, memory, SHALLOW))
            }
            status => status.text().to_string(),
        };
        let (target, part) = self.inside(file, value, state);
        Item {
            name: name.to_string(),
            argument: false,
            type_name: Arc::clone(&value.type_name),
            address: value.address,
            size: value.size,
            status,
            text: shortened(text),
            number: number(value),
            target,
            part: part.map(|(ty, place)| Part { file: self.number_of(file), ty, place }),
        }
    }

    /// Where `value` leads, and what it can be opened to.
    fn inside(
        &self,
        file: &SymbolFile<'d>,
        value: &Value<'d>,
        state: &dyn FrameContext,
    ) -> (Option<Address>, Option<(TypeRef, Place)>) {
        match &value.kind {
            ValueKind::Struct { .. }
            | ValueKind::Union { .. }
            | ValueKind::Array { .. }
            | ValueKind::Text { .. } => (None, Some((value.ty, value.place.clone()))),
            ValueKind::Function => (value.address, None),
            ValueKind::Pointer(address) => {
                let pointer = file.type_info(file.strip_type(value.ty));
                let target = file.type_info(file.strip_type(pointer.target));
                let opens = *address != Address(0)
                    && target.kind != TypeKind::Function
                    && file.type_size(pointer.target).is_some();
                (Some(*address), opens.then(|| (pointer.target, Place::Memory(*address))))
            }
            ValueKind::SyntheticPointer(_) => {
                let flat = Limits { depth: 0, elements: 0, nodes: 1, string: 0 };
                let target = file.dereference(value, state, flat);
                (None, target.map(|target| (target.ty, target.place)))
            }
            _ => (None, None),
        }
    }

    pub(super) fn known_globals(&self) -> &[(usize, &'a Global<'d>)] {
        self.globals.get_or_init(|| {
            let symbols = &self.core.symbols;
            let mut known = Vec::new();
            for (number, file) in symbols.files().iter().enumerate() {
                let own = file.globals().iter().filter(|global| {
                    // What another image has there is that one's, as in the report.
                    let holder = global.place.address().and_then(|at| symbols.at(at));
                    holder.is_none_or(|holder| std::ptr::eq(holder, *file))
                });
                known.extend(own.map(|global| (number, global)));
            }
            known.sort_by_cached_key(|(number, global)| (global.full_name(), *number));
            known
        })
    }
}

/// The member by which a structure leads to the next of its type: one called like `next` before any
/// other. Anonymous structures and unions are looked into.
fn link_of<'d>(file: &SymbolFile<'d>, ty: TypeRef, depth: usize) -> Option<MemberInfo<'d>> {
    let mut links = Vec::new();
    add_links(file, file.strip_type(ty), ty, 0, depth, &mut links);
    let named = links.iter().position(|link| link.name.is_some_and(|name| name.contains("next")));
    links.into_iter().nth(named.unwrap_or(0))
}

fn add_links<'d>(
    file: &SymbolFile<'d>,
    node: TypeRef,
    ty: TypeRef,
    base: u64,
    depth: usize,
    links: &mut Vec<MemberInfo<'d>>,
) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for member in &file.type_info(file.strip_type(ty)).members {
        let own = file.strip_type(member.ty);
        let info = file.type_info(own);
        let bit_offset = base.saturating_add(member.bit_offset);
        if info.kind == TypeKind::Pointer && is_same(file, file.strip_type(info.target), node) {
            links.push(MemberInfo { bit_offset, ..*member });
        } else if member.name.is_none() && info.kind.has_members() {
            add_links(file, node, own, bit_offset, depth, links);
        }
    }
}

/// Whether two types are one: units describe the same structure each.
fn is_same(file: &SymbolFile<'_>, a: TypeRef, b: TypeRef) -> bool {
    let (x, y) = (file.type_info(a), file.type_info(b));
    a == b || x.kind.has_members() && x.kind == y.kind && x.name.is_some() && x.name == y.name
}

fn number(value: &Value<'_>) -> Option<Number> {
    let bits = match value.kind {
        ValueKind::Signed(number) | ValueKind::Char(number) => number as u64,
        ValueKind::Unsigned(number) => number,
        ValueKind::Bool(number) => u64::from(number),
        ValueKind::Enum { value, .. } => value as u64,
        ValueKind::Pointer(address) => u64::from(address.0),
        _ => return None,
    };
    let width = value.size?.saturating_mul(8).min(64);
    let width = u32::try_from(width).ok().filter(|width| *width > 0)?;
    let mask = u64::MAX.checked_shr(64_u32.saturating_sub(width))?;
    Some(Number { bits: bits & mask, width })
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
