//! Serial devices: raw bytes, no flow control, reads that return in time.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use serial2::{SerialPort, Settings};

/// How long a read waits.
const SLICE: Duration = Duration::from_millis(50);
/// How long a write may take.
const WRITE: Duration = Duration::from_secs(10);

/// An open serial device. Closing it drops DTR, by which Black Magic sees that its client is gone.
#[derive(Debug)]
pub struct Serial(SerialPort);

impl Serial {
    /// Opens the device at `path`: `/dev/ttyACM0`, `COM5`. `baud` does not matter over USB CDC.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &str, baud: u32) -> io::Result<Serial> {
        let mut port = SerialPort::open(Path::new(path), |mut settings: Settings| {
            settings.set_raw();
            settings.set_baud_rate(baud)?;
            Ok(settings)
        })?;
        port.set_read_timeout(SLICE)?;
        port.set_write_timeout(WRITE)?;
        // Probes answer once it is set. What has no such line has no need of it.
        let _ = port.set_dtr(true);
        Ok(Serial(port))
    }

    /// A second handle, for another thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_clone(&self) -> io::Result<Serial> {
        self.0.try_clone().map(Serial)
    }
}

/// Whether `address` names a serial device rather than a host and its port.
pub fn is_serial(address: &str) -> bool {
    let number = address.get(..3).filter(|com| com.eq_ignore_ascii_case("com"));
    let number = number.and_then(|_| address.get(3..)).unwrap_or_default();
    address.starts_with('/')
        || address.starts_with(r"\\.\")
        || !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

impl Read for Serial {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        SerialPort::read(&self.0, buffer)
    }
}

impl Write for Serial {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        SerialPort::write(&self.0, buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        // What is written is on its way; waiting until it has left would only cost time.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_from_hosts() {
        for device in ["/dev/ttyACM0", "COM5", "com12", r"\\.\COM10"] {
            assert!(is_serial(device), "{device}");
        }
        for host in ["localhost:3333", ":3333", "COM", "com5:3333", "comet:1", "10.0.0.1:2331"] {
            assert!(!is_serial(host), "{host}");
        }
    }
}
