//! `mflt symbols name`: where functions, variables and types of a name are.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::{Context, Exit, hinted};
use super::{Named, Source, kind_name, linkage_name, with_symbols, write_line};
use crate::base::Address;
use crate::symbols::{CodeAddress, Symbol, SymbolFile};

/// Most names that an error offers instead.
const MOST_OFFERED: usize = 5;

/// List symbols, variables and types by name, with address, size, section and source line.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt symbols name main --elf zephyr.elf\n  \
    mflt symbols name 'uart_*' '*_stack' --elf zephyr.elf --sort size")]
pub(super) struct NameArgs {
    /// Whole names, of C++ and Rust as the source or the linker spells them; `*` stands for any
    /// characters, `?` for one.
    #[arg(value_name = "PATTERN", required = true)]
    patterns: Vec<String>,
    /// The firmware's ELF file; may be given several times.
    #[arg(long, value_name = "ELF", required = true)]
    elf: Vec<PathBuf>,
    /// The order of the list; by size the largest comes first.
    #[arg(long, value_enum, default_value_t = Order::Address)]
    sort: Order,
    /// Print a JSON list.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Address,
    Size,
    Name,
}

impl NameArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        with_symbols(&self.elf, |files| {
            let wanted = |name: &str| self.patterns.iter().any(|pattern| matches(pattern, name));
            let mut found: Vec<Named> = files.iter().flat_map(|file| find(file, wanted)).collect();
            if found.is_empty() {
                return Err(self.nothing(files));
            }
            match self.sort {
                Order::Address => found.sort_by_key(|n| (n.address.is_none(), n.address)),
                Order::Size => found.sort_by_key(|n| std::cmp::Reverse(n.size)),
                Order::Name => found.sort_by(|a, b| a.name.cmp(&b.name)),
            }
            if self.json {
                context.json(&found)?;
            } else {
                for named in &found {
                    write_line(context, &line(named))?;
                }
            }
            Ok(Exit::Done)
        })
    }

    fn nothing(&self, files: &[SymbolFile<'_>]) -> anyhow::Error {
        let patterns = self.patterns.join("`, `");
        let error = anyhow::anyhow!("no symbol, variable or type is named `{patterns}`");
        let lower: Vec<String> = self.patterns.iter().map(|p| p.to_lowercase()).collect();
        let near = |name: &str| {
            let name = name.to_lowercase();
            lower.iter().any(|pattern| name.contains(pattern.trim_matches('*')))
        };
        let found = files.iter().flat_map(|file| find(file, near));
        let names: BTreeSet<String> = found.map(|named| named.name).collect();
        if names.is_empty() {
            return error;
        }
        let few: Vec<String> = names.into_iter().take(MOST_OFFERED).collect();
        let hint = format!("names that contain it, such as {}, are found with `*`", few.join(", "));
        hinted(error, hint)
    }
}

fn find(symbols: &SymbolFile<'_>, wanted: impl Fn(&str) -> bool) -> Vec<Named> {
    let section = |at: Address| symbols.section_at(at).map(|section| section.name.to_string());
    let mut found = Vec::new();
    let mut listed = BTreeSet::new();
    for variable in symbols.variables_by_address() {
        let (name, address) = (&variable.name, variable.address);
        let plain = name.rsplit("::").next().unwrap_or(name);
        if wanted(name) || wanted(plain) {
            listed.insert((address, plain));
            found.push(Named {
                name: name.clone(),
                linkage_name: None,
                kind: "variable",
                address: Some(address.into()),
                size: Some(variable.size),
                section: section(address),
                type_name: Some(symbols.type_name(variable.ty).to_string()),
                source: symbols.declaration_of(variable).map(Source::from),
            });
        }
    }
    let meant = |symbol: &&Symbol<'_>| wanted(symbol.name) || wanted(&symbol.readable());
    for symbol in symbols.symbols().iter().filter(meant) {
        // What the debug information knows better stands there already, without namespace; a static
        // of a function has a number behind its name.
        let readable = symbol.readable();
        let plain = readable.rsplit("::").next().unwrap_or(symbol.name);
        let plain = plain.split('.').next().unwrap_or(plain);
        if listed.contains(&(symbol.address, plain)) {
            continue;
        }
        let code = CodeAddress::Instruction(symbol.address);
        let line = || symbols.line_at(code).filter(|_| symbols.is_code(symbol.address));
        let declared = symbols.declaration_of_function(symbol.address).or_else(line);
        found.push(Named {
            name: symbol.readable().into_owned(),
            linkage_name: linkage_name(symbol),
            kind: kind_name(symbol.kind),
            address: Some(symbol.address.into()),
            size: Some(u64::from(symbol.size)),
            section: section(symbol.address),
            type_name: None,
            source: declared.map(Source::from),
        });
    }
    for (name, ty) in symbols.named_types().into_iter().filter(|(name, _)| wanted(name)) {
        found.push(Named {
            name: name.to_string(),
            linkage_name: None,
            kind: "type",
            address: None,
            size: symbols.type_size(ty),
            section: None,
            type_name: Some(symbols.type_name(ty).to_string()),
            source: symbols.declaration_of_type(ty).map(Source::from),
        });
    }
    found
}

fn line(named: &Named) -> String {
    let address = named.address.map_or_else(|| "-".to_string(), |address| address.to_string());
    let size = named.size.map_or_else(|| "?".to_string(), |size| size.to_string());
    let kind = named.kind;
    let section = named.section.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    let source = named.source.as_ref().map_or(String::new(), |s| format!(" at {}", s.text()));
    let name = match (&named.type_name, kind) {
        (Some(type_name), "type") => type_name.clone(),
        (Some(type_name), _) => format!("{}: {type_name}", named.name),
        (None, _) => named.name.clone(),
    };
    format!("{address:<10} {size:>7} {kind:<8} {name}{section}{source}")
}

/// Whether all of `name` is what `pattern` says.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // The last `*`, and where in the name it was last tried to end.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(character) if *character == b'?' || *character == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, tried)) => {
                    star = Some((at, tried + 1));
                    (p, n) = (at + 1, tried + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|character| *character == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn pattern_matches_whole_names() {
        assert!(matches("main", "main"));
        assert!(!matches("main", "main2"));
        assert!(matches("k_*_take", "k_sem_take"));
        assert!(matches("*take", "k_sem_take"));
        assert!(matches("*", ""));
        assert!(matches("k_??m", "k_sem"));
        assert!(!matches("k_*_give", "k_sem_take"));
        assert!(matches("*a*b*", "xxaxxaxb"));
        assert!(!matches("", "x"));
    }
}
