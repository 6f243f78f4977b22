//! Captured memory as rows: sixteen bytes or a gap each.

use crate::base::{Address, AddressRange};
use crate::snapshot::MemoryImage;
use std::sync::Arc;

/// What a row shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MemoryRow {
    /// Bytes from an aligned address on; some of the first and last row of a run are missing.
    Bytes(Address),
    /// Nothing is held of this range.
    Gap(AddressRange),
}

/// A run of rows: of a segment, or the one of the gap before it.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Number of its first row.
    first: usize,
    range: AddressRange,
    held: bool,
}

/// The rows of a memory image, all of which exist without being stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    runs: Vec<Run>,
    /// Bytes of a row, a power of two.
    width: u32,
    count: usize,
}

impl Rows {
    pub(super) fn new(memory: &MemoryImage, width: u32) -> Rows {
        let width = width.max(1).next_power_of_two();
        let mut rows = Rows { runs: Vec::new(), width, count: 0 };
        let mut reached: Option<u64> = None;
        for segment in memory.segments() {
            let range = segment.range();
            let gap = reached
                .and_then(|end| u32::try_from(end).ok())
                .and_then(|end| AddressRange::from_bounds(Address(end), range.start()));
            if let Some(gap) = gap.filter(|gap| !gap.is_empty()) {
                rows.push(gap, false);
            }
            rows.push(range, true);
            reached = Some(range.end());
        }
        rows
    }

    fn push(&mut self, range: AddressRange, held: bool) {
        self.runs.push(Run { first: self.count, range, held });
        let rows = if held { self.row_in(range, range.end().saturating_sub(1)) } else { 0 };
        self.count = self.count.saturating_add(rows).saturating_add(1);
    }

    /// The row within a run that holds `address`.
    fn row_in(&self, range: AddressRange, address: u64) -> usize {
        let width = u64::from(self.width.max(1));
        let first = u64::from(range.start().0).checked_div(width).unwrap_or(0);
        let row = address.checked_div(width).unwrap_or(0).saturating_sub(first);
        usize::try_from(row).unwrap_or(0)
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Row number `index`.
    pub(super) fn get(&self, index: usize) -> Option<MemoryRow> {
        let run = self.runs.partition_point(|run| run.first <= index).checked_sub(1)?;
        let run = self.runs.get(run).filter(|_| index < self.count)?;
        if !run.held {
            return Some(MemoryRow::Gap(run.range));
        }
        let within = u32::try_from(index.checked_sub(run.first)?).ok()?;
        let aligned = run.range.start().0 & !self.width.saturating_sub(1);
        let at = aligned.checked_add(within.checked_mul(self.width)?)?;
        Some(MemoryRow::Bytes(Address(at)))
    }

    /// The row that holds `address`; else that of the gap around it, else the nearest.
    pub(super) fn of(&self, address: Address) -> usize {
        let index = self.runs.partition_point(|run| run.range.start() <= address);
        let Some(run) = index.checked_sub(1).and_then(|index| self.runs.get(index)) else {
            return 0;
        };
        let last = run.range.end().saturating_sub(1);
        let at = u64::from(address.0).min(last);
        let within = if run.held { self.row_in(run.range, at) } else { 0 };
        run.first.saturating_add(within)
    }

    /// `address`, or the nearest that is held.
    pub(super) fn nearest(&self, address: Address) -> Address {
        let held = || self.runs.iter().filter(|run| run.held).map(|run| run.range);
        if held().any(|range| range.contains(address)) {
            return address;
        }
        let distance = |range: &AddressRange| {
            let (start, last) = (u64::from(range.start().0), range.end().saturating_sub(1));
            let at = u64::from(address.0);
            start.saturating_sub(at).max(at.saturating_sub(last))
        };
        match held().min_by_key(distance) {
            Some(range) if range.start() > address => range.start(),
            Some(range) => {
                Address(u32::try_from(range.end().saturating_sub(1)).unwrap_or(u32::MAX))
            }
            None => address,
        }
    }

    pub(super) fn width(&self) -> u32 {
        self.width
    }
}

/// Where two images differ, as runs of addresses; what only one of them holds does not count.
pub(super) fn changes(memory: &MemoryImage, other: &MemoryImage) -> Vec<AddressRange> {
    let mut found = Vec::new();
    for segment in memory.segments() {
        let mut at = segment.range().start();
        let mut rest = segment.bytes();
        while let Some(held) = Some(rest).filter(|rest| !rest.is_empty()) {
            let Some(theirs) = other.slice_from(at) else {
                // On to where the other begins again.
                let next = other.segments().iter().map(|s| s.range().start()).find(|s| *s > at);
                let skip = next.and_then(|next| next.0.checked_sub(at.0)).map(|skip| skip as usize);
                let Some(skip) = skip.filter(|skip| *skip < held.len()) else { break };
                rest = held.get(skip..).unwrap_or_default();
                at = at.wrapping_add(skip as i64);
                continue;
            };
            let count = held.len().min(theirs.len());
            let pairs = held.iter().zip(theirs).take(count);
            let mut begin = None;
            for (index, (a, b)) in pairs.enumerate().chain([(count, (&0, &0))]) {
                match (begin, a != b) {
                    (None, true) => begin = Some(index),
                    (Some(first), false) => {
                        let size = index.saturating_sub(first) as u64;
                        found.extend(AddressRange::new(at.wrapping_add(first as i64), size));
                        begin = None;
                    }
                    _ => {}
                }
            }
            rest = held.get(count..).unwrap_or_default();
            at = at.wrapping_add(count as i64);
        }
    }
    found
}

/// Bytes as a number of `size` bytes, at most eight.
pub(super) fn word(memory: &MemoryImage, at: Address, size: u32, big: bool) -> Option<u64> {
    let size = usize::try_from(size).ok()?;
    let bytes = memory.slice_from(at)?.get(..size)?;
    let fold = |value: u64, byte: &u8| value.wrapping_shl(8) | u64::from(*byte);
    Some(match big {
        true => bytes.iter().fold(0, fold),
        false => bytes.iter().rev().fold(0, fold),
    })
}

/// An image with what `constants` hold around it.
pub(super) fn with_constants(
    captured: &MemoryImage,
    constants: Vec<(Address, &[u8])>,
) -> Arc<MemoryImage> {
    let mut all = captured.clone();
    for (start, bytes) in constants {
        // A section that passes the end of memory has nothing to show.
        let _ = all.insert(start, bytes.to_vec());
    }
    Arc::new(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_again_by_its_address() {
        let memory =
            MemoryImage::of(&[(0x108, &[1; 40]), (0x200, &[2; 16]), (0xffff_fff0, &[3; 16])]);
        let rows = Rows::new(&memory, 16);
        assert_eq!(rows.len(), 3 + 1 + 1 + 1 + 1);
        for index in 0..rows.len() {
            match rows.get(index).unwrap() {
                MemoryRow::Bytes(at) => assert_eq!(rows.of(at.max(Address(0x108))), index),
                MemoryRow::Gap(range) => assert_eq!(rows.of(range.start()), index),
            }
        }
        assert_eq!(rows.get(rows.len()), None);
        assert_eq!(rows.get(0), Some(MemoryRow::Bytes(Address(0x100))));
        assert_eq!(rows.nearest(Address(0)), Address(0x108));
        assert_eq!(rows.nearest(Address(0x1f0)), Address(0x200));
        assert_eq!(rows.nearest(Address(0x230)), Address(0x20f));
        assert_eq!(Rows::new(&MemoryImage::default(), 16).get(0), None);
    }

    #[test]
    fn changes_are_runs_of_bytes_that_both_hold() {
        let a = MemoryImage::of(&[(0x100, &[1, 2, 3, 4, 5]), (0x200, &[9, 9])]);
        let b = MemoryImage::of(&[(0x101, &[2, 0, 0, 5, 7]), (0x201, &[8])]);
        let range = |at, size| AddressRange::new(Address(at), size).unwrap();
        assert_eq!(changes(&a, &b), [range(0x102, 2), range(0x201, 1)]);
        assert_eq!(changes(&a, &a), []);
        assert_eq!(changes(&a, &MemoryImage::default()), []);
    }

    #[test]
    fn words_are_read_from_both_ends() {
        let memory = MemoryImage::of(&[(0x100, &[1, 2, 3, 4])]);
        assert_eq!(word(&memory, Address(0x100), 4, false), Some(0x0403_0201));
        assert_eq!(word(&memory, Address(0x100), 2, true), Some(0x0102));
        assert_eq!(word(&memory, Address(0x102), 4, false), None);
    }
}
