//! A task's stack: where it ends, which the kernel need not keep, and how much of it was used.

use super::layout::Layout;
use crate::base::{Address, AddressRange, Memory};
use crate::rtos::stack_fill;
use crate::symbols::{SymbolFile, SymbolKind};

/// Four of `tskSTACK_FILL_BYTE`.
const FILL: u32 = 0xa5a5_a5a5;
/// What configCHECK_FOR_STACK_OVERFLOW 2 looks at, in bytes.
const CHECKED: u32 = 16;
/// Largest stack that is believed, in bytes.
pub(super) const LARGEST: u32 = 1 << 20;
/// Header of a heap block in front of what it hands out, in bytes.
const HEAP_HEADER: u32 = 8;
/// Farthest that a control block stands behind its stack when nothing else gives the end.
const FARTHEST: u32 = 64 << 10;

/// The stack of the task at `task` that begins at `lowest`, as far as its end can be told.
pub(super) fn range(
    memory: &dyn Memory,
    symbols: &SymbolFile<'_>,
    layout: &Layout,
    task: Address,
    lowest: Address,
) -> Option<AddressRange> {
    let recorded = layout
        .task
        .end_of_stack
        .and_then(|offset| memory.read_u32(task.checked_add(offset)?).ok())
        // The last word, rounded down to 8 bytes: which of two words it was, the rest tells.
        .and_then(|last| last.checked_add(8));
    let owner = owner_end(memory, symbols, lowest);
    let end = match (recorded, owner) {
        (Some(recorded), Some(owner)) if recorded <= owner => recorded,
        (Some(recorded), Some(_)) => recorded.checked_sub(4)?,
        (Some(recorded), None) => recorded,
        (None, Some(owner)) => owner,
        // Allocated in one go: the control block comes next.
        (None, None) => task.0.checked_sub(HEAP_HEADER).filter(|end| {
            end.checked_sub(lowest.0).is_some_and(|size| (1..=FARTHEST).contains(&size))
        })?,
    };
    let size = end.checked_sub(lowest.0).filter(|size| (1..=LARGEST).contains(size))?;
    AddressRange::new(lowest, u64::from(size))
}

/// The end of the array or heap block that begins at `lowest`.
fn owner_end(memory: &dyn Memory, symbols: &SymbolFile<'_>, lowest: Address) -> Option<u32> {
    let (symbol, distance) = symbols.symbol_at(lowest)?;
    let symbol_end = symbol.address.0.checked_add(symbol.size)?;
    if symbol.kind != SymbolKind::Object {
        return None;
    }
    if distance == 0 {
        return Some(symbol_end);
    }
    // heap_4 and heap_5: the top bit marks blocks that are handed out.
    let size = memory.read_u32(lowest.checked_sub(4)?).ok()?;
    let block = size & 0x7fff_ffff;
    let end = lowest.0.checked_sub(HEAP_HEADER)?.checked_add(block)?;
    let is_block = symbol.name == super::HEAP
        && size != block
        && block.is_multiple_of(8)
        && end > lowest.0
        && end <= symbol_end;
    is_block.then_some(end)
}

/// How much of a stack still is as the kernel filled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fill {
    /// Most bytes that were ever used.
    pub(super) high_water: u32,
    /// The bytes that the kernel checks at the end are overwritten.
    pub(super) end_lost: bool,
}

/// Looks at the fill pattern of `stack`; tells nothing when the kernel did not fill it.
pub(super) fn fill(memory: &dyn Memory, stack: AddressRange) -> Option<Fill> {
    let untouched = stack_fill::untouched(memory, stack, FILL)?;
    let high_water = u32::try_from(stack.size()).ok()?.checked_sub(untouched)?;
    Some(Fill { high_water, end_lost: untouched < CHECKED })
}
