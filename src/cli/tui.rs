//! `mflt tui`: a dump or a live target in a terminal.

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use clap::Args;
use etcetera::BaseStrategy as _;

use super::peripherals::{self, Device};
use super::{Context, Exit, Usage, WithHint, coredump, dump, elf, exit, files, priorities};
use crate::base::Address;
use crate::report::Report;
use crate::snapshot::{MemoryImage, Snapshot};
use crate::svd::Decoded;
use crate::symbols::{SymbolFile, Symbols};
use crate::target::{CapturePlan, Leave, Target as _, capture};
use crate::tui::terminal::{self, Outcome};
use crate::tui::{Desk, Host, Settings, THEMES, Theme};

/// Longest source file that is shown.
const LONGEST_SOURCE: u64 = 32 << 20;

/// Walk through a crash in a terminal: cause, threads, variables, memory.
///
/// Shows what `mflt analyze` finds and lets you follow it: from the cause to the frame, its
/// variables, the memory behind them and the instructions. `?` shows the keys. Works over SSH, in
/// 80 columns and 24 rows, and sends nothing anywhere. For a screen reader use `mflt analyze`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt tui crash.core --elf zephyr.elf\n  \
    mflt tui crash.core --elf zephyr.elf --source-map /build/src=./src\n  \
    mflt tui today.core --elf zephyr.elf --diff yesterday.core\n  \
    mflt tui crash.core --elf zephyr.elf --svd STM32F407.svd\n  \
    mflt tui --gdb localhost:3333 --elf zephyr.elf\n\n\
    What is set with keys (theme, layout, base of numbers, pinned globals) is kept in\n\
    $XDG_STATE_HOME/mflt/tui, and --theme counts more.")]
pub(super) struct TuiArgs {
    /// The dump, of any format; `-` is standard input.
    #[arg(value_name = "CORE", required_unless_present = "gdb")]
    core: Option<PathBuf>,
    /// A live target instead, through its GDB server: it is halted, read, and left as it was
    /// found; `r` reads it again and shows what has changed.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "core")]
    gdb: Option<String>,
    /// The firmware's ELF file; several for several images.
    #[arg(long, value_name = "ELF")]
    elf: Vec<PathBuf>,
    /// The dump is raw memory, and this is its address.
    #[arg(long, value_name = "ADDR", value_parser = dump::address, conflicts_with = "gdb")]
    base: Option<Address>,
    /// CMSIS-SVD file of the microcontroller: names the peripheral registers that the dump holds,
    /// on a screen of their own.
    #[arg(long, value_name = "FILE")]
    svd: Option<PathBuf>,
    /// Another dump of the same firmware: bytes that differ stand out in the memory screen.
    #[arg(long, value_name = "CORE")]
    diff: Option<PathBuf>,
    /// Where source files are now: names that begin with FROM are looked for under TO; may be
    /// given several times.
    #[arg(long, value_name = "FROM=TO", value_parser = source_map)]
    source_map: Vec<(String, String)>,
    /// Colors; `plain` is the default where NO_COLOR is set.
    #[arg(long, value_name = "THEME", value_parser = THEMES.map(|(name, _)| name))]
    theme: Option<String>,
    /// Use the mouse: clicks and the wheel. The terminal's own selection then needs Shift.
    #[arg(long)]
    mouse: bool,
    /// Go on although the ELF does not belong to the dump.
    #[arg(long)]
    force: bool,
}

fn source_map(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once('=').ok_or("write it as FROM=TO")?;
    if from.is_empty() { Err("FROM is empty".into()) } else { Ok((from.into(), to.into())) }
}

impl TuiArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        if !std::io::stdout().is_terminal() {
            let text = "the output is not a terminal".to_string();
            return Err(Usage(text)).hint("`mflt analyze` prints the same as text or JSON");
        }
        let remembered = remembered();
        let mut settings = Settings {
            live: self.gdb.is_some(),
            peripherals: self.svd.is_some(),
            title: self.title(),
            theme: if is_light() { Theme::Light } else { Theme::Dark },
            ..Settings::default()
        };
        if let Some(text) = remembered.as_ref().and_then(|path| fs::read_to_string(path).ok()) {
            settings.recall(&text);
        }
        if !context.color {
            settings.theme = Theme::Plain;
        }
        if let Some(theme) = self.theme.as_deref().and_then(Theme::named) {
            settings.theme = theme;
        }
        let mouse = self.mouse;
        let outcome = terminal::run(settings, mouse, move |desk| self.work(desk, remembered))
            .context("using the terminal")?;
        match outcome {
            Outcome::Quit => Ok(Exit::Done),
            Outcome::Ended(why) => Err(anyhow::anyhow!(why)),
            Outcome::Failed(error) => Err(error),
            Outcome::Panicked => {
                Err(anyhow::anyhow!("this is a bug in mflt; the lines above tell where"))
                    .hint("`mflt analyze` may still explain the dump")
            }
        }
    }

    /// What the screen is about.
    fn title(&self) -> String {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        self.core.as_deref().and_then(name).or_else(|| self.gdb.clone()).unwrap_or_default()
    }

    /// The thread beside the interface.
    fn work(self, desk: &Desk, remembered: Option<PathBuf>) -> anyhow::Result<()> {
        let mapped = elf::map_all(&self.elf)?;
        let images = elf::parse_all(&self.elf, &mapped)?;
        let symbols = elf::symbols_of(&self.elf, &images);
        let device = self.svd.as_deref().map(Device::read).transpose()?;
        let mut desktop = Desktop {
            gdb: self.gdb.clone(),
            source_map: self.source_map.clone(),
            folders: folders(&self.elf),
            symbols: &symbols,
            remembered,
            device,
            decoded: None,
            cancelled: Arc::clone(desk.cancelled()),
        };
        let snapshot = match &self.core {
            Some(core) => dump::open_at(core, self.base)?,
            None => {
                // Before the interface stands, progress is a line on standard error.
                let captured = desktop.capture(&mut |line| {
                    let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
                });
                let _ = write!(std::io::stderr(), "\r\x1b[K");
                captured?
            }
        };
        let other = self.diff.as_deref().map(dump::open).transpose()?;
        if !self.force {
            dump::refuse_foreign(&snapshot, &self.elf, &symbols)?;
            if let Some(other) = &other {
                dump::refuse_foreign(other, &self.elf, &symbols)?;
            }
        }
        // What is no SVD file is refused while there is somebody to tell.
        let device = desktop.device.as_ref();
        desktop.decoded = device.map(|device| device.decode(&snapshot.memory)).transpose()?;
        desk.opened();
        desk.serve(snapshot, &symbols, other, &mut desktop);
        Ok(())
    }
}

/// Where the settings are kept.
fn remembered() -> Option<PathBuf> {
    let folders = etcetera::choose_base_strategy().ok()?;
    // Systems without a place for state keep it with the caches.
    let folder = folders.state_dir().unwrap_or_else(|| folders.cache_dir());
    Some(folder.join("mflt").join("tui"))
}

/// Whether the terminal says that its background is light, as some do: `COLORFGBG=0;15`.
fn is_light() -> bool {
    let colors = std::env::var("COLORFGBG").unwrap_or_default();
    matches!(colors.rsplit(';').next(), Some("7" | "15"))
}

/// Folders where the source may be: of each ELF, and those around it.
fn folders(elfs: &[PathBuf]) -> Vec<PathBuf> {
    let absolute = elfs.iter().filter_map(|path| fs::canonicalize(path).ok());
    let mut folders: Vec<PathBuf> = vec![PathBuf::from(".")];
    for path in absolute {
        folders.extend(path.ancestors().skip(1).take(4).map(Path::to_path_buf));
    }
    folders
}

/// Files and the target, for the thread beside the interface.
struct Desktop<'a, 'd> {
    gdb: Option<String>,
    source_map: Vec<(String, String)>,
    folders: Vec<PathBuf>,
    symbols: &'a [SymbolFile<'d>],
    remembered: Option<PathBuf>,
    device: Option<Device>,
    /// What the first dump holds of the device's registers.
    decoded: Option<Decoded>,
    cancelled: Arc<AtomicBool>,
}

impl Desktop<'_, '_> {
    /// Reads the live target.
    fn capture(&self, progress: &mut dyn FnMut(String)) -> anyhow::Result<Snapshot> {
        let server = self.gdb.as_deref().unwrap_or_default();
        let cancelled = &self.cancelled;
        progress(format!("connecting to {server}"));
        let mut target = coredump::connect(server, Arc::clone(cancelled))?;
        let symbols = Symbols::new(self.symbols);
        let regions = coredump::ram_of(&mut target, self.symbols, Vec::new());
        let result = regions.map(|regions| {
            let plan = CapturePlan::of_regions(regions.iter().map(|guess| guess.range));
            let mut told = None;
            capture(
                &mut target,
                &plan,
                &mut |registers, memory| priorities::first(registers, memory, &symbols, &plan),
                &mut |now| {
                    let percent = now.done.saturating_mul(100).checked_div(now.total).unwrap_or(0);
                    if told.replace(percent) != Some(percent) {
                        progress(format!("reading {server}: {percent} %"));
                    }
                    !cancelled.load(Ordering::Relaxed)
                },
            )
        });
        // Whatever happened, the target is left as it was found.
        let left = target.leave(Leave::AsFound);
        let captured = result?;
        match captured.error {
            Some(error) if captured.snapshot.memory.is_empty() => {
                Err(error).with_context(|| format!("reading the target at `{server}`"))
            }
            _ => {
                left.with_context(|| format!("leaving the target at `{server}` as it was found"))?;
                Ok(captured.snapshot)
            }
        }
    }

    /// Where a source file may be, the likeliest first.
    fn candidates(&self, name: &str) -> Vec<PathBuf> {
        let mapped = self.source_map.iter().filter_map(|(from, to)| {
            let rest = name.strip_prefix(from.as_str())?;
            Some(PathBuf::from(format!("{to}{rest}")))
        });
        let relative = name.trim_start_matches("./");
        let nearby = self.folders.iter().map(|folder| folder.join(relative));
        let is_relative = Path::new(name).is_relative();
        mapped.chain([PathBuf::from(name)]).chain(nearby.filter(|_| is_relative)).collect()
    }
}

impl Host for Desktop<'_, '_> {
    fn source(&mut self, name: &str) -> Result<String, String> {
        for path in self.candidates(name) {
            let Ok(known) = fs::metadata(&path) else { continue };
            if known.is_file() && known.len() <= LONGEST_SOURCE {
                let bytes = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        Err(format!("{name} is not on this machine"))
    }

    fn complete(&mut self, report: &mut Report, memory: &MemoryImage) {
        let Some(device) = &self.device else { return };
        // The file was read once: it can be again.
        if let Some(decoded) = self.decoded.take().or_else(|| device.decode(memory).ok()) {
            peripherals::add(report, decoded);
        }
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), String> {
        files::write_atomically(Path::new(path), bytes)
            .map_err(|error| format!("writing `{path}`: {error}"))
    }

    fn remember(&mut self, settings: &str) {
        let Some(path) = &self.remembered else { return };
        if let Some(folder) = path.parent() {
            let _ = fs::create_dir_all(folder);
        }
        // A home that cannot be written to is no reason to stop.
        let _ = files::write_atomically(path, settings.as_bytes());
    }

    fn reread(&mut self, progress: &mut dyn FnMut(String)) -> Result<Snapshot, String> {
        self.capture(progress).map_err(|error| exit::line(&error))
    }
}
