//! Ways to a GDB server that are no sockets, and servers whose target is no Cortex-M.

use crate::live;
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::manifest;
use crate::support::program::{Output, mflt, run};
use crate::support::qemu::Qemu;
use crate::support::serial_line::SerialLine;
use mflt::format;
use std::fs;
use std::path::Path;

fn coredump(server: &str, elf: &str, core: &Path) -> Output {
    run(mflt().args(["coredump", "--gdb", server, "--elf"]).arg(file(elf)).arg("-o").arg(core))
}

#[test]
fn serial_device_gives_the_report_of_the_socket() {
    let case = manifest::case("mps2-an386-Og-stackoverflow");
    let folder = Folder::new();
    let qemu = Qemu::at_stop(case).unwrap();
    let line = SerialLine::new();
    line.lead_to(&qemu.server());
    let serial = folder.file("serial.core");
    coredump(&line.device(), case.elf(), &serial).success("mflt coredump").unwrap();
    drop(line);
    let socket = folder.file("socket.core");
    live::capture(&qemu, case, &socket).unwrap();
    assert_eq!(live::analyze(&serial, case).unwrap(), live::analyze(&socket, case).unwrap());
}

#[test]
fn program_that_speaks_on_its_standard_streams_is_a_server() {
    let case = manifest::case("mps2-an385-Og-none");
    let folder = Folder::new();
    let core = folder.file("pipe.core");
    let elf = file(case.elf()).display().to_string();
    let words = case.qemu();
    let words = words.iter().map(|word| match *word {
        "{elf}" => elf.clone(),
        "tcp:127.0.0.1:{port}" => "stdio".to_string(),
        other => format!("'{other}'"),
    });
    let command = format!("|{}", words.collect::<Vec<_>>().join(" "));
    coredump(&command, case.elf(), &core).success("mflt coredump").unwrap();
    let snapshot = format::open(&fs::read(&core).unwrap()).unwrap();
    let reset = mflt::symbols::ElfImage::parse(&fs::read(&elf).unwrap()).unwrap().entry();
    assert_eq!(
        snapshot.registers.pc().map(|pc| pc | 1),
        Some(reset.0 | 1),
        "before its first step"
    );
    assert!(snapshot.memory.size() > 1000);
}

#[test]
fn places_where_no_server_is_fail_with_a_hint() {
    let folder = Folder::new();
    let plain = folder.write("plain", b"");
    let core = folder.file("no.core");
    for (server, text, hint) in [
        ("/dev/ttyNOWHERE", "cannot connect: entity not found", "is it plugged in"),
        (plain.to_str().unwrap(), "cannot connect", "is it plugged in"),
        ("|exit 3", "the server closed the connection", "does the command run by itself"),
    ] {
        let output = coredump(server, "fixtures/demo/firmware.elf", &core);
        assert_eq!(output.code, Some(1), "{server}: {}", output.stderr);
        assert!(output.stderr.contains(text), "{server}: {}", output.stderr);
        assert!(output.stderr.contains(&format!("hint: {hint}")), "{server}: {}", output.stderr);
    }
    // OpenOCD without an adapter lives on, and never speaks the protocol.
    let log = folder.file("openocd.log");
    let openocd = format!(
        "|openocd -c 'log_output {}' -c 'adapter driver dummy' -c 'gdb_port pipe' -c init",
        log.display()
    );
    let output = coredump(&openocd, "fixtures/demo/firmware.elf", &core);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("hint: does the command run by itself"), "{}", output.stderr);
    assert!(!core.exists());
}

#[test]
fn gdbserver_of_another_architecture_is_told_by_name() {
    let folder = Folder::new();
    let output = coredump(
        "|gdbserver --once - /bin/true",
        "fixtures/demo/firmware.elf",
        &folder.file("no.core"),
    );
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(
        output.stderr.contains("the target is no Cortex-M: the server calls it `"),
        "{output:?}"
    );
}
