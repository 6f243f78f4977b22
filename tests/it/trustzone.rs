//! Two images in two worlds: cores of `fixtures/trustzone` against GDB's frames.
//!
//! The oracle crossed the worlds with the stack pointers that the fault handler wrote down; QEMU 7
//! does not show them, so that the cores lack them and they have to be found.

use crate::compare::{Differences, array, frames};
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::manifest;
use crate::support::program::{mflt, run};
use mflt::format::{self, elf_core};
use mflt::snapshot::Register;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Modes with the title of the report.
fn modes() -> Vec<(String, String)> {
    let cases = manifest::tables("fixtures/trustzone/manifest.toml", "case");
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let modes: Vec<_> =
        cases.iter().map(|case| (text(&case["mode"]), text(&case["title"]))).collect();
    assert_eq!(modes.len(), 7);
    modes
}

fn of_mode(mode: &str, ending: &str) -> std::path::PathBuf {
    file(&format!("fixtures/trustzone/{mode}.{ending}"))
}

fn oracle(mode: &str) -> Value {
    serde_json::from_slice(&fs::read(of_mode(mode, "json")).unwrap()).unwrap()
}

fn analyze(core: &Path, elfs: &[&str]) -> Result<Value, String> {
    let mut command = mflt();
    command.arg("analyze").arg(core).arg("--json");
    for elf in elfs {
        command.arg("--elf").arg(file(&format!("fixtures/trustzone/{elf}.elf")));
    }
    let json = run(&mut command).success("mflt analyze")?;
    serde_json::from_str(&json).map_err(|error| error.to_string())
}

fn context(report: &Value, exception: u64) -> &Value {
    let id = format!("exception {exception}");
    let is_meant = |thread: &&Value| match exception {
        0 => thread["state"] != "handler",
        _ => thread["id"] == *id,
    };
    array(&report["threads"]).iter().find(is_meant).unwrap_or(&Value::Null)
}

/// GDB names libgcc's assembly relative to the folder of its build, we by the whole path. And what
/// the oracle marks as taken from registers that a call destroys tells nothing.
fn without_what_gdb_cannot_know(ours: &[Value], gdb: &[Value]) -> Vec<Value> {
    let mut gdb = gdb.to_vec();
    for (ours, gdb) in ours.iter().zip(&mut gdb) {
        let path = |frame: &Value| frame["file"].as_str().unwrap_or("").to_string();
        if gdb["function"] == "__gnu_cmse_nonsecure_call" && path(ours).ends_with(&path(gdb)) {
            gdb["file"] = ours["file"].clone();
        }
        for theirs in ["args", "locals"] {
            let variables = gdb[theirs].as_array_mut().into_iter().flatten();
            for unknown in variables.filter(|variable| variable["clobbered"] == true) {
                unknown["status"] = "error".into();
            }
        }
    }
    gdb
}

fn compare(report: &Value, gdb: &Value, found: &mut Differences) {
    for expected in array(&gdb["contexts"]) {
        let exception = expected["exception"].as_u64().unwrap();
        let at = found.enter(&format!("exception {exception}"));
        let ours = array(&context(report, exception)["frames"]);
        let expected = without_what_gdb_cannot_know(ours, array(&expected["frames"]));
        frames::compare(ours, &expected, None, found);
        for (ours, expected) in ours.iter().zip(&expected) {
            for key in ["world", "image"] {
                found.equal("world", key, &ours[key], &expected[key]);
            }
        }
        found.leave(at);
    }
}

#[test]
fn frames_of_both_worlds_are_as_gdb_sees_them() {
    let mut failures = String::new();
    for (mode, title) in modes() {
        let report = analyze(&of_mode(&mode, "core"), &["nonsecure", "secure"]).unwrap();
        let mut found = Differences::default();
        found.equal("title", "title", &report["title"], &Value::from(title));
        compare(&report, &oracle(&mode), &mut found);
        if !found.is_empty() {
            failures += &format!("{mode}\n{}", found.text(40));
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn banked_stack_pointers_of_the_dump_are_used() {
    let folder = Folder::new();
    for (mode, _) in modes() {
        let gdb = oracle(&mode);
        let Some(banks) = gdb["contexts"][0]["banks"].as_object() else { continue };
        let mut snapshot = format::open(&fs::read(of_mode(&mode, "core")).unwrap()).unwrap();
        for (name, value) in banks {
            if let Some(register) = Register::from_name(name) {
                snapshot.registers.set(register, manifest::hex(value.as_str().unwrap()));
            }
        }
        let core = folder.file("banked.core");
        fs::write(&core, elf_core::write(&snapshot).unwrap()).unwrap();
        let report = analyze(&core, &["secure", "nonsecure"]).unwrap();
        let mut found = Differences::default();
        compare(&report, &gdb, &mut found);
        assert!(found.is_empty(), "{mode}\n{}", found.text(40));
        let frames = array(&report["threads"]).iter().flat_map(|t| array(&t["frames"]));
        for frame in frames {
            assert_eq!(frame["remark"], Value::Null, "{mode}: {frame}");
        }
    }
}

#[test]
fn secure_fault_is_told_in_words() {
    let elfs = ["secure", "nonsecure"];
    let report = analyze(&of_mode("secure-fault", "core"), &elfs).unwrap();
    let summary = report["cause"]["summary"].as_str().unwrap();
    assert!(summary.starts_with("Non-secure access to secure memory: read of 0x38000108"));
    assert_eq!(report["category"], "SecureFault");
    let report = analyze(&of_mode("bad-gate", "core"), &elfs).unwrap();
    let summary = report["cause"]["summary"].as_str().unwrap();
    assert_eq!(summary, "Call of secure code past its SG instruction, from run+80, in secure_mode");
    let report = analyze(&of_mode("callback", "core"), &elfs).unwrap();
    assert_eq!(report["fault"]["registers"]["CFSR_NS"], "0x00010000");
    assert_eq!(report["fault"]["escalated_from"], "UsageFault");
}

#[test]
fn one_image_alone_shows_its_own_frames() {
    let core = of_mode("callback", "core");
    let report = analyze(&core, &["secure"]).unwrap();
    assert_eq!(report["symbols"].as_array().unwrap().len(), 1);
    assert_eq!(context(&report, 3)["frames"][0]["function"], "arch_system_halt");
    let halted = analyze(&of_mode("ns-halt", "core"), &["nonsecure"]).unwrap();
    let thread = context(&halted, 0);
    assert_eq!(thread["frames"][0]["function"], "halt_here");
    assert_eq!(thread["unwind_ended"], "the caller is secure code; its stack is not in the dump");
}

#[test]
fn image_of_another_build_is_refused_by_its_name() {
    let mut command = mflt();
    command.arg("analyze").arg(of_mode("callback", "core"));
    command.arg("--elf").arg(file("fixtures/trustzone/secure.elf"));
    command.arg("--elf").arg(file("fixtures/elf/mps2-an505-Og.elf"));
    let error = run(&mut command).success("mflt analyze").unwrap_err();
    assert!(error.contains("mps2-an505-Og.elf` is not the firmware of this dump"), "{error}");
}
