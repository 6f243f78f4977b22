//! newlib, whose allocator is Doug Lea's, version 2.6: chunks begin with the size of the one before
//! when that is free, and a word with their own size and two marks; the next chunk tells whether
//! this one is free. Free chunks hang in rings, forwards and backwards; the last chunk is the top.

use super::Walked;
use crate::base::{Address, Memory};

/// The chunk before is handed out.
const PREVIOUS_IN_USE: u32 = 1;
/// Marks in a size.
const MARKS: u32 = 7;
/// Smallest chunk.
const SMALLEST: u32 = 16;
/// Size of the mark behind the old top where somebody else called `sbrk`.
const FENCE: u32 = 4;
/// It asks `sbrk` for whole pages, however little is wanted.
pub(super) const PAGE: u32 = 4096;
/// The word of `__malloc_av_` that points to the top chunk.
const TOP: u32 = 2;

/// Start and end of the heap, and its blocks. `base` is where `sbrk` began, -1 before the first call.
pub(super) fn walk(
    memory: &dyn Memory,
    bins: Address,
    base: u32,
) -> Option<(Address, Address, Walked)> {
    let word = |at: Address, index: u32| memory.read_u32(at.word(index)).ok();
    if base == u32::MAX {
        return None;
    }
    let start = Address(base.checked_next_multiple_of(8)?);
    let top = Address(word(bins, TOP)?);
    let top_size = word(top, 1)? & !MARKS;
    let end = top.checked_add(top_size).filter(|end| *end > start && top >= start)?;
    let mut walked = Walked::default();
    let mut at = start;
    while at < top && !walked.is_full() {
        let Some(size) = word(at, 1).map(|size| size & !MARKS | size & FENCE) else { break };
        if size == FENCE {
            break;
        }
        let next = at
            .checked_add(size)
            .filter(|next| size >= SMALLEST && size.is_multiple_of(8) && *next <= top);
        let Some(next) = next else {
            let text = format!("the header at {at} gives a size of {size} bytes");
            walked.damage(at, text);
            break;
        };
        // The word before the next size belongs to this block while it is handed out.
        let (block, block_end) = (at.word(2), next.word(1));
        let Some(next_size) = word(next, 1) else { break };
        if next_size & PREVIOUS_IN_USE != 0 {
            walked.take(block, block_end);
        } else {
            walked.leave(block, block_end);
            let links = |link| word(at, link).map(Address);
            let back = links(2).and_then(|forward| word(forward, 3));
            let forth = links(3).and_then(|backward| word(backward, 2));
            if word(next, 0) != Some(size) {
                let text = format!("the size of the free block at {block} is overwritten");
                walked.damage(at, text);
            } else if back != Some(at.0) || forth != Some(at.0) {
                let text = format!("the links of the free block at {block} are overwritten");
                walked.damage(block, text);
            }
        }
        at = next;
    }
    if at == top {
        walked.leave(top.word(2), end);
        walked.whole = true;
    }
    Some((start, end, walked))
}
