//! What lies at an offset within a type, as the source spells it: `next`, `items[2].x`.

use super::file::SymbolFile;
use super::types::{MemberInfo, TypeKind, TypeRef};

/// Structures and arrays within each other.
const MAX_DEPTH: usize = 8;

/// The innermost part of a type at some offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartAt {
    /// How the source selects it: `.next`, `[2].x`; empty for the type itself.
    pub path: String,
    /// Its type.
    pub ty: TypeRef,
    /// Bytes from the start of the part; not 0 within a number.
    pub rest: u64,
}

impl SymbolFile<'_> {
    /// The part of a `ty` that lies `offset` bytes from its start; of the members of a union the
    /// first. `None` for padding and past the end.
    pub fn part_at(&self, ty: TypeRef, offset: u64) -> Option<PartAt> {
        let mut part = PartAt { path: String::new(), ty, rest: offset };
        for _ in 0..MAX_DEPTH {
            let stripped = self.strip_type(part.ty);
            let info = self.type_info(stripped);
            if info.kind == TypeKind::Array {
                let row = self.element(stripped);
                let size = self.type_size(row).filter(|size| *size > 0)?;
                let index = part.rest.checked_div(size)?;
                // An array without bound, at the end of a structure, goes on.
                let count = info.dimensions.first().copied().flatten();
                if count.is_some_and(|count| count > 0 && index >= count) {
                    return None;
                }
                part.path.push_str(&format!("[{index}]"));
                part.rest = part.rest.checked_rem(size)?;
                part.ty = row;
                continue;
            }
            if !info.kind.has_members() {
                let size = self.type_size(part.ty)?;
                return (part.rest < size).then_some(part);
            }
            let holds = |member: &&MemberInfo<'_>| {
                let (start, size) = self.bytes_of(member);
                // Only an array without bound, at the end, has no size.
                let end = start.saturating_add(size.unwrap_or(u64::MAX));
                (start..end).contains(&part.rest)
            };
            let member = info.members.iter().find(holds)?;
            if let Some(name) = member.name.filter(|_| !member.is_base) {
                part.path.push('.');
                part.path.push_str(name);
            }
            part.rest = part.rest.checked_sub(member.bit_offset / 8)?;
            part.ty = member.ty;
            if member.bit_size.is_some() {
                return Some(part);
            }
        }
        None
    }

    /// The first byte of a member and how many it takes, where its type has a size.
    pub(super) fn bytes_of(&self, member: &MemberInfo<'_>) -> (u64, Option<u64>) {
        let (start, within) = (member.bit_offset / 8, member.bit_offset % 8);
        let size = match member.bit_size {
            Some(bits) => Some(bits.saturating_add(within).div_ceil(8)),
            None => self.type_size(member.ty),
        };
        (start, size)
    }

    /// What an array holds: a row when it has several dimensions.
    fn element(&self, array: TypeRef) -> TypeRef {
        self.debug_info().map_or(TypeRef::VOID, |info| info.element(array))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ElfImage;
    use super::*;

    #[test]
    fn offset_of_every_known_path_gives_that_path() {
        let bytes = include_bytes!("../../fixtures/elf/mps2-an385-Og.elf");
        let image = ElfImage::parse(bytes).unwrap();
        let symbols = SymbolFile::new(&image);
        let ty = symbols.type_by_name("struct k_thread").unwrap();
        for path in ["callee_saved.psp", "stack_info.start", "base.user_options"] {
            let offset = symbols.layout_in(ty, path).unwrap().offset_bytes;
            let part = symbols.part_at(ty, offset).unwrap();
            assert_eq!((part.path, part.rest), (format!(".{path}"), 0));
        }
        let kernel = symbols.type_by_name("struct z_kernel").unwrap();
        let offset = symbols.layout_in(kernel, "cpus[0].current").unwrap().offset_bytes;
        assert_eq!(symbols.part_at(kernel, offset).unwrap().path, ".cpus[0].current");
        assert_eq!(symbols.part_at(kernel, offset + 1).unwrap().rest, 1);
        assert_eq!(symbols.part_at(kernel, 1 << 40), None);
    }
}
