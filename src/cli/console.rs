//! `mflt console`: watch the console of a device, and decode what is for machines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Read, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;

use super::messages::{MessageOptions, Printer, Wishes};
use super::numbers::compact_time;
use super::{Context, Exit, Usage, WithHint, elf};
use crate::target::serial::Serial;
use crate::wire::{ConsoleReader, Decoder, Piece};

/// Longest line; a device that sends no line ends is shown in parts of this size.
const MAX_LINE: usize = 1 << 16;
/// How often a port that went away is looked for.
const LOOK: Duration = Duration::from_millis(200);
/// Most bytes of the lines of one coredump.
const MAX_DUMP: usize = 64 << 20;

/// Watch the console of a device; decode chunks and coredumps as they pass.
///
/// Shows the log and takes out `MC:` chunks and Zephyr's `#CD:` dumps: what they say is printed in
/// their place, and coredumps and recordings are written to files. With `--json` the log goes to
/// standard error. From a terminal, what you type goes to the device, line by line. A port that goes
/// away is waited for. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt console --port /dev/ttyUSB0 --elf zephyr.elf\n  \
    mflt console --port COM5 --baud 921600 --elf zephyr.elf --log unit7.log\n  \
    west espressif monitor | mflt console - --elf zephyr.elf")]
pub(super) struct ConsoleArgs {
    /// `-` reads standard input instead of a port.
    #[arg(value_name = "-", value_parser = ["-"], required_unless_present = "port")]
    input: Option<String>,
    /// Serial port of the device.
    #[arg(long, value_name = "PORT", conflicts_with = "input")]
    port: Option<String>,
    /// Speed of the port.
    #[arg(long, value_name = "BAUD", default_value_t = 115_200)]
    baud: u32,
    #[command(flatten)]
    options: MessageOptions,
    /// Folder for coredumps and recordings.
    #[arg(long, value_name = "DIR", default_value = ".")]
    extract: PathBuf,
    /// Append everything that the device prints to this file; `mflt decode` reads it again.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Show the lines of chunks and dumps as well.
    #[arg(long)]
    raw: bool,
}

impl ConsoleArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let mapped = elf::map_all(&self.options.elf)?;
        let images = elf::parse_all(&self.options.elf, &mapped)?;
        let symbols = elf::symbols_of(&self.options.elf, &images);
        fs::create_dir_all(&self.extract)
            .with_context(|| format!("making the folder `{}`", self.extract.display()))?;
        let log = match &self.log {
            None => None,
            Some(path) => {
                let opened = OpenOptions::new().create(true).append(true).open(path);
                Some(opened.with_context(|| format!("writing log `{}`", path.display()))?)
            }
        };
        let ended = Arc::new(AtomicBool::new(false));
        let mut source = match &self.port {
            Some(port) => Source::Port(self.open(port, &ended, context)?),
            None => Source::Stream(io::stdin()),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wishes = Wishes {
            options: &self.options,
            extract: Some(&self.extract),
            prefix: format!("{}-", compact_time(now)),
            max_unpacked: usize::MAX,
            max_coredumps: usize::MAX,
        };
        let mut console = Console {
            printer: Printer::new(wishes, &images, &symbols, context),
            reader: ConsoleReader::default(),
            decoder: Decoder::new(),
            chunks: 0,
            dump: Vec::new(),
            in_dump: false,
            raw: self.raw,
        };
        console.watch(&mut source, log, &ended).with_context(|| match &self.port {
            Some(port) => format!("reading port `{port}`"),
            None => "reading standard input".to_string(),
        })?;
        Ok(Exit::Done)
    }

    /// Opens the port; from a terminal, lines that are typed go to the device.
    fn open(
        &self,
        port: &str,
        ended: &Arc<AtomicBool>,
        context: &mut Context<'_>,
    ) -> anyhow::Result<Port> {
        if self.baud == 0 {
            return Err(Usage("a speed of 0 baud is none".to_string()).into());
        }
        let opened = Serial::open(port, self.baud);
        let hint = match &opened {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                "join the group that owns the port, on Debian `sudo adduser $USER dialout`, and log \
                 in again"
            }
            _ => "is it plugged in, and not in use by another program?",
        };
        let serial = opened.with_context(|| format!("opening port `{port}`")).hint(hint)?;
        let flag = Arc::clone(ended);
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))?;
        let typed = Arc::new(Mutex::new(serial.try_clone()?));
        if io::stdin().is_terminal() {
            let device = Arc::clone(&typed);
            std::thread::spawn(move || {
                for line in io::stdin().lock().lines().map_while(Result::ok) {
                    let mut device = device.lock().unwrap_or_else(PoisonError::into_inner);
                    // What is typed while the port is away is lost.
                    let _ = device.write_all(format!("{line}\r\n").as_bytes());
                }
            });
        }
        writeln!(context.err, "reading {port} at {} baud; Ctrl-C ends it", self.baud)?;
        Ok(Port { name: port.to_owned(), baud: self.baud, serial, typed })
    }
}

/// Where the bytes come from.
enum Source {
    Port(Port),
    Stream(io::Stdin),
}

/// A serial port, which may go away and come back.
struct Port {
    name: String,
    baud: u32,
    serial: Serial,
    /// Where what is typed goes.
    typed: Arc<Mutex<Serial>>,
}

impl Port {
    /// Waits for the port to come back; `false` when the user has had enough of it.
    fn is_back(&mut self, ended: &AtomicBool) -> bool {
        while !ended.load(Ordering::Relaxed) {
            let opened = Serial::open(&self.name, self.baud);
            if let Ok((serial, typed)) = opened.and_then(|s| Ok((s.try_clone()?, s))) {
                self.serial = serial;
                *self.typed.lock().unwrap_or_else(PoisonError::into_inner) = typed;
                return true;
            }
            std::thread::sleep(LOOK);
        }
        false
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Port(port) => port.serial.read(buffer),
            Source::Stream(stream) => stream.read(buffer),
        }
    }
}

/// What is known of the stream so far.
struct Console<'a, 'c> {
    printer: Printer<'a, 'c>,
    reader: ConsoleReader,
    decoder: Decoder,
    chunks: usize,
    /// The lines of a coredump that is being printed.
    dump: Vec<u8>,
    in_dump: bool,
    raw: bool,
}

impl Console<'_, '_> {
    fn watch(
        &mut self,
        source: &mut Source,
        mut log: Option<File>,
        ended: &AtomicBool,
    ) -> anyhow::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        let mut line = Vec::new();
        let failed = loop {
            if ended.load(Ordering::Relaxed) {
                break None;
            }
            let count = match source.read(&mut buffer) {
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) =>
                {
                    continue;
                }
                Ok(count @ 1..) => count,
                gone => match source {
                    Source::Stream(_) => break gone.err(),
                    Source::Port(port) => {
                        self.end_line(&mut line)?;
                        let stderr = io::stderr();
                        writeln!(&stderr, "note: {} is gone; waiting for it", port.name)?;
                        if !port.is_back(ended) {
                            break None;
                        }
                        writeln!(&stderr, "note: {} is back", port.name)?;
                        continue;
                    }
                },
            };
            if let Some(log) = &mut log {
                log.write_all(&buffer[..count]).context("writing the log")?;
            }
            for byte in &buffer[..count] {
                match byte {
                    b'\n' => self.line(&std::mem::take(&mut line))?,
                    _ => line.push(*byte),
                }
                if line.len() >= MAX_LINE {
                    self.line(&std::mem::take(&mut line))?;
                }
            }
        };
        self.end_line(&mut line)?;
        for found in self.decoder.finish() {
            self.printer.take(found)?;
        }
        self.printer.flush()?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Whatever ended it, what has begun is told as far as it came.
    fn end_line(&mut self, line: &mut Vec<u8>) -> anyhow::Result<()> {
        if !line.is_empty() {
            self.line(&std::mem::take(line))?;
        }
        self.end_dump()?;
        self.printer.flush()
    }

    fn line(&mut self, line: &[u8]) -> anyhow::Result<()> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_dump = self.dump_line(line)?;
        let pieces = self.reader.line(line);
        if self.raw || pieces.is_empty() && !is_dump {
            self.printer.line(line)?;
        }
        for piece in pieces {
            let found = match piece {
                Piece::Chunk(chunk) => {
                    self.chunks += 1;
                    self.decoder.push(&chunk)
                }
                Piece::Damaged(damaged) => {
                    self.chunks += 1;
                    self.decoder.skip(damaged.to_string())
                }
                Piece::Log(log) => {
                    self.printer.compact_logs(self.chunks, &[log])?;
                    continue;
                }
            };
            found.into_iter().try_for_each(|found| self.printer.take(found))?;
        }
        self.printer.flush()
    }

    /// Collects the lines of a printed coredump; whether this is one.
    fn dump_line(&mut self, line: &[u8]) -> anyhow::Result<bool> {
        let Some(mark) = line.windows(4).position(|word| word == b"#CD:") else {
            return Ok(false);
        };
        if line[mark..].starts_with(b"#CD:BEGIN#") {
            self.end_dump()?;
            self.in_dump = true;
        }
        if self.in_dump && self.dump.len() < MAX_DUMP {
            self.dump.extend_from_slice(line);
            self.dump.push(b'\n');
        }
        if line[mark..].starts_with(b"#CD:END#") {
            self.end_dump()?;
        }
        Ok(true)
    }

    fn end_dump(&mut self) -> anyhow::Result<()> {
        self.in_dump = false;
        let dump = std::mem::take(&mut self.dump);
        if dump.is_empty() { Ok(()) } else { self.printer.printed_dump(self.chunks, &dump) }
    }
}
