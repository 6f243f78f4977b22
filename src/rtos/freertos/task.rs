//! One task: what its control block says, and whether that can be true.

use super::layout::Layout;
use super::saved::Saved;
use super::{stack, wait};
use crate::base::{Address, Memory};
use crate::rtos::{State, Thread, Wait};
use crate::symbols::SymbolFile;

/// By which list the kernel says what a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// `pxReadyTasksLists`, `xPendingReadyList`.
    Ready,
    /// `pxDelayedTaskList`.
    Delayed,
    /// `pxOverflowDelayedTaskList`.
    DelayedPastWrap,
    /// `xSuspendedTaskList`, which also holds those that wait for ever.
    Suspended,
    /// `xTasksWaitingTermination`.
    Terminated,
    /// None of them.
    Nowhere,
}

/// Reads control blocks.
pub(super) struct Tasks<'a, 'd> {
    pub(super) memory: &'a dyn Memory,
    pub(super) symbols: &'a SymbolFile<'d>,
    pub(super) layout: &'a Layout,
    /// configMAX_PRIORITIES.
    pub(super) priorities: u32,
    /// `xTickCount`.
    pub(super) now: Option<u64>,
    pub(super) objects: wait::Objects<'a, 'd>,
}

impl Tasks<'_, '_> {
    fn word(&self, base: Address, offset: u32) -> Option<u32> {
        self.memory.read_u32(base.checked_add(offset)?).ok()
    }

    /// The task at `address`; `running` is the number of the core it runs on.
    pub(super) fn read(&self, address: Address, listed: Listed, running: Option<usize>) -> Thread {
        let task = &self.layout.task;
        let lowest = self.word(address, task.stack).map(Address);
        let stack = lowest.and_then(|lowest| {
            stack::range(self.memory, self.symbols, self.layout, address, lowest)
        });
        let fill = stack.and_then(|stack| stack::fill(self.memory, stack));
        let priority = |offset: u32| self.word(address, offset).and_then(|p| i32::try_from(p).ok());
        let mut thread = Thread {
            address,
            name: self.name(address).unwrap_or_default(),
            priority: priority(task.priority),
            base_priority: task.base_priority.and_then(priority),
            current: running == Some(0),
            stack,
            high_water: fill.map(|fill| fill.high_water),
            sentinel_lost: fill.is_some_and(|fill| fill.end_lost),
            ..Thread::default()
        };
        if thread.name.is_empty()
            && let Some((symbol, 0)) = self.symbols.symbol_at(address)
        {
            thread.name = symbol.name.to_string();
        }
        if running.is_some() {
            thread.state = State::Running;
        } else {
            (thread.state, thread.wait) = self.state(address, listed);
        }
        match (running, self.registers(address, lowest, stack)) {
            (Some(core), _) if core > 0 => {
                let text = format!("it runs on core {core}, whose registers are not in the dump");
                thread.registers_missing = Some(text);
            }
            (_, Ok(registers)) => thread.registers = registers,
            (Some(_), Err(_)) => {}
            (None, Err(reason)) => thread.registers_missing = Some(reason),
        }
        thread
    }

    /// What in the control block at `address` cannot be true.
    pub(super) fn damage(&self, address: Address) -> Option<String> {
        let task = &self.layout.task;
        let priority = self.word(address, task.priority)?;
        if priority >= self.priorities {
            return Some(format!("priority {priority} is not below {}", self.priorities));
        }
        if self.name(address).is_none() {
            return Some("its name is no text".into());
        }
        let lowest = self.word(address, task.stack)?;
        let top = self.word(address, 0)?;
        let captured = |at: u32| self.memory.read_u32(Address(at)).is_ok();
        // A dump may hold no more of it than what is in use.
        let in_use = top.checked_sub(lowest).is_some_and(|unused| unused <= stack::LARGEST);
        if !lowest.is_multiple_of(4) || !(captured(lowest) || in_use && captured(top)) {
            return Some(format!("its stack {} is not in the dump", Address(lowest)));
        }
        [task.state_item, task.event_item].into_iter().find_map(|item| {
            let owner = self.word(address, item.checked_add(self.layout.item.owner)?)?;
            (owner != address.0).then(|| format!("a list item belongs to {}", Address(owner)))
        })
    }

    /// configMAX_TASK_NAME_LEN printable bytes at most; `None` when they are not.
    fn name(&self, address: Address) -> Option<String> {
        let at = address.checked_add(self.layout.task.name)?;
        let size = usize::try_from(self.layout.task.name_size).ok()?.min(super::LONGEST_NAME);
        let bytes = self.memory.read_c_string(at, size).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        (!text.chars().any(char::is_control)).then_some(text)
    }

    fn registers(
        &self,
        address: Address,
        lowest: Option<Address>,
        stack: Option<crate::base::AddressRange>,
    ) -> Result<crate::snapshot::RegisterSet, String> {
        // `pxTopOfStack` is the first member: the ports' assembler relies on it.
        let top = self.word(address, 0).ok_or("its control block is not captured")?;
        let lowest = lowest.ok_or("its control block is not captured")?;
        let saved =
            Saved { memory: self.memory, symbols: self.symbols, top: Address(top), lowest, stack };
        if self.layout.task.holds_context { saved.registers_in_task() } else { saved.registers() }
    }

    fn state(&self, address: Address, listed: Listed) -> (State, Option<Wait>) {
        let blocked = |idle: State| match self.wait(address, listed) {
            Some(wait) if wait.kind == wait::DELAY => (State::Sleeping, Some(wait)),
            Some(wait) => (State::Pending, Some(wait)),
            None => (idle, None),
        };
        match listed {
            Listed::Ready => (State::Ready, None),
            Listed::Delayed | Listed::DelayedPastWrap => blocked(State::Sleeping),
            Listed::Suspended | Listed::Nowhere => blocked(State::Suspended),
            Listed::Terminated => (State::Dead, None),
        }
    }

    fn wait(&self, address: Address, listed: Listed) -> Option<Wait> {
        let task = &self.layout.task;
        let item = &self.layout.item;
        let delayed = matches!(listed, Listed::Delayed | Listed::DelayedPastWrap);
        let ticks_left = if delayed { self.ticks_left(address, listed) } else { None };
        let container = self.word(address, task.event_item.checked_add(item.container)?)?;
        if container != 0 {
            let value = address.checked_add(task.event_item.checked_add(item.value)?)?;
            let value = read_tick(self.memory, value, item.value_size)?;
            let found = self.objects.holding(Address(container), value);
            return Some(Wait { ticks_left, ..found });
        }
        if self.awaits_notification(address) {
            let found = self.objects.notifying(address);
            return Some(Wait { ticks_left, ..found });
        }
        delayed.then(|| Wait { kind: wait::DELAY, ticks_left, ..Wait::default() })
    }

    /// `taskWAITING_NOTIFICATION` in any of the task's notifications.
    fn awaits_notification(&self, address: Address) -> bool {
        let Some((first, stride, count)) = self.layout.task.notify_state else { return false };
        (0..count).any(|index| {
            let offset = index.checked_mul(stride).and_then(|offset| offset.checked_add(first));
            let at = offset.and_then(|offset| address.checked_add(offset));
            at.is_some_and(|at| self.memory.read_u8(at) == Ok(1))
        })
    }

    /// Ticks until the time in the state item, modulo the width of `TickType_t`.
    fn ticks_left(&self, address: Address, listed: Listed) -> Option<u64> {
        let item = &self.layout.item;
        let at = address.checked_add(self.layout.task.state_item.checked_add(item.value)?)?;
        let wake = read_tick(self.memory, at, item.value_size)?;
        let now = self.now?;
        match wake.checked_sub(now) {
            Some(left) => Some(left),
            // Ticks that passed while the scheduler was suspended are not counted yet.
            None if listed == Listed::Delayed => Some(0),
            None => {
                let bits = item.value_size.checked_mul(8)?;
                let wrap = u64::MAX >> 64_u32.checked_sub(bits)?;
                Some(wake.wrapping_sub(now) & wrap)
            }
        }
    }
}

/// A `TickType_t` of `size` bytes.
pub(super) fn read_tick(memory: &dyn Memory, at: Address, size: u32) -> Option<u64> {
    match size {
        2 => memory.read_u16(at).ok().map(u64::from),
        4 => memory.read_u32(at).ok().map(u64::from),
        8 => {
            let low = u64::from(memory.read_u32(at).ok()?);
            let high = u64::from(memory.read_u32(at.checked_add(4)?).ok()?);
            Some(high << 32 | low)
        }
        _ => None,
    }
}
