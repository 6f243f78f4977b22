//! Cores as a plain script writes them: RAM and sixteen registers. No MSP and PSP, no System
//! Control Space, no floating-point registers, no notes of ours.

use crate::compare::{self, Differences};
use crate::live::analyze;
use crate::support::file;
use crate::support::manifest;

#[test]
fn plain_cores_have_gdbs_frames_and_threads() {
    let cases = manifest::cases().iter().filter(|case| case.has("plain_core"));
    let mut failures = String::new();
    let mut count = 0;
    for case in cases {
        count += 1;
        let report = analyze(&file(case.text("plain_core")), case).unwrap();
        let mut found = Differences::default();
        found.without_float = true;
        let gdb = case.oracle();
        compare::crash_alone(&report, &gdb, case, &mut found);
        compare::threads(&report, &gdb, &mut found);
        if !found.is_empty() {
            failures += &format!("  {}\n{}", case.text("plain_core"), found.text(40));
        }
    }
    assert_eq!(count, 3, "plain cores in the manifest");
    assert!(failures.is_empty(), "\n{failures}");
}
