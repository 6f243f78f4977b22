//! Threads of two dumps: which appeared, are gone or changed.

use super::change;
use crate::report::{Change, Thread, ThreadChange, ThreadFate};

/// Functions of a backtrace that are shown.
const MOST_FUNCTIONS: usize = 8;

/// Threads that differ, in the order of `a`, then those that only `b` has. Control blocks tell
/// threads of one build apart, names those of different builds.
pub(super) fn compare(a: &[Thread], b: &[Thread], same_build: bool) -> Vec<ThreadChange> {
    let mut left: Vec<&Thread> = b.iter().collect();
    let mut changes = Vec::new();
    for thread in a {
        let is_handler = thread.state == "handler";
        let is_same = |other: &&Thread| {
            if same_build || is_handler { other.id == thread.id } else { other.name == thread.name }
        };
        let Some(index) = left.iter().position(is_same) else {
            changes.push(alone(thread, ThreadFate::Gone));
            continue;
        };
        let other = left.remove(index);
        let details = details(thread, other);
        if !details.is_empty() {
            changes.push(ThreadChange {
                id: other.id.clone(),
                name: other.name.clone(),
                change: ThreadFate::Changed,
                details,
            });
        }
    }
    changes.extend(left.into_iter().map(|thread| alone(thread, ThreadFate::Appeared)));
    changes
}

type Entry = (&'static str, Option<String>);

fn entries(thread: &Thread) -> [Entry; 10] {
    let stack = thread.stack.as_ref();
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    [
        ("name", Some(thread.name.clone())),
        ("state", Some(thread.state.clone())),
        ("priority", thread.priority.map(|priority| priority.to_string())),
        ("waits_for", thread.waits_for.clone()),
        ("stack_used", number(stack.and_then(|stack| stack.used))),
        ("stack_high_water", number(stack.and_then(|stack| stack.high_water))),
        ("overflowed", flag(stack.is_some_and(|stack| stack.overflowed))),
        ("current", flag(thread.current)),
        ("crashed", flag(thread.crashed)),
        ("backtrace", backtrace(thread)),
    ]
}

fn flag(set: bool) -> Option<String> {
    Some(if set { "yes" } else { "no" }.to_string())
}

/// `innermost < caller < its caller`.
fn backtrace(thread: &Thread) -> Option<String> {
    let name = |frame: &crate::report::Frame| {
        frame.function.clone().unwrap_or_else(|| frame.pc.to_string())
    };
    let functions: Vec<String> = thread.frames.iter().map(name).collect();
    let mut text = functions.iter().take(MOST_FUNCTIONS).cloned().collect::<Vec<_>>().join(" < ");
    let more = functions.len().saturating_sub(MOST_FUNCTIONS);
    if more > 0 {
        text.push_str(&format!(" < … {more} more"));
    }
    (!functions.is_empty()).then_some(text)
}

fn details(a: &Thread, b: &Thread) -> Vec<Change> {
    let both = entries(a).into_iter().zip(entries(b));
    both.filter_map(|((name, a), (_, b))| change(name, a, b)).collect()
}

fn alone(thread: &Thread, fate: ThreadFate) -> ThreadChange {
    let telling = entries(thread).into_iter().filter(|(name, value)| {
        !matches!(*name, "name" | "current") && value.as_deref().is_some_and(|v| v != "no")
    });
    let side = |(name, value): Entry| match fate {
        ThreadFate::Gone => Change { name: name.to_string(), a: value, b: None },
        _ => Change { name: name.to_string(), a: None, b: value },
    };
    ThreadChange {
        id: thread.id.clone(),
        name: thread.name.clone(),
        change: fate,
        details: telling.map(side).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Stack;

    fn thread(id: &str, name: &str, state: &str) -> Thread {
        Thread { id: id.into(), name: name.into(), state: state.into(), ..Thread::default() }
    }

    #[test]
    fn threads_appear_go_and_change_state_and_stack() {
        let a = [thread("0x1", "one", "ready"), thread("0x2", "two", "pending")];
        let mut b = [thread("0x3", "three", "ready"), thread("0x1", "one", "pending")];
        b[1].stack = Some(Stack {
            start: 0.into(),
            size: 64,
            used: Some(8),
            high_water: None,
            overflowed: false,
        });
        let changes = compare(&a, &b, true);
        let fates: Vec<_> = changes.iter().map(|c| (c.name.as_str(), c.change)).collect();
        use ThreadFate::{Appeared, Changed, Gone};
        assert_eq!(fates, [("one", Changed), ("two", Gone), ("three", Appeared)]);
        let details: Vec<_> = changes[0].details.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(details, ["state", "stack_used"]);
        assert!(compare(&a, &a, true).is_empty());
    }

    #[test]
    fn threads_of_different_builds_are_told_apart_by_name() {
        let a = [thread("0x1", "one", "ready"), thread("exception 3", "HardFault", "handler")];
        let b = [thread("0x9", "one", "ready"), thread("exception 3", "HardFault", "handler")];
        assert!(compare(&a, &b, false).is_empty());
        assert_eq!(compare(&a, &b, true).len(), 2);
    }
}
