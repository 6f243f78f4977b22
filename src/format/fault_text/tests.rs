//! Logs as serial consoles show them.

use super::*;
use crate::base::{Address, Memory};
use crate::format::open;
use crate::snapshot::{ReasonCode, Register};
use phrases::{SENTENCES, Status};

/// Zephyr 3.x with CONFIG_EXTRA_EXCEPTION_INFO, in color and with time stamps.
const BUS_FAULT: [&str; 14] = [
    "***** BUS FAULT *****",
    "  Precise data bus error",
    "  BFAR Address: 0xa5000004",
    "r0/a1:  0x200066a4  r1/a2:  0x00000000  r2/a3:  0x12345678",
    "r3/a4:  0xa5000000 r12/ip:  0x200004b0 r14/lr:  0x00001465",
    " xpsr:  0x01000200",
    "r4/v1:  0x00000004  r5/v2:  0x00000005  r6/v3:  0x00000006",
    "r7/v4:  0x00000007  r8/v5:  0x00000008  r9/v6:  0x00000009",
    "r10/v7: 0x0000000a  r11/v8: 0x0000000b    psp:  0x200060c8",
    "EXC_RETURN: 0xfffffffd",
    "Faulting instruction address (r15/pc): 0x0000117a",
    ">>> ZEPHYR FATAL ERROR 25: Unknown error on CPU 0",
    "Current thread: 0x20001088 (stack_hog)",
    "Halting system",
];

fn zephyr(lines: &[&str]) -> String {
    let mut text = String::from("*** Booting Zephyr OS build v3.4 ***\r\nuart:~$ \r\n");
    for line in lines {
        text.push_str(&format!("[00:00:00.400,000] \x1b[1;31m<err> os: {line}\x1b[0m\r\n"));
        text.push_str("[00:00:00.400,000] <inf> net: r0 0x5, 12:34:56\r\n");
    }
    text
}

#[test]
fn zephyr_print_gives_registers_status_reason_and_thread() {
    let snapshot = open(zephyr(&BUS_FAULT).as_bytes()).unwrap();
    let registers = &snapshot.registers;
    assert_eq!(registers.core(0), Some(0x2000_66a4));
    for number in 4..12 {
        assert_eq!(registers.core(number), Some(u32::from(number)));
    }
    assert_eq!(registers.pc(), Some(0x117a));
    assert_eq!(registers.lr(), Some(0x1465));
    assert_eq!(registers.get(Register::XPSR), Some(0x0100_0200));
    // Above the frame on the process stack, with a word of padding.
    assert_eq!(registers.sp(), Some(0x2000_60c8 + 0x24));
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed28)), Ok(0x8200));
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed38)), Ok(0xa500_0004));
    assert_eq!(snapshot.reason_code, Some(ReasonCode::Kernel(25)));
    assert_eq!(snapshot.current_thread, Some(Address(0x2000_1088)));
    assert_eq!(snapshot.threads[0].name.as_deref(), Some("stack_hog"));
    assert_eq!(snapshot.moment, Moment::Crash);
}

#[test]
fn every_sentence_sets_its_bit() {
    for (heading, sentence, status) in SENTENCES {
        let (title, _) = phrases::HEADINGS.iter().find(|(_, known)| *known == heading).unwrap();
        let log = format!(
            "E: {title} *****\nE:   {sentence} here\nE: r0/a1: 0x1\nE: r1/a2: 0x2\nE: r2/a3: 0x3\n\
             E: Faulting instruction address = 0x100\n"
        );
        let snapshot = open(log.as_bytes()).unwrap();
        let (address, bit) = match status {
            Status::Cfsr(bit) => (0xe000_ed28, bit),
            Status::Hfsr(bit) => (0xe000_ed2c, bit),
            Status::Sfsr(bit) => (0xe000_ede4, bit),
        };
        let found = snapshot.memory.read_u32(Address(address));
        assert_eq!(found, Ok(1 << bit), "{sentence}");
    }
}

#[test]
fn old_zephyr_and_short_prints_are_read() {
    let old = "***** USAGE FAULT *****\r\n  Illegal use of the EPSR\r\n\
        ***** Hardware exception *****\r\nCurrent thread ID = 0x20000a30\r\n\
        Faulting instruction address = 0x8000150\r\nR0: 0x1 R1: 0x2 LR: 0x8000201\r\n";
    let snapshot = open(old.as_bytes()).unwrap();
    assert_eq!(snapshot.registers.pc(), Some(0x0800_0150));
    assert_eq!(snapshot.current_thread, Some(Address(0x2000_0a30)));
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed28)), Ok(1 << 17));
    let short = "Fault! EXC #3\nMMFSR: 0x82, BFSR: 0x0, UFSR: 0x100\nr0: 0x1\nr1: 0x2\nr2: 0x3\n\
        pc: 0x150\n";
    let snapshot = open(short.as_bytes()).unwrap();
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed28)), Ok(0x0100_0082));
    let oops = "***** Kernel OOPS! *****\nCurrent thread ID = 0x20000a30\n\
        Faulting instruction address = 0x8000150\n";
    assert_eq!(open(oops.as_bytes()).unwrap().reason_code, Some(ReasonCode::Kernel(3)));
}

#[test]
fn prints_of_other_handlers_are_read() {
    let log = "I (123) app: start\n[HardFault]\nR0  = 0x00000001\nR1  = 0x00000002\n\
        R2  = 0x00000003\nR3  = 0x00000004\nR12 = 0x0000000c\nLR  = 0x08000201\n\
        PC  = 0x08000150\nPSR = 0x61000000\nCFSR = 0x00008200\nHFSR = 0x40000000\n\
        BFAR = 0x50000000\n";
    let snapshot = open(log.as_bytes()).unwrap();
    assert_eq!(snapshot.registers.pc(), Some(0x0800_0150));
    assert_eq!(snapshot.registers.get(Register::XPSR), Some(0x6100_0000));
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed28)), Ok(0x8200));
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed2c)), Ok(0x4000_0000));
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed38)), Ok(0x5000_0000));
}

#[test]
fn last_fault_of_a_log_counts() {
    let mut lines = BUS_FAULT.to_vec();
    lines.extend(BUS_FAULT);
    lines[24] = "Faulting instruction address (r15/pc): 0x00002222";
    lines[25] = ">>> ZEPHYR FATAL ERROR 4: Kernel panic on CPU 0";
    let snapshot = open(zephyr(&lines).as_bytes()).unwrap();
    assert_eq!(snapshot.registers.pc(), Some(0x2222));
    assert_eq!(snapshot.reason_code, Some(ReasonCode::Kernel(4)));
    assert!(snapshot.remarks.iter().any(|text| text.contains("2 faults")));
}

#[test]
fn text_without_a_fault_is_none() {
    for text in ["pc: 0x100", "r0: 0x1, r1: 0x2, r2: 0x3, lr: 0x4", "hello = 0x1", "\n\n"] {
        assert!(read(text.as_bytes()).is_none(), "{text}");
    }
}

#[test]
fn damaged_logs_never_panic() {
    let whole = zephyr(&BUS_FAULT).into_bytes();
    for index in 0..whole.len() {
        let _ = open(&whole[..index]);
        let mut damaged = whole.clone();
        damaged[index] ^= 0x95;
        let _ = open(&damaged);
    }
}

#[test]
fn coredump_in_the_same_log_is_completed() {
    let mut file = vec![b'Z', b'E', 1, 0, 3, 0, 5, 0, 25, 0, 0, 0, b'A', 1, 0, 36, 0];
    let words = [0x2000_66a4_u32, 0, 0x1234_5678, 5, 12, 0x1465, 0x117a, 0x0100_0200, 0x2000_60ec];
    file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    let mut log = zephyr(&BUS_FAULT);
    log.push_str(&format!("#CD:BEGIN#\n#CD:{}\n#CD:END#\n", crate::base::hex::encode(&file)));
    let snapshot = open(log.as_bytes()).unwrap();
    assert_eq!(snapshot.registers.core(3), Some(5), "the dump counts first");
    assert_eq!(snapshot.registers.core(7), Some(7));
    assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed28)), Ok(0x8200));
    assert_eq!(snapshot.threads[0].name.as_deref(), Some("stack_hog"));
}
