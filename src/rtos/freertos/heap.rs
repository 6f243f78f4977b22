//! FreeRTOS' own heaps, walked block by block: heap_1 counts, heap_2 keeps free blocks by size,
//! heap_4 and heap_5 by address. heap_3 is the C library's.
//!
//! A block begins with a link and its size, header included; the top bit of the size marks what is
//! handed out (not in heap_2 before V10.5). configENABLE_HEAP_PROTECTOR combines every link with a
//! secret word.

use super::layout::{Variable, variable};
use crate::base::{Address, AddressRange, Memory};
use crate::rtos::{Corruption, Heap, HeapBlock, Thread, holders};
use crate::symbols::SymbolFile;

/// Header of a block: its link and its size.
const HEADER: u32 = 8;
/// `portBYTE_ALIGNMENT` of every Cortex-M port.
const ALIGNMENT: u32 = 8;
/// Set in the size of blocks that are handed out.
const ALLOCATED: u32 = 0x8000_0000;
/// Largest heap that is walked, in bytes.
const LARGEST: usize = 64 << 20;
/// Most regions of heap_5.
const MOST_REGIONS: usize = 64;
/// Blocks of one heap; more are taken for a corrupted heap.
const MOST_BLOCKS: u32 = 1 << 18;
/// Blocks of one heap that are listed, the largest first.
const MOST_LISTED: usize = 32;
/// What is wrong that is noted; the rest follows from it.
const MOST_DAMAGES: usize = 16;
/// How far above a damaged header a stack that overflowed may begin, in bytes.
const REACH: u32 = 4096;

/// Where blocks begin and end: behind the last is a marker or nothing.
type Region = (u32, u32);

/// The heap of this firmware, where it has one of FreeRTOS'. `tasks` have blocks that no variable
/// holds.
pub(super) fn list(
    memory: &dyn Memory,
    symbols: &SymbolFile<'_>,
    tasks: &[Thread],
) -> Option<Heap> {
    symbols.symbol("pvPortMalloc")?;
    let found = |name| variable(symbols, name);
    let word = |name| memory.read_u32(found(name)?.address).ok();
    let whole = found(super::HEAP);
    if let (Some(whole), Some(next)) = (whole, word("xNextFreeByte")) {
        return counted(whole, next);
    }
    let start = found("xStart")?.address;
    let (by_address, end, regions) = match (whole, word("pxEnd"), found("xEnd")) {
        // heap_4.
        (Some(whole), Some(end), _) => (true, end, vec![(aligned(whole.address.0), end)]),
        // heap_2: what is left of the array after alignment is whole blocks.
        (Some(whole), None, Some(end)) => {
            let first = aligned(whole.address.0);
            let size = whole.size.checked_sub(ALIGNMENT)?;
            (false, end.address.0, vec![(first, first.checked_add(size)?)])
        }
        // heap_5.
        (None, Some(end), _) => (true, end, regions(memory, symbols)),
        _ => return None,
    };
    // Nothing was allocated yet.
    if end == 0 || memory.read_u32(start) == Ok(0) {
        return None;
    }
    let canary = word("xHeapCanary").unwrap_or(0);
    let mut walk = Walk::new(memory, canary, by_address);
    walk.free_list(start, end, &regions);
    let listed = walk.damages.is_empty() && !walk.cut_short;
    if let Some(remaining) = word("xFreeBytesRemaining").filter(|_| listed) {
        walk.compare(start, remaining);
    }
    // Every region is looked at, whatever the one before is like.
    let walked = regions.iter().filter(|region| walk.blocks(**region).is_some()).count();
    let complete = walked == regions.len() && walked > 0;
    let total: u64 = regions.iter().map(|(start, end)| u64::from(end.saturating_sub(*start))).sum();
    let least = word("xMinimumEverFreeBytesRemaining").map(u64::from);
    let mut heap = walk.heap(symbols, tasks, &regions, complete);
    heap.high_water = least.filter(|_| total > 0).and_then(|least| total.checked_sub(least));
    if !listed {
        heap.free = None;
        heap.largest_free = None;
    }
    Some(heap)
}

/// heap_1 never frees: what lies below `next` is handed out.
fn counted(whole: Variable, next: u32) -> Option<Heap> {
    let size = whole.size.checked_sub(ALIGNMENT)?;
    let start = Address(aligned(whole.address.0));
    let mut heap = Heap {
        name: super::HEAP.into(),
        range: AddressRange::new(start, u64::from(size)),
        used: Some(u64::from(next)),
        high_water: Some(u64::from(next)),
        ..Heap::default()
    };
    match size.checked_sub(next) {
        Some(free) => {
            heap.free = Some(u64::from(free));
            heap.largest_free = Some(u64::from(free));
        }
        None => heap.corruption.push(Corruption {
            address: start,
            text: format!("{next} of {size} bytes are counted as handed out"),
        }),
    }
    Some(heap)
}

/// The regions of heap_5, where the array that `vPortDefineHeapRegions` was given is a variable.
/// Each ends in a marker.
fn regions(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<Region> {
    let entries = symbols.objects_of_types(&["HeapRegion"], MOST_REGIONS);
    let region = |at: Address| {
        let start = memory.read_u32(at).ok()?;
        let size = memory.read_u32(at.word(1)).ok().filter(|size| *size > 2 * HEADER)?;
        let end = start.checked_add(size)?.checked_sub(HEADER)? & !(ALIGNMENT - 1);
        Some((aligned(start), end))
    };
    entries.iter().filter_map(|entry| region(entry.address)).collect()
}

fn aligned(address: u32) -> u32 {
    address.saturating_add(ALIGNMENT - 1) & !(ALIGNMENT - 1)
}

/// Something wrong, and the block before it, which may be the culprit.
struct Damage {
    at: u32,
    text: String,
    before: Option<u32>,
}

/// What a walk found.
struct Walk<'a> {
    memory: &'a dyn Memory,
    /// Combined with every link.
    canary: u32,
    /// The free list is sorted by address, and sizes are marked; not so in heap_2.
    by_address: bool,
    /// Free blocks with their sizes, in the list's order.
    free: Vec<(u32, u32)>,
    /// Blocks that are handed out, by address.
    blocks: Vec<HeapBlock>,
    damages: Vec<Damage>,
    /// The free list leads to what was not captured.
    cut_short: bool,
}

impl<'a> Walk<'a> {
    fn new(memory: &'a dyn Memory, canary: u32, by_address: bool) -> Walk<'a> {
        let (free, blocks, damages) = (Vec::new(), Vec::new(), Vec::new());
        Walk { memory, canary, by_address, free, blocks, damages, cut_short: false }
    }

    fn damage(&mut self, at: u32, before: Option<u32>, text: String) {
        if let Some(known) = self.damages.iter_mut().find(|known| known.at == at) {
            // The free list led there first, and knows of no neighbour.
            known.before = known.before.or(before);
        } else if self.damages.len() < MOST_DAMAGES {
            self.damages.push(Damage { at, text, before });
        }
    }

    /// Follows the free list up to the first link that cannot be right.
    fn free_list(&mut self, start: Address, end: u32, regions: &[Region]) {
        let room = |(start, end): &Region| end.saturating_sub(*start) / HEADER;
        let most = regions.iter().fold(0_u32, |sum, region| sum.saturating_add(room(region)));
        let most = if regions.is_empty() { MOST_BLOCKS } else { most.min(MOST_BLOCKS) };
        let inside = |at: u32| {
            regions.is_empty() || regions.iter().any(|(start, end)| (*start..=*end).contains(&at))
        };
        let mut from = start.0;
        for _ in 0..=most {
            let Ok(link) = self.memory.read_u32(Address(from)) else {
                self.cut_short = true;
                return;
            };
            let at = link ^ self.canary;
            if at == end {
                return;
            }
            let forward = !self.by_address || from == start.0 || at > from;
            if !at.is_multiple_of(ALIGNMENT) || !inside(at) || !forward {
                let text =
                    format!("the free list leads to {}, which is no free block", Address(at));
                return self.damage(from, None, text);
            }
            let Ok(size) = self.memory.read_u32(Address(at).word(1)) else {
                self.cut_short = true;
                return;
            };
            // The marker at the end of a region of heap_5 has no size.
            if size != 0 || !regions.iter().any(|region| region.1 == at) {
                if size < HEADER || size & ALLOCATED != 0 || !size.is_multiple_of(ALIGNMENT) {
                    let text =
                        format!("the free block at {} has the size 0x{size:08x}", Address(at));
                    return self.damage(at, None, text);
                }
                self.free.push((at, size));
            }
            from = at;
        }
        self.damage(from, None, "the free list has no end".into());
    }

    /// Holds the free list against the kernel's own count.
    fn compare(&mut self, start: Address, counted: u32) {
        let sum: u64 = self.free.iter().map(|(_, size)| u64::from(*size)).sum();
        if sum != u64::from(counted) {
            let text = format!("{sum} bytes are in the free list, and {counted} are counted");
            self.damage(start.0, None, text);
        }
    }

    /// The blocks of a region. Behind a header that cannot be right the walk goes on at the next
    /// free block; `None` when that happened, or when not all is captured.
    fn blocks(&mut self, region: Region) -> Option<()> {
        let (mut at, end) = region;
        let size = end.checked_sub(at)?;
        let range = AddressRange::new(Address(at), u64::from(size))?;
        let bytes = self.memory.read_range(range, LARGEST).ok()?;
        let word = |address: u32| {
            let offset = usize::try_from(address.checked_sub(region.0)?).ok()?;
            Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
        };
        let mut free: Vec<u32> = self.free.iter().map(|(at, _)| *at).collect();
        free.sort_unstable();
        let sound = self.damages.is_empty() && !self.cut_short;
        let mut complete = true;
        let mut before = None;
        for _ in 0..MOST_BLOCKS {
            if at >= end {
                break;
            }
            let (link, marked) = (word(at)?, word(at.checked_add(4)?)?);
            let size = marked & !ALLOCATED;
            let is_free = free.binary_search(&at).is_ok();
            let handed_out = if self.by_address { marked & ALLOCATED != 0 } else { !is_free };
            let next = at.checked_add(size).filter(|next| *next <= end);
            let next = next.filter(|_| size >= HEADER && size.is_multiple_of(ALIGNMENT));
            let header = format!("the header of the block at {}", Address(at));
            let Some(next) = next else {
                self.damage(at, before, format!("{header} has the size 0x{marked:08x}"));
                complete = false;
                before = None;
                let rest = free.partition_point(|free| *free <= at);
                at = *free.get(rest).filter(|free| **free < end)?;
                continue;
            };
            if self.by_address && handed_out && link ^ self.canary != 0 {
                let text = format!("{header}, which is handed out, has a link");
                self.damage(at, before, text);
            } else if !handed_out && !is_free && sound {
                let text = format!("{header} says that it is free, and the free list lacks it");
                self.damage(at, before, text);
            }
            before = None;
            if handed_out {
                let address = Address(at.checked_add(HEADER)?);
                let size = u64::from(size.checked_sub(HEADER)?);
                self.blocks.push(HeapBlock { address, size, held_by: None });
                before = Some(address.0);
            }
            at = next;
        }
        (complete && at >= end).then_some(())
    }

    /// What was found, in numbers and words.
    fn heap(
        mut self,
        symbols: &SymbolFile<'_>,
        tasks: &[Thread],
        regions: &[Region],
        complete: bool,
    ) -> Heap {
        let ranges: Vec<AddressRange> = regions
            .iter()
            .filter_map(|(start, end)| AddressRange::from_bounds(Address(*start), Address(*end)))
            .collect();
        for own in &ranges {
            let first = self.blocks.partition_point(|block| block.address < own.start());
            let behind =
                self.blocks.partition_point(|block| u64::from(block.address.0) < own.end());
            if let Some(blocks) = self.blocks.get_mut(first..behind) {
                holders::find(self.memory, symbols, *own, blocks);
            }
        }
        for block in self.blocks.iter_mut().filter(|block| block.held_by.is_none()) {
            block.held_by = tasks.iter().find_map(|task| held_by(task, block.address));
        }
        let corruption = self.damages.iter().map(|damage| self.in_words(damage, tasks)).collect();
        let net = |size: u32| u64::from(size.saturating_sub(HEADER));
        let used = self.blocks.iter().fold(0_u64, |sum, block| sum.saturating_add(block.size));
        let count = u32::try_from(self.blocks.len()).ok();
        self.blocks.sort_by_key(|block| (std::cmp::Reverse(block.size), block.address));
        self.blocks.truncate(MOST_LISTED);
        Heap {
            name: super::HEAP.into(),
            range: ranges.first().copied().filter(|_| ranges.len() == 1),
            used: complete.then_some(used),
            free: Some(self.free.iter().map(|(_, size)| net(*size)).sum()),
            largest_free: Some(self.free.iter().map(|(_, size)| net(*size)).max().unwrap_or(0)),
            high_water: None,
            blocks: count.filter(|_| complete),
            largest_blocks: self.blocks,
            corruption,
        }
    }

    /// With the culprit: a stack that grew down onto the place, or the block before it.
    fn in_words(&self, damage: &Damage, tasks: &[Thread]) -> Corruption {
        let Damage { at, text, before } = damage;
        let above = |task: &&Thread| {
            let start = task.stack.map_or(0, |stack| stack.start().0);
            task.sentinel_lost && start.checked_sub(*at).is_some_and(|distance| distance < REACH)
        };
        let by = if let Some(task) = tasks.iter().find(above) {
            format!("; the stack of {}, which overflowed, begins above it", task.name)
        } else {
            let before = before
                .and_then(|before| self.blocks.iter().find(|block| block.address.0 == before));
            before.map_or(String::new(), |block| {
                let held = block.held_by.as_ref();
                let held = held.map_or(String::new(), |name| format!(", held by {name}"));
                let HeapBlock { address, size, .. } = block;
                format!(
                    "; the block before it, {size} bytes at {address}{held}, may have been overrun"
                )
            })
        };
        Corruption { address: Address(*at), text: format!("{text}{by}") }
    }
}

/// What a task has at `address`.
fn held_by(task: &Thread, address: Address) -> Option<String> {
    if task.address == address {
        Some(format!("task {}", task.name))
    } else if task.stack.is_some_and(|stack| stack.start() == address) {
        Some(format!("stack of {}", task.name))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    const START: u32 = 0x2000_0000;
    const FIRST: u32 = START + 0x100;
    const CANARY: u32 = 0x5ca1_ab1e;

    /// A heap of blocks, `(size, free)`, from `FIRST` on, with a marker behind; `patches` over it.
    fn memory(blocks: &[(u32, bool)], canary: u32, patches: &[(u32, u32)]) -> (MemoryImage, u32) {
        let mut memory = MemoryImage::default();
        let mut put = |at: u32, word: u32| {
            memory.insert(Address(at), word.to_le_bytes().to_vec()).unwrap();
        };
        // What is inserted first counts.
        patches.iter().for_each(|(at, word)| put(*at, *word));
        let end = FIRST + blocks.iter().map(|(size, _)| size).sum::<u32>();
        let (mut at, mut from) = (FIRST, START);
        for (size, free) in blocks {
            if *free {
                put(from, at ^ canary);
                put(at + 4, *size);
                from = at;
            } else {
                put(at, canary);
                put(at + 4, size | ALLOCATED);
            }
            (at + 8..at + size).step_by(4).for_each(|at| put(at, 0));
            at += size;
        }
        put(from, end ^ canary);
        (memory, end)
    }

    fn walked(memory: &MemoryImage, end: u32, canary: u32) -> (Walk<'_>, bool) {
        let mut walk = Walk::new(memory, canary, true);
        walk.free_list(Address(START), end, &[(FIRST, end)]);
        let complete = walk.blocks((FIRST, end)).is_some();
        (walk, complete)
    }

    const BLOCKS: &[(u32, bool)] = &[(32, false), (16, true), (64, false), (128, true)];

    #[test]
    fn sound_heap_is_counted() {
        for canary in [0, CANARY] {
            let (memory, end) = memory(BLOCKS, canary, &[]);
            let (walk, complete) = walked(&memory, end, canary);
            assert!(complete && walk.damages.is_empty());
            assert_eq!(walk.free, [(FIRST + 32, 16), (FIRST + 112, 128)]);
            let blocks: Vec<_> = walk.blocks.iter().map(|b| (b.address.0, b.size)).collect();
            assert_eq!(blocks, [(FIRST + 8, 24), (FIRST + 56, 56)]);
        }
    }

    #[test]
    fn overrun_into_a_free_block_names_link_and_block_before() {
        let (memory, end) =
            memory(BLOCKS, 0, &[(FIRST + 32, 0x4141_4141), (FIRST + 36, 0x4141_4141)]);
        let (walk, complete) = walked(&memory, end, 0);
        assert!(!complete);
        let texts: Vec<String> =
            walk.damages.iter().map(|damage| walk.in_words(damage, &[]).text).collect();
        let expected = "the free block at 0x20000120 has the size 0x41414141; the block before \
             it, 24 bytes at 0x20000108, may have been overrun";
        assert_eq!(texts, [expected]);
    }

    #[test]
    fn overrun_into_a_block_in_use_blames_the_one_before_or_a_stack_above() {
        let blocks = &[(32, false), (64, false), (128, true)];
        let (memory, end) = memory(blocks, 0, &[(FIRST + 32, 0x4141_4141)]);
        let (walk, complete) = walked(&memory, end, 0);
        assert!(complete);
        let corruption = walk.in_words(&walk.damages[0], &[]);
        assert_eq!(corruption.address, Address(FIRST + 32));
        assert_eq!(
            corruption.text,
            "the header of the block at 0x20000120, which is handed out, has a link; the block \
             before it, 24 bytes at 0x20000108, may have been overrun"
        );
        let stack = AddressRange::new(Address(FIRST + 40), 56);
        let task = Thread { name: "rx".into(), stack, sentinel_lost: true, ..Thread::default() };
        let text = walk.in_words(&walk.damages[0], &[task]).text;
        assert!(text.ends_with("; the stack of rx, which overflowed, begins above it"), "{text}");
    }

    #[test]
    fn free_list_out_of_the_heap_or_in_a_circle_is_told() {
        for link in [0xdead_beef, FIRST + 32, 0x1000_0000] {
            let (memory, end) = memory(BLOCKS, 0, &[(FIRST + 112, link)]);
            let (walk, _) = walked(&memory, end, 0);
            let text = &walk.damages[0].text;
            assert_eq!(
                *text,
                format!("the free list leads to {}, which is no free block", Address(link))
            );
        }
    }

    #[test]
    fn block_that_the_free_list_lacks_is_told() {
        let (memory, end) = memory(BLOCKS, 0, &[(FIRST + 32, 0), (START, FIRST + 112)]);
        let (walk, _) = walked(&memory, end, 0);
        assert!(walk.damages[0].text.ends_with("says that it is free, and the free list lacks it"));
    }

    #[test]
    fn free_list_by_size_may_lead_back() {
        let (memory, end) = memory(
            &[(128, true), (64, false), (16, true)],
            0,
            &[(START, FIRST + 192), (FIRST + 192, FIRST), (FIRST, FIRST + 208), (FIRST + 132, 64)],
        );
        let mut walk = Walk::new(&memory, 0, false);
        walk.free_list(Address(START), end, &[(FIRST, end)]);
        assert_eq!(walk.blocks((FIRST, end)), Some(()));
        assert!(walk.damages.is_empty());
        assert_eq!(walk.blocks.len(), 1);
    }
}
