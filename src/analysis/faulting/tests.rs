//! Names of pointers in real code: the crashes of the fixtures on every core.

use crate::analysis::tests::report;
use crate::analysis::{Options, analyze};
use crate::base::Address;
use crate::snapshot::{Register, Snapshot};
use crate::symbols::{ElfImage, SymbolFile};

const BOARDS: [&str; 5] = ["microbit", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505"];

#[track_caller]
fn check(board: &str, case: &str, expected: &str) {
    let cause = report(board, case).cause;
    let said = format!("{}\n{}", cause.summary, cause.evidence.join("\n"));
    assert!(said.contains(expected), "{board} {case}: {expected} not in\n{said}");
}

#[test]
fn null_pointer_and_what_it_was_to_reach_are_named() {
    for board in BOARDS {
        check(board, "nullptr", "Null pointer dereference of `parent` (");
        check(board, "nullptr", "`parent->bias.z`");
        check(
            board,
            "nullptr",
            "(`parent`) = 0x00000000, loaded from [r0, #12] (`dev->parent`) at 0x",
        );
    }
}

#[test]
fn function_pointer_of_a_wild_call_is_named() {
    for board in BOARDS {
        check(board, "badpc", "the call went through r3 (`plugin`) = 0x0badcafe, loaded from");
    }
}

#[test]
fn divisor_that_was_zero_is_named() {
    for board in BOARDS.iter().filter(|board| **board != "microbit") {
        check(board, "divzero", "Integer division by zero (`parts` is 0)");
    }
}

#[test]
fn element_of_a_global_is_named_by_its_address() {
    for board in BOARDS.iter().filter(|board| **board != "microbit") {
        check(board, "mpu", "(`g_calibration_table[2]`)");
    }
}

#[test]
fn assertion_is_told_with_its_condition_its_message_and_its_place() {
    for board in BOARDS {
        check(board, "assert", "(sensor.c:144) in thread sensor: `seed < limit`");
        check(board, "assert", "message: sample 80 of accel0 out of range");
        check(board, "assert", "assert_post_action was given src/sensor.c:144");
    }
}

/// The evidence for the assertion of `fixtures/zephyr/old/assert.c`.
fn evidence_of_assertion(stack: &[&str]) -> Vec<String> {
    let image = ElfImage::parse(include_bytes!("../../../fixtures/zephyr/old.elf")).unwrap();
    let symbols = SymbolFile::new(&image);
    let at = |name: &str| symbols.symbol(name).unwrap().address.0;
    let word =
        |word: &&str| word.parse().unwrap_or_else(|_| at(word) | u32::from(word.contains("after")));
    let words: Vec<u8> = stack.iter().flat_map(|name| word(name).to_le_bytes()).collect();
    let mut snapshot = Snapshot::default();
    snapshot.memory.insert(Address(0x2000_4000), words).unwrap();
    let start = [
        (Register::PC, at("assert_post_action") + 2),
        (Register::LR, at("after_assert") | 1),
        (Register::SP, 0x2000_4000),
    ];
    for (register, value) in start {
        snapshot.registers.set(register, value);
    }
    let options = Options { globals: false, locals: false, ..Options::default() };
    let report = analyze(&snapshot, &[symbols], &options);
    let mut evidence = report.cause.evidence;
    evidence.push(report.cause.summary);
    evidence
}

#[test]
fn argument_that_only_the_caller_still_holds_is_told() {
    // r4 of `caller`'s caller, back to `caller`; name and count; a word; the end.
    let stack = ["7", "after_check", "queue_name", "3", "0", "0"];
    let told = evidence_of_assertion(&stack);
    let has = |text: &str| told.iter().any(|line| line.contains(text));
    assert!(has("message: queue rx holds 3"), "{told:#?}");
    assert!(has("`queue->count == 0`"), "{told:#?}");
    assert!(has("assert_post_action was given queue.c:12"), "{told:#?}");
}
