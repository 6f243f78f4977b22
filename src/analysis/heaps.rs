//! Heaps as the report lists them.

use super::Core;
use crate::report::{Corruption, Heap, HeapBlock, Notes, Severity};
use crate::rtos;

/// Damage of one heap that is listed: what follows the first is mostly its consequence.
const MOST_CORRUPTION: usize = 16;

/// Every heap as its walker found it.
pub(super) fn read(core: &Core<'_, '_>) -> Vec<rtos::Heap> {
    let kernel = core.kernel.zip(core.kernel_file);
    let mut heaps = kernel.map_or(Vec::new(), |(kernel, file)| kernel.heaps(&core.memory, file));
    let files = core.symbols.files().iter();
    heaps.extend(files.filter_map(|file| rtos::library_heap(&core.memory, file)));
    heaps
}

/// Every heap as it is reported. Damage becomes a note each.
pub(super) fn list(found: Vec<rtos::Heap>, notes: &mut Notes) -> Vec<Heap> {
    for heap in &found {
        for damage in heap.corruption.iter().take(MOST_CORRUPTION) {
            let text = format!("heap {} is corrupted: {}", heap.name, damage.text);
            notes.add_at(Severity::Error, "heap_corrupt", damage.address, text);
        }
    }
    found.into_iter().map(listed).collect()
}

fn listed(heap: rtos::Heap) -> Heap {
    let blocks = heap.largest_blocks.into_iter().map(|block| HeapBlock {
        address: block.address.into(),
        size: block.size,
        held_by: block.held_by,
    });
    let corruption = heap.corruption.into_iter().take(MOST_CORRUPTION);
    Heap {
        name: heap.name,
        start: heap.range.map(|range| range.start().into()),
        size: heap.range.map(|range| range.size()),
        used: heap.used,
        free: heap.free,
        largest_free: heap.largest_free,
        high_water: heap.high_water,
        blocks: heap.blocks,
        largest_blocks: blocks.collect(),
        corruption: corruption
            .map(|damage| Corruption { address: damage.address.into(), text: damage.text })
            .collect(),
    }
}
