//! The layer as a whole: known chunks, what the encoder beside it writes, and damage of all sorts.

use super::encoder;
use super::*;
use crate::base::hex;

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "").as_bytes()).unwrap()
}

/// The one message of these chunks.
fn message(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut decoder = Decoder::new();
    let mut found: Vec<Found> = chunks.iter().flat_map(|chunk| decoder.push(chunk)).collect();
    found.extend(decoder.finish());
    match &found[..] {
        [Found::Message { chunk, message }] if message.damage.is_none() => {
            assert_eq!(*chunk, chunks.len());
            message.bytes.clone()
        }
        other => panic!("{other:?}"),
    }
}

/// The events of one whole chunk.
fn events(chunk: &str) -> Vec<Event> {
    let message = message(&[bytes(chunk)]);
    let message = Message::parse(&message).unwrap();
    assert!(message.kind.has_events() && message.damage.is_none());
    let events = parse_events(&message.payload);
    assert_eq!(events.error, None);
    events.events
}

fn event(chunk: &str) -> Event {
    let mut events = events(chunk);
    assert_eq!(events.len(), 1);
    events.remove(0)
}

#[test]
fn known_chunks_give_their_message() {
    let cases: [(&[&str], &str); 5] = [
        (&["08 01020304050607080a 1b13"], "01020304050607080a"),
        (&["48 09 01020304050607", "80 07 080a 1b13"], "01020304050607080a"),
        (
            &["48 0e 01020304050607", "c0 07 080a0b0c0d0e0f", "80 0e 4cdc"],
            "01020304050607080a0b0c0d0e0f",
        ),
        (&["08 0102030405060708 090a0b0c0d0e0f1011 13db"], "0102030405060708090a0b0c0d0e0f1011"),
        // Behind the checksum of a last chunk stands what was in the device's buffer.
        (&["48 09 01020304050607", "80 07 080a 1b13 bababa"], "01020304050607080a"),
    ];
    for (chunks, expected) in cases {
        let chunks: Vec<_> = chunks.iter().map(|chunk| bytes(chunk)).collect();
        assert_eq!(message(&chunks), bytes(expected), "{chunks:02x?}");
    }
    let long = [&[1, 2, 3][..], &[0; 4069]].concat();
    let chunks = [
        bytes("48 e81f 010203000000"),
        [bytes("c0 06"), vec![0; 4065]].concat(),
        bytes("80 e71f 00 f479"),
    ];
    assert_eq!(message(&chunks), long);
}

#[test]
fn chunks_of_old_devices_have_their_checksum_in_front() {
    assert_eq!(message(&[bytes("00 1b13 01020304050607080a")]), bytes("01020304050607080a"));
    let chunks = [bytes("40 09 1b13 01020304"), bytes("c0 04 0506"), bytes("80 06 07080a")];
    assert_eq!(message(&chunks), bytes("01020304050607080a"));
}

#[test]
fn messages_of_every_size_survive_every_buffer() {
    for size in [0, 1, 2, 6, 7, 8, 9, 127, 128, 129, 1000, 16_384, 40_000] {
        let sent = encoder::sample(size);
        for buffer in [9, 10, 80, 1000, 100_000] {
            assert_eq!(message(&encoder::chunks(&sent, buffer)), sent, "{size} by {buffer}");
        }
        let packed = [&[0x81], &encoder::packed(&sent)[..]].concat();
        let message = Message::parse(&packed).unwrap();
        assert_eq!((&*message.payload, message.damage), (&sent[..], None), "{size}");
    }
}

/// What comes of `chunks`, shortened to words.
fn told(chunks: &[&[u8]]) -> Vec<String> {
    let mut decoder = Decoder::new();
    let mut found: Vec<Found> = chunks.iter().flat_map(|chunk| decoder.push(chunk)).collect();
    found.extend(decoder.finish());
    let told = found.iter().map(|found| match found {
        Found::Message { chunk, message: Received { bytes, damage, early, repeated } } => {
            let damage = damage.map(|damage| format!(", {damage}")).unwrap_or_default();
            format!("{chunk}: {} bytes, {early} early, {repeated} repeated{damage}", bytes.len())
        }
        Found::Problem { first, last, text } => format!("{first}-{last}: {text}"),
    });
    told.collect()
}

#[test]
fn lost_repeated_and_reordered_chunks_are_told() {
    let coredump = [&[1], &encoder::sample(99)[..]].concat();
    let event = [&[2], &encoder::sample(99)[..]].concat();
    let sent = encoder::chunks(&coredump, 12);
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    let (a, b) = sent.split_at(4);
    assert_eq!(sent.len(), 11);
    let whole = "100 bytes, 0 early, 0 repeated";
    assert_eq!(told(&sent), [format!("11: {whole}")]);
    assert_eq!(
        told(&[a, &[a[3], a[1]], b].concat()),
        ["13: 100 bytes, 0 early, 2 repeated"],
        "chunks that come twice"
    );
    assert_eq!(
        told(&[&sent[..2], &[sent[4], sent[3], sent[2]], &sent[5..]].concat()),
        ["11: 100 bytes, 2 early, 0 repeated"],
        "chunks that change places"
    );
    assert_eq!(
        told(&[&sent[..], &sent[10..]].concat()),
        [format!("11: {whole}"), "12-12: the chunk was received before".to_string()]
    );
    // A coredump is worth something without its end; an event is not.
    let cut = "the message is cut short: 40 of 100 bytes were received in a row";
    assert_eq!(told(a), [format!("4: 40 bytes, 0 early, 0 repeated, {cut}")]);
    assert_eq!(told(&[a, &b[1..]].concat()), [format!("10: 40 bytes, 0 early, 0 repeated, {cut}")]);
    assert_eq!(
        told(&[a, &sent].concat()),
        [format!("4: 40 bytes, 0 early, 0 repeated, {cut}"), format!("15: {whole}")],
        "a device that begins again"
    );
    assert_eq!(told(b), ["1-7: the chunk continues a message whose beginning is missing"]);
    let sent = encoder::chunks(&event, 12);
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    assert_eq!(told(&sent[..4]), [format!("4-4: {cut}")]);
    // With smaller chunks more follow the gap than are kept.
    let sent = encoder::chunks(&coredump, 9);
    let mut sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    assert_eq!(sent.len(), 15);
    let long = encoder::chunks(&[&[1], &encoder::sample(199)[..]].concat(), 9);
    sent = long.iter().map(Vec::as_slice).collect();
    sent.remove(1);
    let cut = "the message is cut short: 6 of 200 bytes were received in a row";
    let told = told(&sent);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].ends_with("a chunk is lost: bytes 6 to 12 are missing"), "{told:?}");
    assert!(told[1].ends_with(cut), "{told:?}");
}

#[test]
fn chunk_that_contradicts_its_message_is_dropped() {
    let (first, last) = (bytes("48 09 01020304050607"), bytes("80 07 080a 1b13"));
    let push = |bad: &str| {
        let mut reassembler = Reassembler::new();
        assert_eq!(reassembler.push(&first), Pushed::default());
        let error = reassembler.push(&bytes(bad)).error;
        // What was received is kept.
        let pushed = reassembler.push(&last);
        assert_eq!(pushed.error, None, "{bad}");
        assert_eq!(pushed.messages[0].damage, None, "{bad}");
        error.unwrap()
    };
    assert_eq!(push(""), ChunkError::Empty);
    assert_eq!(push("09"), ChunkError::Header { header: 9 });
    assert_eq!(push("10"), ChunkError::Header { header: 0x10 });
    assert_eq!(push("88"), ChunkError::Header { header: 0x88 });
    assert_eq!(push("c0"), ChunkError::Length);
    assert_eq!(push("c0 ffffffffff"), ChunkError::Length);
    assert_eq!(push("c0 07 08 0a 0b"), ChunkError::PastEnd { end: 10, size: 9 });
    assert_eq!(push("c0 0a"), ChunkError::PastEnd { end: 10, size: 9 });
    assert_eq!(push("80 07 08"), ChunkError::Truncated { missing: 1 });
    assert_eq!(push("80 07 080a 1b"), ChunkError::Truncated { missing: 1 });
    assert_eq!(push("c0 05 0608"), ChunkError::Conflict { offset: 5 });
    let mut reassembler = Reassembler::new();
    let dropped =
        |reassembler: &mut Reassembler, chunk: &str| reassembler.push(&bytes(chunk)).error;
    let size = MAX_MESSAGE as u32 + 1;
    assert_eq!(dropped(&mut reassembler, "48 81808020"), Some(ChunkError::TooLarge { size }));
    assert_eq!(dropped(&mut reassembler, "80 00"), Some(ChunkError::NoBeginning));
    assert_eq!(
        dropped(&mut reassembler, "48 01 0102"),
        Some(ChunkError::PastEnd { end: 2, size: 1 })
    );
    assert_eq!(dropped(&mut reassembler, "08 01"), Some(ChunkError::Truncated { missing: 1 }));
}

#[test]
fn wrong_checksum_drops_an_event_and_marks_a_coredump() {
    let damage = "checksum 0x1234 does not fit the message, whose CRC is";
    let told_of = |chunk: &str| told(&[&bytes(chunk)]).remove(0);
    assert!(told_of("08 02 03 3412").starts_with(&format!("1-1: {damage}")));
    assert!(
        told_of("08 01 03 3412").starts_with(&format!("1: 2 bytes, 0 early, 0 repeated, {damage}"))
    );
}

const DEVICE: &str = "0a646d61696e0965312e322e3306666576745f3234";

fn device() -> Device {
    Device {
        software_type: Some("main".into()),
        software_version: Some("1.2.3".into()),
        hardware_version: Some("evt_24".into()),
        ..Device::default()
    }
}

#[test]
fn traces_decode() {
    let prefix = "0802a70202030107694441414242434344440a646d61696e0965312e322e3306666576745f323404";
    let with = |rest: &str| {
        let event = event(&format!("{prefix}{rest}"));
        assert_eq!(event.device.serial.as_deref(), Some("DAABBCCDD"));
        assert_eq!(Device { serial: None, ..event.device }, device());
        assert_eq!((event.schema, event.captured_at), (Some(1), None));
        match event.body {
            Body::Trace(trace) => trace,
            other => panic!("{other:?}"),
        }
    };
    let trace =
        Trace { reason: Some(3), pc: Some(0x1234_5678), lr: Some(0xaabb_ccdd), ..Trace::default() };
    assert_eq!(with("a30603021a12345678031aaabbccdd8654"), trace);
    let status = Trace { status: Some(-1), ..trace.clone() };
    assert_eq!(with("a40603021a12345678031aaabbccdd07206efc"), status);
    let log = Some(LogText::Text("123456789abcde".into()));
    assert_eq!(
        with("a40603021a12345678031aaabbccdd084e3132333435363738396162636465b14d"),
        Trace { log, ..trace.clone() }
    );
    let arguments = [1, 2, 3].map(|value| Argument::Integer { value, wide: false }).to_vec();
    let compact = CompactLog { id: 8, arguments, overflow: None };
    assert_eq!(
        with("a30603031aaabbccdd098408010203f8d0"),
        Trace { pc: None, log: Some(LogText::Compact(compact)), ..trace }
    );
}

#[test]
fn reboots_decode_whole_and_in_two_chunks() {
    let full = Reboot {
        reason: 0x8001,
        pc: Some(0x0bad_cafe),
        lr: Some(0xdead_beef),
        reset_register: Some(0x1234_5678),
        coredump_saved: Some(false),
    };
    let event_of = |rest: &str| event(&format!("0802a602020301{DEVICE}04{rest}"));
    let event = event_of("a501198001021a0badcafe031adeadbeef041a123456780500d802");
    assert_eq!((event.body, event.device), (Body::Reboot(full), device()));
    let saved = Reboot { reason: 0x8001, coredump_saved: Some(true), ..Reboot::default() };
    assert_eq!(event_of("a20119800105011f23").body, Body::Reboot(saved));
    let chunks = [
        bytes("482302a6020203010a646d61696e0965312e322e3306666576745f323404a201"),
        bytes("801e19800105011f23"),
    ];
    let message = message(&chunks);
    let events = parse_events(&Message::parse(&message).unwrap().payload);
    assert_eq!(events.events[0].body, Body::Reboot(saved));
}

#[test]
fn metrics_decode_with_and_without_names() {
    let metrics_of = |chunk: &str| match event(chunk).body {
        Body::Metrics(metrics) => metrics,
        other => panic!("{other:?}"),
    };
    let prefix = format!("0802a602010301{DEVICE}04");
    use MetricValue::{Integer, Text, Unset};
    let text = Text("123456789abcde".into());
    assert_eq!(
        metrics_of(&format!(
            "{prefix}a2020101861903e8f63903e7f61904d26e31323334353637383961626364653673"
        )),
        Metrics {
            session: Some(1),
            values: MetricValues::Positional(vec![
                Integer(1000),
                Unset,
                Integer(-1000),
                Unset,
                Integer(1234),
                text
            ]),
        }
    );
    assert_eq!(
        metrics_of(&format!("{prefix}a2020001811903e85f7e")),
        Metrics { session: Some(0), values: MetricValues::Positional(vec![Integer(1000)]) }
    );
    let named = "0802a702010301076a5445535453455249414c0a6d746573742d736f667477617265096a312e302e\
        302d74657374066d746573742d686172647761726504a101a1726368756e6b5f746573745f73756363657373\
        0131e4";
    let values = MetricValues::Named(vec![("chunk_test_success".into(), Integer(1))]);
    assert_eq!(metrics_of(named), Metrics { session: None, values });
}

#[test]
fn logs_decode_with_and_without_times() {
    let lines_of = |chunk: &str| match event(chunk).body {
        Body::Logs(lines) => lines,
        other => panic!("{other:?}"),
    };
    let expected = |at| {
        let levels = [Level::Debug, Level::Info, Level::Warning, Level::Error];
        let texts = ["debug", "info", "warning", "error"];
        let line = |(level, text): (Level, &str)| LogLine {
            at,
            level,
            text: LogText::Text(text.to_string()),
        };
        levels.into_iter().zip(texts).map(line).collect::<Vec<_>>()
    };
    let timed = "0803a7020603010a646d61696e0965312e322e3306666576745f3234011a12345678048c1a123456\
        78006564656275671a123456780164696e666f1a1234567802677761726e696e671a1234567803656572726f72\
        178d";
    assert_eq!(lines_of(timed), expected(Some(0x1234_5678)));
    assert_eq!(event(timed).captured_at, Some(0x1234_5678));
    let plain = "0803a7020403010a646d61696e0965312e322e3306666576745f323401000488006564656275670164\
        696e666f02677761726e696e6703656572726f72b98f";
    assert_eq!(lines_of(plain), expected(None));
}

#[test]
fn recordings_batches_and_project_keys_decode() {
    let recording = "0804a7020503010a646d61696e0965312e322e3306666576745f3234011404a4010002826a7465\
        78742f706c61696e68746578742f63737603656572726f72044f6d656d6661756c74726f636b73210a23b3";
    let expected = Recording {
        duration_ms: Some(0),
        mime_types: vec!["text/plain".into(), "text/csv".into()],
        reason: Some("error".into()),
        data: b"memfaultrocks!\n".to_vec(),
    };
    let event = event(recording);
    assert_eq!((event.captured_at, event.body), (Some(20), Body::Recording(expected)));
    let batch = "080282a6020203010a646d61696e0965312e322e3306666576745f323404a2011980010501a602010301\
        0a646d61696e0965312e322e3306666576745f323404a2020001811903e8bff0";
    let bodies: Vec<Body> = events(batch).into_iter().map(|event| event.body).collect();
    assert!(matches!(bodies[..], [Body::Reboot(_), Body::Metrics(_)]), "{bodies:?}");
    let keyed = "0842313233343536373839306162636465663132333435363738393061626364656600a602020301\
        0a646d61696e0965312e322e3306666576745f323404a201198001050134e4";
    let message = message(&[bytes(keyed)]);
    let message = Message::parse(&message).unwrap();
    assert_eq!(message.project_key.as_deref(), Some("1234567890abcdef1234567890abcdef"));
    assert!(matches!(parse_events(&message.payload).events[0].body, Body::Reboot(_)));
}

#[test]
fn compact_logs_decode_every_sort_of_argument() {
    let log_of = |log: &str| {
        let log = bytes(log);
        let event = [bytes("a2020404"), vec![0x82, 3, 0x58, log.len() as u8], log].concat();
        match parse_events(&event).events.remove(0).body {
            Body::Logs(mut lines) => lines.remove(0).text,
            other => panic!("{other:?}"),
        }
    };
    let compact = |arguments: Vec<Argument>| {
        LogText::Compact(CompactLog { id: 10, arguments, overflow: None })
    };
    let small = Argument::Integer { value: 11, wide: false };
    let wide = Argument::Integer { value: 1_000_000_000_000, wide: true };
    let (float, text) = (Argument::Float(1e300), Argument::Text("hello".into()));
    assert_eq!(log_of("810a"), compact(vec![]));
    assert_eq!(log_of("820a0b"), compact(vec![small.clone()]));
    assert_eq!(log_of("820a811b000000e8d4a51000"), compact(vec![wide.clone()]));
    assert_eq!(log_of("820afb7e37e43c8800759c"), compact(vec![float.clone()]));
    assert_eq!(log_of("820a6568656c6c6f"), compact(vec![text.clone()]));
    assert_eq!(
        log_of("850a0b811b000000e8d4a51000fb7e37e43c8800759c6568656c6c6f"),
        compact(vec![small, wide, float, text])
    );
    let overflow = CompactLog { id: 10, arguments: vec![], overflow: Some(300) };
    assert_eq!(log_of("820aa2000101 19012c"), LogText::Compact(overflow));
    assert_eq!(log_of("6869"), LogText::Text("hi".into()), "bytes of an old device");
}

/// Chunks of every kind of message.
fn corpus() -> Vec<Vec<u8>> {
    let chunks = [
        "48 0e 01020304050607",
        "c0 07 080a0b0c0d0e0f",
        "80 0e 4cdc",
        "0802a70202030107694441414242434344440a646d61696e0965312e322e3306666576745f323404a306030\
            31aaabbccdd098408010203f8d0",
        "0802a6020203010a646d61696e0965312e322e3306666576745f323404a501198001021a0badcafe031adead\
            beef041a123456780500d802",
        "0802a6020103010a646d61696e0965312e322e3306666576745f323404a2020101861903e8f63903e7f61904\
            d26e31323334353637383961626364653673",
        "0803a7020603010a646d61696e0965312e322e3306666576745f3234011a12345678048c1a12345678006564\
            656275671a123456780164696e666f1a1234567802677761726e696e671a1234567803656572726f72178d",
        "0804a7020503010a646d61696e0965312e322e3306666576745f3234011404a4010002826a746578742f706c\
            61696e68746578742f63737603656572726f72044f6d656d6661756c74726f636b73210a23b3",
    ];
    chunks.iter().map(|chunk| bytes(chunk)).collect()
}

/// Reads `file` as far as it goes, whatever it is; the number of things found.
fn read_all(file: &[u8]) -> usize {
    let Ok(stream) = chunks(file) else { return 0 };
    let mut decoder = Decoder::new();
    let mut found = Vec::new();
    for chunk in stream.chunks {
        match chunk {
            Ok(chunk) => found.extend(decoder.push(&chunk)),
            Err(damaged) => found.extend(decoder.skip(damaged.to_string())),
        }
    }
    found.extend(decoder.finish());
    for found in &found {
        let Found::Message { message, .. } = found else { continue };
        let Ok(message) = Message::parse(&message.bytes) else { continue };
        parse_events(&message.payload);
    }
    found.len()
}

#[test]
fn every_prefix_and_every_flipped_bit_is_survived() {
    for chunk in corpus() {
        for length in 0..chunk.len() {
            read_all(&chunk[..length]);
        }
        for bit in 0..chunk.len() * 8 {
            let mut flipped = chunk.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            read_all(&flipped);
            // Behind the checksum, where a flipped bit would end otherwise.
            let message = &flipped[1..flipped.len() - 2];
            if let Ok(message) = Message::parse(message) {
                parse_events(&message.payload);
            }
        }
    }
}

#[test]
fn forged_counts_cost_no_more_than_their_bytes() {
    // Arrays and maps that announce 2^64 values, within each other, in every place.
    for lead in ["", "a2020404", "a2020604", "a2020104a101", "a2020104a101bb", "a2020504a102"] {
        for forged in ["9bffffffffffffffff", "bbffffffffffffffff", "5bffffffffffffffff"] {
            let bytes = [bytes(lead), bytes(&forged.repeat(3))].concat();
            assert!(parse_events(&bytes).error.is_some(), "{lead}{forged}");
        }
    }
    // A million empty events: what is kept is bounded.
    let many = [&bytes("9a00100000")[..], &vec![0xa0; 0x10_0000]].concat();
    let events = parse_events(&many);
    assert!(matches!(events.error, Some(CborError::TooMany { .. })), "{:?}", events.error);
    assert!(events.events.len() <= 1 << 16);
    // Runs that would fill the memory.
    let bomb = [&[0x81][..], &[0xfe, 0xff, 0xff, 0x7f, 0].repeat(1000)].concat();
    let message = Message::parse(&bomb).unwrap();
    assert!(message.payload.len() <= MAX_MESSAGE && message.damage.is_some());
}

#[test]
fn every_way_to_write_chunks_is_recognised() {
    let sent = corpus();
    let lines = |encode: &dyn Fn(&Vec<u8>) -> String| sent.iter().map(encode).collect::<String>();
    let base64 = |bytes: &[u8]| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let console = lines(&|c| {
        format!("\x1b[32m[00:00:01.2] <inf> mflt: MC:{}:\x1b[0m\r\nMC: none\r\n", base64(c))
    });
    let hex_lines = lines(&|c| format!("{}\n", hex::encode(c)));
    let spaced = lines(&|c| c.iter().map(|b| format!("{b:02X} ")).collect::<String>() + "\n");
    let base64_lines = lines(&|c| format!("{}\r\n", base64(c)));
    for (file, encoding) in [
        (console.into_bytes(), Encoding::ConsoleLog),
        (hex_lines.into_bytes(), Encoding::HexLines),
        (spaced.into_bytes(), Encoding::HexLines),
        (base64_lines.into_bytes(), Encoding::Base64Lines),
        (sent.concat(), Encoding::Binary),
    ] {
        let stream = chunks(&file).unwrap();
        assert_eq!(stream.encoding, encoding);
        let read: Vec<Vec<u8>> = stream.chunks.iter().flatten().map(|c| c.to_vec()).collect();
        assert_eq!(read, sent, "{encoding:?}");
    }
    for file in ["", "\n", "hello", "MC:none:", "0xyz", "MC: see README.md:"] {
        assert_eq!(chunks(file.as_bytes()), Err(UnknownEncoding), "{file}");
    }
    assert_eq!(chunks(&[0x7f, b'E', b'L', b'F']), Err(UnknownEncoding));
}

#[test]
fn damaged_line_of_a_log_is_told_with_its_number() {
    let log =
        "boot\nMC:SCMCpgICAwEKZG1haW4JZTEuMi4zBmZldnRfMjQEogE=:\nMC:gB4ZgAEF\nMC:gB4ZgAEFAR8j:";
    let stream = chunks(log.as_bytes()).unwrap();
    let damaged: Vec<usize> =
        stream.chunks.iter().filter_map(|chunk| chunk.as_ref().err().map(|e| e.line)).collect();
    assert_eq!((stream.chunks.len(), damaged), (3, vec![3]));
}

#[test]
fn compact_logs_of_a_console_are_put_together() {
    // [8, "a text of thirty bytes  in all"] in two pieces, and [10, 11].
    let log = bytes("8208781e612074657874206f66207468697274792062797465732020696e20616c6c");
    let line = |bytes: &[u8]| {
        use base64::Engine as _;
        format!("ML:{}:\r\n", base64::engine::general_purpose::STANDARD.encode(bytes))
    };
    let (first, rest) = log.split_at(20);
    let (first, rest, ten) = (line(first), line(rest), line(&bytes("820a0b")));
    let told = |lines: &[&str]| {
        let file = lines.concat();
        let stream = chunks(file.as_bytes()).unwrap();
        let logs: Vec<_> = stream.logs.iter().map(|log| (log.chunks_before, log.log.id)).collect();
        (logs, stream.chunks.iter().filter(|chunk| chunk.is_err()).count())
    };
    let chunk = "MC:gB4ZgAEFAR8j:\n";
    assert_eq!(told(&[&first, &rest, chunk, &ten]), (vec![(0, 8), (1, 10)], 0));
    assert_eq!(told(&[&first, &ten, &first, &rest]), (vec![(0, 10), (1, 8)], 1), "an end is lost");
    assert_eq!(told(&[&rest, &ten]), (vec![(1, 10)], 1), "a beginning is lost");
    assert_eq!(told(&["ML:ggoLDA==x:\n", &ten]), (vec![(1, 10)], 1));
    assert_eq!(chunks(b"ML: none, ML:none:"), Err(UnknownEncoding));
}

#[test]
fn names_and_formats_come_from_the_dictionary() {
    let record = |index: u32, kind: u8, session: u8, scale: u32| {
        let mut record = index.to_le_bytes().to_vec();
        // What stands behind a short enumeration is padding.
        record.extend([kind, 0xee, 0xee, 0xee]);
        record.extend([0; 8]);
        record.extend([session, 0xee, 0xee, 0xee]);
        record.extend(scale.to_le_bytes());
        record
    };
    let table = [record(0, 2, 1, 1), record(1, 0, 0, 0), record(2, 1, 1, 10)].concat();
    let metrics = MetricKey::parse_table(&[&table[..], &[1, 2, 3]].concat());
    assert_eq!(metrics.len(), 3);
    let names = |names: &[(i64, &str)]| -> Names {
        names.iter().map(|(number, name)| (*number, name.to_string())).collect()
    };
    let dictionary = Dictionary {
        build_id: Some(vec![1, 2, 3, 4, 5, 6, 7, 8]),
        metrics,
        metric_names: names(&[
            (0, "heartbeat__uptime"),
            (1, "sync__count"),
            (2, "heartbeat__temp"),
        ]),
        sessions: names(&[(0, "sync"), (1, "heartbeat")]),
        log_formats: b"LOGf\x01\0\0\x002;src/a.c;12;%s = %08x\x000;b;c.c;7;x\0".to_vec(),
        ..Dictionary::default()
    };
    let values = [MetricValue::Integer(1000), MetricValue::Integer(-215)];
    let named = dictionary.name_metrics(Some(1), &values).unwrap();
    let told: Vec<_> = named.iter().map(|m| (m.name, m.kind, m.value.clone())).collect();
    assert_eq!(
        told,
        [
            (Some("uptime"), MetricKind::Timer, MetricValue::Integer(1000)),
            (Some("temp"), MetricKind::Signed, MetricValue::Float(-21.5)),
        ]
    );
    assert_eq!(dictionary.name_metrics(None, &values), Ok(named), "a heartbeat by default");
    assert_eq!(
        dictionary.name_metrics(Some(0), &values),
        Err(WrongCount { expected: 1, found: 2 })
    );
    assert_eq!(dictionary.fits(Some(&[1, 2, 3, 4, 5, 6])), Some(true));
    assert_eq!(dictionary.fits(Some(&[1, 2, 3, 4, 5, 7])), Some(false));
    assert_eq!(dictionary.fits(None), None);
    let format = dictionary.log_format(8).unwrap();
    assert_eq!((format.file, format.line, format.format), ("src/a.c", 12, "%s = %08x"));
    let arguments =
        vec![Argument::Text("flags".into()), Argument::Integer { value: 0xbeef, wide: false }];
    let log = CompactLog { id: 8, arguments, overflow: None };
    assert_eq!(dictionary.format_log(&log).as_deref(), Some("flags = 0000beef"));
    for id in [0, 7, 9, 31, 32, 1000, u64::MAX] {
        assert_eq!(dictionary.log_format(id), None, "{id}");
    }
    assert_eq!(log.raw(), "log format 8 (\"flags\", 48879)");
}
