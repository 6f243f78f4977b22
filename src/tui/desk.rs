//! The thread beside the loop: it has the dump and the symbols, and answers one question at a time.

use super::event::{Answer, Event, Export, Loaded, Named, Request};
use super::memory::with_constants;
use super::search::{self, Index};
use crate::analysis::inspector::Inspector;
use crate::analysis::{Options, analyze};
use crate::report::{Report, Style, render_text};
use crate::snapshot::{MemoryImage, Snapshot};
use crate::symbols::SymbolFile;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender};

/// Lines of a source file that are kept.
const MOST_LINES: usize = 200_000;
/// Columns of a report that is written to a file.
const PAGE_WIDTH: usize = 120;

/// What only the command line can do: files, and the live target.
pub trait Host {
    /// The text of a source file by the name that the debug information gives it.
    ///
    /// # Errors
    /// Why there is none, for people.
    fn source(&mut self, name: &str) -> Result<String, String>;

    /// Adds to a report what only other files tell of `memory`: the registers of peripherals.
    fn complete(&mut self, report: &mut Report, memory: &MemoryImage);

    /// Writes a file that somebody named.
    ///
    /// # Errors
    /// Why it cannot be written, for people.
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), String>;

    /// Keeps the settings for the next run; that this fails is no reason to stop.
    fn remember(&mut self, settings: &str);

    /// Reads the live target again; `progress` takes a line about how far it is.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    fn reread(&mut self, progress: &mut dyn FnMut(String)) -> Result<Snapshot, String>;
}

/// Where questions come in and answers go out.
#[derive(Debug)]
pub struct Desk {
    requests: Receiver<Request>,
    events: Sender<Event>,
    cancelled: Arc<AtomicBool>,
}

/// The loop is gone: there is nobody to answer.
struct Gone;

impl Desk {
    /// Takes questions from `requests`, and tells `events` what it finds.
    pub fn new(
        requests: Receiver<Request>,
        events: Sender<Event>,
        cancelled: Arc<AtomicBool>,
    ) -> Desk {
        Desk { requests, events, cancelled }
    }

    /// Set when the interface ends: what takes long is to stop.
    pub fn cancelled(&self) -> &Arc<AtomicBool> {
        &self.cancelled
    }

    /// Says that the dump is open and the interface may begin.
    pub fn opened(&self) {
        // The loop may be gone; then `serve` ends.
        let _ = self.answer(Answer::Opened);
    }

    /// Analyses `snapshot` and answers questions about it until the interface ends. Changes are shown
    /// against `other`.
    pub fn serve(
        &self,
        mut snapshot: Snapshot,
        files: &[SymbolFile<'_>],
        other: Option<Snapshot>,
        host: &mut dyn Host,
    ) {
        let mut other = other.map(|other| Arc::new(other.memory));
        while let Ok(next) = self.one(&snapshot, files, other, host) {
            other = Some(Arc::new(snapshot.memory));
            snapshot = next;
        }
    }

    /// Answers questions about one snapshot, until the target was read again.
    fn one(
        &self,
        snapshot: &Snapshot,
        files: &[SymbolFile<'_>],
        other: Option<Arc<MemoryImage>>,
        host: &mut dyn Host,
    ) -> Result<Snapshot, Gone> {
        let prepared = Inspector::prepared(snapshot, files);
        let inspector = Inspector::new(&prepared, files);
        // Globals are read when somebody looks at them.
        let mut report = inspector.report(&Options { globals: false, ..Options::default() });
        host.complete(&mut report, &prepared.memory);
        let captured = Arc::new(prepared.memory.clone());
        let memory = with_constants(&captured, inspector.constants());
        let loaded =
            Loaded { report: report.clone(), captured, memory: Arc::clone(&memory), other };
        self.answer(Answer::Loaded(Box::new(loaded)))?;
        let globals = inspector.globals();
        let index = Index::new(&globals);
        let named = Named { globals, names: inspector.names(), owners: inspector.owners(&report) };
        self.answer(Answer::Named(Box::new(named)))?;
        let mut scene = Scene { inspector, index, memory, files, snapshot };
        loop {
            match self.requests.recv().map_err(|_| Gone)? {
                Request::Reread => {
                    let mut tell = |text| {
                        let _ = self.answer(Answer::Progress(text));
                    };
                    match host.reread(&mut tell) {
                        Ok(next) => return Ok(next),
                        Err(error) => self.answer(Answer::Done(Err(error)))?,
                    }
                }
                Request::Remember(settings) => host.remember(&settings),
                Request::Source(name) => {
                    let text = host
                        .source(&name)
                        .map(|text| text.lines().take(MOST_LINES).map(str::to_string).collect());
                    self.answer(Answer::Source(name, text))?;
                }
                Request::Write { path, what } => {
                    let bytes = scene.exported(what, host);
                    let done = bytes.and_then(|bytes| host.write(&path, &bytes));
                    self.answer(Answer::Done(done.map(|()| format!("written to {path}"))))?;
                }
                request => {
                    if let Some(answer) = scene.answer(request) {
                        self.answer(answer)?;
                    }
                }
            }
        }
    }

    fn answer(&self, answer: Answer) -> Result<(), Gone> {
        self.events.send(Event::Answer(answer)).map_err(|_| Gone)
    }
}

/// What one snapshot is looked at with.
struct Scene<'a, 'd> {
    inspector: Inspector<'a, 'd>,
    index: Index,
    memory: Arc<MemoryImage>,
    files: &'a [SymbolFile<'d>],
    snapshot: &'a Snapshot,
}

impl Scene<'_, '_> {
    /// The answer to a question that needs no host.
    fn answer(&mut self, request: Request) -> Option<Answer> {
        let inspector = &self.inspector;
        Some(match request {
            Request::Variables { thread, frame } => {
                let items = inspector.frame_variables(&thread, frame);
                Answer::Variables(thread, frame, items)
            }
            Request::Globals(wanted) => {
                let values = wanted.into_iter().filter_map(|i| Some((i, inspector.global(i)?)));
                Answer::Globals(values.collect())
            }
            Request::Children(path, part, from) => {
                Answer::Children(path, from, inspector.children(&part, from))
            }
            Request::Chain(path, part) => Answer::Chain(path, inspector.chain(&part)),
            Request::Filter(query) => {
                let found = self.index.search(&query);
                Answer::Filtered(query, found)
            }
            Request::Code(at) => Answer::Code(at, inspector.code(at)),
            Request::Goto(text, registers) => {
                let at = inspector.address_of(&text, &registers);
                Answer::Goto(text, at)
            }
            Request::Name(at) => Answer::Name(at, inspector.name_of(at)),
            Request::Find(pattern, registers) => {
                let address_of = |text: &str| inspector.address_of(text, &registers);
                let found = search::find(&self.memory, &pattern, &address_of);
                Answer::Found(pattern, found)
            }
            // These are the host's.
            Request::Source(_) | Request::Write { .. } | Request::Reread | Request::Remember(_) => {
                return None;
            }
        })
    }

    /// The bytes of a file.
    fn exported(&self, what: Export, host: &mut dyn Host) -> Result<Vec<u8>, String> {
        let mut whole = || -> Report {
            let mut report = analyze(self.snapshot, self.files, &Options::default());
            host.complete(&mut report, &self.snapshot.memory);
            report
        };
        match what {
            Export::Text(text) => Ok(text.into_bytes()),
            Export::Report => {
                let style = Style { width: PAGE_WIDTH, color: false, full: true };
                Ok(render_text(&whole(), style).into_bytes())
            }
            Export::Json => serde_json::to_vec(&whole()).map_err(|error| error.to_string()),
        }
    }
}
