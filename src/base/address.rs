//! Target addresses and ranges of them.

use std::fmt;

/// An address in the 32-bit physical address space of the target.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u32);

impl Address {
    /// This address plus `offset` bytes, or `None` past the end of the address space.
    pub fn checked_add(self, offset: u32) -> Option<Address> {
        self.0.checked_add(offset).map(Address)
    }

    /// This address minus `offset` bytes, or `None` below zero.
    pub fn checked_sub(self, offset: u32) -> Option<Address> {
        self.0.checked_sub(offset).map(Address)
    }

    /// This address plus a signed number of bytes, as the target's ALU would compute it.
    pub fn wrapping_add(self, offset: i64) -> Address {
        // Truncation is the point: address arithmetic on the target is modulo 2^32.
        Address((i64::from(self.0).wrapping_add(offset)) as u32)
    }

    /// Where word number `index` of those that begin here stands, modulo 2^32.
    pub fn word(self, index: u32) -> Address {
        Address(self.0.wrapping_add(index.wrapping_mul(4)))
    }

    /// The address with the Thumb bit (bit 0) cleared.
    pub fn without_thumb_bit(self) -> Address {
        Address(self.0 & !1)
    }

    /// Whether the address is a multiple of `alignment`, a power of two.
    pub fn is_aligned(self, alignment: u32) -> bool {
        alignment != 0 && self.0.is_multiple_of(alignment)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<u32> for Address {
    fn from(value: u32) -> Self {
        Address(value)
    }
}

/// A half-open range of addresses; it never wraps and may end at 2^32.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    start: Address,
    size: u64,
}

impl AddressRange {
    /// The range of `size` bytes from `start`, or `None` when it would wrap around.
    pub fn new(start: Address, size: u64) -> Option<AddressRange> {
        let end = u64::from(start.0).checked_add(size)?;
        (end <= 1 << 32).then_some(AddressRange { start, size })
    }

    /// The range from `start` up to and without `end`, or `None` when `end` is below `start`.
    pub fn from_bounds(start: Address, end: Address) -> Option<AddressRange> {
        let size = end.0.checked_sub(start.0)?;
        AddressRange::new(start, u64::from(size))
    }

    /// First address.
    pub fn start(self) -> Address {
        self.start
    }

    /// Number of bytes, 0 to 2^32.
    pub fn size(self) -> u64 {
        self.size
    }

    /// One past the last address, at most 2^32.
    pub fn end(self) -> u64 {
        // Cannot saturate: the constructor admits no end beyond 2^32.
        u64::from(self.start.0).saturating_add(self.size)
    }

    /// Whether the range holds no byte.
    pub fn is_empty(self) -> bool {
        self.size == 0
    }

    /// Whether `address` is inside.
    pub fn contains(self, address: Address) -> bool {
        address >= self.start && u64::from(address.0) < self.end()
    }

    /// Whether all of `other` is inside.
    pub fn contains_range(self, other: AddressRange) -> bool {
        other.start >= self.start && other.end() <= self.end()
    }

    /// The parts that are in none of `taken`, which is sorted and does not overlap.
    pub fn minus(self, taken: &[AddressRange]) -> Vec<AddressRange> {
        let mut free = Vec::new();
        let mut begin = u64::from(self.start.0);
        let mut add = |begin: u64, end: u64| {
            let start = u32::try_from(begin).ok().map(Address);
            let range = start.and_then(|s| AddressRange::new(s, end.saturating_sub(begin)));
            free.extend(range.filter(|range| !range.is_empty()));
        };
        let first = taken.partition_point(|other| other.end() <= begin);
        for other in taken.get(first..).unwrap_or_default() {
            let start = u64::from(other.start.0);
            if start >= self.end() {
                break;
            }
            add(begin, start);
            begin = begin.max(other.end());
        }
        add(begin, self.end());
        free
    }

    /// The part that both ranges share, if they share any byte.
    pub fn intersection(self, other: AddressRange) -> Option<AddressRange> {
        let start = self.start.max(other.start);
        let end = self.end().min(other.end());
        let size = end.checked_sub(u64::from(start.0))?;
        if size == 0 { None } else { AddressRange::new(start, size) }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.end().saturating_sub(1).max(u64::from(self.start.0));
        write!(f, "{}..0x{:08x}", self.start, last)
    }
}

impl fmt::Debug for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_that_wraps_is_refused() {
        assert_eq!(AddressRange::new(Address(0xffff_fff0), 0x11), None);
        let top = AddressRange::new(Address(0xffff_fff0), 0x10).unwrap();
        assert!(top.contains(Address(0xffff_ffff)));
        assert_eq!(top.end(), 1 << 32);
    }

    #[test]
    fn intersection_of_touching_ranges_is_none() {
        let a = AddressRange::new(Address(0x100), 0x10).unwrap();
        let b = AddressRange::new(Address(0x110), 0x10).unwrap();
        assert_eq!(a.intersection(b), None);
        let c = AddressRange::new(Address(0x108), 0x10).unwrap();
        assert_eq!(a.intersection(c), AddressRange::new(Address(0x108), 8));
    }

    #[test]
    fn parts_that_are_taken_are_left_out() {
        let range = |start: u32, size| AddressRange::new(Address(start), size).unwrap();
        let taken = [range(0, 0x10), range(0x100, 0x10), range(0x180, 0x100)];
        let free = range(0x8, 0x1f8).minus(&taken);
        assert_eq!(free, [range(0x10, 0xf0), range(0x110, 0x70)]);
        assert_eq!(range(0x104, 4).minus(&taken), []);
        assert_eq!(range(0x1000, 4).minus(&taken), [range(0x1000, 4)]);
    }

    #[test]
    fn wrapping_add_follows_the_target() {
        assert_eq!(Address(0).wrapping_add(-4), Address(0xffff_fffc));
        assert_eq!(Address(0xffff_fffc).wrapping_add(8), Address(4));
        assert_eq!(Address(0xffff_fff8).word(3), Address(4));
        assert_eq!(Address(8).wrapping_add(i64::MIN), Address(8));
    }
}
