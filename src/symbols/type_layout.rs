//! How a structure or union is laid out: every member, every hole, the padding at its end; and how
//! an array is.
//!
//! The sizes and places are DWARF's (5 sections 5.7.6 and 5.10); a hole is what no member takes.

use std::sync::Arc;

use super::file::SymbolFile;
use super::types::{MemberInfo, TypeKind, TypeRef};

/// Structures within each other.
const MAX_DEPTH: usize = 16;
/// Members, holes and padding in all.
const MAX_SLOTS: usize = 1 << 14;

/// What takes a place in a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// A member.
    Member,
    /// A base class.
    Base,
    /// Nothing, up to the next member.
    Hole,
    /// Nothing, up to the end of the structure.
    Padding,
}

/// A place in a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot<'d> {
    /// What takes it.
    pub kind: SlotKind,
    /// Name of the member; `None` for an anonymous structure or union, and for a hole.
    pub name: Option<&'d str>,
    /// Type of the member.
    pub ty: TypeRef,
    /// Name of that type; empty for a hole.
    pub type_name: Arc<str>,
    /// First bit, from the start of the outermost structure.
    pub bit_offset: u64,
    /// Bits; `None` for an array without bound.
    pub bits: Option<u64>,
    /// Whether the member is a bit-field.
    pub bit_field: bool,
    /// What takes the places in it, where that was asked for.
    pub parts: Vec<Slot<'d>>,
}

impl<'d> SymbolFile<'d> {
    /// The places of a structure, class or union, in order; empty for any other type. Anonymous
    /// members and base classes are looked into, with `expand` all members that are structures.
    pub fn slots(&self, ty: TypeRef, expand: bool) -> Vec<Slot<'d>> {
        let mut reader = SlotReader { symbols: self, expand, left: MAX_SLOTS };
        reader.read(ty, 0, MAX_DEPTH)
    }
}

/// How an array lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayLayout {
    /// Type of an element; of an array of arrays a row's.
    pub element: TypeRef,
    /// Bytes from one element to the next.
    pub stride: u64,
    /// How many elements there are; 0 for an array without bound.
    pub count: u64,
}

impl SymbolFile<'_> {
    /// How an array type lies in memory; `None` for any other type.
    pub fn array_layout(&self, ty: TypeRef) -> Option<ArrayLayout> {
        let stripped = self.strip_type(ty);
        let info = self.type_info(stripped);
        if info.kind != TypeKind::Array {
            return None;
        }
        let element = self.debug_info()?.element(stripped);
        let stride = self.type_size(element)?;
        Some(ArrayLayout {
            element,
            stride,
            count: info.dimensions.first().copied().flatten().unwrap_or(0),
        })
    }
}

struct SlotReader<'a, 'd> {
    symbols: &'a SymbolFile<'d>,
    expand: bool,
    left: usize,
}

impl<'d> SlotReader<'_, 'd> {
    fn read(&mut self, ty: TypeRef, base: u64, depth: usize) -> Vec<Slot<'d>> {
        let stripped = self.symbols.strip_type(ty);
        let info = self.symbols.type_info(stripped);
        let Some(depth) = depth.checked_sub(1).filter(|_| info.kind.has_members()) else {
            return Vec::new();
        };
        let is_union = info.kind == TypeKind::Union;
        let mut slots = Vec::new();
        let mut end = 0_u64;
        for member in &info.members {
            let Some(left) = self.left.checked_sub(1) else { return slots };
            self.left = left;
            if member.bit_offset > end && !is_union {
                slots.push(empty(SlotKind::Hole, base, end, member.bit_offset));
            }
            let slot = self.member(member, base, depth);
            end = end.max(member.bit_offset.saturating_add(slot.bits.unwrap_or(0)));
            slots.push(slot);
        }
        let size = info.size.unwrap_or(0).saturating_mul(8);
        // One byte of a structure without members is not padding: C++ wants it to have a size.
        if size > end && !info.members.is_empty() {
            slots.push(empty(SlotKind::Padding, base, end, size));
        }
        slots
    }

    fn member(&mut self, member: &MemberInfo<'d>, base: u64, depth: usize) -> Slot<'d> {
        let bit_offset = base.saturating_add(member.bit_offset);
        let own = self.symbols.type_size(member.ty).and_then(|size| size.checked_mul(8));
        let inside = self.expand || member.is_base || member.name.is_none();
        Slot {
            kind: if member.is_base { SlotKind::Base } else { SlotKind::Member },
            name: member.name,
            ty: member.ty,
            type_name: self.symbols.type_name(member.ty),
            bit_offset,
            bits: member.bit_size.or(own),
            bit_field: member.bit_size.is_some(),
            parts: if inside { self.read(member.ty, bit_offset, depth) } else { Vec::new() },
        }
    }
}

fn empty<'d>(kind: SlotKind, base: u64, begin: u64, end: u64) -> Slot<'d> {
    Slot {
        kind,
        name: None,
        ty: TypeRef::VOID,
        type_name: "".into(),
        bit_offset: base.saturating_add(begin),
        bits: Some(end.saturating_sub(begin)),
        bit_field: false,
        parts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ElfImage;
    use super::*;

    #[test]
    fn slots_of_every_structure_fill_it_and_do_not_overlap() {
        let bytes = include_bytes!("../../fixtures/elf/mps2-an385-Og.elf");
        let image = ElfImage::parse(bytes).unwrap();
        let symbols = SymbolFile::new(&image);
        let mut holes = 0;
        for (name, ty) in symbols.named_types() {
            let info = symbols.type_info(ty);
            if info.kind != TypeKind::Struct || info.members.is_empty() {
                continue;
            }
            let mut end = 0;
            for slot in symbols.slots(ty, false) {
                assert_eq!(slot.bit_offset, end, "{name}: {slot:?}");
                end += slot.bits.unwrap_or(0);
                holes += usize::from(slot.kind != SlotKind::Member);
            }
            assert_eq!(Some(end / 8), symbols.type_size(ty), "{name}");
        }
        assert!(holes > 0, "some structure has a hole or padding");
    }

    #[test]
    fn expanded_slots_count_from_the_outermost_structure() {
        let bytes = include_bytes!("../../fixtures/elf/mps2-an385-Og.elf");
        let image = ElfImage::parse(bytes).unwrap();
        let symbols = SymbolFile::new(&image);
        let ty = symbols.type_by_name("struct k_thread").unwrap();
        let slots = symbols.slots(ty, true);
        let saved = slots.iter().find(|slot| slot.name == Some("callee_saved")).unwrap();
        let psp = saved.parts.iter().find(|slot| slot.name == Some("psp")).unwrap();
        let expected = symbols.layout_in(ty, "callee_saved.psp").unwrap().offset_bytes;
        assert_eq!(psp.bit_offset, expected * 8);
        assert!(
            symbols
                .slots(ty, false)
                .iter()
                .all(|slot| slot.name.is_none() || slot.parts.is_empty())
        );
    }
}
