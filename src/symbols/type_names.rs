//! Definitions of types by name, over all units. A header's types are defined by each unit that
//! includes it.

use gimli::DwTag;

use super::dwarf::{DebugInfo, DieRef};
use crate::base::FastMap;

/// Where the types are; the definitions of one name are chained.
#[derive(Default)]
pub(super) struct TypeNames<'d> {
    /// The definition of a name that was found last.
    last: FastMap<&'d str, u32>,
    definitions: Vec<Definition>,
}

/// Small, as there are hundreds of thousands.
struct Definition {
    die: DieRef,
    tag: DwTag,
    /// The one found before, of the same name.
    before: Option<u32>,
}

impl<'d> TypeNames<'d> {
    pub(super) fn read(info: &DebugInfo<'d>) -> TypeNames<'d> {
        info.index_all();
        let types = || info.units().filter_map(|unit| info.index(unit)).map(|index| &index.types);
        let mut names = TypeNames::default();
        names.definitions.reserve(types().map(Vec::len).sum());
        for entry in types().flatten().filter(|entry| !entry.declaration) {
            // There are fewer than bytes in the file.
            let Ok(index) = u32::try_from(names.definitions.len()) else { break };
            let before = names.last.insert(entry.name, index);
            names.definitions.push(Definition { die: entry.die, tag: entry.tag, before });
        }
        names
    }

    /// The definitions of `name` in the order of preference: structures before typedefs, then as
    /// the file has them.
    pub(super) fn get(&self, name: &str) -> Vec<(DieRef, DwTag)> {
        let mut next = self.last.get(name).copied();
        let mut found = Vec::new();
        let at = |index| self.definitions.get(usize::try_from(index).ok()?);
        while let Some(definition) = next.and_then(at) {
            found.push((definition.die, definition.tag));
            next = definition.before;
        }
        found.sort_by_key(|(die, tag)| (*tag == gimli::DW_TAG_typedef, *die));
        found
    }

    /// Every name that is defined.
    pub(super) fn names(&self) -> impl Iterator<Item = &'d str> + '_ {
        self.last.keys().copied()
    }
}
