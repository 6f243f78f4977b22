//! Which memory to capture: what the user names, or the RAM that the program uses.

use super::numbers::{format_size, parse_number, parse_size};
use super::{Usage, WithHint};
use crate::base::{Address, AddressRange};
use crate::symbols::{SymbolFile, Symbols};

/// Most bytes of one region that is not named by the user.
const MAX_GUESSED: u64 = 1 << 20;
/// Most bytes of all regions together.
const MAX_TOTAL: u64 = 256 << 20;
/// Sections that are closer than this are captured in one.
const JOIN: u64 = 256;

/// The regions of `--region ADDR SIZE`, which come in pairs.
///
/// # Errors
/// [`Usage`], naming the argument that makes no sense.
pub(super) fn named(
    arguments: &[String],
    symbols: &Symbols<'_, '_>,
) -> anyhow::Result<Vec<AddressRange>> {
    let mut ranges = Vec::new();
    for pair in arguments.chunks(2) {
        let [address, size] = pair else { continue };
        let start = parse_address(address, symbols)?;
        let size = parse_region_size(size, symbols)?;
        let range = AddressRange::new(start, size).ok_or_else(|| {
            Usage(format!("region `{address}`: {size} bytes at {start} pass the end of memory"))
        })?;
        ranges.push(range);
    }
    check_total(&ranges)?;
    Ok(ranges)
}

fn check_total(ranges: &[AddressRange]) -> anyhow::Result<()> {
    let total = ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(range.size()));
    if total > MAX_TOTAL {
        let (total, limit) = (format_size(total), format_size(MAX_TOTAL));
        return Err(Usage(format!("the regions have {total}, more than the {limit} allowed")))
            .hint("give smaller regions with `--region ADDR SIZE`");
    }
    Ok(())
}

/// A number, a symbol or symbol+offset.
///
/// # Errors
/// [`Usage`], naming the text when it makes no sense.
pub(super) fn parse_address(text: &str, symbols: &Symbols<'_, '_>) -> anyhow::Result<Address> {
    if let Some(number) = parse_number(text) {
        let address = u32::try_from(number)
            .map_err(|_| Usage(format!("address `{text}` is beyond 32 bits")))?;
        return Ok(Address(address));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Usage(format!("address `{text}` is not a number")))
            .hint("write 0x20000000, 536870912, a symbol, or symbol+0x10");
    }
    // C++ names may hold a `+` themselves: the whole text first.
    let (name, offset) = match (look_up(text, symbols), text.rsplit_once('+')) {
        (Err(_), Some((name, offset))) if parse_number(offset).is_some() => (name, offset),
        _ => (text, "0"),
    };
    let (address, _) = look_up(name, symbols)?;
    let offset = parse_number(offset).and_then(|offset| u32::try_from(offset).ok());
    let address = offset.and_then(|offset| address.checked_add(offset));
    Ok(address.ok_or_else(|| Usage(format!("address `{text}` is beyond 32 bits")))?)
}

fn parse_region_size(text: &str, symbols: &Symbols<'_, '_>) -> anyhow::Result<u64> {
    let size = match parse_size(text) {
        Some(size) => size,
        None if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            return Err(Usage(format!("region size `{text}` is not a size")))
                .hint("write 4096, 0x1000, 256K or 1M");
        }
        None => match look_up(text, symbols)? {
            (_, 0) => {
                return Err(Usage(format!("the ELF file does not tell the size of `{text}`")))
                    .hint("give the size as a number");
            }
            (_, size) => u64::from(size),
        },
    };
    match size {
        0 => Err(Usage("the size of a region is 0".to_owned()).into()),
        1..=0x1_0000_0000 => Ok(size),
        _ => Err(Usage(format!("region size `{text}` is beyond 4 GiB")).into()),
    }
}

fn look_up(name: &str, symbols: &Symbols<'_, '_>) -> anyhow::Result<(Address, u32)> {
    if symbols.is_empty() {
        return Err(Usage(format!("`{name}` is no number, and no ELF file is given")))
            .hint("name the firmware with `--elf` to use its symbols");
    }
    match symbols.symbol(name) {
        Some(symbol) => Ok((symbol.address, symbol.size)),
        None => Err(Usage(format!("the ELF file has no symbol `{name}`")).into()),
    }
}

/// A region, and how many of its bytes are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guess {
    /// What is captured.
    pub(super) range: AddressRange,
    /// What the region really has, in bytes.
    pub(super) size: u64,
}

/// The RAM that the programs of `files` use: their writable sections, near ones joined.
pub(super) fn of_elfs(files: &[SymbolFile<'_>]) -> Vec<Guess> {
    let sections = files.iter().flat_map(|file| file.image().allocated_sections());
    guess(sections.filter(|section| section.is_ram()).map(|section| section.range))
}

/// Ranges in order, near ones joined, each at most [`MAX_GUESSED`] long.
pub(super) fn guess(ranges: impl IntoIterator<Item = AddressRange>) -> Vec<Guess> {
    let mut ranges: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
    ranges.sort();
    let mut joined: Vec<AddressRange> = Vec::new();
    for range in ranges {
        let near = |last: &&mut AddressRange| {
            u64::from(range.start().0) <= last.end().saturating_add(JOIN)
        };
        match joined.last_mut().filter(near) {
            Some(last) => {
                let end = last.end().max(range.end());
                let size = end.saturating_sub(u64::from(last.start().0));
                *last = AddressRange::new(last.start(), size).unwrap_or(*last);
            }
            None => joined.push(range),
        }
    }
    let cut = |range: AddressRange| Guess {
        range: AddressRange::new(range.start(), range.size().min(MAX_GUESSED)).unwrap_or(range),
        size: range.size(),
    };
    joined.into_iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    fn range(start: u32, size: u64) -> AddressRange {
        AddressRange::new(Address(start), size).unwrap()
    }

    fn parse(arguments: &[&str]) -> anyhow::Result<Vec<AddressRange>> {
        let arguments: Vec<String> = arguments.iter().map(|text| text.to_string()).collect();
        named(&arguments, &Symbols::default())
    }

    #[test]
    fn regions_in_numbers() {
        let ranges = parse(&["0x20000000", "256K", "1073741824", "16"]).unwrap();
        assert_eq!(ranges, [range(0x2000_0000, 256 << 10), range(0x4000_0000, 16)]);
        assert_eq!(parse(&["0xffffffff", "1"]).unwrap(), [range(0xffff_ffff, 1)]);
    }

    #[test]
    fn nonsense_is_a_usage_error_that_names_it() {
        for (address, size, says) in [
            ("0x20000000", "0", "size of a region is 0"),
            ("0x20000000", "-4", "`-4` is not a size"),
            ("0x20000000", "4Q", "`4Q` is not a size"),
            ("0x20000000", "0x100000001", "beyond 4 GiB"),
            ("0x20000000", "300M", "more than the 256 MiB"),
            ("0xfffffff0", "32", "pass the end of memory"),
            ("0x100000000", "4", "beyond 32 bits"),
            ("12monkeys", "4", "`12monkeys` is not a number"),
            ("g_state", "4", "no ELF file is given"),
            ("0x20000000", "g_state", "no ELF file is given"),
        ] {
            let error = parse(&[address, size]).unwrap_err();
            assert_eq!(Exit::of(&error), Exit::Usage);
            let text = super::super::exit::render(&error);
            assert!(text.contains(says), "{text}");
        }
    }

    #[test]
    fn near_sections_are_joined_and_large_ones_cut() {
        let guesses = guess([
            range(0x2000_0438, 0xb04),
            range(0x2000_0008, 0x42c),
            range(0x2000_0000, 8),
            range(0x2000_8000, 0),
            range(0x6000_0000, 16 << 20),
        ]);
        let expected = [
            Guess { range: range(0x2000_0000, 0xf3c), size: 0xf3c },
            Guess { range: range(0x6000_0000, 1 << 20), size: 16 << 20 },
        ];
        assert_eq!(guesses, expected);
    }
}
