//! Byte pools: blocks that begin with the address of the next one and a word that says whether they
//! are free; the last leads back to the first.

use super::Walker;
use crate::base::{Address, AddressRange, Memory};
use crate::rtos::{Corruption, Heap, HeapBlock, holders};
use crate::symbols::SymbolFile;

/// `TX_BYTE_BLOCK_FREE`.
const FREE: u32 = 0xffff_eeee;
/// A block's next pointer and its mark.
const HEADER: u32 = 8;
/// Most pools.
const MOST_POOLS: u32 = 64;
/// Blocks of one pool; more are taken for a corrupted pool.
const MOST_BLOCKS: usize = 1 << 16;
/// Blocks of one pool that are listed, the largest first.
const MOST_LISTED: usize = 32;

const POOL: &str = "TX_BYTE_POOL_STRUCT";

/// Every byte pool.
pub(super) fn list(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<Heap> {
    let walker = Walker { memory, symbols };
    let count = walker.variable("_tx_byte_pool_created_count").unwrap_or(0).min(MOST_POOLS);
    let head = walker.variable("_tx_byte_pool_created_ptr").unwrap_or(0);
    let mut at = head;
    let mut found = Vec::new();
    for _ in 0..count {
        let pool = Address(at);
        found.extend(heap(&walker, pool));
        match walker.word(pool, POOL, "tx_byte_pool_created_next") {
            Some(next) if next != head && next != 0 => at = next,
            _ => break,
        }
    }
    found
}

fn heap(walker: &Walker<'_, '_>, pool: Address) -> Option<Heap> {
    let member = |name| walker.word(pool, POOL, name);
    let start = member("tx_byte_pool_start")?;
    let range = AddressRange::new(Address(start), u64::from(member("tx_byte_pool_size")?))?;
    let name = member("tx_byte_pool_name").and_then(|name| walker.text(name));
    let name = name.or_else(|| walker.symbols.object_name(pool));
    let mut heap = Heap {
        name: name.unwrap_or_else(|| pool.to_string()),
        range: Some(range),
        ..Heap::default()
    };
    let (mut blocks, mut free, mut largest) = (Vec::new(), 0_u64, 0_u64);
    let mut at = start;
    loop {
        let header =
            (walker.memory.read_u32(Address(at)), walker.memory.read_u32(Address(at).word(1)));
        let (Ok(next), Ok(mark)) = header else { break };
        if next == start {
            // The last block has no room: it only closes the ring.
            let sum = |blocks: &[HeapBlock]| {
                blocks.iter().fold(0_u64, |sum, block| sum.saturating_add(block.size))
            };
            heap.used = Some(sum(&blocks));
            heap.free = Some(free);
            heap.largest_free = Some(largest);
            heap.blocks = u32::try_from(blocks.len()).ok();
            break;
        }
        let size = next.checked_sub(at).and_then(|size| size.checked_sub(HEADER));
        let Some(size) = size.filter(|_| range.contains(Address(next)) && next.is_multiple_of(4))
        else {
            let text = format!("the block at {} leads to {}", Address(at), Address(next));
            heap.corruption.push(Corruption { address: Address(at), text });
            break;
        };
        let size = u64::from(size);
        if mark == FREE {
            free = free.saturating_add(size);
            largest = largest.max(size);
        } else {
            let address = Address(at).word(2);
            blocks.push(HeapBlock { address, size, held_by: None });
        }
        if blocks.len() > MOST_BLOCKS {
            break;
        }
        at = next;
    }
    holders::find(walker.memory, walker.symbols, range, &mut blocks);
    blocks.sort_by_key(|block| (std::cmp::Reverse(block.size), block.address));
    blocks.truncate(MOST_LISTED);
    heap.largest_blocks = blocks;
    Some(heap)
}
