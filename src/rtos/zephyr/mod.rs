//! Zephyr, 1.14 to 4.x: thread list, states, stacks and saved registers.
//!
//! Where structures keep their members comes from the DWARF of the very ELF, so that any Kconfig
//! works; from the thread-info offset table in the firmware (`_kernel_thread_info_offsets`, earlier
//! `_kernel_openocd_offsets`) where there is no DWARF.

#[cfg(test)]
pub(super) mod fixture;
mod heaps;
mod layout;
mod logs;
mod objects;
mod package;
mod placed;
mod pools;
mod reason;
mod saved;
mod states;
mod system_call;
mod timeouts;
mod waits;

use super::{FatalReason, Heap, Kernel, KernelObject, KernelState, LogLine, Remark, State, Thread};
use crate::base::{Address, AddressRange, Memory};
use crate::snapshot::RegisterSet;
use crate::symbols::SymbolFile;
use layout::Layout;

/// Most threads that are listed; a longer list is taken for a corrupted one.
const THREAD_LIMIT: usize = 512;
/// Longest name that is read, in bytes. CONFIG_THREAD_MAX_NAME_LEN is 32 by default.
const NAME_LIMIT: usize = 128;
/// What K_THREAD_DEFINE puts before a thread's name to name its block.
const DEFINED: &str = "_k_thread_obj_";
/// Fill byte of CONFIG_INIT_STACKS.
const STACK_FILL: u8 = 0xaa;
/// Word that CONFIG_STACK_SENTINEL keeps at the lowest address of a stack.
const SENTINEL: u32 = 0xf0f0_f0f0;
/// Largest stack whose fill pattern is looked at, in bytes.
const STACK_LIMIT: usize = 1 << 20;

/// Functions at which a Zephyr backtrace ends.
const OUTERMOST: &[&str] =
    &["z_thread_entry", "_thread_entry", "z_arm_reset", "__start", "z_cstart"];

/// Where a thread goes on that has not run yet: in privileged and in user mode, now and in 1.14.
const STARTS: &[&str] =
    &["z_thread_entry", "z_arm_userspace_enter", "_thread_entry", "_arm_userspace_enter"];

/// Zephyr.
pub(super) struct Zephyr;

impl Kernel for Zephyr {
    fn name(&self) -> &'static str {
        "Zephyr"
    }

    fn is_present(&self, symbols: &SymbolFile<'_>) -> bool {
        symbols.symbol("_kernel").is_some()
            && ["z_thread_entry", "_thread_entry", "_kernel_thread_info_offsets", "z_cstart"]
                .iter()
                .any(|name| symbols.symbol(name).is_some())
    }

    fn read(&self, memory: &dyn Memory, symbols: &SymbolFile<'_>) -> KernelState {
        read(memory, symbols)
    }

    fn add_waits(&self, memory: &dyn Memory, symbols: &SymbolFile<'_>, threads: &mut [Thread]) {
        if let Ok(layout) = Layout::find(memory, symbols) {
            waits::add(memory, symbols, &layout, threads);
        }
    }

    fn heaps(&self, memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<Heap> {
        let mut heaps = heaps::read(memory, symbols);
        heaps.extend(pools::read(memory, symbols));
        heaps
    }

    fn objects(
        &self,
        memory: &dyn Memory,
        symbols: &SymbolFile<'_>,
        threads: &[Thread],
    ) -> Vec<KernelObject> {
        states::list(memory, symbols, threads)
    }

    fn logs(&self, memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<LogLine> {
        logs::read(memory, symbols)
    }

    fn system_call(
        &self,
        memory: &dyn Memory,
        function: &str,
        registers: &RegisterSet,
    ) -> Option<RegisterSet> {
        system_call::caller(memory, function, registers)
    }

    fn no_log(&self, symbols: &SymbolFile<'_>) -> Option<Remark> {
        logs::remark(symbols)
    }

    fn urgency(&self, priority: i32) -> i32 {
        priority.saturating_neg()
    }

    fn own_ranges(&self, symbols: &SymbolFile<'_>) -> Vec<AddressRange> {
        let kernel = symbols.symbol("_kernel");
        let range = kernel
            .and_then(|kernel| AddressRange::new(kernel.address, u64::from(kernel.size.max(64))));
        range.into_iter().collect()
    }

    fn thread_size(&self, symbols: &SymbolFile<'_>) -> u32 {
        symbols.size_of("k_thread").and_then(|size| u32::try_from(size).ok()).unwrap_or(256)
    }

    fn outermost(&self) -> &'static [&'static str] {
        OUTERMOST
    }

    fn service_routine(
        &self,
        memory: &dyn Memory,
        symbols: &SymbolFile<'_>,
        vector: Address,
        line: u16,
    ) -> Option<Address> {
        service_routine(memory, symbols, vector, line)
    }

    fn place(
        &self,
        object: Option<&[u8]>,
        current: Option<Address>,
        symbols: &SymbolFile<'_>,
    ) -> Vec<(Address, Vec<u8>)> {
        placed::objects(object, current, symbols)
    }

    fn reason_carriers(&self) -> &'static [&'static str] {
        reason::CARRIERS
    }

    fn fatal_name(&self, code: u32, symbols: &SymbolFile<'_>) -> Option<&'static str> {
        reason::Codes::of(symbols).name(code)
    }

    fn fatal_reason(&self, code: u32, symbols: &SymbolFile<'_>) -> FatalReason {
        reason::Codes::of(symbols).meaning(code)
    }

    fn fatal_svc(&self) -> Option<u8> {
        Some(reason::FATAL_SVC)
    }
}

fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> KernelState {
    let mut state = KernelState { handler_stack: handler_stack(symbols), ..KernelState::default() };
    let Some(kernel) = symbols.symbol("_kernel").map(|symbol| symbol.address) else {
        return state;
    };
    let layout = match Layout::find(memory, symbols) {
        Ok(layout) => layout,
        Err(text) => {
            state.remarks.push(Remark { code: "no_thread_layout", text, address: None });
            return state;
        }
    };
    let walker = Walker { memory, symbols, layout: &layout };
    let current = walker.word(kernel, layout.current).filter(|address| *address != 0).map(Address);
    let found = walker.thread_addresses(kernel, current, &mut state.remarks);
    let old_bits = current.is_some_and(|current| {
        let bits = walker.byte(current, layout.thread_state).unwrap_or(0);
        bits & 0xc0 == 0x40
    });
    for address in found {
        state.threads.push(walker.thread(address, current == Some(address), old_bits));
    }
    state
}

/// The function of `line` in Zephyr's own interrupt table, which its wrapper calls: entries of the
/// argument and the function. include/zephyr/sw_isr_table.h of 3.4, include/sw_isr_table.h of 2.6.
fn service_routine(
    memory: &dyn Memory,
    symbols: &SymbolFile<'_>,
    vector: Address,
    line: u16,
) -> Option<Address> {
    let wrapper = symbols.symbol("_isr_wrapper")?;
    if vector.without_thumb_bit() != wrapper.address {
        return None;
    }
    let table = symbols.symbol("_sw_isr_table")?;
    let offset = u32::from(line).checked_mul(8)?;
    if offset >= table.size {
        return None;
    }
    let function = table.address.checked_add(offset)?.checked_add(4)?;
    memory.read_u32(function).ok().map(Address)
}

/// The stack of exception handlers, by its symbol.
fn handler_stack(symbols: &SymbolFile<'_>) -> Option<AddressRange> {
    let stack = ["z_interrupt_stacks", "_interrupt_stack"]
        .iter()
        .find_map(|name| symbols.symbol(name))
        .filter(|symbol| symbol.size != 0)?;
    AddressRange::new(stack.address, u64::from(stack.size))
}

struct Walker<'a, 'd> {
    memory: &'a dyn Memory,
    symbols: &'a SymbolFile<'d>,
    layout: &'a Layout,
}

impl Walker<'_, '_> {
    fn word(&self, base: Address, offset: Option<u32>) -> Option<u32> {
        self.memory.read_u32(base.checked_add(offset?)?).ok()
    }

    fn byte(&self, base: Address, offset: Option<u32>) -> Option<u8> {
        self.memory.read_u8(base.checked_add(offset?)?).ok()
    }

    /// Control blocks: the monitor's list where there is one, else what variables and `_kernel`
    /// name.
    fn thread_addresses(
        &self,
        kernel: Address,
        current: Option<Address>,
        remarks: &mut Vec<Remark>,
    ) -> Vec<Address> {
        let mut found = Vec::new();
        match self.word(kernel, self.layout.threads) {
            Some(head) => self.follow_list(Address(head), &mut found, remarks),
            None if self.layout.threads.is_some() => remarks.push(Remark {
                code: "thread_list_not_captured",
                text: "the list of threads (`_kernel`) is not in the dump".into(),
                address: Some(kernel),
            }),
            None => {
                let variables = self.symbols.objects_of_types(&["k_thread"], THREAD_LIMIT);
                found.extend(variables.into_iter().map(|object| object.address));
                // Blocks that were never used are all zero: no entry, no stack.
                found.retain(|address| self.looks_used(*address));
                remarks.push(Remark {
                    code: "no_thread_monitor",
                    text: "the firmware keeps no list of its threads (CONFIG_THREAD_MONITOR=n); \
                           only threads that stand in variables are listed"
                        .into(),
                    address: None,
                });
            }
        }
        for extra in [current, self.word(kernel, self.layout.idle_thread).map(Address)] {
            match extra {
                Some(address)
                    if address.0 != 0
                        && !found.contains(&address)
                        && self.byte(address, self.layout.thread_state).is_some() =>
                {
                    found.push(address);
                }
                _ => {}
            }
        }
        found
    }

    fn follow_list(&self, head: Address, found: &mut Vec<Address>, remarks: &mut Vec<Remark>) {
        let mut at = head;
        while at.0 != 0 {
            let broken = if found.contains(&at) {
                Some("loops")
            } else if found.len() >= THREAD_LIMIT {
                Some("is longer than 512 entries")
            } else if !at.is_aligned(4) {
                Some("holds an address that is no thread's")
            } else {
                None
            };
            if let Some(what) = broken {
                remarks.push(Remark {
                    code: "thread_list_corrupt",
                    text: format!("the list of threads {what} at {at}"),
                    address: Some(at),
                });
                return;
            }
            match self.word(at, self.layout.next_thread) {
                Some(next) => {
                    found.push(at);
                    at = Address(next);
                }
                None => {
                    remarks.push(Remark {
                        code: "thread_list_cut",
                        text: format!("the list of threads leads to {at}, which is not captured"),
                        address: Some(at),
                    });
                    return;
                }
            }
        }
    }

    fn looks_used(&self, thread: Address) -> bool {
        let stack = self.word(thread, self.layout.stack_start).unwrap_or(0);
        let psp = self.word(thread, self.layout.psp).unwrap_or(0);
        stack != 0 || psp != 0
    }

    fn thread(&self, address: Address, current: bool, old_bits: bool) -> Thread {
        let layout = self.layout;
        let bits = self.byte(address, layout.thread_state);
        let stack = self.stack(address);
        let fill = self.fill(stack);
        let mut thread = Thread {
            address,
            name: self.name(address),
            state_bits: bits.map(u32::from),
            priority: self.byte(address, layout.prio).map(|prio| i32::from(prio as i8)),
            entry: self
                .word(address, layout.entry)
                .filter(|entry| *entry != 0)
                .map(|entry| Address(entry).without_thumb_bit()),
            current,
            stack,
            high_water: fill.map(|(high_water, _)| high_water),
            sentinel_lost: fill.is_some_and(|(_, lost)| lost),
            ..Thread::default()
        };
        if current {
            thread.state = State::Running;
            return thread;
        }
        match saved::registers(self.memory, layout, address) {
            Ok(registers) => thread.registers = registers,
            Err(reason) => thread.registers_missing = Some(reason),
        }
        let started = self.has_started(&thread.registers);
        thread.state = self.state(address, bits.unwrap_or(0), old_bits, started);
        thread
    }

    /// Whether a thread ever ran, by where it would go on; `None` when that is not known.
    fn has_started(&self, registers: &RegisterSet) -> Option<bool> {
        let pc = Address(registers.pc()?).without_thumb_bit();
        let starts = |name: &&str| self.symbols.symbol(name).is_some_and(|s| s.address == pc);
        Some(!STARTS.iter().any(starts))
    }

    /// State bits in words. 0x04 was `_THREAD_PRESTART` and became `_THREAD_SLEEPING` in 4.1, when
    /// a thread that was not started began to count as suspended (0x10), which until then a sleeping
    /// one did. 0x40 and 0x80 changed after 1.14.
    fn state(&self, thread: Address, bits: u8, old_bits: bool, started: Option<bool>) -> State {
        let has = |bit: u8| bits & bit != 0;
        let timeout = self.word(thread, self.layout.timeout_next).is_some_and(|next| next != 0);
        let queued = if old_bits { 0x40 } else { 0x80 };
        let sleeping_bit = started.unwrap_or(self.layout.sleeping_bit);
        if has(0x08) || (has(0x20) && !old_bits) {
            State::Dead
        } else if has(0x02) {
            State::Pending
        } else if has(0x04) && sleeping_bit {
            State::Sleeping
        } else if has(0x04) || (has(0x10) && started == Some(false)) {
            State::Prestart
        } else if has(0x10) && timeout {
            State::Sleeping
        } else if has(0x10) {
            State::Suspended
        } else if has(queued) || bits & !0x01 == 0 {
            State::Ready
        } else {
            State::Suspended
        }
    }

    fn name(&self, thread: Address) -> String {
        let kept = self.layout.name.and_then(|offset| thread.checked_add(offset)).and_then(|at| {
            let limit = self.layout.name_size.map_or(NAME_LIMIT, |size| size.min(NAME_LIMIT));
            self.memory.read_c_string(at, limit).ok()
        });
        let kept = kept.unwrap_or_default();
        if !kept.is_empty() && kept.iter().all(|byte| !byte.is_ascii_control()) {
            return String::from_utf8_lossy(&kept).into_owned();
        }
        // Without CONFIG_THREAD_NAME the object that holds the block tells best.
        let holder = self.symbols.object_name(thread).unwrap_or_default();
        match holder.strip_prefix(DEFINED) {
            Some(name) => name.to_string(),
            None => holder,
        }
    }

    fn stack(&self, thread: Address) -> Option<AddressRange> {
        let start = self.word(thread, self.layout.stack_start)?;
        let size = self.word(thread, self.layout.stack_size)?;
        if start == 0 || size == 0 {
            return None;
        }
        AddressRange::new(Address(start), u64::from(size))
    }

    /// The high-water mark, when the stack was filled at start, and whether a sentinel was lost.
    fn fill(&self, stack: Option<AddressRange>) -> Option<(u32, bool)> {
        let stack = stack?;
        let bytes = self.memory.read_range(stack, STACK_LIMIT).ok()?;
        let first = bytes.first_chunk().map(|word| u32::from_le_bytes(*word));
        // The word itself tells too: nobody fills a stack with it.
        let sentinel =
            first == Some(SENTINEL) || self.symbols.absolute("CONFIG_STACK_SENTINEL") == Some(1);
        let skip = if sentinel { 4 } else { 0 };
        let lost = sentinel && first != Some(SENTINEL);
        let free = bytes.iter().skip(skip).take_while(|byte| **byte == STACK_FILL).count();
        let filled = free >= 4 || self.symbols.absolute("CONFIG_INIT_STACKS") == Some(1);
        let unused = if free == 0 { 0 } else { free.saturating_add(skip) };
        let used = u32::try_from(bytes.len().checked_sub(unused)?).ok()?;
        (filled || lost).then_some((used, lost))
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::with_objects;
    use super::*;

    #[test]
    fn thread_without_a_name_has_that_of_its_object() {
        with_objects(|memory, symbols| {
            let layout = Layout::find(memory, symbols).unwrap();
            let walker = Walker { memory, symbols, layout: &layout };
            let at = |name: &str| symbols.symbol(name).unwrap().address;
            let size = Zephyr.thread_size(symbols);
            assert_eq!(walker.name(at("driver")), "driver");
            assert_eq!(walker.name(at("_k_thread_obj_logger")), "logger");
            assert_eq!(walker.name(at("workers").checked_add(size).unwrap()), "workers[1]");
            assert_eq!(walker.name(Address(0x2100_0000)), "");
        });
    }
}
