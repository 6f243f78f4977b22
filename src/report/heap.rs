//! Heaps: how full they are, and what is wrong with them.

use super::Hex32;
use serde::{Deserialize, Serialize};

/// One heap. Sizes are in bytes, without the allocator's own headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heap {
    /// The symbol of the heap's object or memory.
    pub name: String,
    /// First address of the memory that it hands out.
    pub start: Option<Hex32>,
    /// Bytes of that memory.
    pub size: Option<u64>,
    /// In blocks that are handed out.
    pub used: Option<u64>,
    /// In blocks that are free.
    pub free: Option<u64>,
    /// The largest free block.
    pub largest_free: Option<u64>,
    /// Most that was ever in use.
    pub high_water: Option<u64>,
    /// How many blocks are handed out.
    pub blocks: Option<u32>,
    /// The largest of them, by size.
    #[serde(default)]
    pub largest_blocks: Vec<HeapBlock>,
    /// What is wrong with its structures; empty for a heap that is sound as far as was looked.
    pub corruption: Vec<Corruption>,
}

/// A block that is handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeapBlock {
    /// Where it begins.
    pub address: Hex32,
    /// Bytes.
    pub size: u64,
    /// A variable that holds a pointer to it: who it belongs to, as a guess.
    pub held_by: Option<String>,
}

/// Something wrong in a heap's structures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corruption {
    /// The damaged header or link.
    pub address: Hex32,
    /// What is wrong.
    pub text: String,
}
