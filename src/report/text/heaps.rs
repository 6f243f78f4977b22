//! Heaps, one line each.

use super::super::{Heap, Report};
use super::paint::{Ink, Page};

/// A table of all heaps.
pub(super) fn overview(page: &mut Page, report: &Report) {
    if report.heap.is_empty() {
        return;
    }
    page.heading("Heap");
    let longest = report.heap.iter().map(|heap| heap.name.chars().count()).max().unwrap_or(0);
    let width = longest.clamp(4, 32);
    for heap in &report.heap {
        let ink = if heap.corruption.is_empty() { Ink::Plain } else { Ink::Fault };
        page.wrapped(&format!("  {:<width$} ", heap.name), ink, &usage(heap));
        if page.style().full {
            for block in &heap.largest_blocks {
                let holder = block.held_by.as_ref().map(|name| format!(", held by {name}"));
                let text = format!("{:>7} bytes{}", block.size, holder.unwrap_or_default());
                page.wrapped(&format!("    {} ", block.address), Ink::Dim, &text);
            }
        }
    }
    page.blank();
}

/// `412 of 1024 used in 7 blocks (max 980), 600 free, largest 512, CORRUPTED`.
fn usage(heap: &Heap) -> String {
    let number = |value: Option<u64>| value.map_or_else(|| "?".to_string(), |v| v.to_string());
    let blocks = heap.blocks.map_or(String::new(), |blocks| match blocks {
        1 => " in 1 block".to_string(),
        _ => format!(" in {blocks} blocks"),
    });
    let high = heap.high_water.map_or(String::new(), |high| format!(" (max {high})"));
    let free = heap.free.map_or(String::new(), |free| format!(", {free} free"));
    let largest = heap.largest_free.map_or(String::new(), |free| format!(", largest {free}"));
    let flag = if heap.corruption.is_empty() { "" } else { ", CORRUPTED" };
    format!(
        "{} of {} used{blocks}{high}{free}{largest}{flag}",
        number(heap.used),
        number(heap.size)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_figures_are_left_out_but_for_use_and_size() {
        let heap = Heap { size: Some(1024), free: Some(600), ..Heap::default() };
        assert_eq!(usage(&heap), "? of 1024 used, 600 free");
        let heap = Heap { used: Some(8), blocks: Some(1), high_water: Some(16), ..heap };
        assert_eq!(usage(&heap), "8 of 1024 used in 1 block (max 16), 600 free");
    }
}
