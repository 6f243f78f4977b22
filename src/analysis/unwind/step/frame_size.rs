//! A function that counts its frame from a register that the dump lacks: coredumps with the stacked
//! registers alone know no frame pointer.
//!
//! The function's other rules tell how large its frame is. The place is believed when the return
//! address there is one behind a call of this very function.

use super::{Candidate, FoundBy, STACK_POINTER, by_cfi, dwarf_register};
use crate::analysis::unwind::{Environment, UnwoundFrame};
use crate::arch::cortex_m::exception::Code as _;
use crate::arch::cortex_m::prologue::call_target;
use crate::base::Address;
use crate::snapshot::Register;
use crate::symbols::cfi::{CfaRule, RegisterRule, UnwindRow};

/// Words of stack that are searched where no size fits: a function may have made room for an array
/// whose length only it knows.
const SEARCH_WORDS: u32 = 256;

/// The caller of `frame`, in which the register that `row` counts from gets its value back.
pub(super) fn caller(
    frame: &mut UnwoundFrame,
    row: &UnwindRow<'_>,
    environment: &Environment<'_, '_>,
) -> Option<Candidate> {
    let CfaRule::Register(base, offset) = row.cfa else { return None };
    if base == STACK_POINTER || dwarf_register(&frame.registers, base).is_some() {
        return None;
    }
    let cfa = by_size(frame, row, environment).or_else(|| by_call(frame, row, environment))?;
    let register = Register::core(u8::try_from(base).ok()?)?;
    frame.registers.set(register, cfa.wrapping_add(offset.wrapping_neg()).0);
    let found = by_cfi(frame, row, environment)?;
    Some(Candidate { found_by: FoundBy::FrameSize, ..found })
}

/// CFA by the sizes that the function's frame has while it still counts from SP, the largest first.
fn by_size(
    frame: &UnwoundFrame,
    row: &UnwindRow<'_>,
    environment: &Environment<'_, '_>,
) -> Option<Address> {
    let sp = Address(frame.registers.sp()?);
    let symbols = environment.symbols.at(frame.pc.lookup())?;
    let mut sizes = symbols.call_frames().return_slots(row.function_start);
    sizes.retain(|(base, ..)| *base == STACK_POINTER);
    sizes.sort_by_key(|(_, size, _)| std::cmp::Reverse(*size));
    sizes.into_iter().find_map(|(_, size, slot)| {
        let cfa = sp.wrapping_add(size);
        let back = return_address(cfa.wrapping_add(slot), environment)?;
        let symbols = environment.symbols.at(back)?;
        // A call through a pointer does not tell what it called, and what was called may have
        // jumped on to this function.
        let fits = call_target(environment.memory, back).is_none_or(|target| {
            target == row.function_start || !symbols.tail_calls(back, frame.pc.lookup()).is_empty()
        });
        fits.then_some(cfa)
    })
}

/// CFA by the nearest return address to a call of this very function.
fn by_call(
    frame: &UnwoundFrame,
    row: &UnwindRow<'_>,
    environment: &Environment<'_, '_>,
) -> Option<Address> {
    let sp = Address(frame.registers.sp()?);
    let Some(RegisterRule::Offset(slot)) = row.rule(row.return_register) else { return None };
    let calls = |at: &Address| {
        let back = return_address(*at, environment);
        back.and_then(|back| call_target(environment.memory, back)) == Some(row.function_start)
    };
    let found = (0..SEARCH_WORDS).map(|index| sp.word(index)).find(calls)?;
    Some(found.wrapping_add(slot.wrapping_neg()))
}

/// The return address in the word at `at`, without the Thumb bit.
fn return_address(at: Address, environment: &Environment<'_, '_>) -> Option<Address> {
    let word = environment.memory.read_u32(at).ok()?;
    environment.is_return(word).then(|| Address(word).without_thumb_bit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::unwind::{self, Environment};
    use crate::arch::cortex_m::prologue::follows_call;
    use crate::arch::cortex_m::system::SystemState;
    use crate::base::Overlay;
    use crate::snapshot::{MemoryImage, RegisterSet};
    use crate::symbols::{ElfImage, SymbolFile, Symbols};

    const SP: u32 = 0x2000_1000;

    /// The first return address in `function` whose call leads to `callee`, or any.
    fn call(symbols: &SymbolFile<'_>, function: &str, callee: Option<&str>) -> u32 {
        let function = symbols.symbol(function).unwrap();
        let callee = callee.map(|name| symbols.symbol(name).unwrap().address);
        let mut inside = (function.address.0..function.address.0 + function.size).map(Address);
        let back = inside.find(|at| {
            let target = call_target(symbols, *at);
            at.is_aligned(2)
                && follows_call(symbols, *at)
                && callee.is_none_or(|callee| target == Some(callee))
        });
        back.unwrap().0 | 1
    }

    #[test]
    fn frame_that_counts_from_a_lost_register_is_found_by_its_call() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/elf/mps2-an386-Og.elf");
        let bytes = std::fs::read(path).unwrap();
        let image = ElfImage::parse(&bytes).unwrap();
        let symbols = SymbolFile::new(&image);
        let set = Symbols::new([&symbols]);
        let system = SystemState::default();
        // `fft_squeeze` saves r7 and LR, counts from r7 and makes room for an array.
        let back = call(&symbols, "compute_fft", Some("fft_squeeze"));
        let wrong = call(&symbols, "process_accel_data", None);
        // How many words of the array stand below what it saved.
        for words in [0, 1, 40] {
            let stale = [wrong].repeat(words);
            let stack = [stale.as_slice(), &[0x2000_2000, back]].concat();
            let memory = MemoryImage::of_words(SP, &stack);
            let memory = Overlay { first: &memory, second: &symbols };
            let environment = Environment::bare(&memory, &set, &system, 2);
            let mut registers = RegisterSet::default();
            registers.set(Register::PC, call(&symbols, "fft_squeeze", None) & !1);
            registers.set(Register::SP, SP);
            let context = unwind::thread(&registers, &environment);
            let [squeeze, compute] = context.frames.as_slice() else { panic!("{context:?}") };
            let top = SP + 4 * u32::try_from(words).unwrap();
            assert_eq!(squeeze.registers.core(7), Some(top), "{words}");
            assert_eq!(compute.found_by, FoundBy::FrameSize);
            assert_eq!(compute.pc.address().0, back & !1);
            assert_eq!(compute.registers.sp(), Some(top + 8));
            assert_eq!(compute.registers.core(7), Some(0x2000_2000));
        }
    }
}
