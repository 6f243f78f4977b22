//! The serial port of a board in QEMU.

use super::program::LIMIT;
use std::io::{Read as _, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// Both directions of a serial port.
pub(crate) struct Serial {
    to: ChildStdin,
    from: Receiver<Vec<u8>>,
    received: String,
}

impl Serial {
    pub(crate) fn new((to, mut pipe): (ChildStdin, ChildStdout)) -> Serial {
        let (sender, from) = mpsc::channel();
        // A read of a pipe has no time limit, one of a channel has.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Serial { to, from, received: String::new() }
    }

    /// What the device prints, up to `end`.
    #[track_caller]
    pub(crate) fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.received.find(end) {
                let rest = self.received.split_off(at + end.len());
                return std::mem::replace(&mut self.received, rest);
            }
            match self.from.recv_timeout(LIMIT) {
                Ok(bytes) => self.received.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("no `{end}` ({error}) in: {}", self.received),
            }
        }
    }

    /// Sends a line.
    #[track_caller]
    pub(crate) fn send(&mut self, line: &str) {
        self.to.write_all(format!("{line}\n").as_bytes()).expect("a device that listens");
        self.to.flush().expect("a device that listens");
    }

    /// Sends a line, and gives what the device prints up to `end`.
    #[track_caller]
    pub(crate) fn command(&mut self, line: &str, end: &str) -> String {
        self.send(line);
        self.until(end)
    }
}
