//! The ELF files that a command is given: mapped, parsed, looked up.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use memmap2::Mmap;

use crate::symbols::{ElfImage, SymbolFile};

/// Maps every file of `paths`.
pub(super) fn map_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Mmap>> {
    paths.iter().map(|path| map(path).with_context(|| reading("ELF", path))).collect()
}

/// Parses the files that [`map_all`] mapped.
pub(super) fn parse_all<'d>(
    paths: &[PathBuf],
    files: &'d [Mmap],
) -> anyhow::Result<Vec<ElfImage<'d>>> {
    let parse = |(path, file): (&PathBuf, &'d Mmap)| {
        ElfImage::parse(file).with_context(|| reading("ELF", path))
    };
    paths.iter().zip(files).map(parse).collect()
}

/// The symbols of the files that [`parse_all`] parsed.
pub(super) fn symbols_of<'d>(paths: &[PathBuf], images: &'d [ElfImage<'d>]) -> Vec<SymbolFile<'d>> {
    let named = paths.iter().zip(images);
    named
        .map(|(path, image)| SymbolFile::new(image).with_path(path.display().to_string()))
        .collect()
}

/// What was done to `path`, for an error.
pub(super) fn reading(what: &str, path: &Path) -> String {
    format!("reading {what} `{}`", path.display())
}

/// Maps a file into memory; an empty one cannot be mapped and is refused with that reason.
#[allow(unsafe_code)]
pub(super) fn map(path: &Path) -> anyhow::Result<Mmap> {
    let file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        anyhow::bail!("the file is empty");
    }
    // SAFETY: the map is read-only. Another process that truncates the file meanwhile can end this
    // one with SIGBUS, as with every tool that maps its input; nothing is corrupted by it.
    Ok(unsafe { Mmap::map(&file)? })
}
