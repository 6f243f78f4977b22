//! The shipped program and probe-rs' driver, with a Black Magic Probe on the network.

use super::remote::{DIALECTS, Dialect, Remote};
use super::{M3, chip};
use crate::live;
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::manifest;
use crate::support::program::{Output, mflt, run};
use mflt::format;
use mflt::symbols::ElfImage;
use serde_json::Value;
use std::path::Path;

/// The protocol of the firmware that is shipped now.
const CURRENT: &Dialect = &DIALECTS[DIALECTS.len() - 1];

/// Registers that QEMU 7 does not show.
const HIDDEN: [&str; 6] = ["primask", "basepri", "faultmask", "control", "msp", "psp"];

fn coredump(remote: &Remote, core: &Path, more: &[&str]) -> Output {
    let mut command = mflt();
    command.args(["coredump", "--probe", &remote.selector, "--chip", "Cortex-M3", "--elf"]);
    run(command.arg(file(manifest::case(M3).elf())).arg("-o").arg(core).args(more))
}

/// A report as it is without those registers, without DHCSR, which QEMU lacks, and without what a
/// frame says that was found without PSP.
fn as_qemu_shows(mut report: Value) -> Value {
    assert!(report["fault"]["registers"]["DHCSR"].is_string());
    report["fault"]["registers"]["DHCSR"] = Value::Null;
    for absent in ["masks", "not_captured"] {
        report["interrupts"][absent] = Value::Null;
    }
    for thread in report["threads"].as_array_mut().unwrap() {
        hide(&mut thread["registers"]);
        for frame in thread["frames"].as_array_mut().unwrap() {
            hide(&mut frame["registers"]);
            frame["remark"] = Value::Null;
        }
    }
    report
}

fn hide(registers: &mut Value) {
    if let Some(registers) = registers.as_object_mut() {
        registers.retain(|name, _| !HIDDEN.contains(&name.as_str()));
    }
}

#[test]
fn every_protocol_gives_the_report_of_the_capture_over_gdb() {
    let case = manifest::case(M3);
    let folder = Folder::new();
    let over_gdb = as_qemu_shows(live::analyze(&file(case.text("core")), case).unwrap());
    for dialect in &DIALECTS {
        let remote = Remote::new(chip(case), dialect);
        let core = folder.file("probe.core");
        let output = coredump(&remote, &core, &[]);
        assert_eq!(output.code, Some(0), "{dialect:?}: {}", output.stderr);
        let report = as_qemu_shows(live::analyze(&core, case).unwrap());
        for (part, expected) in over_gdb.as_object().unwrap() {
            // How it was captured, and what else was.
            if !["device", "memory", "notes"].contains(&part.as_str()) {
                assert_eq!(&report[part], expected, "{dialect:?}: {part}");
            }
        }
        let chip = remote.chip();
        assert!(!chip.halted && !chip.debug_enabled && chip.runs > 0, "it runs again");
        assert!(chip.resets == 0, "nothing was reset");
    }
}

#[test]
fn hole_in_memory_is_a_gap_of_the_capture() {
    // Bit by bit probe-rs sees faults itself.
    let mut holed = chip(manifest::case(M3));
    holed.holes.push(0x2000_0104..0x2000_0108);
    let remote = Remote::new(holed, &DIALECTS[0]);
    let folder = Folder::new();
    let core = folder.file("holed.core");
    let output = coredump(&remote, &core, &["-r", "0x20000000", "1K"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output.stderr.contains("0x20000104..0x20000107 could not be read: a fault"),
        "{output:?}"
    );
}

#[test]
fn reset_pin_halts_the_core_at_its_first_instruction() {
    let case = manifest::case(M3);
    let remote = Remote::new(chip(case), CURRENT);
    let folder = Folder::new();
    let core = folder.file("reset.core");
    let output = coredump(&remote, &core, &["--connect-under-reset"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let elf = std::fs::read(file(case.elf())).unwrap();
    let entry = ElfImage::parse(&elf).unwrap().entry().0 & !1;
    let captured = format::open(&std::fs::read(&core).unwrap()).unwrap();
    assert_eq!(captured.registers.pc(), Some(entry));
    assert!(!remote.chip().halted, "it runs on");
}

#[test]
fn what_keeps_from_capturing_is_one_error_with_a_hint() {
    let case = manifest::case(M3);
    let folder = Folder::new();
    let core = folder.file("no.core");
    let fails = |remote: &Remote, says: &str, hint: &str| {
        let output = coredump(remote, &core, &[]);
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        assert!(output.stderr.contains(says), "{says}: {}", output.stderr);
        assert!(output.stderr.contains(&format!("hint: {hint}")), "{hint}: {}", output.stderr);
        assert!(!core.exists());
    };
    let mut asleep = chip(case);
    asleep.asleep = true;
    fails(&Remote::new(asleep, CURRENT), "no target answers: ", "check wiring and power");
    let mut other = chip(case);
    other.set_cpuid(0x410c_c200);
    let remote = Remote::new(other, CURRENT);
    fails(&remote, "this is no Cortex-M3: a Cortex-M0 answers", "name the chip");
    assert!(!remote.chip().halted, "it goes on");
    let second = Remote::new(chip(case), CURRENT);
    let output = coredump(&second, &core, &["--core", "1"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("only the first core can be read"), "{}", output.stderr);
    assert!(output.stderr.contains("hint: its own GDB server"), "{}", output.stderr);
    let mut gone = remote;
    gone.selector = "1d50:6018:127.0.0.1:1".to_string();
    fails(&gone, "no such debug probe", "is it plugged in?");
}

#[test]
fn target_that_is_lost_leaves_what_was_captured() {
    let case = manifest::case(M3);
    let mut cut = chip(case);
    cut.accesses_left = 12_000;
    let folder = Folder::new();
    let core = folder.file("part.core");
    let remote = Remote::new(cut, CURRENT);
    let output = coredump(&remote, &core, &["-r", "0x20000000", "64K"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let part = format::open(&std::fs::read(&core).unwrap()).unwrap();
    assert_eq!(part.origin.complete, Some(false));
    assert!(part.registers.pc().is_some() && part.memory.size() > 1000, "{}", output.stderr);
}
