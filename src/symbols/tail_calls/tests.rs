//! Expectations are from GDB 13 and the disassembly of the fixtures.

use super::*;
use crate::symbols::ElfImage;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/elf/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Tail calls towards `callee` from every call in `caller` that leads there through some:
/// the names of the functions, innermost first.
fn chains(symbols: &SymbolFile<'_>, caller: &str, callee: &str) -> Vec<Vec<String>> {
    let caller = symbols.symbol(caller).unwrap();
    let callee = symbols.symbol(callee).unwrap().address;
    let returns = (caller.address.0..=caller.address.0 + caller.size).step_by(2);
    let found = returns.map(|address| symbols.tail_calls(Address(address), callee));
    let name = |at: CodeAddress| symbols.function_name(at).unwrap().to_string();
    let found = found.filter(|chain| !chain.is_empty());
    found.map(|chain| chain.into_iter().map(name).collect()).collect()
}

#[test]
fn tail_calls_through_a_declaration_are_found() {
    for level in ["Os", "O2"] {
        let bytes = fixture(&format!("mps2-an385-{level}.elf"));
        let image = ElfImage::parse(&bytes).unwrap();
        let symbols = SymbolFile::new(&image);
        // `accel_submit` ends in `b.w k_work_submit_to_queue`, which is in another unit.
        let found = chains(&symbols, "sensor_thread", "k_work_submit_to_queue");
        assert_eq!(found, [["accel_submit"]], "{level}");
        assert!(chains(&symbols, "sensor_thread", "accel_submit").is_empty(), "{level}");
        assert!(chains(&symbols, "sensor_thread", "k_sem_take").is_empty(), "{level}");
        assert!(
            chains(&symbols, "work_queue_main", "k_work_submit_to_queue").is_empty(),
            "{level}"
        );
    }
}

#[test]
fn tail_calls_from_inlined_code_are_found() {
    let bytes = fixture("mps2-an385-O2.elf");
    let image = ElfImage::parse(&bytes).unwrap();
    let symbols = SymbolFile::new(&image);
    // `z_pend_curr` ends in the inlined `z_swap`, which ends in `b.w arch_swap`.
    assert_eq!(chains(&symbols, "k_mutex_lock", "arch_swap"), [["z_pend_curr"]]);
}

#[test]
fn tail_calls_of_a_damaged_file_do_not_panic() {
    let original = fixture("mps2-an385-Os.elf");
    let image = ElfImage::parse(&original).unwrap();
    let debug =
        image.section(".debug_info").unwrap().as_ptr() as usize - original.as_ptr() as usize;
    let size = image.section(".debug_info").unwrap().len();
    let mut state = 1_u32;
    for _ in 0..40 {
        let mut bytes = original.clone();
        for _ in 0..50 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes[debug + (state >> 4) as usize % size] = (state >> 24) as u8;
        }
        let image = ElfImage::parse(&bytes).unwrap();
        let symbols = SymbolFile::new(&image);
        for caller in ["sensor_thread", "k_sem_take", "k_sleep"] {
            let start = symbols.symbol(caller).unwrap().address.0;
            for callee in ["arch_swap", "k_work_submit_to_queue"] {
                let callee = symbols.symbol(callee).unwrap().address;
                for address in (start..start + 256).step_by(2) {
                    assert!(symbols.tail_calls(Address(address), callee).len() <= MAX_CHAIN);
                }
            }
        }
    }
}

const CALLEE: Address = Address(0x900);

/// Ways over `calls`: function, address behind the jump, target; from function 0x100.
fn in_common(calls: &[(u32, u32, u32)]) -> Option<Vec<u32>> {
    let calls_of = |function: Address| {
        let of_function = calls.iter().filter(|call| call.0 == function.0);
        Some(of_function.map(|call| tail_call(call.1, call.2)).collect())
    };
    let ways = Ways::explore(Address(0x100), CALLEE, calls_of)?;
    Some(ways.in_common(Address(0x100))?.into_iter().map(|at| at.address().0).collect())
}

fn tail_call(at: u32, target: u32) -> TailCall {
    TailCall { at: CodeAddress::Return(Address(at)), target: Address(target) }
}

#[test]
fn ways_with_one_chain_give_all_of_it() {
    let chain = [(0x100, 0x110, 0x200), (0x200, 0x210, 0x300), (0x300, 0x310, 0x900)];
    assert_eq!(in_common(&chain), Some(vec![0x310, 0x210, 0x110]));
    assert_eq!(in_common(&chain[..2]), Some(vec![]), "the callee is not reached");
}

#[test]
fn ways_that_differ_give_what_they_have_in_common() {
    let middle = [
        (0x100, 0x110, 0x200),
        (0x200, 0x210, 0x300),
        (0x200, 0x220, 0x400),
        (0x300, 0x310, 0x500),
        (0x400, 0x410, 0x500),
        (0x500, 0x510, 0x900),
    ];
    assert_eq!(in_common(&middle), Some(vec![0x510, 0x110]));
    let end = [(0x100, 0x110, 0x200), (0x200, 0x210, 0x900), (0x200, 0x220, 0x900)];
    assert_eq!(in_common(&end), Some(vec![0x110]));
    let none = [(0x100, 0x110, 0x900), (0x100, 0x120, 0x900)];
    assert_eq!(in_common(&none), None);
}

#[test]
fn ways_around_a_loop_end() {
    let own = [(0x100, 0x110, 0x100), (0x100, 0x120, 0x900)];
    assert_eq!(in_common(&own), Some(vec![0x120]));
    let two = [(0x100, 0x110, 0x200), (0x200, 0x210, 0x100), (0x200, 0x220, 0x900)];
    assert_eq!(in_common(&two), Some(vec![0x220, 0x110]));
}

#[test]
fn ways_with_an_unknown_jump_are_not_certain() {
    let calls_of = |function: Address| {
        let calls = [tail_call(0x110, 0x900), tail_call(0x120, 0x200)];
        (function == Address(0x100)).then(|| Arc::from(calls))
    };
    assert!(Ways::explore(Address(0x100), CALLEE, calls_of).is_none());
}

#[test]
fn ways_that_are_too_long_or_too_many_are_refused() {
    let line = |length: u32| {
        let mut calls: Vec<_> = (1..length).map(|n| (n << 8, (n << 8) + 2, (n + 1) << 8)).collect();
        calls.push((length << 8, (length << 8) + 2, 0xf000));
        calls.iter().map(|c| (c.0, c.1, if c.2 == 0xf000 { 0x9 } else { c.2 })).collect::<Vec<_>>()
    };
    let common = |calls: &[(u32, u32, u32)]| {
        let calls_of = |function: Address| {
            let of_function = calls.iter().filter(|call| call.0 == function.0);
            Some(of_function.map(|call| tail_call(call.1, call.2)).collect())
        };
        Ways::explore(Address(0x100), Address(9), calls_of)?.in_common(Address(0x100))
    };
    assert_eq!(common(&line(16)).map(|chain| chain.len()), Some(16));
    assert_eq!(common(&line(17)), None);
    // Sixteen functions of which each jumps to the next from four places: 4^16 ways.
    let mut many = Vec::new();
    for (function, _, target) in line(16).into_iter().skip(1) {
        many.extend((1..=4).map(|n| (function, function + 2 * n, target)));
    }
    many.push((0x100, 0x102, 0x200));
    assert_eq!(common(&many), None);
}
