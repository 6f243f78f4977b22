//! `mflt analyze`: explain a dump.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use memmap2::Mmap;

use super::{Context, Exit, WithHint};
use crate::analysis::matching::{self, Match};
use crate::analysis::{Options, analyze};
use crate::format;
use crate::report::{Severity, Style, render_text};
use crate::symbols::{ElfImage, SymbolFile};

/// Explain why the firmware in a dump crashed.
///
/// Prints the cause with its evidence, the fault registers in words, and every thread with its
/// backtrace; the crashed thread with registers and local variables.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt analyze crash.core --elf zephyr.elf\n  \
    mflt analyze crash.core --elf zephyr.elf --json | jq .cause")]
pub(super) struct AnalyzeArgs {
    /// The dump: an ELF core.
    #[arg(value_name = "CORE")]
    core: PathBuf,
    /// The firmware's ELF file, with debug information.
    #[arg(long, value_name = "ELF")]
    elf: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Show everything: all registers, the locals of every thread, globals and memory ranges.
    #[arg(long, conflicts_with = "json")]
    full: bool,
    /// Go on although the ELF does not belong to the dump; the report says so.
    #[arg(long)]
    force: bool,
    /// Exit with 3 when the report is incomplete.
    #[arg(long)]
    strict: bool,
    /// Most frames of one backtrace.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..))]
    max_frames: u16,
}

impl AnalyzeArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let core = map(&self.core).context(reading("coredump", &self.core))?;
        let snapshot = format::open(&core)
            .map_err(|error| not_a_dump(error, &core))
            .with_context(|| reading("coredump", &self.core))?;
        let elf = self.elf.as_deref().map(|path| map(path).context(reading("ELF", path)));
        let elf = elf.transpose()?;
        let image = elf
            .as_deref()
            .map(ElfImage::parse)
            .transpose()
            .with_context(|| reading("ELF", self.elf.as_deref().unwrap_or(Path::new(""))))?;
        let symbols = image.as_ref().map(SymbolFile::new);
        if let (Some(symbols), false) = (&symbols, self.force)
            && let Match::Different { why } = matching::compare(&snapshot, symbols)
        {
            let path = self.elf.as_deref().unwrap_or(Path::new("")).display();
            return Err(anyhow::anyhow!("ELF `{path}` is not the firmware of this dump: {why}"))
                .hint("give the ELF of the very build that crashed, or --force to go on");
        }
        let options = Options {
            max_frames: usize::from(self.max_frames),
            // Text shows globals only in full; not computing them keeps it fast.
            globals: self.json || self.full,
            symbol_path: self.elf.as_ref().map(|path| path.display().to_string()),
            ..Options::default()
        };
        let report = analyze(&snapshot, symbols.as_ref(), &options);
        if self.json {
            let mut line = serde_json::to_vec(&report)?;
            line.push(b'\n');
            context.out.write_all(&line)?;
        } else {
            let width = terminal_size::terminal_size().map_or(100, |(width, _)| width.0.into());
            let style = Style { width, color: context.color, full: self.full };
            write!(context.out, "{}", render_text(&report, style))?;
        }
        let incomplete = report.notes.iter().any(|note| note.severity >= Severity::Warning);
        // The process ends: taking a report of thousands of values apart would only cost time.
        std::mem::forget(report);
        Ok(if self.strict && incomplete { Exit::Incomplete } else { Exit::Done })
    }
}

fn reading(what: &str, path: &Path) -> String {
    format!("reading {what} `{}`", path.display())
}

fn not_a_dump(error: format::FormatError, bytes: &[u8]) -> anyhow::Error {
    let error = anyhow::Error::new(error);
    if ElfImage::parse(bytes).is_ok() {
        return Err::<(), _>(error)
            .hint("this is a program, not a core: pass it with --elf, and the dump first")
            .unwrap_err();
    }
    error
}

/// Maps a file into memory; an empty one cannot be mapped and is refused with that reason.
#[allow(unsafe_code)]
fn map(path: &Path) -> anyhow::Result<Mmap> {
    let file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        anyhow::bail!("the file is empty");
    }
    // SAFETY: the map is read-only. Another process that truncates the file meanwhile can end this
    // one with SIGBUS, as with every tool that maps its input; nothing is corrupted by it.
    Ok(unsafe { Mmap::map(&file)? })
}
