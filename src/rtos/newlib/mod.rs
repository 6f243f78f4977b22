//! The heap of the C library: `malloc` of newlib and of newlib-nano, told apart by their variables.
//!
//! Both take memory from `sbrk` at the program break, which only goes up, and keep a size before
//! each block. Neither needs debug information: the headers are the same in all versions.

mod full;
mod nano;

use super::{Corruption, Heap, HeapBlock, holders};
use crate::base::{Address, AddressRange, Memory};
use crate::symbols::{SymbolFile, SymbolKind};

/// By which people know this heap.
const NAME: &str = "malloc";
/// Static variables in which an `sbrk` keeps the break: libgloss, ST, older examples of ST.
const BREAKS: &[&str] = &["heap_end", "__sbrk_heap_end", "curbrk", "heap_ptr", "_heap_ptr"];
/// Names of the address that the break cannot go beyond.
const LIMITS: &[&str] =
    &["__HeapLimit", "__heap_limit", "__heap_limit__", "__heap_end__", "_eheap", "__HEAP_LIMIT"];

/// Blocks that are walked; more are taken for a corrupted heap.
const MOST_BLOCKS: usize = 1 << 16;
/// Blocks that are listed, the largest first.
const MOST_LISTED: usize = 32;

/// The heap, when `malloc` of newlib or newlib-nano was ever called.
pub(super) fn heap(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Heap> {
    let word = |name| memory.read_u32(symbols.symbol(name)?.address).ok();
    let (start, end, step, walked) = if let Some(bins) = symbols.symbol("__malloc_av_") {
        let (start, end, walked) = full::walk(memory, bins.address, word("__malloc_sbrk_base")?)?;
        (start, end, full::PAGE, walked)
    } else {
        let end = program_break(memory, symbols)?;
        let (free, base) = (word("__malloc_free_list")?, word("__malloc_sbrk_start")?);
        let (start, end, walked) = nano::walk(memory, free, base, end)?;
        (start, end, 1, walked)
    };
    let limit = limit(symbols).filter(|limit| *limit >= end);
    let range = AddressRange::from_bounds(start, limit.unwrap_or(end))?;
    let mut heap = Heap {
        name: NAME.into(),
        range: Some(range),
        corruption: walked.corruption,
        ..Heap::default()
    };
    let mut blocks = walked.used;
    if walked.whole {
        let sum = blocks.iter().fold(0_u64, |sum, block| sum.saturating_add(block.size));
        // What `sbrk` has not been asked for yet lies behind the last block.
        let rest = limit.and_then(|limit| {
            let rest = limit.0.saturating_sub(end.0);
            rest.checked_sub(rest.checked_rem(step)?).map(u64::from)
        });
        let free = walked.free.iter().fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
        heap.used = Some(sum);
        heap.blocks = u32::try_from(blocks.len()).ok();
        heap.free = Some(free.saturating_add(rest.unwrap_or(0)));
        heap.largest_free = rest.map(|rest| {
            let last = walked.free.last().filter(|(after, _)| *after == end);
            let behind = last.map_or(0, |(_, size)| *size).saturating_add(rest);
            walked.free.iter().map(|(_, size)| *size).fold(behind, u64::max)
        });
    }
    holders::find(memory, symbols, range, &mut blocks);
    blocks.sort_by_key(|block| (std::cmp::Reverse(block.size), block.address));
    blocks.truncate(MOST_LISTED);
    heap.largest_blocks = blocks;
    Some(heap)
}

/// The end of what `sbrk` has handed out.
pub(super) fn program_break(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Address> {
    // A static variable of a function has a number behind its name.
    let is_break = |name: &str| BREAKS.contains(&name.split('.').next().unwrap_or(name));
    let found = symbols.symbols().iter().filter(|symbol| {
        symbol.kind == SymbolKind::Object && symbol.size == 4 && is_break(symbol.name)
    });
    let mut values = found.filter_map(|symbol| memory.read_u32(symbol.address).ok());
    values.find(|value| *value != 0).map(Address)
}

/// Where `sbrk` has to stop, as far as names tell.
fn limit(symbols: &SymbolFile<'_>) -> Option<Address> {
    let value = |name: &str| {
        let symbol = symbols.symbol(name).map(|symbol| symbol.address.0);
        symbol.or_else(|| symbols.absolute(name))
    };
    let named = LIMITS.iter().find_map(|name| value(name));
    // ST: what is set aside for the stack.
    let left = || value("_estack")?.checked_sub(value("_Min_Stack_Size")?);
    named.or_else(left).map(Address)
}

/// What a walk found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Walked {
    /// Blocks that are handed out, by address.
    used: Vec<HeapBlock>,
    /// Free blocks, by address: where they end, and their size.
    free: Vec<(Address, u64)>,
    /// Whether the walk came to the end.
    whole: bool,
    corruption: Vec<Corruption>,
}

impl Walked {
    fn take(&mut self, address: Address, end: Address) {
        let size = u64::from(end.0.saturating_sub(address.0));
        self.used.push(HeapBlock { address, size, held_by: None });
    }

    fn leave(&mut self, address: Address, end: Address) {
        self.free.push((end, u64::from(end.0.saturating_sub(address.0))));
    }

    fn damage(&mut self, address: Address, text: String) {
        self.corruption.push(Corruption { address, text });
    }

    fn is_full(&self) -> bool {
        self.used.len().saturating_add(self.free.len()) >= MOST_BLOCKS
    }
}

#[cfg(test)]
mod tests;
