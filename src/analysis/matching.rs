//! Whether an ELF is that of the firmware in a dump.
//!
//! GNU build IDs decide where both sides have one. Else captured bytes of code, vectors and
//! constants are compared with the file's: flash does not change, so a difference is a proof.

use crate::base::{Address, Memory, hex};
use crate::snapshot::Snapshot;
use crate::symbols::SymbolFile;

/// The outcome of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Equal build IDs.
    BuildId,
    /// This many captured bytes are those of the file.
    Contents {
        /// Bytes compared.
        bytes: u64,
    },
    /// There is nothing to compare.
    Unknown,
    /// They do not belong together.
    Different {
        /// What differs, for people.
        why: String,
    },
}

/// Fewer equal bytes than this prove nothing.
const FEWEST: u64 = 16;
/// Bytes compared at most; a wrong ELF differs long before.
const MOST: u64 = 4 << 20;

/// Compares `snapshot` with `symbols`.
pub fn compare(snapshot: &Snapshot, symbols: &SymbolFile<'_>) -> Match {
    if let (Some(dump), Some(file)) = (&snapshot.identity.build_id, symbols.image().build_id()) {
        return if dump == file {
            Match::BuildId
        } else {
            let why = format!(
                "the dump is of build ID {}, the ELF has {}",
                hex::encode(dump),
                hex::encode(file)
            );
            Match::Different { why }
        };
    }
    compare_contents(snapshot, symbols)
}

fn compare_contents(snapshot: &Snapshot, symbols: &SymbolFile<'_>) -> Match {
    let mut equal = 0u64;
    for section in symbols.image().allocated_sections() {
        let Some(bytes) = section.bytes.filter(|_| !section.is_ram()) else { continue };
        for segment in snapshot.memory.segments() {
            let Some(shared) = section.range.intersection(segment.range()) else { continue };
            let mut captured = vec![0; usize::try_from(shared.size()).unwrap_or(0)];
            if snapshot.memory.read(shared.start(), &mut captured).is_err() {
                continue;
            }
            let skip = (shared.start().0 - section.range.start().0) as usize;
            let file = bytes.get(skip..).unwrap_or(&[]);
            if let Some(at) = captured.iter().zip(file).position(|(a, b)| a != b) {
                let address = shared.start().wrapping_add(at as i64);
                return different(address, section.name, &captured, file, at);
            }
            equal += shared.size();
            if equal >= MOST {
                return Match::Contents { bytes: equal };
            }
        }
    }
    if equal >= FEWEST { Match::Contents { bytes: equal } } else { Match::Unknown }
}

fn different(address: Address, section: &str, dump: &[u8], file: &[u8], at: usize) -> Match {
    let excerpt = |bytes: &[u8]| {
        let end = bytes.len().min(at.saturating_add(4));
        hex::encode(bytes.get(at..end).unwrap_or(&[]))
    };
    let why = format!(
        "flash at {address} (section {section}) holds {} in the dump and {} in the ELF",
        excerpt(dump),
        excerpt(file)
    );
    Match::Different { why }
}
