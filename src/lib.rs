//! `mflt` explains why a Cortex-M microcontroller crashed.
//!
//! One value comes in, one goes out, and there is one engine between them:
//!
//! ```text
//! live core ── target ──┐
//! dump file ── format ──┴─► Snapshot ──┐
//! ELF file ─── symbols ──► SymbolFile ─┴─► analysis ─► Report ─► text, JSON
//! ```
//!
//! The modules below are layers, in the order in which they may use each other;
//! ARCHITECTURE.md says what each may know, and a test enforces it.

pub mod base;
pub mod snapshot;

pub mod wire;

pub mod report;

pub mod format;

pub mod symbols;

pub mod arch;

pub mod rtos;

#[cfg(feature = "target")]
pub mod target;

pub mod analysis;

pub mod issue;

pub mod diff;

#[cfg(feature = "cli")]
pub mod svd;

#[cfg(feature = "cli")]
pub mod gdb;

#[cfg(feature = "cli")]
pub mod cli;
