//! Dumps built here byte by byte, without the constants of the reader and the writer.

use super::*;
use crate::base::{Address, Memory};
use crate::format::{FormatError, open};
use crate::snapshot::{Identity, MemoryImage, Moment, ReasonCode, Register, Snapshot};

/// Two registers and the word of masks, five bytes of RAM as numbers, two as a byte string.
fn dump(instruction_set: &[u8]) -> Vec<u8> {
    let mut file = b"\x84\xa9registers\x84".to_vec();
    file.extend(b"\x0f\x81\xa3U32\xce\x08\x00\x01\x50");
    file.extend(b"\x10\x81\xa3U32\xce\x61\x00\x00\x03");
    file.extend(b"\x14\x81\xa3U32\xce\x02\x01\x40\x01");
    file.extend(b"\xcc\x41\x81\xa3U32\xce\x3f\x80\x00\x00");
    file.extend(b"\xabfpu_support\xc3\xa4data\x92");
    file.extend(b"\x92\x82\xa5start\xce\x20\x00\x00\x00\xa3end\xce\x20\x00\x00\x05");
    file.extend(b"\xdc\x00\x05\x01\x02\xcc\xff\x04\x05");
    file.extend(
        b"\x92\x82\xa5start\xce\x30\x00\x00\x00\xa3end\xce\x30\x00\x00\x02\xc4\x02\x08\x09",
    );
    file.extend(b"\xafinstruction_set");
    file.push(0xa0 | instruction_set.len() as u8);
    file.extend(instruction_set);
    file
}

#[test]
fn dump_gives_registers_and_memory() {
    let snapshot = open(&dump(b"Thumb2")).unwrap();
    let register = |name| snapshot.registers.get(Register::from_name(name).unwrap());
    assert_eq!(register("pc"), Some(0x0800_0150));
    assert_eq!(register("xpsr"), Some(0x6100_0003));
    assert_eq!(register("primask"), Some(1));
    assert_eq!(register("basepri"), Some(0x40));
    assert_eq!(register("faultmask"), Some(1));
    assert_eq!(register("control"), Some(2));
    assert_eq!(register("s1"), Some(0x3f80_0000));
    assert_eq!(register("r0"), None);
    assert_eq!(snapshot.moment, Moment::Stop);
    assert_eq!(snapshot.memory.slice_from(Address(0x2000_0000)), Some(&[1, 2, 255, 4, 5][..]));
    assert_eq!(snapshot.memory.read_u16(Address(0x3000_0000)), Ok(0x0908));
    assert_eq!(snapshot.remarks, [""; 0]);
}

#[test]
fn other_processor_is_refused() {
    for name in ["A32", "A64", "RV32C", "Xtensa"] {
        let error = FormatError::OtherProcessor { found: name.into() };
        assert_eq!(open(&dump(name.as_bytes())), Err(error));
    }
}

#[test]
fn every_prefix_yields_what_it_holds() {
    let whole = dump(b"Thumb2");
    let ram = whole.windows(5).position(|w| w == [0x01, 0x02, 0xcc, 0xff, 0x04]).unwrap();
    for size in 0..whole.len() {
        match open(&whole[..size]) {
            Ok(snapshot) => {
                assert_eq!(snapshot.registers.pc(), Some(0x0800_0150), "{size}");
                assert_eq!(snapshot.origin.complete, Some(false), "{size}");
                let held = snapshot.memory.slice_from(Address(0x2000_0000)).map_or(0, <[u8]>::len);
                // 0xff takes two bytes.
                let read = size.saturating_sub(ram);
                let expected = if read >= 3 { read - 1 } else { read };
                assert_eq!(held, expected.min(5), "{size}");
            }
            // Map, key, map, and the first register.
            Err(_) => assert!(size < 26, "{size}"),
        }
    }
}

#[test]
fn damaged_files_never_panic() {
    let whole = dump(b"Thumb2");
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(snapshot) = open(&damaged) {
            assert!(snapshot.memory.size() <= whole.len() as u64);
        }
    }
}

#[test]
fn written_dump_is_read_back() {
    let mut memory = MemoryImage::default();
    memory.insert(Address(0x2000_0000), (0..=255).collect()).unwrap();
    memory.insert(Address(0xffff_fffc), vec![1; 4]).unwrap();
    let names = ["r0", "r12", "sp", "pc", "xpsr", "psp_ns", "msplim_s", "fpscr", "s0", "s31"];
    let masks = ["primask", "basepri", "faultmask", "control"];
    let mut registers = crate::snapshot::RegisterSet::default();
    for (name, value) in names.iter().chain(&masks).zip(0x70..) {
        registers.set(Register::from_name(name).unwrap(), value);
    }
    let mut snapshot = Snapshot { registers, memory, ..Snapshot::default() };
    let written = write(&snapshot).unwrap();
    assert_eq!(written.dropped, [""; 0]);
    let mut again = open(&written.bytes).unwrap();
    assert_eq!(again.origin.format, "probe-rs dump");
    again.origin.format.clear();
    assert_eq!(again, snapshot);
    snapshot.registers.set(Register::MSPLIM, 4);
    snapshot.moment = Moment::Crash;
    snapshot.reason_code = Some(ReasonCode::Kernel(3));
    snapshot.identity = Identity { build_id: Some(vec![1]), ..Identity::default() };
    let dropped = write(&snapshot).unwrap().dropped.join("\n");
    for lost in ["msplim", "reason", "build ID", "those of the crash"] {
        assert!(dropped.contains(lost), "{lost}: {dropped}");
    }
}
