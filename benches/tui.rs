//! How fast the interface answers a key, how soon it stands, and what it costs while nobody types.
//!
//! Keys: update and view are driven without a terminal, over the real worker with 100,000 globals
//! (an ELF that a compiler makes) beside the demo, and 16 MiB of memory. Each key is measured from
//! the event to the frame that shows it, and each answer of the worker likewise; then from the key
//! to the frame with all that was asked because of it.
//!
//! First frame: from the start of the program to the cause on the screen of a pseudo-terminal, for a
//! dump of 1 MiB with an ELF of 5 MB, or those that are given: `cargo bench --bench tui -- ELF CORE`.
//!
//! Needs `arm-none-eabi-gcc`. Prints medians, 99th percentiles and the longest.

mod generated;
#[path = "../tests/it/support/many_globals.rs"]
mod many_globals;

use mflt::base::Address;
use mflt::format::elf_core;
use mflt::report::Report;
use mflt::snapshot::{MemoryImage, Snapshot};
use mflt::symbols::{ElfImage, SymbolFile};
use mflt::tui::{Desk, Effect, Event, Host, Request, Settings, State, update, view};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use std::error::Error;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const GLOBALS: u32 = 100_000;
const MEMORY: usize = 16 << 20;
/// Of the dump that is shown first.
const DUMP: usize = 1 << 20;
/// Size of its ELF in MB, and units that make one of about that size.
const ELF: (u32, usize) = (5, 16);
const ROUNDS: usize = 15;
const IDLE: Duration = Duration::from_secs(5);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    keys(&mut out)?;
    let given: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    match given.as_slice() {
        [elf, core] => first_frame(&mut out, elf, core),
        _ => {
            let elf = generated::elf(ELF.0, ELF.1)?;
            let core = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tui.core");
            std::fs::write(&core, padded()?)?;
            first_frame(&mut out, &elf.to_string_lossy(), &core.to_string_lossy())
        }
    }
}

/// The fixture's core, with as much more memory as makes it as large as it is to be.
fn padded() -> Result<Vec<u8>> {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join(generated::CORE);
    let mut snapshot = mflt::format::open(&std::fs::read(core)?)?;
    let held: usize = snapshot.memory.segments().iter().map(|s| s.bytes().len()).sum();
    let more = (0..DUMP.saturating_sub(held)).map(|index| (index >> 3) as u8).collect();
    snapshot.memory.insert(Address(0x2100_0000), more)?;
    Ok(elf_core::write(&snapshot)?)
}

/// The interface without a terminal, and what its worker is asked.
struct Bench {
    state: State,
    terminal: Terminal<TestBackend>,
    requests: Sender<Request>,
    events: Receiver<Event>,
    /// From an event to its frame.
    frames: Vec<Duration>,
    /// From a key to the frame with the last answer.
    answered: Vec<Duration>,
}

/// No files, no target.
struct Nothing;

impl Host for Nothing {
    fn source(&mut self, name: &str) -> std::result::Result<String, String> {
        Err(format!("{name} is not on this machine"))
    }

    fn complete(&mut self, _: &mut Report, _: &MemoryImage) {}

    fn write(&mut self, _: &str, _: &[u8]) -> std::result::Result<(), String> {
        Ok(())
    }

    fn remember(&mut self, _: &str) {}

    fn reread(&mut self, _: &mut dyn FnMut(String)) -> std::result::Result<Snapshot, String> {
        Err("there is no target".to_string())
    }
}

fn keys(out: &mut dyn Write) -> Result<()> {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/demo");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let elfs = [std::fs::read(format!("{demo}/firmware.elf"))?, many_globals::elf(GLOBALS, folder)];
    let mut snapshot = mflt::format::open(&std::fs::read(format!("{demo}/crash.core"))?)?;
    let filled: Vec<u8> = (0..MEMORY).map(|index| (index >> 3) as u8).collect();
    snapshot.memory.insert(Address(many_globals::START), filled)?;
    let (requests, requests_out) = channel();
    let (events_in, events) = channel();
    let desk = Desk::new(requests_out, events_in, Arc::default());
    thread::spawn(move || {
        let images: Vec<_> = elfs.iter().flat_map(|elf| ElfImage::parse(elf)).collect();
        let files: Vec<_> = images.iter().map(SymbolFile::new).collect();
        desk.serve(snapshot, &files, None, &mut Nothing);
    });
    let state = State::new(Settings::default(), 200, 60);
    let terminal = Terminal::new(TestBackend::new(200, 60))?;
    let (frames, answered) = (Vec::new(), Vec::new());
    let mut bench = Bench { state, terminal, requests, events, frames, answered };
    // The report, then the names; a key before that would be answered after them.
    bench.answers(2)?;
    bench.frames.clear();
    for _ in 0..ROUNDS {
        for screen in "1234567890".chars() {
            bench.typed(&format!("{screen}jjjjkkGgG"))?;
            bench.key(KeyCode::PageUp)?;
            bench.key(KeyCode::PageDown)?;
        }
        bench.typed("3/variable 4711")?;
        bench.key(KeyCode::Enter)?;
        bench.key(KeyCode::Enter)?;
        bench.typed("jjj/")?;
        bench.key(KeyCode::Esc)?;
        bench.typed(":goto variable_0")?;
        bench.key(KeyCode::Tab)?;
        bench.key(KeyCode::Enter)?;
        bench.typed("4wweemmhlhl?")?;
        bench.key(KeyCode::Esc)?;
        bench.typed(&format!(":goto {:#x}", many_globals::START + 4711 * many_globals::SIZE))?;
        bench.key(KeyCode::Enter)?;
        bench.typed(":find no such text")?;
        bench.key(KeyCode::Enter)?;
    }
    writeln!(out, "{GLOBALS} globals, 16 MiB of memory, 200x60:")?;
    told(out, "an event to its frame", &mut bench.frames)?;
    told(out, "a key to the frame with what the worker answers", &mut bench.answered)
}

/// `  median 0.20 ms, 99th percentile 1.20 ms, longest 4.00 ms`.
fn told(out: &mut dyn Write, what: &str, times: &mut [Duration]) -> Result<()> {
    times.sort_unstable();
    let at = |share: usize| {
        let index = (times.len() * share / 1000).min(times.len().saturating_sub(1));
        times.get(index).copied().map_or(0.0, milliseconds)
    };
    let (median, most, longest) = (at(500), at(990), at(1000));
    writeln!(
        out,
        "  {what} ({}): median {median:.2} ms, 99th percentile {most:.2} ms, longest {longest:.2} ms",
        times.len()
    )?;
    Ok(())
}

impl Bench {
    fn typed(&mut self, keys: &str) -> Result<()> {
        keys.chars().try_for_each(|key| self.key(KeyCode::Char(key)))
    }

    fn key(&mut self, code: KeyCode) -> Result<()> {
        let started = Instant::now();
        let asked =
            self.event(Event::Input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE))))?;
        if asked > 0 {
            self.answers(asked)?;
            self.answered.push(started.elapsed());
        }
        Ok(())
    }

    /// Takes answers until all are there, those to what is asked because of them too.
    fn answers(&mut self, asked: usize) -> Result<()> {
        let mut missing = asked;
        while missing > 0 {
            let event = self.events.recv()?;
            missing = missing.saturating_sub(1).saturating_add(self.event(event)?);
        }
        Ok(())
    }

    /// Draws what an event does; says how many answers are to come.
    fn event(&mut self, event: Event) -> Result<usize> {
        let started = Instant::now();
        let effects = update(&mut self.state, event);
        let state = &self.state;
        self.terminal.draw(|frame| view(state, frame))?;
        self.frames.push(started.elapsed());
        let mut asked = 0;
        for effect in effects {
            if let Effect::Ask(request) = effect {
                // Settings are kept without a word.
                asked += usize::from(!matches!(request, Request::Remember(_)));
                self.requests.send(request)?;
            }
        }
        Ok(asked)
    }
}

/// The program in a pseudo-terminal.
struct Shown {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    reader: Box<dyn Read + Send>,
    /// From its start to the frame with the cause.
    elapsed: Duration,
}

impl Shown {
    fn start(elf: &str, core: &str) -> Result<Shown> {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size)?;
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_mflt"));
        command.args(["tui", core, "--elf", elf]);
        command.env("TERM", "xterm-256color");
        command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
        let mut reader = pair.master.try_clone_reader()?;
        let started = Instant::now();
        let child = pair.slave.spawn_command(command)?;
        // The end of the program is then the end of what can be read.
        drop(pair.slave);
        let mut seen: Vec<u8> = Vec::new();
        let mut buffer = [0; 65536];
        while !seen.windows(10).any(|window| window == b"Confidence") {
            let count = reader.read(&mut buffer)?;
            seen.extend(buffer.get(..count).unwrap_or_default());
            if count == 0 {
                return Err("the program ended before its first frame".into());
            }
        }
        Ok(Shown { master: pair.master, child, reader, elapsed: started.elapsed() })
    }

    fn quit(mut self) -> Result<Duration> {
        self.master.take_writer()?.write_all(b"q")?;
        self.child.wait()?;
        Ok(self.elapsed)
    }

    /// Processor time that it took so far, where the system tells it.
    fn processor_time(&self) -> Option<Duration> {
        let stat = format!("/proc/{}/stat", self.child.process_id()?);
        let text = std::fs::read_to_string(stat).ok()?;
        // Behind the name in parentheses; user and system time, in hundredths of a second.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11..13)?.iter().filter_map(|f| f.parse::<u64>().ok()).sum();
        Some(Duration::from_millis(ticks * 10))
    }
}

fn first_frame(out: &mut dyn Write, elf: &str, core: &str) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(Shown::start(elf, core)?.quit()?);
    }
    let [sizes_elf, sizes_core] = [elf, core].map(|p| std::fs::metadata(p).map_or(0, |m| m.len()));
    writeln!(out, "ELF of {sizes_elf} bytes, core of {sizes_core}:")?;
    told(out, "start to first frame", &mut times)?;
    let mut shown = Shown::start(elf, core)?;
    let mut reader = std::mem::replace(&mut shown.reader, Box::new(std::io::empty()));
    thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    // Names are read behind the first frame.
    thread::sleep(IDLE);
    let before = shown.processor_time();
    thread::sleep(IDLE);
    if let Some((before, after)) = before.zip(shown.processor_time()) {
        let used = milliseconds(after.saturating_sub(before));
        writeln!(out, "  processor time in {} s without a key: {used:.0} ms", IDLE.as_secs())?;
    }
    shown.quit().map(drop)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
