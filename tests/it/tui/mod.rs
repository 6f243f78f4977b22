//! The interface in a terminal: what it draws, what keys do, bad input, a real pseudo-terminal.

mod bad_input;
mod live;
mod screens;
mod terminal;
mod walk;

use crate::support::file;
use crate::support::session::{Opened, Session};
use mflt::tui::{Settings, Theme};

/// A core and its ELF files, by their paths in the fixtures.
fn of_files(core: &str, elfs: &[&str]) -> Opened {
    let read = |path: &str| std::fs::read(file(&format!("fixtures/{path}"))).unwrap();
    Opened::new(&read(core), elfs.iter().map(|elf| read(elf)).collect())
}

/// A crash of the fixture firmware, built with -Og.
fn opened(board: &str, case: &str) -> Opened {
    of_files(&format!("cores/{board}-Og-{case}.core"), &[&format!("elf/{board}-Og.elf")])
}

/// The demo of the README: a stack overflow.
fn demo() -> Opened {
    of_files("demo/crash.core", &["demo/firmware.elf"])
}

fn plain() -> Settings {
    Settings { theme: Theme::Plain, ..Settings::default() }
}

fn session(opened: Opened, columns: u16, rows: u16) -> Session {
    Session::new(opened, plain(), columns, rows)
}
