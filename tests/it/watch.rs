//! `mflt coredump --watch`: a capture at each halt, and a target that is left as it was.

use crate::live;
use crate::support::board::{Board, Writes};
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::manifest::{self, Case};
use crate::support::program::{LIMIT, mflt, run, start, wait};
use crate::support::qemu::Qemu;
use mflt::symbols::{ElfImage, SymbolFile};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

fn watch(server: &str, case: &Case, core: &Path, more: &[&str]) -> Command {
    let mut command = mflt();
    command.args(["coredump", "--gdb", server, "--elf"]).arg(file(case.elf()));
    command.arg("-o").arg(core).arg("--watch").args(more);
    command
}

fn pc(core: &Path) -> u32 {
    let snapshot = mflt::format::open(&std::fs::read(core).unwrap()).unwrap();
    snapshot.registers.pc().expect("a program counter")
}

fn address(case: &Case, name: &str) -> u32 {
    let elf = std::fs::read(file(case.elf())).unwrap();
    let image = ElfImage::parse(&elf).unwrap();
    SymbolFile::new(&image).symbol(name).unwrap().address.0 & !1
}

#[test]
fn crash_is_waited_for_and_captured() {
    let case = manifest::case("mps2-an385-Og-buswrite");
    let folder = Folder::new();
    // It stands at its reset when the watch begins.
    let qemu = Qemu::at_reset(case).unwrap();
    let core = folder.file("soak.core");
    let more = ["--break", "arch_system_halt", "--count", "1"];
    let output = run(&mut watch(&qemu.server(), case, &core, &more));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let halted = format!("Halted at {:#010x} in BusFault.", address(case, "arch_system_halt"));
    assert!(output.stderr.contains(&halted), "{}", output.stderr);
    let report = live::analyze(&folder.file("soak-1.core"), case).unwrap();
    assert_eq!(report["category"], "BusFault");
    assert!(report["title"].as_str().unwrap().contains("store_word"));
}

#[test]
fn each_halt_is_captured_and_the_target_goes_on_without_the_breakpoint() {
    let case = manifest::case("mps2-an385-Og-none");
    let folder = Folder::new();
    let qemu = Qemu::at_reset(case).unwrap();
    let core = folder.file("soak.core");
    let tick = ["--break", "sys_clock_announce", "--count", "3"];
    let output = run(&mut watch(&qemu.server(), case, &core, &tick));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let ticks = (1..=3).map(|number| {
        let core = folder.file(&format!("soak-{number}.core"));
        assert_eq!(pc(&core), address(case, "sys_clock_announce"));
        let snapshot = mflt::format::open(&std::fs::read(&core).unwrap()).unwrap();
        mflt::base::Memory::read_u32(
            &snapshot.memory,
            mflt::base::Address(address(case, "curr_tick")),
        )
        .unwrap()
    });
    let ticks: Vec<u32> = ticks.collect();
    assert!(ticks[0] < ticks[1] && ticks[1] < ticks[2], "it got on in between: {ticks:?}");
    // It runs, and nothing stops it at the next tick.
    let later = folder.file("later.core");
    live::capture(&qemu, case, &later).unwrap();
    let at = mflt::format::open(&std::fs::read(&later).unwrap()).unwrap();
    assert_ne!(at.registers.pc(), Some(address(case, "sys_clock_announce")));
    assert_eq!(at.reason.as_deref(), Some("halted by the debugger"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_watch_and_leaves_the_target_running() {
    let case = manifest::case("mps2-an385-Og-none");
    let folder = Folder::new();
    let qemu = Qemu::at_reset(case).unwrap();
    let core = folder.file("soak.core");
    // Nothing calls it.
    let mut command = watch(&qemu.server(), case, &core, &["--break", "arch_system_halt"]);
    let mut child = start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Watching") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
    }
    run(Command::new("kill").args(["-INT", &child.id().to_string()])).success("kill").unwrap();
    let status = wait(&mut child, LIMIT).expect("it ends");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(status.code(), Some(0), "{rest}");
    assert!(rest.contains("Captured 0 times."), "{rest}");
    assert!(!folder.file("soak-1.core").exists());
    let snapshot = |name: &str| {
        let core = folder.file(name);
        live::capture(&qemu, case, &core).unwrap();
        std::fs::read(&core).unwrap()
    };
    let ticks = |bytes: &[u8]| {
        let memory = mflt::format::open(bytes).unwrap().memory;
        mflt::base::Memory::read_u32(&memory, mflt::base::Address(address(case, "curr_tick")))
            .unwrap()
    };
    let first = ticks(&snapshot("one.core"));
    assert!(first > 0, "it ran");
}

#[test]
fn vector_catch_is_set_and_restored() {
    let case = manifest::case("mps2-an385-Og-buswrite");
    let folder = Folder::new();
    let core = std::fs::read(file(case.text("core"))).unwrap();
    let board = Board::new(mflt::format::open(&core).unwrap(), Writes::Taken);
    let (server, left) = board.serve();
    let more = ["--catch", "--count", "2"];
    let output = run(&mut watch(&server, case, &folder.file("soak.core"), &more));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(folder.file("soak-2.core").exists());
    // TRCENA, bit 24, was set before and stays.
    assert_eq!(left.join().unwrap().written, ["Me000edfc,4:f00f0001", "Me000edfc,4:00000001"]);
}

#[test]
fn target_without_vector_catch_is_told_what_to_do_instead() {
    let case = manifest::case("mps2-an385-Og-none");
    let folder = Folder::new();
    let qemu = Qemu::at_reset(case).unwrap();
    let output = run(&mut watch(&qemu.server(), case, &folder.file("soak.core"), &["--catch"]));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("the target takes no vector catch\n"), "{}", output.stderr);
    assert!(output.stderr.contains("hint: break at the fault handler"), "{}", output.stderr);
}

#[test]
fn target_that_does_not_get_on_ends_the_watch_with_what_was_captured() {
    let case = manifest::case("mps2-an385-Og-buswrite");
    let folder = Folder::new();
    let core = std::fs::read(file(case.text("core"))).unwrap();
    // Each time it is let run it stops where it was.
    let (server, _) = Board::new(mflt::format::open(&core).unwrap(), Writes::Taken).serve();
    let output = run(&mut watch(&server, case, &folder.file("soak.core"), &[]));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("halts at 0x00001346 again"), "{}", output.stderr);
    assert!(folder.file("soak-1.core").exists());
}
