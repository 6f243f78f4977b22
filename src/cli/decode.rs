//! `mflt decode`: print what a device sent.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read as _;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::elf::{self, reading};
use super::files::write_atomically;
use super::{Context, Exit, WithHint};
use crate::analysis::matching::{self, Match};
use crate::analysis::messages::Firmware;
use crate::analysis::{Options, analyze};
use crate::base::hex;
use crate::format;
use crate::report::message::{Content, Coredump, Message};
use crate::report::{Notes, Report, Severity, render_message};
use crate::symbols::{ElfImage, SymbolFile};
use crate::wire::{self, CompactLog, Decoder, Found, MessageKind, PrintedLog, Received};

/// Bytes of standard input that are read.
const MAX_INPUT: u64 = 1 << 30;

/// Bytes that the messages of one file may unpack to in all.
const MAX_UNPACKED: usize = 1 << 30;
/// Coredumps of one file that are explained.
const MAX_COREDUMPS: usize = 64;

/// Print every message that a device sent: reboots, traces, metrics, logs, recordings, coredumps.
///
/// Reads chunks as `MC:` lines in a console log with anything around them, as lines of hex or
/// base64, or binary, one or several behind each other; which it is, is told by the content. Names
/// and formats come from the ELF. Of a coredump the cause and the crashed thread are shown;
/// `mflt analyze` on the same file shows all of it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt decode console.log --elf zephyr.elf\n  \
    mflt decode chunks.bin --extract out\n  \
    cat console.log | mflt decode - --json | jq 'select(.kind == \"reboot\")'")]
pub(super) struct DecodeArgs {
    /// The chunks; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The firmware's ELF file; several for several images or builds.
    #[arg(long, value_name = "ELF")]
    elf: Vec<PathBuf>,
    /// Print each message as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Show the whole report of a coredump.
    #[arg(long, conflicts_with = "json")]
    full: bool,
    /// Write coredumps and recordings into this folder, which is made when it is missing.
    #[arg(long, value_name = "DIR")]
    extract: Option<PathBuf>,
    /// Exit with 3 when chunks are lost or damaged, or a report is incomplete.
    #[arg(long)]
    strict: bool,
}

impl DecodeArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let bytes = read(&self.file)?;
        let stream = wire::chunks(&bytes)
            .with_context(|| reading("chunks", &self.file))
            .hint("a file with a dump, and not with chunks, is for `mflt analyze`")?;
        let files = elf::map_all(&self.elf)?;
        let images = elf::parse_all(&self.elf, &files)?;
        let symbols = elf::symbols_of(&self.elf, &images);
        if let Some(folder) = &self.extract {
            fs::create_dir_all(folder)
                .with_context(|| format!("making the folder `{}`", folder.display()))?;
        }
        let mut printer = Printer {
            args: &self,
            images: &images,
            firmware: Firmware::new(&symbols),
            context,
            coredumps: HashMap::new(),
            written: 0,
            unpacked: 0,
            incomplete: false,
            printed: false,
        };
        let mut decoder = Decoder::new();
        let mut logs = stream.logs.as_slice();
        for (index, chunk) in stream.chunks.iter().enumerate() {
            logs = printer.logs(index, logs)?;
            let found = match chunk {
                Ok(chunk) => decoder.push(chunk),
                Err(damaged) => decoder.skip(damaged.to_string()),
            };
            found.into_iter().try_for_each(|found| printer.take(found))?;
        }
        decoder.finish().into_iter().try_for_each(|found| printer.take(found))?;
        printer.logs(stream.chunks.len(), logs)?;
        Ok(if self.strict && printer.incomplete { Exit::Incomplete } else { Exit::Done })
    }
}

/// The contents of a file, or of standard input.
fn read(path: &Path) -> anyhow::Result<Box<dyn Deref<Target = [u8]>>> {
    if path != Path::new("-") {
        return Ok(Box::new(elf::map(path).with_context(|| reading("chunks", path))?));
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_INPUT)
        .read_to_end(&mut bytes)
        .context("reading standard input")?;
    Ok(Box::new(bytes))
}

/// Prints messages as they come.
struct Printer<'a, 'c> {
    args: &'a DecodeArgs,
    images: &'a [ElfImage<'a>],
    firmware: Firmware<'a, 'a>,
    context: &'a mut Context<'c>,
    /// The chunk of each coredump, by a hash of its contents: devices send one until it is answered.
    coredumps: HashMap<u64, usize>,
    written: usize,
    unpacked: usize,
    incomplete: bool,
    printed: bool,
}

impl Printer<'_, '_> {
    /// Prints those of `logs` that stand before the chunk behind the first `chunks`; the others.
    fn logs<'l>(
        &mut self,
        chunks: usize,
        logs: &'l [PrintedLog],
    ) -> anyhow::Result<&'l [PrintedLog]> {
        let (now, later) = logs.split_at(logs.partition_point(|log| log.chunks_before <= chunks));
        if !now.is_empty() {
            let now: Vec<CompactLog> = now.iter().map(|printed| printed.log.clone()).collect();
            self.print(self.firmware.describe_logs(chunks, &now))?;
        }
        Ok(later)
    }

    fn take(&mut self, found: Found) -> anyhow::Result<()> {
        match found {
            Found::Problem { first, last, text } => {
                let chunks = if first == last {
                    String::new()
                } else {
                    format!("chunks {first} to {last}: ")
                };
                self.print(problem(last, "chunks_lost", format!("{chunks}{text}")))
            }
            Found::Message { chunk, message } => self.message(chunk, &message),
        }
    }

    fn message(&mut self, chunk: usize, message: &Received) -> anyhow::Result<()> {
        if self.unpacked >= MAX_UNPACKED {
            let text = "the messages before it hold more than any device does";
            return self.print(problem(chunk, "message_left_out", text.to_string()));
        }
        let parsed = match wire::Message::parse(&message.bytes) {
            Ok(parsed) => parsed,
            Err(error) => {
                return self.print(problem(chunk, "message_damaged", error.to_string()));
            }
        };
        self.unpacked = self.unpacked.saturating_add(parsed.payload.len());
        if parsed.kind == MessageKind::Coredump {
            let told = self.coredump(chunk, message, &parsed)?;
            return self.print(told);
        }
        for mut told in self.firmware.describe(chunk, &parsed) {
            if let Content::Recording(recording) = &mut told.content {
                let data = hex::decode(recording.data.as_bytes()).unwrap_or_default();
                recording.file = self.extract("recording", &data)?;
            }
            self.print(told)?;
        }
        Ok(())
    }

    fn coredump(
        &mut self,
        chunk: usize,
        received: &Received,
        message: &wire::Message<'_>,
    ) -> anyhow::Result<Message> {
        let mut notes = Notes::default();
        // A message that is cut short is so inside its coding, too.
        let damage = received.damage.map(|damage| damage.to_string());
        if let Some(text) = damage.or(message.damage.map(|damage| damage.to_string())) {
            notes.add(Severity::Warning, "message_damaged", text);
        }
        if received.early > 0 {
            let text = format!("{} chunks came too early and were put in order", received.early);
            notes.add(Severity::Info, "chunks_out_of_order", text);
        }
        let payload = message.payload.as_ref();
        let mut hasher = DefaultHasher::new();
        payload.hash(&mut hasher);
        let mut coredump = Coredump { size: payload.len(), file: None, report: None };
        match self.coredumps.insert(hasher.finish(), chunk) {
            Some(before) => {
                let text = format!("the same coredump as the one before, in chunk {before}");
                notes.add(Severity::Info, "coredump_repeated", text);
            }
            None => {
                coredump.file = self.extract("coredump", payload)?;
                if self.coredumps.len() > MAX_COREDUMPS {
                    let text = format!("only the first {MAX_COREDUMPS} coredumps are explained");
                    notes.add(Severity::Warning, "coredump_left_out", text);
                } else {
                    match self.explain(payload, &mut notes) {
                        Ok(report) => coredump.report = Some(Box::new(report)),
                        Err(error) => {
                            notes.add(Severity::Error, "coredump_unreadable", error.to_string());
                        }
                    }
                }
            }
        }
        Ok(Message {
            project_key: message.project_key.clone(),
            notes: notes.into_vec(),
            ..Message::new(chunk, Content::Coredump(coredump))
        })
    }

    /// The report on a coredump, with those of the ELF files that may be its firmware.
    fn explain(&self, payload: &[u8], notes: &mut Notes) -> Result<Report, format::FormatError> {
        let snapshot = format::open(payload)?;
        let all = elf::symbols_of(&self.args.elf, self.images);
        let matches = matching::compare(&snapshot, &all);
        let mut symbols: Vec<SymbolFile<'_>> = Vec::new();
        for ((file, matched), path) in all.into_iter().zip(matches).zip(&self.args.elf) {
            match matched {
                Match::Different { why } => {
                    let text = format!("ELF `{}` is left out: {why}", path.display());
                    notes.add(Severity::Info, "elf_left_out", text);
                }
                _ => symbols.push(file),
            }
        }
        let globals = self.args.json || self.args.full;
        Ok(analyze(&snapshot, &symbols, &Options { globals, ..Options::default() }))
    }

    /// Writes `bytes` into the folder for them, if there is one; the path of the file.
    fn extract(&mut self, what: &str, bytes: &[u8]) -> anyhow::Result<Option<String>> {
        let Some(folder) = &self.args.extract else { return Ok(None) };
        self.written += 1;
        let path = folder.join(format!("{what}-{}.bin", self.written));
        write_atomically(&path, bytes)
            .with_context(|| format!("writing {what} `{}`", path.display()))?;
        Ok(Some(path.display().to_string()))
    }

    fn print(&mut self, message: Message) -> anyhow::Result<()> {
        let doubtful = |notes: &[crate::report::Note]| {
            notes.iter().any(|note| note.severity >= Severity::Warning)
        };
        self.incomplete |= doubtful(&message.notes);
        if let Content::Coredump(Coredump { report: Some(report), .. }) = &message.content {
            self.incomplete |= doubtful(&report.notes);
        }
        if self.args.json {
            return self.context.json(&message);
        }
        if self.printed {
            writeln!(self.context.out)?;
        }
        self.printed = true;
        let style = self.context.style(self.args.full);
        write!(self.context.out, "{}", render_message(&message, style))?;
        Ok(())
    }
}

fn problem(chunk: usize, code: &str, text: String) -> Message {
    let mut notes = Notes::default();
    notes.add(Severity::Warning, code, text);
    Message { notes: notes.into_vec(), ..Message::new(chunk, Content::Problem) }
}
