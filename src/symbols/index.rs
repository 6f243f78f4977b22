//! What a unit defines, found in one pass: functions by address, variables, types by name.
//! DWARF 5 sections 3.3 (subprograms), 4.1 (variables), 5 (types).

use gimli::{
    Abbreviation, AttributeSpecification, AttributeValue, DwAt, DwTag, EntriesRaw, UnitOffset,
};

use super::dwarf::{DebugInfo, Die, DieRef, MAX_RANGES, Slice};

/// Entries of a unit from some place on.
type Entries<'a, 'd> = EntriesRaw<'a, Slice<'d>>;

/// `DW_OP_addr` and an address.
const ADDRESS_OPERATION: usize = 5;

/// A function, or one part of a function that is not contiguous.
pub(super) struct FunctionRange {
    pub(super) begin: u32,
    pub(super) end: u32,
    /// The highest end up to here: where a backward search may stop.
    reach: u32,
    pub(super) die: DieRef,
}

/// A variable with static storage.
pub(super) struct VariableEntry {
    pub(super) die: DieRef,
    /// The function that it is `static` in.
    pub(super) function: Option<DieRef>,
}

/// A named type outside of functions.
pub(super) struct TypeEntry<'d> {
    pub(super) name: &'d str,
    /// See [`DebugInfo::hash`].
    pub(super) hash: u32,
    pub(super) die: DieRef,
    pub(super) tag: DwTag,
    pub(super) declaration: bool,
}

/// What one unit defines.
#[derive(Default)]
pub(super) struct UnitIndex<'d> {
    functions: Vec<FunctionRange>,
    /// Functions with code that have an origin, after the end of their chain of origins.
    instances: Vec<(DieRef, DieRef)>,
    pub(super) variables: Vec<VariableEntry>,
    pub(super) types: Vec<TypeEntry<'d>>,
}

impl<'d> UnitIndex<'d> {
    /// Entries up to a malformed one count.
    pub(super) fn build(info: &DebugInfo<'d>, unit: u32) -> UnitIndex<'d> {
        let mut index = UnitIndex::default();
        index.read(info, unit);
        index.functions.sort_by_key(|f| f.begin);
        index.instances.sort_unstable();
        let mut reach = 0;
        for function in &mut index.functions {
            reach = function.end.max(reach);
            function.reach = reach;
        }
        index
    }

    fn read(&mut self, info: &DebugInfo<'d>, unit: u32) -> Option<()> {
        let (header, is_c) = (info.unit(unit)?, info.is_c(unit));
        let mut entries = header.entries_raw(None).ok()?;
        // The depth at which `entries` begins.
        let mut base: isize = 0;
        // The functions around the current entry, with their depth.
        let mut functions: Vec<(isize, DieRef)> = Vec::new();
        while !entries.is_empty() {
            let start = entries.clone();
            let depth = base.saturating_add(entries.next_depth());
            let offset = u32::try_from(entries.next_offset().0).ok()?;
            let handle = DieRef { unit, offset };
            let Some(abbreviation) = entries.read_abbreviation().ok()? else { continue };
            while functions.last().is_some_and(|(outer, _)| *outer >= depth) {
                functions.pop();
            }
            let function = functions.last().map(|(_, function)| *function);
            if is_function(abbreviation.tag()) {
                functions.push((depth, handle));
            }
            let is_passed = abbreviation.has_children() && defines_nothing(abbreviation, is_c);
            let attributes = is_passed.then(|| entries.clone());
            self.add(info, &mut entries, start, abbreviation, handle, function)?;
            let next = attributes.and_then(|at| sibling(at, abbreviation.attributes()));
            if let Some(next) = next.filter(|next| next.0 > entries.next_offset().0)
                && let Ok(behind) = header.entries_raw(Some(next))
            {
                (entries, base) = (behind, depth);
            }
        }
        Some(())
    }

    /// Takes what one entry defines, whose attributes `entries` is at; it began at `start`. Most are
    /// members, parameters, blocks and variables that a header announces: what their abbreviation
    /// tells is enough to pass over them.
    fn add<'a>(
        &mut self,
        info: &DebugInfo<'d>,
        entries: &mut Entries<'a, 'd>,
        start: Entries<'a, 'd>,
        abbreviation: &Abbreviation,
        handle: DieRef,
        function: Option<DieRef>,
    ) -> Option<()> {
        let specs = abbreviation.attributes();
        let mut die = Die::null();
        match abbreviation.tag() {
            tag if is_function(tag)
                && (has(specs, gimli::DW_AT_low_pc) || has(specs, gimli::DW_AT_ranges)) =>
            {
                *entries = start;
                entries.read_entry(&mut die).ok()?;
                self.add_function(info, handle, &die);
                return Some(());
            }
            gimli::DW_TAG_variable if has(specs, gimli::DW_AT_declaration) => {}
            gimli::DW_TAG_variable if function.is_none() => {
                self.variables.push(VariableEntry { die: handle, function });
            }
            gimli::DW_TAG_variable if has(specs, gimli::DW_AT_location) => {
                *entries = start;
                entries.read_entry(&mut die).ok()?;
                if is_static(&die) {
                    self.variables.push(VariableEntry { die: handle, function });
                }
                return Some(());
            }
            tag if function.is_none() && is_type(tag) => {
                let name = specs.iter().position(|spec| spec.name() == gimli::DW_AT_name);
                if let Some((before, [name, after @ ..])) = name.map(|at| specs.split_at(at)) {
                    entries.skip_attributes(before).ok()?;
                    let name = entries.read_attribute(*name).ok()?.value();
                    entries.skip_attributes(after).ok()?;
                    let declaration = has(specs, gimli::DW_AT_declaration);
                    if let Some(name) = info.string(handle.unit, &name) {
                        let (hash, die) = (info.hash(name), handle);
                        self.types.push(TypeEntry { name, hash, die, tag, declaration });
                    }
                    return Some(());
                }
            }
            _ => {}
        }
        entries.skip_attributes(specs).ok()
    }

    fn add_function(&mut self, info: &DebugInfo<'d>, handle: DieRef, die: &Die<'d>) {
        let ranges = info.ranges(handle.unit, die, MAX_RANGES);
        if !ranges.is_empty() && info.origin(handle.unit, die).is_some() {
            self.instances.push((info.root_origin(handle), handle));
        }
        for (begin, end) in ranges {
            self.functions.push(FunctionRange { begin, end, reach: end, die: handle });
        }
    }

    /// The function around `address`; the innermost of nested ones.
    pub(super) fn function_at(&self, address: u32) -> Option<DieRef> {
        let end = self.functions.partition_point(|f| f.begin <= address);
        for function in self.functions.get(..end)?.iter().rev() {
            if function.reach <= address {
                break;
            }
            if address < function.end {
                return Some(function.die);
            }
        }
        None
    }

    /// Functions with code whose chain of origins ends at `root`.
    pub(super) fn instances_of(&self, root: DieRef) -> impl Iterator<Item = DieRef> + '_ {
        let start = self.instances.partition_point(|(origin, _)| *origin < root);
        let found = self.instances.get(start..).unwrap_or_default().iter();
        found.take_while(move |(origin, _)| *origin == root).map(|(_, die)| *die)
    }
}

fn is_function(tag: DwTag) -> bool {
    matches!(tag, gimli::DW_TAG_subprogram | gimli::DW_TAG_entry_point)
}

/// Whether nothing of what is looked for is inside of such an entry: members, enumerators,
/// dimensions, parameters. A class of C++ or Rust may have types in it; in C they are of the file.
fn defines_nothing(abbreviation: &Abbreviation, is_c: bool) -> bool {
    match abbreviation.tag() {
        gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => is_c,
        gimli::DW_TAG_subprogram => has(abbreviation.attributes(), gimli::DW_AT_declaration),
        gimli::DW_TAG_enumeration_type
        | gimli::DW_TAG_array_type
        | gimli::DW_TAG_subroutine_type
        | gimli::DW_TAG_call_site
        | gimli::DW_TAG_GNU_call_site => true,
        _ => false,
    }
}

/// Where the entry behind one and its children is, if its attributes, at which `entries` is, tell.
fn sibling(mut entries: Entries<'_, '_>, specs: &[AttributeSpecification]) -> Option<UnitOffset> {
    let at = specs.iter().position(|spec| spec.name() == gimli::DW_AT_sibling)?;
    entries.skip_attributes(specs.get(..at)?).ok()?;
    match entries.read_attribute(*specs.get(at)?).ok()?.value() {
        AttributeValue::UnitRef(offset) => Some(offset),
        _ => None,
    }
}

fn has(specs: &[AttributeSpecification], name: DwAt) -> bool {
    specs.iter().any(|spec| spec.name() == name)
}

fn is_type(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_base_type
            | gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_union_type
            | gimli::DW_TAG_enumeration_type
            | gimli::DW_TAG_typedef
    )
}

/// Whether the location of a variable inside a function is a fixed address, and not an address
/// that is its value: `char *name` that is known to point to a string.
pub(super) fn is_static(die: &Die<'_>) -> bool {
    let location = die.attr_value(gimli::DW_AT_location);
    let bytes = match &location {
        Some(AttributeValue::Exprloc(expression)) => expression.0.slice(),
        Some(AttributeValue::Block(block)) => block.slice(),
        _ => return false,
    };
    is_fixed_address(bytes)
}

fn is_fixed_address(expression: &[u8]) -> bool {
    let opcode = expression.first().copied().unwrap_or(0);
    let is = |op: gimli::DwOp| opcode == op.0;
    let plain = is(gimli::DW_OP_addr) && expression.len() == ADDRESS_OPERATION;
    let fixed = is(gimli::DW_OP_addr) || is(gimli::DW_OP_addrx) || is(gimli::DW_OP_GNU_addr_index);
    plain || (fixed && expression.last() != Some(&gimli::DW_OP_stack_value.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_that_is_the_value_is_no_place() {
        assert!(is_fixed_address(&[3, 0, 0, 0, 0x9f]), "the address ends as the operation does");
        assert!(!is_fixed_address(&[3, 0, 0, 0, 8, 0x9f]));
        assert!(is_fixed_address(&[3, 0, 0, 0, 8, 0x23, 4]));
        assert!(!is_fixed_address(&[0x91, 4]));
        assert!(!is_fixed_address(&[]));
    }
}
