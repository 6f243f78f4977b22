//! What threads wait for, whichever kernel they belong to; circles of waiting threads, priority
//! inversion.

use super::{State, Thread};
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
    /// The same in milliseconds, where the kernel's rate is known.
    pub ms_left: Option<u64>,
}

/// Threads that wait for each other in a circle, each for the one behind it, the last for the
/// first; every circle once, from its thread that is listed first.
pub fn deadlocks(threads: &[Thread]) -> Vec<Vec<Address>> {
    let mut found = Vec::new();
    let mut settled: Vec<Address> = Vec::new();
    for start in threads {
        let mut path: Vec<Address> = Vec::new();
        let mut at = Some(start.address);
        // Each thread waits for one other at most, so that the walk ends in a circle or nowhere.
        while let Some(address) = at.filter(|address| !settled.contains(address)) {
            if let Some(first) = path.iter().position(|visited| *visited == address) {
                found.push(path.get(first..).unwrap_or(&[]).to_vec());
                break;
            }
            path.push(address);
            at = awaited(threads, address);
        }
        settled.extend(path);
    }
    found
}

/// The thread that the one at `address` waits for.
fn awaited(threads: &[Thread], address: Address) -> Option<Address> {
    let thread = threads.iter().find(|thread| thread.address == address)?;
    // A thread that waits for a time only goes on by itself.
    let wait = thread.wait.as_ref().filter(|wait| wait.ticks_left.is_none())?;
    wait.owner
}

/// A thread that is kept from its mutex by one of less urgency, which a third keeps from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inversion {
    /// The thread that waits.
    pub waiter: Address,
    /// The one that it waits for, which could run.
    pub owner: Address,
    /// The one that runs instead.
    pub running: Address,
}

/// Priority inversions. `urgency` orders priorities: of two threads the kernel runs the one for
/// which it is greater.
pub fn inversions(threads: &[Thread], urgency: impl Fn(i32) -> i32) -> Vec<Inversion> {
    let rank = |thread: &Thread| thread.priority.map(&urgency);
    let Some(running) = threads.iter().find(|thread| thread.current) else { return Vec::new() };
    let inverted = |waiter: &Thread| {
        let owner = waiter.wait.as_ref()?.owner?;
        let owner = threads.iter().find(|thread| thread.address == owner)?;
        let between = rank(owner)? < rank(running)? && rank(running)? < rank(waiter)?;
        (owner.state == State::Ready && between).then_some(Inversion {
            waiter: waiter.address,
            owner: owner.address,
            running: running.address,
        })
    };
    threads.iter().filter_map(inverted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(address: u32, priority: i32, owner: Option<u32>) -> Thread {
        let owner = owner.map(Address);
        let wait = owner.map(|_| Wait { kind: "mutex", owner, ..Wait::default() });
        let state = if owner.is_some() { State::Pending } else { State::Ready };
        let address = Address(address);
        Thread { address, priority: Some(priority), state, wait, ..Thread::default() }
    }

    #[test]
    fn circles_of_any_length_are_found_once_and_tails_are_left_out() {
        let threads = [
            thread(9, 0, Some(1)),
            thread(1, 0, Some(2)),
            thread(2, 0, Some(3)),
            thread(3, 0, Some(1)),
            thread(4, 0, Some(5)),
            thread(5, 0, None),
            thread(6, 0, Some(6)),
            thread(7, 0, Some(77)),
        ];
        let circles = deadlocks(&threads);
        let expected = vec![vec![Address(1), Address(2), Address(3)], vec![Address(6)]];
        assert_eq!(circles, expected);
    }

    #[test]
    fn thread_that_will_give_up_is_in_no_deadlock() {
        let mut threads = [thread(1, 0, Some(2)), thread(2, 0, Some(1))];
        assert_eq!(deadlocks(&threads).len(), 1);
        threads[1].wait.as_mut().unwrap().ticks_left = Some(0);
        assert!(deadlocks(&threads).is_empty());
    }

    #[test]
    fn inversion_needs_a_running_thread_between_waiter_and_owner() {
        // As in Zephyr, the smaller number is the more urgent.
        let urgency = |priority: i32| -priority;
        let mut threads = [thread(1, 2, Some(3)), thread(2, 5, None), thread(3, 9, None)];
        assert!(inversions(&threads, urgency).is_empty(), "nobody runs");
        threads[1].current = true;
        let (waiter, owner, running) = (Address(1), Address(3), Address(2));
        assert_eq!(inversions(&threads, urgency), [Inversion { waiter, owner, running }]);
        threads[2].priority = Some(2);
        assert!(inversions(&threads, urgency).is_empty(), "the owner inherited the priority");
    }
}
