//! Dump files in memory, turned into a [`Snapshot`] and back: sniffed by content, never by name.
//!
//! A folder per format. Input is a byte slice that nobody vouches for: every length is checked
//! before use, memory is bounded by the size of the input, and a file that was cut short yields
//! what it still holds with a remark. No I/O, no symbols, no clock.

mod chunks;
pub mod coredump;
mod coverage;
pub mod crash_catcher;
mod dropped;
pub mod elf_core;
pub mod fault_text;
pub mod probe_rs;
pub mod raw;
pub mod zephyr;

pub use dropped::Written;

use crate::base::{Address, AddressRange, Truncated};
use crate::snapshot::{EmptySnapshot, Gap, Snapshot};
use dropped::Dropped;

/// Why a file is not a dump that can be read, or a snapshot cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file is empty.
    #[error("the file is empty")]
    EmptyFile,
    /// The content matches no format known here.
    #[error("not a dump format known here: {size} bytes that begin with 0x{}", crate::base::hex::encode(.first))]
    Unrecognized {
        /// Up to eight bytes from the start.
        first: Vec<u8>,
        /// Size of the file in bytes.
        size: usize,
    },
    /// A header is cut short.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// An ELF file, but a program, a library or an object.
    #[error("an ELF file of type {found}, not a core (type 4)")]
    NotACore {
        /// `e_type` of the file: 2 is a program.
        found: u16,
    },
    /// An ELF core of another word size.
    #[error("an ELF core of class {found}, expected 1 (32 bits)")]
    WrongClass {
        /// `EI_CLASS` of the file: 2 means 64 bits.
        found: u8,
    },
    /// An ELF core of a big-endian machine.
    #[error("an ELF core of data encoding {found}, expected 1 (little endian)")]
    WrongByteOrder {
        /// `EI_DATA` of the file: 2 means big endian.
        found: u8,
    },
    /// An ELF core of another processor.
    #[error("an ELF core of machine {found}, expected 40 (Arm)")]
    WrongMachine {
        /// `e_machine` of the file.
        found: u16,
    },
    /// Program headers are smaller than the ELF standard allows.
    #[error("program headers of {found} bytes, expected at least {expected}")]
    ProgramHeaderSize {
        /// `e_phentsize` of the file.
        found: u16,
        /// What the standard says for 32-bit files.
        expected: u16,
    },
    /// Lines of a log that should hold a coredump.
    #[error("the log has `#CD:` lines, but not the beginning of a coredump")]
    NoCoredumpInLog,
    /// A coredump of another version.
    #[error("a coredump of version {found}; versions 1 and 2 are known")]
    CoredumpVersion {
        /// Version in the header.
        found: u32,
    },
    /// A dump of a machine that is not a Cortex-M.
    #[error("a dump of machine {found} ({name}); only Cortex-M is read")]
    OtherMachine {
        /// The format's number for the machine.
        found: u32,
        /// What it stands for.
        name: &'static str,
    },
    /// The same, where the format has a name instead of a number.
    #[error("a dump of a processor with the instruction set `{found}`; only Cortex-M is read")]
    OtherProcessor {
        /// The format's name.
        found: String,
    },
    /// A snapshot has more memory segments than the format can name.
    #[error("{found} memory segments, at most {limit} fit the format")]
    TooManySegments {
        /// Number of segments.
        found: usize,
        /// What fits.
        limit: usize,
    },
    /// A snapshot is too large for 32-bit sizes.
    #[error("{size} bytes do not fit the 32-bit sizes of the format")]
    TooLarge {
        /// Size of the file that would be needed, at least.
        size: u64,
    },
    /// Chunks of a device, and none of their messages is a coredump.
    #[error("chunks with {messages} messages, and no coredump among them")]
    NoCoredump {
        /// Messages that are complete.
        messages: usize,
    },
    /// Raw memory that passes the end of the address space.
    #[error("{size} bytes at {base} pass the end of memory")]
    PastEnd {
        /// Where it begins.
        base: Address,
        /// Its size in bytes.
        size: u64,
    },
    /// A snapshot without memory, for a format that holds nothing else.
    #[error("the dump holds no memory, and the format holds nothing else")]
    NoMemory,
    /// Neither registers nor memory could be read.
    #[error(transparent)]
    Empty(#[from] EmptySnapshot),
}

/// Reads a dump of any format known here.
///
/// # Errors
/// [`FormatError::Unrecognized`] when the content matches no format, otherwise what the format's
/// own reader says. A dump that is cut short is not an error as long as it holds registers or
/// memory: see [`Snapshot::remarks`].
pub fn open(bytes: &[u8]) -> Result<Snapshot, FormatError> {
    if bytes.is_empty() {
        return Err(FormatError::EmptyFile);
    }
    if elf_core::is_elf(bytes) {
        return elf_core::read(bytes);
    }
    if coredump::is_coredump(bytes) {
        return coredump::read(bytes);
    }
    if probe_rs::is_dump(bytes) {
        return probe_rs::read(bytes);
    }
    if zephyr::is_coredump(bytes) {
        return zephyr::read(bytes);
    }
    if crash_catcher::is_dump(bytes) {
        return crash_catcher::read(bytes);
    }
    if raw::is_hex(bytes) {
        return raw::read_hex(bytes);
    }
    if zephyr::is_log(bytes) {
        let mut snapshot = zephyr::read_log(bytes)?;
        fault_text::complete(&mut snapshot, bytes);
        return Ok(snapshot);
    }
    if let Some(dump) = crash_catcher::in_log(bytes) {
        return crash_catcher::read(&dump);
    }
    if let Some(found) = chunks::read(bytes) {
        return found;
    }
    if let Some(found) = fault_text::read(bytes) {
        return Ok(found);
    }
    let first = bytes.iter().take(8).copied().collect();
    Err(FormatError::Unrecognized { first, size: bytes.len() })
}

/// `size` bytes from `start` that are missing, cut at the end of the address space.
fn gap(start: Address, size: u64, reason: &str) -> Option<Gap> {
    let room = (1_u64 << 32).saturating_sub(u64::from(start.0));
    let range = AddressRange::new(start, size.min(room)).filter(|range| !range.is_empty())?;
    Some(Gap { range, reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_of_other_content_names_its_first_bytes() {
        assert_eq!(open(b""), Err(FormatError::EmptyFile));
        let error = open(b"hello, world").unwrap_err();
        assert_eq!(
            error,
            FormatError::Unrecognized { first: b"hello, w".to_vec(), size: 12 },
            "{error}"
        );
    }
}
