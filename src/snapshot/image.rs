//! Sparse captured memory: what was read, and what could not be.

use crate::base::{Address, AddressRange, Memory, Unreadable};
use std::collections::BTreeMap;

/// A run of captured bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Segment {
    start: Address,
    bytes: Vec<u8>,
}

impl Segment {
    /// The addresses it covers.
    pub fn range(&self) -> AddressRange {
        // `MemoryImage::insert` admits only runs that fit the address space.
        AddressRange::new(self.start, self.bytes.len() as u64).unwrap_or_default()
    }

    /// The bytes, lowest address first.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Segment({})", self.range())
    }
}

/// A range that was asked for and could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What is missing.
    pub range: AddressRange,
    /// Why, in the words of the source.
    pub reason: String,
}

/// A run of bytes would pass the end of the 32-bit address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{size} bytes at {start} pass the end of the address space")]
pub struct PastEnd {
    /// First address of the run.
    pub start: Address,
    /// Its length in bytes.
    pub size: usize,
}

/// Captured memory: sorted segments that neither overlap nor touch, known gaps, and what was redacted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryImage {
    segments: Vec<Segment>,
    gaps: Vec<Gap>,
    /// Start to end of what was redacted; touching ranges are joined.
    redacted: BTreeMap<u64, u64>,
}

impl MemoryImage {
    /// Adds `bytes` at `start`. Where an earlier segment already holds an address, its bytes stay:
    /// what was read first is closest to the moment of the crash. Touching runs are joined.
    ///
    /// # Errors
    /// [`PastEnd`] when the run would wrap around the address space.
    pub fn insert(&mut self, start: Address, bytes: Vec<u8>) -> Result<(), PastEnd> {
        let size = bytes.len();
        let range = AddressRange::new(start, size as u64).ok_or(PastEnd { start, size })?;
        if range.is_empty() {
            return Ok(());
        }
        let begin = u64::from(start.0);
        let end = range.end();
        // Segments that overlap or touch the new run are replaced by one that holds them all.
        let first = self.segments.partition_point(|s| s.range().end() < begin);
        let last = self.segments.partition_point(|s| u64::from(s.start.0) <= end);
        if first == last {
            self.segments.insert(first, Segment { start, bytes });
            return Ok(());
        }
        let new = Segment { start, bytes };
        let old: Vec<Segment> = self.segments.drain(first..last).collect();
        self.segments.insert(first, join(old, new));
        Ok(())
    }

    /// Records a range that could not be read.
    pub fn insert_gap(&mut self, gap: Gap) {
        if !gap.range.is_empty() {
            self.gaps.push(gap);
        }
    }

    /// Captured runs, lowest address first.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What was asked for and could not be read, in the order of the capture.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Overwrites what is held of `range` with zeros, and remembers that these are not its bytes:
    /// they can no longer be read.
    pub fn redact(&mut self, range: AddressRange) {
        let first =
            self.segments.partition_point(|s| s.range().end() <= u64::from(range.start().0));
        for segment in self.segments.get_mut(first..).unwrap_or_default() {
            let Some(shared) = segment.range().intersection(range) else { break };
            let from = shared.start().0.saturating_sub(segment.start.0) as usize;
            let count = usize::try_from(shared.size()).unwrap_or(usize::MAX);
            segment.bytes.iter_mut().skip(from).take(count).for_each(|byte| *byte = 0);
            remember(&mut self.redacted, shared);
        }
    }

    /// What was redacted, lowest address first.
    pub fn redacted(&self) -> impl Iterator<Item = AddressRange> + '_ {
        self.redacted.iter().filter_map(|(start, end)| {
            let size = end.checked_sub(*start)?;
            AddressRange::new(Address(u32::try_from(*start).ok()?), size)
        })
    }

    /// The first redacted byte of `range`.
    pub fn first_redacted(&self, range: AddressRange) -> Option<Address> {
        let start = u64::from(range.start().0);
        let before = self.redacted.range(..=start).next_back().filter(|(_, end)| **end > start);
        let next = before.or_else(|| self.redacted.range(start..range.end()).next());
        let address = u32::try_from(start.max(*next?.0)).ok().map(Address)?;
        range.contains(address).then_some(address)
    }

    /// Whether nothing was captured.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Number of captured bytes.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes.len() as u64).sum()
    }

    /// The captured bytes from `address` on, up to the end of their segment; redacted ones are 0.
    pub fn slice_from(&self, address: Address) -> Option<&[u8]> {
        let index = self.segments.partition_point(|s| s.start <= address);
        let segment = self.segments.get(index.checked_sub(1)?)?;
        let offset = usize::try_from(address.0.checked_sub(segment.start.0)?).ok()?;
        segment.bytes.get(offset..).filter(|rest| !rest.is_empty())
    }

    /// Whether `address` was captured.
    pub fn contains(&self, address: Address) -> bool {
        self.slice_from(address).is_some()
    }
}

/// Adds `range` to ranges by start and end, joined with those that it touches.
fn remember(ranges: &mut BTreeMap<u64, u64>, range: AddressRange) {
    let (mut start, mut end) = (u64::from(range.start().0), range.end());
    while let Some((other_start, other_end)) = ranges
        .range(..=end)
        .next_back()
        .map(|(start, end)| (*start, *end))
        .filter(|(_, other_end)| *other_end >= start)
    {
        ranges.remove(&other_start);
        start = start.min(other_start);
        end = end.max(other_end);
    }
    ranges.insert(start, end);
}

/// One segment that holds all of `old` and `new`, which together leave no hole. `old` wins.
fn join(old: Vec<Segment>, new: Segment) -> Segment {
    let begin = old.first().map_or(new.start, |s| s.start.min(new.start));
    let end = old.iter().map(|s| s.range().end()).fold(new.range().end(), u64::max);
    let distance = |from: u64| from.saturating_sub(u64::from(begin.0)) as usize;
    let mut bytes = vec![0; distance(end)];
    for segment in std::iter::once(&new).chain(&old) {
        let rest = bytes.get_mut(distance(u64::from(segment.start.0))..).unwrap_or_default();
        for (to, from) in rest.iter_mut().zip(&segment.bytes) {
            *to = *from;
        }
    }
    Segment { start: begin, bytes }
}

impl Memory for MemoryImage {
    fn is_redacted(&self, address: Address) -> bool {
        AddressRange::new(address, 1).is_some_and(|byte| self.first_redacted(byte).is_some())
    }

    fn read(&self, address: Address, buffer: &mut [u8]) -> Result<(), Unreadable> {
        if buffer.is_empty() {
            return Ok(());
        }
        let held = self.slice_from(address).ok_or(Unreadable { address })?;
        if !self.redacted.is_empty()
            && let Some(range) = AddressRange::new(address, buffer.len() as u64)
            && let Some(address) = self.first_redacted(range)
        {
            return Err(Unreadable { address });
        }
        match held.get(..buffer.len()) {
            Some(bytes) => {
                buffer.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(Unreadable { address: address.wrapping_add(held.len() as i64) }),
        }
    }
}

#[cfg(test)]
impl MemoryImage {
    /// Bytes at addresses.
    pub(crate) fn of(runs: &[(u32, &[u8])]) -> MemoryImage {
        let mut image = MemoryImage::default();
        for (start, bytes) in runs {
            image.insert(Address(*start), bytes.to_vec()).unwrap();
        }
        image
    }

    /// Words from `start` on.
    pub(crate) fn of_words(start: u32, words: &[u32]) -> MemoryImage {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        MemoryImage::of(&[(start, &bytes)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insert_joins_touching_and_keeps_first_bytes() {
        let memory = MemoryImage::of(&[(0x104, &[5, 6]), (0x100, &[1, 2, 3, 4, 9]), (0x106, &[7])]);
        assert_eq!(memory.segments().len(), 1);
        assert_eq!(memory.slice_from(Address(0x100)), Some(&[1, 2, 3, 4, 5, 6, 7][..]));
        assert_eq!(memory.size(), 7);
    }

    #[test]
    fn read_across_a_hole_names_the_first_missing_byte() {
        let memory = MemoryImage::of(&[(0x100, &[1, 2]), (0x103, &[4])]);
        assert_eq!(memory.read_u32(Address(0x100)), Err(Unreadable { address: Address(0x102) }));
        assert_eq!(memory.read_u8(Address(0x103)), Ok(4));
        assert_eq!(memory.read_u8(Address(0xff)), Err(Unreadable { address: Address(0xff) }));
    }

    #[test]
    fn redacted_bytes_are_zero_and_unreadable() {
        let range = |start, size| AddressRange::new(Address(start), size).unwrap();
        let mut memory = MemoryImage::of(&[(0x100, &[1; 16]), (0x200, &[2; 16])]);
        for part in [range(0x104, 2), range(0x108, 4), range(0x106, 2), range(0x10f, 0x100)] {
            memory.redact(part);
        }
        let redacted: Vec<_> = memory.redacted().collect();
        assert_eq!(redacted, [range(0x104, 8), range(0x10f, 1), range(0x200, 15)]);
        let bytes = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0];
        assert_eq!(memory.slice_from(Address(0x100)), Some(&bytes[..]));
        assert_eq!(memory.read_u32(Address(0x100)), Ok(0x0101_0101));
        assert_eq!(memory.read_u32(Address(0x102)), Err(Unreadable { address: Address(0x104) }));
        assert_eq!(memory.read_u8(Address(0x10b)), Err(Unreadable { address: Address(0x10b) }));
        assert_eq!(memory.read_u16(Address(0x10c)), Ok(0x0101));
        assert_eq!(memory.read_u8(Address(0x20f)), Ok(2));
        memory.redact(range(0x300, 16));
        assert_eq!(memory.redacted().count(), 3, "what is not there cannot be redacted");
    }

    #[test]
    fn insert_past_the_end_is_refused_and_the_last_byte_is_not() {
        let mut memory = MemoryImage::default();
        assert!(memory.insert(Address(0xffff_ffff), vec![1, 2]).is_err());
        assert!(memory.insert(Address(0xffff_ffff), vec![1]).is_ok());
        assert_eq!(memory.read_u8(Address(0xffff_ffff)), Ok(1));
        assert!(memory.read_u16(Address(0xffff_ffff)).is_err());
    }
}
