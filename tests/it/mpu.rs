//! Captures with `--mpu`: every region comes along, and the report names the one that refused.

use crate::support::board::{Board, Left, Writes};
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::manifest::{self, Case};
use crate::support::program::{Output, mflt, run};
use crate::support::qemu::Qemu;
use mflt::report::Report;
use std::path::Path;

/// A write to constants in flash, by the thread `sensor`.
const ARMV7M: &str = "mps2-an385-Og-mpu";
const ARMV8M: &str = "mps2-an505-Og-mpu";

/// The board of `case`, with the regions that fixtures/firmware/src/mpu.c sets.
fn board(case: &Case, writes: Writes) -> Board {
    let armv8m = case.id() == ARMV8M;
    let mut regions = if armv8m {
        vec![
            (0x1000_0000 | 3 << 1, 0x103f_ffe1),
            (0x3800_0000 | 1 << 1 | 1, 0x381f_ffe1),
            (0x4000_0000 | 1 << 1 | 1, 0x5fff_ffe1),
            (0x1f00_1000 | 1 << 1 | 1, 0x1f00_2fe1),
        ]
    } else {
        let size = |log2: u32| (log2 - 1) << 1 | 1;
        let (all, none, read_only, never) = (3 << 24, 0, 6 << 24, 1 << 28);
        vec![
            (0x0000_0000, read_only | size(22)),
            (0x2000_0000, all | never | size(22)),
            (0x4000_0000, all | never | size(29)),
            (0x0000_0000, none | never | size(7)),
            (0x6000_1000, all | never | size(16)),
            (0, 0),
            (0, 0),
            // Privileged read-only: the guard below the stack of the running thread.
            (0x2000_1f00, 5 << 24 | never | size(5)),
        ]
    };
    regions.resize(if armv8m { 16 } else { 8 }, (0, 0));
    let core = std::fs::read(file(case.text("core"))).unwrap();
    let core = mflt::format::open(&core).unwrap();
    let selected = if armv8m { 3 } else { 7 };
    Board { armv8m, regions, selected, ..Board::new(core, writes) }
}

fn capture(server: &str, case: &Case, core: &Path, more: &[&str]) -> Output {
    let mut command = mflt();
    command.args(["coredump", "--gdb", server, "--elf"]).arg(file(case.elf()));
    run(command.arg("-o").arg(core).args(more))
}

fn analyze(case: &Case, core: &Path) -> Report {
    let mut command = mflt();
    command.arg("analyze").arg(core).arg("--elf").arg(file(case.elf())).arg("--json");
    serde_json::from_str(&run(&mut command).success("mflt analyze").unwrap()).unwrap()
}

/// Captures from the board and explains the core.
fn session(case: &Case, writes: Writes, more: &[&str]) -> (Output, Report, Left) {
    let folder = Folder::new();
    let core = folder.file("x.core");
    let (server, thread) = board(case, writes).serve();
    let output = capture(&server, case, &core, more);
    let left = thread.join().unwrap();
    let report = analyze(case, &core);
    (output, report, left)
}

fn has_mpu_note(report: &Report) -> bool {
    report.notes.iter().any(|note| note.code == "mpu_regions")
}

#[test]
fn every_region_is_captured_and_the_one_that_refused_is_named() {
    let armv7m = "MPU region 0 (0x00000000..0x003fffff, privileged read-only, unprivileged \
                  read-only) forbids a write to 0x";
    let armv8m = "MPU region 0 (0x10000000..0x103fffff, privileged read-only, unprivileged \
                  read-only) forbids a write to 0x";
    for (id, count, selected, told) in [(ARMV7M, 8, 7, armv7m), (ARMV8M, 16, 3, armv8m)] {
        let case = manifest::case(id);
        let (output, report, left) = session(case, Writes::Taken, &["--mpu", "--strict"]);
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(output.stderr.contains("MPU_RNR is written"), "{}", output.stderr);
        assert!(report.cause.evidence.iter().any(|text| text.starts_with(told)), "{report:#?}");
        assert!(!has_mpu_note(&report));
        let mpu = report.mpu.unwrap();
        assert_eq!((mpu.count, mpu.regions.len()), (Some(count), usize::from(count)));
        assert!((0..count).eq(mpu.regions.iter().map(|region| region.number)));
        assert!(mpu.regions[3].enabled && !mpu.regions[5].enabled);

        let numbers = (0..u32::from(count)).chain([selected]);
        let expected: Vec<String> =
            numbers.map(|number| format!("Me000ed98,4:{:08x}", number.swap_bytes())).collect();
        assert_eq!(left.written, expected, "MPU_RNR, region by region, and nothing else");
        assert_eq!(left.selected, selected, "what the program had selected");
    }
}

#[test]
fn capture_without_the_option_writes_nothing_and_the_report_tells_of_it() {
    let (_, report, left) = session(manifest::case(ARMV7M), Writes::Taken, &[]);
    assert_eq!(left.written, [""; 0]);
    assert!(has_mpu_note(&report), "{:#?}", report.notes);
    assert_eq!(report.mpu.unwrap().regions.len(), 1);
}

#[test]
fn server_that_ignores_writes_leaves_the_selected_region_and_a_remark() {
    let more = ["--mpu", "--strict"];
    let (output, report, left) = session(manifest::case(ARMV7M), Writes::Ignored, &more);
    assert_eq!(output.code, Some(3), "{output:?}");
    let told = "the server ignores writes to MPU_RNR";
    assert_eq!(output.stderr.matches(told).count(), 1, "{}", output.stderr);
    assert!(report.notes.iter().any(|note| note.text.starts_with(told)), "{:#?}", report.notes);
    let numbers: Vec<u8> = report.mpu.unwrap().regions.iter().map(|r| r.number).collect();
    assert_eq!((numbers, left.selected), (vec![7], 7));
}

#[test]
fn qemu_ignores_the_writes_and_nothing_else_is_lost() {
    let case = manifest::case(ARMV7M);
    let folder = Folder::new();
    let core = folder.file("x.core");
    let qemu = Qemu::at_stop(case).unwrap();
    let output = capture(&qemu.server(), case, &core, &["--mpu"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains("ignores writes to MPU_RNR"), "{}", output.stderr);
    let report = analyze(case, &core);
    assert_eq!(report.mpu.unwrap().regions.len(), 1);
    assert!(report.threads.len() > 3, "{:#?}", report.threads);
}
