//! Definitions of types by name, over all units. A header's types are defined by each unit that
//! includes it.

use gimli::DwTag;

use super::dwarf::{DebugInfo, DieRef};
use crate::base::FastMap;

/// Where the types are; the definitions of one name are chained.
#[derive(Default)]
pub(super) struct TypeNames<'d> {
    /// The definition of a name that was found last.
    last: FastMap<&'d str, usize>,
    definitions: Vec<Definition>,
}

struct Definition {
    die: DieRef,
    tag: DwTag,
    /// The one found before, of the same name.
    before: Option<usize>,
}

impl<'d> TypeNames<'d> {
    pub(super) fn read(info: &DebugInfo<'d>) -> TypeNames<'d> {
        info.index_all();
        let types = || info.units().filter_map(|unit| info.index(unit)).map(|index| &index.types);
        let mut names = TypeNames::default();
        names.definitions.reserve(types().map(Vec::len).sum());
        for entry in types().flatten().filter(|entry| !entry.declaration) {
            let before = names.last.insert(entry.name, names.definitions.len());
            names.definitions.push(Definition { die: entry.die, tag: entry.tag, before });
        }
        names
    }

    /// The definitions of `name` in the order of preference: structures before typedefs, then as
    /// the file has them.
    pub(super) fn get(&self, name: &str) -> Vec<(DieRef, DwTag)> {
        let mut next = self.last.get(name);
        let mut found = Vec::new();
        while let Some(definition) = next.and_then(|index| self.definitions.get(*index)) {
            found.push((definition.die, definition.tag));
            next = definition.before.as_ref();
        }
        found.sort_by_key(|(die, tag)| (*tag == gimli::DW_TAG_typedef, *die));
        found
    }

    /// Every name that is defined.
    pub(super) fn names(&self) -> impl Iterator<Item = &'d str> + '_ {
        self.last.keys().copied()
    }
}
