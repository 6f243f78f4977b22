//! Captured crashes in other formats: what they explain must stay what it was.

use crate::support::file;
use crate::support::program::{mflt, run};
use mflt::analysis::{Options, analyze};
use mflt::format::{FormatError, Written, coredump, open, probe_rs, zephyr};
use mflt::report::{Category, Report, Status, Variable};
use mflt::snapshot::Snapshot;
use mflt::symbols::{ElfImage, SymbolFile};

/// Crashes of every kind on every architecture: image and case.
const CRASHES: [(&str, &str); 9] = [
    ("microbit", "badpc"),
    ("microbit", "assert"),
    ("mps2-an385", "isr"),
    ("mps2-an385", "panic"),
    ("mps2-an385", "stackoverflow"),
    ("mps2-an386", "divzero"),
    ("mps2-an386", "fpu"),
    ("mps2-an505", "mpu"),
    ("mps2-an505", "nullptr"),
];

fn explain(snapshot: &Snapshot, image: &str) -> Report {
    let elf = std::fs::read(file(&format!("fixtures/elf/{image}-Og.elf"))).unwrap();
    let elf = ElfImage::parse(&elf).unwrap();
    analyze(snapshot, &[SymbolFile::new(&elf)], &Options::default())
}

/// Function and line of each frame of the thread that crashed.
fn frames(report: &Report) -> Vec<(Option<String>, Option<u32>)> {
    let crashed = report.threads.iter().find(|thread| thread.crashed);
    let frames = crashed.into_iter().flat_map(|thread| &thread.frames);
    frames.map(|frame| (frame.function.clone(), frame.line)).collect()
}

/// Writes every crash with `write`, reads it back, and compares what is explained.
fn keeps_crashes(write: impl Fn(&Snapshot) -> Result<Written, FormatError>, category: bool) {
    for (image, case) in CRASHES {
        let core = std::fs::read(file(&format!("fixtures/cores/{image}-Og-{case}.core"))).unwrap();
        let before = open(&core).unwrap();
        let after = open(&write(&before).unwrap().bytes).unwrap();
        let (before, after) = (explain(&before, image), explain(&after, image));
        assert!(!frames(&before).is_empty(), "{image} {case}");
        assert_eq!(frames(&after), frames(&before), "{image} {case}");
        if category {
            assert_eq!(after.category, before.category, "{image} {case}: {}", after.cause.summary);
        }
        let names = |report: &Report| -> Vec<String> {
            let threads = report.threads.iter().filter(|thread| thread.state != "handler");
            threads.map(|thread| thread.name.clone()).collect()
        };
        assert_eq!(names(&after), names(&before), "{image} {case}");
    }
}

#[test]
fn crash_as_binary_coredump_keeps_cause_and_frames() {
    keeps_crashes(coredump::write, true);
}

#[test]
fn crash_as_probe_rs_dump_keeps_cause_and_frames() {
    keeps_crashes(probe_rs::write, true);
}

#[test]
fn crash_as_zephyr_coredump_keeps_cause_and_frames() {
    keeps_crashes(zephyr::write, true);
    keeps_crashes(zephyr::write_log, true);
}

#[test]
fn convert_tells_what_is_dropped_and_reads_its_own_output() {
    let folder = crate::support::folder::Folder::new();
    let core = file("fixtures/cores/mps2-an386-Og-nullptr.core");
    let (binary, back) = (folder.file("crash.bin"), folder.file("crash.core"));
    let written = run(mflt().arg("convert").args([&core, &binary]).args(["--to", "memfault"]));
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    assert!(written.stderr.contains("note: dropped: the registers inside"), "{}", written.stderr);
    let strict =
        run(mflt().arg("convert").args([&core, &binary]).args(["--to=memfault", "--strict"]));
    assert_eq!(strict.code, Some(3));
    run(mflt().arg("convert").args([&binary, &back])).success("mflt convert").unwrap();
    let before = open(&std::fs::read(&binary).unwrap()).unwrap();
    assert_eq!(open(&std::fs::read(&back).unwrap()).unwrap(), before);
    let report = explain(&before, "mps2-an386");
    assert_eq!(report.category, Category::MemFault);
}

#[test]
fn print_of_a_fault_names_its_place_and_cause() {
    let core = std::fs::read(file("fixtures/cores/mps2-an386-Og-nullptr.core")).unwrap();
    let core = open(&core).unwrap();
    let crash = explain(&core, "mps2-an386");
    let registers = &core.threads[0].registers;
    let mut text = String::from(
        "[00:00:01.000] <err> os: ***** MPU FAULT *****\r\n[00:00:01.000] <err> os:   Data Access \
         Violation\r\n[00:00:01.000] <err> os:   MMFAR Address: 0x18\r\n",
    );
    for (register, value) in registers.iter().filter(|(register, _)| register.name() != "sp") {
        text.push_str(&format!("[00:00:01.000] <err> os: {register}: 0x{value:08x}\r\n"));
    }
    text.push_str("[00:00:01.000] <err> os: Current thread: 0x20000000 (sensor)\r\n");
    let printed = explain(&open(text.as_bytes()).unwrap(), "mps2-an386");
    assert_eq!(printed.category, crash.category);
    assert_eq!(frames(&printed)[0], frames(&crash)[0]);
    let thread = printed.threads.iter().find(|thread| thread.crashed).unwrap();
    assert_eq!(thread.name, "sensor");
    assert!(printed.cause.summary.contains("0x00000018"), "{}", printed.cause.summary);
}

#[test]
fn raw_memory_with_its_base_gives_the_threads() {
    let folder = crate::support::folder::Folder::new();
    let core = file("fixtures/cores/mps2-an386-Og-nullptr.core");
    let elf = file("fixtures/elf/mps2-an386-Og.elf");
    let (raw, hex) = (folder.file("ram.bin"), folder.file("ram.hex"));
    let told = run(mflt().arg("convert").args([&core, &raw]).args(["--to", "raw"])).stderr;
    let base = told.split("--base ").nth(1).and_then(|rest| rest.get(..10)).unwrap();
    run(mflt().arg("convert").args([&core, &hex]).args(["--to", "hex"])).success("hex").unwrap();
    for arguments in
        [vec![raw.as_os_str(), "--base".as_ref(), base.as_ref()], vec![hex.as_os_str()]]
    {
        let text = run(mflt().arg("analyze").args(arguments).arg("--elf").arg(&elf));
        let text = text.success("mflt analyze").unwrap();
        for thread in ["mutex_waiter", "accel-workq", "sleeper"] {
            assert!(text.contains(thread), "{thread}: {text}");
        }
    }
}

#[test]
fn redacted_memory_is_zero_and_the_report_says_so() {
    let folder = crate::support::folder::Folder::new();
    let core = file("fixtures/cores/mps2-an386-Og-nullptr.core");
    let elf = file("fixtures/elf/mps2-an386-Og.elf");
    let out = folder.file("public.core");
    let convert = |what: &str| {
        let mut command = mflt();
        command.arg("convert").args([&core, &out]).arg("--elf").arg(&elf);
        run(command.args(["--redact", what]))
    };
    let symbols = std::fs::read(&elf).unwrap();
    let symbols = ElfImage::parse(&symbols).unwrap();
    let symbol = *SymbolFile::new(&symbols).symbol("g_accel").unwrap();
    let told = convert("g_accel");
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stderr.contains(&format!("{} bytes are redacted", symbol.size)));
    let public = open(&std::fs::read(&out).unwrap()).unwrap();
    let bytes = public.memory.slice_from(symbol.address).unwrap();
    assert!(bytes.iter().take(symbol.size as usize).all(|byte| *byte == 0));
    let report = explain(&public, "mps2-an386");
    let global = report.globals.iter().find(|global| global.name == "g_accel").unwrap();
    let hidden = |variable: &Variable| variable.status == Status::Redacted;
    assert!(hidden(global) || global.children.iter().any(hidden), "{global:?}");
    assert!(report.notes.iter().any(|note| note.code == "redacted"));
    // Everything else is as it was.
    let before = explain(&open(&std::fs::read(&core).unwrap()).unwrap(), "mps2-an386");
    assert_eq!(frames(&report), frames(&before));
    assert_eq!(convert("bss").code, Some(0));
    assert_eq!(convert("no_such_symbol").code, Some(2));
    // The names of another build stand for other memory.
    let other = file("fixtures/elf/mps2-an385-Og.elf");
    let other = run(mflt()
        .arg("convert")
        .args([&core, &folder.file("other.core")])
        .arg("--elf")
        .arg(&other)
        .args(["--redact", "g_accel"]));
    assert_eq!(other.code, Some(1));
    assert!(other.stderr.contains("hint: ") && other.stderr.contains("--force"));
    assert!(!folder.file("other.core").exists());
}
