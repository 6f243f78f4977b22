//! What the CPU was stopped in: its contexts, where the crash is among them, why the kernel gave up.

use super::unwind::{self, Context, Environment, PENDSV, SVCALL, Start};
use super::{Core, cause, placed};
use crate::arch::cortex_m::exception;
use crate::base::{Address, Memory as _};
use crate::report::Notes;
use crate::rtos::FatalReason;
use crate::snapshot::{Moment, ReasonCode, Register, RegisterSet};

/// What the CPU was stopped in.
pub(super) struct Stopped {
    /// Innermost first.
    pub(super) contexts: Vec<Context>,
    /// Index of the context in which the crash happened; `None` when nothing crashed, and when what
    /// the fault handler interrupted is lost.
    pub(super) crashed: Option<usize>,
    /// Why the kernel gave up, and its code for that.
    pub(super) reason: Option<(FatalReason, Option<u32>)>,
    /// Whether an SVC that is over raised the crash.
    pub(super) after_svc: bool,
}

impl Core<'_, '_> {
    /// Unwinds what the CPU was stopped in. What could not be done goes to `notes`.
    pub(super) fn stopped(&self, notes: &mut Notes) -> Stopped {
        let start = self.start();
        let mut environment = self.environment();
        let mut remarks = Notes::default();
        let mut contexts = unwind::contexts(&start, &environment, &mut remarks);
        let reason = self.fatal_reason(&contexts, &environment);
        if matches!(reason, Some((FatalReason::StackCheck, _))) {
            // Frames of the handler tell that; what lies outside is found otherwise, knowing it.
            environment.overran = true;
            remarks = Notes::default();
            contexts = unwind::contexts(&start, &environment, &mut remarks);
        }
        notes.extend(remarks);
        let crashed = self.crash_context(&contexts, &environment);
        Stopped { contexts, crashed, reason, after_svc: start.after_svc }
    }

    /// The registers of the CPU; of the first thread where only threads are known.
    fn start(&self) -> Start {
        let first = self.snapshot.threads.first().map(|thread| &thread.registers);
        let mut registers = match first {
            Some(first) if self.snapshot.registers.is_empty() => first.clone(),
            _ => self.snapshot.registers.clone(),
        };
        if self.snapshot.moment == Moment::Crash
            && registers.sp().is_none()
            && let Some(stack) = self.environment().thread_stack
        {
            let sp = placed::stack_pointer(&registers, stack, &self.memory);
            registers.set(Register::SP, sp);
        }
        let after_svc = self.snapshot.moment == Moment::Crash && self.is_after_svc(&registers);
        Start { registers, moment: self.snapshot.moment, after_svc }
    }

    /// Whether the fatal error was raised by the SVC before PC.
    fn is_after_svc(&self, registers: &RegisterSet) -> bool {
        let raised = self.system.active_exception() == Some(SVCALL)
            || self.told().is_some_and(|(reason, _)| reason.is_raised());
        let before = registers.pc().and_then(|pc| Address(pc).checked_sub(2));
        let is_svc = |at: Address| self.memory.read_u16(at).is_ok_and(|code| code >> 8 == 0xdf);
        raised && before.is_some_and(is_svc)
    }

    /// What the kernel's error code in the dump means.
    fn told(&self) -> Option<(FatalReason, Option<u32>)> {
        match self.snapshot.reason_code {
            Some(ReasonCode::Kernel(code)) => {
                Some((self.kernel?.fatal_reason(code, self.kernel_file?), Some(code)))
            }
            _ => None,
        }
    }

    fn fatal_reason(
        &self,
        contexts: &[Context],
        environment: &Environment<'_, '_>,
    ) -> Option<(FatalReason, Option<u32>)> {
        let kernel = || self.kernel.zip(self.kernel_file);
        self.told().or_else(|| cause::fatal_reason(kernel()?, contexts, environment))
    }

    /// The context in which the crash happened: what the innermost fault handler interrupted.
    /// Without a fault, where the firmware's own fatal path was entered.
    fn crash_context(
        &self,
        contexts: &[Context],
        environment: &Environment<'_, '_>,
    ) -> Option<usize> {
        if self.snapshot.moment == Moment::Crash {
            return (!contexts.is_empty()).then_some(0);
        }
        if let Some(handler) = fault_handler(contexts) {
            return handler.checked_add(1).filter(|index| *index < contexts.len());
        }
        let fatal = contexts.iter().position(|context| cause::is_fatal(context, environment))?;
        // SVCall carries the panic of the code below it, and PendSV finds what the thread that it
        // switches out has done.
        let exception = contexts.get(fatal).map(|context| context.exception);
        let about_thread = matches!(exception, Some(SVCALL | PENDSV));
        let outer = fatal.saturating_add(1);
        Some(if about_thread && outer < contexts.len() { outer } else { fatal })
    }
}

/// The innermost context that handles a fault.
pub(super) fn fault_handler(contexts: &[Context]) -> Option<usize> {
    contexts.iter().position(|context| exception::is_fault(context.exception))
}
