//! The interface in a terminal: what it draws, what keys do, bad input, a real pseudo-terminal.

mod bad_input;
mod live;
mod screens;
mod terminal;
mod walk;

use crate::support::file;
use crate::support::session::{Opened, Session};
use mflt::tui::{Settings, Theme};

/// A crash of the fixture firmware, built with -Og.
fn opened(board: &str, case: &str) -> Opened {
    let core = std::fs::read(file(&format!("fixtures/cores/{board}-Og-{case}.core"))).unwrap();
    let elf = std::fs::read(file(&format!("fixtures/elf/{board}-Og.elf"))).unwrap();
    Opened::new(&core, elf)
}

/// The demo of the README: a stack overflow.
fn demo() -> Opened {
    let core = std::fs::read(file("fixtures/demo/crash.core")).unwrap();
    Opened::new(&core, std::fs::read(file("fixtures/demo/firmware.elf")).unwrap())
}

fn plain() -> Settings {
    Settings { theme: Theme::Plain, ..Settings::default() }
}

fn session(opened: Opened, columns: u16, rows: u16) -> Session {
    Session::new(opened, plain(), columns, rows)
}
