//! For tests: the report of a crash of the fixture firmware, built with -Og.

use super::{Options, analyze};
use crate::format;
use crate::report::Report;
use crate::symbols::{ElfImage, SymbolFile};

/// The report of `case` on `board`, without variables.
pub(super) fn report(board: &str, case: &str) -> Report {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    let elf = std::fs::read(format!("{fixtures}/elf/{board}-Og.elf")).unwrap();
    let core = std::fs::read(format!("{fixtures}/cores/{board}-Og-{case}.core")).unwrap();
    let image = ElfImage::parse(&elf).unwrap();
    let snapshot = format::open(&core).unwrap();
    let options = Options { globals: false, locals: false, ..Options::default() };
    analyze(&snapshot, &[SymbolFile::new(&image)], &options)
}
