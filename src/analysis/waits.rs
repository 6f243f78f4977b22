//! Threads that keep each other from running: deadlocks and priority inversion.

use super::Core;
use crate::base::Address;
use crate::report::{Hex32, Notes, Severity};
use crate::rtos::{self, Thread};

/// Most circles that get a note each.
const MOST: usize = 16;

/// The circles of threads that wait for each other, by their `id`; a note for each, and for each
/// priority inversion.
pub(super) fn list(core: &Core<'_, '_>, notes: &mut Notes) -> Vec<Vec<String>> {
    let Some((kernel, state)) = core.kernel.zip(core.state()) else { return Vec::new() };
    let threads = state.threads.as_slice();
    let mut circles = rtos::deadlocks(threads);
    circles.truncate(MOST);
    for circle in &circles {
        let waits: Vec<String> = circle.iter().map(|at| wait(threads, *at)).collect();
        let text = format!("deadlock: {}", waits.join("; "));
        notes.add(Severity::Error, "deadlock", text);
    }
    let urgency = |priority| kernel.urgency(priority);
    for inversion in rtos::inversions(threads, urgency).into_iter().take(MOST) {
        let text = format!(
            "priority inversion: {}, which cannot run because {} runs",
            wait(threads, inversion.waiter),
            name(threads, inversion.running)
        );
        notes.add(Severity::Warning, "priority_inversion", text);
    }
    let id = |at: &Address| Hex32::from(*at).to_string();
    circles.iter().map(|circle| circle.iter().map(id).collect()).collect()
}

/// `sensor waits for mutex bus_lock, owned by display`.
pub(super) fn wait(threads: &[Thread], at: Address) -> String {
    let thread = threads.iter().find(|thread| thread.address == at);
    let wait = thread.and_then(|thread| thread.wait.as_ref());
    let what = wait.map_or(String::new(), |wait| in_words(wait, threads));
    format!("{} waits for {what}", name(threads, at))
}

/// Its name, else its address.
pub(super) fn name(threads: &[Thread], at: Address) -> String {
    let thread = threads.iter().find(|thread| thread.address == at && !thread.name.is_empty());
    thread.map_or_else(|| at.to_string(), |thread| thread.name.clone())
}

/// `mutex bus_lock, owned by sensor, 12 ms left`.
pub(super) fn in_words(wait: &rtos::Wait, threads: &[Thread]) -> String {
    let object = wait.name.clone().or_else(|| wait.object.map(|at| at.to_string()));
    let what: Vec<&str> = [Some(wait.kind), object.as_deref()].into_iter().flatten().collect();
    let mut text = what.join(" ").trim().to_string();
    if let Some(owner) = wait.owner.filter(|owner| Some(*owner) != wait.object) {
        text.push_str(&format!(", owned by {}", name(threads, owner)));
    }
    match (wait.ms_left, wait.ticks_left) {
        (Some(ms), _) => text.push_str(&format!(", {ms} ms left")),
        (None, Some(1)) => text.push_str(", 1 tick left"),
        (None, Some(ticks)) => text.push_str(&format!(", {ticks} ticks left")),
        (None, None) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtos::Wait;

    #[test]
    fn wait_is_told_with_its_owner_and_the_time_left() {
        let owner = Thread { address: Address(8), name: "sensor".into(), ..Thread::default() };
        let mutex = Wait {
            kind: "mutex",
            object: Some(Address(0x2000_0000)),
            owner: Some(Address(8)),
            ..Wait::default()
        };
        let told = |wait: &Wait| in_words(wait, std::slice::from_ref(&owner));
        assert_eq!(told(&mutex), "mutex 0x20000000, owned by sensor");
        let named = Wait { name: Some("lock".into()), ticks_left: Some(1), ..mutex };
        assert_eq!(told(&named), "mutex lock, owned by sensor, 1 tick left");
        let stranger = Wait { owner: Some(Address(9)), ms_left: Some(2), ..named };
        assert_eq!(told(&stranger), "mutex lock, owned by 0x00000009, 2 ms left");
        let sleep = Wait { kind: "sleep", ms_left: Some(289), ..Wait::default() };
        assert_eq!(told(&sleep), "sleep, 289 ms left");
    }
}
