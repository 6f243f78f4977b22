//! How much of a stack still is as its kernel filled it.

use crate::base::{AddressRange, Memory};

/// Largest stack that is looked at, in bytes.
const LARGEST: usize = 1 << 20;

/// Bytes from the lowest on that still hold the pattern `word`.
pub(super) fn untouched(memory: &dyn Memory, stack: AddressRange, word: u32) -> Option<u32> {
    let bytes = memory.read_range(stack, LARGEST).ok()?;
    let pattern = word.to_le_bytes();
    let words = bytes.chunks_exact(4).take_while(|bytes| **bytes == pattern).count();
    u32::try_from(words).ok()?.checked_mul(4)
}
