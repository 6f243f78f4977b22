//! Metrics and traces: what the SDK encodes, the program's own readers read, with the names of the
//! section that stays in the ELF.

use super::host::Host;
use super::store::{payload, received};
use mflt::wire::{
    self, Body, Dictionary, Event, LogText, MessageKind, MetricValue, MetricValues, Trace,
};
use std::collections::BTreeMap;

const SOURCES: [&str; 10] = [
    "cbor",
    "chunk",
    "coredump",
    "crc16",
    "event",
    "event_store",
    "log_ring",
    "metrics",
    "reboot",
    "rle",
];
const INVALID: i32 = -1;
const TOO_LARGE: i32 = -2;
const HOUR_MS: u32 = 3_600_000;

/// The device's side, and what its ELF tells.
struct Device {
    host: Host,
    dictionary: Dictionary,
}

impl Device {
    fn new() -> Device {
        Device::of("events")
    }

    /// With the options of a program of `sdk/tests`.
    fn of(program: &str) -> Device {
        let mut host = Host::start(program, &[&SOURCES[..], &["trace"]].concat());
        host.send(b"N");
        let mut dictionary = Dictionary::default();
        dictionary.add_names(&host.bytes());
        let mut device = Device { host, dictionary };
        assert_eq!(device.ask(b'b', &[7]), 0);
        device
    }

    fn tell(&mut self, command: u8, numbers: &[u32]) {
        self.host.send(&[command]);
        numbers.iter().for_each(|number| self.host.send_u32(*number));
    }

    fn ask(&mut self, command: u8, numbers: &[u32]) -> i32 {
        self.tell(command, numbers);
        self.host.result()
    }

    /// Number of a metric by its full name.
    fn metric(&self, name: &str) -> u32 {
        let found = self.dictionary.metric_names.iter().find(|(_, known)| *known == name);
        u32::try_from(*found.expect(name).0).unwrap()
    }

    fn set_text(&mut self, metric: &str, text: &str) -> i32 {
        let number = self.metric(metric);
        self.tell(b'$', &[number, text.len() as u32]);
        self.host.send(text.as_bytes());
        self.host.result()
    }

    fn chunks(&mut self, size: u32) -> Vec<Vec<u8>> {
        let next = || {
            let size = self.ask(b'n', &[size]);
            assert!(size >= 0, "{size}");
            (size > 0).then(|| self.host.exactly(size as usize))
        };
        std::iter::from_fn(next).collect()
    }

    /// The oldest event, which stays on the device.
    fn oldest(&mut self, size: u32) -> Event {
        let payload = payload(&received(&self.chunks(size)), MessageKind::Event);
        let mut events = wire::parse_events(&payload);
        assert_eq!((events.events.len(), events.error), (1, None));
        events.events.remove(0)
    }

    /// The oldest event; it is delivered.
    fn next(&mut self) -> Event {
        let event = self.oldest(40);
        self.ask(b'd', &[]);
        event
    }

    /// Metrics of the oldest event by their names.
    fn metrics(&mut self) -> (String, BTreeMap<String, MetricValue>) {
        let Body::Metrics(metrics) = self.next().body else { panic!("no metrics") };
        let MetricValues::Positional(values) = metrics.values else { panic!("names travel") };
        let session = self.dictionary.session(metrics.session).unwrap().to_owned();
        let named = self.dictionary.name_metrics(metrics.session, &values).unwrap();
        let named = named.into_iter().map(|metric| (metric.name.unwrap().to_owned(), metric.value));
        (session, named.collect())
    }

    fn heartbeat(&mut self) -> BTreeMap<String, MetricValue> {
        assert_eq!(self.ask(b'h', &[]), 0);
        let (session, metrics) = self.metrics();
        assert_eq!(session, "heartbeat");
        metrics
    }
}

fn trace_of(event: &Event) -> &Trace {
    let Body::Trace(trace) = &event.body else { panic!("{event:?}") };
    trace
}

#[test]
fn metrics_arrive_with_their_names() {
    let mut device = Device::new();
    let number = |device: &Device, name: &str| device.metric(&format!("heartbeat__{name}"));
    let (packets, degrees) = (number(&device, "packets"), number(&device, "degrees"));
    let connected = number(&device, "connected_ms");
    assert_eq!(device.ask(b'+', &[packets, 3]), 0);
    assert_eq!(device.ask(b'+', &[packets, 4]), 0);
    assert_eq!(device.ask(b'=', &[degrees, (-12_345_i32) as u32]), 0);
    assert_eq!(device.set_text("heartbeat__operator", "Example Mobile"), 0);
    device.tell(b'u', &[1000]);
    assert_eq!(device.ask(b'>', &[connected]), 0);
    device.tell(b'u', &[3500]);
    assert_eq!(device.ask(b'<', &[connected]), 0);
    device.tell(b'u', &[61_000]);
    // Each kind takes its own.
    assert_eq!(device.ask(b'+', &[degrees, 1]), INVALID);
    assert_eq!(device.ask(b'=', &[packets, 1]), INVALID);
    assert_eq!(device.ask(b'>', &[packets]), INVALID);
    assert_eq!(device.ask(b'+', &[1000, 1]), INVALID);
    assert_eq!(device.ask(b')', &[2]), INVALID);

    let first = device.heartbeat();
    let integer = MetricValue::Integer;
    for (name, value) in [
        ("duration_ms", integer(61_000)),
        ("uptime_s", integer(61)),
        ("unexpected_reboots", integer(0)),
        ("events_dropped", integer(0)),
        ("packets", integer(7)),
        ("degrees", MetricValue::Float(-12.345)),
        ("operator", MetricValue::Text("Example".into())),
        ("connected_ms", integer(2500)),
        ("battery_percent", MetricValue::Unset),
    ] {
        assert_eq!(first[name], value, "{name}");
    }
    assert_eq!(first.len(), 15);
    // The next interval begins anew.
    device.tell(b'u', &[62_500]);
    let second = device.heartbeat();
    for (name, value) in [
        ("duration_ms", integer(1500)),
        ("uptime_s", integer(62)),
        ("packets", integer(0)),
        ("degrees", MetricValue::Unset),
        ("operator", MetricValue::Unset),
        ("connected_ms", integer(0)),
    ] {
        assert_eq!(second[name], value, "{name}");
    }
}

#[test]
fn metrics_with_names_need_no_elf() {
    let mut device = Device::of("named");
    let packets = device.metric("heartbeat__packets");
    device.ask(b'+', &[packets, 8]);
    assert_eq!(device.ask(b'h', &[]), 0);
    let Body::Metrics(metrics) = device.next().body else { panic!("no metrics") };
    let MetricValues::Named(values) = metrics.values else { panic!("no names") };
    assert_eq!(values.len(), 15);
    assert!(values.contains(&("packets".into(), MetricValue::Integer(8))), "{values:?}");
    assert!(values.contains(&("degrees".into(), MetricValue::Unset)), "{values:?}");
}

#[test]
fn session_has_its_own_metrics_and_interval() {
    let mut device = Device::new();
    let bytes = device.metric("update__bytes");
    device.ask(b'+', &[bytes, 99]);
    device.tell(b'u', &[5000]);
    assert_eq!(device.ask(b'(', &[1]), 0);
    device.ask(b'+', &[bytes, 1024]);
    device.tell(b'u', &[9000]);
    assert_eq!(device.ask(b')', &[1]), 0);
    let (session, metrics) = device.metrics();
    assert_eq!(session, "update");
    let expected = [("bytes", 1024), ("duration_ms", 4000)];
    let expected = expected.map(|(name, value)| (name.to_owned(), MetricValue::Integer(value)));
    assert_eq!(metrics, expected.into());
}

#[test]
fn crashes_and_hours_are_counted_over_resets() {
    let mut device = Device::new();
    for _ in 0..3 {
        assert_eq!(device.ask(b'b', &[0x8001]), 1);
    }
    device.tell(b'u', &[5 * HOUR_MS / 2]);
    let metrics = device.heartbeat();
    assert_eq!(metrics["unexpected_reboots"], MetricValue::Integer(3));
    // The first of the two hours had a crash.
    assert_eq!(metrics["operational_hours"], MetricValue::Integer(2));
    assert_eq!(metrics["crash_free_hours"], MetricValue::Integer(1));
    device.tell(b'u', &[3 * HOUR_MS]);
    let metrics = device.heartbeat();
    assert_eq!(metrics["unexpected_reboots"], MetricValue::Integer(0));
    assert_eq!(metrics["operational_hours"], MetricValue::Integer(1));
    assert_eq!(metrics["crash_free_hours"], MetricValue::Integer(1));
}

#[test]
fn interrupts_that_count_at_every_unlock_lose_nothing() {
    let mut device = Device::new();
    device.tell(b'i', &[1]);
    let mut reported = 0;
    for round in 1..10 {
        device.tell(b'u', &[round * 1000]);
        let MetricValue::Integer(packets) = device.heartbeat()["packets"] else { panic!() };
        reported += packets;
    }
    device.tell(b'i', &[0]);
    let MetricValue::Integer(packets) = device.heartbeat()["packets"] else { panic!() };
    let counted = device.ask(b'p', &[]);
    assert!(counted > 100, "{counted}");
    assert_eq!(reported + packets, i64::from(counted));
}

#[test]
fn full_buffer_drops_the_new_and_reports_how_many() {
    let mut device = Device::new();
    let packets = device.metric("heartbeat__packets");
    device.ask(b'+', &[packets, 5]);
    let kept = (0..).take_while(|_| device.ask(b't', &[2]) == 0).count();
    assert!(kept > 5, "{kept}");
    assert_eq!(device.ask(b't', &[2]), TOO_LARGE);
    // A heartbeat that finds no room keeps what it counted.
    assert_eq!(device.ask(b'h', &[]), TOO_LARGE);
    for _ in 0..kept {
        assert_eq!(trace_of(&device.next()).reason, Some(1));
    }
    let metrics = device.heartbeat();
    assert_eq!(metrics["events_dropped"], MetricValue::Integer(3));
    assert_eq!(metrics["packets"], MetricValue::Integer(5));
    assert_eq!(device.heartbeat()["events_dropped"], MetricValue::Integer(0));
}

#[test]
fn traces_say_why_and_what() {
    let mut device = Device::new();
    for kind in 0..3 {
        assert_eq!(device.ask(b't', &[kind]), 0);
    }
    let event = device.next();
    assert_eq!(event.device.software_type.as_deref(), Some("test"));
    assert_eq!(event.device.build_id.as_deref(), Some(&[0, 1, 2, 3, 4, 5][..]));
    let plain = trace_of(&event);
    assert_eq!(device.dictionary.trace_reason(plain.reason.unwrap()), Some("flash_failed"));
    assert_eq!((plain.status, &plain.log), (None, &None));
    let event = device.next();
    let status = trace_of(&event);
    assert_eq!(device.dictionary.trace_reason(status.reason.unwrap()), Some("sensor_lost"));
    assert_eq!(status.status, Some(-7));
    let event = device.next();
    assert_eq!(trace_of(&event).log, Some(LogText::Text("page 3 of bank 1".into())));
    assert_eq!(device.ask(b'n', &[40]), 0);
    // Reasons of reboots are numbered from the base of their sort.
    for (code, name) in
        [(0x1001, "BATTERY_CHANGED"), (0xa001, "SENSOR_STUCK"), (0xa002, "RADIO_GONE")]
    {
        assert_eq!(device.dictionary.reboot_reason(code), Some(name));
    }
}

#[test]
fn event_stays_until_it_is_delivered_whatever_happens_meanwhile() {
    let mut device = Device::new();
    device.ask(b't', &[1]);
    device.ask(b't', &[2]);
    for size in 9..100 {
        let event = device.oldest(size);
        assert_eq!(trace_of(&event).status, Some(-7), "{size}");
        device.tell(b'a', &[]);
    }
    // Half-way through a reset comes, then another event.
    assert!(device.ask(b'n', &[20]) > 0);
    device.host.exactly(20);
    device.tell(b'a', &[]);
    assert_eq!(device.ask(b'b', &[2]), 1);
    device.ask(b't', &[0]);
    let reasons: Vec<_> = (0..3).map(|_| trace_of(&device.next()).reason).collect();
    assert_eq!(reasons, [Some(2), Some(1), Some(1)]);
    assert_eq!(device.ask(b'd', &[]), 0);
}

#[test]
fn events_of_another_build_are_dropped_and_counted() {
    let mut device = Device::new();
    device.ask(b't', &[1]);
    device.ask(b't', &[1]);
    device.tell(b'v', &[0x0302_01ff]);
    assert_eq!(device.ask(b'b', &[3]), 1);
    assert_eq!(device.ask(b'n', &[40]), 0);
    assert_eq!(device.heartbeat()["events_dropped"], MetricValue::Integer(2));
}
