//! What a capture reads first, so that one that ends early is still worth something.

use super::running::Constants;
use crate::base::{Address, AddressRange, Memory, Overlay};
use crate::rtos;
use crate::snapshot::{Register, RegisterSet};
use crate::symbols::{BUILD_ID_NOTE, Symbols};
use crate::target::{CapturePlan, PlannedRange, Purpose};

/// Enough for many frames of a stack whose end is not known, in bytes.
const STACK: u64 = 1 << 10;
/// Longest stretch that is taken for the rest of the main stack, in bytes.
const LONGEST: u64 = 16 << 10;
/// VTOR (DDI 0403E B3.2.5).
const VTOR: Address = Address(0xe000_ed08);
/// Initial SP and the system exceptions, in bytes.
const VECTORS: u64 = 64;
/// Code around PC and LR, in bytes: what a dump is matched with an ELF by.
const CODE: u32 = 64;
/// Longest build ID note that is captured, in bytes.
const LONGEST_NOTE: u64 = 256;

/// Ranges worth reading before everything else: the stacks in use, vectors and a little code, then
/// the kernel's objects and the stacks of its threads, the current one's first.
pub(super) fn first(
    registers: &RegisterSet,
    memory: &dyn Memory,
    symbols: &Symbols<'_, '_>,
    plan: &CapturePlan,
) -> Vec<PlannedRange> {
    let vectors = memory.read_u32(VTOR).unwrap_or(0);
    let initial_sp = memory.read_u32(Address(vectors)).unwrap_or(0);
    let mut ranges = Vec::new();
    for register in [Register::SP, Register::MSP, Register::PSP] {
        let Some(sp) = registers.get(register).map(|sp| sp & !3).filter(|sp| *sp != 0) else {
            continue;
        };
        // The main stack begins where the vector table says. Another one ends who knows where:
        // memory mostly ends at a multiple of 1 KiB.
        let to_top = u64::from(initial_sp).saturating_sub(u64::from(sp));
        let size =
            if (1..=LONGEST).contains(&to_top) { to_top } else { STACK - u64::from(sp) % STACK };
        add(&mut ranges, AddressRange::new(Address(sp), size), Purpose::FaultingStack);
    }
    add(&mut ranges, AddressRange::new(Address(vectors), VECTORS), Purpose::Code);
    for register in [Register::PC, Register::LR] {
        let near = registers.get(register).map(|pc| (pc & !3).saturating_sub(CODE / 2));
        let range = near.and_then(|start| AddressRange::new(Address(start), u64::from(CODE)));
        let is_code = |range: &AddressRange| symbols.is_empty() || symbols.is_code(range.start());
        add(&mut ranges, range.filter(is_code), Purpose::Code);
    }
    for image in symbols.files().iter().map(|file| file.image()) {
        let note = image.section_address(BUILD_ID_NOTE).zip(image.section(BUILD_ID_NOTE));
        let range = note.and_then(|(address, note)| AddressRange::new(address, note.len() as u64));
        add(&mut ranges, range.filter(|range| range.size() <= LONGEST_NOTE), Purpose::Code);
    }
    // Names and tables in flash are not fetched from a target that has shown to hold the same.
    let constants = Constants::of(symbols, memory);
    let seen = Overlay { first: constants, second: Overlay { first: memory, second: symbols } };
    for file in symbols.files() {
        let Some(kernel) = rtos::recognize(file) else { continue };
        let state = kernel.read(&seen, file);
        for range in rtos::ranges(kernel, &state, file) {
            // Only what is captured anyway, and what a sane kernel would hold.
            let wanted = plan.ranges.iter().any(|r| r.range.intersection(range).is_some());
            add(&mut ranges, Some(range).filter(|_| wanted), Purpose::KernelObjects);
        }
    }
    ranges
}

fn add(ranges: &mut Vec<PlannedRange>, range: Option<AddressRange>, purpose: Purpose) {
    ranges.extend(range.filter(|r| !r.is_empty()).map(|range| PlannedRange { range, purpose }));
}
