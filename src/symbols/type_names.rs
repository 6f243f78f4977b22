//! Definitions of types by name, over all units. A header's types are defined by each unit that
//! includes it.

use std::hash::BuildHasher;
use std::num::NonZeroU32;

use gimli::DwTag;

use super::dwarf::{DebugInfo, DieRef};
use super::index::TypeEntry;

/// Where the types are, chained by hash. Names and hashes stay in the units' indexes, which two
/// threads make at once: of hundreds of thousands of types few are ever asked for.
#[derive(Default)]
pub(super) struct TypeNames {
    /// For the low bits of a hash the last of `definitions`, counted from one.
    last: Vec<Option<NonZeroU32>>,
    definitions: Vec<Definition>,
}

struct Definition {
    unit: u32,
    /// Among the types of the unit's index.
    entry: u32,
    /// The one before with the same low bits, counted from one.
    before: Option<NonZeroU32>,
}

impl TypeNames {
    pub(super) fn read(info: &DebugInfo<'_>) -> TypeNames {
        info.index_all();
        let indexed = || info.units().filter_map(|unit| Some((unit, info.index(unit)?)));
        let count: usize = indexed().map(|(_, index)| index.types.len()).sum();
        let mut names = TypeNames {
            last: vec![None; count.next_power_of_two()],
            definitions: Vec::with_capacity(count),
        };
        for (unit, index) in indexed() {
            for (entry, named) in (0..).zip(&index.types).filter(|(_, named)| !named.declaration) {
                names.add(named.hash, unit, entry);
            }
        }
        names
    }

    fn add(&mut self, hash: u32, unit: u32, entry: u32) {
        // There are fewer than bytes in the file.
        let number = u32::try_from(self.definitions.len().saturating_add(1)).ok();
        let number = number.and_then(NonZeroU32::new);
        let chain = chain(hash, self.last.len());
        if let Some((last, number)) = self.last.get_mut(chain).zip(number) {
            self.definitions.push(Definition { unit, entry, before: last.replace(number) });
        }
    }

    /// Those whose names may have `hash`, the last first.
    fn chained(&self, hash: u32) -> impl Iterator<Item = &Definition> {
        let at = |number: NonZeroU32| {
            self.definitions.get(usize::try_from(number.get()).ok()?.saturating_sub(1))
        };
        let last = self.last.get(chain(hash, self.last.len())).copied().flatten();
        std::iter::successors(last.and_then(at), move |definition| definition.before.and_then(at))
    }
}

/// Which of `chains`, a power of two, names with `hash` are in.
fn chain(hash: u32, chains: usize) -> usize {
    usize::try_from(hash).unwrap_or_default() & chains.saturating_sub(1)
}

impl<'d> DebugInfo<'d> {
    /// What names are found by.
    pub(super) fn hash(&self, name: &str) -> u32 {
        let [low @ .., _, _, _, _] = self.hasher.hash_one(name).to_le_bytes();
        u32::from_le_bytes(low)
    }

    /// The definitions of `name` in the order of preference: structures before typedefs, then as
    /// the file has them.
    pub(super) fn types_named(&self, name: &str) -> Vec<(DieRef, DwTag)> {
        let (names, hash) = (self.type_names(), self.hash(name));
        let entries = names.chained(hash).filter_map(|definition| self.type_entry(definition));
        let mut found: Vec<_> = entries
            .filter(|entry| entry.hash == hash && entry.name == name)
            .map(|entry| (entry.die, entry.tag))
            .collect();
        found.sort_by_key(|(die, tag)| (*tag == gimli::DW_TAG_typedef, *die));
        found
    }

    /// Every definition.
    pub(super) fn defined_types(&self) -> impl Iterator<Item = &TypeEntry<'d>> {
        self.type_names().definitions.iter().filter_map(|definition| self.type_entry(definition))
    }

    fn type_entry(&self, definition: &Definition) -> Option<&TypeEntry<'d>> {
        let types = &self.index(definition.unit)?.types;
        types.get(usize::try_from(definition.entry).ok()?)
    }
}
