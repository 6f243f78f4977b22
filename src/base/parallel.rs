//! Two pieces of work at a time.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::thread;

/// Does `beside` on another thread while this one does `here`; one after the other where there are
/// no threads, as in a browser.
pub fn join<A: Send, B>(beside: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    // Kept here, because a thread that cannot be started takes its closure along.
    let waiting = Mutex::new(Some(beside));
    let take = || waiting.lock().ok()?.take();
    let run = || take().map(|work| work());
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, run);
        let here = here();
        let beside = match other.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(Some(done))) => done,
            Ok(Err(panic)) => resume_unwind(panic),
            Ok(Ok(None)) | Err(_) => match run() {
                Some(done) => done,
                None => unreachable!("the work is still waiting"),
            },
        };
        (beside, here)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_done_and_a_panic_comes_through() {
        let numbers = [1, 2, 3];
        assert_eq!(join(|| numbers.iter().sum::<i32>(), || numbers.len()), (6, 3));
        let caught = std::panic::catch_unwind(|| join(|| assert!(numbers.is_empty()), || 0));
        assert!(caught.is_err());
    }
}
