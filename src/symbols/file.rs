//! One ELF behind one lookup: what is at an address, and where is a name.

use std::sync::OnceLock;

use super::cfi::CallFrames;
use super::dwarf::{DebugInfo, Program};
use super::elf::{AllocatedSection, ElfImage};
use super::exidx::ExceptionIndex;
use super::objects::Object;
use super::symtab::{Symbol, SymbolKind, SymbolTable};
use super::variables::Global;
use crate::base::{Address, Memory, Unreadable};

/// One ELF behind one lookup. Cheap to make: tables are built on first use and kept.
///
/// As [`Memory`] it gives the contents that the program cannot have changed: code and constants.
pub struct SymbolFile<'d> {
    image: &'d ElfImage<'d>,
    path: Option<String>,
    sections: Vec<AllocatedSection<'d>>,
    symbols: OnceLock<SymbolTable<'d>>,
    call_frames: OnceLock<CallFrames<'d>>,
    dwarf: OnceLock<Option<DebugInfo<'d>>>,
    globals: OnceLock<Vec<Global<'d>>>,
    variables: OnceLock<Vec<Object>>,
}

impl std::fmt::Debug for SymbolFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SymbolFile").field("image", self.image).finish_non_exhaustive()
    }
}

impl<'d> SymbolFile<'d> {
    /// Looks nothing up yet.
    pub fn new(image: &'d ElfImage<'d>) -> SymbolFile<'d> {
        SymbolFile {
            image,
            path: None,
            sections: image.allocated_sections(),
            symbols: OnceLock::new(),
            call_frames: OnceLock::new(),
            dwarf: OnceLock::new(),
            globals: OnceLock::new(),
            variables: OnceLock::new(),
        }
    }

    /// Says under which path people know the file.
    pub fn with_path(self, path: impl Into<String>) -> SymbolFile<'d> {
        SymbolFile { path: Some(path.into()), ..self }
    }

    /// The path under which people know the file.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Whether it is the firmware of the secure world: it has gateways for the other one, the
    /// section that GNU and LLVM linkers put them in.
    pub fn is_secure(&self) -> bool {
        // Rust's cortex-m-rt has an empty one in every program.
        self.image.section(".gnu.sgstubs").is_some_and(|gateways| !gateways.is_empty())
    }

    /// The file behind it.
    pub fn image(&self) -> &'d ElfImage<'d> {
        self.image
    }

    /// The symbol for `address` and the distance from its start. A sized symbol that covers the
    /// address is preferred, functions first; the nearest label below counts only in the same
    /// section and when no sized symbol lies between.
    pub fn symbol_at(&self, address: Address) -> Option<(&Symbol<'d>, u32)> {
        let section = self.section_at(address).map(|s| s.index);
        let symbol = self.table().at(address, section)?;
        Some((symbol, address.0.checked_sub(symbol.address.0)?))
    }

    /// The symbol of that name; a global one before a `static` one.
    pub fn symbol(&self, name: &str) -> Option<&Symbol<'d>> {
        self.table().by_name(name)
    }

    /// All symbols inside allocated sections, by address.
    pub fn symbols(&self) -> &[Symbol<'d>] {
        self.table().all()
    }

    /// The value of an absolute symbol (`SHN_ABS`), such as Zephyr's `CONFIG_*`.
    pub fn absolute(&self, name: &str) -> Option<u32> {
        self.table().absolute(name)
    }

    /// Whether `address` holds instructions: inside an executable section, and not in a table
    /// or literal pool as far as mapping symbols tell.
    pub fn is_code(&self, address: Address) -> bool {
        let address = address.without_thumb_bit();
        let Some(section) = self.section_at(address).filter(|s| s.executable) else { return false };
        section.bytes.is_some() && self.table().mapped_as_code(address, section).unwrap_or(true)
    }

    /// The first address of the function around `address`.
    pub fn function_start(&self, address: Address) -> Option<Address> {
        let address = address.without_thumb_bit();
        let (symbol, _) = self.symbol_at(address)?;
        let is_function = match symbol.kind {
            SymbolKind::Function => true,
            SymbolKind::NoType => self.is_code(address),
            _ => false,
        };
        is_function.then_some(symbol.address)
    }

    /// The allocated section that covers `address`.
    pub fn section_at(&self, address: Address) -> Option<&AllocatedSection<'d>> {
        self.sections.iter().find(|s| s.range.contains(address))
    }

    /// Unwind rules from `.debug_frame`; empty without that section.
    pub fn call_frames(&self) -> &CallFrames<'d> {
        self.call_frames
            .get_or_init(|| CallFrames::new(self.image.section(".debug_frame").unwrap_or(&[])))
    }

    /// Unwind rules from `.ARM.exidx`.
    pub fn exception_index(&self) -> Option<ExceptionIndex<'d>> {
        let table = self.image.section(".ARM.exidx")?;
        Some(ExceptionIndex::new(table, self.image.section_address(".ARM.exidx")?))
    }

    pub(super) fn table(&self) -> &SymbolTable<'d> {
        self.symbols.get_or_init(|| SymbolTable::parse(self.image))
    }

    pub(super) fn debug_info(&self) -> Option<&DebugInfo<'d>> {
        let open = || {
            let at_zero = self.table().starting_at(Address(0));
            let function_at_zero = at_zero.iter().any(|s| s.kind == SymbolKind::Function);
            let program = Program { sections: self.sections.clone(), function_at_zero };
            DebugInfo::new(self.image, program)
        };
        self.dwarf.get_or_init(open).as_ref()
    }

    /// All variables with a fixed address, over all units, each once.
    pub fn globals(&self) -> &[Global<'d>] {
        self.globals.get_or_init(|| self.find_globals())
    }

    /// Variables that stand in memory, by address.
    pub fn variables_by_address(&self) -> &[Object] {
        self.variables.get_or_init(|| self.place_variables())
    }

    /// How many compilation units keep their DWARF in another file (`-gsplit-dwarf`), which is
    /// not supported: nothing is known of their lines, types and variables.
    pub fn split_dwarf_units(&self) -> usize {
        self.debug_info().map_or(0, DebugInfo::split_units)
    }

    /// The run of constant bytes from `address` on that the file vouches for.
    fn constant_bytes(&self, address: Address) -> Option<&'d [u8]> {
        let (start, bytes) = if self.sections.is_empty() {
            // Stripped of its section table: what is neither copied, zeroed nor writable.
            let mut segments = self.image.segments().iter();
            let segment = segments.find(|s| {
                let constant = s.address == s.load_address && !s.writable;
                constant && s.range().contains(address)
            })?;
            (segment.address, segment.bytes)
        } else {
            let section = self.section_at(address).filter(|s| !s.is_ram())?;
            (section.range.start(), section.bytes?)
        };
        let offset = usize::try_from(address.0.checked_sub(start.0)?).ok()?;
        bytes.get(offset..).filter(|bytes| !bytes.is_empty())
    }
}

impl Memory for SymbolFile<'_> {
    fn read(&self, address: Address, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let mut at = address;
        let mut rest = buffer;
        while !rest.is_empty() {
            let unreadable = Unreadable { address: at };
            let bytes = self.constant_bytes(at).ok_or(unreadable)?;
            let count = bytes.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(bytes.get(..count).ok_or(unreadable)?);
            rest = later;
            if !rest.is_empty() {
                let count = u32::try_from(count).map_err(|_| unreadable)?;
                at = at.checked_add(count).ok_or(unreadable)?;
            }
        }
        Ok(())
    }
}
