//! A stopped board behind a GDB server: registers and memory of a captured core, and an MPU that
//! shows one region at a time (Armv8-M: four), the one that MPU_RNR selects.

use super::server::answer;
use mflt::base::Address;
use mflt::snapshot::{Register, Snapshot};
use std::net::{Ipv4Addr, TcpListener};
use std::thread::{self, JoinHandle};

const MPU_RNR: u32 = 0xe000_ed98;
const MPU_RBAR: u32 = 0xe000_ed9c;
const DEMCR: u32 = 0xe000_edfc;
/// DEMCR.TRCENA: somebody traces.
const TRCENA: u32 = 1 << 24;

/// What the server does with a write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// The board takes it.
    Taken,
    /// It says OK and does nothing, as QEMU does with registers.
    Ignored,
}

pub(crate) struct Board {
    pub(crate) core: Snapshot,
    pub(crate) armv8m: bool,
    /// MPU_RBAR, and MPU_RASR or MPU_RLAR, by number.
    pub(crate) regions: Vec<(u32, u32)>,
    /// MPU_RNR.
    pub(crate) selected: u32,
    pub(crate) writes: Writes,
    pub(crate) demcr: u32,
}

/// What is left of a session.
pub(crate) struct Left {
    /// MPU_RNR.
    pub(crate) selected: u32,
    /// Requests to write, in order.
    pub(crate) written: Vec<String>,
}

impl Board {
    /// A board of Armv7-M without MPU regions.
    pub(crate) fn new(core: Snapshot, writes: Writes) -> Board {
        Board { core, armv8m: false, regions: Vec::new(), selected: 0, writes, demcr: TRCENA }
    }

    /// Serves one client from a thread of its own; gives `host:port`.
    pub(crate) fn serve(mut self) -> (String, JoinHandle<Left>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let thread = thread::spawn(move || {
            let mut written = Vec::new();
            let (stream, _) = listener.accept().expect("a client");
            // An error is the client's going.
            let _ = answer(stream, |request| {
                if request.starts_with(['M', 'X', 'G', 'P']) {
                    written.push(request.to_string());
                }
                Some(self.reply(request))
            });
            Left { selected: self.selected, written }
        });
        (format!("127.0.0.1:{port}"), thread)
    }

    fn reply(&mut self, request: &str) -> String {
        let refused = || "E01".to_string();
        if let Some(range) = request.strip_prefix('m') {
            return self.read(range).unwrap_or_else(refused);
        }
        if let Some(write) = request.strip_prefix('M') {
            return self.write(write).map_or_else(refused, |()| "OK".to_string());
        }
        match request {
            "g" => {
                let registers = &self.core.registers;
                let values = (0..16).map(|number| registers.core(number));
                let values = values.chain([registers.get(Register::XPSR)]);
                values.map(|value| hex(value.unwrap_or(0))).collect()
            }
            // Whenever it is let run it halts at once.
            "?" | "c" => "T05".to_string(),
            "D" => "OK".to_string(),
            _ if request.starts_with("qSupported") => "PacketSize=1000".to_string(),
            _ => String::new(),
        }
    }

    fn read(&self, range: &str) -> Option<String> {
        let (start, size) = range.split_once(',')?;
        let start = u32::from_str_radix(start, 16).ok()?;
        let end = start.checked_add(u32::from_str_radix(size, 16).ok()?)?;
        (start..end)
            .map(|at| {
                let shown = self.shown(at & !3).map(|word| word.to_le_bytes()[at as usize & 3]);
                let held = || Some(self.core.memory.slice_from(Address(at))?[0]);
                // Flash that the core does not hold is erased here.
                let byte = shown.or_else(held).or((at < 0x2000_0000).then_some(0xff))?;
                Some(format!("{byte:02x}"))
            })
            .collect()
    }

    /// What the MPU shows at `address`, if that is one of its registers.
    fn shown(&self, address: u32) -> Option<u32> {
        match address {
            MPU_RNR => return Some(self.selected),
            DEMCR => return Some(self.demcr),
            _ => {}
        }
        let word = address.checked_sub(MPU_RBAR)? / 4;
        let alias = word / 2;
        let number = match (self.armv8m, alias) {
            (_, 4..) => return None,
            (true, 1..) => self.selected & !3 | alias,
            _ => self.selected,
        };
        let (base, attributes) = self.regions.get(number as usize).copied().unwrap_or_default();
        // REGION, bits 3:0 of RBAR, reads as the selected number on Armv7-M.
        let base = if self.armv8m { base } else { base | number };
        Some(if word % 2 == 0 { base } else { attributes })
    }

    /// Only MPU_RNR and DEMCR can be written.
    fn write(&mut self, request: &str) -> Option<()> {
        let (address, digits) = request.split_once(",4:")?;
        let value = u32::from_str_radix(digits, 16).ok()?.swap_bytes();
        let register = match u32::from_str_radix(address, 16).ok()? {
            MPU_RNR => &mut self.selected,
            DEMCR => &mut self.demcr,
            _ => return None,
        };
        if self.writes == Writes::Taken {
            *register = value;
        }
        Some(())
    }
}

fn hex(value: u32) -> String {
    format!("{:08x}", value.swap_bytes())
}
