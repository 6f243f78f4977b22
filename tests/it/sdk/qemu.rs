//! The demo of the SDK on three boards in QEMU: what it logs is found in a capture.

use super::host::WARNINGS;
use crate::compare::array;
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::program::{mflt, run};
use crate::support::qemu::Qemu;
use crate::support::serial::Serial;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Cortex-M3, M4 with FPU, M33.
const BOARDS: [&str; 3] = ["mps2-an385", "mps2-an386", "mps2-an505"];

/// Builds the demo for a board.
fn build(folder: &Folder, board: &str, options: &[&str]) -> PathBuf {
    let out = folder.file(&format!("{board}.elf"));
    let mut command = Command::new("sh");
    command.arg(file("sdk/examples/qemu/build.sh")).arg(board).arg(&out).args(options);
    run(&mut command).success("sdk/examples/qemu/build.sh").unwrap();
    out
}

/// Captures the device as it is now, and explains it.
fn captured(qemu: &Qemu, elf: &Path, folder: &Folder) -> Value {
    let core = folder.file("captured.core");
    let mut command = mflt();
    command.args(["coredump", "--gdb", &qemu.server(), "--elf"]).arg(elf).arg("-o").arg(&core);
    run(&mut command).success("mflt coredump").unwrap();
    let mut command = mflt();
    command.arg("analyze").arg(&core).arg("--elf").arg(elf).arg("--json");
    serde_json::from_str(&run(&mut command).success("mflt analyze").unwrap()).unwrap()
}

/// The lines that the device said it logged.
fn printed(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split("log: ").nth(1)).collect()
}

fn crash(serial: &mut Serial) -> String {
    let mut text = serial.command("measure", "> ");
    text += &serial.command("reset", "> ");
    assert!(text.contains("log kept"), "{text}");
    text += &serial.command("measure", "> ");
    text + &serial.command("crash call", "fault\n")
}

#[test]
fn last_lines_of_the_log_are_those_that_the_device_printed() {
    for (board, compact) in BOARDS.iter().flat_map(|board| [(board, false), (board, true)]) {
        let folder = Folder::new();
        let compact_option = format!("-DMFLT_LOG_COMPACT={}", u8::from(compact));
        let elf = build(&folder, board, &["-DMFLT_LOG_SIZE=2048", &compact_option]);
        let (qemu, mut serial) = Qemu::with_serial(board, &elf);
        let text = crash(&mut serial);
        let report = captured(&qemu, &elf, &folder);
        let logs = array(&report["logs"]);
        let held: Vec<&str> = logs.iter().map(|line| line["text"].as_str().unwrap()).collect();
        let said = printed(&text);
        assert_eq!(said.len(), 81);
        // With 2 KiB: some lines as text; of the compact ones also some from before the reset.
        let reset = held.iter().position(|line| *line == "-- reset --");
        let (before, since) = held.split_at(reset.map_or(0, |at| at + 1));
        assert!(said.ends_with(since), "{board}: {held:#?}");
        if compact {
            let before = &before[..before.len() - 1];
            assert!(since.len() == 41 && before.len() > 10, "{board}: {held:#?}");
            assert!(said[..40].ends_with(before), "{board}: {held:#?}");
            let last = logs.last().unwrap();
            assert!(last["module"].as_str().unwrap().starts_with("main.c:"), "{last}");
        } else {
            assert!(since.len() > 25, "{board}: {held:#?}");
        }
        assert_eq!(logs.last().unwrap()["level"], "err");
        assert!(logs.iter().any(|line| line["level"] == "wrn"));
        let seconds = |line: &Value| line["seconds"].as_f64().unwrap();
        let since = &logs[before.len()..];
        assert!(since.is_sorted_by_key(seconds), "{board}: {since:?}");
        assert_eq!(array(&report["notes"]).iter().find(|note| note["code"] == "log_ring"), None);
    }
}

#[test]
fn log_without_its_memory_or_its_elf_is_a_note_or_an_address() {
    let folder = Folder::new();
    let elf = build(&folder, BOARDS[0], &["-DMFLT_LOG_COMPACT=1"]);
    let (qemu, mut serial) = Qemu::with_serial(BOARDS[0], &elf);
    serial.command("measure", "> ");
    captured(&qemu, &elf, &folder);
    let core = folder.file("captured.core");
    let analyze = |core: &Path, elf: &Path| -> Value {
        let mut command = mflt();
        command.arg("analyze").arg(core).arg("--elf").arg(elf).arg("--json");
        serde_json::from_str(&run(&mut command).success("mflt analyze").unwrap()).unwrap()
    };
    let redacted = folder.file("redacted.core");
    let mut convert = mflt();
    convert.arg("convert").arg(&core).arg(&redacted).arg("--elf").arg(&elf);
    run(convert.args(["--redact", "mflt_log_memory"])).success("mflt convert").unwrap();
    let report = analyze(&redacted, &elf);
    let notes = array(&report["notes"]);
    let note = notes.iter().find(|note| note["code"] == "log_ring").unwrap();
    assert_eq!(note["text"], "the log of the SDK is not in the dump");
    assert_eq!(array(&report["logs"]).len(), 0);

    let stripped = folder.file("stripped.elf");
    let mut objcopy = Command::new("arm-none-eabi-objcopy");
    objcopy.args(["--remove-section", "log_fmt"]).arg(&elf).arg(&stripped);
    run(&mut objcopy).success("arm-none-eabi-objcopy").unwrap();
    let report = analyze(&core, &stripped);
    let text = report["logs"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("format 0xf00000") && text.ends_with(" is not in the ELF"), "{text}");
}

/// Every core that the SDK is for, with what its compiler needs to know.
const CORES: [&[&str]; 8] = [
    &["-mcpu=cortex-m0"],
    &["-mcpu=cortex-m0plus"],
    &["-mcpu=cortex-m3"],
    &["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
    &["-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16"],
    &["-mcpu=cortex-m23"],
    &["-mcpu=cortex-m33", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"],
    &["-mcpu=cortex-m55", "-mfloat-abi=hard", "-mfpu=auto"],
];

#[test]
fn sources_build_for_every_core_without_a_warning() {
    for folder in ["sdk/src", "sdk/ports/cortex_m"] {
        let sources = std::fs::read_dir(file(folder)).unwrap().map(|entry| entry.unwrap().path());
        let sources: Vec<_> =
            sources.filter(|path| path.extension().is_some_and(|end| end == "c")).collect();
        assert!(!sources.is_empty());
        for (core, standard) in CORES.iter().flat_map(|core| [(core, "c99"), (core, "c11")]) {
            let mut command = Command::new("arm-none-eabi-gcc");
            command.args(*core).args(["-mthumb", "-ffreestanding", "-Os", "-fsyntax-only"]);
            command.arg(format!("-std={standard}")).args(WARNINGS);
            command.arg("-I").arg(file("sdk/include")).args(&sources);
            run(&mut command).success("arm-none-eabi-gcc").unwrap();
        }
    }
}
