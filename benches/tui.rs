//! How fast the interface answers a key, without a terminal: update and view, over the real worker.
//!
//! The firmware is the demo's; to it come 100,000 made-up globals and 16 MiB of memory, so that the
//! lists are as long as they get. Each key is measured from the event to the frame that shows it,
//! what the worker answers to it as a key of its own. Prints the median, the 99th percentile and the
//! longest; then how long the first frame takes for a dump of 1 MiB with an ELF of 5 MB (or those
//! that are given: `cargo bench --bench tui -- ELF CORE`), from the start of the program.

use mflt::analysis::inspector::{GlobalName, Owner, OwnerKind, OwnerMap};
use mflt::base::{Address, AddressRange};
use mflt::tui::{Answer, Effect, Event, Loaded, Named, Request, Settings, State, update, view};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use std::error::Error;
use std::io::{Read as _, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

const GLOBALS: u32 = 100_000;
const MEMORY: usize = 16 << 20;
const ROUNDS: usize = 15;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    keys(&mut out)?;
    first_frame(&mut out)
}

/// A state with long lists, and the screen.
struct Bench {
    state: State,
    terminal: Terminal<TestBackend>,
    times: Vec<Duration>,
    globals: Vec<GlobalName>,
}

fn keys(out: &mut dyn Write) -> Result<()> {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/demo");
    let elf = std::fs::read(format!("{demo}/firmware.elf"))?;
    let image = mflt::symbols::ElfImage::parse(&elf)?;
    let files = [mflt::symbols::SymbolFile::new(&image)];
    let mut snapshot = mflt::format::open(&std::fs::read(format!("{demo}/crash.core"))?)?;
    let filled: Vec<u8> = (0..MEMORY).map(|index| (index >> 3) as u8).collect();
    snapshot.memory.insert(Address(0x6000_0000), filled)?;
    let report = mflt::analysis::analyze(&snapshot, &files, &Default::default());
    let globals: Vec<GlobalName> = (0..GLOBALS).map(global).collect();
    let owners = globals.iter().filter_map(|global| {
        let range = AddressRange::new(global.address?, 64)?;
        Some(Owner { range, kind: OwnerKind::Variable, name: global.name.clone() })
    });
    let named = Named {
        names: globals.iter().map(|global| global.name.clone()).collect(),
        owners: OwnerMap::new(owners.collect()),
        globals: globals.clone(),
    };
    let memory = Arc::new(snapshot.memory);
    let loaded =
        Loaded { report, captured: Arc::clone(&memory), memory: Arc::clone(&memory), other: None };
    let mut bench = Bench {
        state: State::new(Settings::default(), 200, 60),
        terminal: Terminal::new(TestBackend::new(200, 60))?,
        times: Vec::new(),
        globals,
    };
    bench.event(Event::Answer(Answer::Loaded(Box::new(loaded))))?;
    bench.event(Event::Answer(Answer::Named(Box::new(named))))?;
    bench.times.clear();
    for _ in 0..ROUNDS {
        for screen in "1234567890".chars() {
            bench.key(KeyCode::Char(screen))?;
            for key in "jjjjkkGgG".chars() {
                bench.key(KeyCode::Char(key))?;
            }
            bench.key(KeyCode::PageUp)?;
            bench.key(KeyCode::PageDown)?;
        }
        bench.typed("3/variable 4711")?;
        bench.key(KeyCode::Esc)?;
        bench.typed(":goto variable_0")?;
        bench.key(KeyCode::Tab)?;
        bench.key(KeyCode::Esc)?;
        bench.typed("4wweemmhlhl?")?;
        bench.key(KeyCode::Esc)?;
    }
    let count = bench.times.len();
    bench.times.sort_unstable();
    let at = |share: usize| {
        let index = (count * share / 1000).min(count.saturating_sub(1));
        bench.times.get(index).copied().map_or(0.0, milliseconds)
    };
    writeln!(out, "key to frame, {GLOBALS} globals, 16 MiB, 200x60, {count} keys:")?;
    writeln!(
        out,
        "  median {:.2} ms, 99th percentile {:.2} ms, longest {:.2} ms",
        at(500),
        at(990),
        at(1000)
    )?;
    Ok(())
}

fn global(index: u32) -> GlobalName {
    GlobalName {
        name: format!("variable_{index:06}"),
        type_name: "struct made_up".into(),
        unit: Some("src/made_up.c".into()),
        address: Some(Address(0x6000_0000 + index * 64)),
    }
}

impl Bench {
    fn typed(&mut self, keys: &str) -> Result<()> {
        keys.chars().try_for_each(|key| self.key(KeyCode::Char(key)))
    }

    fn key(&mut self, code: KeyCode) -> Result<()> {
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        let effects = self.event(Event::Input(Input::Key(key)))?;
        for effect in effects {
            // The search is the worker's; that it may find everything is the worst for the screen.
            if let Effect::Ask(Request::Filter(query)) = effect {
                let all = (0..self.globals.len()).collect();
                self.event(Event::Answer(Answer::Filtered(query, all)))?;
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<Vec<Effect>> {
        let started = Instant::now();
        let effects = update(&mut self.state, event);
        let state = &self.state;
        self.terminal.draw(|frame| view(state, frame))?;
        self.times.push(started.elapsed());
        Ok(effects)
    }
}

/// From the start of the program to the first frame with the cause on it, in a pseudo-terminal.
fn first_frame(out: &mut dyn Write) -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/demo");
    let (elf, core) = match given.as_slice() {
        [elf, core] => (elf.clone(), core.clone()),
        _ => (format!("{demo}/firmware.elf"), format!("{demo}/crash.core")),
    };
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(frame_of(&elf, &core)?);
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().map_or(0.0, milliseconds);
    let [elf, core] = [&elf, &core].map(|path| std::fs::metadata(path).map_or(0, |m| m.len()));
    writeln!(out, "first frame, ELF of {elf} bytes, core of {core}: median {median:.1} ms")?;
    Ok(())
}

fn frame_of(elf: &str, core: &str) -> Result<Duration> {
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size)?;
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_mflt"));
    command.args(["tui", core, "--elf", elf]);
    command.env("TERM", "xterm-256color");
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    let mut reader = pair.master.try_clone_reader()?;
    let started = Instant::now();
    let mut child = pair.slave.spawn_command(command)?;
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
    let elapsed = started.elapsed();
    pair.master.take_writer()?.write_all(b"q")?;
    child.wait()?;
    Ok(elapsed)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
