//! Dumps of RAM alone, with the ELF of their firmware and with those of others.

use crate::support::file;
use crate::support::folder::Folder;
use crate::support::program::{mflt, run};
use mflt::analysis::matching::{Match, compare};
use mflt::base::Address;
use mflt::snapshot::{MemoryImage, Snapshot};
use mflt::symbols::{ElfImage, SymbolFile};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of ELFs, and of the cores of their firmware.
const FOLDERS: [(&str, &str); 4] = [
    ("fixtures/elf", "fixtures/cores"),
    ("fixtures/bare/elf", "fixtures/bare/cores"),
    ("fixtures/trustzone", "fixtures/trustzone"),
    ("fixtures/freertos/elf", ""),
];

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(file(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// What a dump says of RAM: no code, no build ID, no registers.
fn ram_of(snapshot: &Snapshot, file: &SymbolFile<'_>) -> Snapshot {
    let mut memory = MemoryImage::default();
    for segment in snapshot.memory.segments() {
        let at = segment.range().start();
        let is_ram = file.section_at(at).map(|section| section.is_ram());
        if is_ram.unwrap_or((0x2000_0000..0x4000_0000).contains(&at.0)) {
            memory.insert(at, segment.bytes().to_vec()).unwrap();
        }
    }
    Snapshot { memory, ..Snapshot::default() }
}

#[test]
fn ram_fits_its_own_elf_and_no_other() {
    let elfs: Vec<(&str, PathBuf)> = FOLDERS
        .iter()
        .flat_map(|(folder, _)| files(folder, "elf").into_iter().map(move |elf| (*folder, elf)))
        .collect();
    let bytes: Vec<Vec<u8>> = elfs.iter().map(|(_, elf)| fs::read(elf).unwrap()).collect();
    let images: Vec<_> = bytes.iter().map(|bytes| ElfImage::parse(bytes).unwrap()).collect();
    let symbols: Vec<_> = images.iter().map(SymbolFile::new).collect();
    let (mut right, mut fits, mut wrong, mut refused) = (0, 0, 0, 0);
    let cores = FOLDERS.iter().filter(|(_, cores)| !cores.is_empty());
    for (folder, core) in cores
        .flat_map(|(elfs, cores)| files(cores, "core").into_iter().map(move |core| (*elfs, core)))
    {
        let name = stem(&core).trim_start_matches("plain-").to_string();
        let is_own = |(place, elf): &(&str, PathBuf)| {
            let both_worlds = folder.ends_with("trustzone");
            *place == folder && (both_worlds || name.starts_with(&format!("{}-", stem(elf))))
        };
        let snapshot = mflt::format::open(&fs::read(&core).unwrap()).unwrap();
        let own: Vec<usize> = (0..elfs.len()).filter(|index| is_own(&elfs[*index])).collect();
        assert!(!own.is_empty(), "{}", core.display());
        for index in own {
            let ram = ram_of(&snapshot, &symbols[index]);
            let compared = |index: usize| {
                let names = format!("{} {}", core.display(), elfs[index].1.display());
                (compare(&ram, &symbols[index..=index]).remove(0), names)
            };
            let (matched, names) = compared(index);
            assert!(!matches!(matched, Match::Different { .. }), "{names}: {matched:?}");
            right += 1;
            fits += usize::from(matches!(matched, Match::Ram { .. }));
            // The next is another optimisation, the others another board or another kernel.
            for other in [1, 4, 9].map(|step| (index + step) % elfs.len()) {
                if is_own(&elfs[other]) {
                    continue;
                }
                let (matched, names) = compared(other);
                assert!(!matches!(matched, Match::Ram { .. }), "{names}: {matched:?}");
                wrong += 1;
                refused += usize::from(matches!(matched, Match::Different { .. }));
            }
        }
    }
    assert!(right > 100 && fits * 10 >= right * 8, "{fits} of {right} fit");
    // Some have their variables where the dump has none: nothing speaks for them nor against.
    assert!(refused * 2 >= wrong, "{refused} of {wrong} are refused");
}

#[test]
fn raw_ram_with_the_elf_of_another_build_is_refused() {
    let folder = Folder::new();
    let snapshot =
        mflt::format::open(&fs::read(file("fixtures/demo/crash.core")).unwrap()).unwrap();
    let ram = snapshot.memory.slice_from(Address(0x2000_0000)).unwrap();
    let dump = folder.write("ram.bin", ram);
    let analyze = |elf: &str, more: &[&str]| {
        let mut command = mflt();
        command.arg("analyze").arg(&dump).args(["--base", "0x20000000", "--elf"]);
        run(command.arg(file(elf)).args(more))
    };
    let right = analyze("fixtures/demo/firmware.elf", &[]).success("analyze").unwrap();
    assert!(right.contains("fits the RAM"), "{right}");
    let wrong = analyze("fixtures/elf/mps2-an386-Os.elf", &[]).stderr;
    assert!(wrong.contains("words in RAM that look like addresses of its code"), "{wrong}");
    let forced =
        analyze("fixtures/elf/mps2-an386-Os.elf", &["--force"]).success("analyze").unwrap();
    assert!(forced.contains("FORCED"), "{forced}");
}
