//! `mflt symbols at`: what is at an address.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::super::{Context, Exit, Usage};
use super::{Named, Source, kind_name, linkage_name, with_symbols, write_line};
use crate::base::{Address, AddressRange};
use crate::report::Hex32;
use crate::symbols::{CodeAddress, SymbolFile, Symbols};

/// Tell the function, inlined calls and source line, or the variable and member, at an address.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt symbols at 0x08001234 --elf zephyr.elf\n  \
    mflt symbols at --return 080012a7 080016f3 --elf zephyr.elf\n  \
    mflt symbols at main+0x24 --elf zephyr.elf --json\n  \
    mflt symbols at main.c:107 --elf zephyr.elf")]
pub(super) struct AtArgs {
    /// Addresses in hexadecimal, with or without `0x`, or `symbol` or `symbol+offset`, or `FILE:LINE`
    /// for all the code of a source line.
    #[arg(value_name = "ADDR", required = true)]
    addresses: Vec<String>,
    /// The firmware's ELF file; of several the first that holds the address counts.
    #[arg(long, value_name = "ELF", required = true)]
    elf: Vec<PathBuf>,
    /// The addresses are return addresses: look up the calls before them.
    #[arg(long = "return")]
    is_return: bool,
    /// Print a JSON list.
    #[arg(long)]
    json: bool,
}

/// What is at an address.
#[derive(Debug, Serialize)]
struct Found {
    address: Hex32,
    /// The last address of the piece of code, where a source line was asked for.
    last: Option<Hex32>,
    symbol: Option<Named>,
    /// Bytes from the start of the symbol.
    offset: Option<u32>,
    section: Option<String>,
    /// The function and the calls inlined there, innermost first.
    frames: Vec<Call>,
    variable: Option<Part>,
}

#[derive(Debug, Serialize)]
struct Call {
    function: Option<String>,
    inlined: bool,
    source: Option<Source>,
}

/// A variable, or a part of one.
#[derive(Debug, Serialize)]
struct Part {
    /// As the source selects it.
    path: String,
    #[serde(rename = "type")]
    type_name: String,
    /// Bytes from the start of the part.
    offset: u64,
    source: Option<Source>,
}

impl AtArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        with_symbols(&self.elf, |files| {
            let symbols = Symbols::new(files);
            let parse = |text: &String| parse(text, files, &symbols);
            let places: Vec<Vec<Place>> =
                self.addresses.iter().map(parse).collect::<Result<_, _>>()?;
            let found: Vec<Found> = places
                .into_iter()
                .flatten()
                .map(|Place { address, last }| {
                    let holds = |file: &SymbolFile<'_>| file.section_at(address).is_some();
                    let index = files.iter().position(holds).unwrap_or(0);
                    let is_return = self.is_return && last.is_none();
                    let found = look_up(address, is_return, &files[index]);
                    Found { last: last.map(Hex32::from), ..found }
                })
                .collect();
            if self.json {
                context.json(&found)?;
            } else {
                for found in &found {
                    for line in lines(found) {
                        write_line(context, &line)?;
                    }
                }
            }
            let any = found.iter().any(|found| found.section.is_some());
            Ok(if any { Exit::Done } else { Exit::Failed })
        })
    }
}

/// What is asked for.
struct Place {
    address: Address,
    /// The end of a source line's piece of code.
    last: Option<Address>,
}

/// An address, or `FILE:LINE`.
fn parse(
    text: &str,
    files: &[SymbolFile<'_>],
    symbols: &Symbols<'_, '_>,
) -> Result<Vec<Place>, Usage> {
    let line = text.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    let Some((file, line)) = line.filter(|(file, _)| !file.is_empty()) else {
        return Ok(vec![Place { address: parse_address(text, symbols)?, last: None }]);
    };
    let pieces = files.iter().flat_map(|symbols| symbols.code_of_line(file, line));
    let place = |range: AddressRange| {
        let last = range.size().checked_sub(1).and_then(|size| i64::try_from(size).ok());
        Place { address: range.start(), last: last.map(|size| range.start().wrapping_add(size)) }
    };
    let places: Vec<Place> = pieces.map(place).collect();
    if places.is_empty() {
        return Err(Usage(format!("the ELF file has no code of line {line} of `{file}`")));
    }
    Ok(places)
}

/// `0x08001234`, `8001234`, `main`, `main+0x24`.
fn parse_address(text: &str, symbols: &Symbols<'_, '_>) -> Result<Address, Usage> {
    let number = |text: &str| {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        let is_number = digits.chars().all(|c| c.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| is_number)
    };
    let start = |name: &str| symbols.symbol(name).map(|symbol| symbol.address);
    if let Some(address) = start(text) {
        return Ok(address);
    }
    if let Some((name, offset)) = text.rsplit_once('+')
        && let Some(address) = start(name)
    {
        // Offsets are in decimal, as they are printed, unless they say otherwise.
        let offset =
            super::super::numbers::parse_number(offset).and_then(|o| u32::try_from(o).ok());
        let address = offset.and_then(|offset| address.checked_add(offset));
        return address.ok_or_else(|| Usage(format!("`{text}` is no address of 32 bits")));
    }
    number(text).map(Address).ok_or_else(|| {
        Usage(format!(
            "`{text}` is neither a hexadecimal address, a symbol of the ELF file, nor FILE:LINE"
        ))
    })
}

fn look_up(address: Address, is_return: bool, symbols: &SymbolFile<'_>) -> Found {
    let code = match is_return {
        true => CodeAddress::Return(address),
        false => CodeAddress::Instruction(address),
    };
    let is_code = symbols.is_code(code.lookup());
    let at = if is_code { code.lookup() } else { address };
    let section = symbols.section_at(at).map(|section| section.name.to_string());
    let symbol = symbols.symbol_at(at).filter(|_| section.is_some());
    let frames = symbols.frames_at(code).into_iter().filter(|_| is_code).map(|frame| Call {
        function: frame.readable().map(String::from),
        inlined: frame.inlined,
        source: frame.location.map(Source::from),
    });
    // Code needs no variables, which would take a look at every unit.
    let variable = if is_code { None } else { symbols.objects_at(at).pop() };
    let variable = variable.map(|part| Part {
        type_name: symbols.type_name(part.ty).to_string(),
        offset: at.0.wrapping_sub(part.address.0).into(),
        source: symbols.declaration_of(&part).map(Source::from),
        path: part.name,
    });
    Found {
        address: address.into(),
        last: None,
        offset: symbol.map(|(symbol, _)| {
            let from = if is_code { address.without_thumb_bit() } else { address };
            from.0.wrapping_sub(symbol.address.0)
        }),
        symbol: symbol.map(|(symbol, _)| Named {
            name: symbol.readable().into_owned(),
            linkage_name: linkage_name(symbol),
            kind: kind_name(symbol.kind),
            address: Some(symbol.address.into()),
            size: Some(u64::from(symbol.size)),
            section: section.clone(),
            type_name: None,
            source: symbols.line_at(code).filter(|_| is_code).map(Source::from),
        }),
        section,
        frames: frames.collect(),
        variable,
    }
}

fn lines(found: &Found) -> Vec<String> {
    let at = |source: &Option<Source>| {
        source.as_ref().map_or(String::new(), |source| format!(" at {}", source.text()))
    };
    let plus = |offset: u64| if offset > 0 { format!("+{offset}") } else { String::new() };
    let offset = plus(found.offset.unwrap_or(0).into());
    let section = found.section.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    let mut texts = Vec::new();
    if let Some(part) = &found.variable {
        let Part { path, type_name, offset, source } = part;
        let section = found.section.as_deref().unwrap_or("?");
        texts.push(format!("{path}{}{} ({type_name}, {section})", plus(*offset), at(source)));
    }
    for call in &found.frames {
        let name = call.function.as_deref().unwrap_or("?");
        let into = if texts.is_empty() { "" } else { "inlined into " };
        let (offset, section) = if call.inlined { ("", "") } else { (&*offset, &*section) };
        texts.push(format!("{into}{name}{offset}{}{section}", at(&call.source)));
    }
    if texts.is_empty() {
        texts.push(match &found.symbol {
            Some(symbol) => format!("{}{offset}{}{section}", symbol.name, at(&symbol.source)),
            None => format!("?{section}"),
        });
    }
    let mut lead = match found.last {
        Some(last) => format!("{}..{last}", found.address),
        None => found.address.to_string(),
    };
    let mut lines = Vec::new();
    for text in texts {
        lines.push(format!("{lead} {text}"));
        lead = " ".repeat(lead.len());
    }
    lines
}
