//! CMSIS-SVD files: names and fields of the peripheral registers that a dump holds, and where those
//! are that it is to hold.
//!
//! Source: the CMSIS-SVD specification 1.3.9. Read straight from the XML tree, and only what lies in
//! captured memory is looked at: a file whose arrays and references expand without end costs no more
//! than half a million looks.

mod array;
mod field;
mod nesting;
mod select;
mod tree;

pub use select::{Selected, select};

use crate::base::{Address, Memory as _};
use crate::report::{Peripheral, PeripheralRegister};
use crate::snapshot::MemoryImage;
use tree::{Register, Walk};

/// Longest file, in bytes; those of real devices have some megabytes.
pub const LONGEST: usize = 1 << 26;
/// Elements within each other; real files have about ten.
const DEEPEST: usize = 64;
/// Registers and fields, expanded, that are looked at.
const MOST_STEPS: usize = 1 << 19;

/// Why a file cannot be used.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SvdError {
    /// It is larger than any device needs.
    #[error("the file has {found} bytes, more than the {limit} of the largest devices")]
    TooLong {
        /// Its size.
        found: usize,
        /// The most that is read.
        limit: usize,
    },
    /// Its elements stand within each other without end.
    #[error("elements are nested {found} deep, more than {limit}")]
    TooDeep {
        /// Where the search ended.
        found: usize,
        /// The most that is read.
        limit: usize,
    },
    /// It is not XML.
    #[error("not XML: {0}")]
    Xml(#[from] roxmltree::Error),
    /// It is XML of another kind.
    #[error("the outermost element is `{found}`, not `device`")]
    NotDevice {
        /// Its name.
        found: String,
    },
}

/// What a file says about captured memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Peripherals with at least one captured register.
    pub peripherals: Vec<Peripheral>,
    /// Lines for people: what could not be used.
    pub remarks: Vec<String>,
}

/// Names and decodes every register of the device in `text` that `memory` holds.
///
/// # Errors
/// [`SvdError`] when `text` is not a CMSIS-SVD file.
pub fn decode(text: &str, memory: &MemoryImage) -> Result<Decoded, SvdError> {
    let (found, was_cut) = walk(text, |walk, register| held(walk, &register, memory))?;
    let mut decoded = Decoded::default();
    for found in found.into_iter().filter(|found| !found.registers.is_empty()) {
        decoded.peripherals.push(Peripheral {
            name: found.name,
            address: found.address.into(),
            description: found.description,
            registers: found.registers,
        });
    }
    if was_cut {
        decoded.remarks.push("the SVD file is too large: not all of it was read".to_string());
    }
    Ok(decoded)
}

/// A peripheral, with what became of its registers.
struct Found<T> {
    name: String,
    address: Address,
    description: Option<String>,
    registers: Vec<T>,
}

/// Every peripheral of the device in `text` with what `take` makes of its registers, and whether
/// the file has more than is looked at.
fn walk<T>(
    text: &str,
    take: impl for<'a, 'i> FnMut(&mut Walk<'a, 'i>, Register<'a, 'i>) -> Option<T>,
) -> Result<(Vec<Found<T>>, bool), SvdError> {
    if text.len() > LONGEST {
        return Err(SvdError::TooLong { found: text.len(), limit: LONGEST });
    }
    let found = nesting::depth(text, DEEPEST);
    if found > DEEPEST {
        return Err(SvdError::TooDeep { found, limit: DEEPEST });
    }
    let document = roxmltree::Document::parse(text.trim_start_matches('\u{feff}').trim_start())?;
    let root = document.root_element();
    if root.tag_name().name() != "device" {
        return Err(SvdError::NotDevice { found: root.tag_name().name().to_string() });
    }
    let mut walk = Walk::new(root);
    let found = walk.run(take);
    Ok((found, walk.was_cut()))
}

/// A register that `memory` holds, decoded.
fn held<'a, 'i>(
    walk: &mut Walk<'a, 'i>,
    register: &Register<'a, 'i>,
    memory: &MemoryImage,
) -> Option<PeripheralRegister> {
    let at = register.address;
    let held = match register.size {
        8 => memory.read_u8(at).ok()?.into(),
        16 => memory.read_u16(at).ok()?.into(),
        _ => memory.read_u32(at).ok()?,
    };
    let fields = field::decode(walk, register.described(), held.into());
    let description = register.description().filter(|description| walk.copies(description));
    Some(PeripheralRegister {
        name: register.name.clone(),
        address: at.into(),
        size: register.size,
        value: held.into(),
        description: description.map(tree::one_line),
        fields,
    })
}

#[cfg(test)]
mod tests;
