//! Functions that left the stack by a tail call: when `a` calls `b` and `b` ends in a jump to
//! `c`, only `c` and `a` have frames. DWARF 5 section 3.4 (`DW_TAG_call_site`), and the GNU
//! forms of it in DWARF 4 and before.
//!
//! What was jumped through is certain only where all ways from the call to the callee agree;
//! like GDB this gives the functions at the start and at the end that they have in common, and
//! nothing when one of the ways has a jump whose target is not known. GDB 13 gives up as well when
//! a call names an inline function (`DW_AT_inline`); here its only copy is taken.

use std::sync::Arc;

use gimli::{AttributeValue, DwAt};

use super::call_site::is_call_site;
use super::dwarf::{DebugInfo, Die, DieRef};
use super::file::SymbolFile;
use super::symtab::SymbolKind;
use crate::base::{Address, FastMap, FastSet};
use crate::symbols::CodeAddress;

/// Jumps between a call and a frame that it led to.
const MAX_CHAIN: usize = 16;
/// Functions that jumps from one call may lead through.
const MAX_FUNCTIONS: usize = 4096;
/// Jumps that are taken to compare all ways from one call.
const MAX_STEPS: usize = 1 << 14;

/// A tail call: where it is, and the entry of the function that it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TailCall {
    at: CodeAddress,
    target: Address,
}

/// The tail calls of functions by their entry, `None` where one of them goes who knows where.
pub(super) type TailCalls = FastMap<Address, Option<Arc<[TailCall]>>>;

impl<'d> SymbolFile<'d> {
    /// Functions that replaced themselves by a tail call between the call that returns to
    /// `return_address` and the function around `callee`: innermost first, each with the address
    /// behind its jump. Empty when the call leads there directly, and when the way is not certain.
    pub fn tail_calls(&self, return_address: Address, callee: Address) -> Vec<CodeAddress> {
        self.certain_tail_calls(return_address, callee).unwrap_or_default()
    }

    fn certain_tail_calls(
        &self,
        return_address: Address,
        callee: Address,
    ) -> Option<Vec<CodeAddress>> {
        let info = self.debug_info()?;
        let callee = callee.without_thumb_bit();
        // DWARF first: the symbol of a part that was split off names that part.
        let entry = info.function_at(callee.0).and_then(|function| info.low_pc(function));
        let callee = entry.or_else(|| self.function_start(callee))?;
        let back = CodeAddress::Return(return_address);
        let caller = info.function_at(back.lookup().0)?;
        let site = info.call_site(caller, back.address())?;
        let called = self.called_function(info, site.unit, &info.die(site)?)?;
        if called == callee {
            return None;
        }
        let ways = Ways::explore(called, callee, |function| self.tail_calls_of(info, function))?;
        ways.in_common(called)
    }

    /// The tail calls of the function that starts at `entry`; `None` when they are not all known.
    fn tail_calls_of(&self, info: &DebugInfo<'d>, entry: Address) -> Option<Arc<[TailCall]>> {
        let known = info.tail_calls.lock().ok().and_then(|known| known.get(&entry).cloned());
        if let Some(known) = known {
            return known;
        }
        let found = self.read_tail_calls(info, entry).map(Arc::from);
        if let Ok(mut known) = info.tail_calls.lock() {
            known.insert(entry, found.clone());
        }
        found
    }

    fn read_tail_calls(&self, info: &DebugInfo<'d>, entry: Address) -> Option<Vec<TailCall>> {
        let function = info.function_at(entry.0)?;
        if info.low_pc(function) != Some(entry) {
            return None;
        }
        let mut calls = Vec::new();
        // Where the compiler does not claim to list all of them GDB takes it that there are none:
        // that is so without optimisation.
        let complete = [
            gimli::DW_AT_call_all_calls,
            gimli::DW_AT_call_all_tail_calls,
            gimli::DW_AT_GNU_all_call_sites,
            gimli::DW_AT_GNU_all_tail_call_sites,
        ];
        let described = info.entry(function);
        let says = |name: DwAt| matches!(described.attribute(name), Some((_, v)) if is_set(v));
        if !complete.into_iter().any(says) {
            return Some(calls);
        }
        let mut seen = FastSet::default();
        // A function inside this one, of which nothing counts.
        let mut nested: Option<isize> = None;
        let wanted = |tag| is_call_site(tag) || tag == gimli::DW_TAG_subprogram;
        let read_all = info.inside(function, wanted, |die| {
            nested = nested.filter(|depth| die.depth() > *depth);
            if nested.is_none() && die.tag() == gimli::DW_TAG_subprogram && die.depth() > 0 {
                nested = Some(die.depth());
            }
            if nested.is_some() || !is_tail_call(die) {
                return true;
            }
            let at = call_address(info, function.unit, die);
            let target = self.called_function(info, function.unit, die);
            let Some((at, target)) = at.zip(target) else { return false };
            if seen.insert(at) {
                calls.push(TailCall { at, target });
            }
            true
        });
        read_all.then_some(calls)
    }

    /// The entry of the function that a call goes to; `None` for a call through a pointer.
    fn called_function(&self, info: &DebugInfo<'d>, unit: u32, call: &Die<'d>) -> Option<Address> {
        let expression = call
            .attr_value(gimli::DW_AT_call_target)
            .or_else(|| call.attr_value(gimli::DW_AT_GNU_call_site_target));
        if let Some(expression) = expression {
            let AttributeValue::Exprloc(expression) = expression else { return None };
            let mut operations = expression.operations(info.unit(unit)?.encoding());
            let Ok(Some(gimli::Operation::Address { address })) = operations.next() else {
                return None;
            };
            let address = u32::try_from(address).ok()?;
            let alone = matches!(operations.next(), Ok(None));
            return alone.then_some(Address(address).without_thumb_bit());
        }
        let origin = call
            .attr_value(gimli::DW_AT_call_origin)
            .or_else(|| call.attr_value(gimli::DW_AT_abstract_origin))?;
        self.code_of(info, unit, info.reference(unit, &origin)?)
    }

    /// The entry of the one function that `origin`, named by a call in `unit`, stands for.
    fn code_of(&self, info: &DebugInfo<'d>, unit: u32, origin: DieRef) -> Option<Address> {
        if let Some(entry) = info.low_pc(origin) {
            return Some(entry);
        }
        let root = info.root_origin(origin);
        let mut instances = FastSet::default();
        for unit in [unit, origin.unit, root.unit] {
            let found = info.index(unit)?.instances_of(root);
            instances.extend(found.filter_map(|die| info.low_pc(die)));
        }
        if !instances.is_empty() {
            // A copy for certain arguments has the same origin: which one is meant is not known.
            let mut instances = instances.into_iter();
            return instances.next().filter(|_| instances.next().is_none());
        }
        let entry = info.entry(origin);
        let name = entry.linkage_name().or_else(|| entry.name())?;
        let symbol = self.symbol(name).filter(|symbol| symbol.kind == SymbolKind::Function)?;
        Some(symbol.address)
    }
}

fn is_set(value: super::dwarf::AttrValue<'_>) -> bool {
    matches!(value, AttributeValue::Flag(true))
}

fn is_tail_call(die: &Die<'_>) -> bool {
    let set = |name: DwAt| die.attr_value(name).is_some_and(is_set);
    is_call_site(die.tag()) && (set(gimli::DW_AT_call_tail_call) || set(gimli::DW_AT_GNU_tail_call))
}

/// Where a call is. GCC gives the address behind it also for a jump, LLVM that of the jump.
fn call_address<'d>(info: &DebugInfo<'d>, unit: u32, die: &Die<'d>) -> Option<CodeAddress> {
    let address = |name: DwAt| {
        let address = info.address(unit, &die.attr_value(name)?)?;
        Some(Address(u32::try_from(address).ok()?).without_thumb_bit())
    };
    address(gimli::DW_AT_call_return_pc)
        .or_else(|| address(gimli::DW_AT_low_pc))
        .map(CodeAddress::Return)
        .or_else(|| address(gimli::DW_AT_call_pc).map(CodeAddress::Instruction))
}

/// Tail calls that may lie between a call and a callee, by the entry of the function.
struct Ways {
    calls: FastMap<Address, Arc<[TailCall]>>,
    /// Functions from which there is a way to the callee.
    leading: FastSet<Address>,
    callee: Address,
}

impl Ways {
    /// Follows all tail calls from `start`; `None` when some are not known or too many.
    fn explore(
        start: Address,
        callee: Address,
        calls_of: impl Fn(Address) -> Option<Arc<[TailCall]>>,
    ) -> Option<Ways> {
        let mut calls = FastMap::default();
        let mut callers: FastMap<Address, Vec<Address>> = FastMap::default();
        let mut pending = vec![start];
        while let Some(function) = pending.pop() {
            // What the callee itself jumps to comes after it.
            if function == callee || calls.contains_key(&function) {
                continue;
            }
            if calls.len() >= MAX_FUNCTIONS {
                return None;
            }
            let found = calls_of(function)?;
            for call in found.iter() {
                callers.entry(call.target).or_default().push(function);
                pending.push(call.target);
            }
            calls.insert(function, found);
        }
        let mut leading = FastSet::from_iter([callee]);
        let mut pending = vec![callee];
        while let Some(function) = pending.pop() {
            for caller in callers.get(&function).into_iter().flatten() {
                if leading.insert(*caller) {
                    pending.push(*caller);
                }
            }
        }
        Some(Ways { calls, leading, callee })
    }

    /// The tail calls that all ways have in common, innermost first.
    fn in_common(&self, start: Address) -> Option<Vec<CodeAddress>> {
        let mut common = Common::default();
        let mut steps = MAX_STEPS;
        self.follow(start, &mut Vec::new(), &mut steps, &mut common)?;
        Some(common.tail_calls())
    }

    /// Goes every way from `function`, which `path` led to, without taking a jump twice.
    /// Recursion is bounded by [`MAX_CHAIN`].
    fn follow(
        &self,
        function: Address,
        path: &mut Vec<CodeAddress>,
        steps: &mut usize,
        common: &mut Common,
    ) -> Option<()> {
        for call in self.calls.get(&function)?.iter() {
            *steps = steps.checked_sub(1)?;
            if path.contains(&call.at) || !self.leading.contains(&call.target) {
                continue;
            }
            if path.len() >= MAX_CHAIN {
                return None;
            }
            path.push(call.at);
            if call.target == self.callee {
                common.add(path)?;
            } else {
                self.follow(call.target, path, steps, common)?;
            }
            path.pop();
        }
        Some(())
    }
}

/// What several chains of tail calls, outermost first, have in common.
#[derive(Default)]
struct Common {
    chains: usize,
    /// From the outermost inwards.
    first: Vec<CodeAddress>,
    /// From the innermost outwards.
    last: Vec<CodeAddress>,
}

impl Common {
    /// `None` when nothing is left.
    fn add(&mut self, chain: &[CodeAddress]) -> Option<()> {
        let inwards = chain.iter().copied();
        let outwards = chain.iter().rev().copied();
        if self.chains == 0 {
            self.first = inwards.collect();
            self.last = outwards.collect();
        } else {
            let same = self.first.iter().copied().zip(inwards).take_while(|(a, b)| a == b).count();
            self.first.truncate(same);
            let same = self.last.iter().copied().zip(outwards).take_while(|(a, b)| a == b).count();
            self.last.truncate(same);
        }
        self.chains = self.chains.saturating_add(1);
        (!self.first.is_empty() || !self.last.is_empty()).then_some(())
    }

    /// Innermost first.
    fn tail_calls(self) -> Vec<CodeAddress> {
        let mut calls = self.last;
        if self.chains > 1 {
            calls.extend(self.first.into_iter().rev());
        }
        calls
    }
}

#[cfg(test)]
mod tests;
