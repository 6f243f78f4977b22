//! Targets that stand at the first instruction of a fault handler, as a debugger with vector
//! catch leaves them: nothing of the handler has run, and only the exception frame tells.

use crate::compare::{self, Differences};
use crate::live::capture_and_analyze;
use crate::support::elf::symbol;
use crate::support::folder::Folder;
use crate::support::manifest;
use crate::support::qemu::Qemu;

/// Where exceptions that end in the fatal handler begin.
const VECTORS: [&str; 5] =
    ["z_arm_hard_fault", "z_arm_mpu_fault", "z_arm_bus_fault", "z_arm_usage_fault", "z_arm_svc"];

fn check(id: &str) {
    let case = manifest::case(id);
    let vectors: Vec<u32> = VECTORS.iter().filter_map(|name| symbol(case.elf(), name)).collect();
    assert!(!vectors.is_empty(), "{} has no vectors", case.elf());
    let folder = Folder::new();
    let qemu = Qemu::at(case, &vectors, 1).unwrap();
    let report = capture_and_analyze(&qemu, case, &folder).unwrap();
    let mut found = Differences::default();
    compare::crash_alone(&report, &case.oracle(), case, &mut found);
    assert!(found.is_empty(), "{id}\n{}", found.text(40));
}

macro_rules! cases {
    ($($test:ident: $id:literal;)*) => {
        $(
            #[test]
            fn $test() {
                check($id);
            }
        )*
    };
}

cases! {
    hard_fault_on_cortex_m0_is_explained_at_its_vector: "microbit-Og-nullptr";
    bad_pc_on_cortex_m3_is_explained_at_its_vector: "mps2-an385-Og-badpc";
    mpu_fault_on_cortex_m3_is_explained_at_its_vector: "mps2-an385-Os-mpu";
    stack_overflow_on_cortex_m3_is_explained_at_its_vector: "mps2-an385-Og-stackoverflow";
    panic_on_cortex_m3_is_explained_at_its_vector: "mps2-an385-O2-panic";
    float_context_on_cortex_m4_is_explained_at_its_vector: "mps2-an386-Og-fpu";
    division_on_cortex_m7_is_explained_at_its_vector: "mps2-an500-Os-divzero";
    handler_crash_on_cortex_m33_is_explained_at_its_vector: "mps2-an505-Og-isr";
}
