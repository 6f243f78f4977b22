//! `--svd FILE --peripheral NAME`: registers of peripherals in a capture.

use crate::support::board::{Board, Writes};
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::manifest;
use crate::support::program::{Output, mflt, run};
use crate::support::qemu::Qemu;
use mflt::report::Report;
use std::path::Path;

const CASE: &str = "mps2-an385-Og-buswrite";

/// The serial port of the board, as Arm describes it (CMSDK APB UART, DDI 0479 4.3).
pub(crate) const SVD: &str = "<device><name>MPS2</name><size>32</size><peripherals>\
    <peripheral><name>UART0</name><baseAddress>0x40004000</baseAddress><registers>\
    <register><name>DATA</name><addressOffset>0</addressOffset><readAction>modify</readAction></register>\
    <register><name>STATE</name><addressOffset>4</addressOffset><access>read-only</access></register>\
    <register><name>CID%s</name><dim>4</dim><dimIncrement>4</dimIncrement><addressOffset>0xff0</addressOffset>\
    <fields><field><name>VALUE</name><bitRange>[7:0]</bitRange></field></fields></register>\
    </registers></peripheral></peripherals></device>";

fn capture(server: &str, svd: &Path, core: &Path, names: &[&str]) -> Output {
    let mut command = mflt();
    command.args(["coredump", "--gdb", server, "--elf"]).arg(file(manifest::case(CASE).elf()));
    command.arg("--svd").arg(svd).arg("-o").arg(core);
    run(command.args(names.iter().flat_map(|name| ["--peripheral", name])))
}

#[test]
fn peripheral_is_captured_and_decoded() {
    let folder = Folder::new();
    let (svd, core) = (folder.write("mps2.svd", SVD.as_bytes()), folder.file("a.core"));
    let case = manifest::case(CASE);
    let qemu = Qemu::at_stop(case).unwrap();
    let output = capture(&qemu.server(), &svd, &core, &["uart0"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("not read, as reading changes them: UART0.DATA\n"));
    assert!(output.stderr.contains("  5 registers of peripherals\n"), "{}", output.stderr);
    let mut command = mflt();
    command.arg("analyze").arg(&core).arg("--elf").arg(file(case.elf())).arg("--svd").arg(&svd);
    let json = run(command.arg("--json")).success("mflt analyze").unwrap();
    let report: Report = serde_json::from_str(&json).unwrap();
    let registers = &report.peripherals[0].registers;
    let held: Vec<_> = registers.iter().map(|r| (&*r.name, r.address.0, r.value.0)).collect();
    // PrimeCell identification of the port: DDI 0479, table 4-5.
    let expected = [
        ("STATE", 0x4000_4004, 0),
        ("CID0", 0x4000_4ff0, 0x0d),
        ("CID1", 0x4000_4ff4, 0xf0),
        ("CID2", 0x4000_4ff8, 0x05),
        ("CID3", 0x4000_4ffc, 0xb1),
    ];
    assert_eq!(held, expected);
}

#[test]
fn register_that_cannot_be_read_is_told_and_the_rest_is_kept() {
    let folder = Folder::new();
    let (svd, core) = (folder.write("mps2.svd", SVD.as_bytes()), folder.file("a.core"));
    let case = manifest::case(CASE);
    let snapshot = std::fs::read(file(case.text("core"))).unwrap();
    let snapshot = mflt::format::open(&snapshot).unwrap();
    let (server, _) = Board::new(snapshot, Writes::Taken).serve();
    let output = capture(&server, &svd, &core, &["UART0.DATA", "UART0.STATE"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("0x40004000..0x40004003 could not be read: E01"), "{output:?}");
    let kept = mflt::format::open(&std::fs::read(&core).unwrap()).unwrap();
    assert!(kept.memory.size() > 1000);
}

#[test]
fn names_and_files_that_make_no_sense_are_refused_before_anything_is_touched() {
    let folder = Folder::new();
    let (svd, core) = (folder.write("mps2.svd", SVD.as_bytes()), folder.file("a.core"));
    let html = folder.write("page.html", b"<html></html>");
    let nobody = "127.0.0.1:9";
    let output = capture(nobody, &svd, &core, &["UART1"]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("no peripheral or register `UART1`"), "{}", output.stderr);
    assert!(output.stderr.contains("hint: it has UART0"), "{}", output.stderr);
    let output = capture(nobody, &html, &core, &["UART0"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("the outermost element is `html`"), "{}", output.stderr);
    let mut command = mflt();
    let output = run(command.args(["coredump", "--gdb", nobody, "--peripheral", "UART0"]));
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("--svd <FILE>"), "{}", output.stderr);
}
