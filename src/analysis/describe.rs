//! What an address belongs to, in words.

use crate::base::{Address, AddressRange};
use crate::rtos::Thread;
use crate::symbols::Symbols;

/// Addresses below this count as null with a small offset: a member of a structure at NULL.
pub(super) const NULL_PAGE: u32 = 0x400;
/// How far below a stack its guard may lie, in bytes.
pub(super) const GUARD_REACH: u32 = 256;

/// What `address` belongs to: a variable, a thread's stack, a region of the memory map.
pub(super) fn describe(address: Address, symbols: &Symbols<'_, '_>, threads: &[Thread]) -> String {
    if let Some(thread) = threads.iter().find(|t| contains(t.stack, address)) {
        if thread.is_main_stack() {
            return "the main stack".into();
        }
        return format!("the stack of thread {}", thread.name);
    }
    if let Some((thread, distance)) = guard_of(address, threads) {
        return format!("{distance} bytes below the stack of thread {}", thread.name);
    }
    if let Some((symbol, offset)) = symbols.symbol_at(address) {
        return if offset == 0 {
            symbol.readable().into_owned()
        } else {
            format!("{}+{offset}", symbol.readable())
        };
    }
    if let Some(section) = symbols.section_at(address) {
        return format!("section {}", section.name);
    }
    region(address).to_string()
}

/// The thread whose stack begins shortly above `address`, and the distance in bytes. What lies
/// below a main stack is no guard but the program's data.
pub(super) fn guard_of(address: Address, threads: &[Thread]) -> Option<(&Thread, u32)> {
    threads
        .iter()
        .filter(|thread| !thread.is_main_stack())
        .filter_map(|thread| {
            let distance = thread.stack?.start().0.checked_sub(address.0)?;
            (1..=GUARD_REACH).contains(&distance).then_some((thread, distance))
        })
        .min_by_key(|(_, distance)| *distance)
}

fn contains(range: Option<AddressRange>, address: Address) -> bool {
    range.is_some_and(|range| range.contains(address))
}

/// The region of the default memory map. Armv7-M ARM (DDI 0403E) B3.1.
fn region(address: Address) -> &'static str {
    match address.0 {
        0..NULL_PAGE => "the null page",
        NULL_PAGE..=0x1fff_ffff => "the code region, outside the firmware",
        0x2000_0000..=0x3fff_ffff => "the SRAM region, outside the firmware's data",
        0x4000_0000..=0x5fff_ffff => "the peripheral region",
        0x6000_0000..=0x9fff_ffff => "the external RAM region",
        0xa000_0000..=0xdfff_ffff => "the external device region",
        0xe000_0000..=0xe00f_ffff => "the private peripheral bus",
        _ => "the vendor system region",
    }
}
