//! newlib-nano: chunks begin with their size, the block follows at the next multiple of 8. Free
//! chunks have a pointer to the next free one behind the size, in the order of addresses.

use super::Walked;
use crate::base::{Address, Memory};
use std::collections::BTreeSet;

/// Smallest chunk: its size, a link, padding.
const SMALLEST: u32 = 12;

/// Start and end of the heap, and its blocks. `base` is where `sbrk` began, 0 before the first call.
pub(super) fn walk(
    memory: &dyn Memory,
    first_free: u32,
    base: u32,
    end: Address,
) -> Option<(Address, Address, Walked)> {
    let start = Address(base.checked_next_multiple_of(4)?);
    if base == 0 || end <= start {
        return None;
    }
    let mut walked = Walked::default();
    let mut free = free_list(memory, first_free, start, end, &mut walked);
    let mut at = start;
    while at < end && !walked.is_full() {
        let Ok(size) = memory.read_u32(at) else { break };
        let next = at
            .checked_add(size)
            .filter(|next| size >= SMALLEST && size.is_multiple_of(4) && *next <= end);
        let Some(next) = next else {
            let text = format!("the header at {at} gives a size of {} bytes", size.cast_signed());
            walked.damage(at, text);
            break;
        };
        if free.remove(&at) {
            walked.leave(at.word(1), next);
        } else {
            let block = at.word(1).0.checked_next_multiple_of(8).map(Address);
            walked.take(block.unwrap_or(at), next);
        }
        at = next;
    }
    walked.whole = at == end;
    if let Some(lost) = free.pop_first().filter(|_| walked.whole) {
        let text = format!("the free list holds {lost}, which is no block");
        walked.damage(lost, text);
    }
    Some((start, end, walked))
}

/// The chunks in the free list.
fn free_list(
    memory: &dyn Memory,
    first: u32,
    start: Address,
    end: Address,
    walked: &mut Walked,
) -> BTreeSet<Address> {
    let mut free = BTreeSet::new();
    let (mut at, mut before) = (Address(first), None);
    while at.0 != 0 && free.len() < super::MOST_BLOCKS {
        // Their order makes a list that bites its tail end here too.
        if at < start || at >= end || before.is_some_and(|before| at <= before) {
            let text = match before {
                Some(before) => format!("the free list leads from {before} to {at}"),
                None => format!("the free list begins at {at}, outside the heap"),
            };
            walked.damage(before.unwrap_or(at), text);
            break;
        }
        free.insert(at);
        before = Some(at);
        let Ok(next) = memory.read_u32(at.word(1)) else { break };
        at = Address(next);
    }
    free
}
