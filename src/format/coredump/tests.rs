//! Coredumps built block by block here, without the constants of the reader and the writer, and
//! two whole files byte by byte.

use super::*;
use crate::base::{Address, Memory, hex};
use crate::format::{FormatError, open};
use crate::snapshot::{
    Identity, MemoryImage, Moment, MpuRegion, ReasonCode, Register, RegisterSet, Snapshot,
    ThreadRegisters,
};

/// As a device writes it: an assert, a bus fault in the registers, eight bytes of RAM.
const DEVICE: &str = "434f5245020000003001000000000000000000004c000000000100000101000002010000030100000401000005010000060100000701000008010000090100000a0100000b0100000c010000800f0020010200085001000800000061800f0020000000000c0000000000000014000000a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b30a0000000000000005000000312e322e330b00000000000000040000006d61696e0400000000000000060000006576745f32340700000000000000040000002800000005000000000000000400000001800000060000000000000001000000000100000024ed00e01c0000000000070000820000000000000000000034ed00e038ed00e00000000001000000000000200800000068656c6c6f21212144554d50000000000000000000000000";

/// As a debugger's script writes it: version 1, 21 registers, the time at the end of memory.
const SCRIPT: &str = "434f52450100000002010000000000000000000054000000000000000101010102020202030303030404040405050505060606060707070708080808090909090a0a0a0a0b0b0b0b0c0c0c0c0d0d0d0d0e0e0e0e0f0f0f0f101010101111111112121212131313131414141402000000000000000d0000006465766963655f73657269616c0a0000000000000005000000312e322e330b00000000000000040000006d61696e0400000000000000090000006764622d70726f746f070000000000000004000000280000000500000000000000040000000500000001000000fcffffff04000000a288485d01000000040000000b00000068656c6c6f20776f726c64";

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal.as_bytes()).unwrap()
}

/// A file of version `version` around `blocks`.
fn file(version: u8, blocks: &[(u8, u32, &[u8])], flags: u8) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, address, payload) in blocks {
        body.extend([*kind, 0, 0, 0]);
        body.extend(address.to_le_bytes());
        body.extend((payload.len() as u32).to_le_bytes());
        body.extend(*payload);
    }
    if version == 2 {
        body.extend([0x44, 0x55, 0x4d, 0x50, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    let mut file = vec![0x43, 0x4f, 0x52, 0x45, version, 0, 0, 0];
    file.extend((body.len() as u32 + 12).to_le_bytes());
    file.extend(body);
    file
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn device_file_gives_every_part() {
    let snapshot = open(&bytes(DEVICE)).unwrap();
    let registers = &snapshot.registers;
    for number in 0..13 {
        assert_eq!(registers.core(number), Some(0x100 + u32::from(number)));
    }
    assert_eq!(registers.sp(), Some(0x2000_0f80));
    assert_eq!(registers.lr(), Some(0x0800_0201));
    assert_eq!(registers.pc(), Some(0x0800_0150));
    assert_eq!(registers.get(Register::XPSR), Some(0x6100_0000));
    assert_eq!(registers.get(Register::MSP), Some(0x2000_0f80));
    assert_eq!(registers.get(Register::PSP), Some(0));
    assert_eq!(snapshot.moment, Moment::Crash);
    assert_eq!(snapshot.reason_code, Some(ReasonCode::Reboot(0x8001)));
    assert_eq!(snapshot.reason.as_deref(), Some("Assert (0x8001)"));
    let expected = Identity {
        device_serial: None,
        software_type: Some("main".into()),
        software_version: Some("1.2.3".into()),
        hardware_version: Some("evt_24".into()),
        build_id: Some((0xa0..=0xb3).collect()),
    };
    assert_eq!(snapshot.identity, expected);
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed28)), Ok(0x8200));
    assert_eq!(snapshot.memory.slice_from(Address(0x2000_0000)), Some(&b"hello!!!"[..]));
    assert_eq!(snapshot.origin.complete, Some(true));
    assert_eq!(snapshot.origin.format, "memfault coredump 2");
    assert_eq!(snapshot.remarks, [""; 0]);
}

#[test]
fn script_file_has_its_time_and_more_registers() {
    let snapshot = open(&bytes(SCRIPT)).unwrap();
    assert_eq!(snapshot.registers.core(1), Some(0x0101_0101));
    assert_eq!(snapshot.registers.get(Register::PRIMASK), Some(0x1313_1313));
    assert_eq!(snapshot.registers.get(Register::CONTROL), Some(0x1414_1414));
    assert_eq!(snapshot.identity.device_serial.as_deref(), Some("device_serial"));
    assert_eq!(snapshot.origin.captured_at_ms, Some(0x5d48_88a2 * 1000));
    assert_eq!(snapshot.moment, Moment::Stop);
    assert_eq!(snapshot.memory.segments().len(), 1);
    assert_eq!(snapshot.memory.slice_from(Address(4)), Some(&b"hello world"[..]));
}

#[test]
fn writer_gives_the_bytes_of_the_device() {
    let written = write(&open(&bytes(DEVICE)).unwrap()).unwrap();
    assert_eq!(written.dropped, [""; 0]);
    let again = open(&written.bytes).unwrap();
    assert_eq!(again, open(&bytes(DEVICE)).unwrap());
    // The same blocks; only regions are in the order of their addresses.
    assert_eq!(written.bytes.len(), bytes(DEVICE).len());
    assert_eq!(written.bytes[..0xd7], bytes(DEVICE)[..0xd7]);
}

#[test]
fn debugger_that_undid_an_exception_shows_the_crash() {
    let mut registers = vec![0; 21];
    registers[16] = 0x0100_0000;
    let halted = words(&[5]);
    let in_handler = words(&[0x0000_0803]);
    let idle = words(&[0]);
    let of = |icsr: &[u8]| {
        let blocks: [(u8, u32, &[u8]); 3] =
            [(0, 0, &words(&registers)), (5, 0, &halted), (1, 0xe000_ed04, icsr)];
        open(&file(1, &blocks, 0)).unwrap().moment
    };
    assert_eq!(of(&in_handler), Moment::Crash);
    assert_eq!(of(&idle), Moment::Stop);
}

#[test]
fn registers_that_a_debugger_could_not_read_are_unknown() {
    let mut registers = vec![7; 21];
    registers[17] = 0;
    registers[18] = 0;
    let snapshot = open(&file(1, &[(0, 0, &words(&registers))], 0)).unwrap();
    assert_eq!(snapshot.registers.get(Register::MSP), None);
    assert_eq!(snapshot.registers.get(Register::PSP), None);
    assert_eq!(snapshot.registers.sp(), Some(7));
}

#[test]
fn mpu_block_is_registers_and_regions() {
    let mpu = words(&[0x800, 5, 0x2000_0010, 0x1003_0027, 0x0800_0011, 0x0602_0029]);
    let registers = words(&[1; 19]);
    let snapshot =
        open(&file(2, &[(0, 0, &registers), (9, 0x2000_4000, &mpu), (77, 0, &[1])], 1)).unwrap();
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed90)), Ok(0x800));
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed94)), Ok(5));
    let expected = [
        MpuRegion { base: 0x2000_0010, attributes: 0x1003_0027 },
        MpuRegion { base: 0x0800_0011, attributes: 0x0602_0029 },
    ];
    assert_eq!(snapshot.mpu_regions, expected);
    assert_eq!(snapshot.origin.complete, Some(false));
    assert_eq!(snapshot.remarks.len(), 2, "cut short, an unknown block: {:?}", snapshot.remarks);
    assert_eq!(open(&write(&snapshot).unwrap().bytes).unwrap().mpu_regions, expected);
}

#[test]
fn other_versions_and_machines_are_refused() {
    assert_eq!(open(&file(3, &[], 0)), Err(FormatError::CoredumpVersion { found: 3 }));
    for (number, _) in MACHINES {
        let registers = words(&[1; 19]);
        let machine = words(&[number]);
        let opened = open(&file(2, &[(0, 0, &registers), (7, 0, &machine)], 0));
        assert_eq!(opened.is_ok(), number == 0 || number == 40, "{number}: {opened:?}");
    }
    assert!(matches!(open(&file(2, &[], 0)), Err(FormatError::Empty(_))));
}

#[test]
fn every_prefix_yields_what_it_holds() {
    let whole = bytes(DEVICE);
    for size in 0..whole.len() {
        match open(&whole[..size]) {
            Ok(snapshot) => {
                assert!(size >= 0x64, "{size}");
                assert_eq!(snapshot.registers.pc(), Some(0x0800_0150));
                assert_eq!(snapshot.origin.complete, Some(false), "{size}");
                assert!(!snapshot.remarks.is_empty());
                // The last region begins at 0x118.
                let held = snapshot.memory.slice_from(Address(0x2000_0000)).map_or(0, <[u8]>::len);
                assert_eq!(held, size.saturating_sub(0x118).min(8), "{size}");
            }
            Err(error) => assert!(size < 0x64, "{size}: {error}"),
        }
    }
}

#[test]
fn further_registers_follow_their_first_number() {
    let core = [0; 76];
    let blocks: [(u8, u32, &[u8]); 5] = [
        (0, 0, &core),
        (0x80, 0, &words(&[1, 2, 0x40, 0, 0x2000_0100, 0x2000_0200])),
        (0x80, 0x10, &words(&[0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18])),
        (0x80, 0x40, &words(&(100..133).collect::<Vec<u32>>())),
        // Numbers without a register, and half a word at the end of numbers.
        (0x80, 0xffff_fffe, &words(&[1, 2, 3, 4])[..14]),
    ];
    let snapshot = open(&file(2, &blocks, 0)).unwrap();
    assert_eq!(snapshot.remarks, Vec::<String>::new());
    let value = |name: &str| snapshot.registers.get(Register::from_name(name).unwrap());
    for (name, expected) in [
        ("primask", 1),
        ("control", 2),
        ("basepri", 0x40),
        ("faultmask", 0),
        ("msplim", 0x2000_0100),
        ("psplim", 0x2000_0200),
        ("msp_ns", 0x11),
        ("psp_ns", 0x12),
        ("msplim_ns", 0x13),
        ("psplim_ns", 0x14),
        ("primask_ns", 0x15),
        ("basepri_ns", 0x16),
        ("faultmask_ns", 0x17),
        ("control_ns", 0x18),
        ("s0", 100),
        ("s31", 131),
        ("fpscr", 132),
    ] {
        assert_eq!(value(name), Some(expected), "{name}");
    }
    assert_eq!(value("vpr"), None);
    // All of them are written again.
    let written = write(&snapshot).unwrap();
    let dropped = written.dropped.join("\n");
    assert!(!dropped.contains("the registers "), "{dropped}");
    assert_eq!(open(&written.bytes).unwrap().registers, snapshot.registers);
    // Without the registers of the crash they are of no use.
    assert!(open(&file(2, &blocks[1..], 0)).is_err());
}

#[test]
fn damaged_files_never_panic() {
    for whole in [bytes(DEVICE), bytes(SCRIPT)] {
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(snapshot) = open(&damaged) {
                assert!(snapshot.memory.size() <= whole.len() as u64);
            }
        }
    }
}

#[test]
fn capture_in_a_fault_handler_is_written_as_the_crash() {
    let register = |pc: u32, xpsr: u32| {
        [(Register::PC, pc), (Register::XPSR, xpsr), (Register::FPSCR, 1)]
            .into_iter()
            .collect::<RegisterSet>()
    };
    let mut memory = MemoryImage::default();
    memory.insert(Address(0xe000_ed04), words(&[5])).unwrap();
    memory.insert(Address(0x2000_0000), vec![1, 2, 3]).unwrap();
    let snapshot = Snapshot {
        registers: register(0x100, 0x0100_0005),
        threads: vec![ThreadRegisters {
            id: 0x2000_0000,
            name: None,
            registers: register(0x200, 0x0100_0000),
        }],
        memory,
        ..Snapshot::default()
    };
    let written = write(&snapshot).unwrap();
    let again = open(&written.bytes).unwrap();
    assert_eq!(again.registers.pc(), Some(0x200));
    assert_eq!(again.moment, Moment::Crash);
    assert_eq!(again.reason_code, Some(ReasonCode::Reboot(0x9100)));
    assert_eq!(again.memory, snapshot.memory);
    let dropped = written.dropped.join("\n");
    for lost in ["1 threads", "inside the handler", "r0, r1"] {
        assert!(dropped.contains(lost), "{lost}: {dropped}");
    }
    assert_eq!(again.registers.get(Register::FPSCR), Some(1));
}
