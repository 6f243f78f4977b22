//! A serial line between a program under test and the test: a pair of pseudo-terminals.

use serial2::SerialPort;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd as _;
use std::thread;
use std::time::Duration;

/// A line; it is cut when this is dropped.
pub(crate) struct SerialLine {
    /// The test's end.
    pub(crate) ours: SerialPort,
    /// Held so that the line stays while the program has not opened it.
    theirs: SerialPort,
}

impl SerialLine {
    pub(crate) fn new() -> SerialLine {
        let (mut ours, theirs) = SerialPort::pair().expect("a pseudo-terminal");
        ours.set_read_timeout(Duration::from_secs(60)).expect("a time-out");
        ours.set_write_timeout(Duration::from_secs(60)).expect("a time-out");
        SerialLine { ours, theirs }
    }

    /// The device that the program is to open.
    pub(crate) fn device(&self) -> String {
        let link = format!("/proc/self/fd/{}", self.theirs.as_raw_fd());
        std::fs::read_link(link).expect("the name of a pseudo-terminal").display().to_string()
    }

    /// Puts the server at `address` at the other end.
    pub(crate) fn lead_to(&self, address: &str) {
        let stream = TcpStream::connect(address).expect("a connection");
        let mut to_server = stream.try_clone().expect("a second handle");
        let from_line = self.ours.try_clone().expect("a second handle");
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from_line.read(&mut buffer) {
                if to_server.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            let _ = to_server.shutdown(Shutdown::Both);
        });
        let (to_line, mut from_server) = (self.ours.try_clone().expect("a second handle"), stream);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from_server.read(&mut buffer) {
                if write_all(&to_line, &buffer[..count]).is_err() {
                    break;
                }
            }
        });
    }
}

/// Writes in small pieces, as a slow line does.
pub(crate) fn write_all(port: &SerialPort, bytes: &[u8]) -> io::Result<()> {
    bytes.chunks(61).try_for_each(|piece| port.write_all(piece))
}
