//! CMSIS-SVD files: names and fields of the peripheral registers that a dump holds.
//!
//! Source: the CMSIS-SVD specification 1.3.9. Read straight from the XML tree, and only what lies in
//! captured memory is looked at: a file whose arrays and references expand without end costs no more
//! than half a million looks.

mod array;
mod field;
mod nesting;
mod tree;

use crate::report::Peripheral;
use crate::snapshot::MemoryImage;

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
    Ok(tree::Walk::new(root, memory).run())
}

#[cfg(test)]
mod tests;
