//! All that the interface remembers. Changed by [`super::update`] alone, drawn by [`super::view`].

use super::document::Line;
use super::event::{Found, Loaded, Named};
use super::keys::{Pane, SCREENS, Screen};
use super::layout;
use super::memory::Rows;
use super::theme::Theme;
use super::tree::Nodes;
use crate::analysis::inspector::CodeLine;
use crate::base::{Address, AddressRange};
use crate::report::{Frame, Registers, Thread};
use ratatui::layout::Rect;
use std::collections::{BTreeMap, BTreeSet};
use tui_input::Input;

/// Lines that are remembered.
const MOST_REMEMBERED: usize = 1000;

/// What is remembered from one run to the next, and what the command line sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Colors.
    pub theme: Theme,
    /// Columns of the left side of the threads screen, in hundredths.
    pub split: u16,
    /// How numbers are written.
    pub base: Base,
    /// Bytes of a word of the memory screen.
    pub word: u32,
    /// Names of pinned globals.
    pub pins: Vec<String>,
    /// Whether the target can be read again.
    pub live: bool,
    /// Whether an SVD file names the registers of peripherals.
    pub peripherals: bool,
    /// What the dump is called.
    pub title: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            theme: Theme::default(),
            split: 52,
            base: Base::default(),
            word: 1,
            pins: Vec::new(),
            live: false,
            peripherals: false,
            title: String::new(),
        }
    }
}

impl Settings {
    /// What is remembered, a word and a value per line.
    pub(super) fn written(&self) -> String {
        let base = BASES.iter().find(|(_, base)| *base == self.base).map_or("c", |(name, _)| name);
        let mut text = format!(
            "theme {}\nsplit {}\nbase {base}\nword {}\n",
            self.theme.name(),
            self.split,
            self.word
        );
        for pin in &self.pins {
            text.push_str(&format!("pin {pin}\n"));
        }
        text
    }

    /// Takes over what was remembered; lines that are not understood are passed over.
    pub fn recall(&mut self, text: &str) {
        for line in text.lines().take(MOST_REMEMBERED) {
            let Some((word, value)) = line.split_once(' ') else { continue };
            match word {
                "theme" => self.theme = Theme::named(value).unwrap_or(self.theme),
                "split" => {
                    self.split =
                        value.parse().ok().filter(|s| (20..=80).contains(s)).unwrap_or(self.split);
                }
                "base" => {
                    let known = BASES.iter().find(|(name, _)| *name == value);
                    self.base = known.map_or(self.base, |(_, base)| *base);
                }
                "word" => {
                    let size = value.parse().ok().filter(|size| matches!(size, 1 | 2 | 4 | 8));
                    self.word = size.unwrap_or(self.word);
                }
                "pin" => self.pins.push(value.to_string()),
                _ => {}
            }
        }
    }
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Base {
    /// As C and GDB do.
    #[default]
    Natural,
    /// Hexadecimal, all digits.
    Hexadecimal,
    /// Decimal, without sign.
    Decimal,
    /// Binary, all digits.
    Binary,
}

/// Every base with its name, in the order of the key.
pub(super) const BASES: [(&str, Base); 4] = [
    ("c", Base::Natural),
    ("hex", Base::Hexadecimal),
    ("dec", Base::Decimal),
    ("bin", Base::Binary),
];

/// A row with the cursor, and the first row that is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) at: usize,
    pub(super) top: usize,
}

impl Cursor {
    /// Keeps the cursor among `count` rows, of which `height` are seen.
    pub(super) fn settle(&mut self, count: usize, height: usize) {
        self.at = self.at.min(count.saturating_sub(1));
        // What is not on the screen scrolls when it comes.
        if height == 0 {
            return;
        }
        self.top = self.top.min(self.at).min(count.saturating_sub(height));
        let below = self.at.saturating_add(1).saturating_sub(height);
        self.top = self.top.max(below);
    }

    pub(super) fn move_by(&mut self, rows: isize) {
        self.at = self.at.saturating_add_signed(rows);
    }
}

/// A text pane.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    pub(super) lines: Vec<Line>,
    /// The width that it was wrapped to; 0 when it must be made anew.
    pub(super) width: usize,
    pub(super) cursor: Cursor,
    /// Which link of the line is chosen.
    pub(super) link: usize,
}

/// In which order threads stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// As in the report: the crashed one first.
    #[default]
    Report,
    Name,
    Priority,
    Stack,
    State,
}

/// Every order with its name, in the order of the key.
pub(super) const SORTS: [(&str, Sort); 5] = [
    ("crashed first", Sort::Report),
    ("name", Sort::Name),
    ("priority", Sort::Priority),
    ("stack", Sort::Stack),
    ("state", Sort::State),
];

/// A row of the list of threads: a thread, or one of its frames, by their places in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadRow {
    pub(super) thread: usize,
    pub(super) frame: Option<usize>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Threads {
    pub(super) rows: Vec<ThreadRow>,
    pub(super) open: BTreeSet<usize>,
    pub(super) cursor: Cursor,
    pub(super) sort: Sort,
    pub(super) filter: String,
}

/// Arguments and locals of a frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    pub(super) nodes: Nodes,
    pub(super) cursor: Cursor,
    /// `id` of the thread and number of the frame that they are asked for.
    pub(super) of: Option<(String, u32)>,
    /// They have come.
    pub(super) known: bool,
    pub(super) registers: Cursor,
}

/// Text of source files.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// By path, from when they were asked for.
    pub(super) texts: BTreeMap<String, Option<Result<Vec<String>, String>>>,
    /// Rows that the reader has scrolled away from the line of the frame.
    pub(super) offset: isize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Globals {
    /// Numbers of those that are listed: the pinned ones, then what the query means.
    pub(super) shown: Vec<usize>,
    /// What the query means.
    pub(super) matches: Vec<usize>,
    pub(super) query: String,
    pub(super) nodes: Nodes,
    /// Those whose value was asked for.
    pub(super) asked: BTreeSet<usize>,
    pub(super) cursor: Cursor,
}

#[derive(Clone, Debug, Default)]
pub(super) struct MemoryPane {
    pub(super) rows: Rows,
    pub(super) cursor: Address,
    pub(super) top: usize,
    pub(super) big: bool,
    pub(super) marks: BTreeSet<Address>,
    /// What differs from the other dump.
    pub(super) changes: Vec<AddressRange>,
    pub(super) pattern: String,
    pub(super) found: Vec<Found>,
    /// The name of what stands at an address.
    pub(super) name: Option<(Address, Option<String>)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    /// The address that is looked at.
    pub(super) at: Option<Address>,
    pub(super) lines: Vec<CodeLine>,
    /// The lines have come.
    pub(super) known: bool,
    pub(super) rows: Vec<CodeRow>,
    pub(super) cursor: Cursor,
}

/// A row of the disassembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeRow {
    /// A source line, that of the instruction of that number.
    Source(usize),
    /// An instruction.
    Instruction(usize),
}

/// Where somebody was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) screen: Screen,
    pub(super) focus: usize,
    pub(super) thread: usize,
    pub(super) memory: Address,
    pub(super) code: Option<Address>,
    pub(super) row: usize,
}

/// What a line of input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Command,
    /// Text to be found in the pane.
    Search,
}

/// A line of input at the bottom.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub(super) purpose: Purpose,
    pub(super) input: Input,
    /// What Tab offers, and which of it is shown.
    pub(super) offers: Vec<String>,
    pub(super) offer: usize,
}

/// A line about what was done, or was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) text: String,
    pub(super) bad: bool,
}

/// All that the interface remembers.
#[derive(Debug)]
pub struct State {
    pub(super) settings: Settings,
    pub(super) area: Rect,
    pub(super) screen: Screen,
    /// Which pane of the screen has the keys.
    pub(super) focus: usize,
    pub(super) zoomed: bool,
    pub(super) loaded: Option<Box<Loaded>>,
    pub(super) named: Option<Box<Named>>,
    pub(super) documents: BTreeMap<Screen, Document>,
    pub(super) threads: Threads,
    pub(super) variables: Variables,
    pub(super) sources: Sources,
    pub(super) globals: Globals,
    pub(super) memory: MemoryPane,
    pub(super) code: Code,
    pub(super) back: Vec<Spot>,
    pub(super) forward: Vec<Spot>,
    pub(super) prompt: Option<Prompt>,
    /// Lines that were typed before, the last one last.
    pub(super) typed: Vec<String>,
    /// The help is shown, from this row on.
    pub(super) help: Option<usize>,
    pub(super) message: Option<Message>,
    /// What the worker is at.
    pub(super) busy: Option<String>,
    /// What was searched in a text pane.
    pub(super) needle: String,
}

impl State {
    /// Nothing is loaded yet; the screen has `columns` and `rows`.
    pub fn new(settings: Settings, columns: u16, rows: u16) -> State {
        State {
            settings,
            area: Rect::new(0, 0, columns, rows),
            screen: Screen::Overview,
            focus: 0,
            zoomed: false,
            loaded: None,
            named: None,
            documents: BTreeMap::new(),
            threads: Threads::default(),
            variables: Variables::default(),
            sources: Sources::default(),
            globals: Globals::default(),
            memory: MemoryPane::default(),
            code: Code::default(),
            back: Vec::new(),
            forward: Vec::new(),
            prompt: None,
            typed: Vec::new(),
            help: None,
            message: None,
            busy: Some("reading the dump".to_string()),
            needle: String::new(),
        }
    }

    /// What is to be remembered of the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The screens that there are, each with its key and its name.
    pub(super) fn screens(&self) -> impl Iterator<Item = (char, &'static str, Screen)> {
        let peripherals = self.settings.peripherals;
        let there = move |screen: Screen| screen != Screen::Peripherals || peripherals;
        SCREENS.into_iter().filter(move |(_, _, screen)| there(*screen))
    }

    /// The pane that has the keys.
    pub(super) fn pane(&self) -> Pane {
        let panes = self.screen.panes();
        panes.get(self.focus).or(panes.first()).copied().unwrap_or(Pane::Text)
    }

    /// Rows of text that `pane` shows; 0 when it is not on the screen.
    pub(super) fn height_of(&self, pane: Pane) -> usize {
        let areas = layout::panes(self);
        let found = areas.iter().find(|(known, _)| *known == pane);
        found.map_or(0, |(pane, area)| usize::from(layout::inner(*pane, *area).height))
    }

    /// The threads of the report.
    pub(super) fn report_threads(&self) -> &[Thread] {
        self.loaded.as_ref().map_or(&[], |loaded| &loaded.report.threads)
    }

    /// The thread of the selected row and its frame, the innermost where a thread is selected.
    pub(super) fn selected(&self) -> Option<(&Thread, Option<&Frame>)> {
        let row = self.threads.rows.get(self.threads.cursor.at)?;
        let thread = self.report_threads().get(row.thread)?;
        Some((thread, thread.frames.get(row.frame.unwrap_or(0))))
    }

    /// The registers of the selected frame, those of its thread where it has none.
    pub(super) fn frame_registers(&self) -> Option<&Registers> {
        let (thread, frame) = self.selected()?;
        Some(frame.map_or(&thread.registers, |frame| &frame.registers))
    }

    /// Symbols, in order.
    pub(super) fn names(&self) -> &[String] {
        self.named.as_ref().map_or(&[], |named| &named.names)
    }

    pub(super) fn tell(&mut self, text: impl Into<String>) {
        self.message = Some(Message { text: text.into(), bad: false });
    }

    pub(super) fn complain(&mut self, text: impl Into<String>) {
        self.message = Some(Message { text: text.into(), bad: true });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_were_written_are_recalled() {
        let settings = Settings {
            theme: Theme::Contrast,
            split: 40,
            base: Base::Binary,
            word: 4,
            pins: vec!["_kernel".into(), "main::count".into()],
            ..Settings::default()
        };
        let mut recalled = Settings::default();
        recalled.recall(&settings.written());
        assert_eq!(recalled, settings);
        recalled.recall("theme mauve\nsplit 9999\nword 3\nbase x\n\u{0}garbage\nsplit\n");
        assert_eq!(recalled, settings, "garbage changes nothing");
    }

    #[test]
    fn cursor_stays_in_its_list_and_in_sight() {
        let mut cursor = Cursor { at: 99, top: 0 };
        cursor.settle(50, 10);
        assert_eq!(cursor, Cursor { at: 49, top: 40 });
        cursor.move_by(-45);
        cursor.settle(50, 10);
        assert_eq!(cursor, Cursor { at: 4, top: 4 });
        cursor.settle(50, 0);
        assert_eq!(cursor, Cursor { at: 4, top: 4 }, "not on the screen");
        cursor.settle(0, 10);
        assert_eq!(cursor, Cursor { at: 0, top: 0 });
    }
}
