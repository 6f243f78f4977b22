//! What an ELF file says about a firmware: symbols, lines, unwind rules, types, variables.

pub mod cfi;
pub mod exidx;
