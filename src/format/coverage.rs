//! Pieces of memory that may overlap, laid side by side.

use std::collections::BTreeMap;

use crate::base::Address;
use crate::snapshot::MemoryImage;

/// Collects runs of bytes; where they overlap, the first one counts, as in GDB.
///
/// Inserting into a [`MemoryImage`] one by one would copy a growing run again and again; a file
/// with many thousand touching segments is therefore sorted first and copied once.
#[derive(Default)]
pub(in crate::format) struct Coverage<'a> {
    /// Start to end of what is covered; touching ranges are joined.
    covered: BTreeMap<u64, u64>,
    pieces: Vec<(u64, &'a [u8])>,
}

impl<'a> Coverage<'a> {
    /// Adds `bytes` at `start`; what would pass the end of the address space is left out.
    pub(in crate::format) fn insert(&mut self, start: Address, bytes: &'a [u8]) {
        let begin = u64::from(start.0);
        let end = begin.saturating_add(bytes.len() as u64).min(1 << 32);
        let mut cursor = begin;
        let (mut joined_begin, mut joined_end) = (begin, end);
        let before = self.covered.range(..begin).next_back().map(|(s, e)| (*s, *e));
        let touching: Vec<(u64, u64)> = before
            .filter(|(_, e)| *e >= begin)
            .into_iter()
            .chain(self.covered.range(begin..=end).map(|(s, e)| (*s, *e)))
            .collect();
        for (other_begin, other_end) in touching {
            self.piece(begin, bytes, cursor, other_begin.min(end));
            cursor = cursor.max(other_end);
            joined_begin = joined_begin.min(other_begin);
            joined_end = joined_end.max(other_end);
            self.covered.remove(&other_begin);
        }
        self.piece(begin, bytes, cursor, end);
        if joined_begin < joined_end {
            self.covered.insert(joined_begin, joined_end);
        }
    }

    /// Keeps the part of `bytes` (which begin at `begin`) between two addresses.
    fn piece(&mut self, begin: u64, bytes: &'a [u8], from: u64, to: u64) {
        let offsets = from.checked_sub(begin).zip(to.checked_sub(begin));
        let Some((from_offset, to_offset)) = offsets.filter(|(from, to)| from < to) else { return };
        let range = usize::try_from(from_offset).ok().zip(usize::try_from(to_offset).ok());
        if let Some(part) = range.and_then(|(from, to)| bytes.get(from..to)) {
            self.pieces.push((from, part));
        }
    }

    /// All of it, copied into `memory`.
    pub(in crate::format) fn into_image(mut self, memory: &mut MemoryImage) {
        self.pieces.sort_by_key(|(start, _)| *start);
        let mut pieces = self.pieces.into_iter().peekable();
        while let Some((start, first)) = pieces.next() {
            let mut run = first.to_vec();
            let mut end = start.saturating_add(first.len() as u64);
            while let Some((_, next)) = pieces.next_if(|(next, _)| *next == end) {
                run.extend_from_slice(next);
                end = end.saturating_add(next.len() as u64);
            }
            // Pieces lie inside the address space, so this does not fail.
            if let Ok(start) = u32::try_from(start) {
                let _ = memory.insert(Address(start), run);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Memory;

    #[test]
    fn overlap_keeps_the_first_and_joins() {
        let mut coverage = Coverage::default();
        coverage.insert(Address(0x104), &[1, 1, 1, 1]);
        coverage.insert(Address(0x10c), &[2, 2]);
        coverage.insert(Address(0x100), &[3; 16]);
        coverage.insert(Address(0x106), &[4; 4]);
        coverage.insert(Address(0xffff_fffe), &[5; 4]);
        coverage.insert(Address(0x200), &[]);
        let mut memory = MemoryImage::default();
        coverage.into_image(&mut memory);
        assert_eq!(memory.segments().len(), 2);
        assert_eq!(memory.segments()[0].bytes(), [3, 3, 3, 3, 1, 1, 1, 1, 3, 3, 3, 3, 2, 2, 3, 3]);
        assert_eq!(memory.read_u16(Address(0xffff_fffe)), Ok(0x0505));
    }

    #[test]
    fn coverage_equals_inserting_one_by_one() {
        let mut state = 0x1234_5678_u32;
        let mut random = move |limit: u32| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state % limit
        };
        for _ in 0..500 {
            let runs: Vec<(u32, Vec<u8>)> =
                (0..random(12)).map(|i| (random(64), vec![i as u8; random(24) as usize])).collect();
            let mut expected = MemoryImage::default();
            let mut coverage = Coverage::default();
            for (start, bytes) in &runs {
                expected.insert(Address(*start), bytes.clone()).unwrap();
                coverage.insert(Address(*start), bytes);
            }
            let mut found = MemoryImage::default();
            coverage.into_image(&mut found);
            assert_eq!(found, expected, "{runs:?}");
            for (found, expected) in found.segments().iter().zip(expected.segments()) {
                assert_eq!(found.bytes(), expected.bytes());
            }
        }
    }
}
