//! Coredumps in storage of every size that fails at every write, and chunks of every size through a
//! transport that loses, repeats and mixes them: the SDK writes, the program's own readers read.

use super::host::{Host, Numbers};
use mflt::base::Address;
use mflt::format;
use mflt::snapshot::Snapshot;
use mflt::wire::{self, Body, Damage, Decoder, Found, Message, MessageKind, Received};

const SOURCES: [&str; 8] =
    ["cbor", "chunk", "coredump", "coredump_writer", "crc16", "event", "reboot", "rle"];
const TOO_LARGE: i32 = -2;
const IO: i32 = -4;
const EXISTS: i32 = -5;
/// Registers, who the device is, why; with the headers of the file and of the blocks.
const LEAST: u32 = 12 + 12 + 76 + 12 + 4 + 12 + 5 + 12 + 4 + 12 + 4 + 16;

type Region<'a> = (u32, &'a [u8]);

/// The device's side.
struct Device(Host);

impl Device {
    fn new() -> Device {
        Device(Host::start("store", &SOURCES))
    }

    /// Storage of `size` bytes whose power fails behind so many writes, if they are not 0.
    fn storage(&mut self, size: u32, writes: u32) {
        self.0.send(b"s");
        self.0.send_u32(size);
        self.0.send_u32(writes);
    }

    fn crash(&mut self, regions: &[Region<'_>]) -> i32 {
        self.0.send(b"w");
        self.0.send_u32(regions.len() as u32);
        for (address, bytes) in regions {
            self.0.send_u32(*address);
            self.0.send_u32(bytes.len() as u32);
            self.0.send(bytes);
        }
        self.0.result()
    }

    /// Boots; the size of the coredump that is found.
    fn boot(&mut self) -> i32 {
        self.0.send(b"b");
        self.0.result()
    }

    fn coredump(&mut self) -> Vec<u8> {
        self.0.send(b"r");
        self.0.bytes()
    }

    fn reboot(&mut self, reason: u32, pc: u32, lr: u32) {
        self.0.send(b"p");
        [reason, pc, lr].into_iter().for_each(|word| self.0.send_u32(word));
    }

    fn chunk(&mut self, size: u32) -> Option<Vec<u8>> {
        self.0.send(b"n");
        self.0.send_u32(size);
        let size = self.0.result();
        assert!(size >= 0, "{size}");
        (size > 0).then(|| self.0.exactly(size as usize))
    }

    fn chunks(&mut self, size: u32) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.chunk(size)).collect()
    }

    fn abort(&mut self) {
        self.0.send(b"a");
    }

    fn delivered(&mut self) -> i32 {
        self.0.send(b"d");
        self.0.result()
    }
}

/// Messages that arrive when these chunks do.
pub(super) fn received<'a>(chunks: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<Received> {
    let mut decoder = Decoder::new();
    let mut found: Vec<Found> = chunks.into_iter().flat_map(|chunk| decoder.push(chunk)).collect();
    found.extend(decoder.finish());
    let message = |found| match found {
        Found::Message { message, .. } => Some(message),
        Found::Problem { .. } => None,
    };
    found.into_iter().filter_map(message).collect()
}

/// The payload of the only message, which is whole.
#[track_caller]
pub(super) fn payload(messages: &[Received], kind: MessageKind) -> Vec<u8> {
    let whole: Vec<_> = messages.iter().filter(|message| message.damage.is_none()).collect();
    assert_eq!(whole.len(), 1, "{messages:?}");
    let message = Message::parse(&whole[0].bytes).unwrap();
    assert_eq!((message.kind, message.damage), (kind, None));
    message.payload.into_owned()
}

/// Memory as it is: runs, text, noise.
fn memory(size: usize) -> Vec<u8> {
    let mut numbers = Numbers(size as u64 + 1);
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let (byte, run) = (numbers.below(256) as u8, numbers.below(300));
        match numbers.below(4) {
            0 => bytes.extend(vec![byte; run]),
            1 => bytes.extend([byte, byte]),
            2 => bytes.extend([0, 0, 0, byte]),
            _ => bytes.extend((0..run % 90).map(|i| byte.wrapping_mul(i as u8 | 1))),
        }
    }
    bytes.truncate(size);
    bytes
}

fn opened(bytes: &[u8]) -> Snapshot {
    format::open(bytes).unwrap()
}

fn held(snapshot: &Snapshot, address: u32) -> &[u8] {
    snapshot.memory.slice_from(Address(address)).unwrap_or_default()
}

#[test]
fn storage_of_every_size_holds_a_whole_coredump_or_none() {
    let mut device = Device::new();
    let (first, second) = (memory(101), memory(203));
    let regions: [Region<'_>; 3] =
        [(0x2000_0000, &first), (0x2000_1000, &[]), (0x2000_2000, &second)];
    let mut truncated = 0;
    for size in (0..800).step_by(16) {
        device.storage(size, 0);
        let result = device.crash(&regions);
        // Four bytes stand between header and blocks.
        if size < LEAST + 4 {
            assert_eq!((result, device.boot()), (TOO_LARGE, 0), "{size}");
            continue;
        }
        assert_eq!(result, 0, "{size}");
        assert!(device.boot() as u32 <= size);
        let coredump = device.coredump();
        assert_eq!(coredump.len() as i32, device.boot());
        let snapshot = opened(&coredump);
        assert_eq!(snapshot.registers.pc(), Some(0x10f));
        let (one, other) = (held(&snapshot, 0x2000_0000), held(&snapshot, 0x2000_2000));
        assert!(first.starts_with(one) && second.starts_with(other), "{size}");
        let is_whole = one.len() == first.len() && other.len() == second.len();
        assert_eq!(snapshot.origin.complete, Some(is_whole), "{size}");
        // What follows a region that was cut would be misleading.
        assert!(one.len() == first.len() || other.is_empty(), "{size}");
        truncated += usize::from(!is_whole);
    }
    assert!(truncated > 10);
}

#[test]
fn power_that_fails_at_any_write_leaves_no_coredump() {
    let mut device = Device::new();
    let region = memory(300);
    for writes in 1.. {
        device.storage(1024, writes);
        let result = device.crash(&[(0x2000_0000, &region)]);
        if result == 0 {
            assert!(writes > 25);
            break;
        }
        assert_eq!((result, device.boot()), (IO, 0), "{writes}");
        // The next crash has the storage for itself.
        assert_eq!(device.crash(&[(0x2000_0000, &region)]), 0);
        assert!(device.boot() > 0);
        assert_eq!(held(&opened(&device.coredump()), 0x2000_0000), region);
    }
}

#[test]
fn byte_that_faded_is_noticed_wherever_it_is() {
    let mut device = Device::new();
    let region = memory(120);
    device.storage(512, 0);
    assert_eq!(device.crash(&[(0x2000_0000, &region)]), 0);
    let size = device.boot();
    let coredump = device.coredump();
    // Behind the header of twelve bytes stand four of checksums.
    let stored: Vec<Option<u8>> = (0..12)
        .map(|at| Some(coredump[at]))
        .chain([None; 4])
        .chain(coredump[12..].iter().map(|byte| Some(*byte)))
        .collect();
    for (at, byte) in stored.iter().enumerate() {
        let Some(byte) = byte else { continue };
        let mut overwrite = |byte: u8| {
            device.0.send(b"f");
            device.0.send_u32(at as u32);
            device.0.send(&[byte]);
            device.boot()
        };
        assert_eq!(overwrite(byte ^ 0x10), 0, "{at}");
        assert_eq!(overwrite(*byte), size, "{at}");
    }
}

#[test]
fn first_crash_is_kept_until_it_is_delivered() {
    let mut device = Device::new();
    device.storage(1024, 0);
    assert_eq!(device.crash(&[(0x2000_0000, b"first")]), 0);
    let size = device.boot();
    assert_eq!(device.crash(&[(0x2000_0000, b"second one")]), EXISTS);
    assert_eq!(device.boot(), size);
    // A message of which a chunk is missing was not delivered.
    device.chunk(64);
    assert_eq!((device.delivered(), device.boot()), (1, size));
    device.chunks(64);
    assert_eq!((device.delivered(), device.boot()), (0, 0));
    assert_eq!(device.crash(&[(0x2000_0000, b"second one")]), 0);
    assert_eq!(held(&opened(&device.coredump()), 0x2000_0000), b"second one");
}

#[test]
fn chunks_of_every_size_carry_the_coredump() {
    let mut device = Device::new();
    device.storage(4096, 0);
    assert_eq!(device.crash(&[(0x2000_0000, &memory(1500))]), 0);
    device.boot();
    let coredump = device.coredump();
    for size in 9..=2048 {
        let chunks = device.chunks(size);
        assert!(chunks.iter().all(|chunk| chunk.len() <= size as usize));
        assert!(size < 2048 || chunks.len() == 1);
        assert_eq!(payload(&received(&chunks), MessageKind::Coredump), coredump, "{size}");
        device.abort();
    }
    for size in 0..9 {
        device.0.send(b"n");
        device.0.send_u32(size);
        assert_eq!(device.0.result(), -1);
    }
}

#[test]
fn any_memory_survives_its_packing() {
    let mut device = Device::new();
    let mut numbers = Numbers(3);
    for size in (0..600).chain([4000, 9000, 20000]) {
        let region = match size % 3 {
            0 => vec![0; size],
            1 => memory(size),
            _ => (0..size).map(|_| numbers.below(3) as u8).collect(),
        };
        device.storage(32768, 0);
        device.boot();
        assert_eq!(device.crash(&[(0x2000_0000, &region)]), 0);
        device.boot();
        let chunks = device.chunks(500);
        let coredump = payload(&received(&chunks), MessageKind::Coredump);
        assert_eq!(held(&opened(&coredump), 0x2000_0000), region, "{size}");
    }
}

#[test]
fn chunks_may_be_lost_repeated_mixed_and_aborted() {
    let mut device = Device::new();
    device.storage(4096, 0);
    assert_eq!(device.crash(&[(0x2000_0000, &memory(900))]), 0);
    device.boot();
    let coredump = device.coredump();
    let sent = device.chunks(60);
    let whole = |chunks: &[Vec<u8>]| payload(&received(chunks), MessageKind::Coredump);
    for at in 0..sent.len() {
        // Lost: what arrives is known to be cut short. Sent again as a whole it is there.
        let mut lost = sent.clone();
        lost.remove(at);
        let messages = received(&lost);
        assert!(messages.iter().all(|message| message.damage.is_some()), "{at}");
        assert!(messages.iter().all(|m| matches!(m.damage, Some(Damage::CutShort { .. }))));
        lost.extend(sent.iter().cloned());
        assert_eq!(whole(&lost), coredump, "{at}");

        let mut repeated = sent.clone();
        repeated.insert(at, sent[at].clone());
        if at > 0 {
            assert_eq!(whole(&repeated), coredump, "{at}");
        }
        // The first chunk has to be first.
        if (1..sent.len() - 1).contains(&at) {
            let mut mixed = sent.clone();
            mixed.swap(at, at + 1);
            let last_is_early = at + 1 == sent.len() - 1;
            assert!(last_is_early || whole(&mixed) == coredump, "{at}");
        }
        device.abort();
        let mut aborted: Vec<_> = (0..at).filter_map(|_| device.chunk(60)).collect();
        device.abort();
        aborted.extend(device.chunks(60));
        assert_eq!(aborted.len(), at + sent.len());
        assert_eq!(whole(&aborted), coredump, "{at}");
    }
    // Nobody said that it was delivered: it is there after a boot, too.
    assert_eq!(device.boot(), coredump.len() as i32);
    assert_eq!(device.chunks(60), sent);
}

#[test]
fn reboots_are_told_in_order_and_the_oldest_are_lost() {
    let mut device = Device::new();
    device.storage(16, 0);
    device.boot();
    assert_eq!(device.chunk(100), None);
    for number in 1..=6 {
        device.reboot(0x8000 + number, number, 0x10 * number);
    }
    let mut reasons = Vec::new();
    loop {
        let chunks = device.chunks(9 + reasons.len() as u32 * 7);
        let events = payload(&received(&chunks), MessageKind::Event);
        let events = wire::parse_events(&events);
        assert_eq!((events.events.len(), events.error), (1, None));
        let event = &events.events[0];
        let Body::Reboot(reboot) = &event.body else { panic!("{event:?}") };
        assert_eq!(reboot.lr, reboot.pc.map(|pc| pc * 0x10));
        assert_eq!(reboot.reset_register, Some(0x14));
        assert_eq!(reboot.coredump_saved, Some(false));
        assert_eq!(event.device.serial.as_deref(), Some("HOST-1"));
        assert_eq!(event.device.software_version.as_deref(), Some("1.2.3"));
        assert_eq!(event.device.build_id.as_deref(), Some(&[0, 1, 2, 3, 4, 5][..]));
        reasons.push(reboot.reason);
        if device.delivered() == 0 {
            break;
        }
    }
    assert_eq!(reasons, [0x8003, 0x8004, 0x8005, 0x8006]);
    assert_eq!(device.chunk(100), None);
}

#[test]
fn printed_lines_are_chunks() {
    let mut device = Device::new();
    device.storage(4096, 0);
    assert_eq!(device.crash(&[(0x2000_0000, &memory(700))]), 0);
    device.boot();
    device.0.send(b"m");
    let count = device.0.result();
    let text = device.0.bytes();
    let stream = wire::chunks(&text).unwrap();
    let chunks: Vec<_> =
        stream.chunks.into_iter().map(|chunk| chunk.unwrap().into_owned()).collect();
    assert_eq!(chunks.len() as i32, count);
    assert!(chunks.iter().all(|chunk| chunk.len() <= 80));
    assert_eq!(payload(&received(&chunks), MessageKind::Coredump), device.coredump());
}
