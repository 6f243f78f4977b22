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
//! The modules are layers: ARCHITECTURE.md says which may use which, and a test enforces it.

// Bytes from outside go through every layer: what could panic on them is not written at all.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod analysis;
pub mod arch;
pub mod base;
#[cfg(feature = "cli")]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
pub mod cli;
#[cfg(feature = "cli")]
pub mod dap;
pub mod diff;
pub mod format;
#[cfg(feature = "cli")]
pub mod gdb;
pub mod issue;
pub mod report;
pub mod rtos;
pub mod snapshot;
#[cfg(feature = "cli")]
pub mod svd;
pub mod symbols;
#[cfg(feature = "target")]
pub mod target;
#[cfg(feature = "tui")]
pub mod tui;
pub mod wire;
