//! The commands of the command line, one row each.

use super::super::event::{Effect, Export, Request};
use super::super::keys::Action;
use super::super::state::{BASES, SORTS, State};
use super::super::theme::{THEMES, Theme};
use super::{act, globals, memory, navigate, prompt, remember, threads};
use crate::base::number::parse_number;

/// What Tab offers behind a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offer {
    Nothing,
    Symbols,
    Words(&'static [&'static str]),
}

/// A command: its name, how it is used, what Tab offers, what it does.
struct Command {
    name: &'static str,
    usage: &'static str,
    offer: Offer,
    run: fn(&mut State, &str, &mut Vec<Effect>),
}

const COMMANDS: &[Command] = &[
    Command {
        name: "goto",
        usage: ":goto ADDRESS|SYMBOL|VARIABLE.MEMBER|REGISTER[+N], *… follows a pointer",
        offer: Offer::Symbols,
        run: goto,
    },
    Command {
        name: "find",
        usage: ":find TEXT, `de ad be ef`, =NUMBER, >ADDRESS or >FROM..TO (pointers to it)",
        offer: Offer::Symbols,
        run: |state, pattern, effects| prompt::find(state, pattern.to_string(), effects),
    },
    Command {
        name: "export",
        usage: ":export report|json|pane FILE",
        offer: Offer::Words(&["report ", "json ", "pane "]),
        run: export,
    },
    Command {
        name: "filter",
        usage: ":filter QUERY narrows globals, or threads on their screen",
        offer: Offer::Nothing,
        run: filter,
    },
    Command {
        name: "sort",
        usage: ":sort crashed|name|priority|stack|state",
        offer: Offer::Words(&["crashed", "name", "priority", "stack", "state"]),
        run: sort,
    },
    Command {
        name: "base",
        usage: ":base c|hex|dec|bin",
        offer: Offer::Words(&["c", "hex", "dec", "bin"]),
        run: base,
    },
    Command {
        name: "word",
        usage: ":word 1|2|4|8",
        offer: Offer::Words(&["1", "2", "4", "8"]),
        run: word,
    },
    Command {
        name: "theme",
        usage: ":theme dark|light|contrast|plain",
        offer: Offer::Words(&["dark", "light", "contrast", "plain"]),
        run: theme,
    },
    Command {
        name: "reread",
        usage: ":reread",
        offer: Offer::Nothing,
        run: |state, _, effects| act(state, Action::Reread, effects),
    },
    Command {
        name: "help",
        usage: ":help",
        offer: Offer::Nothing,
        run: |state, _, _| state.help = Some(0),
    },
    Command {
        name: "quit",
        usage: ":quit",
        offer: Offer::Nothing,
        run: |_, _, effects| effects.push(Effect::Quit),
    },
];

/// How every command is used.
pub(in crate::tui) fn usages() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.usage)
}

/// Runs a line; a name may be cut where it stays the only one, and an address alone is gone to.
pub(super) fn run(state: &mut State, line: &str, effects: &mut Vec<Effect>) {
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if name.is_empty() {
        return;
    }
    let exact = COMMANDS.iter().find(|command| command.name == name);
    let cut: Vec<&Command> = COMMANDS.iter().filter(|c| c.name.starts_with(name)).collect();
    match (exact, cut.as_slice()) {
        (Some(command), _) => (command.run)(state, argument.trim(), effects),
        (None, [command]) => (command.run)(state, argument.trim(), effects),
        (None, []) if name.starts_with(|c: char| c.is_ascii_digit() || c == '*') => {
            goto(state, line, effects);
        }
        (None, []) => state.complain(format!("there is no command `{name}`; ? lists them")),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|command| command.name).collect();
            state.complain(format!("`{name}` may be {}", names.join(" or ")));
        }
    }
}

/// What the line may become.
pub(super) fn completions(state: &State, line: &str) -> Vec<String> {
    /// More than anybody steps through.
    const MOST: usize = 200;
    let Some((name, argument)) = line.split_once(' ') else {
        let names = COMMANDS.iter().filter(|command| command.name.starts_with(line));
        return names.map(|command| format!("{} ", command.name)).collect();
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Vec::new();
    };
    match command.offer {
        Offer::Nothing => Vec::new(),
        Offer::Words(words) => {
            let fitting = words.iter().filter(|word| word.starts_with(argument));
            fitting.map(|word| format!("{name} {word}")).collect()
        }
        Offer::Symbols => {
            // Behind a star or an operator a symbol begins too.
            let start =
                argument.rfind(['*', '+', '>', '=', ' ']).map_or(0, |at| at.saturating_add(1));
            let (lead, begun) = argument.split_at(start);
            let names = state.names();
            let first = names.partition_point(|name| name.as_str() < begun);
            let fitting = names.get(first..).unwrap_or_default().iter();
            let fitting = fitting.take_while(|name| name.starts_with(begun)).take(MOST);
            fitting.map(|symbol| format!("{name} {lead}{symbol}")).collect()
        }
    }
}

fn goto(state: &mut State, text: &str, effects: &mut Vec<Effect>) {
    if text.is_empty() {
        state.complain("where to? an address, a symbol, a variable or a register");
        return;
    }
    effects.push(navigate::ask_address(state, text.to_string()));
}

fn export(state: &mut State, argument: &str, effects: &mut Vec<Effect>) {
    let (what, path) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    let path = path.trim().to_string();
    let what = match what {
        "report" => Some(Export::Report),
        "json" => Some(Export::Json),
        "pane" => Some(Export::Text(super::super::view::pane_text(state))),
        _ => None,
    };
    match what.filter(|_| !path.is_empty()) {
        Some(what) => effects.push(Effect::Ask(Request::Write { path, what })),
        None => state.complain("use it as `:export report|json|pane FILE`"),
    }
}

fn filter(state: &mut State, query: &str, effects: &mut Vec<Effect>) {
    use super::super::keys::Screen;
    if state.screen == Screen::Threads {
        threads::set_filter(state, query);
        return;
    }
    if state.screen != Screen::Globals {
        navigate::leave(state);
        (state.screen, state.focus) = (Screen::Globals, 0);
    }
    globals::search(state, query, effects);
}

fn sort(state: &mut State, name: &str, _: &mut Vec<Effect>) {
    match SORTS.iter().find(|(known, _)| !name.is_empty() && known.starts_with(name)) {
        Some((_, sort)) => threads::set_sort(state, *sort),
        None => state.complain("sort by crashed, name, priority, stack or state"),
    }
}

fn base(state: &mut State, name: &str, effects: &mut Vec<Effect>) {
    match BASES.iter().find(|(known, _)| *known == name) {
        Some((_, base)) => {
            state.settings.base = *base;
            remember(state, effects);
        }
        None => state.complain("numbers can be written as c, hex, dec or bin"),
    }
}

fn word(state: &mut State, size: &str, effects: &mut Vec<Effect>) {
    let size = parse_number(size).and_then(|size| u32::try_from(size).ok());
    match size.filter(|size| memory::WORDS.contains(size)) {
        Some(size) => {
            state.settings.word = size;
            memory::place(state, state.memory.cursor);
            remember(state, effects);
        }
        None => state.complain("a word has 1, 2, 4 or 8 bytes"),
    }
}

fn theme(state: &mut State, name: &str, effects: &mut Vec<Effect>) {
    match Theme::named(name) {
        Some(theme) => {
            state.settings.theme = theme;
            remember(state, effects);
        }
        None => {
            let names: Vec<&str> = THEMES.iter().map(|(name, _)| *name).collect();
            state.complain(format!("themes: {}", names.join(", ")));
        }
    }
}
