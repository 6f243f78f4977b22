//! Queues, semaphores, mutexes, event flags, block pools and timers: a ring of each sort.

use super::{MUTEX, QUEUE, Walker};
use crate::base::{Address, Memory};
use crate::rtos::{KernelObject, Thread};
use crate::symbols::SymbolFile;

const TIMER: &str = "TX_TIMER_STRUCT";

/// Most objects of one sort.
const MOST_OBJECTS: u32 = 1024;

/// A sort of objects.
pub(super) struct Sort {
    /// What people call it.
    kind: &'static str,
    /// The first word of each object: `TX_QUEUE_ID` and the like.
    pub(super) id: u32,
    pub(super) ty: &'static str,
    /// What the names of the variables of its ring begin with.
    pub(super) ring: &'static str,
    /// What the names of its members begin with.
    pub(super) member: &'static str,
}

/// All of them. Source: `tx_api.h`.
pub(super) const SORTS: [Sort; 6] = [
    Sort { kind: "queue", id: 0x5155_4555, ty: QUEUE, ring: "_tx_queue", member: "tx_queue" },
    Sort {
        kind: "semaphore",
        id: 0x5345_4d41,
        ty: "TX_SEMAPHORE_STRUCT",
        ring: "_tx_semaphore",
        member: "tx_semaphore",
    },
    Sort { kind: "mutex", id: 0x4d55_5445, ty: MUTEX, ring: "_tx_mutex", member: "tx_mutex" },
    Sort {
        kind: "event flags",
        id: 0x4456_444e,
        ty: "TX_EVENT_FLAGS_GROUP_STRUCT",
        ring: "_tx_event_flags",
        member: "tx_event_flags_group",
    },
    Sort {
        kind: "block pool",
        id: 0x424c_4f43,
        ty: "TX_BLOCK_POOL_STRUCT",
        ring: "_tx_block_pool",
        member: "tx_block_pool",
    },
    Sort { kind: "timer", id: 0x4154_494d, ty: TIMER, ring: "_tx_timer", member: "tx_timer" },
];

/// Every object, by address.
pub(super) fn list(
    memory: &dyn Memory,
    symbols: &SymbolFile<'_>,
    threads: &[Thread],
) -> Vec<KernelObject> {
    let walker = Walker { memory, symbols };
    let mut found: Vec<KernelObject> =
        SORTS.iter().flat_map(|sort| ring(&walker, sort, threads)).collect();
    found.sort_by_key(|object| object.address);
    found
}

/// The objects of one sort, up to the first link that leads to none.
fn ring(walker: &Walker<'_, '_>, sort: &Sort, threads: &[Thread]) -> Vec<KernelObject> {
    let Sort { kind, id, ty, ring, member: prefix } = *sort;
    let variable = |name: &str| walker.variable(&format!("{ring}_created_{name}")).unwrap_or(0);
    let head = variable("ptr");
    let mut at = head;
    let mut found: Vec<KernelObject> = Vec::new();
    for _ in 0..variable("count").min(MOST_OBJECTS) {
        let address = Address(at);
        if !address.is_aligned(4) || walker.memory.read_u32(address) != Ok(id) {
            break;
        }
        let member = |name: &str| walker.word(address, ty, &format!("{prefix}_{name}"));
        let name = member("name").and_then(|name| walker.text(name));
        let name = name.or_else(|| walker.symbols.object_name(address));
        found.push(KernelObject {
            kind,
            name: name.unwrap_or_else(|| address.to_string()),
            address,
            state: state(walker, kind, address, &member, threads).unwrap_or_default(),
        });
        match member("created_next") {
            Some(next) if next != head => at = next,
            _ => break,
        }
    }
    found
}

/// In a few words; `member` reads a word of the object.
fn state(
    walker: &Walker<'_, '_>,
    kind: &str,
    object: Address,
    member: &dyn Fn(&str) -> Option<u32>,
    threads: &[Thread],
) -> Option<String> {
    Some(match kind {
        "queue" => format!(
            "{} of {} messages of {} bytes",
            member("enqueued")?,
            member("capacity")?,
            // It is kept in words.
            member("message_size")?.checked_mul(4)?
        ),
        "semaphore" => format!("count {}", member("count")?),
        "mutex" => match member("ownership_count")? {
            0 => "free".into(),
            count => {
                let owner = Address(member("owner")?);
                let name = threads.iter().find(|thread| thread.address == owner);
                let name = name.map_or_else(|| owner.to_string(), |thread| thread.name.clone());
                format!("owned by {name}, lock count {count}")
            }
        },
        "event flags" => format!("flags 0x{:08x}", member("current")?),
        "block pool" => {
            let total = member("total")?;
            let used = total.checked_sub(member("available")?)?;
            format!("{used} of {total} blocks of {} bytes", member("block_size")?)
        }
        _ => {
            let left = walker.ticks_left(object, TIMER, "tx_timer_internal");
            let mut text = left.map_or("stopped".into(), |ticks| format!("{ticks} ticks left"));
            match member("internal.tx_timer_internal_re_initialize_ticks") {
                Some(0) | None => {}
                Some(period) => text.push_str(&format!(", every {period}")),
            }
            text
        }
    })
}
