//! Keys: one table, from which come what a key does, the hints at the bottom and the help.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What the screen shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Screen {
    Overview,
    Threads,
    Globals,
    Memory,
    Code,
    Interrupts,
    Mpu,
    Heap,
    Log,
    Objects,
    Peripherals,
}

/// Every screen with its key and its name. The last is there with an SVD file only.
pub(super) const SCREENS: [(char, &str, Screen); 11] = [
    ('1', "Overview", Screen::Overview),
    ('2', "Threads", Screen::Threads),
    ('3', "Globals", Screen::Globals),
    ('4', "Memory", Screen::Memory),
    ('5', "Code", Screen::Code),
    ('6', "IRQ", Screen::Interrupts),
    ('7', "MPU", Screen::Mpu),
    ('8', "Heap", Screen::Heap),
    ('9', "Log", Screen::Log),
    ('0', "Kernel", Screen::Objects),
    ('-', "Periph", Screen::Peripherals),
];

/// A part of a screen that can have the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    /// Text of the report.
    Text,
    Threads,
    Variables,
    Registers,
    Source,
    Globals,
    Memory,
    Code,
}

impl Screen {
    /// The panes, in the order of Tab.
    pub(super) fn panes(self) -> &'static [Pane] {
        match self {
            Screen::Threads => &[Pane::Threads, Pane::Variables, Pane::Registers, Pane::Source],
            Screen::Globals => &[Pane::Globals],
            Screen::Memory => &[Pane::Memory],
            Screen::Code => &[Pane::Code],
            _ => &[Pane::Text],
        }
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    Help,
    Command,
    Search,
    NextFound,
    PreviousFound,
    NextPane,
    PreviousPane,
    Show(Screen),
    NextScreen,
    PreviousScreen,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    Forward,
    Zoom,
    Wider,
    Narrower,
    Copy,
    CopyPane,
    Base,
    ToMemory,
    ToCode,
    Chain,
    Pin,
    Sort,
    WordSize,
    Endian,
    Mark,
    NextMark,
    NextChange,
    PreviousChange,
    Reread,
    Redraw,
    Suspend,
}

/// A row: which keys do what, where.
pub(super) struct Binding {
    /// None where [`action`] knows them: those with Control.
    keys: &'static [KeyCode],
    /// How the keys are written.
    pub(super) shown: &'static str,
    pub(super) action: Action,
    /// Where it holds; everywhere when empty.
    pub(super) panes: &'static [Pane],
    /// What it does, for the help.
    pub(super) help: &'static str,
    /// The same in a word, for the bottom line.
    pub(super) hint: Option<&'static str>,
}

const fn key(
    keys: &'static [KeyCode],
    shown: &'static str,
    action: Action,
    panes: &'static [Pane],
    help: &'static str,
    hint: Option<&'static str>,
) -> Binding {
    Binding { keys, shown, action, panes, help, hint }
}

use KeyCode::{Backspace, Char, Down, End, Enter, F, Home, Left, PageDown, PageUp, Right, Tab, Up};

const VALUES: &[Pane] = &[Pane::Variables, Pane::Globals];
const WITH_ADDRESS: &[Pane] = &[Pane::Variables, Pane::Globals, Pane::Registers, Pane::Code];

/// All keys. Those of some panes come before those of all.
pub(super) const KEYS: &[Binding] = &[
    key(&[Enter], "Enter", Action::Open, &[Pane::Text], "go where the link leads", Some("follow")),
    key(&[Left, Char('h')], "h ←", Action::Left, &[Pane::Text], "link before", None),
    key(&[Right, Char('l')], "l →", Action::Right, &[Pane::Text], "next link", None),
    key(&[Enter], "Enter", Action::Open, &[Pane::Threads], "show or hide frames", Some("frames")),
    key(
        &[Char('s')],
        "s",
        Action::Sort,
        &[Pane::Threads],
        "sort: crashed first, name, priority, stack, state",
        Some("sort"),
    ),
    key(
        &[Char('/')],
        "/",
        Action::Search,
        &[Pane::Threads],
        "show only threads with a text",
        Some("filter"),
    ),
    key(
        &[Char('d')],
        "d",
        Action::ToCode,
        &[Pane::Threads, Pane::Source],
        "disassembly of the frame",
        Some("code"),
    ),
    key(
        &[Char('m')],
        "m",
        Action::ToMemory,
        &[Pane::Threads],
        "memory at the frame's stack pointer",
        Some("stack"),
    ),
    key(
        &[Enter],
        "Enter",
        Action::Open,
        VALUES,
        "open or close; on `… more`, read on",
        Some("open"),
    ),
    key(&[Char('f')], "f", Action::Chain, VALUES, "follow the list to its end", Some("list")),
    key(
        &[Char('x')],
        "x",
        Action::Base,
        &[Pane::Variables, Pane::Globals, Pane::Registers],
        "numbers: as C, hexadecimal, decimal, binary",
        Some("base"),
    ),
    key(&[Char('m')], "m", Action::ToMemory, WITH_ADDRESS, "memory at this place", Some("memory")),
    key(
        &[Char('/')],
        "/",
        Action::Search,
        &[Pane::Globals],
        "fuzzy search: name, type, file, address",
        Some("search"),
    ),
    key(&[Char('p')], "p", Action::Pin, &[Pane::Globals], "pin to the top, or unpin", Some("pin")),
    key(
        &[Enter],
        "Enter",
        Action::Open,
        &[Pane::Registers],
        "go where the value points",
        Some("follow"),
    ),
    key(
        &[Enter],
        "Enter",
        Action::Open,
        &[Pane::Code],
        "go to the target of the branch",
        Some("follow"),
    ),
    key(&[Enter], "Enter", Action::Open, &[Pane::Source], "disassembly of the frame", None),
    key(
        &[Enter],
        "Enter",
        Action::Open,
        &[Pane::Memory],
        "follow the pointer at the cursor",
        Some("follow"),
    ),
    key(&[Left, Char('h')], "h ←", Action::Left, &[Pane::Memory], "word before", None),
    key(&[Right, Char('l')], "l →", Action::Right, &[Pane::Memory], "next word", None),
    key(
        &[Char('/')],
        "/",
        Action::Search,
        &[Pane::Memory],
        "find text, `de ad be ef`, =NUMBER, >ADDR or >FROM..TO (pointers)",
        Some("find"),
    ),
    key(
        &[Char('w')],
        "w",
        Action::WordSize,
        &[Pane::Memory],
        "words of 1, 2, 4, 8 bytes",
        Some("word"),
    ),
    key(&[Char('e')], "e", Action::Endian, &[Pane::Memory], "little or big end first", None),
    key(&[Char('m')], "m", Action::Mark, &[Pane::Memory], "set or remove a bookmark", Some("mark")),
    key(&[Char('\'')], "'", Action::NextMark, &[Pane::Memory], "go to the next bookmark", None),
    key(
        &[Char('}')],
        "}",
        Action::NextChange,
        &[Pane::Memory],
        "next byte that differs from the other dump",
        None,
    ),
    key(&[Char('{')], "{", Action::PreviousChange, &[Pane::Memory], "the one before", None),
    key(&[Char('d')], "d", Action::ToCode, &[Pane::Memory], "disassembly at the cursor", None),
    key(&[Char('n')], "n", Action::NextFound, &[], "next that was found", None),
    key(&[Char('N')], "N", Action::PreviousFound, &[], "the one before", None),
    key(&[Char('/')], "/", Action::Search, &[], "search", Some("search")),
    key(&[Down, Char('j')], "j ↓", Action::Down, &[], "down", None),
    key(&[Up, Char('k')], "k ↑", Action::Up, &[], "up", None),
    key(&[Left, Char('h')], "h ←", Action::Left, &[], "close, or go to what is around", None),
    key(&[Right, Char('l')], "l →", Action::Right, &[], "open", None),
    key(&[PageDown, Char(' ')], "PgDn Space", Action::PageDown, &[], "a page down", None),
    key(&[PageUp], "PgUp", Action::PageUp, &[], "a page up", None),
    key(&[Home, Char('g')], "g Home", Action::First, &[], "first line", None),
    key(&[End, Char('G')], "G End", Action::Last, &[], "last line", None),
    key(&[Tab], "Tab", Action::NextPane, &[], "next pane", Some("pane")),
    key(&[KeyCode::BackTab], "Shift-Tab", Action::PreviousPane, &[], "pane before", None),
    key(&[Char(']')], "]", Action::NextScreen, &[], "next screen", None),
    key(&[Char('[')], "[", Action::PreviousScreen, &[], "screen before", None),
    key(&[Char('1')], "1", Action::Show(Screen::Overview), &[], "overview", None),
    key(&[Char('2')], "2", Action::Show(Screen::Threads), &[], "threads, frames, variables", None),
    key(&[Char('3')], "3", Action::Show(Screen::Globals), &[], "globals and statics", None),
    key(&[Char('4')], "4", Action::Show(Screen::Memory), &[], "memory", None),
    key(&[Char('5')], "5", Action::Show(Screen::Code), &[], "disassembly", None),
    key(
        &[Char('6')],
        "6",
        Action::Show(Screen::Interrupts),
        &[],
        "exceptions and interrupts",
        None,
    ),
    key(&[Char('7')], "7", Action::Show(Screen::Mpu), &[], "MPU", None),
    key(&[Char('8')], "8", Action::Show(Screen::Heap), &[], "heaps", None),
    key(&[Char('9')], "9", Action::Show(Screen::Log), &[], "log", None),
    key(&[Char('0')], "0", Action::Show(Screen::Objects), &[], "kernel objects", None),
    key(
        &[Char('-')],
        "-",
        Action::Show(Screen::Peripherals),
        &[],
        "peripheral registers (--svd)",
        None,
    ),
    key(
        &[Backspace, Char('(')],
        "Backspace (",
        Action::Back,
        &[],
        "back to where you were",
        Some("back"),
    ),
    key(&[Char(')')], ")", Action::Forward, &[], "forward again", None),
    key(
        &[Char(':')],
        ":",
        Action::Command,
        &[],
        "command line: :goto :find :export …",
        Some("command"),
    ),
    key(&[Char('y')], "y", Action::Copy, &[], "copy the line (OSC 52)", None),
    key(&[Char('Y')], "Y", Action::CopyPane, &[], "copy the pane", None),
    key(&[Char('z')], "z", Action::Zoom, &[], "this pane alone, or all", None),
    key(&[Char('>')], ">", Action::Wider, &[], "left side wider", None),
    key(&[Char('<')], "<", Action::Narrower, &[], "left side narrower", None),
    key(&[Char('r')], "r", Action::Reread, &[], "read the live target again", None),
    #[cfg(unix)]
    key(&[], "Ctrl-Z", Action::Suspend, &[], "to the shell; `fg` comes back", None),
    key(&[], "Ctrl-L", Action::Redraw, &[], "draw the screen anew", None),
    key(&[Char('?'), F(1)], "? F1", Action::Help, &[], "help", Some("help")),
    key(&[Char('q')], "q Ctrl-C", Action::Quit, &[], "quit", Some("quit")),
];

/// What `event` does in `pane`.
pub(super) fn action(event: KeyEvent, pane: Pane) -> Option<Action> {
    if event.modifiers.contains(KeyModifiers::CONTROL) {
        return match event.code {
            Char('c') => Some(Action::Quit),
            Char('o') => Some(Action::Back),
            Char('l') => Some(Action::Redraw),
            #[cfg(unix)]
            Char('z') => Some(Action::Suspend),
            Char('d' | 'f') => Some(Action::PageDown),
            Char('u' | 'b') => Some(Action::PageUp),
            Char('n') => Some(Action::Down),
            Char('p') => Some(Action::Up),
            _ => None,
        };
    }
    if event.modifiers.contains(KeyModifiers::ALT) {
        return match event.code {
            Left => Some(Action::Back),
            Right => Some(Action::Forward),
            _ => None,
        };
    }
    let mut bindings = in_pane(pane).filter(|binding| binding.keys.contains(&event.code));
    bindings.next().map(|binding| binding.action)
}

/// The bindings that hold in `pane`, its own first.
pub(super) fn in_pane(pane: Pane) -> impl Iterator<Item = &'static Binding> {
    let own = KEYS.iter().filter(move |binding| binding.panes.contains(&pane));
    own.chain(KEYS.iter().filter(|binding| binding.panes.is_empty()))
}

/// Whether the keys of `binding` do in `pane` what it says, and not what is the pane's own.
pub(super) fn is_reached(binding: &Binding, pane: Pane) -> bool {
    let own = binding.keys.iter().any(|code| {
        let first = in_pane(pane).find(|other| other.keys.contains(code));
        first.is_some_and(|first| std::ptr::eq(first, binding))
    });
    own || binding.keys.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANES: [Pane; 8] = [
        Pane::Text,
        Pane::Threads,
        Pane::Variables,
        Pane::Registers,
        Pane::Source,
        Pane::Globals,
        Pane::Memory,
        Pane::Code,
    ];

    #[test]
    fn every_binding_can_be_reached_by_each_of_its_keys_where_it_holds() {
        for binding in KEYS {
            let panes = if binding.panes.is_empty() { &PANES[..] } else { binding.panes };
            let reached = panes.iter().any(|pane| {
                binding.keys.iter().all(|code| {
                    let event = KeyEvent::new(*code, KeyModifiers::NONE);
                    action(event, *pane) == Some(binding.action)
                })
            });
            assert!(reached, "{} in {:?}", binding.shown, binding.panes);
        }
    }

    #[test]
    fn no_two_bindings_of_one_pane_share_a_key() {
        for pane in PANES {
            for own in [true, false] {
                let rows = KEYS
                    .iter()
                    .filter(|row| row.panes.contains(&pane) == own && own != row.panes.is_empty());
                let mut keys: Vec<_> = rows.flat_map(|row| row.keys).collect();
                let count = keys.len();
                keys.sort_by_key(|key| format!("{key:?}"));
                keys.dedup();
                assert_eq!(keys.len(), count, "{pane:?}");
            }
        }
    }

    #[test]
    fn every_screen_has_its_key() {
        for (digit, name, screen) in SCREENS {
            let event = KeyEvent::new(Char(digit), KeyModifiers::NONE);
            assert_eq!(action(event, Pane::Text), Some(Action::Show(screen)), "{name}");
        }
    }
}
