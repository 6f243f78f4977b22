//! What each thread waits for: the object whose wait queue it is on (`base.pended_on`), the objects
//! it polls, the time that is left.

use super::layout::{Layout, member};
use super::objects::{self, KernelObject};
use super::timeouts::Timeouts;
use crate::base::{Address, Memory};
use crate::rtos::{State, Thread, Wait};
use crate::symbols::SymbolFile;

/// Structures that can be polled; each keeps a list of `struct k_poll_event`.
const POLLED: &[&str] =
    &["k_sem", "k_fifo", "k_lifo", "k_queue", "k_work_q", "k_poll_signal", "k_msgq", "k_pipe"];
/// Objects that are asked who polls them.
const MOST_OBJECTS: usize = 4096;
/// Events on one object, and those of one thread that are named.
const MOST_EVENTS: usize = 16;

/// Tells of every thread in `threads` what it waits for, and which priority it would have without
/// one that it inherited.
pub(super) fn add(
    memory: &dyn Memory,
    symbols: &SymbolFile<'_>,
    layout: &Layout,
    threads: &mut [Thread],
) {
    let timeouts = Timeouts::read(memory, symbols);
    let waits = Waits { memory, symbols, layout, timeouts };
    let mut found: Vec<Option<Wait>> =
        threads.iter().map(|thread| waits.of_thread(thread, threads)).collect();
    // The kernel clears the poller's flag before the wait: then only the events tell.
    let polling =
        |wait: &Option<Wait>| wait.as_ref().is_some_and(|wait| matches!(wait.kind, "" | "k_poll"));
    if found.iter().any(polling) {
        for (thread, polled) in waits.polled(threads) {
            if let Some(Some(wait)) = found.get_mut(thread).filter(|wait| polling(wait)) {
                waits.name_polled(wait, &polled);
            }
        }
    }
    let inherited: Vec<(Address, i32)> =
        found.iter().flatten().filter_map(|wait| waits.priority_before(wait)).collect();
    for (thread, wait) in threads.iter_mut().zip(found) {
        let before = inherited.iter().filter(|(owner, _)| *owner == thread.address);
        // Of several mutexes the one that was locked first knows the least urgent.
        thread.base_priority = before.map(|(_, priority)| *priority).max();
        thread.wait = wait;
    }
}

struct Waits<'a, 'd> {
    memory: &'a dyn Memory,
    symbols: &'a SymbolFile<'d>,
    layout: &'a Layout,
    timeouts: Timeouts,
}

impl Waits<'_, '_> {
    fn of_thread(&self, thread: &Thread, threads: &[Thread]) -> Option<Wait> {
        let timeout = member(thread.address, self.layout.timeout_next);
        let ticks_left = timeout.and_then(|timeout| self.timeouts.ticks_left(timeout));
        let wait = match thread.state {
            State::Pending => self.on_queue(thread, threads)?,
            State::Sleeping => Wait { kind: "sleep", ..Wait::default() },
            State::Prestart if ticks_left.is_some() => Wait { kind: "start", ..Wait::default() },
            _ => return None,
        };
        let ms_left = ticks_left.and_then(|ticks| self.timeouts.milliseconds(ticks));
        Some(Wait { ticks_left, ms_left, ..wait })
    }

    /// A pending thread, by the queue that it is on.
    fn on_queue(&self, thread: &Thread, threads: &[Thread]) -> Option<Wait> {
        let queue = self.word(thread.address, self.layout.pended_on)?;
        let queue = Some(Address(queue)).filter(|queue| queue.0 != 0)?;
        if let Some(object) = objects::around(self.symbols, queue) {
            return Some(self.on_object(&object));
        }
        // Its own stack in 1.14; later a queue of `k_poll` that all share.
        let own = thread.stack.is_some_and(|stack| stack.contains(queue));
        let polls = member(thread.address, self.offset("k_thread", "poller.is_polling"));
        let polls = polls.and_then(|at| self.memory.read_u8(at).ok()) == Some(1);
        if own || polls {
            return Some(Wait { kind: "k_poll", ..Wait::default() });
        }
        let size = self.symbols.size_of("k_thread").and_then(|size| u32::try_from(size).ok());
        let of = |other: &&Thread| {
            let distance = queue.0.checked_sub(other.address.0);
            distance.zip(size).is_some_and(|(distance, size)| distance < size)
        };
        if let Some(other) = threads.iter().find(of) {
            let (name, address) = (Some(other.name.clone()), Some(other.address));
            return Some(Wait {
                kind: "thread",
                name,
                object: address,
                owner: address,
                ..Wait::default()
            });
        }
        let name = self.symbols.object_name(queue);
        Some(Wait { object: Some(queue), name, ..Wait::default() })
    }

    fn on_object(&self, object: &KernelObject) -> Wait {
        let owner = match object.kind {
            "mutex" => self.pointer(object, "owner"),
            "thread" => Some(object.address),
            _ => None,
        };
        let (name, address) = (Some(object.name.clone()), Some(object.address));
        Wait { kind: object.kind, name, object: address, owner, ..Wait::default() }
    }

    /// The owner of the mutex that is waited for, and its priority before it inherited one.
    fn priority_before(&self, wait: &Wait) -> Option<(Address, i32)> {
        let mutex = wait.object.filter(|_| wait.kind == "mutex")?;
        let offset = self.offset("k_mutex", "owner_orig_prio");
        Some((wait.owner?, self.word(mutex, offset)? as i32))
    }

    /// Objects that threads poll, by the number of the thread.
    fn polled(&self, threads: &[Thread]) -> Vec<(usize, Vec<KernelObject>)> {
        let mut polled: Vec<(usize, Vec<KernelObject>)> = Vec::new();
        let in_thread = self.offset("k_thread", "poller");
        for object in objects::of_types(self.symbols, POLLED, MOST_OBJECTS) {
            for poller in self.pollers(&object).unwrap_or_default() {
                // Before 2.6 the poller was a local variable of `k_poll`.
                let polls = |thread: &Thread| {
                    let own = member(thread.address, in_thread);
                    own.map_or(thread.stack.is_some_and(|s| s.contains(poller)), |own| {
                        own == poller
                    })
                };
                let Some(number) = threads.iter().position(polls) else { continue };
                match polled.iter_mut().find(|(known, _)| *known == number) {
                    Some((_, objects)) if objects.len() < MOST_EVENTS => {
                        objects.push(object.clone())
                    }
                    Some(_) => {}
                    None => polled.push((number, vec![object.clone()])),
                }
            }
        }
        polled
    }

    /// The pollers of `object`: a list of events, each with one.
    fn pollers(&self, object: &KernelObject) -> Option<Vec<Address>> {
        let in_object = ["poll_events", "_queue.poll_events", "queue.poll_events"];
        let ty = object.ty?;
        let layout = in_object.iter().find_map(|path| self.symbols.layout_in(ty, path))?;
        let head = member(object.address, u32::try_from(layout.offset_bytes).ok())?;
        let node = self.offset("k_poll_event", "_node");
        let poller = self.offset("k_poll_event", "poller");
        let mut at = Address(self.memory.read_u32(head).ok()?);
        let mut found = Vec::new();
        while at != head && at.0 != 0 && found.len() < MOST_EVENTS {
            let event = at.checked_sub(node?)?;
            found.push(Address(self.word(event, poller)?));
            at = Address(self.memory.read_u32(at).ok()?);
        }
        Some(found)
    }

    fn name_polled(&self, wait: &mut Wait, polled: &[KernelObject]) {
        if let [only] = polled {
            let (ticks_left, ms_left) = (wait.ticks_left, wait.ms_left);
            *wait = Wait { ticks_left, ms_left, ..self.on_object(only) };
            return;
        }
        let names: Vec<_> = polled.iter().map(|o| format!("{} {}", o.kind, o.name)).collect();
        wait.kind = "any of";
        wait.object = None;
        wait.name = Some(names.join(", "));
    }

    fn offset(&self, type_name: &str, path: &str) -> Option<u32> {
        u32::try_from(self.symbols.layout(type_name, path)?.offset_bytes).ok()
    }

    fn word(&self, base: Address, offset: Option<u32>) -> Option<u32> {
        self.memory.read_u32(member(base, offset)?).ok()
    }

    fn pointer(&self, object: &KernelObject, path: &str) -> Option<Address> {
        let layout = self.symbols.layout_in(object.ty?, path)?;
        let value = self.word(object.address, u32::try_from(layout.offset_bytes).ok())?;
        Some(Address(value)).filter(|address| address.0 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Overlay;
    use crate::rtos::{Kernel, zephyr::Zephyr};
    use crate::symbols::ElfImage;

    /// The threads of the fixture that was stopped in good health.
    fn with_threads(check: impl Fn(&[Thread], &SymbolFile<'_>)) {
        let elf = include_bytes!("../../../fixtures/elf/mps2-an385-Og.elf");
        let core = include_bytes!("../../../fixtures/cores/mps2-an385-Og-none.core");
        let image = ElfImage::parse(elf).unwrap();
        let symbols = SymbolFile::new(&image);
        let snapshot = crate::format::open(core).unwrap();
        let memory = Overlay { first: &snapshot.memory, second: &symbols };
        let mut state = Zephyr.read(&memory, &symbols);
        Zephyr.add_waits(&memory, &symbols, &mut state.threads);
        check(&state.threads, &symbols);
    }

    fn named<'t>(threads: &'t [Thread], name: &str) -> &'t Thread {
        threads.iter().find(|thread| thread.name == name).unwrap()
    }

    #[test]
    fn pending_thread_waits_for_the_object_around_its_wait_queue() {
        with_threads(|threads, symbols| {
            let wait = |name| named(threads, name).wait.clone().unwrap();
            let address = |name| Some(symbols.symbol(name).unwrap().address);
            let semaphore = wait("sem_waiter");
            assert_eq!(
                (semaphore.kind, semaphore.name.as_deref()),
                ("semaphore", Some("data_ready"))
            );
            assert_eq!((semaphore.object, semaphore.owner), (address("data_ready"), None));
            let mutex = wait("mutex_waiter");
            assert_eq!((mutex.kind, mutex.name.as_deref()), ("mutex", Some("bus_lock")));
            assert_eq!(mutex.owner, Some(named(threads, "mutex_owner").address));
            assert!(mutex.ticks_left.is_some() && semaphore.ticks_left.is_none());
            let queue = wait("sysworkq");
            assert_eq!((queue.kind, queue.name.as_deref()), ("work queue", Some("k_sys_work_q")));
            assert_eq!(queue.object, address("k_sys_work_q"));
        });
    }

    #[test]
    fn sleeping_thread_has_the_ticks_of_all_timeouts_before_its_own() {
        with_threads(|threads, _| {
            let left = |name| named(threads, name).wait.as_ref().and_then(|wait| wait.ticks_left);
            let mut sleepers: Vec<_> = ["main", "sleeper", "mutex_owner"].map(left).into();
            assert!(sleepers.iter().all(Option::is_some), "{sleepers:?}");
            sleepers.sort();
            assert!(sleepers.last() > sleepers.first(), "{sleepers:?}");
            assert_eq!(named(threads, "sleeper").wait.as_ref().unwrap().kind, "sleep");
            assert_eq!(named(threads, "busy").wait, None);
            assert_eq!(named(threads, "suspended").wait, None);
        });
    }

    #[test]
    fn polling_thread_waits_for_all_that_its_events_are_linked_to() {
        super::super::fixture::with_objects(|memory, symbols| {
            let mut threads = Zephyr.read(memory, symbols).threads;
            Zephyr.add_waits(memory, symbols, &mut threads);
            let wait = named(&threads, "driver").wait.clone().unwrap();
            assert_eq!(wait.kind, "any of");
            // k_poll() clears the flag once its events are registered, then waits.
            let flag = symbols.layout("k_thread", "poller.is_polling").unwrap().offset_bytes;
            let flag = u32::try_from(flag).unwrap();
            super::super::fixture::poke(memory, symbols, "driver", flag, &[0]);
            let mut later = Zephyr.read(memory, symbols).threads;
            Zephyr.add_waits(memory, symbols, &mut later);
            assert_eq!(named(&later, "driver").wait.as_ref(), Some(&wait));
            let polled = wait.name.unwrap();
            let mut polled: Vec<_> = polled.split(", ").collect();
            polled.sort_unstable();
            assert_eq!(polled, ["fifo rx_fifo", "semaphore tx_done"]);
            let sleep = named(&threads, "owner").wait.clone().unwrap();
            assert_eq!((sleep.kind, sleep.ticks_left), ("sleep", Some(20)));
        });
    }
}
