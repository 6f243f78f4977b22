//! Which memory a debugger may ask for. GDB manual, appendix E.17 (memory map format).
//!
//! GDB does not touch what the map leaves out, so that uncaptured memory is an error in every
//! front end, and sets no breakpoints into what is read-only.

use std::fmt::Write as _;

use crate::base::AddressRange;
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
            let free = section.range.minus(&taken);
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
