//! One debugger's session over the GDB remote protocol.

use std::convert::Infallible;

use gdbstub::arch::{Arch, Registers};
use gdbstub::common::{Signal, Tid};
use gdbstub::conn::Connection;
use gdbstub::stub::state_machine::GdbStubStateMachine;
use gdbstub::stub::{GdbStub, GdbStubError, MultiThreadStopReason};
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread::{
    MultiThreadBase, MultiThreadResume, MultiThreadResumeOps, MultiThreadSchedulerLocking,
    MultiThreadSchedulerLockingOps, MultiThreadSingleStep, MultiThreadSingleStepOps,
};
use gdbstub::target::ext::memory_map::{MemoryMap, MemoryMapOps};
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps};
use gdbstub::target::ext::target_description_xml_override::{
    TargetDescriptionXmlOverride, TargetDescriptionXmlOverrideOps,
};
use gdbstub::target::ext::thread_extra_info::{ThreadExtraInfo, ThreadExtraInfoOps};
use gdbstub::target::{Target, TargetError, TargetResult};

use super::{ServedDump, monitor};
use crate::base::{Address, hex};

/// `E14`, the reply of QEMU and others to an access that cannot be.
const REFUSED: u8 = 0x14;
/// What a debugger prints that wants the target to run.
const CANNOT_RUN: &str = "this is a dump: it cannot run\n";

/// How a session ended.
#[derive(Debug)]
pub enum Ended {
    /// The debugger left.
    Left,
    /// The connection broke, for the reason given.
    Broken(String),
}

/// Serves `dump` to the debugger behind `connection` until it leaves. `read` gives its next byte,
/// `None` at the end.
pub fn serve<C, E>(
    dump: &ServedDump<'_, '_>,
    connection: C,
    mut read: impl FnMut(&mut C) -> Result<Option<u8>, E>,
) -> Ended
where
    C: Connection<Error = E>,
    E: std::fmt::Display + std::fmt::Debug,
{
    let mut session = Session { dump };
    let broken = |error: GdbStubError<Infallible, E>| Ended::Broken(error.to_string());
    let mut stub = match GdbStub::new(connection).run_state_machine(&mut session) {
        Ok(stub) => stub,
        Err(error) => return broken(error),
    };
    loop {
        let next = match stub {
            GdbStubStateMachine::Idle(mut idle) => match read(idle.borrow_conn()) {
                Ok(Some(byte)) => idle.incoming_data(&mut session, byte),
                Ok(None) => return Ended::Left,
                Err(error) => return Ended::Broken(error.to_string()),
            },
            GdbStubStateMachine::Running(mut running) => {
                if let Err(error) = print(running.borrow_conn(), CANNOT_RUN) {
                    return Ended::Broken(error.to_string());
                }
                running.report_stop(&mut session, session_stop(dump))
            }
            GdbStubStateMachine::CtrlCInterrupt(interrupt) => {
                let stop = session_stop(dump);
                interrupt.interrupt_handled(&mut session, Some(stop))
            }
            GdbStubStateMachine::Disconnected(_) => return Ended::Left,
        };
        stub = match next {
            Ok(next) => next,
            Err(error) => return broken(error),
        };
    }
}

/// The stop that every attempt to run ends in: where it stood. Not by SIGTRAP, which means that a
/// step is done: GDB would take the next one, and the next, until the line is behind it.
fn session_stop(dump: &ServedDump<'_, '_>) -> MultiThreadStopReason<u32> {
    let signal = Signal::SIGSTOP;
    match dump.threads.first() {
        Some(first) => MultiThreadStopReason::SignalWithThread { tid: first.id, signal },
        None => MultiThreadStopReason::Signal(signal),
    }
}

/// An `O` packet: text for the debugger's console.
fn print<C: Connection>(connection: &mut C, text: &str) -> Result<(), C::Error> {
    let body = format!("O{}", hex::encode(text.as_bytes()));
    let sum = body.bytes().fold(0_u8, u8::wrapping_add);
    connection.write_all(format!("${body}#{sum:02x}").as_bytes())?;
    connection.flush()
}

struct Session<'s, 'a, 'd> {
    dump: &'s ServedDump<'a, 'd>,
}

impl Session<'_, '_, '_> {
    /// The thread of that number; the first for one that GDB made up before it asked.
    fn thread(&self, id: Tid) -> Option<&super::Thread> {
        let threads = &self.dump.threads;
        threads.iter().find(|thread| thread.id == id).or(threads.first())
    }
}

/// A Cortex-M whose registers are laid out as the description of the session says.
enum CortexM {}

impl Arch for CortexM {
    type Usize = u32;
    type Registers = RegisterBytes;
    type BreakpointKind = usize;
    type RegId = ();
}

/// The registers of a thread in the order of the packet.
#[derive(Clone, Debug, Default, PartialEq)]
struct RegisterBytes(Vec<Option<u8>>);

impl Registers for RegisterBytes {
    type ProgramCounter = u32;

    fn pc(&self) -> u32 {
        // Only asked for by what runs.
        0
    }

    fn gdb_serialize(&self, write_byte: impl FnMut(Option<u8>)) {
        self.0.iter().copied().for_each(write_byte);
    }

    fn gdb_deserialize(&mut self, _bytes: &[u8]) -> Result<(), ()> {
        // They are refused when they are to be written, which is an answer; an error here would
        // end the session.
        Ok(())
    }
}

impl Target for Session<'_, '_, '_> {
    type Arch = CortexM;
    type Error = Infallible;

    fn base_ops(&mut self) -> BaseOps<'_, CortexM, Infallible> {
        BaseOps::MultiThread(self)
    }

    fn guard_rail_implicit_sw_breakpoints(&self) -> bool {
        // GDB's own would be written into memory, which is refused: nothing is lost.
        true
    }

    fn use_rle(&self) -> bool {
        // Small clients do not know it, and nothing here is slow without.
        false
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_target_description_xml_override(
        &mut self,
    ) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }

    fn support_memory_map(&mut self) -> Option<MemoryMapOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadBase for Session<'_, '_, '_> {
    fn read_registers(&mut self, registers: &mut RegisterBytes, id: Tid) -> TargetResult<(), Self> {
        let thread = self.thread(id).ok_or(TargetError::Errno(REFUSED))?;
        registers.0 = self.dump.description.bytes(&thread.registers);
        Ok(())
    }

    fn write_registers(&mut self, _: &RegisterBytes, _: Tid) -> TargetResult<(), Self> {
        Err(TargetError::Errno(REFUSED))
    }

    fn read_addrs(&mut self, start: u32, data: &mut [u8], _: Tid) -> TargetResult<usize, Self> {
        match self.dump.read(Address(start), data) {
            0 if !data.is_empty() => Err(TargetError::Errno(REFUSED)),
            count => Ok(count),
        }
    }

    fn write_addrs(&mut self, _: u32, _: &[u8], _: Tid) -> TargetResult<(), Self> {
        Err(TargetError::Errno(REFUSED))
    }

    fn list_active_threads(&mut self, found: &mut dyn FnMut(Tid)) -> Result<(), Infallible> {
        self.dump.threads.iter().for_each(|thread| found(thread.id));
        Ok(())
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }

    fn support_thread_extra_info(&mut self) -> Option<ThreadExtraInfoOps<'_, Self>> {
        Some(self)
    }
}

// A debugger that wants to run is told that it cannot, and that the target stopped again at once:
// a refusal in the protocol's own terms would end its session or leave it waiting.
impl MultiThreadResume for Session<'_, '_, '_> {
    fn resume(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_resume_action_continue(&mut self, _: Tid, _: Option<Signal>) -> Result<(), Infallible> {
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Session<'_, '_, '_> {
    fn set_resume_action_step(&mut self, _: Tid, _: Option<Signal>) -> Result<(), Infallible> {
        Ok(())
    }
}

impl MultiThreadSchedulerLocking for Session<'_, '_, '_> {
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl ThreadExtraInfo for Session<'_, '_, '_> {
    fn thread_extra_info(&self, id: Tid, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let label = self.thread(id).map_or("", |thread| &thread.label);
        Ok(copy(label.as_bytes(), 0, usize::MAX, buffer))
    }
}

impl TargetDescriptionXmlOverride for Session<'_, '_, '_> {
    fn target_description_xml(
        &self,
        annex: &[u8],
        offset: u64,
        length: usize,
        buffer: &mut [u8],
    ) -> TargetResult<usize, Self> {
        if annex != b"target.xml" {
            return Err(TargetError::Errno(REFUSED));
        }
        Ok(copy(self.dump.description.xml.as_bytes(), offset, length, buffer))
    }
}

impl MemoryMap for Session<'_, '_, '_> {
    fn memory_map_xml(
        &self,
        offset: u64,
        length: usize,
        buffer: &mut [u8],
    ) -> TargetResult<usize, Self> {
        Ok(copy(self.dump.memory_map.as_bytes(), offset, length, buffer))
    }
}

impl MonitorCmd for Session<'_, '_, '_> {
    fn handle_monitor_cmd(
        &mut self,
        command: &[u8],
        mut out: ConsoleOutput<'_>,
    ) -> Result<(), Infallible> {
        // A packet a line: some debuggers bound the length of one.
        for line in monitor::answer(command, self.dump.report).split_inclusive('\n') {
            out.write_raw(line.as_bytes());
            out.flush();
        }
        Ok(())
    }
}

/// Copies at most `length` bytes of `source` from `offset` on; gives how many that were.
fn copy(source: &[u8], offset: u64, length: usize, buffer: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| source.get(offset..));
    let wanted = rest.unwrap_or_default().iter().take(length);
    let mut count = 0_usize;
    for (to, from) in buffer.iter_mut().zip(wanted) {
        *to = *from;
        count = count.saturating_add(1);
    }
    count
}
