//! FreeRTOS, V8 to V11: tasks of every list, what they wait for, saved registers.
//!
//! Where structures keep their members comes from the DWARF of the very ELF, so that any
//! FreeRTOSConfig.h works; see [`layout`].

mod heap;
mod layout;
mod lists;
mod saved;
mod stack;
mod task;
#[cfg(test)]
mod tests;
mod wait;

use super::{FatalReason, Heap, Kernel, KernelState, Remark, Thread, main_stack};
use crate::base::{Address, AddressRange, Memory};
use crate::symbols::SymbolFile;
use layout::{Layout, Variable, variable};
use task::{Listed, Tasks};

/// Most tasks that are listed.
const MOST_TASKS: usize = 512;
/// Most lists of ready tasks.
const MOST_PRIORITIES: u32 = 1024;
/// Most cores.
const MOST_CORES: u32 = 32;
/// Longest name that is read, in bytes. configMAX_TASK_NAME_LEN is 16 by default.
const LONGEST_NAME: usize = 256;
/// Memory that is searched for lost tasks, in bytes.
const LARGEST_SEARCH: usize = 1 << 20;

/// What heap_1 to heap_5 hand out.
const HEAP: &str = "ucHeap";

/// Functions at which a FreeRTOS backtrace ends. What a task function would return to comes first.
const OUTERMOST: &[&str] = &["prvTaskExitError", "Reset_Handler"];

/// Variables that the list of tasks is found by, most telling first.
const VARIABLES: &[&str] = &[
    "pxCurrentTCB",
    "pxCurrentTCBs",
    "pxReadyTasksLists",
    "xSchedulerRunning",
    "uxCurrentNumberOfTasks",
    "xTickCount",
    "pxDelayedTaskList",
    "pxOverflowDelayedTaskList",
    "xDelayedTaskList1",
    "xDelayedTaskList2",
    "xPendingReadyList",
    "xSuspendedTaskList",
    "xTasksWaitingTermination",
    "xQueueRegistry",
];

/// FreeRTOS.
pub(super) struct FreeRtos;

impl Kernel for FreeRtos {
    fn name(&self) -> &'static str {
        "FreeRTOS"
    }

    fn is_present(&self, symbols: &SymbolFile<'_>) -> bool {
        let has = |name: &&str| symbols.symbol(name).is_some();
        ["pxCurrentTCB", "pxCurrentTCBs"].iter().any(has)
            && ["vTaskSwitchContext", "xTaskIncrementTick", "pxReadyTasksLists"].iter().any(has)
    }

    fn read(&self, memory: &dyn Memory, symbols: &SymbolFile<'_>) -> KernelState {
        read(memory, symbols)
    }

    fn own_ranges(&self, symbols: &SymbolFile<'_>) -> Vec<AddressRange> {
        let found = VARIABLES.iter().filter_map(|name| variable(symbols, name));
        found.filter_map(|v| AddressRange::new(v.address, u64::from(v.size.max(4)))).collect()
    }

    fn thread_size(&self, symbols: &SymbolFile<'_>) -> u32 {
        let size = symbols.size_of("tskTaskControlBlock");
        size.and_then(|size| u32::try_from(size).ok()).unwrap_or(128)
    }

    fn urgency(&self, priority: i32) -> i32 {
        priority
    }

    fn outermost(&self) -> &'static [&'static str] {
        OUTERMOST
    }

    fn heaps(&self, memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<Heap> {
        let tasks = read(memory, symbols).threads;
        heap::list(memory, symbols, &tasks).into_iter().collect()
    }

    fn fatal_function(&self, name: &str) -> Option<FatalReason> {
        match name {
            "vApplicationStackOverflowHook" => Some(FatalReason::StackCheck),
            _ => None,
        }
    }

    /// `configASSERT` as most ports are shipped: `taskDISABLE_INTERRUPTS(); for( ;; );`.
    fn asserts_by_looping(&self) -> bool {
        true
    }
}

fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> KernelState {
    // Handlers go on from the top, once the scheduler has started.
    let handler_stack = main_stack::find(memory, symbols);
    let mut state = KernelState { handler_stack, ..KernelState::default() };
    let word = |name| memory.read_u32(variable(symbols, name)?.address).ok();
    let layout = match Layout::find(memory, symbols) {
        Ok(layout) => layout,
        Err(text) => {
            state.remarks.push(Remark { code: "no_thread_layout", text, address: None });
            return state;
        }
    };
    let ready = variable(symbols, "pxReadyTasksLists");
    let priorities = ready.and_then(|ready| ready.size.checked_div(layout.list.size)).unwrap_or(0);
    let tick = variable(symbols, "xTickCount");
    let tasks = Tasks {
        memory,
        symbols,
        layout: &layout,
        priorities,
        now: tick.and_then(|tick| task::read_tick(memory, tick.address, layout.item.value_size)),
        objects: wait::Objects::new(memory, symbols, &layout),
    };
    // Before the scheduler starts, the task of highest priority is already noted as current.
    let started = word("xSchedulerRunning") != Some(0);
    let running = if started { running(memory, symbols) } else { Vec::new() };
    let mut search = Search { tasks: &tasks, found: Vec::new(), remarks: &mut state.remarks };
    search.lists(ready, priorities);
    for task in &running {
        search.add(*task, Listed::Nowhere);
    }
    let counted = word("uxCurrentNumberOfTasks").and_then(|count| usize::try_from(count).ok());
    if let Some(counted) = counted.filter(|counted| *counted > search.found.len()) {
        search.lost(counted);
    }
    let found = search.found;
    for (address, listed) in found {
        let core = running.iter().position(|running| *running == address);
        state.threads.push(tasks.read(address, listed, core));
        if let Some(text) = tasks.damage(address) {
            state.remarks.push(Remark {
                code: "thread_corrupt",
                text: format!("the control block of the task at {address} is damaged: {text}"),
                address: Some(address),
            });
        }
    }
    forget_fill(&mut state.threads);
    state
}

/// The task of each core.
fn running(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Vec<Address> {
    let one = variable(symbols, "pxCurrentTCB").map(|one| (one, 1));
    let many = || {
        let many = variable(symbols, "pxCurrentTCBs")?;
        Some((many, many.size.checked_div(4)?.min(MOST_CORES)))
    };
    let Some((variable, cores)) = one.or_else(many) else { return Vec::new() };
    let tasks = (0..cores).filter_map(|core| memory.read_u32(variable.address.word(core)).ok());
    tasks.filter(|task| *task != 0 && task.is_multiple_of(4)).map(Address).collect()
}

/// Where no stack has an untouched end, the kernel fills none.
fn forget_fill(threads: &mut [Thread]) {
    if threads.iter().all(|thread| thread.sentinel_lost || thread.high_water.is_none()) {
        for thread in threads {
            thread.high_water = None;
            thread.sentinel_lost = false;
        }
    }
}

/// Collects control blocks.
struct Search<'a, 'b, 'd> {
    tasks: &'a Tasks<'b, 'd>,
    found: Vec<(Address, Listed)>,
    remarks: &'a mut Vec<Remark>,
}

impl Search<'_, '_, '_> {
    fn word(&self, at: Option<Address>) -> Option<u32> {
        self.tasks.memory.read_u32(at?).ok()
    }

    /// Every list of the kernel, ready tasks of highest priority first.
    fn lists(&mut self, ready: Option<Variable>, priorities: u32) {
        let task = &self.tasks.layout.task;
        let (state, event) = (task.state_item, task.event_item);
        let symbols = self.tasks.symbols;
        // These hang in another list too, and it no longer counts.
        if let Some(pending) = variable(symbols, "xPendingReadyList") {
            self.list("xPendingReadyList", pending.address, event, Listed::Ready);
        }
        for priority in (0..priorities.min(MOST_PRIORITIES)).rev() {
            let distance = priority.checked_mul(self.tasks.layout.list.size);
            let list = ready.zip(distance).and_then(|(v, d)| v.address.checked_add(d));
            if let Some(list) = list {
                let name = format!("pxReadyTasksLists[{priority}]");
                self.list(&name, list, state, Listed::Ready);
            }
        }
        // Both change roles when the tick count wraps; their pointers are what counts.
        for (pointer, array, listed) in [
            ("pxDelayedTaskList", "xDelayedTaskList1", Listed::Delayed),
            ("pxOverflowDelayedTaskList", "xDelayedTaskList2", Listed::DelayedPastWrap),
        ] {
            let pointed = self.word(variable(symbols, pointer).map(|v| v.address));
            let pointed = pointed.filter(|list| *list != 0).map(Address);
            let list = pointed.or_else(|| variable(symbols, array).map(|v| v.address));
            if let Some(list) = list {
                self.list(pointer, list, state, listed);
            }
        }
        for (name, listed) in [
            ("xSuspendedTaskList", Listed::Suspended),
            ("xTasksWaitingTermination", Listed::Terminated),
        ] {
            if let Some(list) = variable(symbols, name) {
                self.list(name, list.address, state, listed);
            }
        }
    }

    /// One list; `item` is which of a task's items hangs in it.
    fn list(&mut self, name: &str, list: Address, item: u32, listed: Listed) {
        let walk = lists::walk(self.tasks.memory, self.tasks.layout, list);
        if let Some((at, text)) = walk.damage {
            self.remarks.push(Remark {
                code: "thread_list_corrupt",
                text: format!("the list `{name}` {text}"),
                address: Some(at),
            });
        }
        for task in walk.items.into_iter().filter_map(|at| at.checked_sub(item)) {
            self.add(task, listed);
        }
    }

    fn add(&mut self, task: Address, listed: Listed) {
        if self.found.len() < MOST_TASKS && !self.found.iter().any(|(found, _)| *found == task) {
            self.found.push((task, listed));
        }
    }

    /// The kernel counts more tasks than hang in its lists: looks where control blocks may stand.
    fn lost(&mut self, counted: usize) {
        let symbols = self.tasks.symbols;
        let objects = symbols.objects_of_types(&["xSTATIC_TCB"], MOST_TASKS);
        let mut candidates: Vec<Address> = objects.iter().map(|object| object.address).collect();
        for name in ["xIdleTaskHandle", "xIdleTaskHandles", "xTimerTaskHandle"] {
            let handle = self.word(variable(symbols, name).map(|v| v.address));
            candidates.extend(handle.map(Address));
        }
        candidates.extend(self.in_heap());
        for task in candidates {
            if self.found.len() >= counted {
                break;
            }
            if self.is_listed_task(task) {
                self.add(task, Listed::Nowhere);
            }
        }
        if self.found.len() < counted {
            let text = format!(
                "the kernel counts {counted} tasks, and {} were found: its lists are damaged",
                self.found.len()
            );
            self.remarks.push(Remark { code: "threads_missing", text, address: None });
        }
    }

    /// Places in the heap whose words could be a control block.
    fn in_heap(&self) -> Vec<Address> {
        let memory = self.tasks.memory;
        let heap = variable(self.tasks.symbols, HEAP);
        let range = heap.and_then(|heap| AddressRange::new(heap.address, u64::from(heap.size)));
        let Some(range) = range else { return Vec::new() };
        let Ok(bytes) = memory.read_range(range, LARGEST_SEARCH) else { return Vec::new() };
        let task = &self.tasks.layout.task;
        let Some(owner) = task.state_item.checked_add(self.tasks.layout.item.owner) else {
            return Vec::new();
        };
        let words = bytes.chunks_exact(4).filter_map(<[u8]>::first_chunk);
        let places = words.zip(0_u32..).filter_map(|(word, index)| {
            let at = range.start().word(index);
            let task = at.checked_sub(owner)?;
            (u32::from_le_bytes(*word) == task.0).then_some(task)
        });
        places.take(MOST_TASKS).collect()
    }

    /// Whether both items at `task` name it as their owner and the kernel has it in a list.
    fn is_listed_task(&self, task: Address) -> bool {
        let layout = self.tasks.layout;
        let member = |item: u32, member: u32| {
            self.word(item.checked_add(member).and_then(|offset| task.checked_add(offset)))
        };
        let owned = [layout.task.state_item, layout.task.event_item]
            .iter()
            .all(|item| member(*item, layout.item.owner) == Some(task.0));
        owned && member(layout.task.state_item, layout.item.container).is_some_and(|list| list != 0)
    }
}
