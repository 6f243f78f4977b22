//! `mflt gdbserver`: serve a dump to debuggers.

use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use anyhow::Context as _;
use clap::Args;
use gdbstub::conn::Connection;

use super::{Context, Exit, WithHint, dump, elf};
use crate::analysis::{Options, analyze};
use crate::gdb::{Ended, ServedDump, serve};

/// Serve a dump of any format as a GDB remote target.
///
/// Debuggers see every thread by name, the crashed context first, and the memory that was captured;
/// code and constants come from the ELF. Nothing can be written, nothing runs. `monitor mflt
/// cause`, `fault`, `threads` and `report` print what `mflt analyze` says. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt gdbserver crash.core --elf zephyr.elf\n  \
    gdb-multiarch zephyr.elf -ex 'target remote localhost:3333' -ex 'monitor mflt cause'\n\n\
    VS Code: \"miDebuggerServerAddress\": \"localhost:3333\" (C/C++), or \"servertype\": \
    \"external\", \"gdbTarget\": \"localhost:3333\", \"request\": \"attach\" (Cortex-Debug).")]
pub(super) struct GdbserverArgs {
    /// The dump, of any format; `-` is standard input.
    #[arg(value_name = "CORE")]
    core: PathBuf,
    /// The firmware's ELF file; several for several images.
    #[arg(long, value_name = "ELF")]
    elf: Vec<PathBuf>,
    /// Where to listen; port 0 takes any that is free.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3333")]
    listen: String,
    /// Go on although the ELF does not belong to the dump.
    #[arg(long)]
    force: bool,
}

impl GdbserverArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let snapshot = dump::open(&self.core)?;
        let files = elf::map_all(&self.elf)?;
        let images = elf::parse_all(&self.elf, &files)?;
        let symbols = elf::symbols_of(&self.elf, &images);
        if !self.force {
            dump::refuse_foreign(&snapshot, &self.elf, &symbols)?;
        }
        let report =
            analyze(&snapshot, &symbols, &Options { globals: false, ..Options::default() });
        let served = ServedDump::new(&snapshot, &symbols, &report);
        let listener = TcpListener::bind(&self.listen)
            .with_context(|| format!("listening on `{}`", self.listen))
            .hint("give a free port of this machine with `--listen HOST:PORT`; 0 takes any")?;
        let address = listener.local_addr()?;
        // Nothing is held that would have to be put back.
        ctrlc::set_handler(|| std::process::exit(i32::from(Exit::Done.code())))?;
        let threads = served.thread_count();
        writeln!(context.err, "{}", report.title)?;
        writeln!(context.err, "serving {threads} threads on {address}; Ctrl-C ends it")?;
        thread::scope(|scope| {
            for stream in listener.incoming() {
                let served = &served;
                // A debugger that is gone before it was served is no reason to stop.
                let Ok(stream) = stream else { continue };
                let started =
                    thread::Builder::new().spawn_scoped(scope, move || session(served, stream));
                if let Err(error) = started {
                    // The others are served all the same.
                    let _ = writeln!(io::stderr(), "warning: a debugger is turned away: {error}");
                }
            }
        });
        Ok(Exit::Done)
    }
}

fn session(served: &ServedDump<'_, '_>, stream: TcpStream) {
    let ended = Link::new(stream).map(|link| serve(served, link, Link::read));
    let why = match ended {
        Ok(Ended::Left) => return,
        Ok(Ended::Broken(why)) => why,
        Err(error) => error.to_string(),
    };
    // The only line of this thread; where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "warning: a debugger's session ended: {why}");
}

/// A connection with buffers: the protocol writes and reads single bytes.
struct Link {
    reader: BufReader<TcpStream>,
    writer: BufWriter<TcpStream>,
}

impl Link {
    fn new(stream: TcpStream) -> io::Result<Link> {
        stream.set_nodelay(true)?;
        Ok(Link { reader: BufReader::new(stream.try_clone()?), writer: BufWriter::new(stream) })
    }

    fn read(&mut self) -> io::Result<Option<u8>> {
        if self.reader.buffer().is_empty() {
            self.writer.flush()?;
        }
        let byte = self.reader.fill_buf()?.first().copied();
        self.reader.consume(usize::from(byte.is_some()));
        Ok(byte)
    }
}

impl Connection for Link {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.writer.write_all(&[byte])
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
