//! `mflt dap`: a dump for editors that speak the Debug Adapter Protocol.

use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use super::{Context, Exit, WithHint, dump, elf};
use crate::analysis::Options;
use crate::analysis::inspector::Inspector;
use crate::dap::Session;

/// Longest message that is read, in bytes, and longest header line.
const LONGEST: u64 = 1 << 20;
const LONGEST_LINE: u64 = 1 << 10;

/// Open a dump in an editor: threads, frames, variables, memory.
///
/// A debug adapter on standard input and output, for any client of the Debug Adapter Protocol, or
/// with --listen on a port. Nothing runs and nothing is written.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt dap crash.core --elf zephyr.elf\n  \
    mflt dap crash.core --elf zephyr.elf --listen 127.0.0.1:4711\n\n\
    VS Code: with --listen, and \"debugServer\": 4711 in a launch.json of any debug type.")]
pub(super) struct DapArgs {
    /// The dump, of any format.
    #[arg(value_name = "CORE")]
    core: PathBuf,
    /// The firmware's ELF file; several for several images.
    #[arg(long, value_name = "ELF")]
    elf: Vec<PathBuf>,
    /// Serve one client after the other on a port instead; port 0 takes any that is free.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Go on although the ELF does not belong to the dump.
    #[arg(long)]
    force: bool,
}

impl DapArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let snapshot = dump::open(&self.core)?;
        let files = elf::map_all(&self.elf)?;
        let images = elf::parse_all(&self.elf, &files)?;
        let symbols = elf::symbols_of(&self.elf, &images);
        if !self.force {
            dump::refuse_foreign(&snapshot, &self.elf, &symbols)?;
        }
        let prepared = Inspector::prepared(&snapshot, &symbols);
        let inspector = Inspector::new(&prepared, &symbols);
        // Globals are read one by one, when somebody looks.
        let report = inspector.report(&Options { globals: false, ..Options::default() });
        let Some(place) = &self.listen else {
            let session = Session::new(&inspector, &report);
            serve(session, &mut io::stdin().lock(), context.out)?;
            return Ok(Exit::Done);
        };
        let listener = TcpListener::bind(place)
            .with_context(|| format!("listening on `{place}`"))
            .hint("give a free port of this machine with `--listen HOST:PORT`; 0 takes any")?;
        ctrlc::set_handler(|| std::process::exit(i32::from(Exit::Done.code())))?;
        writeln!(context.err, "serving on {}; Ctrl-C ends it", listener.local_addr()?)?;
        for stream in listener.incoming() {
            // A client that is gone before it was served is no reason to stop.
            let Ok(mut stream) = stream else { continue };
            let mut reader = BufReader::new(stream.try_clone()?);
            let session = Session::new(&inspector, &report);
            if let Err(error) = serve(session, &mut reader, &mut stream) {
                writeln!(context.err, "warning: a client's session ended: {error}")?;
            }
        }
        Ok(Exit::Done)
    }
}

/// Answers what `input` asks until the client says goodbye or is gone.
fn serve(
    mut session: Session<'_, '_>,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> anyhow::Result<()> {
    while !session.has_ended()
        && let Some(request) = receive(input)?
    {
        for message in session.answer(&request) {
            let text = message.to_string();
            write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        }
        output.flush()?;
    }
    Ok(())
}

/// The next message; `None` when there is no more.
fn receive(input: &mut dyn BufRead) -> anyhow::Result<Option<Value>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        let count = input.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if count == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("Content-Length") {
            length = value.trim().parse::<u64>().ok();
        }
    }
    let length = length.filter(|length| *length <= LONGEST);
    let length = length.context("what arrives is not the Debug Adapter Protocol")?;
    let mut body = Vec::new();
    input.take(length).read_to_end(&mut body)?;
    if body.len() as u64 != length {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&body).context("a message is not JSON")?))
}
