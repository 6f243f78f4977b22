//! The dump that a command is given: a file or standard input, of any format; and whether the ELF
//! files beside it are its own.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::elf::{self, reading};
use super::numbers::parse_number;
use super::{WithHint, hinted};
use crate::analysis::matching::{self, Match};
use crate::base::Address;
use crate::format::{self, FormatError};
use crate::snapshot::Snapshot;
use crate::symbols::{ElfImage, SymbolFile};

/// Reads the dump at `path`; `-` is standard input.
///
/// # Errors
/// When it cannot be read, or is no dump; a program is told apart.
pub(super) fn open(path: &Path) -> anyhow::Result<Snapshot> {
    open_at(path, None)
}

/// The same; with a `base` the dump is raw memory at that address.
///
/// # Errors
/// Those of [`open`], and memory that passes the end of the address space.
pub(super) fn open_at(path: &Path, base: Option<Address>) -> anyhow::Result<Snapshot> {
    let parse = |bytes: &[u8]| match base {
        Some(base) => Ok(format::raw::read(bytes, base)?),
        None => parse(bytes),
    };
    let opened = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context(reading("coredump", path))?;
        parse(&bytes)
    } else {
        parse(&elf::map(path).context(reading("coredump", path))?)
    };
    opened.with_context(|| reading("coredump", path))
}

/// The value of `--base`.
pub(super) fn address(text: &str) -> Result<Address, String> {
    let number = parse_number(text).and_then(|number| u32::try_from(number).ok());
    number.map(Address).ok_or_else(|| "not an address of 32 bits, such as 0x20000000".to_owned())
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
            return hinted(error, hint);
        }
        error
    })
}
