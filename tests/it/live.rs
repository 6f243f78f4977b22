//! Every case of the fixtures: captured from QEMU, explained, and compared with GDB's answers.

use crate::compare::{self, Differences};
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::manifest::{self, Case};
use crate::support::program::{mflt, run};
use crate::support::qemu::Qemu;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Differences of one case that are printed; all of them are in the file that is named.
const SHOWN: usize = 12;

macro_rules! images {
    ($($test:ident: $image:literal;)*) => {
        $(
            #[test]
            fn $test() {
                check_image($image);
            }
        )*

        #[test]
        fn every_image_has_its_test() {
            assert_eq!([$($image),*].map(|image| format!("fixtures/elf/{image}.elf")).as_slice(),
                manifest::images());
        }
    };
}

images! {
    microbit_og_is_as_gdb_sees_it: "microbit-Og";
    microbit_os_is_as_gdb_sees_it: "microbit-Os";
    microbit_o2_is_as_gdb_sees_it: "microbit-O2";
    mps2_an385_og_is_as_gdb_sees_it: "mps2-an385-Og";
    mps2_an385_os_is_as_gdb_sees_it: "mps2-an385-Os";
    mps2_an385_o2_is_as_gdb_sees_it: "mps2-an385-O2";
    mps2_an386_og_is_as_gdb_sees_it: "mps2-an386-Og";
    mps2_an386_os_is_as_gdb_sees_it: "mps2-an386-Os";
    mps2_an386_o2_is_as_gdb_sees_it: "mps2-an386-O2";
    mps2_an500_og_is_as_gdb_sees_it: "mps2-an500-Og";
    mps2_an500_os_is_as_gdb_sees_it: "mps2-an500-Os";
    mps2_an500_o2_is_as_gdb_sees_it: "mps2-an500-O2";
    mps2_an505_og_is_as_gdb_sees_it: "mps2-an505-Og";
    mps2_an505_os_is_as_gdb_sees_it: "mps2-an505-Os";
    mps2_an505_o2_is_as_gdb_sees_it: "mps2-an505-O2";
}

/// Captures what `qemu` has and explains it.
pub(crate) fn capture_and_analyze(
    qemu: &Qemu,
    case: &Case,
    folder: &Folder,
) -> Result<Value, String> {
    let core = folder.file(&format!("{}.core", case.id()));
    capture(qemu, case, &core)?;
    analyze(&core, case)
}

/// Captures what `qemu` has into a file.
pub(crate) fn capture(qemu: &Qemu, case: &Case, core: &Path) -> Result<(), String> {
    let mut command = mflt();
    command.args(["coredump", "--gdb", &qemu.server(), "--elf"]).arg(file(case.elf()));
    run(command.arg("-o").arg(core)).success("mflt coredump").map(drop)
}

/// Explains a core of the case.
pub(crate) fn analyze(core: &Path, case: &Case) -> Result<Value, String> {
    let mut command = mflt();
    command.arg("analyze").arg(core).arg("--elf").arg(file(case.elf())).arg("--json");
    let json = run(&mut command).success("mflt analyze")?;
    serde_json::from_str(&json).map_err(|error| format!("the report is not JSON: {error}"))
}

fn check_image(image: &str) {
    let elf = format!("fixtures/elf/{image}.elf");
    let cases: Vec<&Case> =
        manifest::cases().iter().filter(|c| c.elf() == elf && c.is_runnable()).collect();
    assert!(!cases.is_empty(), "the manifest has no case of {elf}");
    let folder = Folder::new();
    let (mut tally, mut shown, mut all) = (BTreeMap::new(), String::new(), String::new());
    let (mut failed, mut errors, mut clobbered) = (0, 0, 0);
    for case in &cases {
        let found = check_case(case, &folder);
        errors += found.errors_skipped;
        clobbered += found.clobbered_left_out;
        if found.is_empty() {
            continue;
        }
        failed += 1;
        found.count_into(&mut tally);
        let _ = write!(shown, "  {}\n{}", case.id(), found.text(SHOWN));
        let _ = write!(all, "  {}\n{}", case.id(), found.text(usize::MAX));
    }
    // What is not compared has to stay rare: the oracles have 8 and 60 of these in all.
    assert!(errors <= 4 && clobbered <= 40, "{errors} errors and {clobbered} clobbered values");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("differences-{image}.txt"));
    if failed == 0 {
        // That of an earlier run would mislead.
        let _ = fs::remove_file(&path);
        return;
    }
    let _ = fs::write(&path, all);
    panic!(
        "{} of {} cases are as GDB sees them\n{shown}  by kind: {tally:?}\n  \
        not compared: {errors} errors, {clobbered} clobbered values\n  in full: {}",
        cases.len() - failed,
        cases.len(),
        path.display()
    );
}

fn check_case(case: &Case, folder: &Folder) -> Differences {
    let report = Qemu::at_stop(case).and_then(|qemu| capture_and_analyze(&qemu, case, folder));
    match report {
        Ok(report) => compare::report(&report, &case.oracle(), case),
        Err(error) => {
            let mut found = Differences::default();
            found.add("run", error);
            found
        }
    }
}
