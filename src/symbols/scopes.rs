//! Functions and inlined calls around an address. DWARF 5 sections 3.3.8 (inlined calls), 3.5
//! (blocks) and 2.17.3 (functions that are not contiguous).

use super::dwarf::{DebugInfo, Die, DieRef, MAX_RANGES, is_block};
use super::file::SymbolFile;
use super::lines::SourceLocation;
use crate::base::Address;
use crate::symbols::CodeAddress;

/// Inlined calls and blocks within each other.
const MAX_NESTING: usize = 64;
/// Entries that are looked at for one address.
const MAX_VISITS: usize = 1 << 17;

/// A function or an inlined call, to ask for its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeRef {
    /// The subprogram or inlined call.
    pub(super) die: DieRef,
    /// The subprogram that holds it: it has the frame base.
    pub(super) function: DieRef,
}

/// A frame as the source shows it: a function, or a call that was inlined into one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFrame<'d> {
    /// The name in the source.
    pub function: Option<&'d str>,
    /// The name that the linker sees, when it differs (C++).
    pub linkage_name: Option<&'d str>,
    /// Whether this is an inlined call, whose caller is the next frame.
    pub inlined: bool,
    /// Where it executes: for the innermost frame the line of the instruction, for the others
    /// the line of the call that was inlined.
    pub location: Option<SourceLocation<'d>>,
    /// The entry of the function or of the inlined code.
    pub low_pc: Option<Address>,
    /// Handle for its variables.
    pub scope: ScopeRef,
}

/// One step into a function: a block or an inlined call that holds the address.
#[derive(Clone, Copy)]
pub(super) struct Nested {
    pub(super) die: DieRef,
    pub(super) inlined: bool,
}

impl<'d> DebugInfo<'d> {
    /// The function around `address`.
    pub(super) fn function_at(&self, address: u32) -> Option<DieRef> {
        let units = self.units_at(address);
        units.into_iter().find_map(|unit| self.index(unit)?.function_at(address))
    }

    /// Blocks and inlined calls below `outer` that hold `address`, outermost first.
    pub(super) fn nested_at(&self, outer: DieRef, address: u32) -> Vec<Nested> {
        let mut path = Vec::new();
        let mut at = outer;
        let mut visits = 0_usize;
        while path.len() < MAX_NESTING {
            let mut next = None;
            let mut transparent = Vec::new();
            let mut visit = |this: &Self, handle: DieRef, die: &Die<'d>| {
                visits = visits.saturating_add(1);
                let inlined = die.tag() == gimli::DW_TAG_inlined_subroutine;
                if (inlined || is_block(die.tag())) && Self::has_ranges(die) {
                    let ranges = this.ranges(handle.unit, die, MAX_RANGES);
                    if ranges.iter().any(|(begin, end)| (*begin..*end).contains(&address)) {
                        next = Some(Nested { die: handle, inlined });
                    }
                } else if is_block(die.tag()) {
                    transparent.push(handle);
                }
                next.is_none() && visits < MAX_VISITS
            };
            self.children(at, |handle, die| visit(self, handle, die));
            // A block without addresses belongs to what is around it: look inside.
            if next.is_none() {
                next = transparent.into_iter().find_map(|block| {
                    let mut found = None;
                    self.children(block, |handle, die| {
                        let inlined = die.tag() == gimli::DW_TAG_inlined_subroutine;
                        if inlined || is_block(die.tag()) {
                            let ranges = self.ranges(handle.unit, die, MAX_RANGES);
                            if ranges.iter().any(|(b, e)| (*b..*e).contains(&address)) {
                                found = Some(Nested { die: handle, inlined });
                            }
                        }
                        found.is_none()
                    });
                    found
                });
            }
            let Some(step) = next else { break };
            path.push(step);
            at = step.die;
        }
        path
    }

    /// The entry of a function or inlined call: `DW_AT_entry_pc`, else its first range.
    pub(super) fn low_pc(&self, die: DieRef) -> Option<Address> {
        let entry = self.die(die)?;
        let first = self.ranges(die.unit, &entry, 1).first().map(|(begin, _)| *begin);
        let low = entry.attr_value(gimli::DW_AT_low_pc);
        let base = low.and_then(|v| self.address(die.unit, &v)).and_then(|a| u32::try_from(a).ok());
        let stated = entry.attr_value(gimli::DW_AT_entry_pc).and_then(|value| match value {
            gimli::AttributeValue::Addr(_) | gimli::AttributeValue::DebugAddrIndex(_) => {
                self.address(die.unit, &value).and_then(|a| u32::try_from(a).ok())
            }
            // DWARF 5: a constant is relative to the base address of the entry.
            _ => {
                let offset = u32::try_from(value.udata_value()?).ok()?;
                base.or(first)?.checked_add(offset)
            }
        });
        stated.or(first).map(|address| Address(address).without_thumb_bit())
    }
}

impl<'d> SymbolFile<'d> {
    /// The function around `address` and the calls that were inlined there, innermost first.
    /// Empty when DWARF does not describe the address.
    pub fn frames_at(&self, address: CodeAddress) -> Vec<SourceFrame<'d>> {
        let Some(info) = self.debug_info() else { return Vec::new() };
        let at = address.lookup().0;
        let Some(function) = info.function_at(at) else { return Vec::new() };
        let nested = info.nested_at(function, at);
        let inlined = nested.iter().filter(|step| step.inlined).rev().map(|step| step.die);
        let mut location = info.line_at(function.unit, at);
        let mut frames = Vec::new();
        for die in inlined.chain([function]) {
            let is_inlined = die != function;
            let entry = info.entry(die);
            frames.push(SourceFrame {
                function: entry.name(),
                linkage_name: entry.linkage_name().or_else(|| self.mangled(info, die, is_inlined)),
                inlined: is_inlined,
                location: location.take(),
                low_pc: info.low_pc(die),
                scope: ScopeRef { die, function },
            });
            location = info.call_location(die);
        }
        frames
    }

    /// The symbol of a function that other units cannot name: GCC states none in its entry.
    fn mangled(&self, info: &DebugInfo<'d>, die: DieRef, is_inlined: bool) -> Option<&'d str> {
        let start = info.low_pc(die).filter(|_| !is_inlined)?;
        let (symbol, offset) = self.symbol_at(start)?;
        (offset == 0 && symbol.name.starts_with("_Z")).then_some(symbol.name)
    }

    /// The name of the function that `address` is in, without inlined calls.
    pub fn function_name(&self, address: CodeAddress) -> Option<&'d str> {
        let at = address.lookup();
        let dwarf = self.debug_info().and_then(|info| info.name(info.function_at(at.0)?));
        dwarf.or_else(|| self.symbol_at(at).map(|(symbol, _)| symbol.name))
    }
}

impl<'d> DebugInfo<'d> {
    /// Where the call is that was inlined.
    fn call_location(&self, die: DieRef) -> Option<SourceLocation<'d>> {
        let entry = self.die(die)?;
        let number = |name| entry.attr_value(name).and_then(|value| value_of_file(&value));
        self.stated_location(
            die.unit,
            number(gimli::DW_AT_call_file),
            number(gimli::DW_AT_call_line),
            number(gimli::DW_AT_call_column),
        )
    }
}

/// A number, or the number of a file.
fn value_of_file(value: &super::dwarf::AttrValue<'_>) -> Option<u64> {
    match value {
        gimli::AttributeValue::FileIndex(index) => Some(*index),
        other => other.udata_value(),
    }
}
