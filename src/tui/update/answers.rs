//! What the worker found goes into the state.

use super::super::event::{Answer, Effect, Loaded, Named};
use super::super::memory::{Rows, changes};
use super::super::state::{Code, Document, Globals, State, ThreadRow, Variables};
use super::super::tree::{Forest, Nodes, Path};
use super::{code, globals, memory, navigate, threads};
use crate::base::Address;

pub(super) fn take(state: &mut State, answer: Answer, effects: &mut Vec<Effect>) {
    match answer {
        Answer::Opened => {}
        Answer::Progress(text) => state.busy = Some(text),
        Answer::Loaded(loaded) => load(state, loaded),
        Answer::Named(named) => name(state, named, effects),
        Answer::Variables(thread, frame, items) => {
            // The reader may have gone on to another frame.
            if state.variables.of == Some((thread, frame)) {
                state.variables.nodes = Nodes::new(items);
                state.variables.known = true;
            }
        }
        Answer::Globals(items) => {
            for (index, item) in items {
                state.globals.nodes.insert(index, item);
            }
        }
        Answer::Children(path, from, children) => {
            nodes(state, &path).fill(&path.steps, from, children);
        }
        Answer::Chain(path, Some(chain)) => {
            state.tell(format!("{} nodes; {}", chain.items.len(), chain.end));
            nodes(state, &path).fill_chain(&path.steps, chain);
        }
        Answer::Chain(_, None) => {
            state.complain("no member of this type points to another of it: no list");
        }
        Answer::Filtered(query, matches) => {
            // Somebody may have typed on.
            if query == state.globals.query {
                state.globals.matches = matches;
                globals::list(state);
            }
        }
        Answer::Code(at, lines) => {
            if state.code.at == Some(at) {
                state.code = Code { at: Some(at), lines, known: true, ..Code::default() };
                code::list(state);
            }
        }
        Answer::Source(path, text) => {
            state.sources.texts.insert(path, Some(text));
        }
        Answer::Goto(text, Ok(at)) => {
            navigate::to_address(state, at);
            if state.message.is_none() {
                state.tell(format!("{text} is {at}"));
            }
        }
        Answer::Goto(_, Err(error)) => state.complain(error),
        Answer::Name(at, name) => {
            if state.memory.cursor == at {
                state.memory.name = Some((at, name));
            }
        }
        Answer::Found(pattern, Ok(found)) => {
            state.busy = None;
            let none = found.is_empty();
            (state.memory.pattern, state.memory.found) = (pattern, found);
            if none {
                state.complain(format!("`{}` is not in memory", state.memory.pattern));
            } else {
                memory::show_found(state);
            }
        }
        Answer::Found(_, Err(error)) => {
            state.busy = None;
            state.complain(error);
        }
        Answer::Done(done) => {
            state.busy = None;
            match done {
                Ok(text) => state.tell(text),
                Err(error) => state.complain(error),
            }
        }
    }
}

fn nodes<'s>(state: &'s mut State, path: &Path) -> &'s mut Nodes {
    match path.forest {
        Forest::Frame => &mut state.variables.nodes,
        Forest::Globals => &mut state.globals.nodes,
    }
}

/// A dump, or the target read again: what is shown stays where it was as far as it can.
fn load(state: &mut State, loaded: Box<Loaded>) {
    let again = state.loaded.is_some();
    let width = state.memory.rows.width();
    state.memory.rows = Rows::new(&loaded.memory, width);
    state.memory.changes = match &loaded.other {
        Some(other) => changes(&loaded.captured, other),
        None => Vec::new(),
    };
    state.memory.found.clear();
    state.memory.name = None;
    state.documents.values_mut().for_each(|document| {
        *document = Document { cursor: document.cursor, ..Document::default() }
    });
    state.variables = Variables::default();
    state.globals.nodes.clear();
    state.globals.asked.clear();
    state.code = Code { at: if again { None } else { state.code.at }, ..Code::default() };
    let threads = &loaded.report.threads;
    let first = navigate::blamed(threads);
    let sp = threads.get(first).and_then(|thread| thread.frames.first()?.sp);
    let bytes: u64 = state.memory.changes.iter().map(|range| range.size()).sum();
    let compared = loaded.other.is_some();
    state.loaded = Some(loaded);
    if again {
        threads::list(state);
        state.busy = None;
        state.tell(format!("read again: {bytes} bytes of memory have changed"));
        return;
    }
    state.busy = Some("reading names".to_string());
    if compared {
        state.tell(format!(
            "{bytes} bytes differ from the other dump; }} in Memory goes to the next"
        ));
    }
    // The thread that crashed, or ran, is open, and what it had on its stack is at hand.
    state.threads.open.insert(first);
    threads::list(state);
    let row = ThreadRow { thread: first, frame: Some(0) };
    let at = state.threads.rows.iter().position(|known| *known == row);
    state.threads.cursor.at = at.unwrap_or(0);
    let start = sp.map(|sp| Address(sp.0)).unwrap_or_default();
    memory::place(state, start);
}

fn name(state: &mut State, named: Box<Named>, effects: &mut Vec<Effect>) {
    state.busy = None;
    state.documents.values_mut().for_each(|document| document.width = 0);
    let query = state.globals.query.clone();
    let cursor = state.globals.cursor;
    state.named = Some(named);
    state.globals = Globals { cursor, ..Globals::default() };
    globals::search(state, &query, effects);
    state.globals.cursor = cursor;
}
