//! The client against scripted servers on loopback sockets, each with the habits of a real one.

mod conformance;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use self::server::{Habits, Server, byte, hex};
use super::*;
use crate::base::{Address, AddressRange, Memory};
use crate::snapshot::Register;
use crate::target::{CapturePlan, LiveMemory, PlannedRange, Purpose, capture};

fn range(start: u32, size: u64) -> AddressRange {
    AddressRange::new(Address(start), size).unwrap()
}

fn read(client: &mut GdbClient, start: u32, size: u64) -> MemoryRead {
    client.read_memory(&[range(start, size)], &mut |_| true)
}

fn expected(start: u32, size: u64) -> Vec<u8> {
    (u64::from(start)..u64::from(start) + size).map(byte).collect()
}

fn assert_whole(read: &MemoryRead, start: u32, size: u64) {
    assert_eq!(read.error, None);
    assert_eq!(read.gaps, []);
    assert_eq!(read.runs.len(), 1);
    assert_eq!(read.runs[0].0, Address(start));
    assert!(read.runs[0].1 == expected(start, size));
}

/// Connects, reads registers and 10000 bytes, checks both, leaves.
fn whole_session(habits: Habits) -> Vec<String> {
    let server = Server::start(habits);
    let mut client = server.connect().unwrap();
    let registers = client.read_registers().unwrap();
    assert_eq!(registers.set.core(0), Some(0x100));
    assert_eq!(registers.set.pc(), Some(0x10f));
    assert_eq!(registers.set.get(Register::XPSR), Some(0x110));
    assert_whole(&read(&mut client, 0x2000_0001, 10_000), 0x2000_0001, 10_000);
    client.leave(Leave::AsFound).unwrap();
    drop(client);
    let requests = server.requests();
    assert_eq!(requests.iter().filter(|r| r.starts_with("stray")).count(), 0, "{requests:?}");
    let forbidden = ["k", "vKill", "vRun", "R", "Z", "z", "M", "X", "P", "G", "qSymbol", "c", "s"];
    for request in &requests {
        assert!(!forbidden.iter().any(|begin| request.starts_with(begin)), "{request}");
    }
    assert!(requests.iter().any(|request| request == "D"));
    requests
}

#[test]
fn session_without_acknowledgements() {
    whole_session(Habits::default());
}

#[test]
fn session_with_acknowledgements() {
    whole_session(Habits { features: "PacketSize=400", ..Habits::default() });
}

#[test]
fn session_with_run_lengths_and_chatter() {
    whole_session(Habits { run_lengths: true, chatty: true, ..Habits::default() });
}

#[test]
fn unsolicited_stop_on_connecting_shifts_nothing_and_tells_that_the_target_ran() {
    let server = Server::start(Habits {
        greeting: b"\0$T02thread:01;#04",
        features: "PacketSize=1000",
        ..Habits::default()
    });
    let mut client = server.connect().unwrap();
    assert_eq!(client.was_running(), Some(true));
    assert_whole(&read(&mut client, 0x2000_0000, 64), 0x2000_0000, 64);
}

#[test]
fn stale_replies_before_the_first_answer_are_passed_over() {
    whole_session(Habits { stale: b"$T02thread:01;#04", ..Habits::default() });
    whole_session(Habits { stale: b"$OK#9a", ..Habits::default() });
}

#[test]
fn running_target_is_interrupted() {
    for status in [&["S00", "T02"][..], &["OK", "T02"], &["-", "T02"]] {
        let server = Server::start(Habits { status, ..Habits::default() });
        let client = server.connect().unwrap();
        assert_eq!(client.was_running(), Some(true), "{status:?}");
        drop(client);
        assert!(server.requests().contains(&"interrupt".to_owned()));
    }
}

#[test]
fn late_reply_to_an_interrupt_shifts_nothing() {
    let late = b"$T02thread:01;#04";
    whole_session(Habits { status: &["S00", "T02"], interrupt: b"", late, ..Habits::default() });
}

#[test]
fn silent_interrupt_falls_back_to_the_console() {
    let habits = Habits { status: &["S00", "S02"], interrupt: b"", ..Habits::default() };
    let server = Server::start(habits);
    let client = server.connect().unwrap();
    assert_eq!(client.stop_reason().as_deref(), Some("halted by the debugger"));
}

#[test]
fn target_that_does_not_stop_and_server_without_target_are_errors() {
    let habits = Habits {
        status: &["-"],
        interrupt: b"",
        features: "PacketSize=400;QStartNoAckMode+",
        ..Habits::default()
    };
    assert_eq!(Server::start(habits).connect().unwrap_err(), TargetError::DoesNotStop);
    let habits = Habits { status: &["W00"], ..Habits::default() };
    assert_eq!(Server::start(habits).connect().unwrap_err(), TargetError::NotAttached);
}

#[test]
fn refused_size_is_halved_and_remembered() {
    for code in ["E22", "E02"] {
        let habits = Habits { max_read: (512, code), ..Habits::default() };
        let server = Server::start(habits);
        let mut client = server.connect().unwrap();
        assert_whole(&read(&mut client, 0x2000_0000, 20_000), 0x2000_0000, 20_000);
        assert_whole(&read(&mut client, 0x2000_8000, 5_000), 0x2000_8000, 5_000);
        drop(client);
        let requests = server.requests();
        let large = requests.iter().filter(|r| r.ends_with(",7fc") || r.ends_with(",3fc"));
        assert!(large.count() <= 2, "{requests:?}");
    }
}

#[test]
fn size_error_that_is_not_about_size_leaves_a_gap_and_full_speed() {
    let server = Server::start(Habits { max_read: (0, "E02"), ..Habits::default() });
    let mut client = server.connect().unwrap();
    let read = read(&mut client, 0x2000_0000, 4096);
    assert_eq!(read.runs, []);
    assert_eq!(read.gaps.len(), 1);
    assert_eq!(read.gaps[0].range, range(0x2000_0000, 4096));
    assert_eq!(client.max_read, 0x7fc);
}

#[test]
fn holes_are_narrowed_down_and_never_filled() {
    let holes = vec![(0x2000_0404, 0x2000_0408), (0x2000_1800, 0x2000_3000)];
    for features in ["PacketSize=1000", "PacketSize=4000;QStartNoAckMode+"] {
        let habits = Habits { holes: holes.clone(), features, ..Habits::default() };
        let server = Server::start(habits);
        let mut client = server.connect().unwrap();
        let read = read(&mut client, 0x2000_0000, 0x4000);
        assert_eq!(read.error, None);
        let gaps: Vec<_> = read.gaps.iter().map(|gap| (gap.range, &*gap.reason)).collect();
        let expected_gaps = [(range(0x2000_0404, 4), "E14"), (range(0x2000_1800, 0x1800), "E14")];
        assert_eq!(gaps, expected_gaps);
        let sizes = [(0x2000_0000, 0x404), (0x2000_0408, 0x13f8), (0x2000_3000, 0x1000)];
        for ((start, size), run) in sizes.into_iter().zip(&read.runs) {
            assert_eq!((run.0, run.1.len()), (Address(start), size as usize));
            assert!(run.1 == expected(start, size));
        }
        assert_eq!(read.runs.len(), 3);
    }
}

#[test]
fn qemu_is_read_past_the_mpu_many_at_once_and_left_by_process() {
    let habits = Habits {
        features: "PacketSize=1000",
        qemu: true,
        holes: vec![(0x2000_0400, 0x2000_0800), (0x2001_0000, 0x2001_1000)],
        ..Habits::default()
    };
    let server = Server::start(habits);
    let mut client = server.connect().unwrap();
    assert_eq!((client.kind(), client.pipeline), (ServerKind::Qemu, 64));
    assert_whole(&read(&mut client, 0x2000_0000, 0x1000), 0x2000_0000, 0x1000);
    assert_eq!(client.leave(Leave::Running), Ok(Some(true)));
    drop(client);
    let requests = server.requests();
    let position = |request: &str| requests.iter().position(|r| r == request).unwrap();
    assert!(position("Qqemu.PhyMemMode:1") < position("Qqemu.PhyMemMode:0"));
    assert!(position("D") < position("D;1"));
}

#[test]
fn device_registers_are_read_in_small_whole_words() {
    let habits = Habits { holes: vec![(0xe000_ed40, 0xe000_ed48)], ..Habits::default() };
    let server = Server::start(habits);
    let mut client = server.connect().unwrap();
    let read = read(&mut client, 0xe000_ed01, 0x8e);
    assert_eq!(read.runs.len(), 2);
    assert_eq!(read.runs[0].0, Address(0xe000_ed01));
    assert!(read.runs[0].1 == expected(0xe000_ed01, 0x3f));
    assert_eq!(read.gaps[0].range, range(0xe000_ed40, 8));
    drop(client);
    for request in server.requests().iter().filter_map(|r| r.strip_prefix('m')) {
        let (start, size) = request.split_once(',').unwrap();
        let number = |text: &str| u32::from_str_radix(text, 16).unwrap();
        assert!(number(start) % 4 == 0 && number(size) % 4 == 0 && number(size) <= 64, "{request}");
    }
}

#[test]
fn zeros_of_openocd_are_checked() {
    let habits = Habits {
        features: "PacketSize=4000;qXfer:memory-map:read-;qXfer:features:read+;\
                   qXfer:threads:read+;QStartNoAckMode+;vContSupported+",
        zeros: true,
        holes: vec![(0x2000_7000, 0x2001_0000)],
        ..Habits::default()
    };
    let server = Server::start(habits);
    let mut client = server.connect().unwrap();
    assert_eq!(client.kind(), ServerKind::OpenOcd);
    assert_eq!(client.server(), "Open On-Chip Debugger 0.12.0");
    // Real zeros from 0x20010000 on, and zeros instead of an error below.
    let read = read(&mut client, 0x2000_0000, 0x1_4000);
    let gaps: Vec<_> = read.gaps.iter().map(|gap| gap.range).collect();
    assert_eq!(gaps, [range(0x2000_7000, 0x9000)]);
    assert_eq!(read.runs.len(), 2);
    assert!(read.runs[0].1 == expected(0x2000_0000, 0x7000));
    assert!(read.runs[1].1 == vec![0; 0x4000]);
}

#[test]
fn short_replies_are_continued() {
    whole_session(Habits { short: 100, ..Habits::default() });
}

#[test]
fn server_that_dies_leaves_what_was_read() {
    let server = Server::start(Habits { dies_after: 24, ..Habits::default() });
    let mut client = server.connect().unwrap();
    let plan = CapturePlan::of_regions([range(0x2000_0000, 0x4000), range(0x3000_0000, 0x4000)]);
    let captured = capture(&mut client, &plan, &mut |_, _| Vec::new(), &mut |_| true);
    assert_eq!(captured.error, Some(TargetError::Closed));
    let snapshot = captured.snapshot;
    assert_eq!(snapshot.registers.pc(), Some(0x10f));
    assert_eq!(snapshot.origin.complete, Some(false));
    assert!(snapshot.memory.size() > 0x1000);
    let last = snapshot.memory.gaps().last().unwrap();
    assert_eq!(last.range, range(0x3000_0000, 0x4000));
    assert_eq!(last.reason, "not read: the server closed the connection");
    let accounted: u64 = snapshot.memory.gaps().iter().map(|gap| gap.range.size()).sum();
    let scs = snapshot.memory.segments().iter().filter(|s| s.range().start().0 >= 0xe000_0000);
    let scs: u64 = scs.map(|s| s.range().size()).sum();
    assert_eq!(snapshot.memory.size() - scs + accounted, 0x8000);
}

#[test]
fn connection_that_is_lost_at_any_read_keeps_what_came_before() {
    let plan = CapturePlan::of_regions([range(0x2000_0000, 0x2000)]);
    let mut before = 0;
    for dies_after in 1..40 {
        let server = Server::start(Habits { dies_after, ..Habits::default() });
        let mut client = server.connect().unwrap();
        let captured = capture(&mut client, &plan, &mut |_, _| Vec::new(), &mut |_| true);
        let size = captured.snapshot.memory.size();
        assert!(captured.error.is_none() || captured.error == Some(TargetError::Closed));
        assert!(captured.snapshot.registers.pc().is_some());
        assert!(size >= before, "{dies_after}");
        before = size;
    }
    assert!(before >= 0x2000, "the last ones are enough for all of it: {before}");
}

#[test]
fn garbage_is_one_clear_error() {
    for (garbage, says) in [
        (&b"$zz#f4"[..], "`zz` is no answer to `m20000000,40`"),
        (b"$00#00", "a packet with the checksum `00` adds up to 60"),
        (b"$0000000#50", "`0000000` is no answer to `m20000000,40`"),
    ] {
        let server = Server::start(Habits { garbage: Some(garbage), ..Habits::default() });
        let mut client = server.connect().unwrap();
        let read = read(&mut client, 0x2000_0000, 64);
        assert_eq!(read.error.unwrap().to_string(), says);
        assert_eq!(read.gaps[0].range, range(0x2000_0000, 64));
    }
    let server = Server::start(Habits {
        greeting: &[b'x'; 70_000],
        features: "PacketSize=400",
        ..Habits::default()
    });
    assert_eq!(server.connect().unwrap_err(), TargetError::Garbage { bytes: 65_537 });
}

#[test]
fn absurd_packet_sizes_are_bounded() {
    for features in ["PacketSize=ffffffffffffff;QStartNoAckMode+", "PacketSize=1", "PacketSize=-5"]
    {
        whole_session(Habits { features, ..Habits::default() });
    }
}

#[test]
fn word_is_written_in_target_order_and_refusals_are_told() {
    for (write, says) in [
        ("OK", None),
        ("E01", Some("the server answers `Me000ed98,4:05010000` with E01")),
        ("", Some("the server answers `Me000ed98,4:05010000` with an empty reply")),
        ("05", Some("`05` is no answer to `Me000ed98,4:05010000`")),
    ] {
        let server = Server::start(Habits { write, ..Habits::default() });
        let mut client = server.connect().unwrap();
        let result = client.write_word(Address(0xe000_ed98), 0x105);
        assert_eq!(result.err().map(|error| error.to_string()).as_deref(), says);
        // The next answer is the next question's.
        assert_whole(&read(&mut client, 0x2000_0000, 64), 0x2000_0000, 64);
    }
}

#[test]
fn registers_beyond_the_reply_are_asked_for_one_by_one() {
    let mut xml = String::from("<target>");
    for register in 0..16 {
        xml.push_str(&format!("<reg name=\"r{register}\" bitsize=\"32\"/>"));
    }
    xml.push_str("<reg name='xPSR' bitsize='32'/><reg name='msp' bitsize='32'/>");
    xml.push_str("<reg name='psp' bitsize='32'/><reg name='primask' bitsize='1' regnum='20'/>");
    xml.push_str("<reg name='basepri' bitsize='8'/><reg name='d0' bitsize='64' regnum='42'/>");
    let habits = Habits {
        xml: Some(xml),
        p: vec![
            ("11", "0d010000"),
            ("12", "xxxxxxxx"),
            ("14", "01"),
            ("15", "E01"),
            ("2a", "0100000002000000"),
        ],
        ..Habits::default()
    };
    let server = Server::start(habits);
    let mut client = server.connect().unwrap();
    let registers = client.read_registers().unwrap();
    assert_eq!(registers.set.get(Register::MSP), Some(0x10d));
    assert_eq!(registers.set.get(Register::PSP), None);
    assert_eq!(registers.set.get(Register::PRIMASK), Some(1));
    assert_eq!(registers.set.get(Register::BASEPRI), None);
    assert_eq!(registers.set.double(0), Some(0x2_0000_0001));
    assert_eq!(registers.remarks, [""; 0]);
}

#[test]
fn registers_of_old_servers_are_found_behind_the_fpa() {
    let words = (0..42_u32).map(|n| hex(&(0x100 + n).to_le_bytes())).collect();
    let server = Server::start(Habits { g: Some(words), ..Habits::default() });
    let mut client = server.connect().unwrap();
    assert_eq!(client.read_registers().unwrap().set.get(Register::XPSR), Some(0x129));
}

#[test]
fn capture_reads_first_what_is_named_and_nothing_twice() {
    let server = Server::start(Habits::default());
    let mut client = server.connect().unwrap();
    let plan = CapturePlan::of_regions([range(0x2000_0000, 0x2000)]);
    let mut last = 0;
    let captured = capture(
        &mut client,
        &plan,
        &mut |registers, memory| {
            assert_eq!(registers.pc(), Some(0x10f));
            let word = u32::from_le_bytes(expected(0x2000_00fe, 4).try_into().unwrap());
            assert_eq!(memory.read_u32(Address(0x2000_00fe)), Ok(word));
            let purpose = Purpose::FaultingStack;
            vec![PlannedRange { range: range(0x2000_1000, 0x100), purpose }]
        },
        &mut |progress| {
            assert!(progress.done <= progress.total);
            last = progress.done;
            true
        },
    );
    assert_eq!(captured.error, None);
    assert_eq!(last, 0x2000);
    assert_eq!(captured.snapshot.origin.complete, Some(true));
    let memory = &captured.snapshot.memory;
    assert_eq!(memory.slice_from(Address(0x2000_0000)), Some(&*expected(0x2000_0000, 0x2000)));
    assert!(memory.contains(Address(0xe000_ed28)));
    drop(client);
    let requests = server.requests();
    let first = requests.iter().position(|r| r == "m20001000,100").unwrap();
    // Both pages that the word stands in are known then.
    let rest = requests.iter().position(|r| r == "m20000200,7fc").unwrap();
    let page = |r: &&String| r.starts_with("m200000") || r.starts_with("m200001");
    assert_eq!(
        requests.iter().filter(page).collect::<Vec<_>>(),
        ["m20000000,100", "m20000100,100"]
    );
    let system = requests.iter().position(|r| r == "me000ed00,40").unwrap();
    assert!(!requests.iter().any(|r| r.starts_with('M')), "nothing is written: {requests:?}");
    assert!(system < first && first < rest, "{requests:?}");
}

#[test]
fn ranges_far_apart_travel_together() {
    let habits = Habits { holes: vec![(0x2000_2010, 0x2000_2020)], ..Habits::default() };
    let server = Server::start(habits);
    let mut client = server.connect().unwrap();
    let ranges = [range(0x2000_2000, 64), range(0x2000_0000, 3000), range(0x2000_4001, 7)];
    let read = client.read_memory(&ranges, &mut |_| true);
    assert_eq!(read.error, None);
    let gaps: Vec<_> = read.gaps.iter().map(|gap| gap.range).collect();
    assert_eq!(gaps, [range(0x2000_2010, 16)]);
    let expected: Vec<_> =
        [(0x2000_0000, 3000), (0x2000_2000, 16), (0x2000_2020, 32), (0x2000_4001, 7)]
            .into_iter()
            .map(|(start, size)| (Address(start), expected(start, size)))
            .collect();
    assert!(read.runs == expected);
}

#[test]
fn register_is_read_in_one_access_of_its_size() {
    let habits = Habits { holes: vec![(0x4000_0010, 0x4000_0014)], ..Habits::default() };
    let server = Server::start(habits);
    let mut client = server.connect().unwrap();
    let plan = CapturePlan {
        registers: vec![range(0x4000_0001, 1), range(0x4000_0010, 4), range(0x4000_0012 + 2, 2)],
        skip_system_control: true,
        ..CapturePlan::default()
    };
    let captured = capture(&mut client, &plan, &mut |_, _| Vec::new(), &mut |_| true);
    assert_eq!(captured.error, None);
    let memory = &captured.snapshot.memory;
    assert_eq!(
        memory.gaps().iter().map(|gap| gap.range).collect::<Vec<_>>(),
        [range(0x4000_0010, 4)]
    );
    assert_eq!(memory.read_u8(Address(0x4000_0001)), Ok(byte(0x4000_0001)));
    assert_eq!(memory.size(), 3);
    assert_eq!(captured.snapshot.origin.complete, Some(false));
    drop(client);
    let requests = server.requests();
    let reads: Vec<_> = requests.iter().filter(|r| r.starts_with('m')).collect();
    assert_eq!(reads, ["m40000001,1", "m40000010,4", "m40000014,2"]);
}

#[test]
fn cancelled_capture_keeps_what_it_has() {
    let server = Server::start(Habits::default());
    let cancel = Arc::new(AtomicBool::new(false));
    let mut client = GdbClient::connect(&server.address, Some(Arc::clone(&cancel))).unwrap();
    let plan = CapturePlan::of_regions([range(0x2000_0000, 1 << 20)]);
    let captured = capture(&mut client, &plan, &mut |_, _| Vec::new(), &mut |progress| {
        cancel.store(progress.done > 0x8000, Ordering::Relaxed);
        true
    });
    assert_eq!(captured.error, Some(TargetError::Cancelled));
    assert!(captured.snapshot.memory.size() > 0x8000);
    assert_eq!(captured.snapshot.origin.complete, Some(false));
    client.leave(Leave::AsFound).unwrap();
    drop(client);
    assert_eq!(server.requests().last().map(String::as_str), Some("D"));
}

#[test]
fn live_memory_reads_pages_once_and_registers_every_time() {
    let server =
        Server::start(Habits { holes: vec![(0x2000_0180, 0x2000_0200)], ..Habits::default() });
    let mut client = server.connect().unwrap();
    let memory = LiveMemory::new(&mut client);
    for _ in 0..3 {
        assert_eq!(memory.read_u8(Address(0x2000_0010)), Ok(byte(0x2000_0010)));
        assert!(memory.read_u32(Address(0xe000_ed28)).is_ok());
    }
    // The page is readable in part.
    assert!(memory.read_u32(Address(0x2000_017c)).is_ok());
    assert!(memory.read_u32(Address(0x2000_017e)).is_err());
    assert!(memory.read_u32(Address(0xffff_fffe)).is_err());
    drop(client);
    let requests = server.requests();
    let count = |request: &str| requests.iter().filter(|r| *r == request).count();
    assert_eq!((count("m20000000,100"), count("me000ed28,4")), (1, 3));
}
