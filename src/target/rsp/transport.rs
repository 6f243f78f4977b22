//! Ways to a server: a TCP connection, a serial device, the standard streams of a program.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::link::READ;
use crate::target::TargetError;
use crate::target::serial::{Serial, is_serial};

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a read blocks; see [`Transport`].
const SLICE: Duration = Duration::from_millis(50);
/// What serial devices are set to; probes on USB ignore it.
const BAUD: u32 = 115_200;
/// How long a program may take to end once its input is closed.
const END: Duration = Duration::from_secs(2);

/// A byte stream to a server.
///
/// [`Read::read`] must return within about 50 ms, with `WouldBlock` or `TimedOut` when nothing
/// arrived, and with 0 when the other side is gone.
pub trait Transport: Read + Write + Send {
    /// Whether bytes may be damaged on their way, so that asking again is of use.
    fn is_lossy(&self) -> bool {
        false
    }
}

impl Transport for TcpStream {}

impl Transport for Serial {
    fn is_lossy(&self) -> bool {
        true
    }
}

/// Opens `address`: `host:port`, a serial device, or `|` and a command.
///
/// # Errors
/// [`TargetError::BadPort`], [`TargetError::UnknownHost`], [`TargetError::NobodyListens`] and
/// [`TargetError::Connect`].
pub(super) fn open(address: &str) -> Result<Box<dyn Transport>, TargetError> {
    let failed = |error: io::Error| TargetError::Connect(error.kind());
    if let Some(command) = address.strip_prefix('|') {
        return Ok(Box::new(Pipe::start(command.trim()).map_err(failed)?));
    }
    if is_serial(address) {
        return Ok(Box::new(Serial::open(address, BAUD).map_err(failed)?));
    }
    Ok(Box::new(connect(address)?))
}

fn connect(address: &str) -> Result<TcpStream, TargetError> {
    let address = address.strip_prefix("tcp:").unwrap_or(address);
    // GDB takes `:3333` for a port of this machine.
    let local = address.strip_prefix(':').map(|port| format!("localhost:{port}"));
    let address = local.as_deref().unwrap_or(address);
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    if !port.parse::<u16>().is_ok_and(|port| port != 0) {
        return Err(TargetError::BadPort(address.to_string()));
    }
    let unknown = || TargetError::UnknownHost(host.to_string());
    let addresses = address.to_socket_addrs().map_err(|_| unknown())?;
    let mut failed = unknown();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                let io = |error: io::Error| TargetError::Io(error.kind());
                stream.set_nodelay(true).map_err(io)?;
                stream.set_read_timeout(Some(SLICE)).map_err(io)?;
                stream.set_write_timeout(Some(READ)).map_err(io)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                failed = TargetError::NobodyListens;
            }
            Err(error) => failed = TargetError::Connect(error.kind()),
        }
    }
    Err(failed)
}

/// A server that speaks on its standard streams. What it says on standard error is for people.
struct Pipe {
    child: Child,
    /// `None` once it is closed.
    input: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    /// Received, not yet taken.
    rest: Vec<u8>,
}

impl Pipe {
    fn start(command: &str) -> io::Result<Pipe> {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let mut shell = Command::new(shell);
        shell.arg(flag).arg(command).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for us: the server is still needed to leave the target in order.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut child = shell.spawn()?;
        let input = child.stdin.take();
        let stdout = child.stdout.take();
        let (sender, output) = sync_channel(16);
        std::thread::spawn(move || {
            let Some(mut stdout) = stdout else { return };
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count) = stdout.read(&mut buffer) {
                let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                if count == 0 || sender.send(bytes).is_err() {
                    break;
                }
            }
        });
        Ok(Pipe { child, input, output, rest: Vec::new() })
    }
}

impl Transport for Pipe {}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            match self.output.recv_timeout(SLICE) {
                Ok(bytes) => self.rest = bytes,
                Err(RecvTimeoutError::Timeout) => return Err(ErrorKind::WouldBlock.into()),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let count = self.rest.as_slice().read(buffer)?;
        self.rest.drain(..count);
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.input {
            Some(input) => input.write(buffer),
            None => Ok(0),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.input = None;
        let closed = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && closed.elapsed() < END {
            std::thread::sleep(Duration::from_millis(5));
        }
        // It has ended, or is not going to: with all that the shell has started for it.
        #[cfg(unix)]
        if matches!(self.child.try_wait(), Ok(None)) {
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
