//! Which memory a debugger may ask for. GDB manual, appendix E.17 (memory map format).
//!
//! GDB does not touch what the map leaves out, so that uncaptured memory is an error in every
//! front end, and sets no breakpoints into what is read-only.

use std::fmt::Write as _;

use crate::base::{Address, AddressRange};
use crate::snapshot::Snapshot;
use crate::symbols::Symbols;

/// What was captured, as RAM, and constants of the ELF files, as ROM.
pub(super) fn xml(snapshot: &Snapshot, symbols: &Symbols<'_, '_>) -> String {
    let captured: Vec<AddressRange> =
        snapshot.memory.segments().iter().map(|segment| segment.range()).collect();
    let mut regions: Vec<(AddressRange, &str)> =
        captured.iter().map(|range| (*range, "ram")).collect();
    let mut taken = captured;
    for file in symbols.files() {
        for section in file.image().allocated_sections() {
            if section.is_ram() {
                continue;
            }
            let free = without(section.range, &taken);
            regions.extend(free.iter().map(|range| (*range, "rom")));
            taken.extend(free);
            taken.sort_unstable();
        }
    }
    regions.sort_unstable();
    let mut xml = String::from(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map \
         V1.0//EN\" \"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n<memory-map>\n",
    );
    for (range, kind) in regions {
        let (start, length) = (range.start(), range.size());
        let _ = writeln!(xml, "<memory type=\"{kind}\" start=\"{start}\" length=\"{length:#x}\"/>");
    }
    xml.push_str("</memory-map>\n");
    xml
}

/// The parts of `range` that are in none of `taken`, which is sorted and does not overlap.
fn without(range: AddressRange, taken: &[AddressRange]) -> Vec<AddressRange> {
    let mut free = Vec::new();
    let mut begin = u64::from(range.start().0);
    let mut add = |begin: u64, end: u64| {
        let start = u32::try_from(begin).ok().map(Address);
        let size = end.saturating_sub(begin);
        free.extend(start.and_then(|s| AddressRange::new(s, size)).filter(|r| !r.is_empty()));
    };
    let first = taken.partition_point(|other| other.end() <= begin);
    for other in taken.get(first..).unwrap_or_default() {
        let start = u64::from(other.start().0);
        if start >= range.end() {
            break;
        }
        add(begin, start);
        begin = begin.max(other.end());
    }
    add(begin, range.end());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_taken_are_left_out() {
        let range = |start: u32, size| AddressRange::new(Address(start), size).unwrap();
        let taken = [range(0, 0x10), range(0x100, 0x10), range(0x180, 0x100)];
        let free = without(range(0x8, 0x1f8), &taken);
        assert_eq!(free, [range(0x10, 0xf0), range(0x110, 0x70)]);
        assert_eq!(without(range(0x104, 4), &taken), []);
        assert_eq!(without(range(0x1000, 4), &taken), [range(0x1000, 4)]);
    }
}
