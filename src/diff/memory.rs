//! Memory of two dumps byte by byte, and whose bytes differ.

use std::collections::BTreeMap;

use super::Side;
use crate::base::{Address, AddressRange, hex};
use crate::report::{MemoryChange, MemoryRange, OwnerChange, Report};
use crate::snapshot::MemoryImage;
use crate::symbols::{Object, Symbols};

/// Owners that are told apart.
const MOST_OWNERS: usize = 4096;
/// Bytes that are compared at once.
const BLOCK: usize = 64;
/// Bytes that are shown of each side.
const SHOWN: usize = 8;

pub(super) fn compare(a: Side<'_>, b: Side<'_>, symbols: &Symbols<'_, '_>) -> MemoryChange {
    let (held_a, held_b) = (&a.snapshot.memory, &b.snapshot.memory);
    let mut sorting = Sorting {
        owners: Owners::new(a.report, b.report, symbols),
        found: BTreeMap::new(),
        changed: 0,
        omitted: 0,
    };
    let mut compared = 0_u64;
    for shared in shared_ranges(held_a, held_b) {
        compared = compared.saturating_add(shared.size());
        let size = usize::try_from(shared.size()).unwrap_or(usize::MAX);
        let [a, b] = [held_a, held_b].map(|memory| {
            let held = memory.slice_from(shared.start()).unwrap_or_default();
            held.get(..size).unwrap_or(held)
        });
        sorting.run(shared.start(), a, b);
    }
    let Sorting { found, changed, omitted, .. } = sorting;
    MemoryChange {
        compared,
        changed,
        owners: found.into_values().collect(),
        omitted,
        only_a: only(held_a, held_b),
        only_b: only(held_b, held_a),
    }
}

fn ranges(memory: &MemoryImage) -> Vec<AddressRange> {
    memory.segments().iter().map(|segment| segment.range()).collect()
}

/// What both hold, by address.
fn shared_ranges(a: &MemoryImage, b: &MemoryImage) -> Vec<AddressRange> {
    let (a, b) = (ranges(a), ranges(b));
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    let mut shared = Vec::new();
    while let (Some(x), Some(y)) = (left.peek(), right.peek()) {
        shared.extend(x.intersection(**y));
        if x.end() <= y.end() {
            left.next();
        } else {
            right.next();
        }
    }
    shared
}

/// What `memory` holds and `other` does not.
fn only(memory: &MemoryImage, other: &MemoryImage) -> Vec<MemoryRange> {
    let taken = ranges(other);
    let free = ranges(memory).into_iter().flat_map(|range| range.minus(&taken));
    let shown = free.map(|range| MemoryRange {
        start: range.start().into(),
        size: range.size(),
        captured: true,
        reason: None,
    });
    shown.collect()
}

/// Differing bytes, sorted by whose they are.
struct Sorting<'a, 'd> {
    owners: Owners<'a, 'd>,
    found: BTreeMap<(u32, String), OwnerChange>,
    changed: u64,
    omitted: u64,
}

impl Sorting<'_, '_> {
    fn run(&mut self, start: Address, a: &[u8], b: &[u8]) {
        let blocks = a.chunks(BLOCK).zip(b.chunks(BLOCK));
        for (index, _) in blocks.enumerate().filter(|(_, (x, y))| x != y) {
            let offset = index.saturating_mul(BLOCK);
            self.block(start, offset, a, b);
        }
    }

    fn block(&mut self, start: Address, offset: usize, a: &[u8], b: &[u8]) {
        let end = offset.saturating_add(BLOCK).min(a.len()).min(b.len());
        let mut owner: Option<Owner> = None;
        for at in offset..end {
            if a.get(at) == b.get(at) {
                continue;
            }
            let Some(address) = u32::try_from(at).ok().and_then(|at| start.checked_add(at)) else {
                return;
            };
            self.changed = self.changed.saturating_add(1);
            let known = owner.take().filter(|owner| owner.valid.contains(address));
            let current = known.unwrap_or_else(|| self.owners.of(address));
            let key = (current.start.0, current.name.clone());
            if let Some(entry) = self.found.get_mut(&key) {
                entry.changed = entry.changed.saturating_add(1);
            } else if self.found.len() < MOST_OWNERS {
                // From the start of the word, as far as there is something.
                let from = at.saturating_sub(at & 3).max(offset);
                let shown = |bytes: &[u8]| {
                    let rest = bytes.get(from..).unwrap_or_default();
                    hex::encode(rest.get(..SHOWN).unwrap_or(rest))
                };
                let first = u32::try_from(from).ok().and_then(|from| start.checked_add(from));
                let change = OwnerChange {
                    owner: current.name.clone(),
                    start: current.start.into(),
                    size: current.size,
                    changed: 1,
                    first: first.unwrap_or(address).into(),
                    part: current.part.clone(),
                    a: shown(a),
                    b: shown(b),
                };
                self.found.insert(key, change);
            } else {
                self.omitted = self.omitted.saturating_add(1);
            }
            owner = Some(current);
        }
    }
}

/// Whose an address is.
struct Owner {
    name: String,
    start: Address,
    size: Option<u64>,
    /// The part of a variable at the address that was asked for.
    part: Option<String>,
    /// Where this answer holds, but for the part.
    valid: AddressRange,
}

/// Who owns which memory: threads their stacks, heaps what they hand out, then variables, symbols,
/// sections.
struct Owners<'a, 'd> {
    symbols: &'a Symbols<'a, 'd>,
    named: Vec<(AddressRange, String)>,
    /// Addresses at which another owner may begin, sorted.
    bounds: Vec<u64>,
}

impl<'a, 'd> Owners<'a, 'd> {
    fn new(a: &Report, b: &Report, symbols: &'a Symbols<'a, 'd>) -> Owners<'a, 'd> {
        let mut named: Vec<(AddressRange, String)> = Vec::new();
        for report in [a, b] {
            let stacks = report.threads.iter().filter(|thread| thread.state != "handler");
            let stacks = stacks.filter_map(|thread| {
                let stack = thread.stack.as_ref()?;
                let range = AddressRange::new(Address(stack.start.0), u64::from(stack.size))?;
                Some((range, format!("stack of {}", thread.name)))
            });
            let heaps = report.heap.iter().filter_map(|heap| {
                let start = Address(heap.start?.0);
                Some((AddressRange::new(start, heap.size?)?, format!("heap {}", heap.name)))
            });
            for entry in stacks.chain(heaps) {
                if !named.contains(&entry) {
                    named.push(entry);
                }
            }
        }
        named.sort();
        let mut bounds: Vec<u64> = Vec::new();
        let variables = symbols.files().iter().flat_map(|file| file.variables_by_address());
        let variables = variables.filter_map(Object::range);
        for range in named.iter().map(|(range, _)| *range).chain(variables) {
            bounds.extend([u64::from(range.start().0), range.end()]);
        }
        for file in symbols.files() {
            bounds.extend(file.symbols().iter().map(|symbol| u64::from(symbol.address.0)));
            let sections = file.image().allocated_sections().into_iter();
            bounds.extend(sections.flat_map(|s| [u64::from(s.range.start().0), s.range.end()]));
        }
        bounds.sort_unstable();
        bounds.dedup();
        Owners { symbols, named, bounds }
    }

    fn of(&self, at: Address) -> Owner {
        if let Some((range, name)) = self.named.iter().find(|(range, _)| range.contains(at)) {
            return Owner {
                name: name.clone(),
                start: range.start(),
                size: Some(range.size()),
                part: None,
                valid: *range,
            };
        }
        let variable = self.symbols.files().iter().find_map(|file| {
            let mut path = file.objects_at(at).into_iter();
            let whole = path.next()?;
            let part = path.last().map(|part| part.name).filter(|part| *part != whole.name);
            Some((whole.range()?, whole.name, part))
        });
        if let Some((range, name, part)) = variable {
            let (start, size) = (range.start(), Some(range.size()));
            return Owner { name, start, size, part, valid: self.up_to_named(at, range.end()) };
        }
        if let Some((symbol, _)) = self.symbols.symbol_at(at) {
            let size = Some(u64::from(symbol.size)).filter(|size| *size > 0);
            let end = u64::from(symbol.address.0).saturating_add(size.unwrap_or(0));
            let valid = self.up_to_named(at, end);
            let name = symbol.readable().into_owned();
            return Owner { name, start: symbol.address, size, part: None, valid };
        }
        let next = self.bounds.partition_point(|bound| *bound <= u64::from(at.0));
        let end = self.bounds.get(next).copied().unwrap_or(1 << 32);
        let size = end.saturating_sub(u64::from(at.0));
        let here = AddressRange::new(at, size).unwrap_or_default();
        if let Some(section) = self.symbols.section_at(at) {
            let (start, size) = (section.range.start(), Some(section.range.size()));
            let name = format!("section {}", section.name);
            return Owner { name, start, size, part: None, valid: here };
        }
        let (name, start) = region(at);
        Owner { name: name.to_string(), start, size: None, part: None, valid: here }
    }

    /// From `at` to `end`, or to a stack or heap before that: an array may hold several.
    fn up_to_named(&self, at: Address, end: u64) -> AddressRange {
        let next = self.named.partition_point(|(range, _)| range.start() <= at);
        let next = self.named.get(next).map_or(u64::MAX, |(range, _)| range.start().0.into());
        let size = end.min(next).saturating_sub(u64::from(at.0)).max(1);
        AddressRange::new(at, size).unwrap_or_default()
    }
}

/// The region of the system address map. Armv7-M ARM (DDI 0403E) B3.1.
fn region(at: Address) -> (&'static str, Address) {
    let (name, start) = match at.0 {
        0..=0x1fff_ffff => ("code region", 0),
        0x2000_0000..=0x3fff_ffff => ("SRAM region", 0x2000_0000),
        0x4000_0000..=0x5fff_ffff => ("peripheral region", 0x4000_0000),
        0x6000_0000..=0x9fff_ffff => ("external RAM region", 0x6000_0000),
        0xa000_0000..=0xdfff_ffff => ("external device region", 0xa000_0000),
        0xe000_0000..=0xe00f_ffff => ("private peripheral bus", 0xe000_0000),
        _ => ("vendor system region", 0xe010_0000),
    };
    (name, Address(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Stack, Thread};
    use crate::snapshot::Snapshot;

    fn snapshot(runs: &[(u32, &[u8])]) -> Snapshot {
        Snapshot { memory: MemoryImage::of(runs), ..Snapshot::default() }
    }

    fn report(threads: Vec<Thread>) -> Report {
        let empty = r#"{"schema":1,"title":"","category":"Other","cause":{"summary":"",
            "confidence":"possible","evidence":[]},"device":{},"symbols":[],"fault":null,
            "threads":[],"globals":[],"memory":[],"notes":[]}"#;
        let report: Report = serde_json::from_str(empty).unwrap();
        Report { threads, ..report }
    }

    #[test]
    fn bytes_that_differ_belong_to_stacks_and_regions() {
        let mut first = vec![0; 0x200];
        let second = first.clone();
        first[0x11] = 1;
        first[0x12] = 2;
        first[0x101] = 3;
        let (a, b) = (
            snapshot(&[(0x2000_0000, &first), (0x4000_0000, &[1, 2])]),
            snapshot(&[(0x2000_0000, &second), (0x2000_0200, &[9])]),
        );
        let stack = Stack {
            start: 0x2000_0100.into(),
            size: 0x80,
            used: None,
            high_water: None,
            overflowed: false,
        };
        let thread = Thread { name: "t".into(), stack: Some(stack), ..Thread::default() };
        let report = report(vec![thread]);
        let symbols = Symbols::default();
        let side = |snapshot| Side { snapshot, report: &report };
        let found = compare(side(&a), side(&b), &symbols);
        assert_eq!((found.compared, found.changed, found.omitted), (0x200, 3, 0));
        let owners: Vec<_> =
            found.owners.iter().map(|o| (o.owner.as_str(), o.first.0, o.changed, &*o.a)).collect();
        assert_eq!(
            owners,
            [
                ("SRAM region", 0x2000_0010, 2, "0001020000000000"),
                ("stack of t", 0x2000_0100, 1, "0003000000000000"),
            ]
        );
        assert_eq!((found.only_a[0].start.0, found.only_a[0].size), (0x4000_0000, 2));
        assert_eq!((found.only_b[0].start.0, found.only_b[0].size), (0x2000_0200, 1));
        let same = compare(side(&a), side(&a), &symbols);
        assert_eq!((same.changed, same.owners.len(), same.only_a.len()), (0, 0, 0));
    }
}
