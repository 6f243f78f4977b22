//! Heaps that ran out of memory or whose structures were damaged.

use super::access::Explained;
use super::{Finding, Scene, status};
use crate::issue::{is_allocator, is_assert, is_machinery};
use crate::report::{Category, Confidence};
use crate::rtos::Heap;

/// A null pointer that an allocator returned and that was followed without a check.
pub(super) fn exhausted(scene: &Scene<'_, '_>, allocator: &str, act: &str) -> Option<Explained> {
    if !is_allocator(allocator) {
        return None;
    }
    let what =
        format!("Out of memory: {allocator} returned NULL, which was used unchecked ({act})");
    let mut explained = Explained::new(Confidence::Certain, what);
    explained.evidence.extend(scene.heaps.iter().filter_map(room));
    explained.title = Some("Out of Memory".into());
    Some(explained)
}

/// A heap without room for anything useful, in words.
pub(super) fn full(scene: &Scene<'_, '_>) -> Option<String> {
    let is_full = |heap: &&Heap| {
        let size = heap.range.map_or(0, |range| range.size());
        heap.largest_free.is_some_and(|largest| largest.saturating_mul(16) < size)
    };
    scene.heaps.iter().find(is_full).and_then(room)
}

/// `heap _system_heap: 32 bytes free, at most 24 in one piece`.
fn room(heap: &Heap) -> Option<String> {
    let (free, largest) = (heap.free?, heap.largest_free?);
    Some(format!("heap {}: {free} bytes free, at most {largest} in one piece", heap.name))
}

/// What the kernel calls when an allocation fails. FreeRTOS, `configUSE_MALLOC_FAILED_HOOK`.
const FAILED_HOOK: &str = "vApplicationMallocFailedHook";

/// An allocator that stopped the firmware: there was no memory, or it stumbled over its own
/// structures because somebody wrote past a block, or freed what was not his to free.
pub(super) fn stopped_in(scene: &Scene<'_, '_>) -> Option<Finding> {
    let context = scene.crash_context()?;
    let functions = scene.functions(context);
    let named = functions.iter().filter(|place| !is_machinery(&place.function));
    let mut named = named.skip_while(|place| place.function == FAILED_HOOK);
    let noticed = named.next().filter(|place| is_allocator(&place.function))?;
    let caller = named.find(|place| !is_allocator(&place.function));
    let caller = caller.map_or(String::new(), |caller| format!(", called by {caller}"));
    let whereabouts = scene.whereabouts();
    if functions.iter().any(|place| place.function == FAILED_HOOK) {
        let text = format!("Out of memory: {noticed}{caller} found no room{whereabouts}");
        let found =
            Finding::new(Category::Panic, Confidence::Certain, text).titled("Out of Memory");
        let found = found.because(format!("{FAILED_HOOK} is in the backtrace"));
        return Some(scene.heaps.iter().filter_map(room).fold(found, Finding::because));
    }
    let damaged = scene.heaps.iter().find(|heap| !heap.corruption.is_empty());
    let text = format!("Heap corruption, noticed by {noticed}{caller}{whereabouts}");
    let asserted = functions.iter().any(|place| is_assert(&place.function));
    let category = if asserted { Category::Assert } else { status::category(scene) };
    let confidence = if damaged.is_some() { Confidence::Certain } else { Confidence::Likely };
    let found = Finding::new(category, confidence, text).titled("Heap Corruption").because(
        "a block was written past its end, freed twice, or used after it was freed; the code that \
         did so ran earlier",
    );
    Some(status::register_evidence(scene).into_iter().fold(found, Finding::because))
}
