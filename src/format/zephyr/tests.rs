//! Coredumps and logs built here byte by byte, without the constants of the reader and the writer.

use super::*;
use crate::base::{Address, Memory, hex};
use crate::format::{FormatError, open};
use crate::snapshot::{
    MemoryImage, Moment, ReasonCode, Register, RegisterSet, Snapshot, ThreadRegisters,
};

/// r0 to r3, r12, lr, pc, xpsr as the fault handler finds them in the frame.
const PUSHED: [u32; 8] = [1, 2, 3, 4, 12, 0x1465, 0x117a, 0x0100_0000];

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn header(version: u8, flags: u8, reason: u8) -> Vec<u8> {
    vec![b'Z', b'E', version, 0, 3, 0, 5, flags, reason, 0, 0, 0]
}

fn sized(kind: u8, version: u8, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u16).to_le_bytes();
    [&[kind, version, 0, size[0], size[1]], payload].concat()
}

fn memory(start: u32, bytes: &[u8]) -> Vec<u8> {
    let range = words(&[start, start + bytes.len() as u32]);
    [&[b'M', 1, 0], &range[..], bytes].concat()
}

/// RAM of 256 bytes at 0x20000000 with `frame` at 0x80.
fn ram(frame: &[u32]) -> Vec<u8> {
    let mut ram: Vec<u8> = (0..=255).collect();
    let bytes = words(frame);
    ram[0x80..0x80 + bytes.len()].copy_from_slice(&bytes);
    ram
}

/// A crash with sp as given and r4 to r11.
fn dump(sp: u32, callee_saved: [u32; 8], ram: &[u8]) -> Vec<u8> {
    let registers = [&PUSHED[..], &[sp], &callee_saved].concat();
    [header(1, 0, 25), sized(b'A', 2, &words(&registers)), memory(0x2000_0000, ram)].concat()
}

/// As Zephyr's log shows it: a line per write, 32 bytes at most, colored, with other lines between.
fn log(dump: &[u8], ram_size: usize) -> Vec<String> {
    let mut lines = vec!["*** Booting Zephyr OS build v3.4 ***".to_string()];
    let mut put = |text: &str| {
        lines.push(format!("[00:00:00.410,000] \x1b[1;31m<err> coredump: #CD:{text}\x1b[0m\r"));
    };
    put("BEGIN#");
    let ram_at = dump.len() - ram_size;
    let parts = [&dump[..12], &dump[12..17], &dump[17..85], &dump[85..ram_at], &dump[ram_at..]];
    for part in parts {
        part.chunks(32).for_each(|line| put(&hex::encode(line)));
    }
    put("END#");
    lines.insert(4, "[00:00:00.420,000] <inf> net: link up\r".into());
    lines
}

#[test]
fn sp_that_is_the_frame_is_moved_above_it() {
    let snapshot = open(&dump(0x2000_0080, [4, 5, 6, 7, 8, 9, 10, 11], &ram(&PUSHED))).unwrap();
    let registers = &snapshot.registers;
    for (name, value) in ["r0", "r1", "r2", "r3", "r12", "lr", "pc", "xpsr"].iter().zip(PUSHED) {
        assert_eq!(registers.get(Register::from_name(name).unwrap()), Some(value), "{name}");
    }
    for number in 4..12 {
        assert_eq!(registers.core(number), Some(u32::from(number)));
    }
    assert_eq!(registers.sp(), Some(0x2000_00a0));
    assert_eq!(snapshot.moment, Moment::Crash);
    assert_eq!(snapshot.reason_code, Some(ReasonCode::Kernel(25)));
    assert_eq!(snapshot.memory.read_u8(Address(0x2000_007f)), Ok(0x7f));
    assert_eq!(snapshot.remarks, [""; 0]);
    // A later version stores the stack pointer itself.
    let later = open(&dump(0x2000_00a0, [0; 8], &ram(&PUSHED))).unwrap();
    assert_eq!(later.registers.sp(), Some(0x2000_00a0));
    assert_eq!(later.registers.core(4), None, "eight zeros were never written");
    let none = open(&dump(0, [0; 8], &ram(&PUSHED))).unwrap();
    assert_eq!(none.registers.sp(), None);
}

#[test]
fn padded_frame_and_floating_point_frame_are_larger() {
    let mut pushed = PUSHED;
    pushed[7] |= 1 << 9;
    let registers = [&pushed[..], &[0x2000_0080]].concat();
    let file = |ram: &[u8]| {
        [header(1, 0, 0), sized(b'A', 1, &words(&registers)), memory(0x2000_0000, ram)].concat()
    };
    let mut ram = ram(&pushed);
    assert_eq!(open(&file(&ram)).unwrap().registers.sp(), Some(0x2000_00a4));
    // MSP before the handler, and the handler's EXC_RETURN.
    ram[0x20..0x28].copy_from_slice(&words(&[0x2000_0028, 0xffff_ffed]));
    assert_eq!(open(&file(&ram)).unwrap().registers.sp(), Some(0x2000_00ec));
    ram[0x20..0x28].copy_from_slice(&words(&[0x2000_0028, 0xffff_fffd]));
    assert_eq!(open(&file(&ram)).unwrap().registers.sp(), Some(0x2000_00a4));
}

#[test]
fn later_parts_are_kernel_more_registers_and_checksum() {
    let registers = [&PUSHED[..], &[0x2000_00a0], &[9; 8], &[1, 0x30]].concat();
    let parts = [
        header(2, 1, 4),
        sized(b'A', 3, &words(&registers)),
        sized(b'T', 1, &[0xab; 40]),
        memory(0x2000_0000, &[1, 2, 3, 4]),
        memory(0x2000_1000, &[5; 8]),
    ];
    let mut file = parts.concat();
    // Known by heart: the CRC of `123456789` is 0xcbf43926.
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    let crc = crc32(&file);
    file.extend([b'C', 1, 0]);
    file.extend(crc.to_le_bytes());
    let snapshot = open(&file).unwrap();
    assert_eq!(snapshot.kernel_object, Some(vec![0xab; 40]));
    assert_eq!(snapshot.current_thread, None);
    assert_eq!(snapshot.registers.core(11), Some(9));
    assert_eq!(snapshot.origin.complete, Some(true));
    assert_eq!(snapshot.memory.segments().len(), 2);
    assert_eq!(snapshot.remarks, [""; 0]);
    let last = file.len() - 8;
    file[last] ^= 1;
    assert!(open(&file).unwrap().remarks[0].contains("checksum"));
}

#[test]
fn smallest_dump_names_its_thread() {
    let registers = words(&[&PUSHED[..], &[0x2000_2080]].concat());
    let file = [
        header(1, 0, 0),
        sized(b'A', 1, &registers),
        memory(0x2000_1078, &[0; 216]),
        memory(0x2000_2000, &[0; 256]),
    ];
    assert_eq!(open(&file.concat()).unwrap().current_thread, Some(Address(0x2000_1078)));
}

#[test]
fn other_targets_and_versions_are_refused() {
    let file = dump(0, [0; 8], &[0; 16]);
    for target in 0..=6 {
        let mut file = file.clone();
        file[4] = target;
        let opened = open(&file);
        assert_eq!(opened.is_ok(), target == 3, "{target}: {opened:?}");
    }
    let mut later = file.clone();
    later[2] = 3;
    assert_eq!(open(&later), Err(FormatError::CoredumpVersion { found: 3 }));
    let mut wide = file;
    wide[6] = 6;
    assert!(matches!(open(&wide), Err(FormatError::OtherMachine { .. })));
}

#[test]
fn block_that_makes_no_sense_ends_the_dump() {
    let mut file = dump(0x2000_00a0, [0; 8], &[7; 16]);
    file.extend([b'M', 1, 0, 0, 0, 1, 0x20, 0, 0, 0, 0x20]);
    file.extend(memory(0x2000_0100, &[1; 4]));
    let snapshot = open(&file).unwrap();
    assert_eq!(snapshot.memory.size(), 16);
    assert_eq!(snapshot.origin.complete, Some(false));
    assert!(snapshot.remarks[0].contains("before its start"), "{:?}", snapshot.remarks);
}

#[test]
fn every_prefix_yields_what_it_holds() {
    let ram = ram(&PUSHED);
    let whole = dump(0x2000_0080, [4; 8], &ram);
    let memory_at = whole.len() - ram.len();
    for size in 0..whole.len() {
        match open(&whole[..size]) {
            Ok(snapshot) => {
                assert!(size >= 85, "{size}");
                let held = snapshot.memory.size();
                assert_eq!(held, size.saturating_sub(memory_at) as u64, "{size}");
                // Between blocks nothing tells that more should come.
                let told = !snapshot.remarks.is_empty();
                assert_eq!(told, size != 85, "{size}: {:?}", snapshot.remarks);
            }
            Err(_) => assert!(size < 85, "{size}"),
        }
    }
}

#[test]
fn damaged_files_never_panic() {
    let ram = ram(&PUSHED);
    let whole = dump(0x2000_0080, [4; 8], &ram);
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(snapshot) = open(&damaged) {
            assert!(snapshot.memory.size() <= whole.len() as u64);
        }
    }
    let text = log(&whole, ram.len()).join("\n").into_bytes();
    for index in 0..text.len() {
        let mut damaged = text.clone();
        damaged[index] ^= 0x11;
        let _ = open(&damaged);
        let _ = open(&text[..index]);
    }
}

#[test]
fn log_with_junk_gives_the_dump() {
    let ram = ram(&PUSHED);
    let whole = dump(0x2000_0080, [4; 8], &ram);
    let mut expected = open(&whole).unwrap();
    expected.origin.format.push_str(" in a log");
    let lines = log(&whole, ram.len());
    assert_eq!(open(lines.join("\n").as_bytes()), Ok(expected.clone()));
    // An earlier crash, and one that the log no longer holds to its end.
    let other = log(&dump(0, [0; 8], &[0; 64]), 64);
    let both = [&other[..], &lines, &other[..6]].concat().join("\n");
    let last = open(both.as_bytes()).unwrap();
    assert_eq!(last.registers, expected.registers);
    assert_eq!(last.remarks, ["the log holds 3 coredumps; this is the last one"]);
}

#[test]
fn line_with_lost_characters_leaves_a_gap() {
    let ram = ram(&PUSHED);
    let whole = dump(0x2000_0080, [4; 8], &ram);
    let lines = log(&whole, ram.len());
    // The third line of RAM; counted from the end there are END and five more.
    let at = lines.len() - 7;
    for cut in [1, 2, 20] {
        let mut lines = lines.clone();
        let marker = lines[at].find("#CD:").unwrap() + 4;
        lines[at].replace_range(marker + 10..marker + 10 + cut, "");
        let snapshot = open(lines.join("\n").as_bytes()).unwrap();
        let held = |at: u32| snapshot.memory.read_u8(Address(0x2000_0000 + at)).ok();
        for at in 0..256_u32 {
            let expected = if (64..96).contains(&at) { None } else { Some(ram[at as usize]) };
            assert_eq!(held(at), expected, "{cut}: {at}");
        }
        assert_eq!(snapshot.origin.complete, Some(false));
        assert_eq!(snapshot.registers.sp(), Some(0x2000_00a0));
        assert!(snapshot.memory.gaps()[0].reason.contains("lost"));
    }
    // A whole line: nothing tells which.
    let mut lost = lines.clone();
    lost.remove(at);
    let remarks = open(lost.join("\n").as_bytes()).unwrap().remarks;
    assert!(remarks.iter().any(|text| text.contains("wrong addresses")), "{remarks:?}");
    // The log itself says where.
    let mut said = lines;
    said[at] = "--- 1 messages dropped ---".into();
    let snapshot = open(said.join("\n").as_bytes()).unwrap();
    assert_eq!(snapshot.memory.read_u8(Address(0x2000_0040)).ok(), None);
    assert_eq!(snapshot.memory.read_u8(Address(0x2000_0060)), Ok(0x60));
}

#[test]
fn log_without_its_beginning_is_refused() {
    let ram = ram(&PUSHED);
    let lines = log(&dump(0x2000_0080, [4; 8], &ram), ram.len());
    assert_eq!(open(lines[3..].join("\n").as_bytes()), Err(FormatError::NoCoredumpInLog));
    assert_eq!(open(b"#CD:BEGIN#\n#CD:END#\n"), Err(FormatError::NoCoredumpInLog));
    let mut failed = lines;
    let end = failed.len() - 1;
    failed.insert(end, "#CD:ERROR CANNOT DUMP#".into());
    assert_eq!(open(failed.join("\n").as_bytes()).unwrap().origin.complete, Some(false));
}

#[test]
fn written_dump_is_read_back() {
    let registers: RegisterSet = Register::all().take(17).zip(0x100..).collect();
    let mut memory = MemoryImage::default();
    memory.insert(Address(0x2000_0000), vec![1; 100]).unwrap();
    memory.insert(Address(0xe000_ed28), vec![0, 0x82, 0, 0]).unwrap();
    let snapshot = Snapshot {
        registers: registers.clone(),
        moment: Moment::Crash,
        memory,
        kernel_object: Some(vec![7; 60]),
        reason_code: Some(ReasonCode::Kernel(35)),
        ..Snapshot::default()
    };
    let written = write(&snapshot).unwrap();
    assert_eq!(written.dropped, [""; 0]);
    let mut again = open(&written.bytes).unwrap();
    assert_eq!(again.origin.format, "zephyr coredump 2");
    again.origin.format.clear();
    again.reason = None;
    assert_eq!(again, snapshot);
    let text = write_log(&snapshot).unwrap();
    assert_eq!(open(&text.bytes).unwrap().memory, snapshot.memory);
    // What has no room is told.
    let mut more = snapshot;
    more.registers.set(Register::MSP, 5);
    more.identity.software_type = Some("main".into());
    more.threads = vec![ThreadRegisters { id: 1, name: None, registers }];
    let dropped = write(&more).unwrap().dropped.join("\n");
    for lost in ["msp", "software type", "1 threads"] {
        assert!(dropped.contains(lost), "{lost}: {dropped}");
    }
}
