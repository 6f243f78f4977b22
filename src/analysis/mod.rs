//! The engine: from a snapshot and symbols to a report.
//!
//! [`analyze`] never fails on partial input: what could not be found stands in the report's notes.
//! Refusal happens before, in [`matching`] and where input is opened.

mod cause;
mod describe;
#[cfg(feature = "disasm")]
mod disassembly;
mod faulting;
mod heaps;
pub mod inspector;
mod interrupts;
mod logs;
pub mod matching;
pub mod messages;
mod mpu;
mod objects;
mod placed;
mod room;
mod sdk_log;
mod stopped;
#[cfg(test)]
mod tests;
mod threads;
pub mod unwind;
mod variables;
mod waits;

use crate::arch::cortex_m::exception::{self, FloatContext};
use crate::arch::cortex_m::fault::{self, fault_address, is_set};
use crate::arch::cortex_m::security::has_security_extension;
use crate::arch::cortex_m::system::{FPCAR, FPCCR, HFSR, SystemState, VTOR};
use crate::base::{Address, AddressRange, Memory as _, Overlay, hex, join};
use crate::issue;
use crate::report::{
    Confidence, Device, Fault, FaultBit, Hex32, MatchKind, MemoryRange, Notes, Report, SCHEMA,
    Severity, SymbolMatch,
};
use crate::rtos::{self, Kernel, KernelState};
use crate::snapshot::{MemoryImage, Register, Snapshot, ThreadRegisters};
use crate::symbols::{SymbolFile, Symbols};
use cause::Scene;
use matching::Match;
use std::sync::OnceLock;
use stopped::{Stopped, fault_handler};
use unwind::{Context, Environment};

/// Most frames of one context that are unwound, shown or not: what caused a crash may stand deep.
const LONGEST_BACKTRACE: usize = 512;
/// Ranges that are not captured and get a note of their own.
const MOST_GAPS: usize = 8;

/// How much to look at.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most frames of one backtrace that are shown.
    pub max_frames: usize,
    /// Collect arguments and locals of every frame.
    pub locals: bool,
    /// Collect globals and statics.
    pub globals: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { max_frames: 128, locals: true, globals: true }
    }
}

/// Explains a crash as far as `snapshot` and the ELF files of its firmware allow: none, one, or one
/// for each image (bootloader and application, secure and non-secure).
pub fn analyze(snapshot: &Snapshot, files: &[SymbolFile<'_>], options: &Options) -> Report {
    let placed = placed::with_kernel(snapshot, files);
    report(&Core::new(placed.as_ref().unwrap_or(snapshot), files), options)
}

fn report(core: &Core<'_, '_>, options: &Options) -> Report {
    let (mut report, notes) = if options.globals {
        // They take as long as all the rest, and neither needs the other.
        let (symbols, memory) = (&core.symbols, &core.memory);
        let globals = || variables::globals(symbols, memory);
        let ((globals, remarks), (mut report, mut notes)) =
            join(globals, || explain(core, options));
        report.globals = globals;
        notes.extend(remarks);
        (report, notes)
    } else {
        explain(core, options)
    };
    report.notes = notes.into_vec();
    report
}

/// Everything but the globals and the notes.
fn explain(core: &Core<'_, '_>, options: &Options) -> (Report, Notes) {
    let snapshot = core.snapshot;
    let mut notes = Notes::default();
    remark_on_input(snapshot, core, &mut notes);
    core.remark_on_kernel(&mut notes);

    let environment = core.environment();
    let Stopped { contexts, crashed, reason, after_svc } = core.stopped(&mut notes);
    let heaps = heaps::read(core);
    let logs = logs::read(core, &mut notes);
    let bare = core.bare_metal(&contexts);
    if bare.is_some() {
        notes.add(Severity::Info, "no_rtos", "no RTOS: one stack");
    }
    let code = reason
        .and_then(|(_, code)| Some((core.kernel?.fatal_name(code?, core.kernel_file?)?, code?)));
    let scene = Scene {
        environment: &environment,
        contexts: &contexts,
        crashed,
        kernel: core.state().or(bare.as_ref()),
        handler: fault_handler(&contexts),
        reason: reason.map(|(reason, _)| reason),
        code,
        told: snapshot.reason_code,
        after_svc,
        heaps: &heaps,
        logs: &logs,
    };
    let mut finding = cause::explain(&scene);
    let mpu = mpu::list(core, &scene, &mut finding.cause, &mut notes);
    let blamed = contexts.get(crashed.unwrap_or(0));
    finding.cause.confidence = finding.cause.confidence.min(core.confidence(blamed));
    let fault = explain_fault(
        &environment,
        &contexts,
        scene.handler.or(crashed.and_then(|c| c.checked_sub(1))),
    );
    let deadlocks = waits::list(core, &mut notes);
    let threads = threads::list(&scene, snapshot, options, &mut notes);
    #[cfg(feature = "disasm")]
    let threads = disassembly::listed(threads, &environment);
    let mut report = Report {
        schema: SCHEMA,
        title: String::new(),
        category: finding.category,
        cause: finding.cause,
        device: device(snapshot, core),
        symbols: core.matches.iter().map(|(file, matched)| symbol_match(file, matched)).collect(),
        fault,
        threads,
        deadlocks,
        kernel_objects: objects::list(core),
        heap: heaps::list(heaps, &mut notes),
        logs: logs::list(logs),
        globals: Vec::new(),
        interrupts: interrupts::list(core, &contexts),
        mpu,
        peripherals: Vec::new(),
        memory: memory_ranges(snapshot),
        notes: Vec::new(),
    };
    let title = issue::title(&report, &finding.naming);
    report.title = title.text;
    report.cause.evidence.extend(title.remark);
    (report, notes)
}

/// Register sets for a core file's threads, so that any debugger unwinds them: where the crash
/// happened first, with the registers it had before the exception; then what else ran, handlers
/// under the number of their exception; then every other RTOS thread.
pub fn thread_contexts(snapshot: &Snapshot, files: &[SymbolFile<'_>]) -> Vec<ThreadRegisters> {
    let placed = placed::with_kernel(snapshot, files);
    let core = Core::new(placed.as_ref().unwrap_or(snapshot), files);
    let Stopped { contexts, crashed, .. } = core.stopped(&mut Notes::default());
    threads::for_core_file(&contexts, crashed, core.state())
}

/// A snapshot with what is read from it once.
struct Core<'a, 'd> {
    snapshot: &'a Snapshot,
    /// The files as given, each with what the dump says to it.
    matches: Vec<(&'a SymbolFile<'d>, Match)>,
    symbols: Symbols<'a, 'd>,
    memory: Overlay<&'a MemoryImage, Symbols<'a, 'd>>,
    system: SystemState,
    kernel: Option<&'static dyn Kernel>,
    /// The file in which the kernel was recognised.
    kernel_file: Option<&'a SymbolFile<'d>>,
    /// See [`Core::state`].
    state: OnceLock<Option<KernelState>>,
}

impl<'a, 'd> Core<'a, 'd> {
    fn new(snapshot: &'a Snapshot, files: &'a [SymbolFile<'d>]) -> Core<'a, 'd> {
        let matches: Vec<_> = files.iter().zip(matching::compare(snapshot, files)).collect();
        let system = SystemState::read(&snapshot.memory);
        let running = system.get(VTOR).or(snapshot.registers.pc()).map(Address);
        let symbols = ranked(&matches, running);
        let memory = Overlay { first: &snapshot.memory, second: symbols.clone() };
        let kernel_file =
            symbols.files().iter().copied().find(|file| rtos::recognize(file).is_some());
        let kernel = kernel_file.and_then(rtos::recognize);
        let state = OnceLock::new();
        Core { snapshot, matches, symbols, memory, system, kernel, kernel_file, state }
    }

    /// What the kernel's objects tell.
    fn state(&self) -> Option<&KernelState> {
        let read = || {
            let (file, kernel) = self.kernel_file.zip(self.kernel)?;
            let mut state = kernel.read(&self.memory, file);
            kernel.add_waits(&self.memory, file, &mut state.threads);
            Some(state)
        };
        self.state.get_or_init(read).as_ref()
    }

    /// How sure anything can be that rests on the image in which `context` ran.
    fn confidence(&self, context: Option<&Context>) -> Confidence {
        let mut frames = context.into_iter().flat_map(|context| &context.frames);
        let file = frames.find_map(|frame| self.symbols.at(frame.pc.lookup()));
        let file = file.or(self.symbols.files().first().copied());
        let mut matches = self.matches.iter();
        match matches.find(|(known, _)| file.is_some_and(|file| std::ptr::eq(*known, file))) {
            Some((_, Match::Different { .. })) => Confidence::Possible,
            Some((_, Match::Unknown | Match::Ram { .. })) => Confidence::Likely,
            _ => Confidence::Certain,
        }
    }

    fn has_security_extension(&self) -> bool {
        let word = |at| self.snapshot.memory.read_u32(at).ok();
        has_security_extension(word) || self.symbols.has_secure()
    }

    fn environment(&self) -> Environment<'_, 'd> {
        let current = self.state().iter().flat_map(|state| &state.threads).find(|t| t.current);
        Environment {
            memory: &self.memory,
            symbols: &self.symbols,
            system: &self.system,
            secured: self.has_security_extension(),
            float: FloatContext::new(self.system.get(FPCCR), self.system.get(FPCAR)),
            outermost: self.kernel.map_or(&[], Kernel::outermost),
            kernel: self.kernel,
            thread_stack: current.and_then(|thread| thread.stack),
            saved: current.map(|thread| &thread.registers).filter(|saved| !saved.is_empty()),
            overran: false,
            max_frames: LONGEST_BACKTRACE,
        }
    }

    /// The only stack of a firmware in which no kernel was recognised; none when thread mode uses
    /// the process stack, which is somebody's thread, or when the dump lists threads.
    fn bare_metal(&self, contexts: &[Context]) -> Option<KernelState> {
        if self.kernel.is_some() || self.snapshot.threads.iter().any(|t| t.name.is_some()) {
            return None;
        }
        let thread = contexts.iter().position(|context| context.exception == 0)?;
        let on_process_stack = match thread.checked_sub(1).and_then(|outer| contexts.get(outer)) {
            Some(handler) => handler.exc_return()?.on_process_stack(),
            None => self.snapshot.registers.get(Register::CONTROL).is_some_and(|c| c & 2 != 0),
        };
        let pc = contexts.get(thread)?.frames.first()?.pc.lookup();
        let file = self.symbols.at(pc).or(self.symbols.files().first().copied())?;
        if on_process_stack {
            return None;
        }
        let state = rtos::bare_metal(&self.memory, file)?;
        // Names may mislead: then what runs stands above.
        let sp = contexts.get(thread)?.frames.last()?.registers.sp()?;
        (u64::from(sp) <= state.handler_stack?.end()).then_some(state)
    }

    fn remark_on_kernel(&self, notes: &mut Notes) {
        for remark in self.state().iter().flat_map(|state| &state.remarks) {
            match remark.address {
                Some(at) => notes.add_at(Severity::Warning, remark.code, at, &*remark.text),
                None => notes.add(Severity::Warning, remark.code, &*remark.text),
            }
        }
    }
}

/// The files in the order in which they count where several claim an address: those that belong to
/// the dump, the one that runs first. A bootloader's RAM is the application's later.
fn ranked<'a, 'd>(
    matches: &[(&'a SymbolFile<'d>, Match)],
    running: Option<Address>,
) -> Symbols<'a, 'd> {
    let mut matches: Vec<_> = matches.iter().collect();
    matches.sort_by_key(|(file, matched)| {
        let doubt = match matched {
            Match::BuildId | Match::Contents { .. } => 0,
            Match::Ram { .. } => 1,
            Match::Unknown => 2,
            Match::Different { .. } => 3,
        };
        let runs = running.is_some_and(|running| file.section_at(running).is_some());
        (doubt, !runs)
    });
    Symbols::new(matches.into_iter().map(|(file, _)| *file))
}

fn explain_fault(
    environment: &Environment<'_, '_>,
    contexts: &[Context],
    handler: Option<usize>,
) -> Option<Fault> {
    let system = environment.system;
    let registers: crate::report::Registers =
        system.iter().map(|(register, value)| (register.name, value)).collect();
    let handler = handler.and_then(|index| contexts.get(index));
    let exc_return = handler.and_then(Context::exc_return);
    if registers.is_empty() && exc_return.is_none() {
        return None;
    }
    let bits = fault::set_bits(system)
        .into_iter()
        .map(|bit| FaultBit {
            register: bit.register.name.into(),
            name: bit.name.into(),
            meaning: bit.meaning.into(),
        })
        .collect();
    let escalated = is_set(system, HFSR, "FORCED").then(|| {
        let kinds = fault::set_bits(system);
        let named = kinds.iter().find_map(|bit| match bit.kind {
            fault::FaultKind::MemManage => Some("MemManage"),
            fault::FaultKind::Bus => Some("BusFault"),
            fault::FaultKind::Usage => Some("UsageFault"),
            fault::FaultKind::Secure => Some("SecureFault"),
            _ => None,
        });
        named.unwrap_or("unknown").to_string()
    });
    Some(Fault {
        registers,
        bits,
        active_exception: system
            .active_exception()
            .or_else(|| contexts.first().map(|context| context.exception))
            .map(exception::name),
        exc_return: exc_return
            .map(|e| format!("0x{:08x}: {}", e.value(), e.describe(environment.secured))),
        escalated_from: escalated,
        address: fault_address(system).map(|(_, address)| Hex32(address)),
    })
}

fn device(snapshot: &Snapshot, core: &Core<'_, '_>) -> Device {
    let identity = &snapshot.identity;
    let origin = &snapshot.origin;
    let mut how = origin.format.clone();
    for part in [&origin.tool, &origin.server].into_iter().flatten() {
        how.push_str(if how.is_empty() { "" } else { ", " });
        how.push_str(part);
    }
    Device {
        serial: identity.device_serial.clone(),
        software_type: identity.software_type.clone(),
        software_version: identity.software_version.clone(),
        hardware_version: identity.hardware_version.clone(),
        build_id: identity.build_id.as_deref().map(hex::encode),
        core: core.system.core().map(str::to_string),
        rtos: core.kernel.map(|kernel| kernel.name().to_string()),
        origin: (!how.is_empty()).then_some(how),
    }
}

fn symbol_match(file: &SymbolFile<'_>, matched: &Match) -> SymbolMatch {
    let matched = match matched {
        Match::BuildId => MatchKind::BuildId,
        Match::Contents { .. } => MatchKind::Contents,
        Match::Ram { .. } => MatchKind::Ram,
        Match::Unknown => MatchKind::None,
        Match::Different { .. } => MatchKind::Forced,
    };
    SymbolMatch {
        path: file.path().map(str::to_string),
        build_id: file.image().build_id().map(hex::encode),
        matched,
    }
}

fn memory_ranges(snapshot: &Snapshot) -> Vec<MemoryRange> {
    let held = snapshot.memory.segments().iter().map(|segment| MemoryRange {
        start: segment.range().start().into(),
        size: segment.range().size(),
        captured: true,
        reason: None,
    });
    let missing = snapshot.memory.gaps().iter().map(|gap| MemoryRange {
        start: gap.range.start().into(),
        size: gap.range.size(),
        captured: false,
        reason: Some(gap.reason.clone()),
    });
    held.chain(missing).collect()
}

/// Ranges that were asked for and are not there, neighbours joined. Registers of the System Control
/// Space that a core does not have are no loss.
fn missing(snapshot: &Snapshot) -> Vec<(AddressRange, &str)> {
    let mut gaps: Vec<_> = snapshot.memory.gaps().iter().collect();
    gaps.sort_by_key(|gap| gap.range);
    let mut joined: Vec<(AddressRange, &str)> = Vec::new();
    for gap in gaps.into_iter().filter(|gap| gap.range.start().0 < 0xe000_0000) {
        if let Some((range, reason)) = joined.last_mut()
            && *reason == gap.reason
            && u64::from(gap.range.start().0) <= range.end()
        {
            let end = range.end().max(gap.range.end());
            let size = end.saturating_sub(u64::from(range.start().0));
            *range = AddressRange::new(range.start(), size).unwrap_or(*range);
        } else {
            joined.push((gap.range, gap.reason.as_str()));
        }
    }
    joined
}

/// Notes on what the dump or the symbols lack altogether.
fn remark_on_input(snapshot: &Snapshot, core: &Core<'_, '_>, notes: &mut Notes) {
    for remark in &snapshot.remarks {
        notes.add(Severity::Warning, "dump", remark.as_str());
    }
    let redacted: u64 = snapshot.memory.redacted().map(AddressRange::size).sum();
    if redacted > 0 {
        let text = format!("{redacted} bytes of the dump are redacted");
        notes.add(Severity::Info, "redacted", text);
    }
    if snapshot.origin.complete == Some(false) {
        let text = "some of what was asked for is not in the dump";
        notes.add(Severity::Warning, "capture_incomplete", text);
    }
    let missing = missing(snapshot);
    for (range, reason) in missing.iter().take(MOST_GAPS) {
        let text = format!("{range} is not captured: {reason}");
        notes.add_at(Severity::Warning, "not_captured", range.start(), text);
    }
    let more = missing.len().saturating_sub(MOST_GAPS);
    if more > 0 {
        let text = format!("{more} more ranges are not captured; the full report lists them");
        notes.add(Severity::Warning, "not_captured", text);
    }
    if core.matches.is_empty() {
        notes.add(
            Severity::Warning,
            "no_symbols",
            "no ELF was given: functions, threads and variables cannot be named (use --elf)",
        );
    }
    for (file, matched) in &core.matches {
        let elf = match core.matches.len() {
            1 => "the ELF".to_string(),
            _ => format!("the ELF {}", core.symbols.name_of(file)),
        };
        remark_on_file(&elf, file, matched, notes);
    }
}

/// Notes on what one ELF lacks, and whether it is that of the dump.
fn remark_on_file(elf: &str, file: &SymbolFile<'_>, matched: &Match, notes: &mut Notes) {
    if !file.image().has_debug_info() {
        let text =
            format!("{elf} has no debug information: no lines and no variables (build with -g)");
        notes.add(Severity::Warning, "no_debug_info", text);
    }
    if file.split_dwarf_units() > 0 {
        let text = format!(
            "some debug information of {elf} is in .dwo files, which are not read (-gsplit-dwarf)"
        );
        notes.add(Severity::Warning, "split_dwarf", text);
    }
    match matched {
        Match::Different { why } => {
            let text = format!("{elf} is not that of this dump, and was forced: {why}");
            notes.add(Severity::Error, "symbols_forced", text);
        }
        Match::Unknown => {
            let text = format!(
                "the dump holds nothing by which {elf} could be checked: names and lines are right \
                 only if it is that of the very build that crashed"
            );
            notes.add(Severity::Warning, "symbols_unmatched", text);
        }
        Match::Ram { addresses, leading } => {
            let text = format!(
                "{elf} was checked by RAM alone: {leading} of {addresses} words that look like \
                 addresses of its code lead to functions and calls"
            );
            notes.add(Severity::Info, "symbols_checked_by_ram", text);
        }
        Match::BuildId | Match::Contents { .. } => {}
    }
}
