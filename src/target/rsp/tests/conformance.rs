//! One row for each server in the field: what it says, its habits, and the same session with it.
//!
//! OpenOCD, pyOCD, QEMU and gdbserver as observed; probe-rs, Black Magic and Renode after their
//! sources; J-Link and st-util after published logs.

use super::server::{Habits, Server};
use super::*;

const CORE: [&str; 16] = [
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr",
    "pc",
];

/// A target description: r0 to pc, then `rest` with their numbers, if they have any.
fn xml(architecture: &str, rest: &[(&str, Option<u32>)]) -> Option<String> {
    let mut xml = format!("<target><architecture>{architecture}</architecture>");
    for name in CORE {
        xml.push_str(&format!("<reg name='{name}' bitsize='32'/>"));
    }
    for (name, number) in rest {
        let number = number.map_or(String::new(), |number| format!(" regnum='{number}'"));
        xml.push_str(&format!("<reg name='{name}' bitsize='32'{number}/>"));
    }
    Some(xml + "</target>")
}

fn words(count: u32) -> Option<String> {
    Some((0..count).map(|n| hex(&(0x100 + n).to_le_bytes())).collect())
}

/// Servers by name, what they are taken for, and their habits.
fn servers() -> Vec<(&'static str, ServerKind, Habits)> {
    let system = [("msp", Some(17)), ("psp", Some(18))];
    vec![
        (
            "OpenOCD",
            ServerKind::OpenOcd,
            Habits {
                features: "PacketSize=4000;qXfer:memory-map:read-;qXfer:features:read+;\
                           qXfer:threads:read+;QStartNoAckMode+;vContSupported+",
                xml: xml("armv7e-m", &[("xPSR", Some(16)), system[0], system[1]]),
                p: vec![("11", "00200020"), ("12", "00100020")],
                greeting: b"+",
                status: &["S02"],
                zeros: true,
                chatty: true,
                ..Habits::default()
            },
        ),
        (
            "pyOCD",
            ServerKind::PyOcd,
            Habits {
                features: "PacketSize=800;qXfer:features:read+;QStartNoAckMode+;\
                           qXfer:threads:read+;qXfer:memory-map:read+;QNonStop+;vContSupported+",
                xml: xml("armv7e-m", &[("xpsr", Some(16)), system[0], system[1]]),
                g: words(19),
                refusal: "E01",
                ..Habits::default()
            },
        ),
        (
            "probe-rs",
            ServerKind::Unknown,
            Habits {
                features: "PacketSize=1000;vContSupported+;multiprocess+;QStartNoAckMode+;\
                           swbreak+;qXfer:features:read+;qXfer:memory-map:read+",
                xml: xml("armv8-m.main", &[("xpsr", None)]),
                refusal: "E7A",
                ..Habits::default()
            },
        ),
        (
            "Black Magic",
            ServerKind::BlackMagic,
            Habits {
                features: "PacketSize=400;qXfer:memory-map:read+;qXfer:features:read+;\
                           vContSupported+;QStartNoAckMode+",
                xml: xml("arm", &[("xpsr", Some(25)), ("msp", Some(26)), ("psp", Some(27))]),
                g: words(19),
                status: &["W00"],
                scan: "swdp_scan",
                max_read: (512, "E02"),
                refusal: "E01",
                ..Habits::default()
            },
        ),
        (
            "J-Link",
            ServerKind::Unknown,
            Habits {
                features: "PacketSize=4000;qXfer:memory-map:read-;QStartNoAckMode+;hwbreak+;\
                           qXfer:features:read+",
                xml: xml("arm", &[("xpsr", Some(25))]),
                refusal: "E01",
                word: ("memU32 ", |address, word| {
                    format!("Reading from address 0x{address:08X} (Data = 0x{word:08X})\n")
                }),
                ..Habits::default()
            },
        ),
        (
            "st-util",
            ServerKind::Unknown,
            Habits {
                features: "PacketSize=3fff;qXfer:memory-map:read+",
                g: Some(words(16).unwrap() + &"x".repeat(8 * 24 + 8) + "10010000"),
                refusal: "E01",
                ..Habits::default()
            },
        ),
        (
            "QEMU",
            ServerKind::Qemu,
            Habits {
                features: "PacketSize=1000;qXfer:features:read+;vContSupported+;multiprocess+",
                xml: xml("arm", &[("xpsr", Some(25))]),
                greeting: b"$T02thread:01;#04",
                max_read: (0x800, "E22"),
                qemu: true,
                ..Habits::default()
            },
        ),
        (
            "Renode",
            ServerKind::Unknown,
            Habits {
                features: "PacketSize=1024;qXfer:features:read+;swbreak+;hwbreak+;error-message+",
                xml: xml("arm", &[("xpsr", Some(25))]),
                greeting: b"+$S05#b8$S05#b8",
                status: &["S00"],
                refusal: "E.no peripheral there",
                ..Habits::default()
            },
        ),
        (
            "gdbserver",
            ServerKind::Unknown,
            Habits {
                features: "PacketSize=47ff;qXfer:features:read+;QStartNoAckMode+;binary-upload+",
                xml: xml("arm", &[("xpsr", None)]),
                run_lengths: true,
                ..Habits::default()
            },
        ),
    ]
}

/// Registers, memory up to a hole and behind it, and an orderly end.
fn session(name: &str, kind: ServerKind, habits: Habits) {
    let has_hole = !habits.features.contains("binary-upload+") && !habits.qemu;
    let server = Server::start(habits);
    let mut client = server.connect().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(client.kind(), kind, "{name}");
    let registers = client.read_registers().unwrap().set;
    assert_eq!(registers.core(0), Some(0x100), "{name}");
    assert_eq!(registers.pc(), Some(0x10f), "{name}");
    assert_eq!(registers.get(Register::XPSR), Some(0x110), "{name}");
    let read = read(&mut client, 0x2000_0000, 6000);
    assert_eq!(read.error, None, "{name}");
    let gaps: Vec<_> = read.gaps.iter().map(|gap| gap.range).collect();
    let hole = range(HOLE.0 as u32, HOLE.1 - HOLE.0);
    assert_eq!(gaps, if has_hole { vec![hole] } else { vec![] }, "{name}");
    for (start, bytes) in &read.runs {
        assert!(*bytes == expected(start.0, bytes.len() as u64), "{name}: {start}");
    }
    let count: usize = read.runs.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(count as u64, 6000 - if has_hole { hole.size() } else { 0 }, "{name}");
    client.leave(Leave::AsFound).unwrap();
    drop(client);
    let requests = server.requests();
    assert!(!requests.iter().any(|request| request.starts_with("stray")), "{name}: {requests:?}");
    assert!(requests.iter().any(|request| request.starts_with('D')), "{name}: {requests:?}");
}

const HOLE: (u64, u64) = (0x2000_0800, 0x2000_0900);

#[test]
fn every_server_gives_the_same_session() {
    for (name, kind, habits) in servers() {
        session(name, kind, Habits { holes: vec![HOLE], ..habits });
    }
}

#[test]
fn every_server_over_a_link_that_cuts_replies_into_pieces() {
    for (name, kind, habits) in servers() {
        for pieces in [1, 61] {
            session(name, kind, Habits { holes: vec![HOLE], pieces, ..habits.clone() });
        }
    }
}

#[test]
fn system_control_space_that_is_hidden_is_read_by_the_console() {
    let (_, _, jlink) =
        servers().into_iter().find(|(name, _, _)| *name == "J-Link").expect("the row of J-Link");
    let hidden = vec![(0xe000_e000, 0xe000_f000)];
    let server = Server::start(Habits { holes: hidden.clone(), ..jlink.clone() });
    let mut client = server.connect().unwrap();
    let read = super::read(&mut client, 0xe000_ed28, 8);
    assert_eq!(read.gaps, []);
    let words = [0xe000_ed29_u32, 0xe000_ed2d].map(u32::to_le_bytes).concat();
    assert_eq!(read.runs, [(Address(0xe000_ed28), words)]);
    // Without such a command they stay gaps, and the capture says so.
    let server = Server::start(Habits { holes: hidden, word: ("", |_, _| String::new()), ..jlink });
    let mut client = server.connect().unwrap();
    let captured =
        capture(&mut client, &CapturePlan::default(), &mut |_, _| Vec::new(), &mut |_| true);
    assert_eq!(captured.error, None);
    let told = |remark: &String| remark.contains("the fault registers are missing");
    assert!(captured.snapshot.remarks.iter().any(told), "{:?}", captured.snapshot.remarks);
}

#[test]
fn target_of_another_architecture_is_refused_by_name_and_left() {
    let xml = "<target><architecture>i386:x86-64</architecture><reg name='rax' bitsize='64'/>\
               <reg name='rip' bitsize='64'/></target>";
    let server = Server::start(Habits { xml: Some(xml.to_owned()), ..Habits::default() });
    let error = server.connect().unwrap_err();
    assert_eq!(error, TargetError::OtherArchitecture("i386:x86-64".to_owned()));
    assert!(server.requests().contains(&"D".to_owned()));
}

/// A connection over which bytes may be damaged.
struct Lossy(std::net::TcpStream);

impl std::io::Read for Lossy {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl std::io::Write for Lossy {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Transport for Lossy {
    fn is_lossy(&self) -> bool {
        true
    }
}

#[test]
fn damaged_packets_are_asked_for_again_over_a_serial_line() {
    let habits = Habits { damages: 3, features: "PacketSize=400", ..Habits::default() };
    let server = Server::start(habits.clone());
    let stream = std::net::TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
    let mut client = GdbClient::new(Box::new(Lossy(stream)), None).unwrap();
    assert_eq!(client.read_registers().unwrap().set.pc(), Some(0x10f));
    drop(client);
    assert_eq!(server.requests().iter().filter(|request| *request == "again").count(), 3);
    // Over TCP nothing is damaged but by a server that is wrong, and asking again would not help.
    let error = Server::start(habits).connect().unwrap_err();
    assert!(matches!(error, TargetError::Checksum { .. }), "{error}");
}
