//! `mflt diff`: what was changed on purpose is found, and nothing else.

use crate::support::file;
use crate::support::folder::Folder;
use crate::support::manifest;
use crate::support::program::{Output, mflt, run};
use mflt::base::{Address, AddressRange, Memory};
use mflt::format::{self, elf_core};
use mflt::report::{Difference, ThreadFate};
use mflt::snapshot::{MemoryImage, Register, Snapshot};
use mflt::symbols::{ElfImage, SymbolFile};
use std::fs;
use std::path::Path;

const ELF: &str = "fixtures/demo/firmware.elf";
const CORE: &str = "fixtures/demo/crash.core";

fn diff(a: &Path, b: &Path, elf: &str, more: &[&str]) -> Output {
    run(mflt().arg("diff").arg(a).arg(b).arg("--elf").arg(file(elf)).args(more))
}

/// The differences, and that the exit code tells the same.
fn differences(a: &Path, b: &Path, elf: &str, more: &[&str]) -> Difference {
    let output = diff(a, b, elf, &[&["--json"], more].concat());
    let difference: Difference = serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", output.stderr));
    assert_eq!(output.code, Some(i32::from(!difference.same)));
    difference
}

fn demo() -> Snapshot {
    format::open(&fs::read(file(CORE)).unwrap()).unwrap()
}

/// The memory of `snapshot` with `bytes` at `at`.
fn patched(snapshot: &Snapshot, at: Address, bytes: &[u8]) -> MemoryImage {
    let mut memory = MemoryImage::default();
    // What is there first stays.
    memory.insert(at, bytes.to_vec()).unwrap();
    for segment in snapshot.memory.segments() {
        memory.insert(segment.range().start(), segment.bytes().to_vec()).unwrap();
    }
    memory
}

/// Address of a member of a global of the demo, and the word there.
fn member(snapshot: &Snapshot, variable: &str, path: &str) -> (Address, u32) {
    let bytes = fs::read(file(ELF)).unwrap();
    let image = ElfImage::parse(&bytes).unwrap();
    let symbols = SymbolFile::new(&image);
    let global = symbols.global(variable).unwrap();
    let offset = symbols.layout_in(global.ty, path).unwrap().offset_bytes;
    let offset = u32::try_from(offset).unwrap();
    let at = global.place.address().unwrap().checked_add(offset).unwrap();
    (at, snapshot.memory.read_u32(at).unwrap())
}

#[test]
fn a_dump_and_itself_are_the_same() {
    let core = file(CORE);
    let difference = differences(&core, &core, ELF, &[]);
    assert!(difference.same && difference.memory.unwrap().changed == 0);
    let text = diff(&core, &core, ELF, &[]);
    assert_eq!(text.code, Some(0));
    assert!(text.stdout.contains("no difference"), "{}", text.stdout);
}

#[test]
fn a_member_that_was_changed_is_the_only_difference() {
    let (folder, mut snapshot) = (Folder::new(), demo());
    let (at, old) = member(&snapshot, "g_accel_job", "depth");
    snapshot.memory = patched(&snapshot, at, &(old + 7).to_le_bytes());
    let b = folder.write("b.core", &elf_core::write(&snapshot).unwrap());
    let difference = differences(&file(CORE), &b, ELF, &[]);
    let rows: Vec<_> = difference.variables.iter().map(|c| (&*c.name, &c.a, &c.b)).collect();
    let (old, new) = (Some(old.to_string()), Some((old + 7).to_string()));
    assert!(rows.contains(&("g_accel_job.depth", &old, &new)), "{rows:?}");
    // The crashed thread has pointers to it: what they lead to is shown nowhere else.
    assert!(rows.iter().all(|(name, _, _)| name.ends_with("g_accel_job.depth")), "{rows:?}");
    assert!(difference.threads.is_empty() && difference.registers.is_empty());
    assert!(difference.fault.is_empty() && difference.summary.is_empty());
    let memory = difference.memory.unwrap();
    assert_eq!((memory.changed, memory.owners.len(), memory.omitted), (1, 1, 0));
    let owner = &memory.owners[0];
    assert_eq!((&*owner.owner, owner.first.0), ("g_accel_job", at.0));
    assert_eq!(owner.part.as_deref(), Some("g_accel_job.depth"));
}

#[test]
fn a_byte_of_a_stack_belongs_to_its_thread() {
    let (folder, mut snapshot) = (Folder::new(), demo());
    // Below all that the thread `busy` ever used.
    let report =
        run(mflt().arg("analyze").arg(file(CORE)).args(["--json", "--elf"]).arg(file(ELF)));
    let report: mflt::report::Report = serde_json::from_str(&report.stdout).unwrap();
    let busy = report.threads.iter().find(|thread| thread.name == "busy").unwrap();
    let stack = busy.stack.as_ref().unwrap();
    let at = Address(stack.start.0 + 100);
    snapshot.memory = patched(&snapshot, at, &[1]);
    let b = folder.write("b.core", &elf_core::write(&snapshot).unwrap());
    let difference = differences(&file(CORE), &b, ELF, &[]);
    let owners = difference.memory.unwrap().owners;
    assert_eq!((owners.len(), &*owners[0].owner), (1, "stack of busy"));
    assert_eq!(owners[0].size, Some(u64::from(stack.size)));
    let threads = &difference.threads;
    assert_eq!((threads.len(), &*threads[0].name), (1, "busy"), "more of its stack was used");
    assert_eq!(threads[0].details[0].name, "stack_high_water");
}

#[test]
fn registers_and_ranges_of_one_side_are_told() {
    let (folder, mut snapshot) = (Folder::new(), demo());
    let r0 = snapshot.registers.get(Register::R0).unwrap();
    snapshot.registers.set(Register::R0, r0 ^ 1);
    let mut memory = MemoryImage::default();
    let cut = AddressRange::new(Address(0x2000_5000), 0x40).unwrap();
    for segment in snapshot.memory.segments() {
        for range in segment.range().minus(&[cut]) {
            let bytes = snapshot.memory.slice_from(range.start()).unwrap();
            memory.insert(range.start(), bytes[..range.size() as usize].to_vec()).unwrap();
        }
    }
    snapshot.memory = memory;
    let b = folder.write("b.core", &elf_core::write(&snapshot).unwrap());
    let difference = differences(&file(CORE), &b, ELF, &[]);
    let memory = difference.memory.as_ref().unwrap();
    assert_eq!((memory.changed, memory.only_b.len(), memory.only_a.len()), (0, 0, 1));
    assert_eq!((memory.only_a[0].start.0, memory.only_a[0].size), (0x2000_5000, 0x40));
    assert!(difference.registers.is_empty(), "{:?}", difference.registers);
    let cpu = &difference.cpu_registers;
    assert_eq!((cpu.len(), cpu[0].name.as_str()), (1, "r0"));
    assert_eq!(cpu[0].a, Some(format!("0x{r0:08x}")));
}

#[test]
fn two_crashes_of_one_firmware_differ_in_cause_thread_and_fault() {
    let (a, b) = ("mps2-an386-Og-mpu", "mps2-an386-Og-badpc");
    let (a, b) = (manifest::case(a), manifest::case(b));
    let difference = differences(&file(a.text("core")), &file(b.text("core")), a.elf(), &[]);
    assert!(difference.summary.iter().any(|change| change.name == "cause"));
    assert!(difference.fault.iter().any(|change| change.name == "CFSR"));
    assert!(difference.registers.iter().any(|change| change.name == "pc"));
    let gone = difference.threads.iter().filter(|t| t.change == ThreadFate::Gone);
    assert!(gone.count() >= 1, "another handler: {:?}", difference.threads);
    let output = diff(&file(a.text("core")), &file(b.text("core")), a.elf(), &[]);
    assert!(output.stdout.lines().count() < 150, "{}", output.stdout);
    let full = diff(&file(a.text("core")), &file(b.text("core")), a.elf(), &["--full"]);
    assert!(full.stdout.lines().count() >= output.stdout.lines().count());
}

#[test]
fn different_builds_are_compared_by_name() {
    let (a, b) = (manifest::case("mps2-an386-Og-mpu"), manifest::case("mps2-an385-Og-mpu"));
    let elf_b = file(b.elf()).display().to_string();
    let cores = (file(a.text("core")), file(b.text("core")));
    let difference = differences(&cores.0, &cores.1, a.elf(), &["--elf-b", &elf_b]);
    assert_eq!(difference.memory, None);
    assert_eq!(difference.notes[0].code, "different_builds");
    let appeared = difference.threads.iter().find(|thread| thread.name == "sensor");
    assert!(appeared.is_none_or(|thread| thread.change == ThreadFate::Changed));
    let core = difference.summary.iter().find(|change| change.name == "core").unwrap();
    assert_eq!(core.a.as_deref(), Some("Cortex-M4"));
    assert_eq!(core.b.as_deref(), Some("Cortex-M3"));
}

#[test]
fn what_cannot_be_compared_ends_with_two() {
    let core = file(CORE);
    let missing = diff(&core, Path::new("no-such.core"), ELF, &[]);
    assert_eq!((missing.code, missing.stdout.as_str()), (Some(2), ""));
    assert!(missing.stderr.contains("`no-such.core`"), "{}", missing.stderr);
    let other = manifest::case("mps2-an385-Og-mpu");
    let foreign = diff(&core, &file(other.text("core")), ELF, &[]);
    assert_eq!(foreign.code, Some(2));
    assert!(foreign.stderr.contains("hint: ") && foreign.stderr.contains("--elf-b"));
    assert_eq!(run(mflt().args(["diff", "one"])).code, Some(2));
}
