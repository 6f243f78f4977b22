//! The ELF symbol table (`.symtab`, else `.dynsym`): names of addresses. gABI chapter 4; for
//! mapping symbols (`$t`, `$a`, `$d`) and the Thumb bit AAELF32 5.5.3 and 5.5.5.

use super::elf::{AllocatedSection, ElfImage, string_at};
use crate::base::{Address, FastMap, Reader};

const SHT_SYMTAB: u32 = 2;
const SHT_DYNSYM: u32 = 11;
const SHN_UNDEF: u16 = 0;
const SHN_LORESERVE: u16 = 0xff00;
const SHN_ABS: u16 = 0xfff1;
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;
const STT_SECTION: u8 = 3;
const STT_FILE: u8 = 4;
const STB_LOCAL: u8 = 0;
const STB_GLOBAL: u8 = 1;
const ENTRY_SIZE: usize = 16;
/// Symbols below an address that may be looked at: one whose size is forged covers all behind it.
const MAX_LOOK_BACK: usize = 4096;

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// Code (`STT_FUNC`).
    Function,
    /// Data (`STT_OBJECT`).
    Object,
    /// A label: assembly, or the linker script (`STT_NOTYPE`).
    NoType,
    /// Anything else, with its `STT_*` number.
    Other(u8),
}

/// A named address inside an allocated section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'d> {
    /// Its name as the linker knows it.
    pub name: &'d str,
    /// Its address; for a function with the Thumb bit cleared.
    pub address: Address,
    /// Its size in bytes; 0 when the symbol table does not say.
    pub size: u32,
    /// What it names.
    pub kind: SymbolKind,
    section: u16,
    preference: u8,
}

impl Symbol<'_> {
    fn end(&self) -> u64 {
        u64::from(self.address.0).saturating_add(u64::from(self.size))
    }

    fn rank(&self) -> (u8, u8) {
        let kind = match self.kind {
            SymbolKind::Function => 3,
            SymbolKind::Object => 2,
            SymbolKind::NoType => 1,
            SymbolKind::Other(_) => 0,
        };
        (kind, self.preference)
    }
}

/// A mapping symbol: from here on the section holds code or data.
struct Mapping {
    section: u16,
    address: u32,
    code: bool,
}

/// All symbols, ordered for look-ups.
#[derive(Default)]
pub(super) struct SymbolTable<'d> {
    /// By address.
    symbols: Vec<Symbol<'d>>,
    /// For each symbol the highest end of it and all before it: where a backward search may stop.
    reach: Vec<u64>,
    by_name: FastMap<&'d str, usize>,
    absolute: FastMap<&'d str, u32>,
    mappings: Vec<Mapping>,
}

impl<'d> SymbolTable<'d> {
    pub(super) fn parse(image: &ElfImage<'d>) -> SymbolTable<'d> {
        let table = image.section_of_type(SHT_SYMTAB).or_else(|| image.section_of_type(SHT_DYNSYM));
        let Some((bytes, Some(names))) = table else { return SymbolTable::default() };
        let mut this = SymbolTable::default();
        for entry in bytes.chunks_exact(ENTRY_SIZE) {
            let _ = this.add(&mut Reader::new(entry), names);
        }
        this.symbols.sort_by_key(|s| s.address);
        this.mappings.sort_by_key(|m| (m.section, m.address));
        let mut highest = 0;
        for (index, symbol) in this.symbols.iter().enumerate() {
            highest = highest.max(symbol.end());
            this.reach.push(highest);
            let entry = this.by_name.entry(symbol.name).or_insert(index);
            // Two `static` of one name: either; but a global wins over them.
            if this.symbols.get(*entry).is_some_and(|s| s.preference < symbol.preference) {
                *entry = index;
            }
        }
        this
    }

    fn add(&mut self, r: &mut Reader<'d>, names: &'d [u8]) -> Option<()> {
        let name = string_at(names, r.u32().ok()?);
        let value = r.u32().ok()?;
        let size = r.u32().ok()?;
        let info = r.u8().ok()?;
        r.skip(1).ok()?;
        let section = r.u16().ok()?;
        let (kind, binding) = (info & 15, info >> 4);
        if name.is_empty() || kind == STT_SECTION || kind == STT_FILE {
            return None;
        }
        if section == SHN_ABS {
            self.absolute.insert(name, value);
            return None;
        }
        if section == SHN_UNDEF || section >= SHN_LORESERVE {
            return None;
        }
        if let Some(code) = mapping(name) {
            self.mappings.push(Mapping { section, address: value, code });
            return None;
        }
        let kind = match kind {
            0 => SymbolKind::NoType,
            STT_OBJECT => SymbolKind::Object,
            STT_FUNC => SymbolKind::Function,
            other => SymbolKind::Other(other),
        };
        let address = match kind {
            SymbolKind::Function => Address(value).without_thumb_bit(),
            _ => Address(value),
        };
        // Weak names are aliases more often than not: `SysTick_Handler` of `Default_Handler`.
        let preference = match binding {
            STB_GLOBAL => 2,
            STB_LOCAL => 1,
            _ => 0,
        };
        self.symbols.push(Symbol { name, address, size, kind, section, preference });
        Some(())
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Symbol<'d>> {
        self.symbols.get(*self.by_name.get(name)?)
    }

    pub(super) fn absolute(&self, name: &str) -> Option<u32> {
        self.absolute.get(name).copied()
    }

    pub(super) fn all(&self) -> &[Symbol<'d>] {
        &self.symbols
    }

    /// The symbols that start at `address`.
    pub(super) fn starting_at(&self, address: Address) -> &[Symbol<'d>] {
        let start = self.symbols.partition_point(|s| s.address < address);
        let end = self.symbols.partition_point(|s| s.address <= address);
        self.symbols.get(start..end).unwrap_or_default()
    }

    /// The best symbol for `address`: one that covers it, functions first, the smallest first;
    /// else the label just below it in `section`, when no sized symbol lies between.
    pub(super) fn at(&self, address: Address, section: Option<u16>) -> Option<&Symbol<'d>> {
        let end = self.symbols.partition_point(|s| s.address <= address);
        let mut best: Option<&Symbol<'d>> = None;
        let mut label: Option<&Symbol<'d>> = None;
        let mut blocked = false;
        let below = self.symbols.get(..end)?.iter().zip(&self.reach).rev().take(MAX_LOOK_BACK);
        for (symbol, reach) in below {
            let may_cover = *reach > u64::from(address.0);
            // A label inside a sized symbol that ends before the address says nothing either.
            let settled = label
                .is_some_and(|l| l.address > symbol.address && *reach <= u64::from(l.address.0));
            if !may_cover && (blocked || settled) {
                break;
            }
            if symbol.end() > u64::from(address.0) {
                let key = |s: &Symbol<'_>| (s.rank().0, std::cmp::Reverse(s.size), s.rank().1);
                if best.is_none_or(|b| key(symbol) > key(b)) {
                    best = Some(symbol);
                }
            } else if symbol.size > 0 {
                blocked = true;
                label = label.filter(|l| symbol.end() <= u64::from(l.address.0));
            } else if !blocked && Some(symbol.section) == section {
                let better =
                    label.is_none_or(|l| l.address == symbol.address && symbol.rank() > l.rank());
                if better {
                    label = Some(symbol);
                }
            }
        }
        best.or(label)
    }

    /// Whether mapping symbols say that `address` in `section` holds code; `None` when the
    /// section has none below the address.
    pub(super) fn mapped_as_code(
        &self,
        address: Address,
        section: &AllocatedSection<'d>,
    ) -> Option<bool> {
        // Sections that are not loaded, of debug information for example, have theirs as well.
        let at = (section.index, address.0);
        let end = self.mappings.partition_point(|m| (m.section, m.address) <= at);
        let mapping = self.mappings.get(end.checked_sub(1)?)?;
        (mapping.section == section.index).then_some(mapping.code)
    }
}

/// Whether `name` is a mapping symbol, and for code: `$t`, `$a` or `$d`, with or without `.any`.
fn mapping(name: &str) -> Option<bool> {
    let mut characters = name.strip_prefix('$')?.chars();
    let code = match characters.next()? {
        't' | 'a' => true,
        'd' => false,
        _ => return None,
    };
    matches!(characters.next(), None | Some('.')).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(symbols: &[(&'static str, u32, u32, SymbolKind)]) -> SymbolTable<'static> {
        let mut table = SymbolTable::default();
        let mut highest = 0;
        for &(name, address, size, kind) in symbols {
            let address = Address(address);
            table.symbols.push(Symbol { name, address, size, kind, section: 1, preference: 2 });
            highest = highest.max(u64::from(address.0) + u64::from(size));
            table.reach.push(highest);
        }
        table
    }

    fn name_at(table: &SymbolTable<'static>, address: u32) -> Option<&'static str> {
        table.at(Address(address), Some(1)).map(|s| s.name)
    }

    #[test]
    fn sized_function_wins_over_label_inside_it() {
        use SymbolKind::{Function, NoType, Object};
        let t = table(&[
            ("table", 0x100, 0x100, Object),
            ("f", 0x110, 0x20, Function),
            ("label", 0x118, 0, NoType),
            ("tail", 0x300, 0, NoType),
        ]);
        assert_eq!(name_at(&t, 0x11a), Some("f"));
        assert_eq!(name_at(&t, 0x150), Some("table"));
        assert_eq!(name_at(&t, 0x250), None, "past a sized symbol nothing is known");
        assert_eq!(name_at(&t, 0x304), Some("tail"));
        assert_eq!(t.at(Address(0x304), Some(2)), None, "another section");
        assert_eq!(name_at(&t, 0x80), None);
    }

    #[test]
    fn mapping_symbols_are_told_from_names() {
        assert_eq!(mapping("$t"), Some(true));
        assert_eq!(mapping("$d.12"), Some(false));
        assert_eq!(mapping("$data"), None);
        assert_eq!(mapping("main"), None);
    }
}
