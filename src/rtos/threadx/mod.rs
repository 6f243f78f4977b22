//! ThreadX (Azure RTOS, Eclipse ThreadX): threads, what they wait for, saved registers, objects, byte
//! pools.
//!
//! All threads are in one ring, completed ones too, and each names the object that it waits for.
//! Layouts come from the DWARF of the very ELF: ports and users may add members.

mod objects;
mod pool;
mod saved;

use super::{
    Heap, Kernel, KernelObject, KernelState, Remark, State, Thread, Wait, main_stack, stack_fill,
};
use crate::base::{Address, AddressRange, Memory};
use crate::symbols::SymbolFile;

/// Most threads that are listed.
const MOST_THREADS: usize = 512;
/// Longest name that is read, in bytes.
const LONGEST_NAME: usize = 64;
/// `TX_THREAD_ID`, the first word of a thread: `THRD`.
const THREAD_ID: u32 = 0x5448_5244;
/// `TX_STACK_FILL`.
const FILL: u32 = 0xefef_efef;
/// `TX_TIMER_ENTRIES`: slots of the wheel of timers.
const TIMER_SLOTS: u32 = 32;

const THREAD: &str = "TX_THREAD_STRUCT";
const MUTEX: &str = "TX_MUTEX_STRUCT";
const QUEUE: &str = "TX_QUEUE_STRUCT";

/// Every thread begins here; it calls the thread's own entry function.
const OUTERMOST: &[&str] = &["_tx_thread_shell_entry", "Reset_Handler"];

/// `TX_READY` and what follows: state, and what it waits for.
const STATES: [(State, &str); 15] = [
    (State::Ready, ""),
    // Completed, terminated.
    (State::Dead, ""),
    (State::Dead, ""),
    (State::Suspended, ""),
    (State::Sleeping, "delay"),
    (State::Pending, "queue"),
    (State::Pending, "semaphore"),
    (State::Pending, "event flags"),
    (State::Pending, "block pool"),
    (State::Pending, "byte pool"),
    (State::Pending, "driver"),
    (State::Pending, "file"),
    (State::Pending, "TCP/IP"),
    (State::Pending, "mutex"),
    (State::Pending, "priority change"),
];

/// ThreadX.
pub(super) struct ThreadX;

impl Kernel for ThreadX {
    fn name(&self) -> &'static str {
        "ThreadX"
    }

    fn is_present(&self, symbols: &SymbolFile<'_>) -> bool {
        ["_tx_thread_created_ptr", "_tx_thread_current_ptr"]
            .iter()
            .all(|name| symbols.symbol(name).is_some())
    }

    fn read(&self, memory: &dyn Memory, symbols: &SymbolFile<'_>) -> KernelState {
        read(memory, symbols)
    }

    /// 0 is the most urgent.
    fn urgency(&self, priority: i32) -> i32 {
        priority.saturating_neg()
    }

    fn own_ranges(&self, symbols: &SymbolFile<'_>) -> Vec<AddressRange> {
        let names =
            ["_tx_thread_current_ptr", "_tx_thread_created_ptr", "_tx_thread_created_count"];
        let found = names.iter().filter_map(|name| symbols.symbol(name));
        found.filter_map(|symbol| AddressRange::new(symbol.address, 4)).collect()
    }

    fn thread_size(&self, symbols: &SymbolFile<'_>) -> u32 {
        symbols.size_of(THREAD).and_then(|size| u32::try_from(size).ok()).unwrap_or(256)
    }

    fn outermost(&self) -> &'static [&'static str] {
        OUTERMOST
    }

    fn heaps(&self, memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<Heap> {
        pool::list(memory, symbols)
    }

    fn objects(
        &self,
        memory: &dyn Memory,
        symbols: &SymbolFile<'_>,
        threads: &[Thread],
    ) -> Vec<KernelObject> {
        objects::list(memory, symbols, threads)
    }
}

fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> KernelState {
    let handler_stack = main_stack::find(memory, symbols);
    let mut state = KernelState { handler_stack, ..KernelState::default() };
    let walker = Walker { memory, symbols };
    if symbols.layout(THREAD, "tx_thread_created_next").is_none() {
        let text = "threads cannot be listed: the ELF has no debug information for `TX_THREAD`";
        state.remarks.push(Remark { code: "no_thread_layout", text: text.into(), address: None });
        return state;
    }
    // Null while the scheduler waits for a thread to become ready: there is no idle thread.
    let current = walker.variable("_tx_thread_current_ptr").filter(|current| *current != 0);
    let count = walker.variable("_tx_thread_created_count").unwrap_or(0);
    let head = walker.variable("_tx_thread_created_ptr").unwrap_or(0);
    let (mut found, broken) = walker.ring(Address(head), "tx_thread_created_next");
    let wanted = usize::try_from(count).unwrap_or(MOST_THREADS).min(MOST_THREADS);
    if broken.is_some() || found.len() < wanted {
        // What lies behind the break hangs on the other end.
        let (behind, _) = walker.ring(Address(head), "tx_thread_created_previous");
        let lost = behind.into_iter().filter(|thread| !found.contains(thread));
        let lost: Vec<Address> = lost.collect();
        found.extend(lost.into_iter().rev());
    }
    if let Some((at, text)) = broken {
        state.remarks.push(Remark { code: "thread_list_corrupt", text, address: Some(at) });
    }
    if found.len() < wanted {
        let text = format!("the kernel counts {count} threads, and {} were found", found.len());
        state.remarks.push(Remark { code: "threads_missing", text, address: None });
    }
    found.extend(current.map(Address).filter(|current| !found.contains(current)));
    for address in found {
        state.threads.push(walker.thread(address, current == Some(address.0)));
    }
    // Where no stack has an untouched end, the kernel fills none (TX_DISABLE_STACK_FILLING).
    if state.threads.iter().all(|thread| thread.sentinel_lost || thread.high_water.is_none()) {
        for thread in &mut state.threads {
            thread.high_water = None;
            thread.sentinel_lost = false;
        }
    }
    state
}

struct Walker<'a, 'd> {
    memory: &'a dyn Memory,
    symbols: &'a SymbolFile<'d>,
}

impl Walker<'_, '_> {
    fn variable(&self, name: &str) -> Option<u32> {
        self.memory.read_u32(self.symbols.symbol(name)?.address).ok()
    }

    /// A word of the structure of type `ty` at `base`.
    fn word(&self, base: Address, ty: &str, member: &str) -> Option<u32> {
        let offset = u32::try_from(self.symbols.layout(ty, member)?.offset_bytes).ok()?;
        self.memory.read_u32(base.checked_add(offset)?).ok()
    }

    fn member(&self, thread: Address, member: &str) -> Option<u32> {
        self.word(thread, THREAD, member)
    }

    /// The ring from `head` on, up to the first link that cannot be right.
    fn ring(&self, head: Address, link: &str) -> (Vec<Address>, Option<(Address, String)>) {
        let mut found = Vec::new();
        let (mut at, mut from) = (head, head);
        while at.0 != 0 && (at != head || found.is_empty()) {
            let is_thread = at.is_aligned(4) && self.memory.read_u32(at) == Ok(THREAD_ID);
            if !is_thread || found.contains(&at) || found.len() >= MOST_THREADS {
                let text = format!("the list of threads leads to {at}, which is no thread of it");
                return (found, Some((from, text)));
            }
            found.push(at);
            from = at;
            at = match self.member(at, link) {
                Some(next) => Address(next),
                None => {
                    let text = format!("the list of threads leads to {at}, which is not captured");
                    return (found, Some((from, text)));
                }
            };
        }
        (found, None)
    }

    fn thread(&self, address: Address, current: bool) -> Thread {
        let member = |name| self.member(address, name);
        let number = |name| member(name).and_then(|value| i32::try_from(value).ok());
        let stack = self.stack(address);
        // TX_ENABLE_RANDOM_NUMBER_STACK_FILLING keeps the pattern in the thread.
        let fill = member("tx_thread_stack_fill_value").unwrap_or(FILL);
        let untouched = stack.and_then(|stack| stack_fill::untouched(self.memory, stack, fill));
        let size = stack.and_then(|stack| u32::try_from(stack.size()).ok());
        let state = member("tx_thread_state");
        let mut thread = Thread {
            address,
            name: self.name(address).unwrap_or_default(),
            state_bits: state,
            priority: number("tx_thread_priority"),
            base_priority: number("tx_thread_user_priority"),
            entry: member("tx_thread_entry")
                .filter(|entry| *entry != 0)
                .map(|entry| Address(entry).without_thumb_bit()),
            current,
            stack,
            high_water: size.zip(untouched).and_then(|(size, free)| size.checked_sub(free)),
            sentinel_lost: untouched == Some(0),
            ..Thread::default()
        };
        if current {
            thread.state = State::Running;
            return thread;
        }
        if let Some(state) = state {
            (thread.state, thread.wait) = self.state(address, state);
        }
        let pointer = member("tx_thread_stack_ptr").map(Address);
        let saved = pointer.ok_or_else(|| "its control block is not captured".to_string());
        match saved.and_then(|at| saved::registers(self.memory, self.symbols, at, stack)) {
            Ok(registers) => thread.registers = registers,
            Err(reason) => thread.registers_missing = Some(reason),
        }
        thread
    }

    fn stack(&self, thread: Address) -> Option<AddressRange> {
        let start = self.member(thread, "tx_thread_stack_start")?;
        // The last byte.
        let last = self.member(thread, "tx_thread_stack_end")?;
        let end = last.checked_add(1)?;
        AddressRange::from_bounds(Address(start), Address(end)).filter(|stack| !stack.is_empty())
    }

    /// By the pointer in a control block, whose second word it is in all but threads.
    fn text(&self, at: u32) -> Option<String> {
        let bytes = self.memory.read_c_string(Address(at), LONGEST_NAME).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        (!text.is_empty() && !text.chars().any(char::is_control)).then_some(text)
    }

    fn name(&self, thread: Address) -> Option<String> {
        let name = self.member(thread, "tx_thread_name").and_then(|name| self.text(name));
        name.or_else(|| self.symbols.object_name(thread))
    }

    fn state(&self, thread: Address, number: u32) -> (State, Option<Wait>) {
        let known = usize::try_from(number).ok().and_then(|number| STATES.get(number));
        let Some((state, kind)) = known.copied() else { return (State::Suspended, None) };
        if !matches!(state, State::Pending | State::Sleeping) {
            return (state, None);
        }
        let ticks_left = self.ticks_left(thread, THREAD, "tx_thread_timer");
        if state == State::Sleeping {
            return (state, Some(Wait { kind, ticks_left, ..Wait::default() }));
        }
        let object = self.member(thread, "tx_thread_suspend_control_block");
        let object = object.filter(|object| *object != 0).map(Address);
        let name = object.and_then(|object| {
            let name = self.memory.read_u32(object.word(1)).ok().and_then(|name| self.text(name));
            name.or_else(|| self.symbols.object_name(object))
        });
        let kind = match (kind, object) {
            // A thread waits for messages in an empty queue, else for room.
            ("queue", Some(queue)) => match self.word(queue, QUEUE, "tx_queue_enqueued") {
                Some(0) => "queue to receive",
                Some(_) => "queue to send",
                None => kind,
            },
            _ => kind,
        };
        let owner = object.filter(|_| kind == "mutex");
        let owner = owner.and_then(|mutex| self.word(mutex, MUTEX, "tx_mutex_owner"));
        let owner = owner.filter(|owner| *owner != 0).map(Address);
        (state, Some(Wait { kind, object, name, owner, ticks_left, ms_left: None }))
    }

    /// Ticks until the timer in `member` of the structure of type `ty` at `base` expires: slots of
    /// the wheel from the present one to the timer's, and what is left after a whole turn. None when
    /// it does not run.
    fn ticks_left(&self, base: Address, ty: &str, member: &str) -> Option<u64> {
        let word = |name: &str| self.word(base, ty, &format!("{member}.tx_timer_internal_{name}"));
        let slot = word("list_head")?;
        let remaining = word("remaining_ticks")?;
        let present = self.variable("_tx_timer_current_ptr").filter(|_| slot != 0)?;
        let bytes = i64::from(slot).checked_sub(i64::from(present))?;
        let distance = bytes.checked_div(4)?.rem_euclid(i64::from(TIMER_SLOTS));
        let turns = u64::from(remaining.saturating_sub(TIMER_SLOTS));
        u64::try_from(distance).ok()?.checked_add(1)?.checked_add(turns)
    }
}

#[cfg(test)]
mod tests;
