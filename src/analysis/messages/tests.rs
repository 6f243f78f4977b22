//! Messages described with the ELF of a small firmware, and without.

use super::*;
use crate::symbols::ElfImage;
use crate::wire::Message as Sent;

const NODE: &[u8] = include_bytes!("../../../fixtures/chunks/node.elf");

/// What is told of `message`, with the ELF or without any.
fn described(message: &str, with_elf: bool) -> Vec<Message> {
    let image = ElfImage::parse(NODE).unwrap();
    let files = if with_elf { vec![SymbolFile::new(&image)] } else { Vec::new() };
    // `BUILD` stands for the first bytes of the build ID, `PC` for a function's address.
    let build = hex::encode(image.build_id().unwrap().get(..6).unwrap());
    let symbols = SymbolFile::new(&image);
    let pc = symbols.symbol("sensor_read").unwrap().address.0 | 1;
    let text = message.replace(' ', "").replace("BUILD", &build);
    let bytes = hex::decode(text.replace("PC", &format!("{pc:08x}")).as_bytes()).unwrap();
    Firmware::new(&files).describe(5, &Sent::parse(&bytes).unwrap())
}

fn only(message: &str, with_elf: bool) -> Message {
    let mut messages = described(message, with_elf);
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

#[test]
fn metrics_get_names_units_and_scales() {
    let heartbeat = "02 a3 0201 0b46BUILD 04a20201 0185 1a0036ee80 190367 3829 63312e33 f6";
    let named = only(heartbeat, true);
    assert_eq!(named.notes, []);
    let Content::Metrics(metrics) = &named.content else { panic!("{named:?}") };
    assert_eq!(metrics.session.as_deref(), Some("heartbeat"));
    let told: Vec<_> = metrics
        .metrics
        .iter()
        .map(|m| (m.name.as_deref().unwrap(), m.unit.as_deref(), m.value.clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("MemfaultSdkMetric_IntervalMs", Some("ms"), MetricValue::Integer(3_600_000)),
            ("battery_soc_pct", None, MetricValue::Float(87.1)),
            ("chip_temperature", None, MetricValue::Float(-4.2)),
            ("modem_version", None, MetricValue::Text("1.3".into())),
            ("crc_errors", None, MetricValue::Unset),
        ]
    );
    let bare = only(heartbeat, false);
    let Content::Metrics(metrics) = &bare.content else { panic!("{bare:?}") };
    assert_eq!((&metrics.session, metrics.session_number), (&None, Some(1)));
    assert!(metrics.metrics.iter().all(|metric| metric.name.is_none()));
    assert_eq!(metrics.metrics[1].value, MetricValue::Integer(871));
    // Without the session's number they are those of a heartbeat, here too few.
    let few = only("02 a2 0201 04a1 018101", true);
    assert_eq!(few.notes[0].code, "other_metrics");
    let Content::Metrics(metrics) = &few.content else { panic!("{few:?}") };
    assert_eq!(metrics.session.as_deref(), Some("heartbeat"));
    assert_eq!(metrics.metrics.len(), 1);
}

#[test]
fn reboots_get_reasons_and_places() {
    let told = only("02 a3 0202 0b46BUILD 04a3 0119a001 021aPC 0500", true);
    assert_eq!((told.chunk, told.notes.len()), (5, 0));
    let Content::Reboot(reboot) = told.content else { panic!("{told:?}") };
    assert_eq!(reboot.reason.as_deref(), Some("SensorDead"));
    assert_eq!(
        (reboot.code, reboot.unexpected, reboot.coredump_saved),
        (0xa001, true, Some(false))
    );
    let pc = reboot.pc.unwrap();
    assert_eq!(pc.function.as_deref(), Some("sensor_read"));
    assert_eq!(pc.file.as_deref(), Some("fixtures/chunks/node.c"));
    assert!(pc.line.is_some());
    // Fixed reasons need no ELF.
    let told = only("02 a2 0202 04a1 01198001", false);
    let Content::Reboot(reboot) = told.content else { panic!("{told:?}") };
    assert_eq!(reboot.reason.as_deref(), Some("Assert"));
}

#[test]
fn message_of_another_build_keeps_its_numbers() {
    let told = only("02 a3 0202 0b46010203040506 04a2 0601 021aPC", true);
    assert_eq!(told.notes[0].code, "other_build");
    assert_eq!(told.device.unwrap().build_id.as_deref(), Some("010203040506"));
    let Content::Trace(trace) = told.content else { panic!() };
    assert_eq!((trace.code, trace.reason), (Some(1), None));
    assert_eq!(trace.pc.unwrap().function, None);
}

#[test]
fn compact_logs_get_their_text_and_place() {
    let logs = "03 a2 0204 0484 01 428108 02 4a 8418261a 0003f000 0203";
    let told = only(logs, true);
    let Content::Logs(logs_told) = told.content else { panic!("{told:?}") };
    let lines: Vec<_> =
        logs_told.lines.iter().map(|l| (l.text.text.as_str(), l.text.line)).collect();
    assert_eq!(lines, [("modem is up", Some(17)), ("page 0x0003f000: try 2 of 3", Some(88))],);
    assert_eq!(logs_told.lines[0].level, "info");
    let told = only(logs, false);
    assert_eq!(told.notes[0].code, "log_format_missing");
    let Content::Logs(logs_told) = told.content else { panic!("{told:?}") };
    assert_eq!(logs_told.lines[1].text.text, "log format 38 (258048, 2, 3)");
}

#[test]
fn damaged_and_unknown_messages_are_told() {
    let told = only("02 a2 0202 04a2 01198001 021a", false);
    assert_eq!(told.notes[0].code, "message_damaged");
    assert!(matches!(told.content, Content::Reboot(_)), "{told:?}");
    let told = only("02 ff", false);
    assert!(matches!(told.content, Content::Problem), "{told:?}");
    assert_eq!(told.notes[0].code, "message_damaged");
    let told = only("3e 0102", false);
    let other = Other { message_type: Some(0x3e), event_type: None, size: Some(2) };
    assert_eq!(told.content, Content::Other(other));
    let told = only("02 a2 0218c8 0401", false);
    let other = Other { message_type: None, event_type: Some(200), size: None };
    assert_eq!(told.content, Content::Other(other));
}
