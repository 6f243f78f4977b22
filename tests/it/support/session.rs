//! The interface without a terminal: its update and view, and its worker on a thread.

use mflt::format;
use mflt::report::Report;
use mflt::snapshot::{MemoryImage, Snapshot};
use mflt::svd;
use mflt::symbols::{ElfImage, SymbolFile};
use mflt::tui::{Answer, Desk, Effect, Event, Host, Request, Settings, State, update, view};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// An address that no test looks at: its name is asked for to know that all else is answered.
const PING: mflt::base::Address = mflt::base::Address(0xffff_fff1);

/// A dump with its firmware, as bytes.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) snapshot: Snapshot,
    pub(crate) elfs: Vec<Vec<u8>>,
    /// An SVD file.
    pub(crate) device: Option<&'static str>,
    pub(crate) other: Option<Snapshot>,
    /// What reading the target again gives.
    pub(crate) again: Option<Snapshot>,
}

impl Opened {
    pub(crate) fn new(core: &[u8], elfs: Vec<Vec<u8>>) -> Opened {
        let snapshot = format::open(core).expect("a dump");
        Opened { snapshot, elfs, device: None, other: None, again: None }
    }
}

/// Files that were written: names and bytes.
pub(crate) type Written = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

struct Files {
    written: Written,
    device: Option<&'static str>,
    again: Option<Snapshot>,
}

impl Host for Files {
    fn source(&mut self, name: &str) -> Result<String, String> {
        let file = name.trim_start_matches("./");
        let path = format!("{}/fixtures/firmware/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).map_err(|_| format!("{name} is not on this machine"))
    }

    fn complete(&mut self, report: &mut Report, memory: &MemoryImage) {
        if let Some(device) = self.device {
            report.peripherals = svd::decode(device, memory).expect("an SVD file").peripherals;
        }
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), String> {
        self.written.lock().expect("the list").push((path.to_string(), bytes.to_vec()));
        Ok(())
    }

    fn remember(&mut self, settings: &str) {
        let bytes = settings.as_bytes().to_vec();
        self.written.lock().expect("the list").push(("settings".to_string(), bytes));
    }

    fn reread(&mut self, progress: &mut dyn FnMut(String)) -> Result<Snapshot, String> {
        progress("reading".to_string());
        self.again.clone().ok_or_else(|| "the target is gone".to_string())
    }
}

/// The interface on a screen that only a test sees.
pub(crate) struct Session {
    pub(crate) state: State,
    terminal: Terminal<TestBackend>,
    requests: Sender<Request>,
    events: Receiver<Event>,
    pub(crate) written: Written,
    pub(crate) copied: Vec<String>,
    pub(crate) quit: bool,
    pub(crate) suspended: bool,
}

impl Session {
    pub(crate) fn new(opened: Opened, settings: Settings, columns: u16, rows: u16) -> Session {
        let (requests, requests_out) = channel();
        let (events_in, events) = channel();
        let written = Written::default();
        let (device, again) = (opened.device, opened.again);
        let mut files = Files { written: Arc::clone(&written), device, again };
        let settings = Settings { peripherals: device.is_some(), ..settings };
        let desk = Desk::new(requests_out, events_in, Arc::new(AtomicBool::new(false)));
        let (snapshot, elfs, other) = (opened.snapshot, opened.elfs, opened.other);
        thread::spawn(move || {
            let images: Vec<ElfImage<'_>> =
                elfs.iter().map(|elf| ElfImage::parse(elf).expect("an ELF")).collect();
            let symbols: Vec<SymbolFile<'_>> = images.iter().map(SymbolFile::new).collect();
            desk.serve(snapshot, &symbols, other, &mut files);
        });
        let terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a screen");
        let state = State::new(settings, columns, rows);
        let (copied, quit, suspended) = (Vec::new(), false, false);
        let mut session =
            Session { state, terminal, requests, events, written, copied, quit, suspended };
        session.settle();
        session
    }

    /// Waits until every question is answered.
    pub(crate) fn settle(&mut self) {
        self.requests.send(Request::Name(PING)).expect("the worker");
        loop {
            match self.events.recv().expect("the worker") {
                Event::Answer(Answer::Name(PING, _)) => return,
                event => {
                    if self.take(event) {
                        // What was asked because of it comes before the next of these.
                        self.settle();
                    }
                }
            }
        }
    }

    /// Hands an event to the state; says whether the worker was asked something.
    fn take(&mut self, event: Event) -> bool {
        let mut asked = false;
        for effect in update(&mut self.state, event) {
            match effect {
                Effect::Ask(request) => {
                    asked = true;
                    self.requests.send(request).expect("the worker");
                }
                Effect::Copy(text) => self.copied.push(text),
                Effect::Quit => self.quit = true,
                Effect::Suspend => self.suspended = true,
                Effect::Redraw => {}
            }
        }
        asked
    }

    pub(crate) fn input(&mut self, input: Input) {
        if let Input::Resize(columns, rows) = input {
            self.terminal.backend_mut().resize(columns, rows);
        }
        if self.take(Event::Input(input)) {
            self.settle();
        }
    }

    /// Types keys: letters, and names in angle brackets: `2j<Enter>`.
    pub(crate) fn keys(&mut self, keys: &str) -> &mut Session {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|name| name.split_once('>'));
            let known = named.and_then(|(name, _)| key_named(name));
            let (key, length) = match (known, named) {
                (Some(key), Some((name, _))) => (key, name.len() + 2),
                _ => (KeyEvent::new(KeyCode::Char(first), KeyModifiers::NONE), first.len_utf8()),
            };
            rest = &rest[length..];
            self.input(Input::Key(key));
        }
        self
    }

    /// What is drawn, row by row, without spaces at their ends.
    pub(crate) fn screen(&mut self) -> String {
        let state = &self.state;
        self.terminal.draw(|frame| view(state, frame)).expect("a frame");
        let buffer = self.terminal.backend().buffer();
        let width = usize::from(buffer.area.width.max(1));
        let rows = buffer.content().chunks(width).map(|row| {
            let text: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
            text.trim_end().to_string()
        });
        rows.collect::<Vec<_>>().join("\n")
    }
}

fn key_named(name: &str) -> Option<KeyEvent> {
    let plain = |code| Some(KeyEvent::new(code, KeyModifiers::NONE));
    match name {
        "Enter" => plain(KeyCode::Enter),
        "Esc" => plain(KeyCode::Esc),
        "Tab" => plain(KeyCode::Tab),
        "BackTab" => plain(KeyCode::BackTab),
        "Backspace" => plain(KeyCode::Backspace),
        "Up" => plain(KeyCode::Up),
        "Down" => plain(KeyCode::Down),
        "Left" => plain(KeyCode::Left),
        "Right" => plain(KeyCode::Right),
        "PageDown" => plain(KeyCode::PageDown),
        "PageUp" => plain(KeyCode::PageUp),
        "C-c" => Some(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)),
        "C-o" => Some(KeyEvent::new(KeyCode::Char('o'), KeyModifiers::CONTROL)),
        "C-z" => Some(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL)),
        _ => None,
    }
}
