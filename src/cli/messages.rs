//! Messages of devices, printed as they come, and the coredumps among them explained and kept.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::files::write_atomically;
use super::{Context, elf};
use crate::analysis::matching::{self, Match};
use crate::analysis::messages::Firmware;
use crate::analysis::{Options, analyze};
use crate::base::hex;
use crate::format;
use crate::report::message::{Content, Coredump, Message};
use crate::report::{Notes, Report, Severity, render_message};
use crate::symbols::{ElfImage, SymbolFile};
use crate::wire::{self, CompactLog, Found, MessageKind, PrintedLog, Received};

/// What is told on the command line of how messages are shown.
#[derive(Debug, Args)]
pub(super) struct MessageOptions {
    /// The firmware's ELF file; several for several images or builds.
    #[arg(long, value_name = "ELF")]
    pub(super) elf: Vec<PathBuf>,
    /// Print each message as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Show the whole report of a coredump.
    #[arg(long, conflicts_with = "json")]
    full: bool,
}

/// How messages are printed, and what is kept of them.
pub(super) struct Wishes<'a> {
    pub(super) options: &'a MessageOptions,
    /// Where coredumps and recordings are written.
    pub(super) extract: Option<&'a Path>,
    /// What their names begin with.
    pub(super) prefix: String,
    /// Bytes that all messages may unpack to.
    pub(super) max_unpacked: usize,
    /// Coredumps that are explained.
    pub(super) max_coredumps: usize,
}

/// Prints messages as they come.
pub(super) struct Printer<'a, 'c> {
    wishes: Wishes<'a>,
    images: &'a [ElfImage<'a>],
    firmware: Firmware<'a, 'a>,
    context: &'a mut Context<'c>,
    /// The chunk of each coredump, by a hash of its contents: devices send one until it is answered.
    coredumps: HashMap<u64, usize>,
    written: usize,
    unpacked: usize,
    /// Whether anything was damaged, lost or doubtful.
    pub(super) incomplete: bool,
    printed: bool,
}

impl<'a, 'c> Printer<'a, 'c> {
    /// `images` and `symbols` are those of the ELF files of `wishes`.
    pub(super) fn new(
        wishes: Wishes<'a>,
        images: &'a [ElfImage<'a>],
        symbols: &'a [SymbolFile<'a>],
        context: &'a mut Context<'c>,
    ) -> Printer<'a, 'c> {
        Printer {
            wishes,
            images,
            firmware: Firmware::new(symbols),
            context,
            coredumps: HashMap::new(),
            written: 0,
            unpacked: 0,
            incomplete: false,
            printed: false,
        }
    }

    /// Prints those of `logs` that stand before the chunk behind the first `chunks`; the others.
    pub(super) fn logs<'l>(
        &mut self,
        chunks: usize,
        logs: &'l [PrintedLog],
    ) -> anyhow::Result<&'l [PrintedLog]> {
        let (now, later) = logs.split_at(logs.partition_point(|log| log.chunks_before <= chunks));
        if !now.is_empty() {
            let now: Vec<CompactLog> = now.iter().map(|printed| printed.log.clone()).collect();
            self.compact_logs(chunks, &now)?;
        }
        Ok(later)
    }

    /// Prints compact log lines that came behind the first `chunks`.
    pub(super) fn compact_logs(
        &mut self,
        chunks: usize,
        logs: &[CompactLog],
    ) -> anyhow::Result<()> {
        self.print(self.firmware.describe_logs(chunks, logs))
    }

    pub(super) fn take(&mut self, found: Found) -> anyhow::Result<()> {
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
        if self.unpacked >= self.wishes.max_unpacked {
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
        let coredump = self.coredump_of(chunk, message.payload.as_ref(), &mut notes)?;
        Ok(Message {
            project_key: message.project_key.clone(),
            notes: notes.into_vec(),
            ..Message::new(chunk, Content::Coredump(coredump))
        })
    }

    /// What is told of a coredump, which is written and explained the first time it comes.
    fn coredump_of(
        &mut self,
        chunk: usize,
        payload: &[u8],
        notes: &mut Notes,
    ) -> anyhow::Result<Coredump> {
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
                let most = self.wishes.max_coredumps;
                if self.coredumps.len() > most {
                    let text = format!("only the first {most} coredumps are explained");
                    notes.add(Severity::Warning, "coredump_left_out", text);
                } else {
                    match self.explain(payload, notes) {
                        Ok(report) => coredump.report = Some(Box::new(report)),
                        Err(error) => {
                            notes.add(Severity::Error, "coredump_unreadable", error.to_string());
                        }
                    }
                }
            }
        }
        Ok(coredump)
    }

    /// Takes a coredump that a device printed instead of sending it in chunks.
    pub(super) fn printed_dump(&mut self, chunk: usize, log: &[u8]) -> anyhow::Result<()> {
        let mut notes = Notes::default();
        let coredump = self.coredump_of(chunk, log, &mut notes)?;
        let told = Message::new(chunk, Content::Coredump(coredump));
        self.print(Message { notes: notes.into_vec(), ..told })
    }

    /// Passes a line of a console log on: to where data goes, unless that is for JSON.
    pub(super) fn line(&mut self, line: &[u8]) -> anyhow::Result<()> {
        let context = &mut *self.context;
        let out = if self.wishes.options.json { &mut *context.err } else { &mut *context.out };
        out.write_all(line)?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }

    /// Shows what was printed until now: a console is watched.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.context.out.flush()?)
    }

    /// The report on a coredump, with those of the ELF files that may be its firmware.
    fn explain(&self, payload: &[u8], notes: &mut Notes) -> Result<Report, format::FormatError> {
        let snapshot = format::open(payload)?;
        let all = elf::symbols_of(&self.wishes.options.elf, self.images);
        let matches = matching::compare(&snapshot, &all);
        let mut symbols: Vec<SymbolFile<'_>> = Vec::new();
        for ((file, matched), path) in all.into_iter().zip(matches).zip(&self.wishes.options.elf) {
            match matched {
                Match::Different { why } => {
                    let text = format!("ELF `{}` is left out: {why}", path.display());
                    notes.add(Severity::Info, "elf_left_out", text);
                }
                _ => symbols.push(file),
            }
        }
        let globals = self.wishes.options.json || self.wishes.options.full;
        Ok(analyze(&snapshot, &symbols, &Options { globals, ..Options::default() }))
    }

    /// Writes `bytes` into the folder for them, if there is one; the path of the file.
    fn extract(&mut self, what: &str, bytes: &[u8]) -> anyhow::Result<Option<String>> {
        let Some(folder) = self.wishes.extract else { return Ok(None) };
        self.written += 1;
        let path = folder.join(format!("{}{what}-{}.bin", self.wishes.prefix, self.written));
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
        if self.wishes.options.json {
            return self.context.json(&message);
        }
        if self.printed {
            writeln!(self.context.out)?;
        }
        self.printed = true;
        let style = self.context.style(self.wishes.options.full);
        write!(self.context.out, "{}", render_message(&message, style))?;
        Ok(())
    }
}

fn problem(chunk: usize, code: &str, text: String) -> Message {
    let mut notes = Notes::default();
    notes.add(Severity::Warning, code, text);
    Message { notes: notes.into_vec(), ..Message::new(chunk, Content::Problem) }
}
