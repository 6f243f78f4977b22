//! An entry together with what it is an instance or the definition of, read once for all that is
//! asked of it. DWARF 5 sections 2.13 (`DW_AT_specification`) and 3.3.8.1 (`DW_AT_abstract_origin`).

use gimli::DwAt;

use super::dwarf::{AttrValue, DebugInfo, Die, DieRef};

/// Origins and specifications that are followed from one entry.
const MAX_ORIGINS: usize = 8;

/// An entry, and behind it the entries that it completes.
pub(super) struct Entry<'i, 'd> {
    info: &'i DebugInfo<'d>,
    at: DieRef,
    chain: Vec<(DieRef, Die<'d>)>,
}

impl<'d> Entry<'_, 'd> {
    /// The entry itself, without its origins.
    pub(super) fn own(&self) -> Option<&Die<'d>> {
        self.chain.first().map(|(_, die)| die)
    }

    /// The end of the chain of origins: the same for all instances of one declaration.
    pub(super) fn root(&self) -> DieRef {
        self.chain.last().map_or(self.at, |(at, _)| *at)
    }

    /// An attribute of the entry or of its origins, with the unit that its value belongs to.
    pub(super) fn attribute(&self, name: DwAt) -> Option<(u32, AttrValue<'d>)> {
        self.chain.iter().find_map(|(at, die)| Some((at.unit, die.attr_value(name)?)))
    }

    /// `DW_AT_name`.
    pub(super) fn name(&self) -> Option<&'d str> {
        let (unit, value) = self.attribute(gimli::DW_AT_name)?;
        self.info.string(unit, &value)
    }

    /// `DW_AT_linkage_name` or its old spelling.
    pub(super) fn linkage_name(&self) -> Option<&'d str> {
        let old = || self.attribute(gimli::DW_AT_MIPS_linkage_name);
        let (unit, value) = self.attribute(gimli::DW_AT_linkage_name).or_else(old)?;
        self.info.string(unit, &value)
    }

    /// `DW_AT_type`.
    pub(super) fn ty(&self) -> Option<DieRef> {
        let (unit, value) = self.attribute(gimli::DW_AT_type)?;
        self.info.reference(unit, &value)
    }
}

impl<'d> DebugInfo<'d> {
    /// The entry at `die` with its origins; of a malformed one nothing is known.
    pub(super) fn entry(&self, die: DieRef) -> Entry<'_, 'd> {
        Entry { info: self, at: die, chain: self.chain(die).collect() }
    }

    /// One attribute of `die` or of its origins, with the unit that its value belongs to.
    pub(super) fn attribute(&self, die: DieRef, name: DwAt) -> Option<(u32, AttrValue<'d>)> {
        self.chain(die).find_map(|(at, die)| Some((at.unit, die.attr_value(name)?)))
    }

    /// The end of the chain of origins of `die`.
    pub(super) fn root_origin(&self, die: DieRef) -> DieRef {
        self.chain(die).last().map_or(die, |(at, _)| at)
    }

    /// `DW_AT_name` of `die` or of its origins.
    pub(super) fn name(&self, die: DieRef) -> Option<&'d str> {
        let (unit, value) = self.attribute(die, gimli::DW_AT_name)?;
        self.string(unit, &value)
    }

    /// What `die` is an instance or the definition of.
    pub(super) fn origin(&self, unit: u32, die: &Die<'d>) -> Option<DieRef> {
        let value = die
            .attr_value(gimli::DW_AT_abstract_origin)
            .or_else(|| die.attr_value(gimli::DW_AT_specification))?;
        self.reference(unit, &value)
    }

    /// The entry at `die`, then its origins, each with where it is.
    fn chain(&self, die: DieRef) -> impl Iterator<Item = (DieRef, Die<'d>)> + '_ {
        let mut next = Some(die);
        let step = move || {
            let at = next.take()?;
            let die = self.die(at)?;
            next = self.origin(at.unit, &die).filter(|origin| *origin != at);
            Some((at, die))
        };
        std::iter::from_fn(step).take(MAX_ORIGINS)
    }
}
