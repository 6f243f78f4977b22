//! What differs, by kind, each with the place it was found at.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Differences of one case.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    found: Vec<(&'static str, String)>,
    place: Vec<String>,
    /// Values that the debug information gives in a way that fails in GDB: not compared.
    pub(crate) errors_skipped: usize,
    /// Values that GDB takes from registers that a call has overwritten, and that we leave out.
    pub(crate) clobbered_left_out: usize,
    /// The dump has no floating-point registers: what only they tell may be missing.
    pub(crate) without_float: bool,
    /// QEMU did not let GDB read the first page; the ELF has it.
    pub(crate) first_page_refused: bool,
}

impl Differences {
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn add(&mut self, kind: &'static str, text: impl Into<String>) {
        let mut place = self.place.join(" / ");
        place.push_str(if place.is_empty() { "" } else { ": " });
        self.found.push((kind, format!("{place}{}", text.into())));
    }

    /// Goes on inside `place`, until [`Differences::leave`] is given what this returned.
    pub(crate) fn enter(&mut self, place: &str) -> usize {
        self.place.push(place.to_string());
        self.place.len() - 1
    }

    pub(crate) fn leave(&mut self, at: usize) {
        self.place.truncate(at);
    }

    pub(crate) fn demand(
        &mut self,
        holds: bool,
        kind: &'static str,
        text: impl FnOnce() -> String,
    ) {
        if !holds {
            self.add(kind, text());
        }
    }

    pub(crate) fn equal(&mut self, kind: &'static str, what: &str, ours: &Value, gdb: &Value) {
        self.demand(ours == gdb, kind, || format!("{what} is {ours}, GDB has {gdb}"));
    }

    /// How many there are of each kind.
    pub(crate) fn count_into(&self, tally: &mut BTreeMap<&'static str, usize>) {
        for (kind, _) in &self.found {
            *tally.entry(kind).or_default() += 1;
        }
    }

    /// The first `most` of them, one per line.
    pub(crate) fn text(&self, most: usize) -> String {
        let mut text = String::new();
        for (kind, what) in self.found.iter().take(most) {
            let _ = writeln!(text, "    [{kind}] {what}");
        }
        if let Some(more) = self.found.len().checked_sub(most).filter(|more| *more > 0) {
            let _ = writeln!(text, "    and {more} more");
        }
        text
    }
}
