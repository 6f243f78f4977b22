//! Addresses, ranges, bounded reading and memory: what every other layer speaks.
//!
//! Knows nothing of files, formats, symbols or targets.
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

mod address;
mod hash;
pub mod hex;
mod memory;
mod parallel;
pub mod printf;
mod reader;

pub use address::{Address, AddressRange};
pub use hash::FastMap;
pub use memory::{Memory, Overlay, Unreadable};
pub use parallel::join;
pub use reader::{Reader, Truncated};
