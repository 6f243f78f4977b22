//! `sys_heap` and `k_heap` (`lib/os/heap.c`, since 2.5): chunks of 8-byte units behind a header of
//! the left neighbour's size, the own size and a bit that says whether it is in use.
//!
//! | field | small heap, below 2^15 units | big heap |
//! |---|---|---|
//! | left neighbour's size | u16 at 0 | u32 at 0 |
//! | own size << 1, used | u16 at 2 | u32 at 4 |
//! | previous, next of the free list | u16 at 4, 6 | u32 at 8, 12 |

use crate::base::{Address, AddressRange, Memory};
use crate::rtos::{Corruption, Heap, HeapBlock, holders};
use crate::symbols::{Object, SymbolFile};

/// Heaps that are walked.
const MOST_HEAPS: usize = 64;
/// Chunks of one heap; more are taken for a corrupted heap.
const MOST_CHUNKS: usize = 1 << 18;
/// Blocks of one heap that are listed, the largest first.
const MOST_LISTED: usize = 32;
/// Damages of one heap that are told.
const MOST_DAMAGES: usize = 16;
/// Bytes of a unit.
const UNIT: u64 = 8;
/// Units from which on a heap is big.
const BIG: u32 = 0x8000;
/// Free lists of a heap: one for each power of two.
const BUCKETS: u32 = 32;

/// Every heap in a variable.
pub(super) fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<Heap> {
    let found = symbols.objects_of_types(&["k_heap", "sys_heap"], MOST_HEAPS);
    found.iter().filter_map(|object| heap(memory, symbols, object)).collect()
}

fn heap(memory: &dyn Memory, symbols: &SymbolFile<'_>, object: &Object) -> Option<Heap> {
    let word = |path: &str| {
        let wrapped = symbols.layout_in(object.ty, &format!("heap.{path}"));
        let layout = wrapped.or_else(|| symbols.layout_in(object.ty, path))?;
        let offset = u32::try_from(layout.offset_bytes).ok()?;
        memory.read_u32(object.address.checked_add(offset)?).ok()
    };
    // None before the heap is initialised.
    let base = word("heap").filter(|base| *base != 0).map(Address)?;
    let range = word("init_mem").zip(word("init_bytes"));
    let range = range.and_then(|(start, size)| AddressRange::new(Address(start), size.into()));
    let place = |path: &str| {
        let layout = symbols.layout("z_heap", path)?;
        base.checked_add(u32::try_from(layout.offset_bytes).ok()?)
    };
    let header = |path: &str| memory.read_u32(place(path)?).ok();
    let name = object.name.clone();
    if let Some(range) = range.filter(|range| !range.contains(base)) {
        let text = format!("its memory is {range}, but it says that it begins at {base}");
        let corruption = vec![Corruption { address: object.address, text }];
        return Some(Heap { name, range: Some(range), corruption, ..Heap::default() });
    }
    let Some(end) = header("end_chunk") else {
        return Some(Heap { name, range, ..Heap::default() });
    };
    let is_set = |name: &str| symbols.absolute(name) == Some(1);
    let is_big =
        is_set("CONFIG_SYS_HEAP_BIG_ONLY") || (end >= BIG && !is_set("CONFIG_SYS_HEAP_SMALL_ONLY"));
    let chunks = Chunks { memory, base, end, is_big };
    let mut found = Found::default();
    let complete = found.walk(&chunks).is_some();
    if complete {
        found.follow_free_lists(&chunks, place("buckets"), header("avail_buckets"));
    }
    let own = range.or_else(|| AddressRange::new(base, u64::from(end).checked_mul(UNIT)?));
    let Found { mut blocks, damages, used, free, largest_free, .. } = found;
    if let Some(own) = own {
        holders::find(memory, symbols, own, &mut blocks);
    }
    let told = |damage: Damage| damage.in_words(&blocks);
    let corruption = damages.into_iter().map(told).collect();
    let count = u32::try_from(blocks.len()).ok();
    blocks.sort_by_key(|block| (std::cmp::Reverse(block.size), block.address));
    blocks.truncate(MOST_LISTED);
    Some(Heap {
        name,
        range,
        used: complete.then_some(used),
        free: complete.then_some(free),
        largest_free: complete.then_some(largest_free),
        high_water: header("max_allocated_bytes").map(u64::from),
        blocks: count.filter(|_| complete),
        largest_blocks: blocks,
        corruption,
    })
}

/// The chunks of a heap, each by its number: its distance from the start in units.
struct Chunks<'a> {
    memory: &'a dyn Memory,
    base: Address,
    /// The number of the chunk that closes the heap.
    end: u32,
    is_big: bool,
}

/// The header of a chunk; sizes in units.
#[derive(Clone, Copy)]
struct Header {
    left: u32,
    size: u32,
    used: bool,
}

impl Chunks<'_> {
    fn address(&self, chunk: u32) -> Option<Address> {
        self.base.checked_add(chunk.checked_mul(8)?)
    }

    /// A field of a header, counted in fields.
    fn field(&self, chunk: u32, index: u32) -> Option<u32> {
        let at = self.address(chunk)?;
        match self.is_big {
            true => self.memory.read_u32(at.word(index)).ok(),
            false => {
                let at = at.checked_add(index.checked_mul(2)?)?;
                self.memory.read_u16(at).ok().map(u32::from)
            }
        }
    }

    fn header(&self, chunk: u32) -> Option<Header> {
        let (left, size) = (self.field(chunk, 0)?, self.field(chunk, 1)?);
        Some(Header { left, size: size >> 1, used: size & 1 != 0 })
    }

    fn header_bytes(&self) -> u32 {
        if self.is_big { 8 } else { 4 }
    }

    /// What a chunk of `size` units has for its user.
    fn bytes(&self, size: u32) -> u64 {
        u64::from(size).saturating_mul(UNIT).saturating_sub(self.header_bytes().into())
    }
}

/// What a walk found.
#[derive(Default)]
struct Found {
    blocks: Vec<HeapBlock>,
    used: u64,
    free: u64,
    largest_free: u64,
    damages: Vec<Damage>,
}

/// Something wrong, and the block before it, which may have been written past its end.
struct Damage {
    address: Address,
    text: String,
    before: Option<Address>,
}

impl Damage {
    fn in_words(self, blocks: &[HeapBlock]) -> Corruption {
        let Damage { address, mut text, before } = self;
        if let Some(block) = blocks.iter().find(|block| Some(block.address) == before) {
            let HeapBlock { address, size, .. } = block;
            text.push_str(&format!(
                "; perhaps written past the end of the block of {size} bytes at {address}"
            ));
            if let Some(holder) = &block.held_by {
                text.push_str(&format!(", to which `{holder}` points"));
            }
        }
        Corruption { address, text }
    }
}

impl Found {
    fn damage(&mut self, address: Address, text: String, before: Option<Address>) {
        if self.damages.len() < MOST_DAMAGES {
            self.damages.push(Damage { address, text, before });
        }
    }

    /// Goes from chunk to chunk. `None` when not all can be reached.
    fn walk(&mut self, chunks: &Chunks<'_>) -> Option<()> {
        let mut chunk = 0_u32;
        let mut left = 0_u32;
        let mut before = None;
        // The first is the heap's own structure, the last a header alone.
        for _ in 0..MOST_CHUNKS {
            let header = chunks.header(chunk)?;
            let address = chunks.address(chunk)?;
            let is_last = chunk == chunks.end;
            if chunk > 0 && header.left != left {
                let (found, right) = (chunks.bytes(header.left), chunks.bytes(left));
                let text = format!(
                    "the header at {address} says that {found} bytes stand before it, not {right}"
                );
                self.damage(address, text, before);
            }
            if is_last {
                return Some(());
            }
            let next = chunk.checked_add(header.size).filter(|next| *next <= chunks.end);
            let Some(next) = next.filter(|_| header.size > 0) else {
                let size = u64::from(header.size).saturating_mul(UNIT);
                let text = format!("the header at {address} has a size of {size} bytes");
                self.damage(address, text, before);
                return None;
            };
            before = None;
            if chunk > 0 {
                let size = chunks.bytes(header.size);
                if header.used {
                    let address = address.checked_add(chunks.header_bytes())?;
                    before = Some(address);
                    self.used = self.used.saturating_add(size);
                    self.blocks.push(HeapBlock { address, size, held_by: None });
                } else {
                    self.free = self.free.saturating_add(size);
                    self.largest_free = self.largest_free.max(size);
                }
            }
            (chunk, left) = (next, header.size);
        }
        None
    }

    /// Follows the circular list of each bucket that has one.
    fn follow_free_lists(
        &mut self,
        chunks: &Chunks<'_>,
        buckets: Option<Address>,
        available: Option<u32>,
    ) -> Option<()> {
        let mut steps = MOST_CHUNKS;
        for bucket in (0..BUCKETS).filter(|bucket| available.unwrap_or(0) >> bucket & 1 != 0) {
            let head = buckets?.word(bucket);
            let first = chunks.memory.read_u32(head).ok()?;
            let mut chunk = first;
            let mut link = head;
            loop {
                let header = chunks.header(chunk).filter(|_| chunk > 0 && chunk < chunks.end);
                let Some(header) = header else {
                    let text = format!("the free list at {link} leads outside the heap");
                    self.damage(link, text, None);
                    break;
                };
                let address = chunks.address(chunk)?;
                if header.used {
                    let text = format!("the free list holds {address}, which is in use");
                    self.damage(address, text, None);
                    break;
                }
                // A chunk of one unit has no room for links and is in no list.
                let next = chunks.field(chunk, 3)?;
                let is_linked = chunks.header(next).is_some() && next > 0 && next < chunks.end;
                if is_linked && chunks.field(next, 2)? != chunk {
                    let text = format!(
                        "the links of the free chunk at {address} were overwritten, perhaps after \
                         the block was freed"
                    );
                    self.damage(address, text, None);
                    break;
                }
                link = address;
                chunk = next;
                steps = steps.checked_sub(1)?;
                if chunk == first {
                    break;
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{poke, with_objects};
    use super::*;

    /// Fields of chunk `number` of the small heap of the fixture.
    fn field(number: u32, index: u32) -> u32 {
        number * 8 + index * 2
    }

    #[test]
    fn sound_heap_is_summed_up_and_its_blocks_have_holders() {
        with_objects(|memory, symbols| {
            let heaps = read(memory, symbols);
            let [heap] = heaps.as_slice() else { panic!("one heap is in use: {heaps:?}") };
            assert_eq!((heap.name.as_str(), heap.blocks), ("frame_heap", Some(2)));
            assert_eq!(
                (heap.used, heap.free, heap.largest_free),
                (Some(104), Some(160), Some(116))
            );
            assert!(heap.corruption.is_empty(), "{:?}", heap.corruption);
            let memory = symbols.symbol("heap_memory").unwrap();
            assert_eq!(heap.range, AddressRange::new(memory.address, memory.size.into()));
            let blocks = heap.largest_blocks.iter();
            let blocks: Vec<_> =
                blocks.map(|block| (block.size, block.held_by.as_deref())).collect();
            assert_eq!(blocks, [(76, Some("camera.frame")), (28, Some("raw_words[1]"))]);
        });
    }

    #[test]
    fn overrun_into_the_next_header_names_the_block_before_it() {
        with_objects(|memory, symbols| {
            let end = poke(memory, symbols, "heap_memory", field(25, 0), b"AAAA");
            let heap = read(memory, symbols).remove(0);
            let first = heap.corruption.first().unwrap();
            assert_eq!(first.address, end);
            for part in ["block of 76 bytes", "`camera.frame`"] {
                assert!(first.text.contains(part), "{}", first.text);
            }
            assert_eq!((heap.used, heap.blocks), (None, None), "the rest was not reached");
        });
    }

    #[test]
    fn wrong_size_of_the_left_neighbour_is_told_and_the_walk_goes_on() {
        with_objects(|memory, symbols| {
            let at = poke(memory, symbols, "heap_memory", field(15, 0), &[7, 0]);
            let heap = read(memory, symbols).remove(0);
            let found: Vec<_> = heap.corruption.iter().map(|damage| damage.address).collect();
            assert_eq!(found, [at]);
            assert_eq!(heap.used, Some(104));
        });
    }

    #[test]
    fn overwritten_links_of_a_free_chunk_are_told() {
        // The first free list is that of bucket 2; chunk 9 is alone in it.
        let bucket = 16 + 2 * 4;
        let cases = [
            (field(9, 3), 25, "links"),
            (field(9, 3), 0x4141, "leads outside"),
            (bucket, 0x4141, "leads outside"),
            (bucket, 15, "in use"),
        ];
        for (offset, value, what) in cases {
            with_objects(|memory, symbols| {
                poke(memory, symbols, "heap_memory", offset, &u16::to_le_bytes(value));
                let heap = read(memory, symbols).remove(0);
                let texts: Vec<_> = heap.corruption.iter().map(|damage| &damage.text).collect();
                assert_eq!(texts.len(), 1, "{texts:?}");
                assert!(texts[0].contains(what), "{texts:?}");
                assert_eq!(heap.used, Some(104), "the chunks themselves are sound");
            });
        }
    }

    #[test]
    fn heap_whose_own_structure_was_overwritten_is_told() {
        with_objects(|memory, symbols| {
            let at = poke(memory, symbols, "frame_heap", 0, &[0xf9, 0, 0, 0]);
            let heap = read(memory, symbols).remove(0);
            assert_eq!(heap.corruption.first().map(|damage| damage.address), Some(at));
            assert_eq!(heap.used, None);
        });
    }

    #[test]
    fn nonsense_in_any_word_of_a_heap_is_survived() {
        with_objects(|memory, symbols| {
            let sound = memory.clone();
            let size = symbols.symbol("heap_memory").unwrap().size;
            for offset in (0..size).step_by(2) {
                for value in [0, 1, 0x7fff, 0xffff_u16] {
                    *memory = sound.clone();
                    poke(memory, symbols, "heap_memory", offset, &value.to_le_bytes());
                    for heap in read(memory, symbols) {
                        assert!(heap.corruption.len() <= MOST_DAMAGES);
                    }
                }
            }
        });
    }
}
