//! Files, servers and arguments that are wrong: one `error:` line, the right exit code, or a
//! partial report with notes. Never a panic.

use crate::live::capture;
use crate::support::folder::Folder;
use crate::support::manifest::{self, Case};
use crate::support::program::{Output, mflt, run};
use crate::support::qemu::Qemu;
use crate::support::server::{Fault, serve};
use crate::support::{file, root};
use mflt::analysis::{self, Options};
use mflt::format;
use mflt::symbols::{ElfImage, SymbolFile};
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

fn case() -> &'static Case {
    manifest::case("mps2-an385-Og-stackoverflow")
}

fn core() -> PathBuf {
    file(case().text("plain_core"))
}

fn analyze(core: &Path, elf: &Path) -> Output {
    run(mflt().arg("analyze").arg(core).arg("--elf").arg(elf))
}

fn report(core: &Path, elf: &Path, options: &[&str]) -> Value {
    let mut command = mflt();
    command.arg("analyze").arg(core).arg("--elf").arg(elf).arg("--json").args(options);
    let json = run(&mut command).success("mflt analyze").unwrap();
    serde_json::from_str(&json).unwrap()
}

fn has_note(report: &Value, code: &str) -> bool {
    report["notes"].as_array().is_some_and(|notes| notes.iter().any(|note| note["code"] == code))
}

/// The `error:` line of a run that failed with `code`; there is exactly one, and at most one
/// `hint:`.
#[track_caller]
fn error_of(output: &Output, code: i32) -> String {
    assert_eq!(output.code, Some(code), "{output:?}");
    let count = |start: &str| output.stderr.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(count("error: "), 1, "{}", output.stderr);
    assert!(count("hint: ") <= 1, "{}", output.stderr);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    let error = output.stderr.lines().find(|line| line.starts_with("error: "));
    error.unwrap_or_default().to_string()
}

/// As [`error_of`], and the error and its hint are all that is printed.
#[track_caller]
fn lone_error_of(output: &Output, code: i32) -> String {
    let error = error_of(output, code);
    assert_eq!(output.stdout, "");
    let stray =
        output.stderr.lines().find(|l| !l.starts_with("error: ") && !l.starts_with("hint: "));
    assert_eq!(stray, None, "{}", output.stderr);
    error
}

#[test]
fn dump_that_is_none_is_refused() {
    let folder = Folder::new();
    let elf = file(case().elf());
    let text = folder.write("notes.txt", b"hello, this is no coredump\n");
    assert!(lone_error_of(&analyze(&text, &elf), 1).contains("notes.txt"));
    let empty = folder.write("empty.core", b"");
    assert!(lone_error_of(&analyze(&empty, &elf), 1).contains("empty"));
    assert!(lone_error_of(&analyze(folder.path(), &elf), 1).contains("error: reading coredump"));
    assert!(lone_error_of(&analyze(&folder.file("none.core"), &elf), 1).contains("none.core"));
    let program = analyze(&elf, &elf);
    assert!(lone_error_of(&program, 1).contains("not a core"));
    assert!(program.stderr.contains("hint: "), "{}", program.stderr);
}

#[test]
fn elf_that_is_none_is_refused() {
    let folder = Folder::new();
    let text = folder.write("zephyr.elf", b"#!/bin/sh\nexit 1\n");
    assert!(lone_error_of(&analyze(&core(), &text), 1).contains("zephyr.elf"));
    let output = run(mflt().args(["coredump", "--gdb", "127.0.0.1:1", "--elf"]).arg(&text));
    assert!(lone_error_of(&output, 1).contains("zephyr.elf"));
    let bytes = fs::read(file(case().elf())).unwrap();
    for size in [0, 1, 15, 40, 52, 80, 1000, bytes.len() / 2] {
        let cut = folder.write("cut.elf", &bytes[..size]);
        let output = analyze(&core(), &cut);
        if output.code != Some(0) {
            assert!(lone_error_of(&output, 1).contains("cut.elf"), "{size} bytes");
        }
    }
}

#[test]
fn elf_without_debug_information_names_functions_and_says_what_is_missing() {
    let folder = Folder::new();
    let stripped = folder.file("stripped.elf");
    let mut objcopy = Command::new("arm-none-eabi-objcopy");
    objcopy.arg("-g").arg(file(case().elf())).arg(&stripped);
    run(&mut objcopy).success("arm-none-eabi-objcopy").unwrap();
    let report = report(&core(), &stripped, &[]);
    assert!(has_note(&report, "no_debug_info"), "{}", report["notes"]);
    let text = report["threads"].to_string();
    assert!(text.contains("\"fft_recurse\""), "functions come from the symbol table: {text}");
    let strict = run(mflt().arg("analyze").arg(core()).arg("--elf").arg(&stripped).arg("--strict"));
    assert_eq!(strict.code, Some(3));
}

#[test]
fn dump_that_is_cut_short_yields_what_it_still_holds() {
    let folder = Folder::new();
    let bytes = fs::read(core()).unwrap();
    let cut = folder.write("cut.core", &bytes[..bytes.len() * 3 / 4]);
    let report = report(&cut, &file(case().elf()), &[]);
    assert!(!report["notes"].as_array().unwrap().is_empty());
    assert!(!report["threads"].as_array().unwrap().is_empty());
    let header = folder.write("header.core", &bytes[..60]);
    lone_error_of(&analyze(&header, &file(case().elf())), 1);
}

/// A core of a captured target, which holds what tells the build.
fn captured(folder: &Folder, case: &Case) -> PathBuf {
    let core = folder.file("captured.core");
    let qemu = Qemu::at_stop(case).unwrap();
    capture(&qemu, case, &core).unwrap();
    core
}

#[test]
fn other_firmware_is_refused_unless_forced() {
    let folder = Folder::new();
    let core = captured(&folder, case());
    let other = file("fixtures/elf/mps2-an385-Os.elf");
    let output = analyze(&core, &other);
    let error = lone_error_of(&output, 1);
    let id = manifest::of_image(case().elf(), "build_id");
    assert!(error.contains(&id) && error.contains("build ID"), "{error}");
    assert!(output.stderr.contains("--force"), "{}", output.stderr);
    let forced = report(&core, &other, &["--force"]);
    assert_eq!(forced["symbols"][0]["match"], "forced");
    assert!(has_note(&forced, "symbols_forced"), "{}", forced["notes"]);
    let right = report(&core, &file(case().elf()), &["--force"]);
    assert_eq!(right["symbols"][0]["match"], "build_id");
}

fn coredump(server: &str, folder: &Folder, more: &[&str]) -> Output {
    let mut command = mflt();
    command.args(["coredump", "--gdb", server, "-o"]).arg(folder.file("x.core"));
    run(command.args(more))
}

const RAM: [&str; 3] = ["-r", "0x20000000", "64K"];

#[test]
fn server_that_is_not_there_is_named() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = free.local_addr().unwrap().to_string();
    drop(free);
    let folder = Folder::new();
    let output = coredump(&server, &folder, &RAM);
    assert!(lone_error_of(&output, 1).contains(&server));
    assert!(output.stderr.contains("hint: "), "{}", output.stderr);
    for address in ["nonsense", "127.0.0.1", "127.0.0.1:99999", ":", ""] {
        let output = coredump(address, &folder, &RAM);
        let code = output.code.unwrap_or(-1);
        assert!(code == 1 || code == 2, "{address}: {output:?}");
        lone_error_of(&output, code);
    }
    assert!(!folder.file("x.core").exists());
}

#[test]
fn server_that_dies_leaves_a_partial_core() {
    let folder = Folder::new();
    let output = coredump(&serve(Fault::DiesAtRead(40)), &folder, &RAM);
    let error = error_of(&output, 1);
    assert!(error.contains("capturing through"), "{error}");
    let core = folder.file("x.core");
    assert!(output.stderr.contains("x.core"), "the file is named: {}", output.stderr);
    assert!(core.exists());
    let output = run(mflt().arg("analyze").arg(&core).arg("--json"));
    let report: Value = serde_json::from_str(&output.success("mflt analyze").unwrap()).unwrap();
    assert!(has_note(&report, "capture_incomplete"), "{}", report["notes"]);
    let captured = |range: &Value| range["captured"] == true;
    assert!(report["memory"].as_array().unwrap().iter().any(captured), "{}", report["memory"]);
}

#[test]
fn server_that_talks_nonsense_is_refused() {
    let folder = Folder::new();
    for fault in [Fault::Garbage, Fault::HangsUp, Fault::DiesAtRead(1)] {
        let server = serve(fault);
        let output = coredump(&server, &folder, &RAM);
        assert!(error_of(&output, 1).contains(&server), "{}", output.stderr);
    }
}

#[test]
fn memory_that_cannot_be_read_is_told() {
    let folder = Folder::new();
    let output = coredump(&serve(Fault::ReadsNothing), &folder, &RAM);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains("note: "), "{}", output.stderr);
    let strict = [&RAM[..], &["--strict"]].concat();
    let output = coredump(&serve(Fault::ReadsNothing), &folder, &strict);
    assert_eq!(output.code, Some(3), "{output:?}");
}

#[test]
fn server_that_is_not_reached_is_told_by_what_is_wrong() {
    let folder = Folder::new();
    for (server, text, hint) in [
        ("127.0.0.1", "`127.0.0.1` names no port", "HOST:PORT"),
        ("127.0.0.1:0", "`127.0.0.1:0` names no port", "HOST:PORT"),
        ("127.0.0.1:gdb", "`127.0.0.1:gdb` names no port", "HOST:PORT"),
        ("127.0.0.1:70000", "`127.0.0.1:70000` names no port", "HOST:PORT"),
        ("no.such.host.invalid:3333", "the host `no.such.host.invalid` is not known", "IP address"),
        ("127.0.0.1:1", "nobody listens there", "start the GDB server"),
    ] {
        let output = coredump(server, &folder, &RAM);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains(text), "{}", output.stderr);
        assert!(output.stderr.contains("hint: ") && output.stderr.contains(hint), "{output:?}");
    }
}

#[test]
fn regions_that_make_no_sense_are_usage_errors() {
    let folder = Folder::new();
    for (address, size) in [
        ("0xfffffff0", "32"),
        ("0x20000000", "0"),
        ("0x20000000", "5G"),
        ("0x20000000", "0x1_0000_0001"),
        ("0x20000000", "99999999999999999999999"),
        ("0x100000000", "4"),
        ("0x20000000", "4Q"),
        ("ram", "4"),
        ("0x20000000", "1G"),
    ] {
        // Nothing listens there: the arguments are looked at first.
        let output = coredump("127.0.0.1:1", &folder, &["-r", address, size]);
        lone_error_of(&output, 2);
    }
    let output = coredump("127.0.0.1:1", &folder, &["-r", "0x20000000", "-4"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(!folder.file("x.core").exists());
}

/// A file with the image it belongs to, looked at as a whole and in every damaged form.
fn explain(bytes: &[u8], symbols: &SymbolFile<'_>, globals: bool) -> bool {
    match format::open(bytes) {
        Ok(snapshot) => {
            let options = Options { max_frames: 32, globals, ..Options::default() };
            let report = analysis::analyze(&snapshot, std::slice::from_ref(symbols), &options);
            !report.title.is_empty()
        }
        Err(_) => false,
    }
}

/// Runs `test` with each committed core and one of ours, all at once.
fn with_cores(test: impl Fn(&str, &[u8], &SymbolFile<'_>) + Sync) {
    let folder = Folder::new();
    let plain = manifest::cases().iter().filter(|case| case.has("plain_core"));
    let mut cores: Vec<(&Case, PathBuf)> =
        plain.map(|case| (case, root().join(case.text("plain_core")))).collect();
    assert!(!cores.is_empty());
    let ours = manifest::case("microbit-Og-buswrite");
    cores.push((ours, captured(&folder, ours)));
    let check = |case: &Case, path: &Path| {
        let (core, elf) = (fs::read(path).unwrap(), fs::read(file(case.elf())).unwrap());
        let image = ElfImage::parse(&elf).unwrap();
        let symbols = SymbolFile::new(&image);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        assert!(explain(&core, &symbols, true), "{name} as it is");
        test(&name, &core, &symbols);
    };
    std::thread::scope(|scope| {
        for (case, path) in &cores {
            scope.spawn(|| check(case, path));
        }
    });
}

#[test]
fn truncated_cores_never_panic() {
    with_cores(|name, core, symbols| {
        // Every byte of the first headers, then fewer: fuzz targets try the rest.
        let (headers, notes) = (core.len().min(256), core.len().min(2048));
        let stride = (core.len() / 64).max(1);
        let sizes = (0..headers).chain((headers..notes).step_by(16));
        for size in sizes.chain((notes..core.len()).step_by(stride)) {
            // Globals take most of the time: not every time.
            let globals = size % 16 == 0;
            let run = catch_unwind(AssertUnwindSafe(|| explain(&core[..size], symbols, globals)));
            assert!(run.is_ok(), "the first {size} bytes of {name}");
        }
    });
}

#[test]
fn damaged_cores_never_panic() {
    with_cores(|name, core, symbols| {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |limit: usize| {
            // Xorshift: the same damage in every run.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % limit as u64).unwrap_or(0)
        };
        for round in 0..160 {
            let mut damaged = core.to_vec();
            for _ in 0..=next(8) {
                // Half of them in the headers, the notes and what comes first in memory.
                let limit = if next(2) == 0 { core.len().min(2048) } else { core.len() };
                damaged[next(limit)] ^= 1 << next(8);
            }
            let globals = round % 8 == 0;
            let run = catch_unwind(AssertUnwindSafe(|| explain(&damaged, symbols, globals)));
            assert!(run.is_ok(), "damage number {round} of {name}");
        }
    });
}
