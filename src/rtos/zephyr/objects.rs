//! Zephyr's kernel objects: which there are, and which one an address belongs to.

use crate::base::Address;
use crate::symbols::{SymbolFile, TypeRef};

/// Structures of kernel objects, each with the name people know it by and the section in which the
/// linker collects those that were defined with a macro (`K_SEM_DEFINE`).
const TYPES: &[(&str, &str, &str)] = &[
    ("k_sem", "semaphore", "k_sem"),
    ("k_mutex", "mutex", "k_mutex"),
    ("k_msgq", "message queue", "k_msgq"),
    ("k_fifo", "fifo", "k_fifo"),
    ("k_lifo", "lifo", "k_lifo"),
    ("k_queue", "queue", "k_queue"),
    ("k_stack", "stack", "k_stack"),
    ("k_poll_signal", "signal", ""),
    ("k_condvar", "condition variable", "k_condvar"),
    ("k_event", "event", "k_event"),
    ("k_pipe", "pipe", "k_pipe"),
    ("k_mbox", "mailbox", "k_mbox"),
    ("k_mem_slab", "memory slab", "k_mem_slab"),
    ("k_mem_pool", "memory pool", "k_mem_pool"),
    ("k_heap", "heap", "k_heap"),
    ("k_timer", "timer", "k_timer"),
    ("k_work_q", "work queue", ""),
    ("z_futex_data", "futex", ""),
    ("k_thread", "thread", ""),
];

/// A kernel object in a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KernelObject {
    /// What sort it is: `mutex`.
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) address: Address,
    /// Its type; `None` without debug information.
    pub(super) ty: Option<TypeRef>,
}

/// The kernel object around `address`, which may be that of a part of it.
pub(super) fn around(symbols: &SymbolFile<'_>, address: Address) -> Option<KernelObject> {
    let parts = symbols.objects_at(address);
    let kinds: Vec<_> = parts.iter().map(|part| kind_of(symbols, part.ty)).collect();
    let Some(mut index) = kinds.iter().rposition(Option::is_some) else {
        return in_section(symbols, address);
    };
    // A fifo is a queue by another name, and the queue of an early work queue is its own.
    while matches!(kinds.get(index), Some(Some("queue"))) {
        let Some(around) = index.checked_sub(1).filter(|outer| kinds.get(*outer) != Some(&None))
        else {
            break;
        };
        index = around;
    }
    let part = parts.get(index)?;
    Some(KernelObject {
        kind: (*kinds.get(index)?)?,
        name: part.name.clone(),
        address: part.address,
        ty: Some(part.ty),
    })
}

/// All objects of the structures `type_names` in variables, by address, at most `limit`.
pub(super) fn of_types(
    symbols: &SymbolFile<'_>,
    type_names: &[&str],
    limit: usize,
) -> Vec<KernelObject> {
    let found = symbols.objects_of_types(type_names, limit).into_iter();
    let known = found.filter_map(|object| {
        let kind = kind_of(symbols, object.ty)?;
        Some(KernelObject { kind, name: object.name, address: object.address, ty: Some(object.ty) })
    });
    known.collect()
}

fn kind_of(symbols: &SymbolFile<'_>, ty: TypeRef) -> Option<&'static str> {
    let info = symbols.type_info(symbols.strip_type(ty));
    let name = info.name.filter(|_| info.kind.has_members())?;
    TYPES.iter().find(|(type_name, ..)| *type_name == name).map(|(_, kind, _)| *kind)
}

/// What the linker's lists tell without debug information.
fn in_section(symbols: &SymbolFile<'_>, address: Address) -> Option<KernelObject> {
    let (symbol, _) = symbols.symbol_at(address)?;
    let holds = |section: &str| {
        let bound = |end: &str| symbols.symbol(&format!("_{section}_list_{end}"));
        let (start, end) = (bound("start")?.address, bound("end")?.address);
        (start <= address && address < end).then_some(())
    };
    let mut listed = TYPES.iter().filter(|(.., section)| !section.is_empty());
    let (_, kind, _) = listed.find(|(.., section)| holds(section).is_some())?;
    let (name, address) = (symbol.name.to_string(), symbol.address);
    Some(KernelObject { kind, name, address, ty: None })
}
