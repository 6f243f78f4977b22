//! Addresses, ranges, bounded reading and memory: what every other layer speaks.
//!
//! Knows nothing of files, formats, symbols or targets.

mod address;
mod hash;
pub mod hex;
mod memory;
pub mod number;
mod parallel;
pub mod printf;
mod reader;

pub use address::{Address, AddressRange};
pub use hash::{FastMap, FastSet};
pub use memory::{Memory, Overlay, Unreadable};
pub use parallel::join;
pub use reader::{Reader, Truncated};
