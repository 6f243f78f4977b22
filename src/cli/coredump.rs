//! `mflt coredump`: captures a coredump from a live target through its GDB server.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;

use super::numbers::{compact_time, format_size};
use super::priorities;
use super::progress::Bar;
use super::regions::{self, Guess};
use super::{Context, Exit, WithHint, elf, files, redact};
use crate::analysis;
use crate::base::{AddressRange, Memory};
use crate::format::elf_core;
use crate::snapshot::{Identity, Snapshot};
use crate::symbols::{BUILD_ID_NOTE, SymbolFile, Symbols};
use crate::target::rsp::GdbClient;
use crate::target::serial::is_serial;
use crate::target::{CapturePlan, Captured, Leave, Target, TargetError, capture};

/// Ranges that could not be read and are named on stderr; all are in the file.
const GAPS_SHOWN: usize = 10;

/// Capture a coredump from a live target.
///
/// Reads the registers, the System Control Space and memory through a GDB server (OpenOCD,
/// pyOCD, J-Link, ST-LINK, Black Magic, QEMU and others) and writes them as an ELF core that
/// `mflt analyze`, GDB and LLDB open. Nothing leaves this machine. The target is left as it was
/// found: running if it ran, halted if it was halted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mflt coredump --gdb localhost:3333 --elf zephyr.elf\n  \
    mflt coredump --gdb /dev/ttyACM0 --elf zephyr.elf\n  \
    mflt coredump --gdb '|openocd -f board.cfg -c \"gdb_port pipe; log_output o.log\"'\n  \
    mflt coredump --gdb localhost:1234 -r 0x20000000 256K -o unit7.core\n  \
    mflt coredump --gdb localhost:3333 --elf zephyr.elf --mpu\n  \
    mflt coredump --gdb localhost:2331 --elf app.elf -r g_state g_state --halt")]
pub(super) struct CoredumpArgs {
    /// GDB server of the target: localhost:3333, a serial device such as /dev/ttyACM0 or COM5
    /// (Black Magic Probe), or `|` and a command that speaks on its standard streams.
    #[arg(long, value_name = "SERVER")]
    gdb: String,
    /// ELF file of the firmware: says what is RAM, names symbols, identifies the build. Several
    /// for several images, the one that counts first.
    #[arg(long, value_name = "ELF")]
    elf: Vec<PathBuf>,
    /// Memory to capture, instead of all RAM; may be given several times.
    ///
    /// ADDR is a number, a symbol or symbol+offset; SIZE is a number, 256K, 1M, or a symbol,
    /// meaning its size. Symbols need --elf.
    #[arg(short, long, num_args = 2, value_names = ["ADDR", "SIZE"])]
    region: Vec<String>,
    /// Read every region of the MPU, not only the one that MPU_RNR selects.
    ///
    /// Without it nothing on the target is ever written. With it MPU_RNR of the stopped core is
    /// written once per region, which changes no region, and restored.
    #[arg(long)]
    mpu: bool,
    /// File to write [default: coredump-<UTC time>.core].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave the target halted.
    #[arg(long, conflicts_with = "resume")]
    halt: bool,
    /// Let the target run afterwards.
    #[arg(long)]
    resume: bool,
    /// Serial number of the device, kept in the coredump.
    #[arg(long, value_name = "SERIAL")]
    device_serial: Option<String>,
    /// Name of the software, kept in the coredump.
    #[arg(long, value_name = "TYPE")]
    software_type: Option<String>,
    /// Version of the software, kept in the coredump.
    #[arg(long, value_name = "VERSION")]
    software_version: Option<String>,
    /// Version of the hardware, kept in the coredump.
    #[arg(long, value_name = "VERSION")]
    hardware_version: Option<String>,
    /// Memory to overwrite with zeros in the coredump: a symbol, a section or ADDR+SIZE; may be
    /// given several times. Copies in registers, on stacks and in heaps are not looked for.
    #[arg(long, value_name = "WHAT")]
    redact: Vec<String>,
    /// Exit with 3 when anything that was asked for could not be read.
    #[arg(long)]
    strict: bool,
    /// Print a summary as JSON.
    #[arg(long)]
    json: bool,
}

impl CoredumpArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let mapped = elf::map_all(&self.elf)?;
        let images = elf::parse_all(&self.elf, &mapped)?;
        let symbols = elf::symbols_of(&self.elf, &images);
        // Usage errors come before anything touches the target.
        let named = regions::named(&self.region, &Symbols::new(&symbols))?;
        let redacted = redact::ranges(&self.redact, &symbols)?;

        // A capture that cannot be kept is not begun.
        if let Some(path) = &self.output {
            files::check_writable(path)
                .with_context(|| format!("writing coredump `{}`", path.display()))?;
        }

        let cancel = cancel_on_interrupt();
        let mut target = connect(&self.gdb, Arc::clone(&cancel))?;
        let result = self.capture(context, &mut target, &symbols, named, &cancel);
        // Whatever happened, the target is left as it should be.
        let left = target.leave(self.leave());
        let mut outcome = result?;
        redact::apply(&mut outcome.captured.snapshot, &redacted, context.err)?;
        outcome.report(self, context, left)
    }

    fn leave(&self) -> Leave {
        match (self.halt, self.resume) {
            (true, _) => Leave::Halted,
            (_, true) => Leave::Running,
            _ => Leave::AsFound,
        }
    }

    fn capture(
        &self,
        context: &mut Context<'_>,
        target: &mut dyn Target,
        symbols: &[SymbolFile<'_>],
        named: Vec<AddressRange>,
        cancel: &AtomicBool,
    ) -> anyhow::Result<Outcome> {
        let guesses = ram_of(target, symbols, named)?;
        let err = &mut *context.err;
        writeln!(err, "Capturing through {} at {}:", target.server(), self.gdb)?;
        writeln!(err, "  registers, System Control Space, vectors, code near PC and LR")?;
        if self.mpu {
            writeln!(err, "  every MPU region; MPU_RNR is written for it, and restored")?;
        }
        for guess in &guesses {
            write!(err, "  {}  {}", guess.range, format_size(guess.range.size()))?;
            if guess.size > guess.range.size() {
                let size = format_size(guess.size);
                write!(err, " of {size}; name it with --region to have all of it")?;
            }
            writeln!(err)?;
        }

        let mut plan = CapturePlan::of_regions(guesses.iter().map(|guess| guess.range));
        plan.all_mpu_regions = self.mpu;
        let started = Instant::now();
        let captured_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut running = Vec::new();
        let mut bar = Bar::new(context.interactive);
        let mut captured = capture(
            target,
            &plan,
            &mut |registers, memory| {
                running = symbols.iter().map(|file| running_build(file, memory)).collect();
                priorities::first(registers, memory, &Symbols::new(symbols), &plan)
            },
            &mut |progress| {
                bar.update(progress.done, progress.total);
                !cancel.load(Ordering::Relaxed)
            },
        );
        bar.finish();
        let duration = started.elapsed();

        let snapshot = &mut captured.snapshot;
        snapshot.origin.tool = Some(format!("mflt {}", env!("CARGO_PKG_VERSION")));
        snapshot.origin.captured_at_ms = u64::try_from(captured_at.as_millis()).ok();
        snapshot.identity = Identity {
            device_serial: self.device_serial.clone(),
            software_type: self.software_type.clone(),
            software_version: self.software_version.clone(),
            hardware_version: self.hardware_version.clone(),
            build_id: None,
        };
        for (build, path) in running.iter().zip(&self.elf) {
            if let Build::Other(_) = build {
                let path = path.display();
                if redact::needs_elf(&self.redact) {
                    // Better no dump than one that tells.
                    let text = format!(
                        "the target does not run the ELF file `{path}`, so that the memory to \
                         redact is not known"
                    );
                    return Err(anyhow::anyhow!(text))
                        .hint("give the ELF of the running build, or ranges as ADDR+SIZE");
                }
                snapshot.remarks.push(format!("the target does not run the ELF file `{path}`"));
                writeln!(
                    context.err,
                    "warning: the target does not run the ELF file `{path}`: regions and threads \
                     may be wrong"
                )?;
            }
        }
        snapshot.identity.build_id = build_id(running);
        add_threads(snapshot, symbols);
        Ok(Outcome { captured, captured_at, duration })
    }

    fn output(&self, captured_at: Duration) -> PathBuf {
        self.output.clone().unwrap_or_else(|| default_name(captured_at).into())
    }
}

fn default_name(captured_at: Duration) -> String {
    format!("coredump-{}.core", compact_time(captured_at))
}

/// Connects to a GDB server and stops its target; says what may be done when that fails.
pub(super) fn connect(server: &str, cancel: Arc<AtomicBool>) -> anyhow::Result<GdbClient> {
    let connected = GdbClient::connect(server, Some(cancel));
    let hint = match &connected {
        Ok(_) => None,
        Err(TargetError::NobodyListens) => {
            Some("start the GDB server of the probe (OpenOCD listens on port 3333, J-Link on 2331)")
        }
        Err(TargetError::Connect(ErrorKind::PermissionDenied)) if is_serial(server) => Some(
            "join the group that owns the device, on Debian `sudo adduser $USER dialout`, and \
             log in again",
        ),
        Err(TargetError::Connect(_)) if is_serial(server) => {
            Some("is it plugged in, and not in use by another program?")
        }
        Err(TargetError::Closed | TargetError::Timeout { .. }) if server.starts_with('|') => {
            Some("does the command run by itself, and speak on its standard streams?")
        }
        Err(TargetError::Connect(_)) => Some("can this machine reach that host and port?"),
        Err(TargetError::BadPort(_)) => Some("write it as HOST:PORT, for example localhost:3333"),
        Err(TargetError::UnknownHost(_)) => {
            Some("check the name of the host, or write its IP address")
        }
        Err(TargetError::Dump) => Some("it is captured already: `mflt analyze` explains it"),
        Err(TargetError::NotAttached) => Some("let the server find the target first"),
        Err(TargetError::DoesNotStop) => Some("the core may sleep or be held in reset"),
        Err(TargetError::Garbage { .. } | TargetError::Checksum { .. }) => {
            Some("is this the port of the GDB server, not its console?")
        }
        Err(TargetError::Timeout { .. }) => {
            Some("another debugger may be connected: most servers serve one at a time")
        }
        Err(_) => None,
    };
    let connected = connected.with_context(|| format!("connecting to GDB server `{server}`"));
    match hint {
        Some(hint) => connected.hint(hint),
        None => connected,
    }
}

/// The regions to capture: those that are `named`, else what is RAM.
pub(super) fn ram_of(
    target: &mut dyn Target,
    symbols: &[SymbolFile<'_>],
    named: Vec<AddressRange>,
) -> anyhow::Result<Vec<Guess>> {
    if !named.is_empty() {
        return Ok(named.into_iter().map(|range| Guess { range, size: range.size() }).collect());
    }
    let mut guesses = regions::of_elfs(symbols);
    if guesses.is_empty() {
        guesses = regions::guess(target.ram().context("asking for the memory map")?);
    }
    if guesses.is_empty() {
        return Err(anyhow::anyhow!("it is not known what is RAM on this target"))
            .hint("name the firmware with `--elf`, or memory with `--region ADDR SIZE`");
    }
    Ok(guesses)
}

/// Fills in the threads of the operating system and what the exception interrupted, so that
/// debuggers list and unwind them.
fn add_threads(snapshot: &mut Snapshot, symbols: &[SymbolFile<'_>]) {
    if !symbols.is_empty() {
        snapshot.threads = analysis::thread_contexts(snapshot, symbols);
    }
}

/// Which build the target runs.
enum Build {
    /// The one of the ELF file: its build ID stands in the target's memory.
    Running(Vec<u8>),
    /// Another one, with its build ID when it has one at the same place.
    Other(Option<Vec<u8>>),
    /// The ELF file has no build ID, or the target does not show its own.
    Unknown,
}

/// The build ID that the dump states: of the first ELF file that the target runs, else what stands
/// where another one should.
fn build_id(builds: Vec<Build>) -> Option<Vec<u8>> {
    let mut other = None;
    for build in builds {
        match build {
            Build::Running(build_id) => return Some(build_id),
            Build::Other(build_id) => other = other.or(build_id),
            Build::Unknown => {}
        }
    }
    other
}

fn running_build(symbols: &SymbolFile<'_>, memory: &dyn Memory) -> Build {
    let image = symbols.image();
    let Some(build_id) = image.build_id() else { return Build::Unknown };
    let (Some(address), Some(note)) =
        (image.section_address(BUILD_ID_NOTE), image.section(BUILD_ID_NOTE))
    else {
        return Build::Unknown;
    };
    let range = AddressRange::new(address, note.len() as u64).unwrap_or_default();
    match memory.read_range(range, 256) {
        Ok(found) if found == note => Build::Running(build_id.to_vec()),
        // Name size 4, type 3, `GNU`: another build's note at the same place.
        Ok(found)
            if found.starts_with(&[4, 0, 0, 0]) && found.get(8..16) == Some(b"\x03\0\0\0GNU\0") =>
        {
            Build::Other(found.get(16..).map(<[u8]>::to_vec))
        }
        Ok(_) => Build::Other(None),
        Err(_) => Build::Unknown,
    }
}

/// A flag that Ctrl-C sets; the second time it ends the program.
fn cancel_on_interrupt() -> Arc<AtomicBool> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    // Without a handler, Ctrl-C just ends the program: the capture is lost, nothing else.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            // The capture does not come to its end, where it would let the target run.
            let _ = writeln!(
                std::io::stderr(),
                "warning: interrupted twice: a target that was stopped to be read stays halted\n\
                 hint: let it run with the debug probe, or with `mflt coredump --resume`"
            );
            std::process::exit(130);
        }
    });
    cancel
}

/// A finished capture that is not written yet.
struct Outcome {
    captured: Captured,
    captured_at: Duration,
    duration: Duration,
}

impl Outcome {
    fn report(
        self,
        args: CoredumpArgs,
        context: &mut Context<'_>,
        left: Result<Option<bool>, TargetError>,
    ) -> anyhow::Result<Exit> {
        let path = args.output(self.captured_at);
        let snapshot = &self.captured.snapshot;
        let written = write(&path, snapshot).or_else(|error| self.rescue(error));
        if let (Err(_), Some(error)) = (&written, &self.captured.error)
            && snapshot.memory.is_empty()
        {
            // Nothing was read, so there is nothing to write: that is the error to tell.
            return Err(error.clone()).with_context(|| format!("capturing through `{}`", args.gdb));
        }
        written?;
        let size = snapshot.memory.size();
        let rate = size as f64 / self.duration.as_secs_f64().max(1e-6);
        let err = &mut *context.err;
        for remark in &snapshot.remarks {
            writeln!(err, "note: {remark}")?;
        }
        let gaps = snapshot.memory.gaps();
        // Which registers of the System Control Space a core lacks is of no interest here.
        let missing = || gaps.iter().filter(|gap| gap.range.start().0 < 0xe000_0000);
        for gap in missing().take(GAPS_SHOWN) {
            writeln!(err, "note: {} could not be read: {}", gap.range, gap.reason)?;
        }
        if let Some(more) = missing().count().checked_sub(GAPS_SHOWN).filter(|more| *more > 0) {
            writeln!(err, "note: {more} more ranges could not be read")?;
        }
        let state = match &left {
            Ok(Some(true)) => "running",
            Ok(Some(false)) => "halted",
            Ok(None) | Err(_) => "unknown",
        };
        let state_text = match state {
            "unknown" => "whether the target runs now is up to the server",
            "running" => "the target runs",
            _ => "the target is halted",
        };
        writeln!(
            err,
            "Captured {} in {:.2} s ({}/s); {state_text}.",
            format_size(size),
            self.duration.as_secs_f64(),
            format_size(rate as u64)
        )?;
        writeln!(err, "Wrote {}", path.display())?;
        if args.json {
            self.print_json(context, &path, state)?;
        }

        if let Some(error) = self.captured.error {
            return Err(error)
                .with_context(|| format!("capturing through `{}`", args.gdb))
                .hint(format!("what was read until then is in `{}`", path.display()));
        }
        left.with_context(|| format!("leaving the target at `{}`", args.gdb))?;
        let complete = self.captured.snapshot.origin.complete == Some(true);
        Ok(if args.strict && !complete { Exit::Incomplete } else { Exit::Done })
    }

    /// Keeps a capture that cannot be written where it should be: a full disk or a link that is
    /// gone must not cost what may never happen again.
    fn rescue(&self, error: anyhow::Error) -> anyhow::Result<()> {
        if self.captured.snapshot.memory.is_empty() {
            return Err(error);
        }
        let path = std::env::temp_dir().join(default_name(self.captured_at));
        match write(&path, &self.captured.snapshot) {
            Ok(()) => Err(error).hint(format!("the coredump is in `{}` instead", path.display())),
            Err(_) => Err(error),
        }
    }

    fn print_json(
        &self,
        context: &mut Context<'_>,
        path: &Path,
        state: &str,
    ) -> anyhow::Result<()> {
        let snapshot = &self.captured.snapshot;
        let range = |range: AddressRange| (range.start().to_string(), range.size());
        let segments = snapshot.memory.segments().iter().map(|segment| {
            let (address, size) = range(segment.range());
            serde_json::json!({ "address": address, "size": size })
        });
        let gaps = snapshot.memory.gaps().iter().map(|gap| {
            let (address, size) = range(gap.range);
            serde_json::json!({ "address": address, "size": size, "reason": gap.reason })
        });
        let identity = &snapshot.identity;
        let summary = serde_json::json!({
            "schema": 1,
            "file": path,
            "complete": snapshot.origin.complete,
            "error": self.captured.error.as_ref().map(ToString::to_string),
            "bytes": snapshot.memory.size(),
            "duration_ms": u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
            "server": snapshot.origin.server,
            "target": state,
            "registers": snapshot.registers.iter().count(),
            "threads": snapshot.threads.len(),
            "mpu_regions": snapshot.mpu_regions.len(),
            "device": {
                "serial": identity.device_serial,
                "software_type": identity.software_type,
                "software_version": identity.software_version,
                "hardware_version": identity.hardware_version,
                "build_id": identity.build_id.as_deref().map(crate::base::hex::encode),
            },
            "memory": segments.collect::<Vec<_>>(),
            "gaps": gaps.collect::<Vec<_>>(),
            "notes": snapshot.remarks,
        });
        writeln!(context.out, "{summary:#}")?;
        Ok(())
    }
}

fn write(path: &Path, snapshot: &Snapshot) -> anyhow::Result<()> {
    let act = || format!("writing coredump `{}`", path.display());
    let bytes = elf_core::write(snapshot).with_context(act)?;
    files::write_atomically(path, &bytes).with_context(act)
}
