//! The demo of the SDK on three boards in QEMU: what it logs is found in a capture.

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
pub(super) const BOARDS: [&str; 3] = ["mps2-an385", "mps2-an386", "mps2-an505"];

/// Room for a coredump of the demo.
pub(super) const STORAGE: &str = "-DMFLT_COREDUMP_RAM_SIZE=16384";

/// Builds the demo for a board.
pub(super) fn build(folder: &Folder, board: &str, options: &[&str]) -> PathBuf {
    build_in(folder, board, options, &[])
}

/// The same with variables of the environment.
pub(super) fn build_in(
    folder: &Folder,
    board: &str,
    options: &[&str],
    variables: &[(&str, &Path)],
) -> PathBuf {
    let out = folder.file(&format!("{board}.elf"));
    let mut command = Command::new("sh");
    command.arg(file("sdk/examples/qemu/build.sh")).arg(board).arg(&out).args(options);
    command.envs(variables.iter().copied());
    run(&mut command).success("sdk/examples/qemu/build.sh").unwrap();
    out
}

/// Everything that waits to be sent, as the device prints it; it is delivered.
pub(super) fn exported(serial: &mut Serial) -> String {
    let mut printed = String::new();
    loop {
        printed += &serial.command("export", "> ");
        if serial.command("delivered", "> ").contains("nothing is left") {
            return printed;
        }
    }
}

/// The value of a metric of a message.
pub(super) fn metric(message: &Value, name: &str) -> Value {
    let metrics = array(&message["metrics"]);
    let found = metrics.iter().find(|metric| metric["name"] == name);
    found.unwrap_or_else(|| panic!("{name}: {metrics:?}"))["value"].clone()
}

/// What the program makes of what a device printed: one report or message a line.
pub(super) fn decoded(printed: &str, elf: &Path, folder: &Folder) -> Vec<Value> {
    let path = folder.write("console.log", printed.as_bytes());
    let mut command = mflt();
    command.arg("decode").arg(path).arg("--elf").arg(elf).args(["--json", "--strict"]);
    let lines = run(&mut command).success("mflt decode").unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The report of a coredump that may be damaged.
pub(super) fn analyzed(printed: &str, elf: &Path, folder: &Folder) -> Value {
    let path = folder.write("console.log", printed.as_bytes());
    let mut command = mflt();
    command.arg("analyze").arg(path).arg("--elf").arg(elf).arg("--json");
    serde_json::from_str(&run(&mut command).success("mflt analyze").unwrap()).unwrap()
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
fn printed_lines(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split("log: ").nth(1)).collect()
}

/// What is logged before and after a reset.
fn log_and_reset(serial: &mut Serial) -> String {
    let mut text = serial.command("measure", "> ");
    text += &serial.command("reset", "> ");
    assert!(text.contains("log kept, reason 0x0002, coredump 0 bytes"), "{text}");
    text += &serial.command("measure", "> ");
    text + &serial.command("say", "> ")
}

#[test]
fn last_lines_of_the_log_are_those_that_the_device_printed() {
    for (board, compact) in BOARDS.iter().flat_map(|board| [(board, false), (board, true)]) {
        let folder = Folder::new();
        let compact_option = format!("-DMFLT_LOG_COMPACT={}", u8::from(compact));
        let elf = build(&folder, board, &["-DMFLT_LOG_SIZE=2048", &compact_option]);
        let (qemu, mut serial) = Qemu::with_serial(board, &elf);
        let text = log_and_reset(&mut serial);
        let report = captured(&qemu, &elf, &folder);
        let logs = array(&report["logs"]);
        let held: Vec<&str> = logs.iter().map(|line| line["text"].as_str().unwrap()).collect();
        let said = printed_lines(&text);
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
            assert!(last["module"].as_str().unwrap().starts_with("shell.c:"), "{last}");
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

/// Ways to crash, the reason on three boards, and the function and the title in which they end.
const CRASHES: [(&str, u32, &str, &str); 7] = [
    ("bus", 0x9100, "board_touch_nothing", "Bus Fault at board_touch_nothing"),
    ("hard", 0x9400, "board_touch_nothing", "Hard Fault at board_touch_nothing"),
    ("assert", 0x8001, "crash_assert", "Assert at crash_assert"),
    (
        "irq",
        0x9400,
        "board_touch_nothing",
        "Hard Fault at board_touch_nothing [in SysTick handler]",
    ),
    ("watchdog", 0x8006, "crash_watchdog", "Watchdog at crash_watchdog"),
    ("call", 0x9200, "crash_call", "Mem Fault at 0xf0000000"),
    ("stack", 0x9200, "descend", "Mem Fault at descend [Stack Overflow]"),
];

#[test]
fn crash_comes_back_over_the_serial_port_and_is_explained() {
    for board in BOARDS {
        let folder = Folder::new();
        let elf = build(&folder, board, &[STORAGE]);
        let (_qemu, mut serial) = Qemu::with_serial(board, &elf);
        for (number, (crash, reason, function, title)) in (1..).zip(CRASHES) {
            // The limit of the stack is a fault of its own on Armv8-M.
            let (reason, title) = match (board, crash) {
                ("mps2-an505", "stack") => (0x9300, "Usage Fault at descend [Stack Overflow]"),
                _ => (reason, title),
            };
            let logged = serial.command("measure", "> ");
            let boot = serial.command(&format!("crash {crash}"), "> ");
            assert!(
                boot.contains(&format!("reason 0x{reason:04x}, coredump "))
                    && boot.contains(&format!(" bytes, crash {number}\n")),
                "{board} {crash}: {boot}"
            );
            let printed = serial.command("export", "> ");
            assert!(serial.command("delivered", "> ").contains("there is more"));
            let messages = decoded(&printed, &elf, &folder);
            assert_eq!(messages.len(), 1, "{board} {crash}");
            let report = &messages[0]["report"];
            assert_eq!(report["title"], title, "{board} {crash}");
            let frames = array(&report["threads"][0]["frames"]);
            let named = frames.iter().find(|frame| !frame["function"].is_null()).unwrap();
            assert_eq!(named["function"], function, "{board} {crash}");
            assert_eq!(report["symbols"][0]["match"], "build_id");
            assert_eq!(report["device"]["serial"], "QEMU-1");
            assert_eq!(report["device"]["hardware_version"], board);
            let held: Vec<_> = array(&report["logs"]).iter().map(|line| &line["text"]).collect();
            let said = [printed_lines(&logged), printed_lines(&boot)].concat();
            let held = &held[held.len() - 5..];
            assert_eq!(held, &said[said.len() - 5..], "{board} {crash}");

            // The reboots: at power on, then why.
            let messages = decoded(&exported(&mut serial), &elf, &folder);
            let last = messages.last().unwrap();
            assert_eq!(last["kind"], "reboot");
            assert_eq!(last["code"], reason, "{board} {crash}: {last}");
            assert_eq!(last["coredump_saved"], true);
        }
    }
}

#[test]
fn second_crash_leaves_the_first_coredump_and_its_own_reboot() {
    let folder = Folder::new();
    let elf = build(&folder, BOARDS[0], &[STORAGE]);
    let (_qemu, mut serial) = Qemu::with_serial(BOARDS[0], &elf);
    serial.command("crash assert", "> ");
    let first = serial.command("export", "> ");
    let boot = serial.command("crash bus", "> ");
    assert!(boot.contains("reason 0x9100") && boot.contains("crash 2"), "{boot}");
    assert_eq!(serial.command("export", "> "), first);
    serial.command("delivered", "> ");
    let mut printed = String::new();
    for _ in 0..3 {
        printed += &serial.command("export", "> ");
        serial.command("delivered", "> ");
    }
    let messages = decoded(&printed, &elf, &folder);
    let told: Vec<_> = messages.iter().map(|m| (&m["code"], &m["coredump_saved"])).collect();
    let expected = [(0x0007, false), (0x8001, true), (0x9100, false)]
        .map(|(code, saved)| (Value::from(code), Value::from(saved)));
    assert_eq!(told, expected.iter().map(|(code, saved)| (code, saved)).collect::<Vec<_>>());
    assert!(serial.command("export", "> ").contains("0 chunks"));
}

#[test]
fn traces_and_heartbeats_arrive_with_their_names() {
    for board in BOARDS {
        let folder = Folder::new();
        let elf = build(&folder, board, &[STORAGE]);
        let (_qemu, mut serial) = Qemu::with_serial(board, &elf);
        serial.command("measure", "> ");
        assert!(serial.command("trace", "> ").contains("trace gave 0"));
        assert!(serial.command("heartbeat", "> ").contains("heartbeat gave 0"));
        // Events outlive the reset.
        serial.command("reset", "> ");
        let messages = decoded(&exported(&mut serial), &elf, &folder);
        let kinds: Vec<_> = messages.iter().map(|message| message["kind"].as_str()).collect();
        let expected = ["reboot", "reboot", "trace", "metrics"].map(Some);
        assert_eq!(kinds, expected, "{board}");
        assert_eq!(messages[2]["reason"], "sensor_lost", "{board}: {}", messages[2]);
        assert_eq!(messages[2]["status"], -19);
        assert_eq!(messages[2]["pc"]["function"], "trace", "{board}: {}", messages[2]);
        assert_eq!(messages[3]["session"], "heartbeat");
        assert_eq!(metric(&messages[3], "samples"), 40);
        assert_eq!(metric(&messages[3], "unexpected_reboots"), 0);
        let coldest = metric(&messages[3], "coldest_degrees").as_f64().unwrap();
        assert!((-20.0..-10.0).contains(&coldest), "{coldest}");
    }
}

#[test]
fn coredump_that_does_not_fit_is_cut_and_says_so() {
    let folder = Folder::new();
    let elf = build(&folder, BOARDS[1], &["-DMFLT_COREDUMP_RAM_SIZE=1024"]);
    let (_qemu, mut serial) = Qemu::with_serial(BOARDS[1], &elf);
    serial.command("crash bus", "> ");
    let report = analyzed(&serial.command("export", "> "), &elf, &folder);
    assert_eq!(report["title"], "Bus Fault at board_touch_nothing");
    let notes = array(&report["notes"]);
    assert!(notes.iter().any(|note| note["code"] == "capture_incomplete"), "{notes:?}");
}

#[test]
fn regions_that_make_no_sense_do_not_end_the_handler() {
    for board in BOARDS {
        let folder = Folder::new();
        let options = [STORAGE, "-DBAD_REGIONS=1"];
        let elf = build(&folder, board, &options);
        let (_qemu, mut serial) = Qemu::with_serial(board, &elf);
        serial.command("measure", "> ");
        serial.command("crash bus", "> ");
        let printed = serial.command("export", "> ");
        let report = decoded(&printed, &elf, &folder)[0]["report"].clone();
        assert_eq!(report["title"], "Bus Fault at board_touch_nothing", "{board}");
        let globals = array(&report["globals"]);
        let sample = globals.iter().find(|global| global["name"] == "last_sample").unwrap();
        assert_eq!(sample["children"][0]["value"], "40", "{board}: {sample}");
    }
}

#[test]
fn stack_that_left_memory_is_kept_from_where_memory_begins() {
    let folder = Folder::new();
    let elf = build(&folder, BOARDS[0], &[STORAGE, "-DGUARD=0"]);
    let (_qemu, mut serial) = Qemu::with_serial(BOARDS[0], &elf);
    serial.command("crash stack", "> ");
    let printed = serial.command("export", "> ");
    let report = decoded(&printed, &elf, &folder)[0]["report"].clone();
    let kept = array(&report["memory"]);
    let stack = kept.iter().find(|range| range["start"] == "0x20000000").unwrap();
    assert!(stack["size"].as_u64().unwrap() >= 2048, "{stack}");
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
    assert!(text.starts_with("format 0xf0000") && text.ends_with(" is not in the ELF"), "{text}");
}
