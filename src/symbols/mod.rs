//! What a program's ELF file knows: symbols, lines, inlined calls, types and variables.
//!
//! Knows nothing of dumps, targets or reports, and does no I/O: input is a byte slice that
//! nobody vouches for. [`ElfImage`] is the file, [`SymbolFile`] answers questions about it and
//! reads what a question needs on first use.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod cfi;
mod code_address;
#[allow(dead_code)]
mod dwarf;
pub mod elf;
// Its arithmetic is on fields of at most eight bits, widened first.
#[allow(clippy::arithmetic_side_effects)]
pub mod exidx;
mod file;
#[allow(dead_code)]
mod index;
mod layout;
mod lines;
mod scopes;
mod symtab;
mod type_name;
mod types;

pub use code_address::CodeAddress;
pub use elf::{AllocatedSection, ElfError, ElfImage, Segment};
pub use file::SymbolFile;
pub use layout::MemberLayout;
pub use lines::SourceLocation;
pub use scopes::{ScopeRef, SourceFrame};
pub use symtab::{Symbol, SymbolKind};
pub use types::{Encoding, Enumerator, MemberInfo, TypeInfo, TypeKind, TypeRef};
