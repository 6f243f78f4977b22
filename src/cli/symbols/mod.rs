//! `mflt symbols`: ask an ELF about addresses, names, types and builds.

mod at;
mod build_id;
mod find;
mod layout;
mod name;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Context, Exit, elf};
use crate::report::{Hex32, printable};
use crate::symbols::{SourceLocation, Symbol, SymbolFile, SymbolKind};

/// Look up addresses, names and types in an ELF, print build IDs, find the ELF of a dump.
///
/// Exits with 1 when nothing was found.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt symbols at 0x08001234 0x20000460 --elf zephyr.elf\n  \
    mflt symbols name 'k_sem_*' --elf zephyr.elf\n  \
    mflt symbols type 'struct k_thread' --elf zephyr.elf\n  \
    mflt symbols build-id zephyr.elf crash.core\n  \
    mflt symbols find crash.core --in ~/builds")]
pub(super) struct SymbolsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    At(at::AtArgs),
    Name(name::NameArgs),
    Type(layout::TypeArgs),
    BuildId(build_id::BuildIdArgs),
    Find(find::FindArgs),
}

impl SymbolsArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        match self.verb {
            Verb::At(args) => args.run(context),
            Verb::Name(args) => args.run(context),
            Verb::Type(args) => args.run(context),
            Verb::BuildId(args) => args.run(context),
            Verb::Find(args) => args.run(context),
        }
    }
}

/// Runs `ask` with the symbols of the files at `paths`.
fn with_symbols<T>(
    paths: &[PathBuf],
    ask: impl FnOnce(&[SymbolFile<'_>]) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let files = elf::map_all(paths)?;
    let images = elf::parse_all(paths, &files)?;
    ask(&elf::symbols_of(paths, &images))
}

fn write_line(context: &mut Context<'_>, line: &str) -> anyhow::Result<()> {
    Ok(writeln!(context.out, "{}", printable(line))?)
}

/// A place in the source.
#[derive(Clone, Debug, Serialize)]
struct Source {
    file: String,
    line: Option<u32>,
}

impl Source {
    fn text(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }
}

impl From<SourceLocation<'_>> for Source {
    fn from(location: SourceLocation<'_>) -> Source {
        Source { file: location.file, line: location.line }
    }
}

/// A name of the symbol table or of the debug information.
#[derive(Clone, Debug, Serialize)]
struct Named {
    /// As the source spells it.
    name: String,
    /// As the linker knows it, where that is another name (C++, Rust).
    linkage_name: Option<String>,
    kind: &'static str,
    address: Option<Hex32>,
    size: Option<u64>,
    section: Option<String>,
    #[serde(rename = "type")]
    type_name: Option<String>,
    source: Option<Source>,
}

/// The name of the linker, where it is not that of the source.
fn linkage_name(symbol: &Symbol<'_>) -> Option<String> {
    (symbol.readable() != symbol.name).then(|| symbol.name.to_string())
}

fn kind_name(kind: SymbolKind) -> &'static str {
    match kind {
        SymbolKind::Function => "function",
        SymbolKind::Object => "variable",
        SymbolKind::NoType => "label",
        SymbolKind::Other(_) => "other",
    }
}
