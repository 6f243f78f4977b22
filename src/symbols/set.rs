//! Several ELFs behind one lookup: bootloader and application, secure and non-secure firmware.
//!
//! What an address means is asked of the one file that holds it; a name is looked for in all.

use super::code_address::CodeAddress;
use super::elf::AllocatedSection;
use super::file::SymbolFile;
use super::lines::SourceLocation;
use super::symtab::Symbol;
use crate::base::{Address, Memory, Unreadable};

/// Symbol files in the order in which they count where two claim the same address or name. Empty
/// when there are no symbols.
///
/// As [`Memory`] it gives the code and constants of all of them.
#[derive(Clone, Debug, Default)]
pub struct Symbols<'a, 'd> {
    files: Vec<&'a SymbolFile<'d>>,
    /// What each is called.
    names: Vec<String>,
}

impl<'a, 'd> Symbols<'a, 'd> {
    /// `files` in the order in which they count.
    pub fn new(files: impl IntoIterator<Item = &'a SymbolFile<'d>>) -> Symbols<'a, 'd> {
        let files: Vec<_> = files.into_iter().collect();
        let paths: Vec<&str> = files.iter().map(|file| file.path().unwrap_or("")).collect();
        let names = (0..files.len()).map(|index| short_name(&paths, index)).collect();
        Symbols { files, names }
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files, in the order in which they count.
    pub fn files(&self) -> &[&'a SymbolFile<'d>] {
        &self.files
    }

    /// The file that holds `address`: the first with a section there. A single file is asked about
    /// any address.
    pub fn at(&self, address: Address) -> Option<&'a SymbolFile<'d>> {
        match self.files.as_slice() {
            [only] => Some(only),
            files => files.iter().find(|file| file.section_at(address).is_some()).copied(),
        }
    }

    /// The name of a file among these: the end of its path that no other has.
    pub fn name_of(&self, file: &SymbolFile<'d>) -> &str {
        let mut named = self.files.iter().zip(&self.names);
        named.find(|(other, _)| std::ptr::eq(**other, file)).map_or("", |(_, name)| name)
    }

    /// The name of the file that holds `address`, when there are several to tell apart.
    pub fn image_at(&self, address: Address) -> Option<&str> {
        if self.files.len() < 2 {
            return None;
        }
        Some(self.name_of(self.at(address)?))
    }

    /// Whether one of the files is the secure world's firmware.
    pub fn has_secure(&self) -> bool {
        self.files.iter().any(|file| file.is_secure())
    }

    /// Whether code at `address` is of the secure world's firmware; `None` without such firmware, or
    /// when no file holds `address`.
    pub fn is_secure_at(&self, address: Address) -> Option<bool> {
        let mut holding = self.files.iter().filter(|file| file.section_at(address).is_some());
        let holds = holding.next().filter(|_| self.has_secure())?;
        Some(holds.is_secure())
    }

    /// [`SymbolFile::symbol_at`] of the file that holds `address`.
    pub fn symbol_at(&self, address: Address) -> Option<(&'a Symbol<'d>, u32)> {
        self.at(address)?.symbol_at(address)
    }

    /// [`SymbolFile::section_at`] of the file that holds `address`.
    pub fn section_at(&self, address: Address) -> Option<&'a AllocatedSection<'d>> {
        self.at(address)?.section_at(address)
    }

    /// [`SymbolFile::is_code`] of the file that holds `address`.
    pub fn is_code(&self, address: Address) -> bool {
        self.at(address).is_some_and(|file| file.is_code(address))
    }

    /// [`SymbolFile::line_at`] of the file that holds `address`.
    pub fn line_at(&self, address: CodeAddress) -> Option<SourceLocation<'d>> {
        self.at(address.lookup())?.line_at(address)
    }

    /// The symbol of that name in the first file that has one.
    pub fn symbol(&self, name: &str) -> Option<&'a Symbol<'d>> {
        self.files.iter().find_map(|file| file.symbol(name))
    }
}

/// The last parts of `paths[index]`, as many as tell it from the others.
fn short_name(paths: &[&str], index: usize) -> String {
    let parts =
        |path: &'_ str| -> Vec<String> { path.rsplit(['/', '\\']).map(str::to_string).collect() };
    let own = parts(paths.get(index).copied().unwrap_or(""));
    let others = paths.iter().enumerate().filter(|(other, _)| *other != index);
    let others: Vec<_> = others.map(|(_, path)| parts(path)).collect();
    let is_unique = |count: &usize| others.iter().all(|o| o.get(..*count) != own.get(..*count));
    let count = (1..own.len()).find(is_unique).unwrap_or(own.len());
    let shown: Vec<&str> = own.iter().take(count).rev().map(String::as_str).collect();
    match shown.join("/") {
        name if name.is_empty() => format!("image {}", index.saturating_add(1)),
        name => name,
    }
}

impl Memory for Symbols<'_, '_> {
    fn read(&self, address: Address, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let mut unreadable = Unreadable { address };
        for file in &self.files {
            match file.read(address, buffer) {
                Ok(()) => return Ok(()),
                Err(error) => unreadable = error,
            }
        }
        Err(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_long_as_they_must_be() {
        let paths = ["build/mcuboot/zephyr/zephyr.elf", "build/app/zephyr/zephyr.elf", "tfm_s.axf"];
        let name = |index| short_name(&paths, index);
        assert_eq!(name(0), "mcuboot/zephyr/zephyr.elf");
        assert_eq!(name(1), "app/zephyr/zephyr.elf");
        assert_eq!(name(2), "tfm_s.axf");
        assert_eq!(short_name(&["a.elf", "b/a.elf"], 0), "a.elf");
        assert_eq!(short_name(&["a.elf", "b/a.elf"], 1), "b/a.elf");
        assert_eq!(short_name(&["", ""], 1), "image 2");
    }
}
