//! Heaps laid out word by word.

use super::{full, nano};
use crate::base::{Address, AddressRange};
use crate::snapshot::MemoryImage;

const HEAP: Address = Address(0x2000_0000);
const BINS: Address = Address(0x1000_0000);

fn memory(words: &[u32]) -> MemoryImage {
    let mut memory = MemoryImage::default();
    let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    memory.insert(HEAP, bytes(words)).unwrap();
    // The top chunk of newlib, and a ring of free chunks.
    memory.insert(BINS, bytes(&[0, 0, HEAP.0 + 0x40, 0, HEAP.0 + 0x18, HEAP.0 + 0x18])).unwrap();
    memory
}

/// Handed out, free, handed out, top: 0x18, 0x10, 0x18 and 0x40 bytes.
fn newlib() -> Vec<u32> {
    let mut words = vec![0; 32];
    let ring = BINS.0 + 8;
    words[1] = 0x18 | 1;
    words[7] = 0x10 | 1;
    (words[8], words[9]) = (ring, ring);
    (words[10], words[11]) = (0x10, 0x18);
    words[17] = 0x40 | 1;
    words
}

#[test]
fn newlib_blocks_are_told_by_the_header_behind() {
    let (start, end, walked) = full::walk(&memory(&newlib()), BINS, HEAP.0).unwrap();
    assert_eq!((start, end), (HEAP, Address(0x2000_0080)));
    let used: Vec<_> = walked.used.iter().map(|block| (block.address.0, block.size)).collect();
    assert_eq!(used, [(0x2000_0008, 20), (0x2000_0030, 20)]);
    assert_eq!(walked.free, [(Address(0x2000_002c), 12), (end, 0x38)]);
    assert!(walked.whole);
    assert_eq!(walked.corruption, []);
}

#[test]
fn newlib_header_that_was_overwritten_is_found() {
    let mut words = newlib();
    words[11] = 0x6464_6464;
    let (_, _, walked) = full::walk(&memory(&words), BINS, HEAP.0).unwrap();
    assert!(!walked.whole);
    assert_eq!(walked.corruption[0].address, Address(0x2000_0028));
    let mut words = newlib();
    words[8] = HEAP.0;
    let (_, _, walked) = full::walk(&memory(&words), BINS, HEAP.0).unwrap();
    assert_eq!(
        walked.corruption[0].text,
        "the links of the free block at 0x20000020 are overwritten"
    );
}

#[test]
fn newlib_before_the_first_call_has_no_heap() {
    assert_eq!(full::walk(&memory(&newlib()), BINS, u32::MAX), None);
    assert_eq!(nano::walk(&memory(&newlib()), 0, 0, HEAP), None);
}

/// Handed out, free, handed out: 0x18, 0x10 and 0x14 bytes.
fn nano() -> Vec<u32> {
    let mut words = vec![0; 15];
    (words[0], words[6], words[10]) = (0x18, 0x10, 0x14);
    words
}

#[test]
fn nano_blocks_are_free_that_the_list_names() {
    let end = Address(0x2000_003c);
    let (start, _, walked) = nano::walk(&memory(&nano()), HEAP.0 + 0x18, HEAP.0, end).unwrap();
    assert_eq!(start, HEAP);
    let used: Vec<_> = walked.used.iter().map(|block| (block.address.0, block.size)).collect();
    assert_eq!(used, [(0x2000_0008, 16), (0x2000_0030, 12)]);
    assert_eq!(walked.free, [(Address(0x2000_0028), 12)]);
    assert!(walked.whole);
    assert_eq!(walked.corruption, []);
}

#[test]
fn nano_damage_is_found() {
    let end = Address(0x2000_003c);
    let range = AddressRange::from_bounds(HEAP, end).unwrap();
    for (index, value, at) in [
        (6, 0x6464_6464, 0x2000_0018),
        (0, 0, 0x2000_0000),
        (7, 0xdead_beec, 0x2000_0018),
        (7, 0x2000_0018, 0x2000_0018),
        (7, 0x2000_002c, 0x2000_002c),
    ] {
        let mut words = nano();
        words[index] = value;
        let (_, _, walked) = nano::walk(&memory(&words), HEAP.0 + 0x18, HEAP.0, end).unwrap();
        assert_eq!(walked.corruption[0].address, Address(at), "word {index} is {value:#x}");
        assert!(range.contains(walked.corruption[0].address));
    }
}
