//! A heap as its walker found it, whichever kernel or library keeps it.

use crate::base::{Address, AddressRange};

/// One heap. Sizes are in bytes and count what the application asked for or may ask for, rounded
/// as the allocator does; its own headers are neither used nor free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// By which people know it: the object's symbol.
    pub name: String,
    /// Memory that it hands out.
    pub range: Option<AddressRange>,
    /// In blocks that are handed out.
    pub used: Option<u64>,
    /// In blocks that are free.
    pub free: Option<u64>,
    /// The largest free block.
    pub largest_free: Option<u64>,
    /// Most that was ever in use.
    pub high_water: Option<u64>,
    /// Blocks that are handed out.
    pub blocks: Option<u32>,
    /// The largest of them, by size.
    pub largest_blocks: Vec<HeapBlock>,
    /// What is wrong with its structures, in the order in which it was found.
    pub corruption: Vec<Corruption>,
}

/// A block that is handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapBlock {
    /// Where it begins, behind the allocator's header.
    pub address: Address,
    /// Its size in bytes.
    pub size: u64,
    /// A variable that holds a pointer to it.
    pub held_by: Option<String>,
}

/// Something wrong in a heap's structures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// Where: the damaged header or link.
    pub address: Address,
    /// What is wrong, as a clause: `the free list leads to 0xdeadbeef, outside the heap`.
    pub text: String,
}
