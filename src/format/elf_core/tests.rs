//! The reader against cores built byte by byte here, without the constants of the writer; the
//! writer against the reader; both against damage.

use super::*;
use crate::base::{Address, AddressRange, Memory};
use crate::format::{FormatError, open};
use crate::snapshot::{Gap, Identity, Origin, Register, RegisterSet, Snapshot, ThreadRegisters};

/// A core as a script would make it: headers, then the parts in order.
fn core(segments: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = vec![0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend([4, 0, 0x28, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    file.extend([0x34, 0, 0x20, 0, segments.len() as u8, 0, 0x28, 0, 0, 0, 0, 0]);
    assert_eq!(file.len(), 0x34);
    let mut offset = 0x34 + 0x20 * segments.len() as u32;
    for (kind, address, memory_size, bytes) in segments {
        let size = bytes.len() as u32;
        for word in [*kind, offset, *address, 0, size, *memory_size, 6, 4] {
            file.extend(word.to_le_bytes());
        }
        offset += size;
    }
    for (.., bytes) in segments {
        file.extend_from_slice(bytes);
    }
    file
}

/// `NT_PRSTATUS` of a thread whose registers count up from `first`, by hand.
fn status_note(pid: u32, first: u32) -> Vec<u8> {
    let mut note = vec![5, 0, 0, 0, 0x94, 0, 0, 0, 1, 0, 0, 0];
    note.extend(b"CORE\0\0\0\0");
    note.extend([0; 12]);
    note.extend([11, 0]);
    note.extend([0; 10]);
    note.extend(pid.to_le_bytes());
    note.extend([0; 44]);
    for register in 0..18 {
        note.extend((first + register).to_le_bytes());
    }
    note.extend([0; 4]);
    assert_eq!(note.len(), 20 + 148);
    note
}

fn vfp_note() -> Vec<u8> {
    let mut note = vec![6, 0, 0, 0, 4, 1, 0, 0, 0, 4, 0, 0];
    note.extend(b"LINUX\0\0\0");
    for single in 0..64_u32 {
        note.extend((0x3f00_0000 + single).to_le_bytes());
    }
    note.extend(0x0300_0010_u32.to_le_bytes());
    note
}

fn own_note(kind: u8, text: &str) -> Vec<u8> {
    let mut note = vec![5, 0, 0, 0];
    note.extend((text.len() as u32).to_le_bytes());
    note.extend([kind, 0, 0x46, 0x4d]);
    note.extend(b"MFLT\0\0\0\0");
    note.extend(text.as_bytes());
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

fn range(start: u32, size: u64) -> AddressRange {
    AddressRange::new(Address(start), size).unwrap()
}

#[test]
fn foreign_core_with_one_status_is_the_cpu() {
    let mut notes = status_note(1, 0x100);
    notes.extend(vfp_note());
    let file = core(&[
        (4, 0, 0, &notes),
        (1, 0x2000_0000, 8, &[1, 2, 3, 4]),
        (1, 0x2000_0002, 6, &[9, 9, 5, 6, 7, 8]),
        (1, 0xe000_ed00, 4, &[0x41, 0xc2, 0x0f, 0x41]),
    ]);
    let snapshot = open(&file).unwrap();
    assert_eq!(snapshot.origin.format, "elf core");
    assert_eq!(snapshot.threads, []);
    assert_eq!(snapshot.registers.core(0), Some(0x100));
    assert_eq!(snapshot.registers.pc(), Some(0x10f));
    assert_eq!(snapshot.registers.get(Register::XPSR), Some(0x110));
    assert_eq!(snapshot.registers.get(Register::MSP), None);
    assert_eq!(snapshot.registers.double(0), Some(0x3f00_0001_3f00_0000));
    assert_eq!(snapshot.registers.get(Register::single(31).unwrap()), Some(0x3f00_001f));
    assert_eq!(snapshot.registers.get(Register::FPSCR), Some(0x0300_0010));
    assert_eq!(
        snapshot.memory.slice_from(Address(0x2000_0000)),
        Some(&[1, 2, 3, 4, 5, 6, 7, 8][..])
    );
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed00)), Ok(0x410f_c241));
    let expected = Gap { range: range(0x2000_0004, 4), reason: "not stored in the core".into() };
    assert_eq!(snapshot.memory.gaps(), [expected]);
    assert_eq!(snapshot.remarks, [""; 0]);
}

#[test]
fn foreign_core_with_several_statuses_lists_them_in_order() {
    let mut notes = status_note(0x2000_1000, 0x100);
    notes.extend(status_note(0x2000_2000, 0x200));
    notes.extend(vfp_note());
    let snapshot = open(&core(&[(4, 0, 0, &notes)])).unwrap();
    assert_eq!(snapshot.registers.core(0), Some(0x100));
    let ids: Vec<u32> = snapshot.threads.iter().map(|thread| thread.id).collect();
    assert_eq!(ids, [0x2000_1000, 0x2000_2000]);
    assert_eq!(snapshot.threads[0].registers.get(Register::FPSCR), None);
    assert_eq!(snapshot.threads[1].registers.get(Register::FPSCR), Some(0x0300_0010));
}

#[test]
fn core_without_notes_is_memory_alone() {
    let snapshot = open(&core(&[(1, 0x2000_0000, 4, &[1, 2, 3, 4])])).unwrap();
    assert!(snapshot.registers.is_empty());
    assert_eq!(snapshot.memory.size(), 4);
    assert!(matches!(open(&core(&[])), Err(FormatError::Empty(_))));
    assert!(matches!(open(&core(&[(1, 0x2000_0000, 4, &[])])), Err(FormatError::Empty(_))));
}

#[test]
fn own_notes_win_over_the_status() {
    let mut notes = status_note(0x2000_1000, 0);
    notes.extend(own_note(1, "thread=cpu\nr0=0x00000007\nmsp=0x20001000\nnew_register=0x1\n"));
    notes.extend(own_note(1, "thread=0x20001000\npc=0x08000100\n"));
    notes.extend(own_note(2, "device_serial=A\\nB\nbuild_id=00ff10\nsoftware_version=1.2\n"));
    notes.extend(own_note(
        3,
        "version=1\nroute=gdb remote\ntool=mflt 0.1.0\nserver=x\ncaptured_at_ms=1700000000123\n\
         complete=false\nreason=stopped\nremark=one\nremark=two\nlater=thing\nno value\n",
    ));
    notes.extend(own_note(4, "0x40000000+0x00000100=E14\n0xffffffff+0x2=wraps\nx+y=z\n"));
    notes.extend(own_note(9, "unknown=kind\n"));
    let snapshot = open(&core(&[(4, 0, 0, &notes)])).unwrap();
    let registers = [(Register::R0, 7), (Register::MSP, 0x2000_1000)];
    assert_eq!(snapshot.registers, registers.into_iter().collect());
    assert_eq!(snapshot.threads.len(), 1);
    let thread = [(Register::PC, 0x0800_0100)];
    assert_eq!(snapshot.threads[0].registers, thread.into_iter().collect());
    assert_eq!(snapshot.identity.device_serial.as_deref(), Some("A\nB"));
    assert_eq!(snapshot.identity.build_id.as_deref(), Some(&[0, 0xff, 0x10][..]));
    assert_eq!(snapshot.identity.software_type, None);
    let expected = Origin {
        format: "gdb remote".into(),
        tool: Some("mflt 0.1.0".into()),
        server: Some("x".into()),
        captured_at_ms: Some(1_700_000_000_123),
        complete: Some(false),
    };
    assert_eq!(snapshot.origin, expected);
    assert_eq!(snapshot.reason.as_deref(), Some("stopped"));
    assert_eq!(snapshot.remarks, ["one", "two"]);
    let expected = Gap { range: range(0x4000_0000, 0x100), reason: "E14".into() };
    assert_eq!(snapshot.memory.gaps(), [expected]);
}

#[test]
fn other_elf_files_are_named_by_what_they_are() {
    let file = core(&[(1, 0x2000_0000, 4, &[1, 2, 3, 4])]);
    let with = |offset: usize, byte: u8| {
        let mut file = file.clone();
        file[offset] = byte;
        open(&file).unwrap_err()
    };
    assert_eq!(with(4, 2), FormatError::WrongClass { found: 2 });
    assert_eq!(with(5, 2), FormatError::WrongByteOrder { found: 2 });
    assert_eq!(with(16, 2), FormatError::NotACore { found: 2 });
    assert_eq!(with(18, 62), FormatError::WrongMachine { found: 62 });
    assert_eq!(with(42, 8), FormatError::ProgramHeaderSize { found: 8, expected: 32 });
    assert!(matches!(open(b"\x7fELF\x01"), Err(FormatError::Truncated(_))));
}

#[test]
fn segments_that_share_bytes_do_not_multiply_the_file() {
    let mut file = core(&[(1, 0x2000_0000, 4, &[7; 4096]), (1, 0, 0, &[]), (1, 0, 0, &[])]);
    for header in [1_u32, 2] {
        let at = 0x34 + 0x20 * header as usize;
        file[at + 4..at + 8].copy_from_slice(&0x34_u32.to_le_bytes());
        file[at + 8..at + 12].copy_from_slice(&(0x3000_0000 * header).to_le_bytes());
        file[at + 16..at + 20].copy_from_slice(&4096_u32.to_le_bytes());
    }
    let snapshot = open(&file).unwrap();
    assert_eq!(snapshot.memory.size(), file.len() as u64);
    assert_eq!(snapshot.memory.gaps().len(), 2);
}

fn random(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

fn random_registers(state: &mut u32) -> RegisterSet {
    let density = random(state) % 4;
    Register::all()
        .map(|register| (register, random(state)))
        .filter(|(_, value)| value % 4 < density)
        .collect()
}

fn random_text(state: &mut u32) -> Option<String> {
    let alphabet: Vec<char> = "ab=\\n\n\r\t\0\u{7f} ü€x41".chars().collect();
    let length = random(state) % 12;
    let pick = |state: &mut u32| alphabet[random(state) as usize % alphabet.len()];
    (!random(state).is_multiple_of(3)).then(|| (0..length).map(|_| pick(state)).collect())
}

fn random_snapshot(state: &mut u32) -> Snapshot {
    let mut snapshot = Snapshot {
        origin: Origin {
            format: random_text(state).unwrap_or_default(),
            tool: random_text(state),
            server: random_text(state),
            captured_at_ms: random(state).is_multiple_of(2).then(|| u64::from(random(state)) << 9),
            complete: [None, Some(true), Some(false)][random(state) as usize % 3],
        },
        registers: random_registers(state),
        reason: random_text(state),
        remarks: (0..random(state) % 3).filter_map(|_| random_text(state)).collect(),
        identity: Identity {
            device_serial: random_text(state),
            software_type: random_text(state),
            software_version: random_text(state),
            hardware_version: random_text(state),
            build_id: random(state).is_multiple_of(2).then(|| vec![random(state) as u8; 20]),
        },
        ..Snapshot::default()
    };
    for _ in 0..random(state) % 3 {
        let registers = random_registers(state);
        snapshot.threads.push(ThreadRegisters { id: random(state), name: None, registers });
    }
    for _ in 0..random(state) % 4 {
        let start = Address(random(state) & 0xffff_fff0);
        let bytes = (0..random(state) % 40).map(|_| random(state) as u8).collect();
        let _ = snapshot.memory.insert(start, bytes);
    }
    for _ in 0..random(state) % 3 {
        if let Some(range) = AddressRange::new(Address(random(state)), u64::from(random(state))) {
            let reason = random_text(state).unwrap_or_default();
            snapshot.memory.insert_gap(Gap { range, reason });
        }
    }
    snapshot
}

#[test]
fn written_snapshot_reads_back_the_same() {
    let mut state = 0x2545_f491;
    for _ in 0..2000 {
        let snapshot = random_snapshot(&mut state);
        match write(&snapshot) {
            Ok(file) => assert_eq!(open(&file), Ok(snapshot)),
            Err(error) => {
                assert!(matches!(error, FormatError::Empty(_)), "{error}");
                assert!(snapshot.non_empty().is_err());
            }
        }
    }
}

#[test]
fn written_core_has_the_layout_that_debuggers_expect() {
    let mut snapshot = Snapshot::default();
    snapshot.registers.set(Register::R0, 0x1111_1111);
    snapshot.registers.set(Register::XPSR, 0x6100_0003);
    snapshot.registers.set(Register::FPSCR, 0x0300_0000);
    snapshot.memory.insert(Address(0x2000_0000), vec![1, 2, 3, 4, 5]).unwrap();
    let file = write(&snapshot).unwrap();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(file[..7], [0x7f, b'E', b'L', b'F', 1, 1, 1]);
    assert_eq!([word(16), word(28)], [0x0028_0004, 0x34]);
    assert_eq!(file[44..46], [2, 0]);
    // PT_NOTE: type, offset, then the status at its fixed places.
    assert_eq!([word(0x34), word(0x38)], [4, 0x74]);
    let status = 0x74 + 20;
    assert_eq!(file[0x74..0x74 + 20], *b"\x05\0\0\0\x94\0\0\0\x01\0\0\0CORE\0\0\0\0");
    assert_eq!(file[status + 12..status + 14], [11, 0]);
    assert_eq!([word(status + 24), word(status + 72)], [1, 0x1111_1111]);
    assert_eq!(word(status + 72 + 64), 0x6100_0003);
    let vfp = status + 148;
    assert_eq!(file[vfp..vfp + 20], *b"\x06\0\0\0\x04\x01\0\0\0\x04\0\0LINUX\0\0\0");
    assert_eq!(word(vfp + 20 + 256), 0x0300_0000);
    // PT_LOAD: type, offset, address, physical address, sizes.
    let load = [word(0x54), word(0x5c), word(0x60), word(0x64), word(0x68)];
    assert_eq!(load, [1, 0x2000_0000, 0x2000_0000, 5, 5]);
    let offset = word(0x58) as usize;
    assert_eq!(file[offset..offset + 5], [1, 2, 3, 4, 5]);
}

#[test]
fn every_prefix_gives_what_is_there_or_a_clear_error() {
    let mut state = 0x9e37_79b9;
    let mut snapshot = random_snapshot(&mut state);
    snapshot.registers.set(Register::PC, 0x0800_0000);
    snapshot.memory.insert(Address(0x2000_0000), vec![7; 300]).unwrap();
    let file = write(&snapshot).unwrap();
    let foreign = core(&[(4, 0, 0, &status_note(1, 0)), (1, 0x2000_0000, 8, &[1; 8])]);
    for file in [file, foreign] {
        for end in 0..file.len() {
            let prefix = &file[..end];
            match open(prefix) {
                Ok(snapshot) => {
                    // Padding behind the last segment may be missing without any loss.
                    if snapshot.origin.complete == Some(false) {
                        assert!(!snapshot.remarks.is_empty());
                    }
                }
                Err(
                    FormatError::EmptyFile
                    | FormatError::Unrecognized { .. }
                    | FormatError::Truncated(_)
                    | FormatError::Empty(_),
                ) => {}
                Err(error) => panic!("{end}: {error}"),
            }
        }
    }
}

#[test]
fn truncated_memory_is_a_gap_and_a_remark() {
    let file = core(&[(4, 0, 0, &status_note(1, 0)), (1, 0x2000_0000, 8, &[1; 8])]);
    let snapshot = open(&file[..file.len() - 3]).unwrap();
    assert_eq!(snapshot.registers.pc(), Some(15));
    assert_eq!(snapshot.memory.size(), 5);
    assert_eq!(snapshot.memory.gaps()[0].range, range(0x2000_0005, 3));
    assert_eq!(snapshot.origin.complete, Some(false));
    assert_eq!(
        snapshot.remarks,
        [format!("the core is cut short: it ends after {} bytes", file.len() - 3)]
    );
}

#[test]
fn random_damage_never_panics_and_stays_bounded() {
    let mut state = 0x1357_9bdf;
    for _ in 0..20_000 {
        let mut file = write(&{
            let mut snapshot = random_snapshot(&mut state);
            snapshot.registers.set(Register::PC, 1);
            snapshot
        })
        .unwrap();
        for _ in 0..1 + random(&mut state) % 8 {
            let at = random(&mut state) as usize % file.len();
            // Half of the damage in the headers, where it hurts most.
            let at = if random(&mut state).is_multiple_of(2) { at % 0x94 } else { at };
            let byte = file.get_mut(at).unwrap();
            *byte ^= (random(&mut state) as u8).max(1);
        }
        if let Ok(snapshot) = open(&file) {
            assert!(snapshot.memory.size() <= file.len() as u64);
        }
    }
}
