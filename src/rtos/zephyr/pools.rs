//! `k_mem_pool` and `sys_mem_pool` (`lib/os/mempool.c`, until 2.4; `k_malloc` takes from the pool
//! `_heap_mem_pool`): blocks that are split into four of the next level when smaller ones are asked
//! for.
//!
//! Each level has a free list, whose links stand in the free blocks, and a bit for each block: set
//! in 1.14 when it is free, set since 2.0 when it is in use or split. What `k_malloc` and
//! `sys_mem_pool_alloc` hand out begins with a header that names level and block;
//! `k_mem_pool_alloc` leaves that to its caller.

use crate::base::{Address, AddressRange, Memory};
use crate::rtos::{Corruption, Heap, HeapBlock, holders};
use crate::symbols::{Object, SymbolFile};
use std::collections::BTreeSet;

/// Pools that are walked.
const MOST_POOLS: usize = 64;
/// Blocks of one pool, used, free and split.
const MOST_BLOCKS: usize = 1 << 16;
/// Blocks of one pool that are listed, the largest first.
const MOST_LISTED: usize = 32;
/// More levels than any pool has.
const MOST_LEVELS: u8 = 16;

/// Every pool in a variable.
pub(super) fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<Heap> {
    let types = ["k_mem_pool", "sys_mem_pool"];
    let found = symbols.objects_of_types(&types, MOST_POOLS);
    found.iter().filter_map(|object| heap(memory, symbols, object)).collect()
}

fn heap(memory: &dyn Memory, symbols: &SymbolFile<'_>, object: &Object) -> Option<Heap> {
    let pool = Pool::find(memory, symbols, object)?;
    let own = pool.range();
    let mut found = Found::default();
    found.follow_free_lists(&pool);
    let is_complete = found.corruption.is_empty();
    if is_complete {
        found.marked = found.are_free_marked(&pool);
        found.walk(&pool);
    }
    found.blocks.sort_by_key(|block| block.address);
    holders::find(memory, symbols, own, &mut found.blocks);
    let count = u32::try_from(found.blocks.len()).ok();
    found.blocks.sort_by_key(|block| (std::cmp::Reverse(block.size), block.address));
    found.blocks.truncate(MOST_LISTED);
    Some(Heap {
        name: object.name.clone(),
        range: Some(own),
        used: is_complete.then_some(found.used),
        free: is_complete.then_some(found.unused),
        largest_free: is_complete.then_some(found.largest_free),
        high_water: None,
        blocks: count.filter(|_| is_complete),
        largest_blocks: found.blocks,
        corruption: found.corruption,
    })
}

/// A pool as its structure describes it.
struct Pool<'a> {
    memory: &'a dyn Memory,
    address: Address,
    buffer: Address,
    /// Blocks of the first level.
    count: u32,
    /// Bytes of a block of each level.
    sizes: Vec<u32>,
    levels: Address,
    /// Bytes of a level's structure, and where in it the list stands.
    level_size: u32,
    list: u32,
    /// The last level whose bits stand in its structure; -1 for none.
    last_inline: i8,
    header: Header,
}

/// What stands before the bytes that are handed out.
#[derive(Clone, Copy)]
enum Header {
    /// `struct k_mem_block_id`: a word with the number of the pool, where that is known.
    Kernel { pool: Option<u32> },
    /// `struct sys_mem_pool_block`: the pool's address and a word.
    Library,
}

impl Header {
    fn size(self) -> u32 {
        match self {
            Header::Kernel { .. } => 4,
            Header::Library => 8,
        }
    }
}

impl<'a> Pool<'a> {
    fn find(memory: &'a dyn Memory, symbols: &SymbolFile<'_>, object: &Object) -> Option<Pool<'a>> {
        let at = |path: &str| {
            let layout = symbols.layout_in(object.ty, &format!("base.{path}"))?;
            object.address.checked_add(u32::try_from(layout.offset_bytes).ok()?)
        };
        let word = |path: &str| memory.read_u32(at(path)?).ok();
        // None before the pool is initialised, or when a heap stands behind it (2.4).
        let levels = word("levels").filter(|levels| *levels != 0).map(Address)?;
        let buffer = word("buf").filter(|buffer| *buffer != 0).map(Address)?;
        let largest = word("max_sz")?;
        let count = u32::from(memory.read_u16(at("n_max")?).ok()?);
        let depth = memory.read_u8(at("n_levels")?).ok()?.min(MOST_LEVELS);
        let shrink = |size: &u32| Some((*size / 4).next_multiple_of(4)).filter(|size| *size >= 8);
        let sizes = std::iter::successors(Some(largest), shrink).take(depth.into()).collect();
        let layout = symbols.layout("sys_mem_pool_lvl", "free_list")?;
        let is_library = symbols.layout_in(object.ty, "mutex").is_some();
        let number = || {
            let first = symbols.symbol("_k_mem_pool_list_start")?.address;
            let size = u32::try_from(object.size).ok()?;
            object.address.0.checked_sub(first.0)?.checked_div(size)
        };
        let pool = Pool {
            memory,
            address: object.address,
            buffer,
            count,
            sizes,
            levels,
            level_size: u32::try_from(symbols.size_of("sys_mem_pool_lvl")?).ok()?,
            list: u32::try_from(layout.offset_bytes).ok()?,
            last_inline: memory.read_u8(at("max_inline_level")?).ok()? as i8,
            header: if is_library { Header::Library } else { Header::Kernel { pool: number() } },
        };
        AddressRange::new(buffer, u64::from(largest).checked_mul(count.into())?)?;
        Some(pool)
    }

    fn size(&self, level: usize) -> Option<u32> {
        self.sizes.get(level).copied()
    }

    fn range(&self) -> AddressRange {
        let size = u64::from(self.size(0).unwrap_or(0)).saturating_mul(self.count.into());
        AddressRange::new(self.buffer, size).unwrap_or_default()
    }

    /// Whether a block of `level` that begins at `at` lies in the pool.
    fn holds(&self, at: Address, level: usize) -> bool {
        let Some(size) = self.size(level) else { return false };
        let distance = at.0.wrapping_sub(self.buffer.0);
        let end = u64::from(distance).saturating_add(size.into());
        distance.is_multiple_of(4) && end <= self.range().size()
    }

    /// The head of the free list of `level`.
    fn list(&self, level: usize) -> Option<Address> {
        let structure = self.level_size.checked_mul(u32::try_from(level).ok()?)?;
        self.levels.checked_add(structure)?.checked_add(self.list)
    }

    /// The bit of a block.
    fn bit(&self, level: usize, number: u32) -> Option<bool> {
        let bits = self.list(level)?.0.checked_sub(self.list).map(Address)?;
        let is_inline = i8::try_from(level).is_ok_and(|level| level <= self.last_inline);
        let bits = if is_inline { bits } else { Address(self.memory.read_u32(bits).ok()?) };
        let word = self.memory.read_u32(bits.word(number / 32)).ok()?;
        Some(word >> (number % 32) & 1 == 1)
    }

    /// The level that the header of a block at `at` names, when there is one that fits: at `level`
    /// this would be block `number`.
    fn level_by_header(&self, at: Address, level: usize, number: u32) -> Option<usize> {
        let word = |index: u32| self.memory.read_u32(at.word(index)).ok();
        let (own_level, own_number) = match self.header {
            Header::Kernel { pool } => {
                let id = word(0)?;
                if pool.is_some_and(|pool| pool != id & 0xff) {
                    return None;
                }
                (id >> 8 & 0xf, id >> 12)
            }
            Header::Library if word(0)? == self.address.0 => (word(1)? & 0xf, word(1)? >> 4),
            Header::Library => return None,
        };
        let own_level = usize::try_from(own_level).ok()?;
        let below = own_level.checked_sub(level).filter(|_| own_level < self.sizes.len())?;
        let first = number.checked_mul(4_u32.checked_pow(u32::try_from(below).ok()?)?)?;
        (own_number == first).then_some(own_level)
    }
}

/// What a walk found.
#[derive(Default)]
struct Found {
    /// The free blocks of each level.
    free: Vec<BTreeSet<Address>>,
    /// What the bit of a free block is; `None` when no block is free.
    marked: Option<bool>,
    blocks: Vec<HeapBlock>,
    used: u64,
    unused: u64,
    largest_free: u64,
    steps: usize,
    corruption: Vec<Corruption>,
}

impl Found {
    fn follow_free_lists(&mut self, pool: &Pool<'_>) {
        for level in 0..pool.sizes.len() {
            let mut blocks = BTreeSet::new();
            if let Err(damage) = follow(pool, level, &mut blocks) {
                self.corruption.extend(damage);
            }
            self.free.push(blocks);
        }
    }

    /// What the bits of free blocks say, by most of them.
    fn are_free_marked(&self, pool: &Pool<'_>) -> Option<bool> {
        let mut set = 0_usize;
        let mut clear = 0_usize;
        for (level, blocks) in self.free.iter().enumerate() {
            for at in blocks {
                let number = at.0.wrapping_sub(pool.buffer.0).checked_div(pool.size(level)?)?;
                match pool.bit(level, number)? {
                    true => set = set.saturating_add(1),
                    false => clear = clear.saturating_add(1),
                }
            }
        }
        (set != clear).then_some(set > clear)
    }

    fn walk(&mut self, pool: &Pool<'_>) -> Option<()> {
        for number in 0..pool.count {
            let offset = pool.size(0)?.checked_mul(number)?;
            self.block(pool, 0, number, pool.buffer.checked_add(offset)?)?;
        }
        Some(())
    }

    /// Counts the block `number` of `level`, which begins at `at`, or its parts.
    fn block(&mut self, pool: &Pool<'_>, level: usize, number: u32, at: Address) -> Option<()> {
        self.steps = self.steps.checked_add(1).filter(|steps| *steps <= MOST_BLOCKS)?;
        let size = pool.size(level)?;
        if !pool.holds(at, level) {
            return Some(());
        }
        if self.free.get(level)?.contains(&at) {
            self.unused = self.unused.saturating_add(size.into());
            self.largest_free = self.largest_free.max(size.into());
            return Some(());
        }
        let by_header = pool.level_by_header(at, level, number);
        if self.is_split(pool, level, number, at, size)
            || by_header.is_some_and(|by_header| by_header > level)
        {
            let (below, part) = (level.checked_add(1)?, pool.size(level.checked_add(1)?)?);
            for index in 0..4_u32 {
                let number = number.checked_mul(4)?.checked_add(index)?;
                self.block(pool, below, number, at.checked_add(part.checked_mul(index)?)?)?;
            }
            return Some(());
        }
        let header = if by_header.is_some() { pool.header.size() } else { 0 };
        let address = at.checked_add(header)?;
        let size = u64::from(size).checked_sub(header.into())?;
        self.used = self.used.saturating_add(size);
        self.blocks.push(HeapBlock { address, size, held_by: None });
        Some(())
    }

    fn is_split(&self, pool: &Pool<'_>, level: usize, number: u32, at: Address, size: u32) -> bool {
        let Some(below) = level.checked_add(1).filter(|below| *below < pool.sizes.len()) else {
            return false;
        };
        let end = Address(at.0.saturating_add(size));
        let mut smaller = self.free.iter().skip(below);
        let part_is_free = smaller.any(|free| free.range(at..end).next().is_some());
        let part_is_used = || {
            let first = number.checked_mul(4)?;
            let mut parts = (0..4).filter_map(|index| first.checked_add(index));
            Some(parts.any(|part| pool.bit(below, part) == Some(true)))
        };
        part_is_free || (self.marked == Some(false) && part_is_used() == Some(true))
    }
}

/// Follows the circular free list of `level`. An error is what is wrong, if it can be read.
fn follow(
    pool: &Pool<'_>,
    level: usize,
    blocks: &mut BTreeSet<Address>,
) -> Result<(), Option<Corruption>> {
    let head = pool.list(level).ok_or(None)?;
    let size = pool.size(level).ok_or(None)?;
    let word = |at: Address, index: u32| pool.memory.read_u32(at.word(index)).map_err(|_| None);
    let mut at = head;
    loop {
        let next = Address(word(at, 0)?);
        let damage = |address: Address, text: String| Err(Some(Corruption { address, text }));
        let overwritten = |at: Address| {
            let text = format!(
                "the links of the free block of {size} bytes at {at} were overwritten, perhaps \
                 after the block was freed"
            );
            damage(at, text)
        };
        if next == head {
            return Ok(());
        }
        let is_sound = pool.holds(next, level) && !blocks.contains(&next);
        if !is_sound && at == head {
            let text = format!("the free list of blocks of {size} bytes leads to {next}");
            return damage(head, text);
        }
        if !is_sound || blocks.len() >= MOST_BLOCKS {
            return overwritten(at);
        }
        if word(next, 1)? != at.0 {
            return overwritten(next);
        }
        blocks.insert(next);
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{poke, with_old_objects};
    use super::*;

    fn named(heaps: Vec<Heap>, name: &str) -> Heap {
        heaps.into_iter().find(|heap| heap.name == name).unwrap()
    }

    #[test]
    fn kernel_pool_is_summed_up_and_its_blocks_are_told_by_headers() {
        with_old_objects(|memory, symbols| {
            let heap = named(read(memory, symbols), "app_pool");
            assert_eq!(heap.corruption, []);
            // Six parts without their headers, and a block that has none.
            assert_eq!((heap.used, heap.blocks), (Some(6 * 12 + 64), Some(7)));
            assert_eq!((heap.free, heap.largest_free), (Some(64 + 2 * 16), Some(64)));
            let first = heap.largest_blocks.first().unwrap();
            assert_eq!((first.size, first.held_by.as_deref()), (64, Some("block_in_use")));
            assert_eq!(heap.range.unwrap().size(), 4 * 64);
        });
    }

    #[test]
    fn library_pool_is_split_by_bits_where_blocks_have_no_headers() {
        with_old_objects(|memory, symbols| {
            let heap = named(read(memory, symbols), "library_pool");
            assert_eq!((heap.used, heap.blocks), (Some(8 + 3 * 16), Some(4)));
            assert_eq!((heap.free, heap.largest_free), (Some(64), Some(64)));
        });
    }

    #[test]
    fn overwritten_links_of_free_blocks_are_told() {
        let (list, links) = ("the free list", "links of the free block of 16 bytes");
        let cases = [
            ("app_levels", 12 + 4, 0, list),
            ("app_memory", 13 * 16, 0x4141_4141, links),
            ("app_memory", 15 * 16 + 4, 0x4141_4141, links),
        ];
        for (name, offset, value, what) in cases {
            with_old_objects(|memory, symbols| {
                poke(memory, symbols, name, offset, &u32::to_le_bytes(value));
                let heap = named(read(memory, symbols), "app_pool");
                let texts: Vec<_> = heap.corruption.iter().map(|damage| &damage.text).collect();
                assert_eq!(texts.len(), 1, "{texts:?}");
                assert!(texts[0].contains(what), "{texts:?}");
                assert_eq!((heap.used, heap.free, heap.blocks), (None, None, None));
            });
        }
    }

    #[test]
    fn nonsense_in_any_word_of_a_pool_is_survived() {
        with_old_objects(|memory, symbols| {
            let sound = memory.clone();
            for (name, size) in [("app_pool", 32), ("app_levels", 24), ("app_memory", 272)] {
                for offset in (0..size).step_by(4) {
                    for value in [0, 1, 0x7fff_ffff, 0xffff_ffff, 0x2000_0000_u32] {
                        *memory = sound.clone();
                        poke(memory, symbols, name, offset, &value.to_le_bytes());
                        for heap in read(memory, symbols) {
                            assert!(heap.corruption.len() <= usize::from(MOST_LEVELS));
                        }
                    }
                }
            }
        });
    }
}
