//! A page of text: fields, headings, wrapping, and color where it is wanted.

use std::fmt::Write;

/// How to render.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Columns to fill at most; long lines wrap under their own text.
    pub width: usize,
    /// Use ANSI colors. Meaning never rests on them.
    pub color: bool,
    /// Show all there is: every local, globals, memory ranges, all registers.
    pub full: bool,
}

impl Default for Style {
    fn default() -> Style {
        Style { width: 100, color: false, full: false }
    }
}

/// What a piece of text is, which decides its color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Title,
    Strong,
    Heading,
    Fault,
    Warning,
    Dim,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Ink::Plain => "",
            Ink::Title => "\x1b[1;31m",
            Ink::Strong => "\x1b[1m",
            Ink::Heading => "\x1b[1;36m",
            Ink::Fault => "\x1b[31m",
            Ink::Warning => "\x1b[33m",
            Ink::Dim => "\x1b[2m",
        }
    }
}

/// Columns of a field's label.
const LABEL: usize = 11;
/// Narrower than this nothing is wrapped: the terminal does it.
const NARROWEST: usize = 30;

/// Text under construction.
pub(super) struct Page {
    style: Style,
    text: String,
}

impl Page {
    pub(super) fn new(style: Style) -> Page {
        Page { style, text: String::new() }
    }

    pub(super) fn style(&self) -> Style {
        self.style
    }

    pub(super) fn finish(mut self) -> String {
        while self.text.ends_with("\n\n") {
            self.text.pop();
        }
        self.text
    }

    pub(super) fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    pub(super) fn line(&mut self, ink: Ink, text: &str) {
        let painted = self.painted(ink, text);
        self.text.push_str(&painted);
        self.text.push('\n');
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.line(Ink::Heading, text);
    }

    /// `Label      text`, wrapped under the text.
    pub(super) fn field(&mut self, label: &str, ink: Ink, text: &str) {
        self.labelled(0, label, ink, text);
    }

    /// A field that is indented under a heading.
    pub(super) fn entry(&mut self, label: &str, ink: Ink, text: &str) {
        self.labelled(2, label, ink, text);
    }

    fn labelled(&mut self, indent: usize, label: &str, ink: Ink, text: &str) {
        let width = LABEL.max(label.chars().count() + 1);
        let lead = format!("{:indent$}{label:<width$}", "");
        self.wrapped(&lead, ink, text);
    }

    /// `lead` and then `text`, whose further lines begin under its first.
    pub(super) fn wrapped(&mut self, lead: &str, ink: Ink, text: &str) {
        let column = lead.chars().count();
        let room = self.style.width.saturating_sub(column);
        let mut lead = lead.to_string();
        for line in wrap(text, room) {
            let painted = self.painted(ink, line);
            self.text.push_str(lead.as_str());
            self.text.push_str(&painted);
            self.text.push('\n');
            lead = " ".repeat(column);
        }
    }

    /// `text` in the color of `ink`, control characters of the target made visible.
    pub(super) fn painted(&self, ink: Ink, text: &str) -> String {
        let safe = printable(text);
        let code = ink.code();
        if self.style.color && !code.is_empty() && !safe.is_empty() {
            format!("{code}{safe}\x1b[0m")
        } else {
            safe
        }
    }
}

/// Text from a dump may hold anything: terminals must not act on it.
fn printable(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_string();
    }
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            let _ = write!(safe, "\\x{:02x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Breaks at spaces; a word that is too long stands alone.
fn wrap(text: &str, room: usize) -> Vec<&str> {
    if room < NARROWEST || text.chars().count() <= room {
        return vec![text];
    }
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.chars().count() > room {
        let limit = rest.char_indices().nth(room).map_or(rest.len(), |(index, _)| index);
        let cut = rest.get(..=limit).or(rest.get(..limit)).unwrap_or(rest);
        let at = cut.rfind(' ').or_else(|| rest.find(' '));
        match at {
            Some(at) => {
                lines.push(rest.get(..at).unwrap_or(rest));
                rest = rest.get(at + 1..).unwrap_or("");
            }
            None => break,
        }
    }
    lines.push(rest);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_breaks_at_spaces_and_keeps_every_word() {
        let text = "one two three four five six seven eight nine ten eleven twelve";
        let lines = wrap(text, 30);
        assert!(lines.iter().all(|line| line.chars().count() <= 30), "{lines:?}");
        assert_eq!(lines.join(" "), text);
        assert_eq!(wrap("äöü", 30), ["äöü"]);
        let long = "x".repeat(100);
        assert_eq!(wrap(&long, 30), [long.as_str()]);
        let umlauts = "ä ".repeat(60);
        assert_eq!(wrap(&umlauts, 31).concat().matches('ä').count(), 60);
    }

    #[test]
    fn control_characters_of_a_dump_do_not_reach_the_terminal() {
        let page = Page::new(Style { color: true, ..Style::default() });
        assert_eq!(page.painted(Ink::Plain, "a\x1b[2Jb"), "a\\x1b[2Jb");
        assert_eq!(page.painted(Ink::Strong, "x"), "\x1b[1mx\x1b[0m");
    }
}
