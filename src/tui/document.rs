//! Text panes: lines of the report with the places that Enter follows.

use crate::base::Address;
use crate::report::{Ink, Report, Section, Span, Style, section_lines};

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Address(Address),
    Symbol(String),
    /// A frame of the thread that crashed, or ran.
    Frame(u32),
    /// A thread, by its place in the report.
    Thread(usize),
}

/// A piece of a line that leads somewhere: characters from `start` to before `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) target: Target,
}

/// A line of text with its links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) spans: Vec<Span>,
    pub(super) links: Vec<Link>,
}

impl Line {
    pub(super) fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}

/// A section of the report, wrapped to `width`, with links to what `names` (in order) knows.
pub(super) fn of_section(
    report: &Report,
    section: Section,
    width: usize,
    names: &[String],
) -> Vec<Line> {
    let style = Style { width, color: false, full: true };
    // The pane's own title says what it is; these begin with the crash, and with a peripheral's name.
    let is_untitled = matches!(section, Section::Overview | Section::Peripherals);
    let is_title =
        |spans: &Vec<Span>| !is_untitled && spans.iter().all(|span| span.ink == Ink::Heading);
    let mut lines: Vec<Line> = section_lines(report, section, style)
        .into_iter()
        .enumerate()
        .filter(|(row, spans)| *row > 0 || !is_title(spans))
        .map(|(_, spans)| spans)
        .map(|spans| {
            let mut line = Line { spans, links: Vec::new() };
            line.links = links(&line.text(), report, names);
            line
        })
        .collect();
    if lines.is_empty() {
        let span = Span { ink: Ink::Dim, text: absent(section).to_string() };
        lines.push(Line { spans: vec![span], links: Vec::new() });
    }
    lines
}

/// Why a section is empty.
fn absent(section: Section) -> &'static str {
    match section {
        Section::Interrupts => "the dump holds nothing about exceptions and interrupts",
        Section::Mpu => "no MPU: the core has none, or its registers were not captured",
        Section::Heaps => "no heap was found: neither of the kernel nor of the C library",
        Section::Logs => "no log was found in the captured memory",
        Section::Objects => "no kernel objects were found",
        Section::Peripherals => {
            "the dump holds no register that the SVD file names: `mflt coredump --region ADDR SIZE` captures them"
        }
        _ => "nothing is known",
    }
}

/// What the words of a line lead to.
fn links(text: &str, report: &Report, names: &[String]) -> Vec<Link> {
    let mut links = Vec::new();
    let mut word = String::new();
    let (mut start, mut before) = (0_usize, ' ');
    let mut angled = false;
    // A space at the end closes the last word.
    for (index, character) in text.chars().chain([' ']).enumerate() {
        if character.is_alphanumeric() || matches!(character, '_' | '#') {
            if word.is_empty() {
                (start, angled) = (index, before == '<');
            }
            word.push(character);
            continue;
        }
        if let Some(target) = target(&word, angled, report, names) {
            links.push(Link { start, end: index, target });
        }
        word.clear();
        before = character;
    }
    links
}

/// What `word` leads to; one behind `<` is a symbol: `<ring+8>`.
fn target(word: &str, angled: bool, report: &Report, names: &[String]) -> Option<Target> {
    if let Some(digits) = word.strip_prefix("0x").filter(|digits| digits.len() == 8) {
        return u32::from_str_radix(digits, 16).ok().map(|at| Target::Address(Address(at)));
    }
    if let Some(number) = word.strip_prefix('#') {
        return number.parse().ok().map(Target::Frame);
    }
    // Words of the language are not meant, unless they name a thread.
    if word.len() < 3 && !angled {
        return None;
    }
    if let Some(thread) = report.threads.iter().position(|thread| thread.name == word) {
        return Some(Target::Thread(thread));
    }
    let is_name = angled || word.contains('_');
    let is_known = || names.binary_search_by(|name| name.as_str().cmp(word)).is_ok();
    (is_name && is_known()).then(|| Target::Symbol(word.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_line_lead_to_addresses_frames_and_symbols() {
        let report: Report = serde_json::from_str(
            r#"{"schema":1,"title":"","category":"Other","cause":{"summary":"","confidence":"likely",
            "evidence":[]},"device":{},"symbols":[],"fault":null,"threads":[],"globals":[],
            "memory":[],"notes":[]}"#,
        )
        .unwrap();
        let names = ["main".to_string(), "rx_ring".to_string()];
        let found = |text: &str| -> Vec<(usize, Target)> {
            links(text, &report, &names).into_iter().map(|link| (link.start, link.target)).collect()
        };
        assert_eq!(found("PC 0x00001234: x"), [(3, Target::Address(Address(0x1234)))]);
        assert_eq!(found("  #3  0x1 main"), [(2, Target::Frame(3))]);
        assert_eq!(found("<rx_ring+8>"), [(1, Target::Symbol("rx_ring".into()))]);
        assert_eq!(found("at <main+12>"), [(4, Target::Symbol("main".into()))]);
        assert_eq!(found("0xzzzzzzzz ## #x no_such main"), []);
    }
}
