//! A GDB server whose replies are given beforehand, and a debugger with requests.

use std::convert::Infallible;
use std::io::{self, Read, Write};

use gdbstub::conn::Connection;
use mflt::target::rsp::Transport;

/// Answers each request with the next line, framed and with the right checksum; a line that begins
/// with `!` is sent as it stands. After the last one the connection is closed.
pub(crate) struct Scripted {
    replies: std::vec::IntoIter<Vec<u8>>,
    waiting: Vec<u8>,
}

impl Scripted {
    pub(crate) fn new(script: &[u8]) -> Scripted {
        let replies: Vec<Vec<u8>> = script.split(|byte| *byte == b'\n').map(framed).collect();
        Scripted { replies: replies.into_iter(), waiting: Vec::new() }
    }
}

fn framed(payload: &[u8]) -> Vec<u8> {
    if let Some(raw) = payload.strip_prefix(b"!") {
        return raw.to_vec();
    }
    let sum = payload.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let mut packet = b"+$".to_vec();
    packet.extend_from_slice(payload);
    packet.extend_from_slice(format!("#{sum:02x}").as_bytes());
    packet
}

impl Read for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.waiting.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.waiting[..count]);
        self.waiting.drain(..count);
        Ok(count)
    }
}

impl Write for Scripted {
    fn write(&mut self, sent: &[u8]) -> io::Result<usize> {
        let requests = sent.iter().filter(|byte| matches!(byte, b'$' | 3)).count();
        for reply in self.replies.by_ref().take(requests) {
            self.waiting.extend_from_slice(&reply);
        }
        Ok(sent.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Scripted {}

/// Sends each line, framed and with the right checksum, and takes whatever comes back.
pub(crate) struct Debugger {
    requests: std::vec::IntoIter<u8>,
}

impl Debugger {
    pub(crate) fn new(script: &[u8]) -> Debugger {
        let requests: Vec<u8> = script.split(|byte| *byte == b'\n').flat_map(framed).collect();
        Debugger { requests: requests.into_iter() }
    }

    pub(crate) fn next(&mut self) -> Result<Option<u8>, Infallible> {
        Ok(self.requests.next())
    }
}

impl Connection for Debugger {
    type Error = Infallible;

    fn write(&mut self, _: u8) -> Result<(), Infallible> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
