//! `--svd FILE --peripheral NAME`: which registers are read beside the memory.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;

use super::{Usage, WithHint};
use crate::base::AddressRange;
use crate::svd;

/// Registers that are left out and are named on stderr.
const NAMED: usize = 8;

/// The registers that `names` stand for in the SVD file at `path`.
///
/// # Errors
/// When the file cannot be read, and [`Usage`], naming the name that stands for nothing.
pub(super) fn registers(
    path: &Path,
    names: &[String],
    err: &mut dyn Write,
) -> anyhow::Result<Vec<AddressRange>> {
    let act = || format!("reading SVD file `{}`", path.display());
    let bytes = fs::read(path).with_context(act)?;
    let selected = svd::select(&String::from_utf8_lossy(&bytes), names).with_context(act)?;
    if let Some((name, similar)) = selected.unknown.into_iter().next() {
        let text = format!("the SVD file has no peripheral or register `{name}` that can be read");
        return Err(Usage(text)).hint(format!("it has {}", similar.join(", ")));
    }
    let left_out = selected.left_out;
    if !left_out.is_empty() {
        let named: Vec<&str> = left_out.iter().take(NAMED).map(String::as_str).collect();
        let more = left_out.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = named.join(", ");
        writeln!(err, "note: not read, as reading changes them: {named}{more}")?;
        writeln!(err, "hint: name one to read it all the same: `--peripheral {}`", left_out[0])?;
    }
    Ok(selected.registers)
}
