//! Heaps as the report lists them, and what their damage says about the crash.

use super::Core;
use crate::report::{Cause, Corruption, Heap, HeapBlock, Notes, Severity};
use crate::rtos;

/// Damage of one heap that is listed: what follows the first is mostly its consequence.
const MOST_CORRUPTION: usize = 16;

/// Every heap. Damage becomes a note each, and evidence for the cause.
pub(super) fn list(core: &Core<'_, '_>, cause: &mut Cause, notes: &mut Notes) -> Vec<Heap> {
    let Some((kernel, file)) = core.kernel.zip(core.kernel_file) else { return Vec::new() };
    let found = kernel.heaps(&core.memory, file);
    for heap in &found {
        for damage in heap.corruption.iter().take(MOST_CORRUPTION) {
            let text = format!("heap {} is corrupted: {}", heap.name, damage.text);
            notes.add_at(Severity::Error, "heap_corrupt", damage.address, text);
        }
        if let Some(first) = heap.corruption.first() {
            cause.evidence.push(format!("heap {} is corrupted: {}", heap.name, first.text));
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
