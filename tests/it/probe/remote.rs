//! A Black Magic Probe that listens on a port: its remote protocol, in the versions that are around,
//! with the simulated debug port at its other end.
//!
//! Facts: the firmware's `remote.c` and `adiv5_swd.c` of versions 1.8 (protocol 1), 1.9 (2) and 2.0
//! (4); for protocol 0 the firmware takes bits only. After FAULT the firmware clears the error and
//! repeats, so that a read which faults gives what was read before.

use super::chip::Chip;
use super::port::{Port, RARE_WAITS, Shared, lock};
use super::wire::{Ack, Request, Wire};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// CSW: transfers count the address up.
const INCREMENT: u32 = 0x10;
/// The MEM-AP's registers.
const CSW: u16 = 0x00;
const TAR: u16 = 0x04;
const DRW: u16 = 0x0c;
/// Marks registers of an AP.
const AP: u16 = 0x100;
const SELECT: u16 = 0x08;
const RDBUFF: u16 = 0x0c;
const ABORT: u16 = 0x00;
/// ABORT: clears every sticky error.
const CLEAR_ALL: u32 = 0x1e;
/// How often an access is repeated.
const REPEATS: usize = 100;

/// How the versions of the protocol write accesses to a debug port.
#[derive(Debug)]
pub(super) struct Dialect {
    /// What it answers when it is asked for its version; older ones do not know the question.
    pub(super) version: Option<u8>,
    /// The letter of accesses, and those of a raw access, a read and a write of memory.
    group: char,
    raw: char,
    read: char,
    write: char,
    /// Whether the number of a device in a chain comes first.
    has_index: bool,
    address_digits: usize,
}

/// Every version that differs.
pub(super) const DIALECTS: [Dialect; 5] = [
    dialect(None, 'H', "LMm", false, 8),
    dialect(Some(0), 'H', "LMm", false, 8),
    dialect(Some(1), 'H', "LMm", true, 8),
    dialect(Some(3), 'A', "RmM", true, 8),
    dialect(Some(4), 'A', "RmM", true, 16),
];

const fn dialect(
    version: Option<u8>,
    group: char,
    letters: &str,
    has_index: bool,
    address_digits: usize,
) -> Dialect {
    let letters = letters.as_bytes();
    let [raw, read, write] = [letters[0] as char, letters[1] as char, letters[2] as char];
    Dialect { version, group, raw, read, write, has_index, address_digits }
}

/// A probe that serves one client after the other.
pub(super) struct Remote {
    /// What `--probe` takes.
    pub(super) selector: String,
    core: Shared,
}

impl Remote {
    pub(super) fn new(chip: Chip, dialect: &'static Dialect) -> Remote {
        let core = Arc::new(Mutex::new(chip));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let wire = Wire::new(Port::new(vec![Arc::clone(&core)], RARE_WAITS));
        thread::spawn(move || {
            let mut firmware = Firmware { wire, dialect };
            for stream in listener.incoming() {
                // An error is the client's going.
                let _ = firmware.serve(stream.expect("a client"));
            }
        });
        Remote { selector: format!("1d50:6018:127.0.0.1:{port}"), core }
    }

    pub(super) fn chip(&self) -> MutexGuard<'_, Chip> {
        lock(&self.core)
    }
}

struct Firmware {
    wire: Wire,
    dialect: &'static Dialect,
}

impl Firmware {
    /// Answers `!command#` by `&K…#`, until the client goes or nothing answers the probe any more.
    fn serve(&mut self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut commands = BufReader::new(stream.try_clone()?);
        let mut packet = Vec::new();
        while commands.read_until(b'#', &mut packet)? > 0 {
            let text = String::from_utf8_lossy(&packet).into_owned();
            packet.clear();
            // `+#` in front wakes a probe that was a GDB server until now.
            let command = text.strip_suffix('#').and_then(|text| text.split_once('!'));
            let Some((_, command)) = command else { continue };
            stream.write_all(format!("&{}#", self.answer(command)).as_bytes())?;
        }
        Ok(())
    }

    fn answer(&mut self, command: &str) -> String {
        let done = || "K0".to_string();
        let mut letters = command.chars();
        let group = letters.next().expect("a letter");
        let letter = letters.next().expect("a second letter");
        let mut fields = Fields(letters.as_str());
        match (group, letter) {
            ('G', 'A') => "KBlack Magic Probe".to_string(),
            ('G', 'V') => "K3.3V".to_string(),
            ('G', 'f') => "K00093d00".to_string(),
            ('G', 'Z') => {
                self.wire.port.set_reset(fields.0 == "1");
                done()
            }
            ('G', _) | ('S', 'S') => done(),
            ('S', 'o') => {
                let count = fields.take(2);
                let bits = fields.take(fields.0.len());
                (0..count).for_each(|bit| self.wire.drive(bits >> bit & 1 == 1));
                done()
            }
            ('S', 'i') => {
                let bits = (0..fields.take(2)).map(|bit| u64::from(self.wire.listen()) << bit);
                format!("K{:x}", bits.sum::<u64>())
            }
            ('H', 'C') => match self.dialect.version {
                Some(version) => format!("K{version:x}"),
                None => "E1".to_string(),
            },
            // What else it speeds up: ADIv5.
            ('H', 'A') if fields.0.is_empty() => "K1".to_string(),
            (group, letter) if group == self.dialect.group && self.dialect.version.is_some() => {
                self.access(letter, fields).unwrap_or_else(|| "E3".to_string())
            }
            _ => "E1".to_string(),
        }
    }

    /// An access to the debug port; `None` when nothing answers.
    fn access(&mut self, letter: char, mut fields: Fields<'_>) -> Option<String> {
        let dialect = self.dialect;
        if dialect.has_index {
            // Of a chain of JTAG; probe-rs writes bits of an address there.
            fields.take(2);
        }
        let number = fields.take(2);
        if letter == dialect.raw {
            let (address, value) = (fields.take(4) as u16, fields.take(8) as u32);
            return Some(bytes(&self.raw(number == 1, address, value)?.to_le_bytes()));
        }
        match letter {
            'd' => Some(bytes(&self.raw(true, fields.take(4) as u16, 0)?.to_le_bytes())),
            'a' => {
                let address = fields.take(4) as u16;
                Some(bytes(&self.read_ap(number as u32, address)?.to_le_bytes()))
            }
            'A' => {
                // probe-rs 0.32 swaps the bytes of the value from version 3 on; the firmware does not.
                let (address, value) = (fields.take(4), fields.take(8) as u32);
                self.raw(false, SELECT, (number as u32) << 24 | address as u32 & 0xf0)?;
                self.raw(false, AP | address as u16, value)?;
                Some("K0".to_string())
            }
            letter if letter == dialect.read => {
                let csw = fields.take(8) as u32;
                let start = fields.take(dialect.address_digits) as u32;
                let size = fields.take(8) as u32;
                let step = step(start | size);
                self.point(number as u32, csw, start, step)?;
                let mut read = Vec::new();
                for at in (start..start + size).step_by(step) {
                    if at != start && at % 0x400 == 0 {
                        self.raw(false, AP | TAR, at)?;
                    }
                    let value = self.read_ap(number as u32, AP | DRW)?;
                    read.extend(&value.to_le_bytes()[at as usize & 3..][..step]);
                }
                Some(bytes(&read))
            }
            letter if letter == dialect.write => {
                let (csw, step) = (fields.take(8) as u32, 1 << fields.take(2));
                let start = fields.take(dialect.address_digits) as u32;
                let size = fields.take(8) as u32;
                self.point(number as u32, csw, start, step)?;
                for at in (start..start + size).step_by(step) {
                    let value = fields.take(2 * step).swap_bytes() >> (64 - 8 * step);
                    self.raw(false, AP | DRW, (value as u32) << (8 * (at & 3)))?;
                }
                Some("K0".to_string())
            }
            other => panic!("`{other}` is no access"),
        }
    }

    /// Sets the MEM-AP up for transfers of `step` bytes from `start`.
    fn point(&mut self, number: u32, csw: u32, start: u32, step: usize) -> Option<()> {
        self.raw(false, SELECT, number << 24)?;
        let size = step.trailing_zeros();
        self.raw(false, AP | CSW, csw & !0x37 | INCREMENT | size)?;
        self.raw(false, AP | TAR, start)?;
        Some(())
    }

    fn read_ap(&mut self, number: u32, address: u16) -> Option<u32> {
        self.raw(false, SELECT, number << 24 | u32::from(address) & 0xf0)?;
        self.raw(true, AP | address, 0)?;
        self.raw(true, RDBUFF, 0)
    }

    /// One transfer, repeated until it is acknowledged.
    fn raw(&mut self, is_read: bool, address: u16, value: u32) -> Option<u32> {
        let is_ap = address & AP != 0;
        let request = Request { is_ap, is_read, address: (address & 0xc) as u8 };
        for _ in 0..REPEATS {
            match self.wire.ask(request) {
                Ack::Ok if is_read => return Some(self.wire.read(request)),
                Ack::Ok => {
                    self.wire.write(request, value);
                    return Some(0);
                }
                Ack::Wait => {}
                Ack::Fault => drop(self.raw(false, ABORT, CLEAR_ALL)),
                Ack::Silence => return None,
            }
        }
        None
    }
}

/// The size of a transfer that fits a start and a size, combined.
fn step(alignment: u32) -> usize {
    1 << alignment.trailing_zeros().min(2)
}

fn bytes(bytes: &[u8]) -> String {
    bytes.iter().fold("K".to_string(), |text, byte| format!("{text}{byte:02x}"))
}

/// Numbers of fixed width, one behind the other.
struct Fields<'a>(&'a str);

impl Fields<'_> {
    fn take(&mut self, digits: usize) -> u64 {
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        u64::from_str_radix(number, 16).expect("hexadecimal digits")
    }
}
