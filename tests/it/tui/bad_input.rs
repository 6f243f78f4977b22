//! Input that nobody should send: sizes, pastes, keys, damaged dumps.

use super::{demo, opened, session};
use crate::support::folder::Folder;
use crate::support::many_globals;
use crate::support::session::Opened;
use mflt::analysis::inspector::Inspector;
use mflt::base::Address;
use mflt::report::Registers;
use mflt::snapshot::{MemoryImage, Snapshot};
use mflt::symbols::{ElfImage, SymbolFile};
use ratatui::crossterm::event::{
    Event as Input, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

const SCREENS: &str = "1234567890";

#[test]
fn any_size_down_to_a_column_is_drawn() {
    let mut session = session(demo(), 80, 24);
    for (columns, rows) in [(1, 24), (80, 1), (1, 1), (2, 2), (3, 5), (10, 4), (500, 3), (7, 200)] {
        session.input(Input::Resize(columns, rows));
        for screen in SCREENS.chars() {
            session.keys(&screen.to_string());
            session.keys("jlG?<Esc>z:<Esc>");
            let shown = session.screen();
            assert!(shown.lines().all(|line| line.chars().count() <= usize::from(columns)));
        }
    }
    session.input(Input::Resize(0, 0));
    session.keys("j2j3j4j");
    session.input(Input::Resize(80, 24));
    assert!(session.screen().contains("? help"));
}

#[test]
fn storm_of_sizes_ends_at_the_last() {
    let mut session = session(demo(), 80, 24);
    let mut size = 1_u32;
    for _ in 0..2000 {
        size = size.wrapping_mul(1_103_515_245).wrapping_add(12345);
        let columns = u16::try_from((size >> 8) % 300).unwrap();
        let rows = u16::try_from((size >> 20) % 100).unwrap();
        session.input(Input::Resize(columns, rows));
    }
    session.input(Input::Resize(80, 24));
    assert!(session.screen().starts_with("1 Overview"));
}

#[test]
fn pasted_garbage_is_text_and_not_keys() {
    let mut session = session(demo(), 80, 24);
    let garbage = "q:quit\r\n\u{1b}[2J\u{0}\u{202e}日本\u{fffd}".repeat(10_000);
    session.input(Input::Paste(garbage.clone()));
    assert!(!session.quit);
    assert!(session.screen().contains("pasted text goes into"));
    session.keys(":");
    session.input(Input::Paste(garbage.clone()));
    assert!(!session.quit && !session.screen().contains('\u{1b}'));
    session.keys("<Enter>");
    session.keys("3/");
    session.input(Input::Paste(garbage));
    session.keys("<Enter>");
    assert!(!session.quit);
    session.screen();
}

#[test]
fn random_keys_never_break_it() {
    let names = [
        "<Enter>",
        "<Tab>",
        "<BackTab>",
        "<Backspace>",
        "<Up>",
        "<Down>",
        "<Left>",
        "<Right>",
        "<PageDown>",
        "<PageUp>",
        "<C-o>",
        "<Esc>",
    ];
    let letters = "1234567890hjklgGfxmpsdwe'{}nN/:?zyY<>r()[] ";
    let mut session = session(opened("mps2-an385", "isr"), 80, 24);
    let mut random = 7_u32;
    let letters: Vec<char> = letters.chars().collect();
    for step in 0..1500 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let choice = usize::try_from(random >> 8).unwrap();
        if choice.is_multiple_of(3) {
            session.keys(names[choice / 3 % names.len()]);
        } else {
            session.keys(&letters[choice / 3 % letters.len()].to_string());
        }
        if step % 50 == 0 {
            session.screen();
        }
    }
    session.keys("<Esc><Esc>1");
    assert!(!session.quit);
    session.screen();
}

#[test]
fn mouse_chooses_screens_panes_and_rows_anywhere() {
    let mut session = session(demo(), 80, 24);
    let mouse = |kind, column, row| {
        Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    };
    session.input(mouse(MouseEventKind::Down(MouseButton::Left), 12, 0));
    assert!(session.screen().contains("▶ Threads"));
    session.input(mouse(MouseEventKind::Down(MouseButton::Left), 60, 3));
    assert!(session.screen().contains("▶ #0 fft_recurse"), "{}", session.screen());
    for screen in SCREENS.chars() {
        session.keys(&screen.to_string());
        for (column, row) in [(0, 0), (79, 23), (500, 500), (40, 10), (41, 1)] {
            session.input(mouse(MouseEventKind::Down(MouseButton::Left), column, row));
            session.input(mouse(MouseEventKind::ScrollDown, column, row));
            session.input(mouse(MouseEventKind::ScrollUp, column, row));
        }
    }
    session.screen();
}

#[test]
fn damaged_dump_is_walked_through() {
    let whole = std::fs::read(crate::support::file("fixtures/demo/crash.core")).unwrap();
    for keep in [whole.len() / 8, whole.len() / 2, whole.len() - 100] {
        let snapshot = mflt::format::open(&whole[..keep]).expect("what there is of a dump");
        let mut session = session(Opened { snapshot, ..demo() }, 80, 24);
        assert!(session.screen().contains("Cause "), "{keep}: {}", session.screen());
        for screen in SCREENS.chars() {
            session.keys(&screen.to_string());
            session.keys("jj<Enter>fG<Enter>");
            session.screen();
        }
    }
}

/// A kernel's names as an overwritten dump or a foreign compiler leaves them.
#[test]
fn names_that_are_no_text_are_shown_and_found() {
    let garbage = b"\xff\x1b[2J\xc3";
    let patched = |bytes: &[u8], name: &[u8]| {
        let mut bytes = bytes.to_vec();
        let places: Vec<usize> = memchr_all(&bytes, name);
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + garbage.len()].copy_from_slice(garbage);
        }
        bytes
    };
    let mut forged = demo();
    forged.elfs = vec![patched(&forged.elfs[0], b"console_pos")];
    let core = std::fs::read(crate::support::file("fixtures/demo/crash.core")).unwrap();
    forged.snapshot = mflt::format::open(&patched(&core, b"accel-workq")).unwrap();
    let mut session = session(forged, 80, 24);
    for screen in SCREENS.chars() {
        let shown = session.keys(&screen.to_string()).screen();
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }
    let threads = session.keys("2").screen();
    assert!(threads.contains("fft_recurse of accel_work_q"), "the variable names it: {threads}");
    // What has no name is found by its place.
    let at = crate::support::elf::symbol("fixtures/demo/firmware.elf", "console_pos").unwrap();
    let shown = session.keys(&format!("3/{at:#010x}<Enter>")).screen();
    assert!(shown.contains("(1 of 139)") && shown.contains(" 153\n"), "{shown}");
}

/// Where `needle` stands in `bytes`.
fn memchr_all(bytes: &[u8], needle: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(needle.len()).enumerate();
    windows.filter(|(_, window)| *window == needle).map(|(at, _)| at).collect()
}

/// Has the dump hold `word` at `address`.
fn overwrite(opened: &mut Opened, address: u32, word: u32) {
    // What is there first stays.
    let mut memory = MemoryImage::default();
    memory.insert(Address(address), word.to_le_bytes().to_vec()).unwrap();
    for segment in opened.snapshot.memory.segments() {
        memory.insert(segment.range().start(), segment.bytes().to_vec()).unwrap();
    }
    opened.snapshot.memory = memory;
}

#[test]
fn list_that_runs_in_a_circle_is_followed_once() {
    let mut forged = opened("mps2-an385", "nullptr");
    let link = |thread: &str, snapshot: &Snapshot| {
        let image = ElfImage::parse(&forged.elfs[0]).unwrap();
        let files = [SymbolFile::new(&image)];
        let inspector = Inspector::new(snapshot, &files);
        inspector.address_of(thread, &Registers::default()).unwrap()
    };
    // The second thread of the kernel's list is followed by itself.
    let second = link("*_kernel.threads", &forged.snapshot);
    let offset = link("z_main_thread.next_thread", &forged.snapshot).0
        - link("z_main_thread", &forged.snapshot).0;
    let second = link(&format!("*{}", Address(second.0 + offset)), &forged.snapshot);
    overwrite(&mut forged, second.0 + offset, second.0);
    let mut session = session(forged, 80, 24);
    session.keys("3/_kernel<Enter>g<Enter>jjjf");
    let shown = session.screen();
    assert!(shown.contains("2 nodes; cycle: leads back to [1]"), "{shown}");
}

#[test]
fn string_that_never_ends_is_cut() {
    let mut forged = opened("mps2-an385", "nullptr");
    let at = crate::support::elf::symbol("fixtures/elf/mps2-an385-Og.elf", "g_string").unwrap();
    overwrite(&mut forged, at, 0x6000_0000);
    forged.snapshot.memory.insert(Address(0x6000_0000), vec![b'a'; 16 << 20]).unwrap();
    let mut session = session(forged, 80, 24);
    session.keys("3/g_string<Enter>");
    let shown = session.screen();
    assert!(shown.contains("0x60000000 'a' <repeats 200 times>..."), "{shown}");
    session.keys("<Enter>jy");
    let copied = session.copied.last().unwrap();
    assert!(copied.len() < 1000, "{} characters", copied.len());
}

#[test]
fn globals_by_the_hundred_thousand_are_searched_and_opened() {
    let folder = Folder::new();
    let elf = many_globals::elf(100_000, folder.path());
    let mut many = demo();
    many.elfs.push(elf);
    many.snapshot.memory.insert(Address(many_globals::START), vec![0; 16 << 20]).unwrap();
    let mut session = session(many, 80, 24);
    session.keys("3");
    assert!(session.screen().contains("Globals and statics (100139)"), "{}", session.screen());
    session.keys("Gk");
    assert!(session.screen().contains("100138/100139"), "{}", session.screen());
    session.keys("/variable_047119<Enter><Enter>");
    let shown = session.screen();
    assert!(shown.contains("(1 of 100139)") && shown.contains("level = 0"), "{shown}");
    let at = many_globals::START + 47_119 * many_globals::SIZE;
    session.keys("m");
    assert!(session.screen().contains(&format!("\n{at:#010x} variable_047119")));
    session.keys(":goto variable_09999<Tab><Enter>");
    assert!(session.screen().contains("variable_099990"), "{}", session.screen());
}

/// Memory that was overwritten with pointers into itself: lists run in circles, strings never end.
#[test]
fn memory_full_of_pointers_to_itself_is_walked_through() {
    let mut forged = opened("mps2-an385", "nullptr");
    let segments: Vec<_> = forged.snapshot.memory.segments().to_vec();
    let mut memory = MemoryImage::default();
    for segment in segments {
        let start = segment.range().start();
        let mut bytes = segment.bytes().to_vec();
        if start.0 >> 28 == 2 {
            for (index, word) in bytes.chunks_exact_mut(4).enumerate() {
                let target = start.0 + u32::try_from(index * 52 % 4096).unwrap() / 4 * 4;
                word.copy_from_slice(&target.to_le_bytes());
            }
        }
        memory.insert(start, bytes).unwrap();
    }
    forged.snapshot.memory = memory;
    let mut session = session(forged, 80, 24);
    session.keys("3");
    for _ in 0..60 {
        session.keys("<Enter>fj");
        session.screen();
    }
    session.keys("2jj<Enter><Tab><Enter>j<Enter>f");
    session.screen();
}
