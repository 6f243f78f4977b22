//! The main stack (MSP): where it begins and ends, by the names that linker scripts and start-up
//! code give it, and how much of it was ever used.

use super::stack_fill;
use crate::base::{Address, AddressRange, Memory};
use crate::symbols::{SymbolFile, SymbolKind};

/// Names of its highest address, which the first word of the vector table holds too. GNU scripts
/// of CMSIS, ST and Microchip, cortex-m-rt, Arm's and IAR's linkers.
const TOPS: &[&str] = &[
    "__StackTop",
    "_estack",
    "__initial_sp",
    "__INITIAL_SP",
    "_stack_start",
    "_vStackTop",
    "__stack",
    "__stack_top",
    "_stack_top",
    "stack_top",
    "Image$$ARM_LIB_STACK$$ZI$$Limit",
    "CSTACK$$Limit",
];

/// Names of its lowest address, by the same.
const LIMITS: &[&str] = &[
    "__StackLimit",
    "__STACK_LIMIT",
    "__StackBottom",
    "_sstack",
    "_stack_end",
    "Stack_Mem",
    "Image$$ARM_LIB_STACK$$ZI$$Base",
    "CSTACK$$Base",
];

/// Names of the end of static data, where nothing names the lowest address.
const DATA_ENDS: &[&str] =
    &["_end", "end", "__end__", "__bss_end__", "_ebss", "__ebss", "__sheap", "bss_end"];

/// Words that start-up code fills a stack with.
const FILLS: &[u32] = &[
    0xa5a5_a5a5,
    0xaaaa_aaaa,
    0xcccc_cccc,
    0xcdcd_cdcd,
    0xdead_beef,
    0xefef_efef,
    0xbaad_f00d,
    0x5555_5555,
];
/// As many words of a fill must be left at the lowest address for it to be believed.
const FEWEST_FILL_WORDS: u32 = 4;

/// Smallest stack that is believed, in bytes.
const SMALLEST: u64 = 64;
/// Largest stack that is believed, in bytes.
const LARGEST: u32 = 64 << 20;
/// Vector table offset register. DDI 0403E B3.2.5.
const VTOR: Address = Address(0xe000_ed08);

/// The main stack, as far as the ELF tells of it.
pub(super) fn find(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<AddressRange> {
    let top = top(memory, symbols)?;
    let last = top.checked_sub(4)?;
    // An array in the program's own data.
    if let Some((array, _)) = symbols.symbol_at(last)
        && array.kind == SymbolKind::Object
        && array.address.checked_add(array.size) == Some(top)
    {
        return AddressRange::from_bounds(array.address, top);
    }
    let is_below =
        |at: &Address| *at < top && top.0.checked_sub(at.0).is_some_and(|size| size <= LARGEST);
    let limit = LIMITS.iter().filter_map(|name| address(symbols, name)).find(is_below);
    let limit = limit.or_else(|| {
        let ends = DATA_ENDS.iter().filter_map(|name| address(symbols, name));
        let heap = super::newlib::program_break(memory, symbols);
        let highest = ends.chain(heap).chain(variables(symbols)).filter(is_below).max()?;
        highest.0.checked_next_multiple_of(4).map(Address)
    })?;
    AddressRange::from_bounds(limit, top).filter(|stack| stack.size() >= SMALLEST)
}

/// Most bytes of `stack` that were ever used, where start-up code filled it.
pub(super) fn high_water(memory: &dyn Memory, stack: AddressRange) -> Option<u32> {
    let first = memory.read_u32(stack.start()).ok()?;
    let fill = FILLS.iter().find(|fill| **fill == first)?;
    let untouched = stack_fill::untouched(memory, stack, *fill)?;
    let believed = untouched >= FEWEST_FILL_WORDS.checked_mul(4)?;
    u32::try_from(stack.size()).ok()?.checked_sub(untouched).filter(|_| believed)
}

fn top(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Address> {
    let usable = |top: &Address| top.0 != 0 && top.0.is_multiple_of(4);
    let named = TOPS.iter().find_map(|name| address(symbols, name).filter(usable));
    named.or_else(|| {
        let table = Address(memory.read_u32(VTOR).ok()?);
        memory.read_u32(table).ok().map(Address).filter(usable)
    })
}

/// Where variables end.
fn variables<'a>(symbols: &'a SymbolFile<'_>) -> impl Iterator<Item = Address> + 'a {
    let sized = symbols.symbols().iter().filter(|symbol| symbol.kind == SymbolKind::Object);
    let in_ram = sized.filter(|symbol| {
        symbols.section_at(symbol.address).is_some_and(|section| section.is_ram())
    });
    in_ram.filter_map(|symbol| symbol.address.checked_add(symbol.size))
}

/// The value of a symbol that a linker script defines.
fn address(symbols: &SymbolFile<'_>, name: &str) -> Option<Address> {
    let symbol = symbols.symbol(name).map(|symbol| symbol.address);
    symbol.or_else(|| symbols.absolute(name).map(Address))
}
