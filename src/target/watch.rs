//! Letting a target run until it halts, again and again.
//!
//! What makes it halt is set up on request and put back: hardware breakpoints, and the vector catch
//! bits of DEMCR (Armv7-M ARM, DDI 0403, C1.6.5; Armv8-M ARM, DDI 0553, D1.2).

use super::{Execution, TargetError};
use crate::base::Address;
use crate::snapshot::Register;

/// DEMCR, Debug Exception and Monitor Control Register.
const DEMCR: Address = Address(0xe000_edfc);
/// Bits of DEMCR that halt the core as it takes an exception: VC_SFERR, VC_HARDERR, VC_INTERR,
/// VC_BUSERR, VC_STATERR, VC_CHKERR, VC_NOCPERR and VC_MMERR. Not VC_CORERESET.
const VECTOR_CATCH: u32 = 0xff0;
/// VC_HARDERR, the one that every core has.
const VC_HARDERR: u32 = 1 << 10;

/// What is to make the core halt, beside what the program has of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catch {
    /// The entry of every fault handler.
    pub vectors: bool,
    /// These instructions.
    pub breakpoints: Vec<Address>,
}

/// A core that has halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt {
    /// Where.
    pub pc: Address,
    /// The exception whose handler runs; 0 in a thread.
    pub exception: u16,
}

/// A target that is watched.
#[derive(Debug)]
pub struct Watch {
    /// What DEMCR was, when it was changed.
    demcr: Option<u32>,
    breakpoints: Vec<Address>,
    /// Where it halted last.
    last: Option<Address>,
}

impl Watch {
    /// Sets up what is to halt the stopped core.
    ///
    /// # Errors
    /// [`TargetError::NoVectorCatch`], [`TargetError::Refused`] when the server sets no breakpoint,
    /// or what the connection says. What was set up till then is put back.
    pub fn begin(target: &mut dyn Execution, catch: &Catch) -> Result<Watch, TargetError> {
        let mut watch = Watch { demcr: None, breakpoints: Vec::new(), last: None };
        match watch.set_up(target, catch) {
            Ok(()) => Ok(watch),
            Err(error) => {
                // The first error is the one to tell.
                let _ = watch.end(target);
                Err(error)
            }
        }
    }

    fn set_up(&mut self, target: &mut dyn Execution, catch: &Catch) -> Result<(), TargetError> {
        if catch.vectors {
            let before = read_demcr(target)?;
            self.demcr = Some(before);
            target.write_word(DEMCR, before | VECTOR_CATCH)?;
            if read_demcr(target)? & VC_HARDERR == 0 {
                return Err(TargetError::NoVectorCatch);
            }
        }
        for address in &catch.breakpoints {
            target.breakpoint(*address, true)?;
            self.breakpoints.push(*address);
        }
        Ok(())
    }

    /// Lets the core run on, past the breakpoint at which it stands.
    ///
    /// # Errors
    /// What the server or the connection says.
    pub fn resume(&mut self, target: &mut dyn Execution) -> Result<(), TargetError> {
        if let Some(at) = self.last.filter(|at| self.breakpoints.contains(at)) {
            target.breakpoint(at, false)?;
            let stepped = target.step();
            target.breakpoint(at, true)?;
            stepped?;
        }
        target.resume()
    }

    /// Waits for the core to halt; `None` when `go_on` said no: the core is then stopped.
    ///
    /// # Errors
    /// [`TargetError::Stuck`] when it halts where it did before, and [`Watch::resume`] did not get
    /// it further; or what the connection says.
    pub fn wait(
        &mut self,
        target: &mut dyn Execution,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Halt>, TargetError> {
        while !target.has_halted()? {
            if !go_on() {
                target.halt()?;
                return Ok(None);
            }
        }
        let halt = Watch::halted(target)?;
        let before = self.last.replace(halt.pc);
        if before == Some(halt.pc) && self.demcr.is_none() && !self.breakpoints.contains(&halt.pc) {
            return Err(TargetError::Stuck(halt.pc));
        }
        Ok(Some(halt))
    }

    /// Where the halted core stands.
    ///
    /// # Errors
    /// When its registers cannot be read.
    pub fn halted(target: &mut dyn Execution) -> Result<Halt, TargetError> {
        let registers = target.read_registers()?.set;
        let exception = registers.get(Register::XPSR).unwrap_or(0) & 0x1ff;
        Ok(Halt {
            pc: Address(registers.pc().unwrap_or(0)),
            exception: u16::try_from(exception).unwrap_or(0),
        })
    }

    /// Stops the core and puts back what [`Watch::begin`] has changed.
    ///
    /// # Errors
    /// The first thing that could not be put back; the rest is.
    pub fn end(&mut self, target: &mut dyn Execution) -> Result<(), TargetError> {
        let mut result = target.halt();
        for address in self.breakpoints.drain(..) {
            result = result.and(target.breakpoint(address, false));
        }
        if let Some(before) = self.demcr.take() {
            result = result.and(target.write_word(DEMCR, before));
        }
        result
    }
}

fn read_demcr(target: &mut dyn Execution) -> Result<u32, TargetError> {
    let bytes = target.read_register(DEMCR, 4)?;
    let word = bytes.as_slice().try_into().map(u32::from_le_bytes);
    word.map_err(|_| TargetError::NoVectorCatch)
}
