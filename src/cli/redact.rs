//! `--redact`: memory that is not to leave the machine.

use std::io::Write;

use super::numbers::{parse_number, parse_size};
use super::{Usage, WithHint};
use crate::base::{Address, AddressRange};
use crate::snapshot::Snapshot;
use crate::symbols::SymbolFile;

/// The ranges that the values of `--redact` name: ADDR+SIZE, a section, or every symbol of a name.
///
/// # Errors
/// [`Usage`], naming the argument that makes no sense: better no dump than one that tells.
pub(super) fn ranges(
    arguments: &[String],
    files: &[SymbolFile<'_>],
) -> anyhow::Result<Vec<AddressRange>> {
    let mut ranges = Vec::new();
    for text in arguments {
        match start_and_size(text) {
            Some((start, size)) => ranges.push(range(text, start, size)?),
            None => ranges.extend(named(text, files)?),
        }
    }
    Ok(ranges)
}

/// Whether any of the values of `--redact` is a name, which stands for an address of one build only.
pub(super) fn needs_elf(arguments: &[String]) -> bool {
    arguments.iter().any(|text| start_and_size(text).is_none())
}

fn start_and_size(text: &str) -> Option<(&str, &str)> {
    text.split_once('+').filter(|(start, _)| parse_number(start).is_some())
}

fn range(text: &str, start: &str, size: &str) -> anyhow::Result<AddressRange> {
    let start = parse_number(start).and_then(|start| u32::try_from(start).ok());
    let found = start.zip(parse_size(size));
    let found = found.and_then(|(start, size)| AddressRange::new(Address(start), size));
    let found = found.filter(|range| !range.is_empty());
    found
        .ok_or_else(|| Usage(format!("`{text}` is no range of memory")))
        .hint("write 0x20001000+64, 0x20001000+4K, a symbol or a section")
}

fn named(name: &str, files: &[SymbolFile<'_>]) -> anyhow::Result<Vec<AddressRange>> {
    if files.is_empty() {
        return Err(Usage(format!("`{name}` is no range, and no ELF file is given")))
            .hint("name the firmware with `--elf` to redact symbols and sections");
    }
    let mut found = Vec::new();
    for file in files {
        let sections = file.image().allocated_sections();
        found.extend(sections.iter().filter(|s| s.name == name).map(|section| section.range));
        let symbols = file.symbols().iter().chain(file.symbol(name));
        for symbol in symbols.filter(|symbol| symbol.name == name) {
            let range = AddressRange::new(symbol.address, u64::from(symbol.size));
            let range = range
                .filter(|range| !range.is_empty())
                .ok_or_else(|| Usage(format!("the ELF file does not tell the size of `{name}`")));
            found.push(range.hint("give it as ADDR+SIZE")?);
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        let text = format!("the ELF file has no symbol and no section `{name}`");
        return Err(Usage(text).into());
    }
    Ok(found)
}

/// Overwrites `ranges` in `snapshot`, and says what cannot be promised.
pub(super) fn apply(
    snapshot: &mut Snapshot,
    ranges: &[AddressRange],
    err: &mut dyn Write,
) -> anyhow::Result<()> {
    if ranges.is_empty() {
        return Ok(());
    }
    for range in ranges {
        snapshot.memory.redact(*range);
    }
    let bytes: u64 = snapshot.memory.redacted().map(AddressRange::size).sum();
    writeln!(err, "note: {bytes} bytes are redacted; copies in registers or elsewhere are not")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    fn parse(text: &str) -> anyhow::Result<Vec<AddressRange>> {
        ranges(&[text.to_owned()], &[])
    }

    #[test]
    fn names_need_an_elf_and_ranges_do_not() {
        let needs = |text: &str| needs_elf(&["1+4".to_owned(), text.to_owned()]);
        assert!(needs("g_key") && needs(".bss") && needs("5"));
        assert!(!needs("0x20000000+64"));
    }

    #[test]
    fn ranges_are_numbers_and_names_need_an_elf() {
        let range = |start, size| AddressRange::new(Address(start), size).unwrap();
        assert_eq!(parse("0x20000000+64").unwrap(), [range(0x2000_0000, 64)]);
        assert_eq!(parse("16+4K").unwrap(), [range(16, 4096)]);
        for text in ["0x20000000+0", "0xffffffff+2", "1+x", "0x100000000+4", "g_key", ".bss", "5"] {
            let error = parse(text).unwrap_err();
            assert_eq!(Exit::of(&error), Exit::Usage, "{text}: {error:#}");
        }
    }
}
