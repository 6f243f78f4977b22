//! What a program's ELF file knows: symbols, lines, inlined calls, types and variables.
//!
//! Knows nothing of dumps, targets or reports, and does no I/O: input is a byte slice that
//! nobody vouches for. [`ElfImage`] is the file, [`SymbolFile`] answers questions about it and
//! reads what a question needs on first use.

mod call_site;
pub mod cfi;
mod code_address;
mod demangle;
mod dwarf;
pub mod elf;
mod entry;
// Its arithmetic is on fields of at most eight bits, widened first.
#[allow(clippy::arithmetic_side_effects)]
pub mod exidx;
mod expression;
mod file;
mod index;
mod instances;
mod layout;
mod library;
mod lines;
mod member_path;
mod objects;
mod place;
mod render;
mod scopes;
mod set;
mod symtab;
mod tail_calls;
mod type_layout;
mod type_name;
mod type_names;
mod type_path;
mod types;
mod values;
mod variables;

pub use code_address::CodeAddress;
pub use demangle::demangle;
pub use elf::{AllocatedSection, BUILD_ID_NOTE, ElfError, ElfImage, Segment};
pub use expression::{FrameContext, NoFrame};
pub use file::SymbolFile;
pub use layout::MemberLayout;
pub use lines::SourceLocation;
pub use member_path::PartAt;
pub use objects::Object;
pub use place::{Bits, Missing, Place, SyntheticPointer};
pub use render::missing_text;
pub use scopes::{ScopeRef, SourceFrame};
pub use set::Symbols;
pub use symtab::{Symbol, SymbolKind};
pub use type_layout::{ArrayLayout, Slot, SlotKind};
pub use types::{Encoding, Enumerator, MemberInfo, TypeInfo, TypeKind, TypeRef, VariantPart};
pub use values::{Element, Float, Limits, Member, REPEATS, Value, ValueKind};
pub use variables::{Global, Variable, VariableKind};

#[cfg(test)]
mod tests;
