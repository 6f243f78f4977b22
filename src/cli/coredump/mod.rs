//! `mflt coredump`: captures a coredump from a live target, through its GDB server or a debug probe.

mod connect;
mod outcome;
mod peripherals;
mod probe;
mod watch;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;

pub(super) use self::connect::connect;
use self::outcome::Outcome;
use self::probe::ProbeArgs;
use self::watch::WatchArgs;
use super::numbers::{compact_time, format_size};
use super::progress::Bar;
use super::regions::{self, Guess};
use super::running::{self, Build};
use super::{Context, Exit, Usage, WithHint, elf, files, hinted, priorities, redact};
use crate::analysis;
use crate::base::AddressRange;
use crate::snapshot::{Identity, Snapshot};
use crate::symbols::{SymbolFile, Symbols};
use crate::target::{CapturePlan, Execution, Leave, Target, capture};

/// Capture a coredump from a live target.
///
/// Reads the registers, the System Control Space and memory through a debug probe (CMSIS-DAP,
/// J-Link, ST-LINK and others) or a GDB server (OpenOCD, pyOCD, J-Link, ST-LINK, Black Magic, QEMU
/// and others) and writes them as an ELF core that
/// `mflt analyze`, GDB and LLDB open. Nothing leaves this machine. The target is left as it was
/// found: running if it ran, halted if it was halted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mflt coredump --gdb localhost:3333 --elf zephyr.elf\n  \
    mflt coredump --gdb /dev/ttyACM0 --elf zephyr.elf\n  \
    mflt coredump --probe --chip nRF52840_xxAA --elf zephyr.elf\n  \
    mflt coredump --gdb '|openocd -f board.cfg -c \"gdb_port pipe; log_output o.log\"'\n  \
    mflt coredump --gdb localhost:1234 -r 0x20000000 256K -o unit7.core\n  \
    mflt coredump --gdb localhost:3333 --elf zephyr.elf --mpu\n  \
    mflt coredump --gdb localhost:3333 --elf zephyr.elf --svd nrf52.svd --peripheral UARTE0\n  \
    mflt coredump --gdb localhost:3333 --elf zephyr.elf --watch --catch -o soak.core\n  \
    mflt coredump --gdb localhost:2331 --elf app.elf -r g_state g_state --halt")]
pub(super) struct CoredumpArgs {
    /// GDB server of the target: localhost:3333, a serial device such as /dev/ttyACM0 or COM5
    /// (Black Magic Probe), or `|` and a command that speaks on its standard streams.
    #[arg(long, value_name = "SERVER", required_unless_present = "probe")]
    gdb: Option<String>,
    #[command(flatten)]
    probe: ProbeArgs,
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
    /// MPU_RNR of the stopped core is written once per region, which changes no region, and
    /// restored.
    #[arg(long)]
    mpu: bool,
    /// CMSIS-SVD file of the microcontroller, for --peripheral.
    #[arg(long, value_name = "FILE", requires = "peripheral")]
    svd: Option<PathBuf>,
    /// Capture the registers of a peripheral too, each in one access; may be given several times.
    ///
    /// UART0 leaves out registers that are changed by being read, as the SVD file tells;
    /// UART0.DATA reads that one all the same. `mflt analyze --svd` decodes them.
    #[arg(long, value_name = "NAME", requires = "svd")]
    peripheral: Vec<String>,
    #[command(flatten)]
    watch: WatchArgs,
    /// File to write [default: coredump-<UTC time>.core]. With --watch the captures are numbered:
    /// soak.core gives soak-1.core, soak-2.core and so on.
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
        let all = Symbols::new(&symbols);
        let task = Task {
            args: &self,
            symbols: &symbols,
            regions: regions::named(&self.region, &all)?,
            registers: match &self.svd {
                Some(svd) => peripherals::registers(svd, &self.peripheral, context.err)?,
                None => Vec::new(),
            },
            redacted: redact::ranges(&self.redact, &symbols)?,
            cancel: cancel_on_interrupt(),
        };
        let catch = self.watch.catch(&all)?;

        // A capture that cannot be kept is not begun.
        if let Some(path) = &self.output {
            files::check_writable(path)
                .with_context(|| format!("writing coredump `{}`", path.display()))?;
        }

        let mut target = self.connect(&task.cancel)?;
        if let Some(catch) = catch {
            return task.watch(context, &mut *target, &catch);
        }
        let result = task.capture(context, &mut *target);
        // Whatever happened, the target is left as it should be.
        let left = target.leave(self.leave());
        let outcome = result?;
        let path = self.output.clone().unwrap_or_else(|| default_name(outcome.captured_at).into());
        outcome.report(&self, &path, context, left)
    }

    /// The way to the target, for messages.
    fn place(&self) -> &str {
        self.gdb.as_deref().unwrap_or(self.probe.place())
    }

    /// Reaches the target and stops it.
    fn connect(&self, cancel: &Arc<AtomicBool>) -> anyhow::Result<Box<dyn Execution>> {
        match &self.gdb {
            Some(server) => Ok(Box::new(connect(server, Arc::clone(cancel))?)),
            None => self.probe.connect(Arc::clone(cancel)),
        }
    }

    fn leave(&self) -> Leave {
        match (self.halt, self.resume) {
            (true, _) => Leave::Halted,
            (_, true) => Leave::Running,
            _ => Leave::AsFound,
        }
    }
}

/// What is to be captured, resolved.
struct Task<'a, 'd> {
    args: &'a CoredumpArgs,
    symbols: &'a [SymbolFile<'d>],
    /// Those that the user names.
    regions: Vec<AddressRange>,
    registers: Vec<AddressRange>,
    redacted: Vec<AddressRange>,
    cancel: Arc<AtomicBool>,
}

impl Task<'_, '_> {
    fn capture(
        &self,
        context: &mut Context<'_>,
        target: &mut dyn Execution,
    ) -> anyhow::Result<Outcome> {
        let (args, symbols) = (self.args, self.symbols);
        let guesses = ram_of(target, symbols, self.regions.clone())?;
        let err = &mut *context.err;
        writeln!(err, "Capturing through {} at {}:", target.server(), args.place())?;
        writeln!(err, "  registers, System Control Space, vectors, code near PC and LR")?;
        if args.mpu {
            writeln!(err, "  every MPU region; MPU_RNR is written for it, and restored")?;
        }
        if !self.registers.is_empty() {
            writeln!(err, "  {} registers of peripherals", self.registers.len())?;
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
        plan.all_mpu_regions = args.mpu;
        plan.registers = self.registers.clone();
        let started = Instant::now();
        let captured_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut running = Vec::new();
        let mut bar = Bar::new(context.interactive);
        let mut captured = capture(
            target,
            &plan,
            &mut |registers, memory| {
                running = symbols.iter().map(|file| running::build(file, memory)).collect();
                priorities::first(registers, memory, &Symbols::new(symbols), &plan)
            },
            &mut |progress| {
                bar.update(progress.done, progress.total);
                !self.cancel.load(Ordering::Relaxed)
            },
        );
        bar.finish();
        let duration = started.elapsed();

        let snapshot = &mut captured.snapshot;
        snapshot.origin.tool = Some(format!("mflt {}", env!("CARGO_PKG_VERSION")));
        snapshot.origin.captured_at_ms = u64::try_from(captured_at.as_millis()).ok();
        snapshot.identity = Identity {
            device_serial: args.device_serial.clone(),
            software_type: args.software_type.clone(),
            software_version: args.software_version.clone(),
            hardware_version: args.hardware_version.clone(),
            build_id: None,
        };
        for (build, path) in running.iter().zip(&args.elf) {
            if let Build::Other(_) = build {
                let path = path.display();
                if redact::needs_elf(&args.redact) {
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
        snapshot.identity.build_id = running::build_id(running);
        add_threads(snapshot, symbols);
        redact::apply(snapshot, &self.redacted, context.err)?;
        Ok(Outcome { captured, captured_at, duration })
    }
}

fn default_name(captured_at: Duration) -> String {
    format!("coredump-{}.core", compact_time(captured_at))
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
