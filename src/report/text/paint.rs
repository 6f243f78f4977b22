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
pub enum Ink {
    /// Anything else.
    Plain,
    /// The crash in one line.
    Title,
    /// The cause.
    Strong,
    /// The head of a part.
    Heading,
    /// What is wrong.
    Fault,
    /// What may be wrong, or is missing.
    Warning,
    /// What is there when it is wanted.
    Dim,
}

/// A piece of a line. What a terminal would act on is made visible in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub ink: Ink,
    /// Its text.
    pub text: String,
}

impl Span {
    fn new(ink: Ink, text: &str) -> Span {
        Span { ink, text: printable(text) }
    }

    /// The text, in its color if that is wanted.
    fn write_to(&self, page: &mut String, color: bool) {
        let code = self.ink.code();
        if color && !code.is_empty() && !self.text.is_empty() {
            page.extend([code, &self.text, "\x1b[0m"]);
        } else {
            page.push_str(&self.text);
        }
    }
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
pub(super) const NARROWEST: usize = 30;

/// Text under construction.
pub(super) struct Page {
    style: Style,
    lines: Vec<Vec<Span>>,
}

impl Page {
    pub(super) fn new(style: Style) -> Page {
        Page { style, lines: Vec::new() }
    }

    pub(super) fn style(&self) -> Style {
        self.style
    }

    /// What follows is as in the short report.
    pub(super) fn shorten(&mut self) {
        self.style.full = false;
    }

    /// The lines, without empty ones at the end.
    pub(super) fn into_lines(mut self) -> Vec<Vec<Span>> {
        while self.lines.last().is_some_and(Vec::is_empty) {
            self.lines.pop();
        }
        self.lines
    }

    pub(super) fn finish(self) -> String {
        let color = self.style.color;
        let mut text = String::new();
        for line in self.into_lines() {
            line.iter().for_each(|span| span.write_to(&mut text, color));
            text.push('\n');
        }
        text
    }

    pub(super) fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Vec::new());
        }
    }

    pub(super) fn line(&mut self, ink: Ink, text: &str) {
        self.lines.push(vec![Span::new(ink, text)]);
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
        let mut lead = format!("{:indent$}{label:<LABEL$}", "");
        if label.chars().nth(LABEL - 1).is_some() {
            lead.push(' ');
        }
        self.wrapped(&lead, ink, text);
    }

    /// `lead` and then `text`, whose further lines begin under its first.
    pub(super) fn wrapped(&mut self, lead: &str, ink: Ink, text: &str) {
        // Names of threads and variables stand in it, which are no more to be trusted.
        let mut lead = Span::new(Ink::Plain, lead);
        let column = lead.text.chars().count();
        let room = self.style.width.saturating_sub(column);
        for line in wrap(text, room) {
            let indent = Span { ink: Ink::Plain, text: " ".repeat(column) };
            self.lines.push(vec![std::mem::replace(&mut lead, indent), Span::new(ink, line)]);
        }
    }
}

/// `text` with control characters made visible: a dump or an ELF may hold anything, and terminals
/// must not act on it.
pub fn printable(text: &str) -> String {
    if !text.chars().any(acts) {
        return text.to_string();
    }
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if acts(character) {
            let _ = write!(safe, "\\x{:02x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Whether a terminal would act on `character` and not show it: controls, line separators, and
/// what turns the direction of writing (Unicode Standard 23.2).
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Breaks at spaces; a word that is too long stands alone. Time grows with the length of `text`.
fn wrap(text: &str, room: usize) -> Vec<&str> {
    if room < NARROWEST || text.chars().nth(room).is_none() {
        return vec![text];
    }
    let mut lines = Vec::new();
    let mut rest = text;
    // Where the character behind the last that fits begins; all fits when there is none.
    while let Some((limit, behind)) = rest.char_indices().nth(room) {
        let end = limit.saturating_add(behind.len_utf8());
        let near = rest.get(..end).and_then(|line| line.rfind(' '));
        let Some(at) = near.or_else(|| rest.find(' ')) else { break };
        lines.push(rest.get(..at).unwrap_or(rest).trim_end());
        rest = rest.get(at.saturating_add(1)..).unwrap_or("");
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
        let painted = |ink, text| {
            let mut page = Page::new(Style { color: true, ..Style::default() });
            page.line(ink, text);
            page.finish()
        };
        assert_eq!(painted(Ink::Plain, "a\x1b[2Jb"), "a\\x1b[2Jb\n");
        assert_eq!(painted(Ink::Strong, "x"), "\x1b[1mx\x1b[0m\n");
        assert_eq!(painted(Ink::Plain, "a\u{202e}b\u{9b}"), "a\\x202eb\\x9b\n");
    }

    #[test]
    fn control_characters_in_names_do_not_reach_the_terminal() {
        let mut page = Page::new(Style::default());
        page.wrapped("\x1b[2J = ", Ink::Plain, "1");
        page.entry("a\nb", Ink::Plain, "2");
        assert_eq!(page.finish(), "\\x1b[2J = 1\n  a\\x0ab        2\n");
    }

    #[test]
    fn wrapping_of_a_long_text_takes_time_in_proportion() {
        // Ten million characters: with time by the square this would take hours.
        let text = "word ".repeat(2_000_000);
        assert_eq!(wrap(&text, 40).len(), 250_000);
    }
}
