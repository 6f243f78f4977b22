//! The state of Zephyr's kernel objects in a few words.

use super::layout::member;
use super::objects::{self, KernelObject as Found};
use super::timeouts::Timeouts;
use crate::base::{Address, Memory};
use crate::rtos::{KernelObject, Thread};
use crate::symbols::SymbolFile;

/// Most objects that are listed.
const MOST_OBJECTS: usize = 4096;
/// Items of a queue that are counted.
const MOST_ITEMS: u32 = 4096;

/// Structures that are listed; threads and heaps have lists of their own.
const LISTED: &[&str] = &[
    "k_sem",
    "k_mutex",
    "k_msgq",
    "k_fifo",
    "k_lifo",
    "k_queue",
    "k_stack",
    "k_poll_signal",
    "k_condvar",
    "k_event",
    "k_pipe",
    "k_mbox",
    "k_mem_slab",
    "k_timer",
    "k_work_q",
];

/// Every object in a variable, by address.
pub(super) fn list(
    memory: &dyn Memory,
    symbols: &SymbolFile<'_>,
    threads: &[Thread],
) -> Vec<KernelObject> {
    let timeouts = Timeouts::read(memory, symbols);
    let states = States { memory, symbols, threads, timeouts };
    let found = objects::of_types(symbols, LISTED, MOST_OBJECTS).into_iter();
    let listed = found.map(|object| {
        let state = states.of(&object).unwrap_or_default();
        KernelObject { kind: object.kind, name: object.name, address: object.address, state }
    });
    listed.collect()
}

struct States<'a, 'd> {
    memory: &'a dyn Memory,
    symbols: &'a SymbolFile<'d>,
    threads: &'a [Thread],
    timeouts: Timeouts,
}

impl States<'_, '_> {
    fn of(&self, object: &Found) -> Option<String> {
        let word = |path: &str| self.word(object, path);
        Some(match object.kind {
            "semaphore" => format!("count {} of {}", word("count")?, word("limit")?),
            "mutex" => match word("owner")? {
                0 => "free".into(),
                owner => format!(
                    "owned by {}, lock count {}",
                    self.thread_name(Address(owner)),
                    word("lock_count")?
                ),
            },
            "message queue" => format!(
                "{} of {} messages of {} bytes",
                word("used_msgs")?,
                word("max_msgs")?,
                word("msg_size")?
            ),
            "fifo" | "lifo" => self.items(word("_queue.data_q.head")?),
            "queue" => self.items(word("data_q.head")?),
            "work queue" => {
                // Until 2.5 a work queue held a queue.
                self.items(word("pending.head").or_else(|| word("queue.data_q.head"))?)
            }
            "stack" => {
                let base = word("base")?;
                let words = |end: u32| end.checked_sub(base)?.checked_div(4);
                format!("{} of {} words", words(word("next")?)?, words(word("top")?)?)
            }
            "signal" => match word("signaled")? {
                0 => "not raised".into(),
                _ => format!("raised, result {}", word("result")? as i32),
            },
            "event" => format!("events 0x{:08x}", word("events")?),
            "pipe" => format!("{} of {} bytes", word("bytes_used")?, word("size")?),
            "memory slab" => {
                let word = |path: &str| word(&format!("info.{path}")).or_else(|| word(path));
                format!(
                    "{} of {} blocks of {} bytes",
                    word("num_used")?,
                    word("num_blocks")?,
                    word("block_size")?
                )
            }
            "timer" => self.timer(object)?,
            _ => return None,
        })
    }

    fn timer(&self, object: &Found) -> Option<String> {
        let at = self.place(object, "timeout")?;
        let mut state = match self.timeouts.ticks_left(at) {
            None => "stopped".to_string(),
            Some(ticks) => format!("{} left", self.time(ticks)),
        };
        match self.word(object, "period").unwrap_or(0) {
            // K_FOREVER: it runs once.
            0 | u32::MAX => {}
            period => state.push_str(&format!(", period {}", self.time(period.into()))),
        }
        // Null in timers that threads ask for the time (`k_timer_status_get`).
        let function = self.word(object, "expiry_fn").filter(|function| *function != 0);
        let function = function.map(|function| Address(function).without_thumb_bit());
        if let Some((symbol, _)) = function.and_then(|function| self.symbols.symbol_at(function)) {
            state.push_str(&format!(", calls {}", symbol.name));
        }
        Some(state)
    }

    fn time(&self, ticks: u64) -> String {
        let known = self.timeouts.milliseconds(ticks);
        known.map_or_else(|| format!("{ticks} ticks"), |ms| format!("{ms} ms"))
    }

    /// Counts the items of a list of which every one begins with a link to the next.
    fn items(&self, first: u32) -> String {
        let mut at = first;
        let mut count = 0_u32;
        // The low bits of a link are flags.
        while at & !3 != 0 && count < MOST_ITEMS {
            count = count.saturating_add(1);
            let Ok(next) = self.memory.read_u32(Address(at & !3)) else {
                return format!("{count} items or more");
            };
            at = next;
        }
        match count {
            0 => "empty".into(),
            1 => "1 item".into(),
            MOST_ITEMS => format!("{count} items or more"),
            _ => format!("{count} items"),
        }
    }

    fn thread_name(&self, at: Address) -> String {
        let thread = self.threads.iter().find(|thread| thread.address == at);
        thread.map_or_else(|| at.to_string(), |thread| thread.name.clone())
    }

    fn place(&self, object: &Found, path: &str) -> Option<Address> {
        let layout = self.symbols.layout_in(object.ty?, path)?;
        member(object.address, u32::try_from(layout.offset_bytes).ok())
    }

    fn word(&self, object: &Found, path: &str) -> Option<u32> {
        self.memory.read_u32(self.place(object, path)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{poke, with_objects};
    use super::super::{Kernel, Zephyr};
    use super::*;

    #[test]
    fn objects_are_listed_with_their_state() {
        with_objects(|memory, symbols| {
            let threads = Zephyr.read(memory, symbols).threads;
            let found = list(memory, symbols, &threads);
            let state = |name: &str| {
                let object = found.iter().find(|object| object.name == name).expect(name);
                (object.kind, object.state.clone())
            };
            assert_eq!(state("tx_done"), ("semaphore", "count 0 of 4".into()));
            assert_eq!(state("bus_lock"), ("mutex", "owned by owner, lock count 2".into()));
            assert_eq!(state("rx_fifo"), ("fifo", "2 items".into()));
            let blink = "25 ticks left, period 50 ticks, calls on_blink";
            assert_eq!(state("blink"), ("timer", blink.into()));
        });
    }

    #[test]
    fn timer_without_a_function_has_a_state() {
        with_objects(|memory, symbols| {
            let offset = symbols.layout("k_timer", "expiry_fn").unwrap().offset_bytes;
            poke(memory, symbols, "blink", u32::try_from(offset).unwrap(), &[0; 4]);
            let found = list(memory, symbols, &[]);
            let timer = found.iter().find(|object| object.name == "blink").unwrap();
            assert_eq!(timer.state, "25 ticks left, period 50 ticks");
        });
    }

    #[test]
    fn list_of_items_that_loops_is_counted_to_a_limit() {
        with_objects(|memory, symbols| {
            let items = symbols.symbol("items").unwrap().address;
            poke(memory, symbols, "items", 4, &items.0.to_le_bytes());
            let found = list(memory, symbols, &[]);
            let fifo = found.iter().find(|object| object.name == "rx_fifo").unwrap();
            assert_eq!(fifo.state, "4096 items or more");
        });
    }
}
