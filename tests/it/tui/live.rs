//! A live target that is read again.

use super::{opened, plain};
use crate::support::session::{Opened, Session};
use mflt::tui::Settings;

#[test]
fn target_that_is_read_again_shows_what_has_changed() {
    let before = opened("mps2-an385", "none");
    let again = opened("mps2-an385", "nullptr").snapshot;
    let target = Opened { again: Some(again), ..before };
    let settings = Settings { live: true, ..plain() };
    let mut session = Session::new(target, settings, 80, 24);
    let first = session.screen();
    session.keys("r");
    let second = session.screen();
    assert!(second.contains("bytes of memory have changed"), "{second}");
    assert_ne!(first.lines().nth(2), second.lines().nth(2), "another cause");
    session.keys("4}");
    assert!(session.screen().contains("(other dump: "));
}

#[test]
fn target_that_vanishes_leaves_what_was_read() {
    let settings = Settings { live: true, ..plain() };
    let mut session = Session::new(opened("mps2-an385", "nullptr"), settings, 80, 24);
    session.keys("r");
    let shown = session.screen();
    assert!(shown.contains("the target is gone") && shown.contains("Cause"), "{shown}");
    let mut dump = Session::new(opened("mps2-an385", "nullptr"), plain(), 80, 24);
    dump.keys("r");
    assert!(dump.screen().contains("only a live target"));
}
