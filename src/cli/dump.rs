//! The dump that a command is given: a file or standard input, of any format; and whether the ELF
//! files beside it are its own.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::WithHint;
use super::elf::{self, reading};
use crate::analysis::matching::{self, Match};
use crate::format::{self, FormatError};
use crate::snapshot::Snapshot;
use crate::symbols::{ElfImage, SymbolFile};

/// Reads the dump at `path`; `-` is standard input.
///
/// # Errors
/// When it cannot be read, or is no dump; a program is told apart.
pub(super) fn open(path: &Path) -> anyhow::Result<Snapshot> {
    let opened = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context(reading("coredump", path))?;
        parse(&bytes)
    } else {
        parse(&elf::map(path).context(reading("coredump", path))?)
    };
    opened.with_context(|| reading("coredump", path))
}

/// Fails when one of the `files` at `paths` is not that of the firmware in `snapshot`.
pub(super) fn refuse_foreign(
    snapshot: &Snapshot,
    paths: &[PathBuf],
    files: &[SymbolFile<'_>],
) -> anyhow::Result<()> {
    for (path, matched) in paths.iter().zip(matching::compare(snapshot, files)) {
        if let Match::Different { why } = matched {
            let path = path.display();
            let text = format!("ELF `{path}` is not the firmware of this dump: {why}");
            return Err(anyhow::anyhow!(text))
                .hint("give the ELF of the very build that crashed, or --force to go on");
        }
    }
    Ok(())
}

fn parse(bytes: &[u8]) -> anyhow::Result<Snapshot> {
    format::open(bytes).map_err(|error| {
        let is_program = matches!(error, FormatError::NotACore { .. });
        let error = anyhow::Error::new(error);
        if is_program && ElfImage::parse(bytes).is_ok() {
            let hint = "this is a program, not a core: pass it with --elf, and the dump first";
            return Err::<(), _>(error).hint(hint).unwrap_err();
        }
        error
    })
}
