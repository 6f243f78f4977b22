//! Symbols of an image, read without the code under test.

use super::file;
use object::{Object as _, ObjectSymbol as _};
use std::fs;

/// Address of a function, without the Thumb bit.
pub(crate) fn symbol(elf: &str, name: &str) -> Option<u32> {
    let bytes = fs::read(file(elf)).expect("an image of the fixtures");
    let image = object::File::parse(&*bytes).expect("an ELF file");
    let found = image.symbols().find(|symbol| symbol.name() == Ok(name))?;
    u32::try_from(found.address() & !1).ok()
}
