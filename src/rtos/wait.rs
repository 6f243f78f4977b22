//! What a thread waits for, whichever kernel it belongs to.

use crate::base::Address;

/// What a thread waits for: an object, a message to itself, or time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// The kernel's word for it: `mutex`, `queue to receive`, `notification`. Empty when it cannot
    /// be told.
    pub kind: &'static str,
    /// The object.
    pub object: Option<Address>,
    /// The object's name: as registered with the kernel, else its symbol.
    pub name: Option<String>,
    /// The thread that owns the object, by its control block.
    pub owner: Option<Address>,
    /// Ticks until the kernel ends the wait; none when it waits for ever.
    pub ticks_left: Option<u64>,
}
