//! Descriptions of calls: what a caller passed. DWARF 5 section 3.4 (`DW_TAG_call_site`), and
//! the GNU forms of it in DWARF 4 and before.

use gimli::{AttributeValue, DwTag};

use super::dwarf::{AttrValue, DebugInfo, Die, DieRef, Slice};
use super::entry::Entry;
use super::expression::Wanted;
use crate::base::Address;

impl<'d> DebugInfo<'d> {
    /// The call inside `function` that returns to `address`.
    pub(super) fn call_site(&self, function: DieRef, address: Address) -> Option<DieRef> {
        let mut site = None;
        self.inside(function, is_call_site, |die| {
            let returns = die
                .attr_value(gimli::DW_AT_call_return_pc)
                .or_else(|| die.attr_value(gimli::DW_AT_low_pc))
                .and_then(|value| self.address(function.unit, &value));
            if returns == Some(u64::from(address.0)) {
                site = Self::handle(function.unit, die);
            }
            site.is_none()
        });
        site
    }

    /// Whether the call at `site` goes to `callee`. One through a pointer could have gone to
    /// another function that ended in a jump to `callee`: what it passed proves nothing.
    pub(super) fn calls(&self, site: DieRef, callee: DieRef) -> bool {
        let Some(die) = self.die(site) else { return false };
        let origin = die
            .attr_value(gimli::DW_AT_call_origin)
            .or_else(|| die.attr_value(gimli::DW_AT_abstract_origin))
            .and_then(|value| self.reference(site.unit, &value));
        let Some(origin) = origin else { return false };
        let (origin, callee) = (self.entry(origin), self.entry(callee));
        if origin.root() == callee.root() {
            return true;
        }
        // The definition is in another unit: this one has a declaration.
        let linked = |entry: &Entry<'_, 'd>| entry.linkage_name().or_else(|| entry.name());
        let declared = origin.attribute(gimli::DW_AT_declaration).is_some();
        declared && linked(&origin).is_some_and(|name| linked(&callee) == Some(name))
    }

    /// The expression for what was passed at `site` in a place or for a parameter.
    pub(super) fn call_value(&self, site: DieRef, wanted: &Wanted<'_>) -> Option<AttrValue<'d>> {
        let mut found = None;
        self.children(site, |handle, die| {
            if is_call_parameter(die) && self.fits(handle, die, wanted) {
                found = die
                    .attr_value(gimli::DW_AT_call_value)
                    .or_else(|| die.attr_value(gimli::DW_AT_GNU_call_site_value));
            }
            found.is_none()
        });
        found
    }

    fn fits(&self, at: DieRef, die: &Die<'d>, wanted: &Wanted<'_>) -> bool {
        match wanted {
            Wanted::Location(location) => match die.attr_value(gimli::DW_AT_location) {
                Some(AttributeValue::Exprloc(expression)) => {
                    same_location(expression.0.slice(), location)
                }
                Some(AttributeValue::Block(block)) => same_location(block.slice(), location),
                _ => false,
            },
            Wanted::Parameter(parameter) => {
                let described = die
                    .attr_value(gimli::DW_AT_call_parameter)
                    .or_else(|| die.attr_value(gimli::DW_AT_abstract_origin))
                    .and_then(|value| self.reference(at.unit, &value));
                described.is_some_and(|d| self.root_origin(d) == self.root_origin(*parameter))
            }
        }
    }
}

pub(super) fn is_call_site(tag: DwTag) -> bool {
    matches!(tag, gimli::DW_TAG_call_site | gimli::DW_TAG_GNU_call_site)
}

fn is_call_parameter(die: &Die<'_>) -> bool {
    matches!(die.tag(), gimli::DW_TAG_call_site_parameter | gimli::DW_TAG_GNU_call_site_parameter)
}

/// Whether two expressions are one location. The callee may ask for a register with a type
/// (`DW_OP_regval_type`), the caller describes it without (`DW_OP_regx`).
fn same_location(a: &[u8], b: &[u8]) -> bool {
    a == b || register_of(a).is_some_and(|register| register_of(b) == Some(register))
}

fn register_of(expression: &[u8]) -> Option<u64> {
    let (op, operands) = expression.split_first()?;
    match gimli::DwOp(*op) {
        gimli::DwOp(op) if (gimli::DW_OP_reg0.0..=gimli::DW_OP_reg31.0).contains(&op) => {
            operands.is_empty().then(|| u64::from(op.saturating_sub(gimli::DW_OP_reg0.0)))
        }
        gimli::DW_OP_regx | gimli::DW_OP_regval_type | gimli::DW_OP_GNU_regval_type => {
            gimli::leb128::read::unsigned(&mut Slice::new(operands, gimli::LittleEndian)).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn register_is_the_same_with_and_without_a_type() {
        // DW_OP_regval_type 64 <0x26> and DW_OP_regx 64, as GCC 12 writes s0.
        assert!(same_location(&[0xa5, 64, 0x26], &[0x90, 64]));
        assert!(same_location(&[0x51], &[0x90, 1]));
        assert!(!same_location(&[0x51], &[0x52]));
        assert!(!same_location(&[0x7d, 4], &[0x7d, 8]), "places on the stack");
    }
}
