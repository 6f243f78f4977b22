//! Debug probes, through probe-rs: attaching to a chip without a reset, reading it, leaving it.
//!
//! Of probe-rs only the way to the chip is used: probes, access ports, chip descriptions. Registers are
//! read by their numbers (DCRSR.REGSEL; Armv7-M ARM, DDI 0403, C1.6.3; Armv8-M ARM, DDI 0553, D1.2), and
//! memory that cannot be read is narrowed down as over GDB.

mod attach;
mod memory;
mod registers;

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use probe_rs::{CoreStatus, MemoryInterface as _, Session};

pub use attach::{Attach, ProbeInfo, probes};

use super::{Execution, Leave, MemoryRead, Registers, Target, TargetError};
use crate::base::{Address, AddressRange};

/// How long a core may take to stop.
const HALT: Duration = Duration::from_secs(1);
/// How long one look whether the core has halted takes, and the pause between two questions.
const LOOK: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(10);
/// DHCSR, and the key without which it cannot be written; all bits behind it switch debugging off.
const DHCSR: u64 = 0xe000_edf0;
const DEBUG_OFF: u32 = 0xa05f_0000;

/// A chip behind a debug probe.
pub struct ProbeTarget {
    /// Never dropped: probe-rs then writes zero to DEMCR and DHCSR, which lets a halted core run and
    /// takes the cycle counter from a program that uses it.
    session: ManuallyDrop<Session>,
    /// The probe, for people.
    name: String,
    /// The core that is captured.
    core: usize,
    /// Cores that were running until we came.
    were_running: Vec<usize>,
    stop_reason: Option<String>,
    cancel: Option<Arc<AtomicBool>>,
}

impl std::fmt::Debug for ProbeTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeTarget").field("probe", &self.name).finish_non_exhaustive()
    }
}

impl ProbeTarget {
    /// Attaches to a chip and halts its cores.
    ///
    /// # Errors
    /// [`TargetError::NoProbe`], [`TargetError::SeveralProbes`], [`TargetError::ProbeDenied`],
    /// [`TargetError::UnknownChip`], [`TargetError::WrongChip`], [`TargetError::Locked`],
    /// [`TargetError::NoCore`], or what the probe says.
    pub fn attach(
        how: &Attach,
        cancel: Option<Arc<AtomicBool>>,
    ) -> Result<ProbeTarget, TargetError> {
        let (session, name) = attach::session(how)?;
        let mut target = ProbeTarget {
            session: ManuallyDrop::new(session),
            name,
            core: how.core,
            were_running: Vec::new(),
            stop_reason: None,
            cancel,
        };
        let begun = target.halt_all(how.under_reset).and_then(|()| attach::check_core(&mut target));
        match begun {
            Ok(()) => Ok(target),
            Err(error) => {
                // What was stopped to be looked at goes on.
                let _ = target.leave(Leave::AsFound);
                Err(error)
            }
        }
    }

    /// Halts every core that is switched on; the one to capture last, so that it alone decides
    /// whether that has worked. Those that a reset has halted ran before it.
    fn halt_all(&mut self, is_reset: bool) -> Result<(), TargetError> {
        let cores = self.session.list_cores().into_iter();
        let mut cores: Vec<usize> = cores.map(|(number, _)| number).collect();
        if !cores.contains(&self.core) {
            return Err(TargetError::NoCore { number: self.core, count: cores.len() });
        }
        if is_reset {
            self.were_running.clone_from(&cores);
        }
        cores.retain(|number| *number != self.core);
        for number in cores {
            // One that is switched off or held in reset is left alone.
            let _ = self.halt_core(number);
        }
        let reason = self.halt_core(self.core)?;
        self.stop_reason = Some(if is_reset { "reset by the debugger".to_owned() } else { reason });
        Ok(())
    }

    /// Halts one core; gives why it had stopped.
    fn halt_core(&mut self, number: usize) -> Result<String, TargetError> {
        let mut core = self.session.core(number).map_err(attach::failed)?;
        let reason = match core.status().map_err(attach::failed)? {
            CoreStatus::Halted(_) => return Ok("halted".to_owned()),
            CoreStatus::LockedUp => "locked up",
            CoreStatus::Sleeping | CoreStatus::Running | CoreStatus::Unknown => {
                "halted by the debugger"
            }
        };
        core.halt(HALT).map_err(|error| match error {
            probe_rs::Error::Timeout => TargetError::DoesNotStop,
            error => attach::failed(error),
        })?;
        if !self.were_running.contains(&number) {
            self.were_running.push(number);
        }
        Ok(reason.to_owned())
    }

    fn core(&mut self) -> Result<probe_rs::Core<'_>, TargetError> {
        self.session.core(self.core).map_err(attach::failed)
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    /// Lets cores run, with debugging switched off when nobody looks any more.
    fn run(&mut self, cores: &[usize], for_good: bool) -> Result<(), TargetError> {
        for number in cores {
            let mut core = self.session.core(*number).map_err(attach::failed)?;
            core.run().map_err(attach::failed)?;
            if for_good {
                core.write_word_32(DHCSR, DEBUG_OFF).map_err(attach::failed)?;
            }
            core.flush().map_err(attach::failed)?;
        }
        Ok(())
    }
}

impl Target for ProbeTarget {
    fn route(&self) -> &'static str {
        "debug probe"
    }

    fn server(&self) -> String {
        format!("{} ({})", self.name, self.session.target().name)
    }

    fn was_running(&self) -> Option<bool> {
        Some(self.were_running.contains(&self.core))
    }

    fn stop_reason(&self) -> Option<String> {
        self.stop_reason.clone()
    }

    fn halt(&mut self) -> Result<(), TargetError> {
        self.halt_core(self.core).map(drop)
    }

    fn read_registers(&mut self) -> Result<Registers, TargetError> {
        registers::read(&mut self.core()?)
    }

    fn read_memory(
        &mut self,
        ranges: &[AddressRange],
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> MemoryRead {
        memory::read(self, ranges, progress)
    }

    fn read_register(&mut self, address: Address, size: u32) -> Result<Vec<u8>, TargetError> {
        let at = u64::from(address.0);
        let mut core = self.core()?;
        let read = match size {
            1 => core.read_word_8(at).map(|value| value.to_le_bytes().to_vec()),
            2 => core.read_word_16(at).map(|value| value.to_le_bytes().to_vec()),
            _ => core.read_word_32(at).map(|value| value.to_le_bytes().to_vec()),
        };
        read.map_err(|error| memory::refused(&mut core, address, error))
    }

    fn write_word(&mut self, address: Address, value: u32) -> Result<(), TargetError> {
        let mut core = self.core()?;
        let written = core.write_word_32(u64::from(address.0), value).and_then(|()| core.flush());
        written.map_err(|error| memory::refused(&mut core, address, error))
    }

    fn ram(&mut self) -> Result<Vec<AddressRange>, TargetError> {
        let core = self.core()?;
        let regions = core.memory_regions().filter_map(|region| region.as_ram_region());
        let mut ranges: Vec<AddressRange> = regions
            .filter(|ram| !ram.is_alias)
            .filter_map(|ram| {
                let start = u32::try_from(ram.range.start).ok()?;
                let size = ram.range.end.checked_sub(ram.range.start)?;
                AddressRange::new(Address(start), size)
            })
            .collect();
        ranges.sort();
        Ok(ranges)
    }

    fn leave(&mut self, leave: Leave) -> Result<Option<bool>, TargetError> {
        let cores = match leave {
            Leave::Halted => Vec::new(),
            Leave::AsFound => self.were_running.clone(),
            Leave::Running => {
                let mut cores = self.were_running.clone();
                if !cores.contains(&self.core) {
                    cores.push(self.core);
                }
                cores
            }
        };
        self.run(&cores, true)?;
        Ok(Some(cores.contains(&self.core)))
    }
}

impl Execution for ProbeTarget {
    fn resume(&mut self) -> Result<(), TargetError> {
        let mut cores = self.were_running.clone();
        cores.retain(|number| *number != self.core);
        cores.push(self.core);
        self.run(&cores, false)
    }

    fn step(&mut self) -> Result<(), TargetError> {
        self.core()?.step().map(drop).map_err(attach::failed)
    }

    fn has_halted(&mut self) -> Result<bool, TargetError> {
        let started = Instant::now();
        loop {
            let halted = self.core()?.core_halted().map_err(attach::failed)?;
            if halted {
                self.stop_reason = Some("halted".to_owned());
                return Ok(true);
            }
            if started.elapsed() > LOOK {
                return Ok(false);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn breakpoint(&mut self, address: Address, set: bool) -> Result<(), TargetError> {
        let mut core = self.core()?;
        let at = u64::from(address.0);
        let result = if set { core.set_hw_breakpoint(at) } else { core.clear_hw_breakpoint(at) };
        result.map_err(|error| TargetError::Refused {
            request: format!("a breakpoint at {address}"),
            code: attach::chain(&error),
        })
    }
}
