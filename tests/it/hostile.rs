//! Dumps that somebody forged, or that a broken kernel wrote: the report stays small, is made in
//! bounded time, and does not act on the terminal.

use crate::support::file;
use mflt::analysis::{self, Options};
use mflt::arch::cortex_m::prologue::follows_call;
use mflt::base::{Address, Memory};
use mflt::format;
use mflt::report::{Report, Style, render_text};
use mflt::snapshot::{MemoryImage, Register, RegisterSet, Snapshot, ThreadRegisters};
use mflt::symbols::{ElfImage, SymbolFile};
use std::fs;

const CORE: &str = "fixtures/cores/mps2-an385-Og-nullptr.core";
const ELF: &str = "fixtures/elf/mps2-an385-Og.elf";
/// Memory that the firmware does not have.
const BLOCKS: u32 = 0x2800_0000;
const STACK: u32 = 0x3000_0000;

fn with_firmware(test: impl FnOnce(Snapshot, &SymbolFile<'_>)) {
    let elf = fs::read(file(ELF)).unwrap();
    let image = ElfImage::parse(&elf).unwrap();
    let snapshot = format::open(&fs::read(file(CORE)).unwrap()).unwrap();
    test(snapshot, &SymbolFile::new(&image));
}

fn report(snapshot: &Snapshot, symbols: &SymbolFile<'_>) -> Report {
    let options = Options { globals: false, ..Options::default() };
    analysis::analyze(snapshot, std::slice::from_ref(symbols), &options)
}

fn notes(report: &Report) -> Vec<&str> {
    report.notes.iter().map(|note| note.code.as_str()).collect()
}

/// `snapshot` with `words` at `address` in place of what it holds there.
fn forged(snapshot: &Snapshot, address: u32, words: &[u32]) -> Snapshot {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut memory = MemoryImage::default();
    // What is inserted first counts.
    memory.insert(Address(address), bytes).unwrap();
    for segment in snapshot.memory.segments() {
        memory.insert(segment.range().start(), segment.bytes().to_vec()).unwrap();
    }
    Snapshot { memory, ..snapshot.clone() }
}

/// A word that a call of a function with locals leaves on the stack.
fn return_word(symbols: &SymbolFile<'_>) -> u32 {
    let function = symbols.symbol("fft_recurse").unwrap();
    let mut inside = (0..function.size).map(|offset| Address(function.address.0 + offset));
    inside.find(|at| at.is_aligned(2) && follows_call(symbols, *at)).unwrap().0 | 1
}

fn offset(symbols: &SymbolFile<'_>, ty: &str, member: &str) -> u32 {
    u32::try_from(symbols.layout(ty, member).unwrap().offset_bytes).unwrap()
}

#[test]
fn endless_thread_list_keeps_the_report_small() {
    with_firmware(|snapshot, symbols| {
        let size = u32::try_from(symbols.size_of("k_thread").unwrap()).unwrap();
        let mut blocks = vec![0; (size * 600 / 4) as usize];
        for thread in 0..600 {
            let mut set = |member: &str, value: u32| {
                let at = thread * size + offset(symbols, "k_thread", member);
                blocks[(at / 4) as usize] = value;
            };
            set("next_thread", BLOCKS + (thread + 1) * size);
            set("callee_saved.psp", STACK);
            set("stack_info.start", 0x10);
            set("stack_info.size", u32::MAX - 0x10);
        }
        let kernel = symbols.symbol("_kernel").unwrap().address.0;
        let head = kernel + offset(symbols, "z_kernel", "threads");
        let snapshot = forged(&snapshot, head, &[BLOCKS]);
        let snapshot = forged(&snapshot, BLOCKS, &blocks);
        // Every frame's caller is the same function again.
        let snapshot = forged(&snapshot, STACK, &vec![return_word(symbols); 1 << 16]);
        let report = report(&snapshot, symbols);

        assert!(report.threads.len() > 500);
        let frames: usize = report.threads.iter().map(|thread| thread.frames.len()).sum();
        assert!((1000..=4096).contains(&frames), "{frames}");
        assert!(notes(&report).contains(&"frames_cut"), "{:?}", notes(&report));
        assert!(notes(&report).contains(&"thread_list_corrupt"));
        // The thread that crashed stands before those that filled the report.
        assert!(report.threads[0].crashed && !report.threads[0].frames.is_empty());
        assert!(serde_json::to_vec(&report).unwrap().len() < 32 << 20);
    });
}

#[test]
fn thousands_of_stored_threads_are_cut() {
    with_firmware(|snapshot, symbols| {
        let mut snapshot = forged(&snapshot, STACK, &vec![return_word(symbols); 1 << 16]);
        // Without the kernel's objects the threads of the dump count.
        let words = snapshot.memory.slice_from(Address(STACK)).unwrap().to_vec();
        snapshot.memory = MemoryImage::default();
        snapshot.memory.insert(Address(STACK), words).unwrap();
        snapshot.threads = (0..4096)
            .map(|id| {
                // No PC: the stack is searched for one.
                let registers = [(Register::SP, STACK + 16 * id)].into_iter();
                ThreadRegisters { id, name: None, registers: registers.collect::<RegisterSet>() }
            })
            .collect();
        let report = report(&snapshot, symbols);
        assert!((512..600).contains(&report.threads.len()));
        assert!(notes(&report).contains(&"threads_cut"), "{:?}", notes(&report));
    });
}

#[test]
fn nonsense_in_any_word_of_a_kernel_object_is_survived() {
    with_firmware(|snapshot, symbols| {
        let kernel = symbols.symbol("_kernel").unwrap();
        let size = u32::try_from(symbols.size_of("k_thread").unwrap()).unwrap();
        let threads = symbols.objects_of_types(&["k_thread"], 3).into_iter().map(|o| o.address);
        let objects = threads.map(|at| (at.0, size)).chain([(kernel.address.0, kernel.size)]);
        let mut count = 0;
        for (object, size) in objects {
            for at in (object..object + size).step_by(4) {
                if snapshot.memory.read_u32(Address(at)).is_err() {
                    continue;
                }
                for value in [u32::MAX, object, 0x8000_0001] {
                    let report = report(&forged(&snapshot, at, &[value]), symbols);
                    assert!(!report.title.is_empty());
                    count += 1;
                }
            }
        }
        assert!(count > 100, "{count}");
    });
}

#[test]
fn thread_name_with_an_escape_sequence_is_spelled_out() {
    with_firmware(|snapshot, symbols| {
        let kernel = symbols.symbol("_kernel").unwrap().address.0;
        let current = kernel + offset(symbols, "z_kernel", "cpus[0].current");
        let thread = snapshot.memory.read_u32(Address(current)).unwrap();
        let at = thread + offset(symbols, "k_thread", "name");
        // U+009B, which is CSI in one character, in UTF-8; then `2J`, which clears the screen.
        let snapshot = forged(&snapshot, at, &[u32::from_le_bytes([0xc2, 0x9b, b'2', b'J']), 0]);
        let report = report(&snapshot, symbols);
        assert!(report.threads.iter().any(|thread| thread.name == "\u{9b}2J"));
        let text = render_text(&report, Style { full: true, ..Style::default() });
        assert!(text.contains("\\x9b2J"));
        let stray = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(stray, None);
    });
}
