//! For tests: the objects of `fixtures/zephyr`, whose initial values are the memory to decode.

use crate::base::Address;
use crate::snapshot::MemoryImage;
use crate::symbols::{ElfImage, SymbolFile};

/// Calls `check` with the memory, which it may damage first, and the symbols.
pub(in crate::rtos) fn with_objects(check: impl FnOnce(&mut MemoryImage, &SymbolFile<'_>)) {
    with(include_bytes!("../../../fixtures/zephyr/objects.elf"), check);
}

/// The same with the objects of early versions.
pub(in crate::rtos) fn with_old_objects(check: impl FnOnce(&mut MemoryImage, &SymbolFile<'_>)) {
    with(include_bytes!("../../../fixtures/zephyr/old.elf"), check);
}

fn with(elf: &[u8], check: impl FnOnce(&mut MemoryImage, &SymbolFile<'_>)) {
    let image = ElfImage::parse(elf).unwrap();
    let symbols = SymbolFile::new(&image);
    let mut memory = MemoryImage::default();
    for segment in image.segments() {
        let zeroed = usize::try_from(segment.range().size()).unwrap();
        let mut bytes = segment.bytes.to_vec();
        bytes.resize(zeroed.max(bytes.len()), 0);
        memory.insert(segment.address, bytes).unwrap();
    }
    check(&mut memory, &symbols);
}

/// Writes `bytes` into the variable `name`, `offset` bytes from its start.
pub(in crate::rtos) fn poke(
    memory: &mut MemoryImage,
    symbols: &SymbolFile<'_>,
    name: &str,
    offset: u32,
    bytes: &[u8],
) -> Address {
    let at = symbols.symbol(name).unwrap().address.checked_add(offset).unwrap();
    // What is there first stays.
    let mut patched = MemoryImage::default();
    patched.insert(at, bytes.to_vec()).unwrap();
    for segment in memory.segments() {
        patched.insert(segment.range().start(), segment.bytes().to_vec()).unwrap();
    }
    *memory = patched;
    at
}
