//! Target memory that tests lay out word by word, by the types and symbols of an image.

use crate::base::Address;
use crate::snapshot::MemoryImage;
use crate::symbols::SymbolFile;

/// Words of target memory; those that are set first count.
pub(super) struct Target<'a, 'd> {
    pub(super) symbols: &'a SymbolFile<'d>,
    pub(super) memory: MemoryImage,
}

impl<'a, 'd> Target<'a, 'd> {
    pub(super) fn new(symbols: &'a SymbolFile<'d>) -> Target<'a, 'd> {
        Target { symbols, memory: MemoryImage::default() }
    }

    /// The address of a symbol.
    pub(super) fn at(&self, name: &str) -> u32 {
        self.symbols.symbol(name).unwrap().address.0
    }

    pub(super) fn put(&mut self, at: u32, word: u32) {
        self.memory.insert(Address(at), word.to_le_bytes().to_vec()).unwrap();
    }

    /// A member of the structure of type `ty` at `base`.
    pub(super) fn set(&mut self, base: u32, ty: &str, member: &str, word: u32) {
        let offset = self.symbols.layout(ty, member).unwrap().offset_bytes as u32;
        self.put(base + offset, word);
    }

    /// Writes a C string, and tells where.
    pub(super) fn text(&mut self, at: u32, text: &str) -> u32 {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.memory.insert(Address(at), bytes).unwrap();
        at
    }
}
