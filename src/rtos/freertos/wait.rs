//! What a blocked task waits for: the queue, semaphore, mutex or event group whose list it hangs
//! in, the buffer that keeps its handle, a notification, or time.

use super::layout::{Layout, offset, variable};
use crate::base::{Address, Memory};
use crate::rtos::Wait;
use crate::symbols::{SymbolFile, SymbolKind, TypeKind};
use std::cell::OnceCell;

/// A wait for time alone.
pub(super) const DELAY: &str = "delay";

/// Entries of `xQueueRegistry` that are looked at.
const MOST_REGISTERED: u32 = 1024;
/// Longest name of a registered queue, in bytes.
const LONGEST_NAME: usize = 64;
/// Variables that may hold handles.
const MOST_VARIABLES: usize = 1 << 14;
/// Largest stream buffer, in bytes.
const LARGEST_BUFFER: u32 = 1 << 20;
/// Objects of the kernel in an MPU build.
const MOST_POOLED: u32 = 4096;

const QUEUE: &str = "QueueDefinition";
/// V10.1 and later, then V10.0.
const STREAM_BUFFERS: &[&str] = &["StreamBufferDef_t", "xSTREAM_BUFFER"];
/// V10 and later, then before.
const EVENT_GROUPS: &[&str] = &["EventGroupDef_t", "xEventGroupDefinition"];
/// Where heap_1 and heap_2 begin: what they hand out first begins there too.
const HEAP_START: &str = "pucAlignedHeap";

/// `Queue_t`, which semaphores and mutexes are too.
struct QueueLayout {
    head: u32,
    senders: u32,
    receivers: u32,
    waiting: u32,
    length: u32,
    item_size: u32,
    /// configUSE_TRACE_FACILITY.
    kind: Option<u32>,
    /// Of a mutex: its holder.
    holder: Option<u32>,
}

impl QueueLayout {
    fn from_dwarf(symbols: &SymbolFile<'_>) -> Option<QueueLayout> {
        let member = |path| offset(symbols, QUEUE, path);
        Some(QueueLayout {
            head: member("pcHead")?,
            senders: member("xTasksWaitingToSend")?,
            receivers: member("xTasksWaitingToReceive")?,
            waiting: member("uxMessagesWaiting")?,
            length: member("uxLength")?,
            item_size: member("uxItemSize")?,
            kind: member("ucQueueType"),
            // Until V10.0 the holder stood in `pcTail`.
            holder: member("u.xSemaphore.xMutexHolder").or_else(|| member("pcTail")),
        })
    }
}

/// The kernel's objects, as far as waiting tasks lead to them.
pub(super) struct Objects<'a, 'd> {
    memory: &'a dyn Memory,
    symbols: &'a SymbolFile<'d>,
    layout: &'a Layout,
    queue: Option<QueueLayout>,
    /// Object variables of a pointer's size with what they hold; read when first needed.
    handles: OnceCell<Vec<(u32, &'a str)>>,
}

impl<'a, 'd> Objects<'a, 'd> {
    pub(super) fn new(
        memory: &'a dyn Memory,
        symbols: &'a SymbolFile<'d>,
        layout: &'a Layout,
    ) -> Objects<'a, 'd> {
        let queue = QueueLayout::from_dwarf(symbols);
        Objects { memory, symbols, layout, queue, handles: OnceCell::new() }
    }

    fn word(&self, base: Address, offset: u32) -> Option<u32> {
        self.memory.read_u32(base.checked_add(offset)?).ok()
    }

    /// The object that `list` is part of. `value` is that of the item in it: event groups keep the
    /// bits there that are waited for, under a mark that no priority has.
    pub(super) fn holding(&self, list: Address, value: u64) -> Wait {
        let top = self.layout.item.value_size.saturating_mul(8).saturating_sub(1);
        if value.checked_shr(top) == Some(1) {
            let member =
                EVENT_GROUPS.iter().find_map(|ty| offset(self.symbols, ty, "xTasksWaitingForBits"));
            let object = member.and_then(|member| list.checked_sub(member));
            let name = object.and_then(|object| self.name(object));
            return Wait { kind: "event group", object, name, ..Wait::default() };
        }
        let found = self.queue.as_ref().and_then(|queue| {
            let receives = list.checked_sub(queue.receivers);
            let sends = list.checked_sub(queue.senders);
            receives
                .filter(|object| self.is_queue(queue, *object))
                .map(|object| (queue, object, true))
                .or_else(|| {
                    sends
                        .filter(|object| self.is_queue(queue, *object))
                        .map(|object| (queue, object, false))
                })
        });
        match found {
            Some((queue, object, receives)) => Wait {
                kind: self.kind(queue, object, receives),
                object: Some(object),
                name: self.name(object),
                owner: self.owner(queue, object),
                ..Wait::default()
            },
            // An object of the application's own, or one whose type is not in the ELF.
            None => Wait { object: Some(list), name: self.name(list), ..Wait::default() },
        }
    }

    /// Whether both lists of the queue that would be at `object` are lists, and its counts fit.
    fn is_queue(&self, queue: &QueueLayout, object: Address) -> bool {
        let is_list = |member: u32| {
            let list = object.checked_add(member)?;
            let end = list.checked_add(self.layout.list.end)?;
            let next = Address(self.word(end, self.layout.item.next)?);
            let back = self.word(next, self.layout.item.previous)?;
            Some(back == end.0 && self.word(list, self.layout.list.count)? < 0x1_0000)
        };
        let counts = || {
            let length = self.word(object, queue.length)?;
            Some(length > 0 && self.word(object, queue.waiting)? <= length)
        };
        is_list(queue.senders) == Some(true)
            && is_list(queue.receivers) == Some(true)
            && counts() == Some(true)
    }

    /// In the kernel's words. Without the trace facility items without a size tell a semaphore,
    /// and a missing storage a mutex.
    fn kind(&self, queue: &QueueLayout, object: Address, receives: bool) -> &'static str {
        let byte = |at: u32| self.memory.read_u8(object.checked_add(at)?).ok();
        match queue.kind.and_then(byte) {
            Some(1) => return "mutex",
            Some(2) => return "counting semaphore",
            Some(3) => return "binary semaphore",
            Some(4) => return "recursive mutex",
            Some(5) => return "queue set",
            _ => {}
        }
        match (self.word(object, queue.item_size), self.word(object, queue.head), receives) {
            (Some(0), Some(0), _) => "mutex",
            (Some(0), _, _) => "semaphore",
            (_, _, true) => "queue to receive",
            (_, _, false) => "queue to send",
        }
    }

    fn owner(&self, queue: &QueueLayout, object: Address) -> Option<Address> {
        let is_mutex =
            self.word(object, queue.item_size)? == 0 && self.word(object, queue.head)? == 0;
        let holder = self.word(object, queue.holder?).filter(|holder| *holder != 0)?;
        is_mutex.then_some(Address(holder))
    }

    /// The stream or message buffer that will notify `task`, else a plain notification.
    pub(super) fn notifying(&self, task: Address) -> Wait {
        let member = |name| self.stream_buffer_member(name);
        let sides = [
            ("stream buffer to receive", member("xTaskWaitingToReceive")),
            ("stream buffer to send", member("xTaskWaitingToSend")),
        ];
        let pointed = self.handles().iter().map(|(value, _)| Address(*value));
        let buffers = pointed.chain(
            self.symbols
                .symbols()
                .iter()
                .filter(|s| s.kind == SymbolKind::Object)
                .map(|s| s.address),
        );
        for object in buffers.take(MOST_VARIABLES.saturating_mul(2)) {
            for (kind, offset) in sides {
                let waiter = offset.and_then(|offset| self.word(object, offset));
                if waiter == Some(task.0) && object != task && self.is_stream_buffer(object) {
                    let name = self.name(object);
                    return Wait { kind, object: Some(object), name, ..Wait::default() };
                }
            }
        }
        Wait { kind: "notification", ..Wait::default() }
    }

    fn stream_buffer_member(&self, name: &str) -> Option<u32> {
        STREAM_BUFFERS.iter().find_map(|ty| offset(self.symbols, ty, name))
    }

    fn is_stream_buffer(&self, object: Address) -> bool {
        let member = |name| self.word(object, self.stream_buffer_member(name)?);
        let is_buffer = || {
            let length = member("xLength").filter(|length| *length <= LARGEST_BUFFER)?;
            let inside = member("xHead")? < length && member("xTail")? < length;
            let buffer = member("pucBuffer").filter(|buffer| *buffer != 0)?;
            self.memory.read_u8(Address(buffer)).ok()?;
            Some(inside && member("xTriggerLevelBytes")? <= length)
        };
        is_buffer() == Some(true)
    }

    /// By which people know an object: registered, its symbol, or the variable that holds its
    /// handle.
    fn name(&self, object: Address) -> Option<String> {
        let own = || {
            let whole = self.symbols.objects_at(object);
            let exact = whole.into_iter().find(|part| part.address == object)?;
            Some(unnumbered(&exact.name).to_string())
        };
        let held = || {
            let found = self.handles().iter().find(|(value, _)| *value == object.0);
            found.map(|(_, name)| unnumbered(name).to_string())
        };
        self.registered(object).or_else(own).or_else(held)
    }

    /// By `xQueueRegistry`: pairs of name and handle.
    fn registered(&self, object: Address) -> Option<String> {
        let registry = variable(self.symbols, "xQueueRegistry")?;
        let count = registry.size.checked_div(8)?.min(MOST_REGISTERED);
        let entry = (0..count).map(|index| registry.address.word(index.saturating_mul(2)));
        let is_it = |entry: &Address| {
            let handle = self.word(*entry, 4).map(|handle| self.object_of(handle));
            handle == Some(Some(object))
        };
        let name = self.word(entry.into_iter().find(is_it)?, 0)?;
        let bytes = self.memory.read_c_string(Address(name), LONGEST_NAME).ok()?;
        String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
    }

    /// What a handle stands for: an address, or from V10.6 on, with an MPU, an index.
    fn object_of(&self, handle: u32) -> Option<Address> {
        if handle == 0 || handle > MOST_POOLED {
            return Some(Address(handle)).filter(|object| object.0 != 0);
        }
        let pool = self.symbols.global("xKernelObjectPool")?;
        let base = pool.place.address()?;
        let path = format!("[{}].xInternalObjectHandle", handle.checked_sub(1)?);
        let member = self.symbols.layout_in(pool.ty, &path)?.offset_bytes;
        self.word(base, u32::try_from(member).ok()?).map(Address)
    }

    fn is_pointer(&self, variable: Address) -> bool {
        let objects = self.symbols.objects_at(variable);
        let ty = objects.first().map(|object| self.symbols.strip_type(object.ty));
        ty.is_some_and(|ty| self.symbols.type_info(ty).kind == TypeKind::Pointer)
    }

    fn handles(&self) -> &[(u32, &'a str)] {
        self.handles.get_or_init(|| {
            let is_handle = |symbol: &&crate::symbols::Symbol<'_>| {
                let section = self.symbols.section_at(symbol.address);
                symbol.kind == SymbolKind::Object
                    && symbol.size == 4
                    && section.is_some_and(|section| section.is_ram())
            };
            let symbols: &'a SymbolFile<'d> = self.symbols;
            let all = symbols.symbols().iter().filter(is_handle).take(MOST_VARIABLES);
            let held = all.filter_map(|symbol| {
                let value = self.memory.read_u32(symbol.address).ok()?;
                // An index is a small number, of which there are many: only a pointer is a handle.
                let is_index = (1..=MOST_POOLED).contains(&value);
                if is_index && !self.is_pointer(symbol.address) {
                    return None;
                }
                let object = self.object_of(value)?.0;
                let is_start = unnumbered(symbol.name) == HEAP_START;
                (object.is_multiple_of(4) && !is_start).then_some((object, symbol.name))
            });
            held.collect()
        })
    }
}

/// A name without the number that the compiler appends to statics of functions.
fn unnumbered(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}
