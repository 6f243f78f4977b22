//! Whether an ELF is that of the firmware in a dump.
//!
//! GNU build IDs decide where both sides have one. Else captured bytes of code, vectors and
//! constants are compared with the file's: flash does not change, so more than a few different bytes
//! are a proof. Where the dump holds RAM alone, that has to look like the file's (`ram`).

mod ram;

use crate::base::{Address, hex};
use crate::snapshot::Snapshot;
use crate::symbols::{BUILD_ID_NOTE, SymbolFile};

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
    /// RAM looks like that of the file.
    Ram {
        /// Different words of RAM in the range of the code.
        addresses: u32,
        /// Those of them that are function pointers or return addresses.
        leading: u32,
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
/// Bytes looked at at most: sections of a forged ELF may all be in one place.
const MOST_SEEN: u64 = MOST << 4;

/// Compares `snapshot` with each of `files`. A dump states one build ID: where one of the files has
/// it, the others are compared by their contents.
pub fn compare(snapshot: &Snapshot, files: &[SymbolFile<'_>]) -> Vec<Match> {
    let stated = snapshot.identity.build_id.as_deref();
    let is_stated = |file: &SymbolFile<'_>| {
        (stated.is_some() && file.image().build_id() == stated) || holds_note(snapshot, file)
    };
    let found = files.iter().any(is_stated);
    let compare = |file: &SymbolFile<'_>| match (stated, file.image().build_id()) {
        _ if is_stated(file) => Match::BuildId,
        (Some(dump), Some(file)) if !found => {
            let (dump, file) = (hex::encode(dump), hex::encode(file));
            let why = format!("the dump is of build ID {dump}, the ELF has {file}");
            Match::Different { why }
        }
        _ => match compare_contents(snapshot, file) {
            Match::Unknown => match ram::compare(snapshot, file) {
                // A bootloader leaves next to nothing in the RAM of the application.
                Match::Different { .. } if files.len() > 1 => Match::Unknown,
                matched => matched,
            },
            matched => matched,
        },
    };
    files.iter().map(compare).collect()
}

/// Whether the dump holds the file's build ID where the file has it.
fn holds_note(snapshot: &Snapshot, file: &SymbolFile<'_>) -> bool {
    let image = file.image();
    let note = image.section_address(BUILD_ID_NOTE).zip(image.section(BUILD_ID_NOTE));
    let Some((address, note)) = note.filter(|(_, note)| !note.is_empty()) else { return false };
    snapshot.memory.slice_from(address).is_some_and(|held| held.starts_with(note))
}

fn compare_contents(snapshot: &Snapshot, symbols: &SymbolFile<'_>) -> Match {
    let mut compared = Compared::default();
    for section in symbols.image().allocated_sections() {
        let Some(bytes) = section.bytes.filter(|_| !section.is_ram()) else { continue };
        // Segments are sorted and do not overlap: those of the section follow each other.
        let segments = snapshot.memory.segments();
        let start = u64::from(section.range.start().0);
        let first = segments.partition_point(|segment| segment.range().end() <= start);
        for segment in segments.get(first..).unwrap_or_default() {
            let Some(shared) = section.range.intersection(segment.range()) else { break };
            let held = snapshot.memory.slice_from(shared.start()).unwrap_or(&[]);
            let skip = shared.start().0.saturating_sub(section.range.start().0);
            let file = usize::try_from(skip).ok().and_then(|skip| bytes.get(skip..)).unwrap_or(&[]);
            let size = usize::try_from(shared.size()).unwrap_or(usize::MAX);
            let blocks = held.chunks(BLOCK).zip(file.chunks(BLOCK)).take(size.div_ceil(BLOCK));
            for (index, (dump, file)) in blocks.enumerate() {
                let rest = size.saturating_sub(index.saturating_mul(BLOCK));
                let at = shared
                    .start()
                    .wrapping_add(i64::try_from(index.saturating_mul(BLOCK)).unwrap_or(0));
                compared.block(at, section.name, dump.get(..rest).unwrap_or(dump), file);
            }
            if compared.equal >= MOST || compared.seen >= MOST_SEEN {
                return compared.verdict();
            }
        }
    }
    compared.verdict()
}

/// Bytes that are compared at once.
const BLOCK: usize = 16;
/// Of so many equal bytes one may differ: a debugger's breakpoints, patched words.
const TOLERATED: u64 = 50;

/// A comparison in progress.
#[derive(Default)]
struct Compared {
    /// With blocks that do not count.
    seen: u64,
    equal: u64,
    different: u64,
    first: Option<String>,
}

impl Compared {
    fn block(&mut self, at: Address, section: &str, dump: &[u8], file: &[u8]) {
        let differs = dump.iter().zip(file).filter(|(a, b)| a != b).count() as u64;
        let length = dump.len().min(file.len()) as u64;
        self.seen = self.seen.saturating_add(length);
        let blank = |byte: u8| dump.iter().all(|b| *b == byte);
        // Tools fill what they cannot read with zeros, and erased flash is all ones.
        if differs > 0 && (blank(0) || blank(0xff)) {
            return;
        }
        self.equal = self.equal.saturating_add(length.saturating_sub(differs));
        self.different = self.different.saturating_add(differs);
        if differs > 0 {
            self.first.get_or_insert_with(|| {
                let (dump, file) = (hex::encode(dump), hex::encode(file));
                format!(
                    "flash at {at} (section {section}) holds {dump} in the dump, {file} in the ELF"
                )
            });
        }
    }

    fn verdict(self) -> Match {
        match self.first {
            Some(why) if self.different > self.equal / TOLERATED => Match::Different { why },
            _ if self.equal >= FEWEST => Match::Contents { bytes: self.equal },
            _ => Match::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Address = Address(0x100);

    #[test]
    fn unread_pages_and_breakpoints_are_no_difference() {
        let mut compared = Compared::default();
        for _ in 0..100 {
            compared.block(AT, "text", &[1; 16], &[1; 16]);
        }
        compared.block(AT, "text", &[0; 16], &[1; 16]);
        compared.block(AT, "text", &[0xff; 16], &[1; 16]);
        let mut patched = [1; 16];
        patched[3] = 0xbe;
        compared.block(AT, "text", &patched, &[1; 16]);
        assert_eq!(compared.verdict(), Match::Contents { bytes: 1615 });
    }

    #[test]
    fn other_code_is_a_difference() {
        let mut compared = Compared::default();
        for _ in 0..10 {
            compared.block(AT, "text", &[1; 16], &[1; 16]);
        }
        compared.block(AT, "text", &[2; 16], &[1; 16]);
        assert!(matches!(compared.verdict(), Match::Different { .. }));
        assert_eq!(Compared::default().verdict(), Match::Unknown);
    }
}
