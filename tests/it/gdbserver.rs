//! `mflt gdbserver`: GDB sees over the wire what it sees in the core file, and no session harms
//! the next.

use crate::support::file;
use crate::support::folder::Folder;
use crate::support::manifest::{self, hex};
use crate::support::program::{LIMIT, mflt, run, start, wait};
use crate::support::rsp::Stub;
use mflt::format::{self, elf_core};
use mflt::snapshot::Register;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const ELF: &str = "fixtures/demo/firmware.elf";
const CORE: &str = "fixtures/demo/crash.core";

/// A running server; it is ended when this is dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(core: &Path, elf: &Path) -> Server {
        let mut command = mflt();
        command.arg("gdbserver").arg(core).arg("--elf").arg(elf).args(["--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = start(&mut command);
        let errors = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut address = None;
        for line in errors.lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once(" threads on ") {
                address = rest.split(';').next().map(str::to_string);
                break;
            }
        }
        Server { child, address: address.expect("the address that it listens on") }
    }

    fn stub(&self) -> Stub {
        Stub::new(TcpStream::connect(&self.address).expect("a connection")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn demo() -> Server {
    Server::start(&file(CORE), &file(ELF))
}

/// What GDB prints for `commands`, after those that open the target.
fn gdb(elf: &Path, open: &str, commands: &[&str]) -> String {
    let mut command = Command::new("gdb-multiarch");
    command.args(["-nx", "-batch", "-ex", "set pagination off", "-ex", "set width 0"]).arg(elf);
    command.args(["-ex", "set backtrace past-main on", "-ex", open, "-ex", "echo begin\\n"]);
    for one in commands {
        command.args(["-ex", one]);
    }
    let output = run(command.env("LC_ALL", "C"));
    let text = output.stdout.split_once("begin\n").expect("the commands run").1.to_string();
    // What monitor commands print goes to standard error, as do errors of commands.
    text + &output.stderr
}

/// The text without what names a thread in one way or the other: `LWP 4`, `Thread 1.4 (…)`.
fn without_names(text: &str) -> Vec<String> {
    let plain = |line: &str| {
        let Some(at) = line.find("Thread 1.").or_else(|| line.find("LWP ")) else {
            return line.to_string();
        };
        let (before, rest) = line.split_at(at);
        let number: String = rest
            .trim_start_matches("Thread 1.")
            .trim_start_matches("LWP ")
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        let rest = rest.split_once(&number).map_or("", |(_, rest)| rest);
        let rest = match rest.strip_prefix(" (") {
            Some(label) => label.split_once(')').map_or("", |(_, rest)| rest),
            None => rest,
        };
        // A list of threads goes on with the frame, aligned by the length of the names.
        let frame = rest.trim_start();
        format!("{before}thread {number} {frame}")
    };
    // A core holds 0 where nothing was known; how wide the column of names is says nothing.
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("Id "));
    lines.map(plain).map(|line| line.replace("<unavailable>", "0x0                 0")).collect()
}

fn check(core: &str, elf: &str) {
    let (core, elf) = (file(core), file(elf));
    let server = Server::start(&core, &elf);
    let remote = format!("target remote {}", server.address);
    let local = format!("core-file {}", core.display());
    let memory = "x/64xw $sp";
    let registers = "info registers r0 r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12 sp lr pc";
    let all = format!("thread apply all -q {registers}");
    let stacks = format!("thread apply all -q {memory}");
    let commands = [
        "info threads",
        "bt full",
        "thread apply all bt",
        &all,
        &stacks,
        "x/16xw 0xe000ed00",
        "x/16i $pc",
        "p _kernel",
    ];
    for command in commands {
        let theirs = without_names(&gdb(&elf, &local, &[command]));
        let ours = without_names(&gdb(&elf, &remote, &[command]));
        let told = |line: &&String| !line.contains(" detached]") && !line.starts_with("warning: ");
        let ours: Vec<_> = ours.iter().filter(told).collect();
        let theirs: Vec<_> = theirs.iter().filter(told).collect();
        assert_eq!(ours.len(), theirs.len(), "{command}: {ours:#?}\n{theirs:#?}");
        for (ours, theirs) in ours.iter().zip(theirs) {
            // GDB does not find floating-point registers in a core of a Cortex-M.
            if !theirs.contains("Unable to access DWARF register number") {
                assert_eq!(*ours, theirs, "{command}");
            }
        }
        assert!(!ours.is_empty(), "{command}");
    }
}

#[test]
fn gdb_sees_the_demo_over_the_wire_as_in_the_core_file() {
    check(CORE, ELF);
}

#[test]
fn gdb_sees_a_crash_of_cortex_m33_over_the_wire_as_in_the_core_file() {
    let case = manifest::case("mps2-an505-Og-mpu");
    check(case.text("core"), case.elf());
}

#[test]
fn threads_have_names_and_monitor_answers_as_the_report() {
    let server = demo();
    let remote = format!("target remote {}", server.address);
    let text = gdb(&file(ELF), &remote, &["info threads", "monitor mflt cause"]);
    assert!(text.contains("(accel-workq, running, crashed)"), "{text}");
    assert!(text.contains("(MemManage handler)") && text.contains("(sleeper, sleeping)"), "{text}");
    let report = run(mflt().arg("analyze").arg(file(CORE)).arg("--elf").arg(file(ELF)));
    let report = report.success("mflt analyze").unwrap();
    let (cause, rest) = report.split_once("Device ").expect("the device behind the cause");
    assert!(text.contains(cause.trim_end()), "{text}");
    let (fault, rest) = rest[rest.find("Fault\n").unwrap()..].split_once("\n\nThreads").unwrap();
    let (threads, _) = rest.split_once("\n\n").expect("a list of threads");
    let text = gdb(&file(ELF), &remote, &["monitor mflt fault", "monitor mflt threads"]);
    assert!(text.contains(fault), "{text}");
    assert!(text.contains(threads), "{text}");
}

#[test]
fn running_and_writing_are_refused_and_the_session_goes_on() {
    let server = demo();
    let remote = format!("target extended-remote {}", server.address);
    let commands = [
        "continue",
        "stepi",
        "next",
        "print $r0 = 3",
        "set var *(int *) 0x20000000 = 5",
        "monitor reset halt",
        "print/x *(int *) 0x20000000",
        "print $r0",
        "kill",
    ];
    let mut command = Command::new("gdb-multiarch");
    command.args(["-nx", "-batch"]).arg(file(ELF)).args(["-ex", &remote]);
    for one in commands {
        command.args(["-ex", one]);
    }
    let output = run(command.env("LC_ALL", "C"));
    let (text, errors) = (output.stdout, output.stderr);
    assert_eq!((text.clone() + &errors).matches("this is a dump: it cannot run").count(), 3);
    assert!(errors.contains("Cannot access memory at address 0x20000000"), "{errors}");
    assert!(errors.contains("Could not write registers"), "{errors}");
    assert!((text.clone() + &errors).contains("a dump does not do `reset halt`"), "{text}{errors}");
    assert!(text.contains("= 0x8\n") && text.contains("= 536870944\n"), "{text}");
    assert_eq!(server.stub().ask("m20000000,4").unwrap(), "08000000", "served again after a kill");
}

#[test]
fn memory_that_was_not_captured_is_an_error_and_never_zero() {
    let server = demo();
    let mut stub = server.stub();
    assert_eq!(stub.ask("m30000000,4").unwrap(), "E14");
    assert_eq!(stub.ask("mfffffffc,8").unwrap(), "E14");
    assert_eq!(stub.ask("M20000000,1:00").unwrap(), "E14");
    let end = hex(&manifest::of_image("fixtures/elf/mps2-an386-Og.elf", "ram_end"));
    let across = format!("m{:x},8", end - 4);
    assert_eq!(stub.ask(&across).unwrap().len(), 8, "as far as there is something");
    // The interrupt table was captured, the code behind it was not: the ELF has it.
    let elf = run(Command::new("arm-none-eabi-objdump")
        .args(["-s", "-j", "text", "--start-address=0x30e8", "--stop-address=0x30f0"])
        .arg(file(ELF)))
    .success("objdump")
    .unwrap();
    let word: String = elf.lines().last().unwrap().split_whitespace().skip(1).take(2).collect();
    assert_eq!(stub.ask("m30e8,8").unwrap(), word);
}

#[test]
fn sessions_do_not_disturb_each_other() {
    let server = demo();
    let mut first = server.stub();
    let mut second = server.stub();
    assert_eq!(second.ask("m20000000,4").unwrap(), "08000000");
    assert_eq!(first.ask("m20000000,4").unwrap(), "08000000");
    for junk in [&b"$$$$#00"[..], b"\x03\x03", b"$m20000000,ffffffff#00", &[0xff; 9000], b"$g"] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let _ = stream.write_all(junk);
    }
    assert_eq!(first.ask("m20000000,4").unwrap(), "08000000");
    assert_eq!(server.stub().ask("?").unwrap().get(..3), Some("T05"));
}

#[test]
fn interrupt_ends_it_with_success() {
    let mut server = demo();
    let pid = server.child.id().to_string();
    run(Command::new("kill").args(["-INT", &pid])).success("kill").unwrap();
    let status = wait(&mut server.child, LIMIT).expect("an end");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn address_that_is_taken_or_wrong_fails_with_a_hint() {
    let server = demo();
    let serve = |address: &str| {
        let core: PathBuf = file(CORE);
        run(mflt()
            .arg("gdbserver")
            .arg(core)
            .arg("--elf")
            .arg(file(ELF))
            .args(["--listen", address]))
    };
    for address in [server.address.as_str(), "nowhere", "127.0.0.1:99999"] {
        let output = serve(address);
        assert_eq!(output.code, Some(1), "{address}: {}", output.stderr);
        assert!(output.stderr.contains("hint: "), "{}", output.stderr);
    }
}

#[test]
fn served_dump_is_not_captured_again() {
    let server = demo();
    let folder = Folder::new();
    let core = folder.file("again.core");
    let mut command = mflt();
    command.args(["coredump", "--gdb", &server.address, "--elf"]).arg(file(ELF));
    let output = run(command.arg("-o").arg(&core));
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("no target but a dump"), "{}", output.stderr);
    let remote = format!("target remote {}", server.address);
    let script = format!("source {}", file("gdb-scripts/memfault.py").display());
    let text = gdb(&file(ELF), &remote, &[&script, "memfault cause", "monitor mflt cause"]);
    assert!(text.contains("this is a dump, not a target"), "{text}");
    assert!(text.contains("Stack overflow in thread accel-workq"), "{text}");
    assert!(!core.exists());
}

/// The demo as a probe captures it that knows the banked registers.
fn with_banked_registers(names: &[(&str, u32)]) -> (Folder, PathBuf) {
    let folder = Folder::new();
    let mut snapshot = format::open(&fs::read(file(CORE)).unwrap()).unwrap();
    for (name, value) in names {
        snapshot.registers.set(Register::from_name(name).unwrap(), *value);
    }
    // The threads are those that the kernel knows.
    snapshot.threads.clear();
    let path = folder.write("banked.core", &elf_core::write(&snapshot).unwrap());
    (folder, path)
}

#[test]
fn banked_registers_are_shown_and_do_not_hinder_backtraces() {
    // A handler runs on MSP.
    let msp = format::open(&fs::read(file(CORE)).unwrap()).unwrap().registers.sp().unwrap();
    let common = [("msp", msp), ("psp", 0x2000_1e50), ("control", 2), ("primask", 0)];
    let secure =
        [("msp_s", 0x3000_0100), ("psp_s", 0x3000_0200), ("msp_ns", msp), ("psp_ns", 0x2000_1e50)];
    for banked in [&common[..], &[&common[..], &secure].concat()] {
        let (_folder, core) = with_banked_registers(banked);
        let server = Server::start(&core, &file(ELF));
        let remote = format!("target remote {}", server.address);
        let mut commands = vec!["info threads", "thread apply all bt", "thread 2"];
        let show: Vec<String> = banked.iter().map(|(name, _)| format!("print/x ${name}")).collect();
        commands.extend(show.iter().map(String::as_str));
        let text = gdb(&file(ELF), &remote, &commands);
        for (name, value) in &banked[2..] {
            assert!(text.contains(&format!("= {value:#x}\n")), "{name}: {text}");
        }
        assert!(!text.contains("warning") && !text.contains("Invalid state"), "{text}");
        for function in [" z_arm_hard_fault (", " compute_fft (", " sensor_thread ("] {
            assert!(text.contains(function), "{function}: {text}");
        }
    }
}
