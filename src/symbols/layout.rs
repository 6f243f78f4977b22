//! Where a member lies: `("k_thread", "callee_saved.psp")` to offset, size and type.

use super::dwarf::DebugInfo;
use super::file::SymbolFile;
use super::types::{MemberInfo, TypeKind, TypeRef};

/// Anonymous structures and base classes within each other.
const MAX_DEPTH: usize = 16;
/// Members that are looked at in search of one.
const MAX_MEMBERS: usize = 1 << 16;

/// Where a member lies within a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberLayout {
    /// First byte, from the start of the outer type.
    pub offset_bytes: u64,
    /// Its size; `None` for an array without bound. For a bit-field that of its type.
    pub size_bytes: Option<u64>,
    /// For a bit-field: the first bit, counted from the least significant of the byte at
    /// `offset_bytes`, and the width.
    pub bits: Option<(u64, u64)>,
    /// Its type.
    pub ty: TypeRef,
}

/// One step of a member path.
#[derive(Debug, PartialEq, Eq)]
enum Step<'p> {
    Name(&'p str),
    Index(u64),
}

impl<'d> DebugInfo<'d> {
    /// The member of that name and its place in bits, through anonymous structures and unions
    /// and base classes.
    pub(super) fn find_member(&self, ty: TypeRef, name: &str) -> Option<MemberInfo<'d>> {
        self.find_nested(ty, name, MAX_DEPTH, &mut { MAX_MEMBERS })
    }

    fn find_nested(
        &self,
        ty: TypeRef,
        name: &str,
        depth: usize,
        budget: &mut usize,
    ) -> Option<MemberInfo<'d>> {
        let depth = depth.checked_sub(1)?;
        let info = self.type_info(self.strip(ty));
        *budget = budget.checked_sub(info.members.len())?;
        if let Some(found) = info.members.iter().find(|m| m.name == Some(name)) {
            return Some(*found);
        }
        let nested = info.members.iter().filter(|m| m.name.is_none() || m.is_base);
        for member in nested {
            if let Some(mut found) = self.find_nested(member.ty, name, depth, budget) {
                found.bit_offset = found.bit_offset.checked_add(member.bit_offset)?;
                return Some(found);
            }
        }
        None
    }

    fn layout(&self, ty: TypeRef, path: &str) -> Option<MemberLayout> {
        let mut at = ty;
        let mut bit_offset = 0_u64;
        let mut bit_size = None;
        for step in parse_path(path)? {
            match step {
                Step::Name(name) => {
                    let member = self.find_member(at, name)?;
                    bit_offset = bit_offset.checked_add(member.bit_offset)?;
                    (at, bit_size) = (member.ty, member.bit_size);
                }
                Step::Index(index) => {
                    let array = self.strip(at);
                    let info = self.type_info(array);
                    let bound = *info.dimensions.first()?;
                    if info.kind != TypeKind::Array || bound.is_some_and(|bound| index >= bound) {
                        return None;
                    }
                    at = self.element(array);
                    let stride = self.type_size(at)?.checked_mul(8)?;
                    bit_offset = bit_offset.checked_add(stride.checked_mul(index)?)?;
                }
            }
        }
        Some(MemberLayout {
            offset_bytes: bit_offset / 8,
            size_bytes: self.type_size(at),
            bits: bit_size.map(|width| (bit_offset % 8, width)),
            ty: at,
        })
    }
}

impl<'d> SymbolFile<'d> {
    /// Where `member_path` lies within the type of that name: `("k_thread", "callee_saved.psp")`,
    /// `("z_kernel", "cpus[0].current")`. Members of anonymous structures and unions count as
    /// their parent's; pointers are not followed. An empty path is the type itself.
    pub fn layout(&self, type_name: &str, member_path: &str) -> Option<MemberLayout> {
        self.layout_in(self.type_by_name(type_name)?, member_path)
    }

    /// As [`SymbolFile::layout`], within a type at hand.
    pub fn layout_in(&self, ty: TypeRef, member_path: &str) -> Option<MemberLayout> {
        self.debug_info()?.layout(ty, member_path)
    }
}

fn parse_path(path: &str) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('[');
        let name = pieces.next()?;
        if !name.is_empty() {
            steps.push(Step::Name(name));
        }
        for piece in pieces {
            steps.push(Step::Index(piece.strip_suffix(']')?.trim().parse().ok()?));
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_split_into_names_and_subscripts() {
        use Step::{Index, Name};
        let path = parse_path("cpus[0].current.x[2][3]").unwrap();
        let expected = vec![Name("cpus"), Index(0), Name("current"), Name("x"), Index(2), Index(3)];
        assert_eq!(path, expected);
        assert_eq!(parse_path(""), Some(Vec::new()));
        assert_eq!(parse_path("a[x]"), None);
        assert_eq!(parse_path("a[1"), None);
    }
}
