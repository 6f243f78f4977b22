//! Who holds a block of a heap: the variable in which a pointer to it stands.

use super::HeapBlock;
use crate::base::{Address, AddressRange, Memory};
use crate::symbols::{Object, SymbolFile, TypeKind};

/// Largest variable that is searched, in bytes.
const LARGEST: usize = 1 << 18;
/// Bytes of variables that are searched in all.
const MOST_BYTES: u64 = 1 << 23;

/// How good a place is as a holder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A pointer into the middle of the block.
    Inside,
    /// A word of raw memory, as a stack is.
    Raw,
    /// A pointer in a variable or a member.
    Typed,
}

/// Fills in `held_by` of `blocks`, which are sorted by address. `own` is the heap's memory: what
/// blocks point to each other does not tell who holds them.
pub(super) fn find(
    memory: &dyn Memory,
    symbols: &SymbolFile<'_>,
    own: AddressRange,
    blocks: &mut [HeapBlock],
) {
    let mut best: Vec<Option<(Rank, Address)>> = vec![None; blocks.len()];
    let mut left = MOST_BYTES;
    for variable in symbols.variables_by_address() {
        let is_raw = is_raw(symbols, variable);
        let Some(range) = searched(symbols, variable, own) else { continue };
        let Some(rest) = left.checked_sub(range.size()) else { break };
        left = rest;
        let Ok(bytes) = memory.read_range(range, LARGEST) else { continue };
        for (word, index) in bytes.chunks_exact(4).zip(0_u32..) {
            let Some(value) = word.first_chunk().map(|word| u32::from_le_bytes(*word)) else {
                continue;
            };
            if !own.contains(Address(value)) {
                continue;
            }
            let end = blocks.partition_point(|block| block.address.0 <= value);
            let Some(number) = end.checked_sub(1) else { continue };
            let Some((block, best)) = blocks.get(number).zip(best.get_mut(number)) else {
                continue;
            };
            let offset = u64::from(value.wrapping_sub(block.address.0));
            // `k_malloc` keeps a word before what it hands out.
            let rank = match offset {
                0 | 4 if is_raw => Rank::Raw,
                0 | 4 => Rank::Typed,
                _ => Rank::Inside,
            };
            if offset < block.size && best.is_none_or(|(known, _)| known < rank) {
                *best = Some((rank, range.start().word(index)));
            }
        }
    }
    for (block, best) in blocks.iter_mut().zip(best) {
        block.held_by = best.and_then(|(_, at)| name(symbols, at));
    }
}

/// The words of a variable, unless it is constant, too large or the heap itself.
fn searched(
    symbols: &SymbolFile<'_>,
    variable: &Object,
    own: AddressRange,
) -> Option<AddressRange> {
    let limit = u64::try_from(LARGEST).ok()?;
    let section = symbols.section_at(variable.address).filter(|section| section.is_ram());
    let start = Address(variable.address.0.checked_next_multiple_of(4)?);
    let range = AddressRange::new(start, variable.size.min(limit))?;
    section.filter(|_| own.intersection(range).is_none() && variable.size >= 4)?;
    Some(range)
}

/// Whether a variable is mere bytes or numbers.
fn is_raw(symbols: &SymbolFile<'_>, variable: &Object) -> bool {
    let mut ty = symbols.strip_type(variable.ty);
    while symbols.type_info(ty).kind == TypeKind::Array {
        ty = symbols.strip_type(symbols.type_info(ty).target);
    }
    matches!(symbols.type_info(ty).kind, TypeKind::Base(_))
}

/// The smallest part of a variable that begins at `at`: it is the pointer itself.
fn name(symbols: &SymbolFile<'_>, at: Address) -> Option<String> {
    let smallest = symbols.objects_at(at).pop().filter(|part| part.address == at);
    smallest.map(|part| part.name).or_else(|| symbols.object_name(at))
}
