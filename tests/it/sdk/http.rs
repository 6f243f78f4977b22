//! The HTTP client of the SDK against a server that answers as it should, in any pieces, and as it should
//! not.

use super::host::{Host, Numbers};
use super::store::{payload, received};
use mflt::wire::MessageKind;

const SOURCES: [&str; 9] =
    ["cbor", "chunk", "coredump", "crc16", "event", "http", "http_response", "reboot", "rle"];
const INVALID: i32 = -1;
const TOO_LARGE: i32 = -2;
const IO: i32 = -4;
const PROTOCOL: i32 = -7;
const REFUSED: i32 = -8;

/// The device's side.
struct Device(Host);

impl Device {
    fn new() -> Device {
        Device(Host::start("http", &SOURCES))
    }

    /// What the server will answer, in pieces of so many bytes.
    fn answers(&mut self, answer: &[u8], piece: u32) {
        self.0.send(b"a");
        self.0.send_u32(piece);
        self.0.send_u32(answer.len() as u32);
        self.0.send(answer);
    }

    /// Asks for an update with room for so many bytes: the result and the address.
    fn update(&mut self, room: u32) -> (i32, String) {
        self.0.send(b"u");
        self.0.send_u32(room);
        (self.0.result(), String::from_utf8_lossy(&self.0.bytes()).into_owned())
    }

    fn update_answered(&mut self, answer: &[u8], piece: u32) -> (i32, String) {
        self.answers(answer, piece);
        self.update(64)
    }

    fn post(&mut self, size: u32) -> i32 {
        self.0.send(b"p");
        self.0.send_u32(size);
        self.0.result()
    }

    /// Status, and whether the connection ends.
    fn status(&mut self) -> (i32, i32) {
        self.0.send(b"s");
        (self.0.result(), self.0.result())
    }

    fn sent(&mut self) -> Vec<u8> {
        self.0.send(b"r");
        self.0.bytes()
    }
}

/// Bodies of the requests, which have a length each.
fn bodies(mut sent: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while !sent.is_empty() {
        let end = sent.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        let head = std::str::from_utf8(&sent[..end]).unwrap();
        let expected = "POST /api/v0/chunks/a%2Fb%20c HTTP/1.1\r\nHost: chunks.example\r\n\
            Memfault-Project-Key: KEY\r\nContent-Type: application/octet-stream\r\nContent-Length: ";
        let length: usize = head.strip_prefix(expected).expect(head).trim().parse().unwrap();
        bodies.push(sent[end..end + length].to_vec());
        sent = &sent[end + length..];
    }
    bodies
}

#[test]
fn message_is_delivered_when_each_chunk_was_accepted() {
    let mut device = Device::new();
    device.0.send(b"t");
    let accepted = b"HTTP/1.1 202 Accepted\r\nContent-Length: 8\r\n\r\nAccepted";
    for refused in 0..4 {
        let mut answers = accepted.repeat(refused);
        answers.extend(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        // A piece ends where a response ends, as the next request comes behind it.
        device.answers(&answers, 1);
        assert_eq!((device.post(12), device.status()), (REFUSED, (503, 0)));
        assert_eq!(bodies(&device.sent()).len(), refused + 1);
    }
    device.answers(&accepted.repeat(100), 1);
    assert_eq!((device.post(12), device.status()), (0, (202, 0)));
    let chunks = bodies(&device.sent());
    assert!(chunks.len() > 3 && chunks.iter().all(|chunk| chunk.len() <= 12));
    payload(&received(&chunks), MessageKind::Event);
    // Nothing is left to send.
    device.answers(b"", 1);
    assert_eq!((device.post(12), device.sent().len()), (0, 0));
}

#[test]
fn update_is_an_address_or_none() {
    let mut device = Device::new();
    let url = "https://files.example/1.2.4.bin?key=1";
    let plain = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{url}", url.len());
    assert_eq!(device.update_answered(plain.as_bytes(), 1000), (1, url.to_owned()));
    let request = "GET /api/v0/releases/latest/url?device_serial=a%2Fb%20c&hardware_version=pc\
        &software_type=app%26x&current_version=1.2.3%2B4 HTTP/1.1\r\nHost: chunks.example\r\n\
        Memfault-Project-Key: KEY\r\nAccept: text/plain\r\n\r\n";
    assert_eq!(String::from_utf8(device.sent()).unwrap(), request);
    let (first, rest) = url.split_at(9);
    let long = "x".repeat(3000);
    let same = [
        // Another response first; a line that is longer than what is kept; other letters.
        format!("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n{plain}"),
        format!("HTTP/1.1 200 OK\r\nX-Long: {long}\r\ncONTENT-lENGTH:37  \r\n\r\n{url}"),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9;a=b\r\n{first}\r\n1C\r\n{rest}\
             \r\n0\r\nTrailer: 1\r\n\r\n"
        ),
        // Up to the end of the connection.
        format!("HTTP/1.0 200 OK\n\n{url}"),
    ];
    for answer in &same {
        for piece in (1..100).chain([4000]) {
            let found = device.update_answered(answer.as_bytes(), piece);
            assert_eq!(found, (1, url.to_owned()), "{piece}: {answer}");
        }
    }
    assert_eq!(device.status(), (200, 1));
    assert_eq!(device.update_answered(b"HTTP/1.1 204 No Content\r\n\r\n", 9), (0, String::new()));
    assert_eq!(device.status(), (204, 0));
    // As much room as it needs with its end, and less.
    for (room, expected) in [(38, 1), (37, TOO_LARGE), (1, TOO_LARGE), (0, INVALID)] {
        device.answers(plain.as_bytes(), 10);
        assert_eq!(device.update(room).0, expected, "{room}");
    }
}

#[test]
fn answers_that_are_none_are_errors() {
    let mut device = Device::new();
    let refused = ["301 Moved\r\nLocation: http://x/", "404 Not Found", "500 Error"];
    for status in refused {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno");
        assert_eq!(device.update_answered(answer.as_bytes(), 5).0, REFUSED, "{answer}");
    }
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n", "y".repeat(9000));
    let many = format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(2000));
    let forever = "HTTP/1.1 100 Continue\r\n\r\n".repeat(500);
    let huge = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(9000));
    let digits = format!("HTTP/1.1 200 OK\r\nContent-Length: {}5\r\n\r\nhello", "0".repeat(60));
    for answer in [
        "SSH-2.0-x\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 99 no\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000000\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r0\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n",
        &long,
        &many,
        &forever,
        &huge,
        &digits,
    ] {
        let shown = &answer[..answer.len().min(200)];
        assert_eq!(device.update_answered(answer.as_bytes(), 4000).0, PROTOCOL, "{shown}");
    }
    // Cut short anywhere, and sent to nobody.
    let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for end in 0..whole.len() {
        assert_eq!(device.update_answered(&whole.as_bytes()[..end], 7).0, IO, "{end}");
    }
    device.answers(whole.as_bytes(), 7);
    device.0.send(b"f");
    device.0.send_u32(50);
    assert_eq!(device.update(64).0, IO);
}

#[test]
fn noise_in_an_answer_never_breaks_the_device() {
    let mut device = Device::new();
    let mut numbers = Numbers(11);
    let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n";
    for _ in 0..3000 {
        let mut answer = whole.as_bytes().to_vec();
        for _ in 0..=numbers.below(3) {
            let at = numbers.below(answer.len());
            answer[at] = numbers.below(256) as u8;
        }
        let (result, url) = device.update_answered(&answer, 1 + numbers.below(40) as u32);
        assert!([1, 0, IO, PROTOCOL, REFUSED].contains(&result), "{result}");
        assert_eq!(result == 1, !url.is_empty(), "{result}: {url}");
    }
}
