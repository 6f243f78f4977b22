//! Names of pointers in real code: the crashes of the fixtures on every core.

use crate::analysis::tests::report;

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
