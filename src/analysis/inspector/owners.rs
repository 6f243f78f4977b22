//! What owns each byte of memory: the vector table, a frame of a thread's stack, a block of a heap, a
//! variable.

use super::Inspector;
use crate::base::{Address, AddressRange};
use crate::report::{Report, Thread};
use crate::symbols::SymbolKind;
use std::collections::BTreeMap;

/// What sort of thing owns memory. Where several claim a byte, the later of these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnerKind {
    /// A section of the firmware, such as `.bss`.
    Section,
    /// The System Control Space.
    System,
    /// A function.
    Function,
    /// A variable.
    Variable,
    /// A heap, outside its known blocks.
    Heap,
    /// A part of a stack that is not in use.
    FreeStack,
    /// A frame of a stack.
    Frame,
    /// A block that a heap has handed out.
    Block,
    /// The vector table.
    Vectors,
}

/// A range of memory with its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// All that it owns.
    pub range: AddressRange,
    /// What sort of thing it is.
    pub kind: OwnerKind,
    /// Its name: `_kernel`, `frame #2 compute_fft of accel-workq`.
    pub name: String,
}

/// The owners of memory, by address.
#[derive(Clone, Debug, Default)]
pub struct OwnerMap {
    owners: Vec<Owner>,
    /// Runs of one owner each, by their start: where they end, and the owner's number.
    runs: BTreeMap<u64, (u64, usize)>,
}

impl OwnerMap {
    /// The map of `owners`, of which the later kinds cover the earlier.
    pub fn new(mut owners: Vec<Owner>) -> OwnerMap {
        // Within a kind the smaller covers the larger.
        owners.sort_by_key(|owner| (owner.kind, std::cmp::Reverse(owner.range.size())));
        let mut runs = BTreeMap::new();
        for (index, owner) in owners.iter().enumerate() {
            paint(&mut runs, owner.range, index);
        }
        OwnerMap { owners, runs }
    }

    /// Who owns the byte at `address`.
    pub fn at(&self, address: Address) -> Option<&Owner> {
        let at = u64::from(address.0);
        let (_, (end, index)) = self.runs.range(..=at).next_back()?;
        if at < *end { self.owners.get(*index) } else { None }
    }
}

/// Gives `range` to `index`, whoever had it.
fn paint(runs: &mut BTreeMap<u64, (u64, usize)>, range: AddressRange, index: usize) {
    let (start, end) = (u64::from(range.start().0), range.end());
    if start >= end {
        return;
    }
    let before = runs.range(..start).next_back().map(|(at, run)| (*at, *run));
    if let Some((at, (old_end, old))) = before.filter(|(_, (old_end, _))| *old_end > start) {
        runs.insert(at, (start, old));
        if old_end > end {
            runs.insert(end, (old_end, old));
        }
    }
    let covered: Vec<(u64, (u64, usize))> =
        runs.range(start..end).map(|(at, run)| (*at, *run)).collect();
    for (at, (old_end, old)) in covered {
        runs.remove(&at);
        if old_end > end {
            runs.insert(end, (old_end, old));
        }
    }
    runs.insert(start, (end, index));
}

impl Inspector<'_, '_> {
    /// Who owns which memory, by `report`, which is this inspector's.
    pub fn owners(&self, report: &Report) -> OwnerMap {
        let mut owners = Vec::new();
        let mut add = |start: Address, size: u64, kind: OwnerKind, name: String| {
            owners.extend(AddressRange::new(start, size).map(|range| Owner { range, kind, name }));
        };
        add(Address(0xe000_e000), 0x1000, OwnerKind::System, "System Control Space".into());
        for file in self.core.symbols.files() {
            for section in file.image().allocated_sections() {
                let range = section.range;
                add(range.start(), range.size(), OwnerKind::Section, section.name.to_string());
            }
            for symbol in file.symbols() {
                let kind = match symbol.kind {
                    SymbolKind::Function => OwnerKind::Function,
                    SymbolKind::Object => OwnerKind::Variable,
                    _ => continue,
                };
                add(symbol.address, symbol.size.into(), kind, symbol.readable().into_owned());
            }
            for variable in file.variables_by_address() {
                let (at, size) = (variable.address, variable.size);
                add(at, size, OwnerKind::Variable, variable.name.clone());
            }
        }
        if let Some(interrupts) = &report.interrupts
            && let Some(table) = interrupts.vector_table
        {
            // The core's own sixteen, then a word for each line.
            let words = u64::from(interrupts.lines.unwrap_or(0)).saturating_add(16);
            let start = Address(table.0);
            // Firmware that uses no line leaves theirs out.
            let files = self.core.symbols.files().iter();
            let functions = files
                .flat_map(|file| file.symbols())
                .filter(|symbol| symbol.kind == SymbolKind::Function && symbol.address > start);
            let room = functions.map(|symbol| symbol.address.0.saturating_sub(start.0)).min();
            let size = words.saturating_mul(4).min(room.map_or(u64::MAX, u64::from));
            add(start, size, OwnerKind::Vectors, "vector table".into());
        }
        for heap in &report.heap {
            if let (Some(start), Some(size)) = (heap.start, heap.size) {
                add(Address(start.0), size, OwnerKind::Heap, format!("heap {}", heap.name));
            }
            for block in &heap.largest_blocks {
                let held =
                    block.held_by.as_ref().map_or(String::new(), |by| format!(" held by {by}"));
                let name = format!("block of {} bytes of {}{held}", block.size, heap.name);
                add(Address(block.address.0), block.size, OwnerKind::Block, name);
            }
        }
        for thread in &report.threads {
            stack(thread, &mut add);
        }
        OwnerMap::new(owners)
    }
}

/// The frames of a thread's stack, and what lies below them.
fn stack(thread: &Thread, add: &mut dyn FnMut(Address, u64, OwnerKind, String)) {
    let name = &thread.name;
    let top = thread.stack.as_ref().map(|stack| {
        let start = Address(stack.start.0);
        let size = u64::from(stack.size);
        add(start, size, OwnerKind::FreeStack, format!("stack of {name}, not in use"));
        u64::from(stack.start.0).saturating_add(size)
    });
    // Inlined functions have no memory of their own.
    let mut frames = thread.frames.iter().filter(|frame| !frame.inlined).peekable();
    while let Some(frame) = frames.next() {
        let Some(sp) = frame.sp else { continue };
        let caller = frames.peek().and_then(|next| next.sp).map(|sp| u64::from(sp.0));
        let end = caller.filter(|end| *end > u64::from(sp.0)).or(top);
        let Some(size) = end.and_then(|end| end.checked_sub(u64::from(sp.0))) else { continue };
        // Frames that lie elsewhere, on a stack that nobody knows.
        if size > 1 << 20 {
            continue;
        }
        let function = frame.function.as_deref().unwrap_or("??");
        let text = format!("frame #{} {function} of {name}", frame.index);
        add(Address(sp.0), size, OwnerKind::Frame, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(start: u32, size: u64, kind: OwnerKind, name: &str) -> Owner {
        let range = AddressRange::new(Address(start), size).unwrap();
        Owner { range, kind, name: name.into() }
    }

    #[test]
    fn later_kinds_and_smaller_ranges_cover_the_others() {
        let map = OwnerMap::new(vec![
            owner(0x110, 0x10, OwnerKind::Frame, "frame"),
            owner(0x100, 0x100, OwnerKind::Variable, "stack"),
            owner(0x1f0, 0x20, OwnerKind::Variable, "next"),
            owner(0x000, 0x1000, OwnerKind::Section, "bss"),
        ]);
        let name = |at| map.at(Address(at)).map(|owner| owner.name.as_str());
        for (at, expected) in [
            (0x0, "bss"),
            (0x100, "stack"),
            (0x10f, "stack"),
            (0x110, "frame"),
            (0x11f, "frame"),
            (0x120, "stack"),
            (0x1f0, "next"),
            (0x20f, "next"),
            (0x210, "bss"),
            (0xfff, "bss"),
        ] {
            assert_eq!(name(at), Some(expected), "0x{at:x}");
        }
        assert_eq!(name(0x1000), None);
    }
}
