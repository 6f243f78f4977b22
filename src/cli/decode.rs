//! `mflt decode`: print what a device sent.

use std::fs;
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::elf::{self, reading};
use super::messages::{MessageOptions, Printer, Wishes};
use super::{Context, Exit, WithHint};
use crate::wire::{self, Decoder};

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
/// and formats come from the ELF. Of a coredump the cause, the end of the log and the crashed
/// thread are shown; `mflt analyze` on the same file shows all of it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt decode console.log --elf zephyr.elf\n  \
    mflt decode chunks.bin --extract out\n  \
    cat console.log | mflt decode - --json | jq 'select(.kind == \"reboot\")'")]
pub(super) struct DecodeArgs {
    /// The chunks; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    options: MessageOptions,
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
        let files = elf::map_all(&self.options.elf)?;
        let images = elf::parse_all(&self.options.elf, &files)?;
        let symbols = elf::symbols_of(&self.options.elf, &images);
        if let Some(folder) = &self.extract {
            fs::create_dir_all(folder)
                .with_context(|| format!("making the folder `{}`", folder.display()))?;
        }
        let wishes = Wishes {
            options: &self.options,
            extract: self.extract.as_deref(),
            prefix: String::new(),
            max_unpacked: MAX_UNPACKED,
            max_coredumps: MAX_COREDUMPS,
        };
        let mut printer = Printer::new(wishes, &images, &symbols, context);
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
    let bytes = read_all(std::io::stdin().lock(), MAX_INPUT)
        .context("reading standard input")
        .hint("give the file by its name: a file may be of any size")?;
    Ok(Box::new(bytes))
}

/// All that `input` gives, or an error when that is more than `limit`: half a stream would look like
/// lost chunks.
fn read_all(input: impl Read, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.len() as u64 <= limit, "there is more than {} MiB", limit >> 20);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_input_than_fits_is_an_error_and_is_not_cut() {
        assert_eq!(read_all(&[7; 16][..], 16).unwrap(), [7; 16]);
        let error = read_all(std::io::repeat(7), 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "there is more than 1 MiB");
    }
}
