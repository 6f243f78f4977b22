//! The kernel's objects as the report lists them.

use super::Hex32;
use serde::{Deserialize, Serialize};

/// A semaphore, a queue, a timer: whatever threads share by the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelObject {
    /// What sort it is: `mutex`.
    pub kind: String,
    /// Its own name, or the variable that it stands in.
    pub name: String,
    /// Where it is.
    pub address: Hex32,
    /// Its state in a few words: `count 0 of 1`.
    pub state: String,
    /// Names of the threads that wait for it.
    pub waiters: Vec<String>,
}
