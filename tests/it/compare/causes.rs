//! What the report has to say about the cause of each kind of crash.

use crate::support::manifest::{self, Case};
use std::collections::BTreeSet;

/// The word for a cause in the manifest, and a part of the summary that names it.
const CAUSES: &[(&str, &str)] = &[
    (
        "absent-peripheral",
        "read of 0x5f000004, a peripheral that does not answer in crash_peripheral (trouble.c:",
    ),
    ("assertion", "Assertion failed in crash_assert (sensor.c:"),
    ("bad-function-pointer", "called from crash_badpc (sensor.c:"),
    ("bus-error-write", "write to 0x"),
    ("deadlock", "Deadlock: "),
    ("debugger-halt", "Nothing faulted: the target was halted in "),
    ("divide-by-zero", "Integer division by zero"),
    ("execute-never", "where the MPU forbids execution, called from crash_noexec"),
    ("fault-in-fault-handler", "Double fault: the "),
    ("heap-corrupted", "Heap corruption, noticed by sys_heap_free (heap.c:"),
    ("heap-exhausted", "Out of memory: k_malloc returned NULL"),
    ("interrupt-stack-overflow", "Stack overflow of the exception handlers: "),
    ("mpu-data-access", "Write to read-only memory (write to 0x"),
    ("neighbour-overflow", "Stack overflow in thread accel-workq: accel_ring"),
    ("no-thumb-bit", "Call of double_it"),
    ("null-function-pointer", "Call through a null function pointer"),
    ("null-pointer", "Null pointer dereference"),
    ("panic", "The firmware stopped itself with a panic in crash_panic (sensor.c:"),
    (
        "return-address",
        ": the return address on the stack was overwritten, by or after crash_smash (trouble.c:",
    ),
    ("stack-canary", "A local variable was written past its end in crash_canary (trouble.c:"),
    ("stack-overflow", "Stack overflow in thread {thread}"),
    ("unaligned-access", "Unaligned access"),
    ("undefined-instruction", "Undefined instruction"),
    ("watchdog", "The watchdog ran out while thread sensor ran in wait_for_transfer (trouble.c:"),
];

/// What the summary of `case` has to say; those of other kernels have words of their own.
pub(super) fn summary(case: &Case) -> Option<String> {
    let expected = |key: &str| case.expected()[key].as_str().unwrap_or("");
    let (_, part) = CAUSES.iter().find(|(word, _)| *word == expected("cause"))?;
    Some(part.replace("{thread}", expected("thread")))
}

#[test]
fn every_expected_cause_has_a_row_and_every_row_a_case() {
    let cases = manifest::cases().iter().filter(|case| case.has("expected"));
    let expected: BTreeSet<&str> =
        cases.map(|case| case.expected()["cause"].as_str().unwrap()).collect();
    let rows: BTreeSet<&str> = CAUSES.iter().map(|(word, _)| *word).collect();
    assert_eq!(expected, rows);
}
