//! DWARF sections and their units, read on demand. DWARF 2 to 5; sections 7.5 (units),
//! 2.17 (ranges) and 6.1.2 (`.debug_aranges`, for units that do not list their own ranges).
//!
//! Split DWARF is not supported: a unit whose contents are in a `.dwo` file is passed over and
//! counted. What the linker dropped still has entries here, at address 0, 1 or -1; ranges that
//! hold no code of the program are left out.

use std::sync::{Arc, Mutex, OnceLock};

use gimli::{
    AttributeValue, DebugInfoOffset, DebuggingInformationEntry, DwTag, Dwarf, EndianSlice,
    LittleEndian, Section, Unit, UnitHeader, UnitOffset, UnitType,
};

use super::elf::{AllocatedSection, ElfImage, utf8_prefix};
use super::index::UnitIndex;
use super::lines::LineTable;
use super::tail_calls::TailCalls;
use super::type_names::TypeNames;
use super::types::{ResolvedType, TypeInfo, TypeRef};
use crate::base::{FastMap, join};

pub(super) type Slice<'d> = EndianSlice<'d, LittleEndian>;
pub(super) type Die<'d> = DebuggingInformationEntry<Slice<'d>>;
pub(super) type AttrValue<'d> = AttributeValue<Slice<'d>>;

/// Entries of one function that are looked at in search of one.
const MAX_ENTRIES: usize = 1 << 20;
/// Ranges of one function or block.
pub(super) const MAX_RANGES: usize = 512;
/// Ranges of all units together.
const MAX_UNIT_RANGES: usize = 1 << 22;

/// Where a debugging information entry is; it belongs to the file that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DieRef {
    pub(super) unit: u32,
    pub(super) offset: u32,
}

/// Addresses that hold the program, to tell them from leftovers of dropped sections.
pub(super) struct Program<'d> {
    pub(super) sections: Vec<AllocatedSection<'d>>,
    /// Whether a function is at address 0, as in a tightly coupled memory.
    pub(super) function_at_zero: bool,
}

impl Program<'_> {
    /// Whether `begin..end` starts inside the program, as addresses of the target.
    pub(super) fn live(&self, begin: u64, end: u64) -> Option<(u32, u32)> {
        let start = u32::try_from(begin).ok()?;
        let end = u32::try_from(end.min(u64::from(u32::MAX))).ok()?;
        if start >= end || (start <= 1 && !self.function_at_zero) {
            return None;
        }
        let inside = self.sections.iter().any(|s| s.range.contains(start.into()));
        inside.then_some((start, end))
    }
}

struct UnitSlot<'d> {
    header: UnitHeader<Slice<'d>>,
    unit: OnceLock<Option<Unit<Slice<'d>>>>,
    index: OnceLock<UnitIndex<'d>>,
    lines: OnceLock<LineTable<'d>>,
}

/// A range of addresses that a unit describes.
struct UnitRange {
    begin: u32,
    end: u32,
    /// The highest end up to here: where a backward search may stop.
    reach: u32,
    unit: u32,
}

/// Less `.debug_info` is indexed before a second thread has started.
const FEWEST_BYTES_FOR_TWO: usize = 1 << 16;

/// All units, unparsed.
pub(super) struct DebugInfo<'d> {
    pub(super) dwarf: Dwarf<Slice<'d>>,
    pub(super) program: Program<'d>,
    slots: Vec<UnitSlot<'d>>,
    /// How many of `slots` are from `.debug_info`, in the order of their offsets.
    from_info: usize,
    signatures: FastMap<u64, u32>,
    ranges: OnceLock<Vec<UnitRange>>,
    /// Makes the hashes by which types are found.
    pub(super) hasher: foldhash::fast::RandomState,
    type_names: OnceLock<TypeNames>,
    pub(super) types: Mutex<FastMap<TypeRef, Arc<TypeInfo<'d>>>>,
    pub(super) names: Mutex<FastMap<TypeRef, Arc<str>>>,
    pub(super) resolved: Mutex<FastMap<TypeRef, Arc<ResolvedType<'d>>>>,
    pub(super) tail_calls: Mutex<TailCalls>,
}

impl<'d> DebugInfo<'d> {
    /// `None` when there is no DWARF.
    pub(super) fn new(image: &'d ElfImage<'d>, program: Program<'d>) -> Option<DebugInfo<'d>> {
        if !image.has_debug_info() {
            return None;
        }
        let load = |id: gimli::SectionId| -> Result<Slice<'d>, gimli::Error> {
            Ok(EndianSlice::new(image.section(id.name()).unwrap_or_default(), LittleEndian))
        };
        let mut dwarf = Dwarf::load(load).ok()?;
        dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
        let mut headers = Vec::new();
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            headers.push(header);
        }
        let from_info = headers.len();
        let mut units = dwarf.type_units();
        while let Ok(Some(header)) = units.next() {
            headers.push(header);
        }
        let mut signatures = FastMap::default();
        for (index, header) in (0..).zip(&headers) {
            if let UnitType::Type { type_signature, .. } = header.type_() {
                signatures.insert(type_signature.0, index);
            }
        }
        let slots = headers.into_iter().map(|header| UnitSlot {
            header,
            unit: OnceLock::new(),
            index: OnceLock::new(),
            lines: OnceLock::new(),
        });
        let slots = slots.collect();
        Some(DebugInfo {
            dwarf,
            program,
            slots,
            from_info,
            signatures,
            ranges: OnceLock::new(),
            hasher: Default::default(),
            type_names: OnceLock::new(),
            types: Mutex::default(),
            names: Mutex::default(),
            resolved: Mutex::default(),
            tail_calls: Mutex::default(),
        })
    }

    /// The numbers of all units.
    pub(super) fn units(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    fn slot(&self, unit: u32) -> Option<&UnitSlot<'d>> {
        self.slots.get(usize::try_from(unit).ok()?)
    }

    /// A unit with its abbreviations; `None` when it is malformed, for a foreign address size, or
    /// in another file.
    pub(super) fn unit(&self, unit: u32) -> Option<&Unit<Slice<'d>>> {
        self.parsed(self.slot(unit)?).filter(|unit| unit.dwo_id.is_none())
    }

    /// Units whose contents are in another file.
    pub(super) fn split_units(&self) -> usize {
        let units = self.slots.iter().filter_map(|slot| self.parsed(slot));
        units.filter(|unit| unit.dwo_id.is_some()).count()
    }

    fn parsed<'s>(&self, slot: &'s UnitSlot<'d>) -> Option<&'s Unit<Slice<'d>>> {
        let is_ours = || slot.header.address_size() == 4;
        slot.unit.get_or_init(|| is_ours().then(|| self.dwarf.unit(slot.header).ok())?).as_ref()
    }

    pub(super) fn index(&self, unit: u32) -> Option<&UnitIndex<'d>> {
        Some(self.slot(unit)?.index.get_or_init(|| UnitIndex::build(self, unit)))
    }

    pub(super) fn lines(&self, unit: u32) -> Option<&LineTable<'d>> {
        Some(self.slot(unit)?.lines.get_or_init(|| LineTable::build(self, unit)))
    }

    /// The entry that `die` refers to.
    pub(super) fn die(&self, die: DieRef) -> Option<Die<'d>> {
        let unit = self.unit(die.unit)?;
        unit.entry(UnitOffset(usize::try_from(die.offset).ok()?)).ok()
    }

    /// A handle for an entry of `unit`.
    pub(super) fn handle(unit: u32, die: &Die<'d>) -> Option<DieRef> {
        Some(DieRef { unit, offset: u32::try_from(die.offset().0).ok()? })
    }

    /// The entry that an attribute of `unit` refers to.
    pub(super) fn reference(&self, unit: u32, value: &AttrValue<'d>) -> Option<DieRef> {
        match *value {
            AttributeValue::UnitRef(offset) => {
                Some(DieRef { unit, offset: u32::try_from(offset.0).ok()? })
            }
            AttributeValue::DebugInfoRef(offset) => self.at_info_offset(offset),
            AttributeValue::DebugTypesRef(signature) => {
                let unit = *self.signatures.get(&signature.0)?;
                let UnitType::Type { type_offset, .. } = self.slot(unit)?.header.type_() else {
                    return None;
                };
                Some(DieRef { unit, offset: u32::try_from(type_offset.0).ok()? })
            }
            _ => None,
        }
    }

    /// The entry at an offset of `.debug_info`.
    pub(super) fn at_info_offset(&self, offset: DebugInfoOffset) -> Option<DieRef> {
        let units = self.slots.get(..self.from_info)?;
        let after =
            units.partition_point(|s| s.header.debug_info_offset().is_some_and(|o| o <= offset));
        let unit = after.checked_sub(1)?;
        let within = offset.to_unit_offset(&units.get(unit)?.header)?;
        Some(DieRef { unit: u32::try_from(unit).ok()?, offset: u32::try_from(within.0).ok()? })
    }

    /// A string attribute.
    pub(super) fn string(&self, unit: u32, value: &AttrValue<'d>) -> Option<&'d str> {
        let slice = self.dwarf.attr_string(self.unit(unit)?, *value).ok()?;
        Some(utf8_prefix(slice.slice()))
    }

    /// An address attribute.
    pub(super) fn address(&self, unit: u32, value: &AttrValue<'d>) -> Option<u64> {
        self.dwarf.attr_address(self.unit(unit)?, *value).ok()?
    }

    /// The addresses that an entry covers and that hold code of the program; at most `limit`.
    pub(super) fn ranges(&self, unit: u32, die: &Die<'d>, limit: usize) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        if let Some(value) = die.attr_value(gimli::DW_AT_ranges) {
            let list = self.unit(unit).and_then(|u| self.dwarf.attr_ranges(u, value).ok()?);
            let Some(mut list) = list else { return found };
            for _ in 0..limit {
                let Ok(Some(range)) = list.next() else { break };
                found.extend(self.program.live(range.begin, range.end));
            }
            return found;
        }
        let low = die.attr_value(gimli::DW_AT_low_pc).and_then(|v| self.address(unit, &v));
        let (Some(low), Some(high)) = (low, die.attr_value(gimli::DW_AT_high_pc)) else {
            return found;
        };
        // A constant is a size since DWARF 4, an address otherwise.
        let end = match high {
            AttributeValue::Addr(_) | AttributeValue::DebugAddrIndex(_) => {
                self.address(unit, &high)
            }
            _ => high.udata_value().and_then(|size| low.checked_add(size)),
        };
        found.extend(end.and_then(|end| self.program.live(low, end)));
        found
    }

    /// Whether an entry has any attribute about its addresses.
    pub(super) fn has_ranges(die: &Die<'d>) -> bool {
        die.has_attr(gimli::DW_AT_ranges) || die.has_attr(gimli::DW_AT_low_pc)
    }

    /// The units that describe `address`; usually one.
    pub(super) fn units_at(&self, address: u32) -> Vec<u32> {
        let ranges = self.ranges.get_or_init(|| self.unit_ranges());
        let end = ranges.partition_point(|r| r.begin <= address);
        let mut units = Vec::new();
        for range in ranges.get(..end).unwrap_or_default().iter().rev() {
            if range.reach <= address {
                break;
            }
            if address < range.end && !units.contains(&range.unit) {
                units.push(range.unit);
            }
        }
        units
    }

    fn unit_ranges(&self) -> Vec<UnitRange> {
        let mut ranges = Vec::new();
        let mut silent = Vec::new();
        for unit in self.units() {
            let Some(parsed) = self.unit(unit) else { continue };
            let Ok(root) = parsed.entry(parsed.header.root_offset()) else { continue };
            let left = MAX_UNIT_RANGES.saturating_sub(ranges.len());
            if Self::has_ranges(&root) {
                let found = self.ranges(unit, &root, left);
                ranges.extend(found.iter().map(|r| UnitRange::new(*r, unit)));
            } else {
                silent.push(unit);
            }
        }
        if !silent.is_empty() {
            self.add_aranges(&silent, &mut ranges);
        }
        ranges.sort_by_key(|r| r.begin);
        let mut reach = 0;
        for range in &mut ranges {
            reach = range.end.max(reach);
            range.reach = reach;
        }
        ranges
    }

    /// Ranges of the units in `silent`, which must be sorted, from `.debug_aranges`.
    fn add_aranges(&self, silent: &[u32], ranges: &mut Vec<UnitRange>) {
        let mut headers = self.dwarf.debug_aranges.headers();
        while let Ok(Some(header)) = headers.next() {
            let die = self.at_info_offset(DebugInfoOffset(
                header.debug_info_offset().0.saturating_add(self.header_size(&header)),
            ));
            let Some(unit) = die.map(|d| d.unit).filter(|u| silent.binary_search(u).is_ok()) else {
                continue;
            };
            let mut entries = header.entries();
            while let Ok(Some(entry)) = entries.next() {
                if ranges.len() >= MAX_UNIT_RANGES {
                    return;
                }
                let range = entry.range();
                let live = self.program.live(range.begin, range.end);
                ranges.extend(live.map(|r| UnitRange::new(r, unit)));
            }
        }
    }

    /// Size of the header of the unit that `header` is about: an offset must be past it to count
    /// as one of its entries.
    fn header_size(&self, header: &gimli::ArangeHeader<Slice<'d>>) -> usize {
        let offset = header.debug_info_offset();
        let unit = self.dwarf.unit_header(offset);
        unit.map_or(0, |unit| unit.size_of_header())
    }

    /// Indexes all units, where there are many from both ends at once.
    pub(super) fn index_all(&self) {
        let size = self.dwarf.debug_info.reader().len();
        if size < FEWEST_BYTES_FOR_TWO {
            return;
        }
        let done = |unit| {
            self.index(unit);
        };
        join(|| self.units().rev().for_each(done), || self.units().for_each(done));
    }

    /// Definitions of types by name over all units.
    pub(super) fn type_names(&self) -> &TypeNames {
        self.type_names.get_or_init(|| TypeNames::read(self))
    }

    /// Visits the entries inside `function`, at any depth, whose tag is `wanted`, until one of them
    /// ends it by `false`. Whether all have been seen.
    pub(super) fn inside(
        &self,
        function: DieRef,
        wanted: impl Fn(DwTag) -> bool,
        mut visit: impl FnMut(&Die<'d>) -> bool,
    ) -> bool {
        let mut walk = || {
            let start = UnitOffset(usize::try_from(function.offset).ok()?);
            let mut entries = self.unit(function.unit)?.entries_raw(Some(start)).ok()?;
            let mut die = Die::null();
            for _ in 0..MAX_ENTRIES {
                if entries.is_empty() {
                    return Some(true);
                }
                let at = entries.clone();
                if let Some(abbreviation) = entries.read_abbreviation().ok()? {
                    if wanted(abbreviation.tag()) {
                        entries = at;
                        entries.read_entry(&mut die).ok()?;
                        if !visit(&die) {
                            return Some(false);
                        }
                    } else {
                        entries.skip_attributes(abbreviation.attributes()).ok()?;
                    }
                }
                // Depth 0 is the function itself.
                if entries.next_depth() <= 0 {
                    return Some(true);
                }
            }
            None
        };
        walk().unwrap_or(false)
    }

    /// The children of `parent`, without their own children.
    pub(super) fn children(&self, parent: DieRef, mut visit: impl FnMut(DieRef, &Die<'d>) -> bool) {
        let Some(unit) = self.unit(parent.unit) else { return };
        let Ok(start) = usize::try_from(parent.offset) else { return };
        let Ok(mut cursor) = unit.entries_at_offset(UnitOffset(start)) else { return };
        if !matches!(cursor.next_entry(), Ok(true)) {
            return;
        }
        if !cursor.current().is_some_and(|die| die.has_children()) {
            return;
        }
        if !matches!(cursor.next_entry(), Ok(true)) {
            return;
        }
        while let Some(die) = cursor.current() {
            let Some(handle) = Self::handle(parent.unit, die) else { return };
            if !visit(handle, die) {
                return;
            }
            if !matches!(cursor.next_sibling(), Ok(Some(_))) {
                return;
            }
        }
    }
}

impl UnitRange {
    fn new((begin, end): (u32, u32), unit: u32) -> UnitRange {
        UnitRange { begin, end, reach: end, unit }
    }
}

/// Whether entries of this kind only group others: their children belong to the parent.
pub(super) fn is_block(tag: DwTag) -> bool {
    matches!(tag, gimli::DW_TAG_lexical_block | gimli::DW_TAG_try_block | gimli::DW_TAG_catch_block)
}
