//! A kernel's objects, as a list for people.

use crate::base::Address;

/// A semaphore, a queue, a timer: whatever threads share by the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelObject {
    /// What sort it is, in the kernel's words: `mutex`.
    pub kind: &'static str,
    /// Its own name, or the variable that it stands in.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// Its state in a few words: `count 0 of 1`.
    pub state: String,
}
