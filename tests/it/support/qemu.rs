//! A fixture in QEMU, brought to its stop.

use super::file;
use super::manifest::Case;
use super::program::{LIMIT, start};
use super::rsp::Stub;
use super::serial::Serial;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// A running QEMU; it is ended when this is dropped.
pub(crate) struct Qemu {
    child: Child,
    port: u16,
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Qemu {
    /// Starts the case, which stands at its reset.
    pub(crate) fn at_reset(case: &Case) -> Result<Qemu, String> {
        let (qemu, stream) = Qemu::start(case)?;
        // Without a word; the next client finds it as it was.
        drop(stream);
        Ok(qemu)
    }

    /// Starts the case and stops it where the manifest says.
    pub(crate) fn at_stop(case: &Case) -> Result<Qemu, String> {
        Qemu::at(case, &[case.stop_address()], case.stop_hits())
    }

    /// Starts the case and stops it where one of `addresses` is reached for the `hits`th time.
    pub(crate) fn at(case: &Case, addresses: &[u32], hits: u64) -> Result<Qemu, String> {
        let (qemu, stream) = Qemu::start(case)?;
        Stub::new(stream)?.run_to(addresses, hits)?;
        Ok(qemu)
    }

    /// `host:port` of its GDB server.
    pub(crate) fn server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs `image` on `board` with its serial port on pipes. The board runs; a debugger that
    /// connects stops it.
    pub(crate) fn with_serial(board: &str, image: &Path) -> (Qemu, Serial) {
        Qemu::with_options(board, image, &[])
    }

    /// The same with more options of QEMU.
    pub(crate) fn with_options(board: &str, image: &Path, options: &[&str]) -> (Qemu, Serial) {
        let _guard = choosing();
        let port = free_port().expect("a free port");
        let mut command = Command::new("qemu-system-arm");
        command.args(["-M", board, "-serial", "stdio", "-monitor", "none", "-display", "none"]);
        command.args(["-nic", "none", "-gdb", &format!("tcp:127.0.0.1:{port}"), "-kernel"]);
        command
            .arg(image)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = start(&mut command);
        let pipes = child.stdin.take().zip(child.stdout.take()).expect("pipes of QEMU");
        let mut serial = Serial::new(pipes);
        // Behind its first word the port is taken.
        serial.until("> ");
        (Qemu { child, port }, serial)
    }

    /// Runs `image` on `board` with its serial port on a pseudo-terminal, whose name is given.
    pub(crate) fn on_terminal(board: &str, image: &Path) -> (Qemu, String) {
        let mut command = Command::new("qemu-system-arm");
        command.args(["-M", board, "-serial", "pty", "-monitor", "none", "-display", "none"]);
        command.args(["-nic", "none", "-kernel"]).arg(image);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = start(&mut command);
        let stdout = child.stdout.take().expect("a pipe of QEMU");
        // No GDB server: none is asked for.
        let qemu = Qemu { child, port: 0 };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the name of a terminal");
        let name = line.split(' ').find(|word| word.starts_with("/dev/"));
        (qemu, name.unwrap_or_else(|| panic!("no terminal in: {line}")).to_owned())
    }

    fn start(case: &Case) -> Result<(Qemu, TcpStream), String> {
        // Another program may take the port before QEMU does: then QEMU ends, and another is tried.
        let mut last = String::new();
        for _ in 0..5 {
            match Qemu::try_start(case) {
                Ok(started) => return Ok(started),
                Err(error) => last = error,
            }
        }
        Err(format!("QEMU does not start: {last}"))
    }

    fn try_start(case: &Case) -> Result<(Qemu, TcpStream), String> {
        let elf = file(case.elf()).display().to_string();
        let _guard = choosing();
        let port = free_port()?;
        let port_text = port.to_string();
        let words = case.qemu();
        let (program, arguments) = words.split_first().ok_or("no arguments for QEMU")?;
        let arguments =
            arguments.iter().map(|word| word.replace("{elf}", &elf).replace("{port}", &port_text));
        let mut command = Command::new(program);
        command.args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut qemu = Qemu { child: start(&mut command), port };
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = qemu.child.try_wait().map_err(|e| e.to_string())? {
                return Err(format!("it ended with {status}"));
            }
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(stream) => return Ok((qemu, stream)),
                Err(error) if Instant::now() > end => return Err(error.to_string()),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

/// From the choice of a port until it is taken: the other tests choose ports too.
fn choosing() -> MutexGuard<'static, ()> {
    static CHOOSING: Mutex<()> = Mutex::new(());
    CHOOSING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn free_port() -> Result<u16, String> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    free.local_addr().map(|address| address.port()).map_err(|e| e.to_string())
}
