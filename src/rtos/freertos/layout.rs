//! Where FreeRTOS keeps what a task list needs, V8 to V11: from DWARF, so that any FreeRTOSConfig.h
//! works; without DWARF from the size of a list, for builds without an MPU.

use crate::base::{Address, Memory};
use crate::symbols::{Place, SymbolFile, SymbolKind};

/// A variable of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) address: Address,
    pub(super) size: u32,
}

/// The kernel's variable of that name. Link-time optimisation numbers the symbols of statics; a
/// variable without any symbol was dropped by the linker.
pub(super) fn variable(symbols: &SymbolFile<'_>, name: &str) -> Option<Variable> {
    let is_data = |kind| matches!(kind, SymbolKind::Object | SymbolKind::NoType);
    let numbered =
        |symbol: &str| symbol.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    let exact = symbols.symbol(name).filter(|symbol| is_data(symbol.kind));
    let symbol = exact.or_else(|| {
        symbols.symbols().iter().find(|symbol| is_data(symbol.kind) && numbered(symbol.name))
    });
    if let Some(symbol) = symbol {
        return Some(Variable { address: symbol.address, size: symbol.size });
    }
    // A file without a symbol table.
    let global = symbols.global(name).filter(|_| symbols.symbols().is_empty())?;
    let Place::Memory(address) = global.place else { return None };
    let size = symbols.type_size(global.ty).and_then(|size| u32::try_from(size).ok());
    Some(Variable { address, size: size.unwrap_or(0) })
}

/// Offsets in bytes; `None` for members that this build does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// `List_t`.
    pub(super) list: ListLayout,
    /// `ListItem_t`.
    pub(super) item: ItemLayout,
    /// `TCB_t`.
    pub(super) task: TaskLayout,
}

/// `List_t`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ListLayout {
    pub(super) size: u32,
    pub(super) count: u32,
    /// `xListEnd`, where its members are those of an item.
    pub(super) end: u32,
}

/// `ListItem_t`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ItemLayout {
    pub(super) value: u32,
    /// Bytes of `TickType_t`.
    pub(super) value_size: u32,
    pub(super) next: u32,
    pub(super) previous: u32,
    pub(super) owner: u32,
    pub(super) container: u32,
}

/// `TCB_t`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TaskLayout {
    pub(super) size: u32,
    pub(super) state_item: u32,
    pub(super) event_item: u32,
    pub(super) priority: u32,
    pub(super) stack: u32,
    pub(super) name: u32,
    pub(super) name_size: u32,
    /// configRECORD_STACK_HIGH_ADDRESS.
    pub(super) end_of_stack: Option<u32>,
    /// configUSE_MUTEXES.
    pub(super) base_priority: Option<u32>,
    /// First of `ucNotifyState`, the distance to the next, how many.
    pub(super) notify_state: Option<(u32, u32, u32)>,
    /// The saved registers are in the control block (ports with an MPU, from V10.6).
    pub(super) holds_context: bool,
}

const TASK: &str = "tskTaskControlBlock";
const LIST: &str = "xLIST";
const ITEM: &str = "xLIST_ITEM";
/// More notifications of one task than any firmware has.
const MOST_NOTIFICATIONS: u32 = 64;

/// Offset of a member.
pub(super) fn offset(symbols: &SymbolFile<'_>, ty: &str, path: &str) -> Option<u32> {
    u32::try_from(symbols.layout(ty, path)?.offset_bytes).ok()
}

fn size(symbols: &SymbolFile<'_>, ty: &str, path: &str) -> Option<u32> {
    u32::try_from(symbols.layout(ty, path)?.size_bytes?).ok()
}

impl Layout {
    /// From DWARF, else from the symbols and the first task found, else an explanation.
    pub(super) fn find(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Result<Layout, String> {
        Layout::from_dwarf(symbols).or_else(|| Layout::from_sizes(memory, symbols)).ok_or_else(
            || {
                "tasks cannot be listed: the ELF has no debug information for `TCB_t` and its \
                 layout cannot be told from the kernel's lists"
                    .into()
            },
        )
    }

    fn from_dwarf(symbols: &SymbolFile<'_>) -> Option<Layout> {
        let item = |path| offset(symbols, ITEM, path);
        let task = |path| offset(symbols, TASK, path);
        // Headers of later versions rename members back for old applications.
        let container = item("pvContainer").or_else(|| item("pxContainer"))?;
        let notified = task("ucNotifyState").or_else(|| task("eNotifyState"));
        let notify_state = notified.map(|first| {
            let second = task("ucNotifyState[1]").and_then(|second| second.checked_sub(first));
            let stride = second.unwrap_or(1);
            let whole = size(symbols, TASK, "ucNotifyState").unwrap_or(1);
            let is_array = task("ucNotifyState[0]").is_some();
            let count = if is_array { whole.checked_div(stride).unwrap_or(1) } else { 1 };
            (first, stride, count.min(MOST_NOTIFICATIONS))
        });
        Some(Layout {
            list: ListLayout {
                size: u32::try_from(symbols.size_of(LIST)?).ok()?,
                count: offset(symbols, LIST, "uxNumberOfItems")?,
                end: offset(symbols, LIST, "xListEnd")?,
            },
            item: ItemLayout {
                value: item("xItemValue")?,
                value_size: size(symbols, ITEM, "xItemValue")?,
                next: item("pxNext")?,
                previous: item("pxPrevious")?,
                owner: item("pvOwner")?,
                container,
            },
            task: TaskLayout {
                size: u32::try_from(symbols.size_of(TASK)?).ok()?,
                state_item: task("xStateListItem").or_else(|| task("xGenericListItem"))?,
                event_item: task("xEventListItem")?,
                priority: task("uxPriority")?,
                stack: task("pxStack")?,
                name: task("pcTaskName")?,
                name_size: size(symbols, TASK, "pcTaskName")?,
                end_of_stack: task("pxEndOfStack"),
                base_priority: task("uxBasePriority"),
                notify_state,
                holds_context: task("xMPUSettings.ulContext").is_some(),
            },
        })
    }

    /// The members up to the name have stood in one order since V8; what is configurable before
    /// them shows in the distance from an item to its owner.
    fn from_sizes(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Layout> {
        let delayed = variable(symbols, "xDelayedTaskList1")?;
        // With or without the full end item; 32 and 44 with integrity words around everything.
        let (item_size, guard) = match delayed.size {
            20 | 28 => (20, 0),
            32 | 44 => (28, 4),
            _ => return None,
        };
        let list = ListLayout { size: delayed.size, count: guard, end: guard.checked_add(8)? };
        let item = ItemLayout {
            value: guard,
            value_size: 4,
            next: guard.checked_add(4)?,
            previous: guard.checked_add(8)?,
            owner: guard.checked_add(12)?,
            container: guard.checked_add(16)?,
        };
        let ready = variable(symbols, "pxReadyTasksLists")?;
        let count = ready.size.checked_div(list.size)?.min(super::MOST_PRIORITIES);
        let state_item = (0..count).find_map(|index| {
            let head = ready.address.checked_add(index.checked_mul(list.size)?)?;
            let end = head.checked_add(list.end)?;
            let first = memory.read_u32(end.checked_add(item.next)?).ok()?;
            let owner = memory.read_u32(Address(first).checked_add(item.owner)?).ok()?;
            let distance = first.checked_sub(owner).filter(|_| first != end.0)?;
            (distance.is_multiple_of(4) && (4..=8).contains(&distance)).then_some(distance)
        })?;
        let event_item = state_item.checked_add(item_size)?;
        let priority = event_item.checked_add(item_size)?;
        let stack = priority.checked_add(4)?;
        // Between stack and name: xTaskRunState and uxTaskAttributes of builds for several cores.
        let several = variable(symbols, "pxCurrentTCBs").is_some();
        let name = stack.checked_add(if several { 12 } else { 4 })?;
        let task = TaskLayout {
            size: name.checked_add(16)?,
            state_item,
            event_item,
            priority,
            stack,
            name,
            name_size: 16,
            ..TaskLayout::default()
        };
        Some(Layout { list, item, task })
    }
}
