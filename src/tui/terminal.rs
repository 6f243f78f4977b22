//! The terminal and the loop: input from one thread, answers from another, a frame after each batch.
//!
//! The loop sleeps until something happens; a guard gives the terminal back however it ends.

use super::desk::Desk;
use super::event::{Answer, Effect, Event, Request};
use super::state::{Settings, State};
use super::{update, view};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::{cursor, execute, terminal};
use ratatui::layout::{Position, Rect, Size};
use ratatui::{DefaultTerminal, Terminal};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// Events that are taken before the next frame is drawn; more of them wait.
const BATCH: usize = 512;
/// Bytes that are handed to the clipboard; terminals refuse more.
const MOST_COPIED: usize = 74_000;

/// How the interface ended.
#[derive(Debug)]
pub enum Outcome<E> {
    /// Somebody quit.
    Quit,
    /// A signal came or the terminal is gone.
    Ended(String),
    /// The worker failed.
    Failed(E),
    /// The worker panicked; its message is printed.
    Panicked,
}

/// Runs the interface. `work` runs on a thread of its own: it opens the dump, says so with
/// [`Desk::opened`], and serves. What fails before that is told before the terminal is touched.
///
/// # Errors
/// When the terminal cannot be used.
pub fn run<E: Send + 'static>(
    settings: Settings,
    mouse: bool,
    work: impl FnOnce(&Desk) -> Result<(), E> + Send + 'static,
) -> io::Result<Outcome<E>> {
    let (events_in, events) = channel();
    let (requests, requests_out) = channel();
    let cancelled = Arc::new(AtomicBool::new(false));
    let desk = Desk::new(requests_out, events_in.clone(), Arc::clone(&cancelled));
    #[cfg(unix)]
    tell_resumed(&events_in)?;
    let (signals, flag) = (events_in.clone(), Arc::clone(&cancelled));
    // Without a handler a signal just ends the program.
    let _ = ctrlc::set_handler(move || {
        flag.store(true, Ordering::Relaxed);
        let _ = signals.send(Event::Ended("ended by a signal".into()));
    });
    let live = settings.live;
    let ended = WorkEnded(events_in.clone());
    let worker = thread::Builder::new().name("analysis".into()).spawn(move || {
        let _ended = ended;
        work(&desk)
    })?;
    // A stop and what follows it are the shell's as long as the terminal is.
    let first = events.iter().find(|event| !matches!(event, Event::Resumed));
    let outcome = match first {
        Some(Event::Answer(Answer::Opened)) => {
            shown(settings, mouse, &events, events_in, &requests)?
        }
        Some(Event::Ended(why)) if why != WORKER_GONE => Some(Outcome::Ended(why)),
        _ => None,
    };
    // The worker is to stop reading a target, and to leave that as it was found.
    cancelled.store(true, Ordering::Relaxed);
    drop(requests);
    match outcome {
        Some(outcome) if !live => Ok(outcome),
        outcome => Ok(match (worker.join(), outcome) {
            (Err(_), _) => Outcome::Panicked,
            (Ok(_), Some(outcome)) => outcome,
            (Ok(Err(error)), None) => Outcome::Failed(error),
            (Ok(Ok(())), None) => Outcome::Quit,
        }),
    }
}

/// Tells the loop when the program goes on after it was stopped.
#[cfg(unix)]
fn tell_resumed(events: &Sender<Event>) -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGCONT])?;
    let events = events.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            if events.send(Event::Resumed).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// Tells the loop that the worker has ended, by a panic too.
struct WorkEnded(Sender<Event>);

/// Why [`WorkEnded`] says that the loop ends.
const WORKER_GONE: &str = "the worker has ended";

impl Drop for WorkEnded {
    fn drop(&mut self) {
        let _ = self.0.send(Event::Ended(WORKER_GONE.into()));
    }
}

/// Draws until the end; none when the worker ended.
fn shown<E>(
    settings: Settings,
    mouse: bool,
    events: &Receiver<Event>,
    events_in: Sender<Event>,
    requests: &Sender<Request>,
) -> io::Result<Option<Outcome<E>>> {
    let mut screen = Guard::new(mouse)?;
    let size = screen.terminal.size()?;
    let mut state = State::new(settings, size.width, size.height);
    thread::Builder::new().name("input".into()).spawn(move || read_input(&events_in))?;
    loop {
        screen.draw(&state)?;
        let Ok(first) = events.recv() else { return Ok(None) };
        let more = std::iter::from_fn(|| events.try_recv().ok());
        for event in std::iter::once(first).chain(more.take(BATCH)) {
            let event = match event {
                Event::Ended(why) => {
                    return Ok((why != WORKER_GONE).then_some(Outcome::Ended(why)));
                }
                Event::Resumed => screen.take_back()?,
                event => event,
            };
            for effect in update(&mut state, event) {
                match effect {
                    Effect::Quit => return Ok(Some(Outcome::Quit)),
                    Effect::Ask(request) => {
                        if requests.send(request).is_err() {
                            return Ok(None);
                        }
                    }
                    Effect::Copy(text) => screen.copy(&text)?,
                    Effect::Redraw => drop(screen.redraw()?),
                    Effect::Suspend => screen.suspend()?,
                }
            }
        }
    }
}

/// Keys, the mouse, pastes and sizes, until the terminal is gone.
fn read_input(events: &Sender<Event>) {
    loop {
        let event = match event::read() {
            Ok(input) => Event::Input(input),
            Err(error) => Event::Ended(format!("the terminal is gone: {error}")),
        };
        let last = matches!(event, Event::Ended(_));
        if events.send(event).is_err() || last {
            return;
        }
    }
}

/// The terminal in our hands, given back when this is dropped and before a panic is printed.
struct Guard {
    terminal: DefaultTerminal,
    mouse: bool,
    hold: Arc<Hold>,
}

/// Whether the terminal is ours: from the first panic on it is not, and nothing is drawn.
#[derive(Default)]
struct Hold {
    lost: AtomicBool,
    /// Held while something is drawn.
    drawing: Mutex<()>,
}

impl Hold {
    /// Gives the terminal back, once.
    fn end(&self) {
        if !self.lost.swap(true, Ordering::SeqCst) {
            give_back();
        }
    }
}

impl Guard {
    fn new(mouse: bool) -> io::Result<Guard> {
        let (before, hold) = (std::panic::take_hook(), Arc::<Hold>::default());
        let (ended, owner) = (Arc::clone(&hold), thread::current().id());
        std::panic::set_hook(Box::new(move |panic| {
            // Another thread may be amid a frame, which would cover what is printed.
            let drawing = (thread::current().id() != owner).then(|| ended.drawing.lock());
            ended.end();
            drop(drawing);
            before(panic);
        }));
        let backend = ratatui::backend::CrosstermBackend::new(io::stdout());
        // From here on what fails gives the terminal back.
        let guard = Guard { terminal: Terminal::new(backend)?, mouse, hold };
        guard.take()?;
        Ok(guard)
    }

    fn draw(&mut self, state: &State) -> io::Result<()> {
        let _drawing = self.hold.drawing.lock();
        if !self.hold.lost.load(Ordering::SeqCst) {
            self.terminal.draw(|frame| view(state, frame))?;
        }
        Ok(())
    }

    /// Keys one by one, and the second screen.
    fn take(&self) -> io::Result<()> {
        let _drawing = self.hold.drawing.lock();
        if self.hold.lost.load(Ordering::SeqCst) {
            return Ok(());
        }
        terminal::enable_raw_mode()?;
        execute!(io::stdout(), terminal::EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
        // Not every terminal begins its second screen empty.
        execute!(io::stdout(), terminal::Clear(terminal::ClearType::All))?;
        if self.mouse {
            execute!(io::stdout(), EnableMouseCapture)?;
        }
        Ok(())
    }

    /// After a stop the terminal is as the shell left it, and may have another size.
    fn take_back(&mut self) -> io::Result<Event> {
        // Whoever stopped it, the modes and the screen then are what they are believed to be.
        give_back();
        self.take()?;
        let size = self.redraw()?;
        Ok(Event::Input(event::Event::Resize(size.width, size.height)))
    }

    /// Has all of the screen drawn by the next frame. `Terminal::clear` would ask the terminal where
    /// its cursor is, and the answer would go to the thread that reads keys.
    fn redraw(&mut self) -> io::Result<Size> {
        let _drawing = self.hold.drawing.lock();
        let size = self.terminal.size()?;
        if !self.hold.lost.load(Ordering::SeqCst) {
            self.terminal.resize(Rect::from((Position::ORIGIN, size)))?;
        }
        Ok(size)
    }

    /// Stops this program and those it was started with, as Ctrl-Z does elsewhere. When it goes on,
    /// [`Event::Resumed`] comes.
    #[cfg(unix)]
    fn suspend(&mut self) -> io::Result<()> {
        use nix::sys::signal::{Signal, kill};
        give_back();
        kill(nix::unistd::Pid::from_raw(0), Signal::SIGTSTP)?;
        // Nothing has stopped where no shell could let it go on.
        self.take()?;
        self.redraw().map(drop)
    }

    /// There is no such key here.
    #[cfg(not(unix))]
    fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Hands `text` to the terminal's clipboard (OSC 52).
    fn copy(&mut self, text: &str) -> io::Result<()> {
        let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= MOST_COPIED).last();
        let kept = if text.len() > MOST_COPIED { text.get(..end.unwrap_or(0)) } else { Some(text) };
        let encoded = BASE64_STANDARD.encode(kept.unwrap_or_default());
        let mut out = io::stdout();
        write!(out, "\x1b]52;c;{encoded}\x07")?;
        out.flush()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.hold.end();
    }
}

/// Leaves the terminal as it was found. Where it is gone there is nobody to tell.
fn give_back() {
    let _ = terminal::disable_raw_mode();
    let _ = execute!(
        io::stdout(),
        DisableMouseCapture,
        DisableBracketedPaste,
        terminal::LeaveAlternateScreen,
        cursor::Show
    );
}
