//! Which of the ELF files the target runs, told by a little of its memory.

use crate::base::{Address, AddressRange, Memory, Unreadable};
use crate::symbols::{BUILD_ID_NOTE, SymbolFile, Symbols};

/// Places at which a file without a build ID is compared with the target.
const SAMPLES: u64 = 4;
/// Bytes that are compared at each.
const SAMPLE: u64 = 64;

/// Which build the target runs.
pub(super) enum Build {
    /// The one of the ELF file: its build ID stands in the target's memory.
    Running(Vec<u8>),
    /// Another one, with its build ID when it has one at the same place.
    Other(Option<Vec<u8>>),
    /// The ELF file has no build ID, or the target does not show its own.
    Unknown,
}

/// The build ID that the dump states: of the first ELF file that the target runs, else what stands
/// where another one should.
pub(super) fn build_id(builds: Vec<Build>) -> Option<Vec<u8>> {
    let mut other = None;
    for build in builds {
        match build {
            Build::Running(build_id) => return Some(build_id),
            Build::Other(build_id) => other = other.or(build_id),
            Build::Unknown => {}
        }
    }
    other
}

/// Which build the target with this `memory` runs, as far as the ELF file's build ID tells.
pub(super) fn build(symbols: &SymbolFile<'_>, memory: &dyn Memory) -> Build {
    let image = symbols.image();
    let Some(build_id) = image.build_id() else { return Build::Unknown };
    let (Some(address), Some(note)) =
        (image.section_address(BUILD_ID_NOTE), image.section(BUILD_ID_NOTE))
    else {
        return Build::Unknown;
    };
    let range = AddressRange::new(address, note.len() as u64).unwrap_or_default();
    match memory.read_range(range, 256) {
        Ok(found) if found == note => Build::Running(build_id.to_vec()),
        // Name size 4, type 3, `GNU`: another build's note at the same place.
        Ok(found)
            if found.starts_with(&[4, 0, 0, 0]) && found.get(8..16) == Some(b"\x03\0\0\0GNU\0") =>
        {
            Build::Other(found.get(16..).map(<[u8]>::to_vec))
        }
        Ok(_) => Build::Other(None),
        Err(_) => Build::Unknown,
    }
}

/// Code and constants of those of the ELF files that the target runs: what need not be read from it
/// to find the way through its memory. Captured is only what the target itself gives.
pub(super) struct Constants<'a, 'd>(Vec<&'a SymbolFile<'d>>);

impl<'a, 'd> Constants<'a, 'd> {
    /// Those of `symbols` that the target with this `memory` shows to run: by build ID, else by
    /// samples of each read-only section.
    pub(super) fn of(symbols: &Symbols<'a, 'd>, memory: &dyn Memory) -> Constants<'a, 'd> {
        let runs = |file: &&&SymbolFile<'d>| match build(file, memory) {
            Build::Running(_) => true,
            Build::Other(_) => false,
            Build::Unknown => is_sampled(file, memory),
        };
        Constants(symbols.files().iter().filter(runs).copied().collect())
    }
}

impl Memory for Constants<'_, '_> {
    fn read(&self, address: Address, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let read = self.0.iter().find_map(|file| file.read(address, buffer).ok());
        read.ok_or(Unreadable { address })
    }
}

/// Whether the target holds the same as the file at places all over the file's read-only sections.
fn is_sampled(file: &SymbolFile<'_>, memory: &dyn Memory) -> bool {
    let mut compared = 0_u64;
    for section in file.image().allocated_sections().iter().filter(|section| !section.is_ram()) {
        let size = section.range.size();
        for number in 0..SAMPLES.min(size / SAMPLE) {
            let offset = size.saturating_sub(SAMPLE) * number / SAMPLES.saturating_sub(1);
            let start =
                u32::try_from(offset).ok().and_then(|o| section.range.start().checked_add(o));
            let Some(range) = start.and_then(|start| AddressRange::new(start, SAMPLE)) else {
                return false;
            };
            let read = |memory: &dyn Memory| memory.read_range(range, 256).ok();
            if read(memory).is_none_or(|bytes| Some(bytes) != read(file)) {
                return false;
            }
            compared += 1;
        }
    }
    compared > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;
    use crate::symbols::ElfImage;

    const ELF: &[u8] = include_bytes!("../../fixtures/elf/microbit-Og.elf");

    /// A target that runs the firmware, with `changed` in its flash, and the RAM it does not have.
    fn flash(file: &SymbolFile<'_>, changed: Option<Address>) -> MemoryImage {
        let mut memory = MemoryImage::default();
        for section in file.image().allocated_sections().iter().filter(|s| !s.is_ram()) {
            let mut bytes = section.bytes.unwrap().to_vec();
            if let Some(offset) = changed.and_then(|at| at.0.checked_sub(section.range.start().0))
                && let Some(byte) = bytes.get_mut(offset as usize)
            {
                *byte ^= 1;
            }
            memory.insert(section.range.start(), bytes).unwrap();
        }
        memory
    }

    #[test]
    fn constants_are_taken_from_the_file_that_the_target_runs() {
        let image = ElfImage::parse(ELF).unwrap();
        let file = SymbolFile::new(&image);
        let symbols = Symbols::new([&file]);
        let memory = flash(&file, None);
        let constants = Constants::of(&symbols, &memory);
        let code = file.symbol("main").unwrap().address.without_thumb_bit();
        assert_eq!(constants.read_u32(code), memory.read_u32(code));
        assert!(constants.read_u32(Address(0x2000_0000)).is_err(), "RAM is the target's");
        // Another build ID: nothing of the file counts.
        let note = image.section_address(BUILD_ID_NOTE).unwrap();
        let other = flash(&file, note.checked_add(20));
        assert!(Constants::of(&symbols, &other).read_u32(code).is_err());
    }

    #[test]
    fn file_without_build_id_has_to_look_like_the_target() {
        let image = ElfImage::parse(ELF).unwrap();
        let file = SymbolFile::new(&image);
        assert!(is_sampled(&file, &flash(&file, None)));
        let first = image.allocated_sections()[0].range.start();
        assert!(!is_sampled(&file, &flash(&file, Some(first))), "one byte of a sample differs");
        assert!(!is_sampled(&file, &MemoryImage::default()), "nothing can be read");
    }
}
