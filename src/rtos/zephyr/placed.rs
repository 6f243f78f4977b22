//! Where objects stand that Zephyr's coredump holds without their address.

use super::layout::Layout;
use crate::base::Address;
use crate::symbols::SymbolFile;

/// `_kernel` as its bytes, or the pointer in it to the current thread.
pub(super) fn objects(
    object: Option<&[u8]>,
    current: Option<Address>,
    symbols: &SymbolFile<'_>,
) -> Vec<(Address, Vec<u8>)> {
    let Some(kernel) = symbols.symbol("_kernel") else { return Vec::new() };
    let mut placed = Vec::new();
    if let Some(bytes) = object {
        let size = usize::try_from(kernel.size).ok().filter(|size| *size != 0);
        let kept = size.and_then(|size| bytes.get(..size)).unwrap_or(bytes);
        placed.push((kernel.address, kept.to_vec()));
    }
    let pointer = Layout::find(symbols, symbols).ok().and_then(|layout| layout.current);
    let pointer = pointer.and_then(|offset| kernel.address.checked_add(offset));
    if let (Some(pointer), Some(current)) = (pointer, current) {
        placed.push((pointer, current.0.to_le_bytes().to_vec()));
    }
    placed
}
