//! As much of the GDB remote protocol as it takes to run a target to an address.
//!
//! Shares nothing with the program's own client, on purpose.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection to QEMU's stub. Dropping it closes the connection without a detach, which leaves
/// the target stopped for the next debugger.
pub(crate) struct Stub {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Stub {
    pub(crate) fn new(stream: TcpStream) -> Result<Stub, String> {
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).map_err(|e| e.to_string())?;
        stream.set_write_timeout(limit).map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Stub { stream, received: Vec::new() })
    }

    /// Sends a packet and gives the reply.
    pub(crate) fn ask(&mut self, text: &str) -> Result<String, String> {
        let sum = text.bytes().fold(0_u8, u8::wrapping_add);
        let packet = format!("${text}#{sum:02x}");
        self.stream.write_all(packet.as_bytes()).map_err(|e| format!("sending `{text}`: {e}"))?;
        self.reply().map_err(|e| format!("reply to `{text}`: {e}"))
    }

    fn reply(&mut self) -> Result<String, String> {
        loop {
            let start = self.received.iter().position(|byte| *byte == b'$');
            let end = self.received.iter().position(|byte| *byte == b'#');
            if let (Some(start), Some(end)) = (start, end)
                && self.received.len() >= end + 3
            {
                let text = String::from_utf8_lossy(&self.received[start + 1..end]).into_owned();
                self.received.drain(..end + 3);
                self.stream.write_all(b"+").map_err(|e| e.to_string())?;
                return Ok(text);
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err("the connection was closed".to_string()),
                Ok(count) => self.received.extend(&chunk[..count]),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Runs until one of `addresses` has been reached `hits` times.
    pub(crate) fn run_to(&mut self, addresses: &[u32], hits: u64) -> Result<(), String> {
        self.ask("?")?;
        for address in addresses {
            self.expect(&format!("Z1,{address:x},2"), "OK")?;
        }
        for hit in 0..hits {
            if hit > 0 {
                // QEMU does not leave a breakpoint by itself.
                self.expect("s", "T05")?;
            }
            self.expect("c", "T05")?;
        }
        for address in addresses {
            self.expect(&format!("z1,{address:x},2"), "OK")?;
        }
        Ok(())
    }

    fn expect(&mut self, text: &str, start: &str) -> Result<(), String> {
        let reply = self.ask(text)?;
        let fits = reply.starts_with(start);
        if fits { Ok(()) } else { Err(format!("`{reply}` in reply to `{text}`")) }
    }
}
