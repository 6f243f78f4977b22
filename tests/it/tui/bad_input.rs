//! Input that nobody should send: sizes, pastes, keys, damaged dumps.

use super::{demo, opened, session};
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
    let elf = std::fs::read(crate::support::file("fixtures/demo/firmware.elf")).unwrap();
    for keep in [whole.len() / 8, whole.len() / 2, whole.len() - 100] {
        let Ok(snapshot) = mflt::format::open(&whole[..keep]) else { continue };
        let mut damaged = demo();
        damaged.snapshot = snapshot;
        damaged.elf.clone_from(&elf);
        let mut session = session(damaged, 80, 24);
        for screen in SCREENS.chars() {
            session.keys(&screen.to_string());
            session.keys("jj<Enter>fG<Enter>");
            session.screen();
        }
    }
}

/// Memory that was overwritten with pointers into itself: lists run in circles, strings never end.
#[test]
fn memory_full_of_pointers_to_itself_is_walked_through() {
    let mut forged = opened("mps2-an385", "nullptr");
    let segments: Vec<_> = forged.snapshot.memory.segments().to_vec();
    let mut memory = mflt::snapshot::MemoryImage::default();
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
