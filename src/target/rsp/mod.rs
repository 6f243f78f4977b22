//! A client of the GDB remote protocol for Cortex-M targets.
//!
//! Careful with servers that differ: what is sent, in which order, and what may come back is
//! written down at each step. It never sends `k`, `R`, `vKill`, `vRun` or flash packets,
//! breakpoints only for a watch ([`super::Watch`]), nor `qSymbol`, with which servers begin to show threads of an RTOS in place of the
//! CPU.

mod console;
mod handshake;
mod layout;
mod leave;
mod link;
mod memory;
mod packet;
mod run;
mod server;
#[cfg(test)]
mod tests;
mod transport;
mod word;
mod xml;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use server::ServerKind;
pub use transport::Transport;

use super::{Leave, MemoryRead, Registers, Target, TargetError};
use crate::base::{Address, AddressRange};
use crate::snapshot::{Register, RegisterSet};
use layout::Layout;
use link::{Link, READ, SIMPLE, error_code};
use server::Features;

/// A session with a GDB server.
pub struct GdbClient {
    link: Link,
    kind: ServerKind,
    features: Features,
    layout: Layout,
    /// What the server says about itself, for people.
    description: String,
    was_running: Option<bool>,
    stop_reason: Option<String>,
    /// Most bytes per read; halved when the server refuses.
    max_read: u32,
    /// Reads that may be on their way at the same time.
    pipeline: usize,
    /// Whether the server has answered a read correctly.
    proven: bool,
    /// Whether we let the target run.
    running: bool,
    /// The command of the server's console that reads words which it does not give as memory;
    /// the outer `None` until that was needed.
    console: Option<Option<usize>>,
}

impl std::fmt::Debug for GdbClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GdbClient").field("server", &self.description).finish_non_exhaustive()
    }
}

impl GdbClient {
    /// Connects to the server at `address` (`host:port`, a serial device, or `|` and a command
    /// that speaks on its standard streams), and stops the target.
    ///
    /// # Errors
    /// [`TargetError::BadPort`], [`TargetError::UnknownHost`], [`TargetError::NobodyListens`] and
    /// [`TargetError::Connect`] when nobody is reached; otherwise as [`GdbClient::new`].
    pub fn connect(
        address: &str,
        cancel: Option<Arc<AtomicBool>>,
    ) -> Result<GdbClient, TargetError> {
        GdbClient::new(transport::open(address)?, cancel)
    }

    /// Begins a session over `transport`, and stops the target.
    ///
    /// # Errors
    /// [`TargetError::NotAttached`] and [`TargetError::DoesNotStop`], or what the connection says.
    pub fn new(
        transport: Box<dyn Transport>,
        cancel: Option<Arc<AtomicBool>>,
    ) -> Result<GdbClient, TargetError> {
        let mut link = Link::new(transport);
        link.cancel = cancel;
        let features = handshake::features(&mut link)?;
        let mut client = GdbClient {
            max_read: features.max_read(),
            features,
            link,
            kind: ServerKind::Unknown,
            layout: Layout::default(),
            description: String::new(),
            was_running: None,
            stop_reason: None,
            pipeline: 1,
            proven: false,
            running: false,
            console: None,
        };
        match client.begin() {
            Ok(()) => Ok(client),
            Err(error) => {
                // What was stopped to be looked at goes on.
                let _ = leave::leave(&mut client, Leave::AsFound);
                Err(error)
            }
        }
    }

    /// Which server this is.
    pub fn kind(&self) -> ServerKind {
        self.kind
    }

    /// Reads the registers that lie beyond the `g` reply one by one.
    fn read_single_registers(
        &mut self,
        numbers: &[u32],
        registers: &mut Registers,
    ) -> Result<(), TargetError> {
        for number in numbers {
            let reply = self.link.request(&format!("p{number:x}"), READ)?;
            if reply.is_empty() {
                // The server has no `p`: asking for the rest is of no use.
                break;
            }
            if error_code(&reply).is_none() {
                self.layout.store(*number, &reply, &mut registers.set);
            }
        }
        Ok(())
    }
}

impl Target for GdbClient {
    fn route(&self) -> &'static str {
        "gdb remote"
    }

    fn server(&self) -> String {
        self.description.clone()
    }

    fn was_running(&self) -> Option<bool> {
        self.was_running
    }

    fn stop_reason(&self) -> Option<String> {
        self.stop_reason.clone()
    }

    fn halt(&mut self) -> Result<(), TargetError> {
        // It was stopped in the beginning. QEMU forgets all breakpoints when it is asked with `?`.
        if self.running { self.stop_again() } else { Ok(()) }
    }

    fn read_registers(&mut self) -> Result<Registers, TargetError> {
        // Thread 0 is "any": without `qSymbol` it is the CPU itself.
        let _ = self.link.request("Hg0", SIMPLE)?;
        let current = self.link.request("qC", SIMPLE)?;
        if !matches!(&*current, b"" | b"QC0" | b"QC1" | b"QC01" | b"QCp1.1" | b"QCp01.01") {
            // An RTOS plug-in chose a thread; -1 is the CPU where servers know it.
            let _ = self.link.request("Hg-1", SIMPLE)?;
        }
        let reply = self.link.ask("g", READ)?;
        let hexadecimal = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'x';
        if reply.len() < 16 * 8 || !reply.iter().all(hexadecimal) {
            let reply = link::shorten(&reply);
            return Err(TargetError::Unexpected { request: "g".to_owned(), reply });
        }
        let mut registers = Registers::default();
        if self.layout.is_empty() {
            self.layout = Layout::standard(reply.len() / 2);
            Layout::standard(reply.len() / 2).slice(&reply, &mut registers.set);
            registers.remarks.push("the server does not describe its registers".to_owned());
        } else {
            let beyond = self.layout.slice(&reply, &mut registers.set);
            match self.read_single_registers(&beyond, &mut registers) {
                // OpenOCD closes the connection over a number it does not like.
                Err(error) if registers.set.is_empty() => return Err(error),
                Err(error) => registers.remarks.push(format!("reading registers ended: {error}")),
                Ok(()) => {}
            }
        }
        registers.remarks.extend(doubts(&registers.set));
        Ok(registers)
    }

    fn read_memory(
        &mut self,
        ranges: &[AddressRange],
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> MemoryRead {
        memory::read(self, ranges, progress)
    }

    fn read_register(&mut self, address: Address, size: u32) -> Result<Vec<u8>, TargetError> {
        word::read_register(self, address, size)
    }

    fn write_word(&mut self, address: Address, value: u32) -> Result<(), TargetError> {
        word::write_word(self, address, value)
    }

    fn ram(&mut self) -> Result<Vec<AddressRange>, TargetError> {
        handshake::ram(self)
    }

    fn leave(&mut self, leave: Leave) -> Result<Option<bool>, TargetError> {
        leave::leave(self, leave)
    }
}

/// What looks wrong about a set of registers.
fn doubts(set: &RegisterSet) -> Vec<String> {
    let mut doubts = Vec::new();
    let missing: Vec<&str> = Register::all()
        .take(17)
        .filter(|register| set.get(*register).is_none())
        .map(Register::name)
        .collect();
    if !missing.is_empty() {
        doubts.push(format!("the server does not give {}", missing.join(", ")));
    }
    if let (Some(sp), Some(msp), Some(psp)) =
        (set.sp(), set.get(Register::MSP), set.get(Register::PSP))
        && sp != msp
        && sp != psp
    {
        // Secure and Non-secure banks have four stack pointers; only without them it is strange.
        let banked = [Register::MSP_S, Register::MSP_NS, Register::PSP_S, Register::PSP_NS];
        if !banked.iter().any(|register| set.get(*register) == Some(sp)) {
            doubts.push(format!(
                "sp 0x{sp:08x} is neither msp 0x{msp:08x} nor psp 0x{psp:08x}: the server may \
                 show a thread of its RTOS support, not the CPU"
            ));
        }
    }
    doubts
}
