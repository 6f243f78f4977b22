//! What the inspector says is what the report says, and it can be asked for more.

use super::{Inspector, Item, OwnerKind};
use crate::analysis::{Options, analyze};
use crate::base::Address;
use crate::format;
use crate::report::{Registers, Report, Status};
use crate::snapshot::Snapshot;
use crate::symbols::{ElfImage, SymbolFile};

/// Looks into a crash of the fixture firmware.
fn inspect(case: &str, check: impl Fn(&Inspector<'_, '_>, &Snapshot, &[SymbolFile<'_>])) {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    let elf = std::fs::read(format!("{fixtures}/elf/mps2-an385-Og.elf")).unwrap();
    let core = std::fs::read(format!("{fixtures}/cores/mps2-an385-Og-{case}.core")).unwrap();
    let image = ElfImage::parse(&elf).unwrap();
    let snapshot = format::open(&core).unwrap();
    let files = [SymbolFile::new(&image)];
    check(&Inspector::new(&snapshot, &files), &snapshot, &files);
}

fn global(inspector: &Inspector<'_, '_>, name: &str) -> Item {
    let index = inspector.globals().iter().position(|global| global.name == name);
    inspector.global(index.unwrap_or_else(|| panic!("no global {name}"))).unwrap()
}

#[test]
fn variables_of_every_frame_are_those_of_the_report() {
    for case in ["stackoverflow", "isr", "nullptr"] {
        inspect(case, |inspector, snapshot, files| {
            let report: Report = analyze(snapshot, files, &Options::default());
            let mut compared = 0;
            for thread in &report.threads {
                for frame in &thread.frames {
                    let items = inspector.frame_variables(&thread.id, frame.index);
                    let expected: Vec<_> = frame.arguments.iter().chain(&frame.locals).collect();
                    let names: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
                    let known: Vec<&str> = expected.iter().map(|v| v.name.as_str()).collect();
                    assert_eq!(names, known, "{case}: {} #{}", thread.name, frame.index);
                    for (item, variable) in items.iter().zip(expected) {
                        assert_eq!(item.status, variable.status, "{case}: {}", item.name);
                        if let Some(value) = &variable.value {
                            assert_eq!(&item.text, value, "{case}: {}", item.name);
                            compared += 1;
                        }
                    }
                }
            }
            assert!(compared > 10, "{case}: {compared} values");
        });
    }
}

#[test]
fn globals_are_listed_without_values_and_read_one_by_one() {
    inspect("nullptr", |inspector, snapshot, files| {
        let report = analyze(snapshot, files, &Options::default());
        let names: Vec<String> = inspector.globals().into_iter().map(|g| g.name).collect();
        let expected: Vec<String> = report.globals.iter().map(|g| g.name.clone()).collect();
        assert_eq!(names, expected);
        for (index, variable) in report.globals.iter().enumerate() {
            let item = inspector.global(index).unwrap();
            assert_eq!(item.address.map(|at| at.0), variable.address.map(|at| at.0));
            if let Some(value) = &variable.value {
                assert_eq!(&item.text, value, "{}", item.name);
            }
        }
        assert_eq!(inspector.global(names.len()), None);
    });
}

#[test]
fn structure_opens_to_its_members_and_pointer_to_its_target() {
    inspect("nullptr", |inspector, _, _| {
        let kernel = global(inspector, "_kernel");
        let members = inspector.children(&kernel.part.unwrap(), 0).items;
        let cpus = members.iter().find(|item| item.name == "cpus").unwrap();
        let cpu = &inspector.children(cpus.part.as_ref().unwrap(), 0).items[0];
        let parts = inspector.children(cpu.part.as_ref().unwrap(), 0).items;
        let current = parts.iter().find(|item| item.name == "current").unwrap();
        let thread = inspector.children(current.part.as_ref().unwrap(), 0).items;
        assert!(thread.iter().any(|item| item.name == "callee_saved"), "{thread:?}");
        assert_eq!(thread[0].address, current.target);
    });
}

#[test]
fn address_of_takes_numbers_symbols_parts_registers_and_pointers() {
    inspect("nullptr", |inspector, _, _| {
        let registers = Registers([("sp".into(), 0x2000_0100.into())].into_iter().collect());
        let at = |text: &str| inspector.address_of(text, &registers);
        let kernel = at("_kernel").unwrap();
        assert_eq!(at("0x2000_0010-4"), Ok(Address(0x2000_000c)));
        assert_eq!(at(" sp + 8 "), Ok(Address(0x2000_0108)));
        assert_eq!(at("_kernel+0x10-2"), Ok(kernel.wrapping_add(14)));
        let current = at("_kernel.cpus[0].current").unwrap();
        let thread = global(inspector, "_kernel").address.map(|_| at("*_kernel.cpus[0].current"));
        assert!(current > kernel);
        assert_eq!(thread.unwrap(), Ok(Address(inspector.memory().read_u32(current).unwrap())));
        for wrong in
            ["", "*", "no_such_symbol", "0x", "_kernel.nothing", "_kernel+x", "0x1ffffffff"]
        {
            assert!(at(wrong).is_err(), "{wrong}");
        }
        assert!(at(&"*".repeat(100)).is_err());
        assert!(at("*0x99999998").unwrap_err().contains("not captured"));
    });
}

#[test]
fn stack_memory_belongs_to_the_frame_and_a_variable_to_itself() {
    inspect("nullptr", |inspector, snapshot, files| {
        let report = analyze(snapshot, files, &Options::default());
        let owners = inspector.owners(&report);
        let crashed = report.threads.iter().find(|thread| thread.crashed).unwrap();
        let frame = crashed.frames.iter().find(|frame| !frame.inlined).unwrap();
        let owner = owners.at(Address(frame.sp.unwrap().0)).unwrap();
        assert_eq!(owner.kind, OwnerKind::Frame);
        assert!(owner.name.contains(&crashed.name), "{}", owner.name);
        let kernel = global(inspector, "_kernel").address.unwrap();
        assert_eq!(owners.at(kernel).unwrap().name, "_kernel");
        let pc = Address(frame.pc.0);
        assert_eq!(owners.at(pc).unwrap().kind, OwnerKind::Function);
    });
}

#[cfg(feature = "disasm")]
#[test]
fn code_is_the_whole_function_with_lines() {
    inspect("nullptr", |inspector, snapshot, files| {
        let report = analyze(snapshot, files, &Options::default());
        let crashed = report.threads.iter().find(|thread| thread.crashed).unwrap();
        let pc = crashed.frames[0].pc;
        let code = inspector.code(Address(pc.0));
        let current: Vec<_> = code.iter().filter(|line| line.instruction.current).collect();
        assert_eq!(current.len(), 1);
        assert_eq!(current[0].instruction.address, pc);
        assert_eq!(current[0].line, crashed.frames[0].line);
        for pair in code.windows(2) {
            let size = pair[0].instruction.bytes.len() as u32 / 2;
            assert!(pair[0].instruction.address.0 + size <= pair[1].instruction.address.0);
        }
        assert!(inspector.code(Address(0x2000_0000)).is_empty(), "RAM is no code");
    });
}

#[test]
fn list_is_followed_to_its_end_and_a_ring_is_told() {
    inspect("nullptr", |inspector, _, _| {
        let kernel = global(inspector, "_kernel");
        let members = inspector.children(&kernel.part.unwrap(), 0).items;
        let threads = members.iter().find(|item| item.name == "threads").unwrap();
        let chain = inspector.chain(threads.part.as_ref().unwrap()).unwrap();
        assert!(chain.items.len() > 2, "{chain:?}");
        assert_eq!(chain.end, "ends with a null pointer");
        assert!(chain.items.iter().all(|item| item.status == Status::Ok));
    });
}
