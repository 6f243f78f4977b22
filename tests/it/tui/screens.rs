//! Every screen of every fixture at three sizes; snapshots of those that show most.

use super::{demo, opened, session};
use crate::support::session::{Opened, Session};
use crate::support::{file, root};
use insta::assert_snapshot;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
const SCREENS: [(&str, &str); 10] = [
    ("1", "overview"),
    ("2", "threads"),
    ("3", "globals"),
    ("4", "memory"),
    ("5", "code"),
    ("6", "interrupts"),
    ("7", "mpu"),
    ("8", "heap"),
    ("9", "log"),
    ("0", "kernel"),
];

fn snapshots(name: &str, opened: &Opened, sizes: &[(u16, u16)], screens: &[&str]) {
    for (columns, rows) in sizes {
        let mut session = session(opened.clone(), *columns, *rows);
        for (key, screen) in SCREENS.iter().filter(|(_, screen)| screens.contains(screen)) {
            let shown = session.keys(key).screen();
            assert_snapshot!(format!("{name}-{columns}x{rows}-{screen}"), shown);
        }
    }
}

#[test]
fn screens_of_the_demo_are_as_they_were_seen() {
    let all: Vec<&str> = SCREENS.iter().map(|(_, screen)| *screen).collect();
    snapshots("demo", &demo(), &SIZES, &all);
}

#[test]
fn screens_of_other_boards_are_as_they_were_seen() {
    for (board, case) in [("microbit", "hang"), ("mps2-an505", "divzero"), ("mps2-an385", "isr")] {
        let name = format!("{board}-{case}");
        snapshots(&name, &opened(board, case), &SIZES[..1], &["overview", "threads", "code"]);
    }
}

/// Every core of the fixtures with its ELF.
fn fixtures() -> Vec<(String, Opened)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("fixtures/cores")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let image = name.trim_start_matches("plain-");
        let image = image.split("-Og-").next().unwrap();
        let elf = file(&format!("fixtures/elf/{image}-Og.elf"));
        if elf.exists() {
            let opened = Opened::new(&std::fs::read(&path).unwrap(), std::fs::read(elf).unwrap());
            found.push((name, opened));
        }
    }
    assert!(found.len() > 50, "{} cores", found.len());
    found
}

/// What must hold of any screen.
fn check(session: &mut Session, what: &str, columns: u16, rows: u16) -> String {
    let shown = session.screen();
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{what}");
    assert_eq!(shown.lines().count(), usize::from(rows), "{what}");
    assert!(shown.lines().all(|line| line.chars().count() <= usize::from(columns)), "{what}");
    shown
}

#[test]
fn every_screen_of_every_fixture_is_drawn_at_every_size() {
    for (name, opened) in fixtures() {
        let mut session = session(opened, 80, 24);
        for (columns, rows) in SIZES {
            session.input(ratatui::crossterm::event::Event::Resize(columns, rows));
            for (key, screen) in SCREENS {
                let what = format!("{name} {screen} {columns}x{rows}");
                session.keys(key);
                let shown = check(&mut session, &what, columns, rows);
                assert!(shown.starts_with("1 Overview 2 Threads"), "{what}: {shown}");
                assert!(shown.contains("? help"), "{what}: the way to the help is shown");
                match screen {
                    "overview" => assert!(shown.contains("\nCause      "), "{what}: {shown}"),
                    "globals" => assert!(shown.contains("_kernel"), "{what}: {shown}"),
                    "memory" => assert!(shown.contains("\n0x"), "{what}: {shown}"),
                    _ => {}
                }
            }
        }
    }
}
