//! A dump looked into on demand: one variable, one pointer, one function at a time, so that
//! nothing is computed that nobody looks at.
//!
//! [`Inspector`] borrows what [`super::analyze`] borrows, and answers one question at a time. Lists
//! and pointers of a damaged dump lead anywhere: every answer is bounded.

mod code;
mod elements;
mod expression;
mod frames;
mod owners;
mod values;

pub use code::CodeLine;
pub use owners::{Owner, OwnerKind, OwnerMap};
pub use values::{Chain, Children, GlobalName, Item, Number, Part};

use super::unwind::Context;
use super::{Core, Options, placed};
use crate::base::{Address, Memory};
use crate::report::{Notes, Report};
use crate::snapshot::Snapshot;
use crate::symbols::{Global, SymbolFile};
use std::borrow::Cow;
use std::cell::OnceCell;

/// Answers questions about a snapshot and the symbols of its firmware.
pub struct Inspector<'a, 'd> {
    core: Core<'a, 'd>,
    /// What ran, innermost first.
    contexts: OnceCell<Vec<Context>>,
    /// Every global, with the number of its file.
    globals: OnceCell<Vec<(usize, &'a Global<'d>)>>,
}

impl std::fmt::Debug for Inspector<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector").finish_non_exhaustive()
    }
}

impl<'a, 'd> Inspector<'a, 'd> {
    /// What an inspector is to borrow: `snapshot`, with the kernel's own objects at their places
    /// where the dump holds them apart.
    pub fn prepared<'s>(snapshot: &'s Snapshot, files: &[SymbolFile<'_>]) -> Cow<'s, Snapshot> {
        placed::with_kernel(snapshot, files).map_or(Cow::Borrowed(snapshot), Cow::Owned)
    }

    /// Looks into a [`Inspector::prepared`] snapshot.
    pub fn new(snapshot: &'a Snapshot, files: &'a [SymbolFile<'d>]) -> Inspector<'a, 'd> {
        let core = Core::new(snapshot, files);
        Inspector { core, contexts: OnceCell::new(), globals: OnceCell::new() }
    }

    /// The report, as [`super::analyze`] gives it.
    pub fn report(&self, options: &Options) -> Report {
        super::report(&self.core, options)
    }

    /// Captured memory over the code and constants of the ELF files.
    pub fn memory(&self) -> &dyn Memory {
        &self.core.memory
    }

    /// A name for `address`: the variable or function around it, and the distance from its start.
    pub fn name_of(&self, address: Address) -> Option<String> {
        let symbols = &self.core.symbols;
        let file = symbols.at(address)?;
        if symbols.is_code(address) {
            let (symbol, offset) = file.symbol_at(address.without_thumb_bit())?;
            return Some(match offset {
                0 => symbol.readable().into_owned(),
                offset => format!("{}+{offset}", symbol.readable()),
            });
        }
        file.object_name(address)
    }

    /// Whether instructions stand at `address`.
    pub fn is_code(&self, address: Address) -> bool {
        self.core.symbols.is_code(address)
    }

    /// Names of all functions and variables that have a symbol, as people write them; in order, each
    /// once.
    pub fn names(&self) -> Vec<String> {
        let files = self.core.symbols.files().iter();
        let symbols = files.flat_map(|file| file.symbols());
        let mut names: Vec<String> = symbols
            .filter(|symbol| !symbol.name.starts_with('$'))
            .map(|symbol| symbol.readable().into_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Every byte that the ELF files vouch for: code and constants.
    pub fn constants(&self) -> Vec<(Address, &'d [u8])> {
        let files = self.core.symbols.files().iter();
        let sections = files.flat_map(|file| file.image().allocated_sections());
        sections
            .filter(|section| !section.is_ram())
            .filter_map(|section| Some((section.range.start(), section.bytes?)))
            .collect()
    }

    fn contexts(&self) -> &[Context] {
        self.contexts.get_or_init(|| self.core.stopped(&mut Notes::default()).contexts)
    }

    fn file(&self, number: usize) -> Option<&'a SymbolFile<'d>> {
        self.core.symbols.files().get(number).copied()
    }

    /// The number of `file` among those of the core.
    fn number_of(&self, file: &SymbolFile<'d>) -> usize {
        let files = self.core.symbols.files();
        files.iter().position(|known| std::ptr::eq(*known, file)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
