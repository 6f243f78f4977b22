//! `mflt symbols type`: members, offsets, sizes and holes of a type.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::super::{Context, Exit, WithHint};
use super::{Source, with_symbols, write_line};
use crate::symbols::{Slot, SlotKind, SymbolFile, TypeKind, TypeRef};

/// Print how a type is laid out: offsets, sizes, bit-fields, holes, values of an enumeration.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt symbols type 'struct k_thread' --elf zephyr.elf\n  \
    mflt symbols type k_thread.base --expand --elf zephyr.elf\n  \
    mflt symbols type app::Motor --elf firmware.elf\n  \
    mflt symbols type g_state --elf zephyr.elf --json")]
pub(super) struct TypeArgs {
    /// A type, with or without `struct`, `union` or `enum`, in C++ and Rust with or without its path; a
    /// global variable, for its type; with `.member` the type of that member.
    #[arg(value_name = "NAME")]
    name: String,
    /// The firmware's ELF file, with debug information; of several the first that has the name
    /// counts.
    #[arg(long, value_name = "ELF", required = true)]
    elf: Vec<PathBuf>,
    /// Lay out members that are structures too.
    #[arg(long)]
    expand: bool,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Layout {
    name: String,
    /// Without typedefs, where that is another name.
    is: Option<String>,
    size: Option<u64>,
    source: Option<Source>,
    members: Vec<Member>,
    enumerators: Vec<Enumerator>,
}

#[derive(Debug, Serialize)]
struct Member {
    /// `member`, `base`, `hole`, `padding`.
    kind: &'static str,
    name: Option<String>,
    #[serde(rename = "type")]
    type_name: Option<String>,
    /// Bytes from the start of the whole type.
    offset: u64,
    /// The first bit within the byte at `offset`, of a bit-field or of a hole that is no whole bytes.
    bit: Option<u64>,
    /// Bytes; absent for what is no whole bytes, and for an array without bound.
    size: Option<u64>,
    /// Width of what is no whole bytes.
    bits: Option<u64>,
    members: Vec<Member>,
}

#[derive(Debug, Serialize)]
struct Enumerator {
    name: String,
    value: i64,
}

impl TypeArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        with_symbols(&self.elf, |files| {
            let found = files.iter().find_map(|file| Some((file, find(file, &self.name)?)));
            let Some((symbols, ty)) = found else {
                let error = anyhow::anyhow!("no type or variable is named `{}`", self.name);
                return if files.iter().any(|file| file.image().has_debug_info()) {
                    Err(error).hint("`mflt symbols name '*part*'` finds names by a part of them")
                } else {
                    Err(error).hint("the ELF has no debug information: build with -g")
                };
            };
            let layout = layout(symbols, ty, self.expand);
            if self.json {
                context.json(&layout)?;
            } else {
                for line in lines(&layout) {
                    write_line(context, &line)?;
                }
            }
            Ok(Exit::Done)
        })
    }
}

/// `struct k_thread`, `k_thread.base.qnode`, `g_state`, `g_state.items[0]`.
fn find(symbols: &SymbolFile<'_>, text: &str) -> Option<TypeRef> {
    let whole = |name: &str| {
        symbols.type_by_name(name).or_else(|| symbols.global(name).map(|global| global.ty))
    };
    whole(text).or_else(|| {
        let end = text.find(['.', '['])?;
        let (name, path) = text.split_at(end);
        Some(symbols.layout_in(whole(name)?, path)?.ty)
    })
}

fn layout(symbols: &SymbolFile<'_>, ty: TypeRef, expand: bool) -> Layout {
    let stripped = symbols.strip_type(ty);
    let info = symbols.type_info(stripped);
    let name = symbols.type_name(ty).to_string();
    let other = Some(symbols.type_name(stripped).to_string()).filter(|other| *other != name);
    let enumerators = info.enumerators.iter().filter(|_| info.kind == TypeKind::Enum);
    Layout {
        name,
        is: other,
        size: symbols.type_size(ty),
        source: symbols.declaration_of_type(ty).map(Source::from),
        members: symbols.slots(ty, expand).iter().map(member).collect(),
        enumerators: enumerators
            .map(|e| Enumerator { name: e.name.to_string(), value: e.value })
            .collect(),
    }
}

fn member(slot: &Slot<'_>) -> Member {
    let is_empty = matches!(slot.kind, SlotKind::Hole | SlotKind::Padding);
    let whole = !slot.bit_field
        && slot.bit_offset.is_multiple_of(8)
        && slot.bits.is_none_or(|bits| bits.is_multiple_of(8));
    Member {
        kind: match slot.kind {
            SlotKind::Member => "member",
            SlotKind::Base => "base",
            SlotKind::Hole => "hole",
            SlotKind::Padding => "padding",
        },
        name: slot.name.map(str::to_string),
        type_name: (!is_empty).then(|| slot.type_name.to_string()),
        offset: slot.bit_offset / 8,
        bit: (!whole).then_some(slot.bit_offset % 8),
        size: slot.bits.filter(|_| whole).map(|bits| bits / 8),
        bits: slot.bits.filter(|_| !whole),
        members: slot.parts.iter().map(member).collect(),
    }
}

fn lines(layout: &Layout) -> Vec<String> {
    let size = layout.size.map_or_else(|| "size unknown".to_string(), |s| format!("{s} bytes"));
    let is = layout.is.as_ref().map_or(String::new(), |is| format!(" = {is}"));
    let source = layout.source.as_ref().map_or(String::new(), |s| format!(", at {}", s.text()));
    let mut lines = vec![format!("{}{is}: {size}{source}", layout.name)];
    if !layout.members.is_empty() {
        lines.push(format!("{:>8} {:>8}", "offset", "size"));
        add_members(&layout.members, 0, &mut lines);
        let lost: Vec<&Member> = layout.members.iter().filter(|m| m.type_name.is_none()).collect();
        if !lost.is_empty() {
            let bits = |m: &&Member| m.size.map_or(m.bits, |size| Some(size * 8)).unwrap_or(0);
            let bits: u64 = lost.iter().map(bits).sum();
            let count = lost.len();
            let what = if count == 1 { "hole" } else { "holes" };
            let amount = match (bits / 8, bits % 8) {
                (bytes, 0) => format!("{bytes} bytes"),
                (0, bits) => format!("{bits} bits"),
                (bytes, bits) => format!("{bytes} bytes and {bits} bits"),
            };
            lines.push(format!("{count} {what}, {amount} unused"));
        }
    }
    let width = layout.enumerators.iter().map(|e| e.name.chars().count()).max().unwrap_or(0);
    for Enumerator { name, value } in &layout.enumerators {
        lines.push(format!("  {name:<width$} = {value}"));
    }
    lines
}

fn add_members(members: &[Member], depth: usize, lines: &mut Vec<String>) {
    for member in members {
        let offset = match member.bit {
            Some(bit) => format!("{}:{bit}", member.offset),
            None => member.offset.to_string(),
        };
        let size = match (member.size, member.bits) {
            (Some(size), _) => size.to_string(),
            (None, Some(bits)) => format!(":{bits}"),
            (None, None) => "?".to_string(),
        };
        let what = match (&member.type_name, &member.name) {
            (Some(type_name), Some(name)) => declared(type_name, name),
            (Some(type_name), None) => type_name.clone(),
            (None, _) => format!("({})", member.kind),
        };
        let base = if member.kind == "base" { "base " } else { "" };
        let indent = depth * 2;
        lines.push(format!("{offset:>8} {size:>8}  {:indent$}{base}{what}", ""));
        add_members(&member.members, depth + 1, lines);
    }
}

/// A member as C declares it: `uint8_t name[4]`, `void (*name)(int)`.
fn declared(type_name: &str, name: &str) -> String {
    if let Some((before, after)) = type_name.split_once("(*)") {
        return format!("{before}(*{name}){after}");
    }
    match type_name.split_once(" [") {
        Some((element, dimensions)) => format!("{element} {name}[{dimensions}"),
        // An array of pointers.
        None if type_name.contains("*[") => type_name.replacen("*[", &format!("*{name}["), 1),
        None if type_name.ends_with('*') => format!("{type_name}{name}"),
        None => format!("{type_name} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::declared;

    #[test]
    fn members_are_declared_as_in_c() {
        assert_eq!(declared("uint8_t [4][3]", "buf"), "uint8_t buf[4][3]");
        assert_eq!(declared("void (*)(struct k_timer *)", "fn"), "void (*fn)(struct k_timer *)");
        assert_eq!(declared("struct x *", "next"), "struct x *next");
        assert_eq!(declared("struct x *[4]", "slots"), "struct x *slots[4]");
        assert_eq!(declared("int", "n"), "int n");
    }
}
