//! What moves the interface: events that come in, effects that go out, and what the worker beside
//! the loop is asked and answers.

use super::tree::Path;
use crate::analysis::inspector::{Chain, Children, CodeLine, GlobalName, Item, OwnerMap, Part};
use crate::base::Address;
use crate::report::{Registers, Report};
use crate::snapshot::MemoryImage;
use std::sync::Arc;

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// A key, the mouse, a paste or a new size.
    Input(ratatui::crossterm::event::Event),
    /// The worker has something.
    Answer(Answer),
    /// The program was stopped and goes on: the terminal is as the shell left it.
    Resumed,
    /// The terminal is gone or a signal came: why the program is to end.
    Ended(String),
}

/// Something is to be done outside the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The worker is asked.
    Ask(Request),
    /// The text goes to the clipboard.
    Copy(String),
    /// The screen is drawn anew from nothing.
    Redraw,
    /// The program stops until the shell lets it go on.
    Suspend,
    /// The program ends.
    Quit,
}

/// A question to the worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Arguments and locals of a frame.
    Variables {
        /// `id` of the thread in the report.
        thread: String,
        /// Number of the frame.
        frame: u32,
    },
    /// Values of globals, by their number.
    Globals(Vec<usize>),
    /// What is inside a value, from a part on.
    Children(Path, Part, u64),
    /// The list behind a value.
    Chain(Path, Part),
    /// The globals that a query means.
    Filter(String),
    /// The function around an address.
    Code(Address),
    /// The text of a source file.
    Source(String),
    /// What an expression means, to go there.
    Goto(String, Registers),
    /// The name of what stands at an address.
    Name(Address),
    /// Where a pattern stands in memory.
    Find(String, Registers),
    /// Text to be written to a file.
    Write {
        /// The file.
        path: String,
        /// What to write.
        what: Export,
    },
    /// The live target is to be read again.
    Reread,
    /// The layout is to be remembered.
    Remember(String),
}

/// What is written to a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Export {
    /// The full report as text.
    Report,
    /// The report as JSON.
    Json,
    /// Text at hand.
    Text(String),
}

/// An answer of the worker.
#[derive(Debug)]
pub enum Answer {
    /// The dump is open.
    Opened,
    /// A line about what takes time.
    Progress(String),
    /// The report and the memory.
    Loaded(Box<Loaded>),
    /// What can be named.
    Named(Box<Named>),
    /// Arguments and locals of a frame.
    Variables(String, u32, Vec<Item>),
    /// Values of globals.
    Globals(Vec<(usize, Item)>),
    /// What is inside a value, from a part on.
    Children(Path, u64, Children),
    /// The list behind a value; none when it is no list.
    Chain(Path, Option<Chain>),
    /// The globals that a query means, best first.
    Filtered(String, Vec<usize>),
    /// The function around an address.
    Code(Address, Vec<CodeLine>),
    /// The text of a source file, or why there is none.
    Source(String, Result<Vec<String>, String>),
    /// Where to go.
    Goto(String, Result<Address, String>),
    /// The name of what stands at an address.
    Name(Address, Option<String>),
    /// Where a pattern stands: first addresses and lengths, in order.
    Found(String, Result<Vec<Found>, String>),
    /// Something was done, or failed: a line for people.
    Done(Result<String, String>),
}

/// Bytes that a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The first.
    pub start: Address,
    /// How many.
    pub size: u64,
}

/// What is shown first.
#[derive(Debug)]
pub struct Loaded {
    /// The report, without globals.
    pub report: Report,
    /// What was captured.
    pub captured: Arc<MemoryImage>,
    /// The same over the code and constants of the ELF files.
    pub memory: Arc<MemoryImage>,
    /// Another dump, or the same target earlier, to compare with.
    pub other: Option<Arc<MemoryImage>>,
}

/// What can be named, which takes longer to find.
#[derive(Debug, Default)]
pub struct Named {
    /// Globals and statics, by name.
    pub globals: Vec<GlobalName>,
    /// Symbols, in order.
    pub names: Vec<String>,
    /// Who owns which memory.
    pub owners: OwnerMap,
}
