//! The log ring: every size, a reset behind every store, RAM that fades; formats.

use super::host::{Host, Numbers};
use mflt::wire::{Argument, Level, LogContent, LogRecord, LogRingHeader};

const HEADER: usize = 28;
const INFO: u8 = 1;

/// The device's side of the ring.
struct Device(Host);

impl Device {
    fn new() -> Device {
        Device(Host::start("log", &[]))
    }

    fn open(&mut self, size: u32) -> i32 {
        self.0.send(b"o");
        self.0.send_u32(size);
        self.0.result()
    }

    /// Adds a text; behind so many stores the device is reset, if they are not 0.
    fn add(&mut self, time: u32, text: &[u8], stores: u32) -> i32 {
        self.0.send(&[b'a', INFO]);
        self.0.send_u32(time);
        self.0.send_u32(text.len() as u32);
        self.0.send(text);
        self.0.send_u32(stores);
        self.0.result()
    }

    fn memory(&mut self, command: u8) -> Vec<u8> {
        self.0.send(&[command]);
        self.0.bytes()
    }

    fn overwrite(&mut self, bytes: &[u8]) {
        self.0.send(b"w");
        self.0.send_u32(bytes.len() as u32);
        self.0.send(bytes);
    }

    fn records(&mut self) -> Vec<LogRecord> {
        let (records, whole) = records(&self.memory(b'd'));
        assert!(whole);
        records
    }
}

fn records(memory: &[u8]) -> (Vec<LogRecord>, bool) {
    let header = LogRingHeader::parse(memory).unwrap();
    header.records(&memory[HEADER..])
}

/// A line that says which it is.
fn text(number: u32, size: usize) -> String {
    let number = format!("{number:06} ");
    number.chars().cycle().take(size).collect()
}

fn record(number: u32, size: usize) -> LogRecord {
    let content = LogContent::Text(text(number, size));
    LogRecord { milliseconds: number, level: Level::Info, content }
}

#[test]
fn ring_of_every_size_holds_the_last_whole_lines() {
    let mut device = Device::new();
    let mut numbers = Numbers(1);
    for size in 0..200_u32 {
        assert_eq!(device.open(size), 0);
        let mut written = Vec::new();
        for number in 0..40 {
            let length = numbers.below(40);
            let fits = length + 8 < size as usize;
            let result = device.add(number, text(number, length).as_bytes(), 0);
            assert_eq!(result, if fits { 0 } else { -2 }, "{length} bytes in {size}");
            if fits {
                written.push(record(number, length));
            }
        }
        if size == 0 {
            continue;
        }
        let held = device.records();
        assert!(written.ends_with(&held), "{size}");
        let lost = LogRingHeader::parse(&device.memory(b'd')).unwrap().lost as usize;
        assert_eq!(lost, written.len() - held.len(), "{size}");
        // No line was dropped for which there was room.
        let bytes = |records: &[LogRecord]| -> usize {
            let length = |record: &LogRecord| match &record.content {
                LogContent::Text(text) => 8 + text.len(),
                _ => 0,
            };
            records.iter().map(length).sum()
        };
        if lost > 0 {
            let before = &written[lost - 1..];
            // The newest may have needed the room of a longer one than it has.
            let newest = &written[..written.len() - 1];
            assert!(
                bytes(before) >= size as usize || bytes(newest) >= size as usize - 48,
                "{size}"
            );
        }
    }
}

#[test]
fn reset_behind_any_store_leaves_whole_lines() {
    let mut device = Device::new();
    for size in [33, 64, 100, 131] {
        device.open(size);
        let mut written = Vec::new();
        let mut number = 0;
        let mut stores = 1;
        // Until a whole call takes fewer stores.
        loop {
            for _ in 0..3 {
                let length = 5 + number as usize % 17;
                assert_eq!(device.add(number, text(number, length).as_bytes(), 0), 0);
                written.push(record(number, length));
                number += 1;
            }
            let ended = device.add(number, text(number, 20).as_bytes(), stores) == 0;
            assert_eq!(device.open(size), 1, "{size}, {stores} stores");
            let held = device.records();
            // The line that was cut off by its last store is there; no other.
            if held.last() == Some(&record(number, 20)) {
                written.push(record(number, 20));
            } else {
                assert!(!ended);
            }
            assert!(written.ends_with(&held), "{size}, {stores} stores: {held:?}");
            number += 1;
            stores += 1;
            if ended {
                break;
            }
        }
        assert!(stores > 28);
    }
}

#[test]
fn ring_survives_ram_that_fades() {
    let mut device = Device::new();
    device.open(120);
    for number in 0..30 {
        device.add(number, text(number, 11).as_bytes(), 0);
    }
    let sound = device.memory(b'd');
    let whole = device.records();
    for bit in 0..sound.len() * 8 {
        let mut faded = sound.clone();
        faded[bit / 8] ^= 1 << (bit % 8);
        device.overwrite(&faded);
        let kept = device.open(120) == 1;
        let held = device.records();
        if bit / 8 >= HEADER {
            assert!(kept && whole.starts_with(&held), "bit {bit}");
        } else if !kept {
            assert_eq!(held, []);
        }
        // It goes on from there.
        for number in 0..12 {
            assert_eq!(device.add(number, text(number, 11).as_bytes(), 0), 0);
        }
        assert_eq!(device.records().last(), Some(&record(11, 11)));
    }
    let mut numbers = Numbers(7);
    for _ in 0..300 {
        // A header that is sound, and nonsense behind it.
        let mut faded = sound.clone();
        faded[HEADER..].fill_with(|| numbers.below(256) as u8);
        faded[16] = numbers.below(120) as u8;
        faded[20] = numbers.below(120) as u8;
        device.overwrite(&faded);
        assert_eq!(device.open(120), 1);
        let _ = device.records();
        assert_eq!(device.add(5, b"on", 0), 0);
        device.records();
    }
}

#[test]
fn lines_are_formatted_as_printf_does() {
    let mut device = Device::new();
    for (which, expected) in [
        "-5 -2147483648 4294967295",
        "[   42|-42  |-0042|   7]",
        "beef BEEF 0000001f 0x20000010",
        "ab|    cd|ef    |gh|j|z%",
        "-9223372036854775808 18446744073709551615 10000000000",
        "(null) 9 -3 8",
        "cut 1",
        "a %f",
    ]
    .into_iter()
    .enumerate()
    {
        device.0.send(&[b'f', which as u8]);
        assert_eq!(String::from_utf8(device.0.bytes()).unwrap(), expected);
    }
}

#[test]
fn compact_lines_carry_their_arguments() {
    let mut device = Device::new();
    device.0.send(b"c");
    assert_eq!(device.0.result(), 0);
    let (records, whole) = records(&device.memory(b'm'));
    assert!(whole);
    let word = |value: u32| Argument::Integer { value: value.into(), wide: false };
    let wide = |value: i64| Argument::Integer { value: (value as u64).into(), wide: true };
    let expected = [
        (Level::Info, vec![]),
        (
            Level::Warning,
            vec![
                word(u32::MAX),
                wide(-5_000_000_000),
                Argument::Float(2.5),
                Argument::Text("fine".into()),
            ],
        ),
        (Level::Debug, (1..=8).map(word).collect()),
        // What does not fit into a line of 96 bytes: four for the format, one for the classes.
        (Level::Error, vec![Argument::Text("x".repeat(90))]),
        (Level::Error, vec![Argument::Text("(null)".into())]),
    ];
    assert_eq!(records.len(), expected.len());
    let mut formats = Vec::new();
    for (record, (level, wanted)) in records.iter().zip(expected) {
        assert_eq!((record.level, record.milliseconds), (level, 1234));
        let LogContent::Compact { format, arguments } = &record.content else {
            panic!("{record:?}");
        };
        assert_eq!(arguments, &wanted);
        formats.push(*format);
    }
    formats.dedup();
    assert_eq!(formats.len(), 5, "each line has its own format");
}
