//! The fault handler in QEMU: how much stack it takes, which registers it keeps, and that it can go on.

use super::qemu::{BOARDS, STORAGE, build, build_in, decoded};
use crate::compare::array;
use crate::support::elf::symbol;
use crate::support::folder::Folder;
use crate::support::qemu::Qemu;
use crate::support::rsp::Stub;
use std::net::TcpStream;
use std::path::Path;

/// Bytes of the handler's stack that were never used when the demo has crashed, with the stack that
/// `mflt/config.h` gives it.
fn stack_left(board: &str, compiler: &str, level: &str) -> usize {
    let folder = Folder::new();
    // A region where nothing is: a second fault while the handler reads.
    let options = [STORAGE, "-DBAD_REGIONS=1", level];
    let elf = build_in(&folder, board, &options, &[("COMPILER", Path::new(compiler))]);
    let address = |name: &str| symbol(elf.to_str().unwrap(), name).unwrap();
    let (qemu, mut serial) = Qemu::with_serial(board, &elf);
    let connect = || Stub::new(TcpStream::connect(qemu.server()).unwrap()).unwrap();
    // The first connection stops the board, which QEMU tells without being asked.
    connect().ask("?").unwrap();
    let mut stub = connect();
    serial.send("crash bus");
    stub.run_to(&[address("mflt_port_reset")], 1).unwrap();
    // Before it is a stack it holds the message that is being sent: none here.
    let stack = stub.ask(&format!("m{:x},100", address("mflt_chunk_memory"))).unwrap();
    stack.bytes().take_while(|digit| *digit == b'0').count() / 2
}

#[test]
fn handler_leaves_some_of_its_stack() {
    for compiler in ["gcc", "clang"] {
        for level in ["-Os", "-O2", "-Og", "-O0"] {
            for board in ["mps2-an386", "mps2-an505"] {
                let left = stack_left(board, compiler, level);
                assert!((32..160).contains(&left), "{compiler} {level} {board}: {left}");
            }
        }
    }
}

#[test]
fn registers_beside_the_core_are_kept() {
    let folder = Folder::new();
    let elf = build(&folder, "mps2-an386", &[STORAGE]);
    let (_qemu, mut serial) = Qemu::with_serial("mps2-an386", &elf);
    serial.command("crash float", "> ");
    let report = decoded(&serial.command("export", "> "), &elf, &folder)[0]["report"].clone();
    assert_eq!(report["title"], "Bus Fault at board_crash_with_float");
    let registers = &report["threads"][0]["registers"];
    for number in 0..32_u8 {
        let bits = (f32::from(number) + 0.5).to_bits();
        assert_eq!(registers[format!("s{number}")], format!("0x{bits:08x}"), "{registers}");
    }
    assert_eq!(registers["fpscr"], "0xa0000000");
    // A thread on the main stack that has used the FPU.
    assert_eq!(registers["control"], "0x00000004");
    assert_eq!(registers["primask"], "0x00000000");

    // Secure code: its own limit of the stack, and the registers of the other state.
    let elf = build(&folder, "mps2-an505", &[STORAGE, "-mcmse"]);
    let (_qemu, mut serial) = Qemu::with_serial("mps2-an505", &elf);
    serial.command("crash hard", "> ");
    let report = decoded(&serial.command("export", "> "), &elf, &folder)[0]["report"].clone();
    let registers = &report["threads"][0]["registers"];
    let limit = symbol(elf.to_str().unwrap(), "__StackLimit").unwrap();
    assert_eq!(registers["msplim"], format!("0x{limit:08x}"));
    assert_eq!(registers["primask"], "0x00000001");
    for name in ["msp_ns", "psp_ns", "msplim_ns", "psplim_ns", "control_ns"] {
        assert_eq!(registers[name], "0x00000000", "{name}: {registers}");
    }
}

#[test]
fn capture_goes_on_and_a_crash_still_comes_through() {
    for board in BOARDS {
        let folder = Folder::new();
        let elf = build(&folder, board, &[STORAGE]);
        let (_qemu, mut serial) = Qemu::with_serial(board, &elf);
        serial.command("measure", "> ");
        let said = serial.command("capture", "> ");
        assert!(said.contains("capture gave 0"), "{board}: {said}");
        // There is room for one.
        assert!(serial.command("capture", "> ").contains("capture gave -5"), "{board}");
        let report = decoded(&serial.command("export", "> "), &elf, &folder)[0]["report"].clone();
        assert_eq!(report["threads"][0]["frames"][0]["function"], "capture", "{board}");
        assert_eq!(report["fault"]["registers"]["CFSR"], "0x00000000", "{board}");
        let logs = array(&report["logs"]);
        assert_eq!(logs.last().unwrap()["text"], "capture while all is well");
        assert!(serial.command("delivered", "> ").contains("there is more"));
        // It goes on as before: ticks, faults, the guard of the stack.
        let boot = serial.command("crash stack", "> ");
        assert!(boot.contains(" bytes, crash 1\n"), "{board}: {boot}");
        let report = decoded(&serial.command("export", "> "), &elf, &folder)[0]["report"].clone();
        let title = report["title"].as_str().unwrap();
        assert!(title.ends_with("at descend [Stack Overflow]"), "{board}: {title}");
    }
}

#[test]
fn capture_of_64_kib_to_ram_takes_few_instructions() {
    let folder = Folder::new();
    let options = ["-DMFLT_COREDUMP_RAM_SIZE=73728", "-DMEASURE=1", "-Os"];
    let elf = build(&folder, "mps2-an386", &options);
    let one_a_nanosecond = ["-icount", "shift=0"];
    let (_qemu, mut serial) = Qemu::with_options("mps2-an386", &elf, &one_a_nanosecond);
    let said = serial.command("capture", "> ");
    let (result, cycles) = said.rsplit_once(", ").unwrap();
    assert!(result.ends_with("capture gave 0"), "{said}");
    let cycles: u64 = cycles.split(' ').next().unwrap().parse().unwrap();
    // The timer of this board runs at 25 MHz.
    let instructions = cycles * 40;
    // Reading, two checksums and a copy of each byte; 66 a byte with GCC 12.
    assert!((2_000_000..6_000_000).contains(&instructions), "{instructions}");
}
