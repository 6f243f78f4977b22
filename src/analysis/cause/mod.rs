//! Why it crashed: one sentence with its evidence.
//!
//! Each rule looks for one kind of crash and returns nothing when it does not see it; the first
//! that sees something names the cause. Rules that explain the origin (a stack that overflowed)
//! come before those that only read what hardware says about the symptom.

mod access;
mod claim;
mod halt;
mod heap;
mod jump;
mod place;
mod rust_panic;
mod secure;
mod software;
mod stack;
mod status;
mod told;
mod watchdog;

pub(super) use software::is_fatal;

use super::describe::describe;
use super::faulting::{FaultingAccess, Operand};
use super::unwind::{Context, Environment, FoundBy, SVCALL};
use super::variables::{self, FrameState};
use crate::arch::cortex_m::exception::{self, Code as _};
use crate::arch::cortex_m::fault::{FAULT_BITS, FaultBit, is_set};
use crate::arch::cortex_m::instruction::{self, Instruction};
use crate::arch::cortex_m::system::{CFSR, HFSR};
use crate::base::Address;
use crate::issue::Naming;
use crate::report::{Category, Cause, Confidence};
use crate::rtos::{FatalReason, Heap, Kernel, KernelState, LogLine, Thread};
use crate::snapshot::{ReasonCode, RegisterSet};
use crate::symbols::SymbolFile;

/// Everything that the rules look at.
pub(super) struct Scene<'a, 'd> {
    pub(super) environment: &'a Environment<'a, 'd>,
    /// Innermost first.
    pub(super) contexts: &'a [Context],
    /// Index of the context in which the crash happened; `None` when nothing crashed.
    pub(super) crashed: Option<usize>,
    pub(super) kernel: Option<&'a KernelState>,
    /// Index of the innermost fault handler.
    pub(super) handler: Option<usize>,
    /// Why the kernel says it gave up.
    pub(super) reason: Option<FatalReason>,
    /// Its fatal error code, as its source calls it and as a number.
    pub(super) code: Option<(&'static str, u32)>,
    /// What the dump itself gives as the reason.
    pub(super) told: Option<ReasonCode>,
    /// Whether an SVC that the dump no longer shows raised the crash.
    pub(super) after_svc: bool,
    pub(super) heaps: &'a [Heap],
    /// What is left of the log and of consoles, oldest first.
    pub(super) logs: &'a [LogLine],
}

/// What a rule found.
pub(super) struct Finding {
    pub(super) category: Category,
    pub(super) cause: Cause,
    /// For the title.
    pub(super) naming: Naming,
}

impl Finding {
    fn new(category: Category, confidence: Confidence, summary: impl Into<String>) -> Finding {
        let cause = Cause { summary: summary.into(), confidence, evidence: Vec::new() };
        Finding { category, cause, naming: Naming::default() }
    }

    fn because(mut self, evidence: impl Into<String>) -> Finding {
        self.cause.evidence.push(evidence.into());
        self
    }

    fn titled(mut self, qualifier: impl Into<String>) -> Finding {
        self.naming.qualifier = Some(qualifier.into());
        self
    }
}

/// What the error code of `kernel`, found in a file, means, and the code itself: from the arguments
/// of the functions it was handed to, or of the SVC that raised it.
pub(super) fn fatal_reason(
    (kernel, file): (&dyn Kernel, &SymbolFile<'_>),
    contexts: &[Context],
    environment: &Environment<'_, '_>,
) -> Option<(FatalReason, Option<u32>)> {
    for context in contexts {
        for (index, frame) in context.frames.iter().enumerate() {
            let callers = context.frames.get(index..)?;
            let Some(symbols) = environment.symbols.at(frame.pc.lookup()) else { continue };
            for source in symbols.frames_at(frame.pc) {
                let meant = source.function.and_then(|name| kernel.fatal_function(name));
                if let Some(meant) = meant {
                    return Some((meant, None));
                }
                let carries = |name| kernel.reason_carriers().contains(&name);
                if source.function.is_some_and(carries) {
                    let state = FrameState::new(environment, callers)?;
                    let code = variables::argument(symbols, &source, &state, "reason");
                    if let Some(code) = code.and_then(|code| u32::try_from(code).ok()) {
                        return Some((kernel.fatal_reason(code, file), Some(code)));
                    }
                }
            }
        }
    }
    let code = raised_by(kernel.fatal_svc()?, contexts, environment)?;
    Some((kernel.fatal_reason(code, file), Some(code)))
}

/// What the code that executed this SVC passed in r0.
fn raised_by(svc: u8, contexts: &[Context], environment: &Environment<'_, '_>) -> Option<u32> {
    let handler = contexts.iter().position(|context| context.exception == SVCALL)?;
    let raiser = contexts.get(handler.checked_add(1)?)?.frames.first()?;
    let at = Address(raiser.registers.pc()?).checked_sub(2)?;
    let code = environment.memory.read_u16(at).ok()?;
    raiser.registers.core(0).filter(|_| code == 0xdf00 | u16::from(svc))
}

/// Explains the crash; there is always an answer, and it says how sure it is.
pub(super) fn explain(scene: &Scene<'_, '_>) -> Finding {
    let rules: [fn(&Scene<'_, '_>) -> Option<Finding>; 10] = [
        status::lockup,
        stack::canary,
        stack::overflow,
        watchdog::expired,
        status::double_fault,
        heap::stopped_in,
        software::panic_or_assert,
        told::by_reboot_reason,
        jump::wild,
        status::from_registers,
    ];
    let found = rules.iter().find_map(|rule| rule(scene));
    let found = found.or_else(|| status::origin_lost(scene)).unwrap_or_else(|| halt::halted(scene));
    let code =
        scene.code.map(|(name, code)| format!("the kernel's fatal error is {name} ({code})"));
    code.into_iter().chain(suspicions(scene)).fold(found, Finding::because)
}

/// What is wrong besides, and may be where the cause comes from.
fn suspicions(scene: &Scene<'_, '_>) -> Vec<String> {
    let damaged = scene.heaps.iter().filter_map(|heap| {
        let first = heap.corruption.first()?;
        Some(format!("heap {} is corrupted: {}", heap.name, first.text))
    });
    damaged.collect()
}

impl Scene<'_, '_> {
    pub(super) fn crash_context(&self) -> Option<&Context> {
        self.contexts.get(self.crashed?)
    }

    /// Registers at the crash.
    fn crash_registers(&self) -> Option<&RegisterSet> {
        Some(&self.crash_context()?.frames.first()?.registers)
    }

    /// Where the crash happened; not known when the frame there had to be guessed.
    pub(super) fn crash_pc(&self) -> Option<Address> {
        let frame = self.crash_context()?.frames.first()?;
        (frame.found_by != FoundBy::Scan).then(|| frame.pc.address())
    }

    pub(super) fn threads(&self) -> &[Thread] {
        self.kernel.map_or(&[], |kernel| &kernel.threads)
    }

    pub(super) fn current_thread(&self) -> Option<&Thread> {
        self.threads().iter().find(|thread| thread.current)
    }

    /// The thread in whose own code the crash happened; none for a crash in a handler.
    pub(super) fn crashed_thread(&self) -> Option<&Thread> {
        self.current_thread().filter(|_| self.crash_context().is_some_and(|c| c.exception == 0))
    }

    /// Whether a bit of CFSR was set at the fault: it is, or the kernel cleared it and remembers.
    pub(super) fn has(&self, bit: &str) -> bool {
        is_set(self.environment.system, CFSR, bit)
            || matches!(self.reason, Some(FatalReason::StatusBit(name)) if name == bit)
    }

    /// The bit of CFSR that only the kernel's error code tells about.
    fn remembered(&self) -> Option<&'static FaultBit> {
        let Some(FatalReason::StatusBit(name)) = self.reason else { return None };
        let bit = FAULT_BITS.iter().find(|bit| bit.register == CFSR && bit.name == name)?;
        (!is_set(self.environment.system, CFSR, name)).then_some(bit)
    }

    /// Whether the core has CFSR at all: Armv6-M and Armv8-M Baseline do not.
    fn has_fault_status(&self) -> bool {
        let architecture = self.environment.system.architecture();
        architecture.is_some_and(|architecture| architecture.has_fault_status())
    }

    fn forced(&self) -> bool {
        is_set(self.environment.system, HFSR, "FORCED")
    }

    /// The instruction at the crash with the registers it saw.
    fn instruction(&self) -> Option<Instruction> {
        let pc = self.crash_pc()?;
        if !self.environment.is_code(pc) {
            return None;
        }
        instruction::decode(self.environment.memory, pc, self.crash_registers()?)
    }

    /// The load or store at the crash, with what the source calls its registers.
    pub(super) fn faulting_access(&self) -> Option<FaultingAccess> {
        self.crash_pc()?;
        FaultingAccess::of(self.crash_context()?.frames.first()?, self.environment)
    }

    /// What `register` held at the crash, and what the source calls it.
    fn operand(&self, register: u8) -> Option<Operand> {
        self.crash_pc()?;
        let frame = self.crash_context()?.frames.first()?;
        Some(Operand::of(frame, register, self.environment))
    }

    fn describe(&self, address: Address) -> String {
        describe(address, self.environment.symbols, self.threads())
    }

    /// `function+12` for an address of code, else the address.
    fn place(&self, address: Address) -> String {
        match self.environment.symbols.symbol_at(address) {
            Some((symbol, 0)) => symbol.readable().into_owned(),
            Some((symbol, offset)) => format!("{}+{offset}", symbol.readable()),
            None => address.to_string(),
        }
    }

    /// ` in poll (sensor.c:12)`: the innermost function to be named, else the address.
    fn at(&self, context: &Context) -> String {
        let pc = || context.frames.first().map(|frame| frame.pc.address().to_string());
        let place = self.blamed(context).map(|place| place.to_string()).or_else(pc);
        place.map_or(String::new(), |place| format!(" in {place}"))
    }

    /// `thread x` or `the SysTick handler`.
    fn runner(&self, context: &Context) -> String {
        match (context.exception, self.current_thread()) {
            (0, Some(thread)) if is_named(thread) => format!("thread {}", thread.name),
            (0, _) => "a thread".into(),
            (number, _) => format!("the {} handler", exception::name(number)),
        }
    }

    /// ` in thread x` or ` in the SysTick handler`.
    fn whereabouts(&self) -> String {
        match self.crash_context() {
            Some(context) if context.exception != 0 => {
                format!(" in the {} handler", exception::name(context.exception))
            }
            Some(_) => match self.current_thread() {
                Some(thread) if is_named(thread) => format!(" in thread {}", thread.name),
                _ => String::new(),
            },
            None => String::new(),
        }
    }
}

/// Whether a thread has a name of its own.
fn is_named(thread: &Thread) -> bool {
    !thread.name.is_empty() && !thread.is_main_stack()
}
