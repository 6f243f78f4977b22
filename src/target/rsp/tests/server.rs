//! A scripted GDB server with the habits of real ones.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use crate::target::TargetError;
use crate::target::rsp::GdbClient;

/// How a scripted server behaves.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    pub(super) features: &'static str,
    pub(super) xml: Option<String>,
    /// Sent on connecting, before anything was asked.
    pub(super) greeting: &'static [u8],
    /// Sent in front of the first answer.
    pub(super) stale: &'static [u8],
    /// Replies to `?`, one after the other, the last one for ever; `-` means silence.
    pub(super) status: &'static [&'static str],
    /// Reply to 0x03.
    pub(super) interrupt: &'static [u8],
    /// A reply to 0x03 that comes only in front of the next answer.
    pub(super) late: &'static [u8],
    /// The `g` reply; by default words counting up from 0x100.
    pub(super) g: Option<String>,
    /// Replies to `p`, by number in hexadecimal.
    pub(super) p: Vec<(&'static str, &'static str)>,
    /// Largest read, and the error beyond.
    pub(super) max_read: (u64, &'static str),
    /// Unreadable addresses.
    pub(super) holes: Vec<(u64, u64)>,
    /// Zeros instead of errors, as OpenOCD does.
    pub(super) zeros: bool,
    /// At most so many bytes per reply.
    pub(super) short: usize,
    /// After so many reads the connection ends.
    pub(super) dies_after: usize,
    /// Reads are answered with this.
    pub(super) garbage: Option<&'static [u8]>,
    /// Runs of digits are shortened.
    pub(super) run_lengths: bool,
    /// Console output and notifications in front of every answer.
    pub(super) chatty: bool,
    /// Reply to `M`.
    pub(super) write: &'static str,
    /// What unreadable memory is answered with.
    pub(super) refusal: &'static str,
    /// Replies are sent in pieces of so many bytes.
    pub(super) pieces: usize,
    /// So many replies arrive damaged, and are sent again on request.
    pub(super) damages: usize,
    /// Black Magic: the command of the console that finds the target, before it is attached to.
    pub(super) scan: &'static str,
    /// The command of the console that reads a word, and how the word is printed.
    pub(super) word: (&'static str, fn(u64, u32) -> String),
    /// QEMU: holes are the MPU's and open in physical mode; `D` wants a process.
    pub(super) qemu: bool,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            features: "PacketSize=1000;qXfer:features:read+;QStartNoAckMode+",
            xml: None,
            greeting: b"",
            stale: b"",
            status: &["T05thread:01;"],
            interrupt: b"$T02thread:01;#00",
            late: b"",
            g: None,
            p: Vec::new(),
            max_read: (u64::MAX, ""),
            holes: Vec::new(),
            zeros: false,
            short: usize::MAX,
            dies_after: usize::MAX,
            garbage: None,
            run_lengths: false,
            chatty: false,
            write: "",
            refusal: "E14",
            pieces: usize::MAX,
            damages: 0,
            scan: "",
            word: ("", |_, _| String::new()),
            qemu: false,
        }
    }
}

/// What stands at `address` of the scripted memory.
pub(super) fn byte(address: u64) -> u8 {
    if address >> 16 == 0x2001 { 0 } else { (address.wrapping_mul(31) >> 3) as u8 | 1 }
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let sum = payload.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let mut packet = b"$".to_vec();
    packet.extend(payload);
    packet.extend(format!("#{sum:02x}").as_bytes());
    packet
}

/// Shortens runs of four digits and more, as the protocol allows.
fn shorten_runs(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for run in payload.chunk_by(|a, b| a == b) {
        for part in run.chunks(60) {
            match part.len() {
                // 6 and 7 would be written as `#` and `$`.
                0..=3 | 7 | 8 => out.extend(part),
                count => out.extend([part[0], b'*', count as u8 + 28]),
            }
        }
    }
    out
}

pub(super) struct Server {
    pub(super) address: String,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    pub(super) fn start(habits: Habits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut session = Session {
                habits,
                stream,
                requests: Vec::new(),
                acks: true,
                reads: 0,
                last: Vec::new(),
            };
            session.run();
            session.requests
        });
        Server { address, thread }
    }

    pub(super) fn connect(&self) -> Result<GdbClient, TargetError> {
        GdbClient::connect(&self.address, None)
    }

    /// What was asked, after the client has gone.
    pub(super) fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

struct Session {
    habits: Habits,
    stream: TcpStream,
    requests: Vec<String>,
    acks: bool,
    reads: usize,
    /// The last reply, to be sent again.
    last: Vec<u8>,
}

impl Session {
    fn send(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.habits.pieces) {
            let _ = self.stream.write_all(piece);
        }
    }

    fn run(&mut self) {
        let greeting = self.habits.greeting;
        self.send(greeting);
        let mut pending: Vec<u8> = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(count) => pending.extend(&chunk[..count]),
            }
            loop {
                match pending.first() {
                    Some(b'$') => {
                        let Some(end) = pending.iter().position(|b| *b == b'#') else { break };
                        if pending.len() < end + 3 {
                            break;
                        }
                        let payload = pending[1..end].to_vec();
                        pending.drain(..end + 3);
                        if !self.request(&String::from_utf8(payload).unwrap()) {
                            return;
                        }
                    }
                    Some(3) => {
                        self.requests.push("interrupt".into());
                        self.habits.stale = self.habits.late;
                        let reply = self.habits.interrupt;
                        if !reply.is_empty() {
                            self.send(&framed(&reply[1..reply.len() - 3]));
                        }
                        pending.remove(0);
                    }
                    Some(b'-') => {
                        self.requests.push("again".into());
                        let last = self.last.clone();
                        self.send(&last);
                        pending.remove(0);
                    }
                    Some(other) => {
                        if !self.acks {
                            self.requests.push(format!("stray {other}"));
                        }
                        pending.remove(0);
                    }
                    None => break,
                }
            }
        }
    }

    fn reply(&mut self, payload: &[u8]) {
        let mut out = Vec::new();
        if self.acks {
            out.push(b'+');
        }
        if self.habits.chatty {
            out.extend(b"%oocd_keepalive:00#54\0");
            out.extend(framed(b"O"));
            out.extend(framed(b"O68690a"));
        }
        out.extend(std::mem::take(&mut self.habits.stale));
        let payload =
            if self.habits.run_lengths { shorten_runs(payload) } else { payload.to_vec() };
        let packet = framed(&payload);
        out.extend(&packet);
        if self.habits.damages > 0 {
            self.habits.damages -= 1;
            *out.last_mut().unwrap() ^= 1;
        }
        self.send(&out);
        self.last = packet;
    }

    fn request(&mut self, request: &str) -> bool {
        self.requests.push(request.to_owned());
        let habits = self.habits.clone();
        if request.starts_with("qSupported") {
            self.reply(habits.features.as_bytes());
        } else if request == "QStartNoAckMode" {
            self.send(b"+$OK#9a");
            self.acks = false;
            // The client's last `+`.
            let mut last = [0];
            let _ = self.stream.read_exact(&mut last);
            assert_eq!(&last, b"+");
        } else if request == "?" {
            let status = habits.status[0];
            if habits.status.len() > 1 {
                self.habits.status = &habits.status[1..];
            }
            if status != "-" {
                self.reply(status.as_bytes());
            }
        } else if let Some(rest) = request.strip_prefix("qXfer:features:read:target.xml:") {
            let xml = habits.xml.unwrap_or_default();
            let (offset, size) = rest.split_once(',').unwrap();
            let offset = usize::from_str_radix(offset, 16).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap().min(100);
            let part = &xml[offset.min(xml.len())..(offset + size).min(xml.len())];
            let kind = if offset + size < xml.len() { "m" } else { "l" };
            self.reply(format!("{kind}{part}").as_bytes());
        } else if request == "g" {
            let words = || (0..17_u32).map(|n| hex(&(0x100 + n).to_le_bytes())).collect();
            self.reply(habits.g.unwrap_or_else(words).as_bytes());
        } else if let Some(number) = request.strip_prefix('p') {
            let reply = habits.p.iter().find(|(known, _)| *known == number);
            self.reply(reply.map_or("", |(_, reply)| reply).as_bytes());
        } else if let Some(rest) = request.strip_prefix('m') {
            self.reads += 1;
            if self.reads > habits.dies_after {
                return false;
            }
            self.memory(rest, &habits);
        } else if request.starts_with('M') {
            self.reply(habits.write.as_bytes());
        } else if request == "vAttach;1" && !habits.scan.is_empty() {
            self.reply(b"T05thread:1;");
        } else if let Some(rest) = request.strip_prefix('x')
            && habits.features.contains("binary-upload+")
        {
            let (start, size) = rest.split_once(',').unwrap();
            let start = u64::from_str_radix(start, 16).unwrap();
            let size = u64::from_str_radix(size, 16).unwrap();
            let mut payload = b"b".to_vec();
            for byte in (start..start + size).map(byte) {
                match byte {
                    b'#' | b'$' | b'}' | b'*' => payload.extend([b'}', byte ^ 0x20]),
                    _ => payload.push(byte),
                }
            }
            self.reply(&payload);
        } else if request == "D" {
            self.reply(if habits.qemu { b"E22" } else { b"OK" });
        } else if request == "D;1" || request == "Qqemu.PhyMemMode:0" {
            self.reply(b"OK");
        } else if request == "qqemu.sstepbits" && habits.qemu {
            self.reply(b"ENABLE=1,NOIRQ=2,NOTIMER=4");
        } else if request == "Qqemu.PhyMemMode:1" && habits.qemu {
            self.habits.holes.clear();
            self.reply(b"OK");
        } else if let Some(command) = request.strip_prefix("qRcmd,") {
            self.monitor(command, &habits);
        } else {
            self.reply(b"");
        }
        true
    }

    fn memory(&mut self, rest: &str, habits: &Habits) {
        if let Some(garbage) = habits.garbage {
            self.send(garbage);
            return;
        }
        let (start, size) = rest.split_once(',').unwrap();
        let start = u64::from_str_radix(start, 16).unwrap();
        let size = u64::from_str_radix(size, 16).unwrap();
        let hole = habits.holes.iter().any(|(from, to)| *from < start + size && start < *to);
        if size > habits.max_read.0 {
            self.reply(habits.max_read.1.as_bytes());
        } else if hole && habits.zeros {
            self.reply(&vec![b'0'; size as usize * 2]);
        } else if hole {
            self.reply(habits.refusal.as_bytes());
        } else {
            let bytes: Vec<u8> = (start..start + size).map(byte).take(habits.short).collect();
            self.reply(hex(&bytes).as_bytes());
        }
    }

    fn monitor(&mut self, command: &str, habits: &Habits) {
        let command = String::from_utf8(crate::base::hex::decode(command.as_bytes()).unwrap());
        let command = command.unwrap();
        let (read, print) = habits.word;
        if let Some(address) = command.strip_prefix(read).filter(|_| !read.is_empty()) {
            let address = address.trim().trim_start_matches("0x");
            let address = u64::from_str_radix(address, 16).unwrap();
            let word = if address == 0xe000_ed00 { 0x410f_c241 } else { address as u32 | 1 };
            self.reply(hex(print(address, word).as_bytes()).as_bytes());
        } else if !habits.scan.is_empty() {
            let known = command == habits.scan;
            self.reply(if known { b"O41760a" } else { b"E01" });
            if known {
                self.reply(b"OK");
            }
        } else if command == "version" && habits.zeros {
            let text = format!("O{}", hex(b"Open On-Chip Debugger 0.12.0\n"));
            self.reply(text.as_bytes());
            self.reply(b"OK");
        } else if let Some(rest) = command.strip_prefix("read_memory 0x") {
            let address = u64::from_str_radix(rest.split(' ').next().unwrap(), 16).unwrap();
            if habits.holes.iter().any(|(from, to)| (*from..*to).contains(&address)) {
                self.reply(b"E01");
            } else {
                self.reply(hex(b"0x0").as_bytes());
            }
        } else {
            self.reply(b"OK");
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    crate::base::hex::encode(bytes)
}
