//! The instruction at a crash: what it accessed, through which register, and what that register is
//! in the source.

mod call;
mod naming;

pub(super) use call::{Call, is_endless};
use naming::Namer;

use super::unwind::{Environment, UnwoundFrame};
use crate::arch::cortex_m::dataflow::{Origin, Source};
use crate::arch::cortex_m::exception::Code as _;
use crate::arch::cortex_m::instruction::{self, Access, Instruction, register_name};
use crate::base::Address;

/// A register that an instruction used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operand {
    /// Its number, 0 to 15.
    pub(super) register: u8,
    /// What it held.
    pub(super) value: Option<u32>,
    /// The instruction that gave it this value, when that can be told.
    pub(super) origin: Option<Origin>,
    /// What the source calls the value: `node->next`.
    pub(super) name: Option<String>,
    /// What the source calls the memory that it was loaded from, or the function that returned it.
    origin_name: Option<String>,
}

/// A load or a store that faulted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FaultingAccess {
    /// Where the instruction stands.
    pub(super) at: Address,
    /// What it does.
    pub(super) access: Access,
    /// The register that the address is made from.
    pub(super) base: Operand,
    /// The register that is added to it.
    pub(super) index: Option<Operand>,
    /// What the source calls the memory that is accessed: `node->next->value`.
    pub(super) object: Option<String>,
}

impl FaultingAccess {
    /// The load or store that `frame` stopped at; `None` when it is another instruction, or when
    /// its bytes are not known.
    pub(super) fn of(
        frame: &UnwoundFrame,
        environment: &Environment<'_, '_>,
    ) -> Option<FaultingAccess> {
        let at = frame.pc.address();
        if !environment.is_code(at) {
            return None;
        }
        let decoded = instruction::decode(environment.memory, at, &frame.registers)?;
        let Instruction::Access(access) = decoded else { return None };
        let namer = Namer::new(frame, at, environment);
        let base = operand(&namer, frame, access.base);
        let index = access.index.map(|index| operand(&namer, frame, index));
        let offset = access.address.zip(base.value).map(|(at, base)| at.0.wrapping_sub(base));
        let object = match access.index {
            Some(index) => namer.element(at, access.base, index, access.size),
            None => offset.and_then(|offset| namer.memory(at, access.base, offset)),
        };
        Some(FaultingAccess { at, access, base, index, object })
    }

    /// ``it loads 4 bytes at 0x0000000c (`node->next->value`) through r3 (`node->next`) = 0x00000000, …``.
    pub(super) fn spell(&self) -> String {
        let verb = if self.access.store { "stores" } else { "loads" };
        let mut text = format!("it {verb} {} bytes", self.access.size);
        if let Some(at) = self.access.address {
            text.push_str(&format!(" at {at}"));
        }
        if let Some(object) = &self.object {
            text.push_str(&format!(" (`{object}`)"));
        }
        text.push_str(&format!(" through {}", self.base.spell()));
        if let Some(index) = &self.index {
            text.push_str(&format!("; {}", index.spell()));
        }
        text
    }
}

impl Operand {
    /// What `register` held at the instruction that `frame` stopped at.
    pub(super) fn of(
        frame: &UnwoundFrame,
        register: u8,
        environment: &Environment<'_, '_>,
    ) -> Operand {
        operand(&Namer::new(frame, frame.pc.address(), environment), frame, register)
    }

    /// The function pointer of the call by BLX that `frames` begin right behind: the innermost frame
    /// is where it led to, and nothing there has run yet.
    pub(super) fn of_call(
        frames: &[UnwoundFrame],
        environment: &Environment<'_, '_>,
    ) -> Option<Operand> {
        let [target, caller, ..] = frames else { return None };
        let call = caller.pc.address().without_thumb_bit().checked_sub(2)?;
        let registers = &target.registers;
        let decoded = instruction::decode(environment.memory, call, registers)?;
        let Instruction::IndirectBranch { target: register } = decoded else { return None };
        let frame = UnwoundFrame { registers: registers.clone(), ..caller.clone() };
        Some(operand(&Namer::new(&frame, call, environment), &frame, register))
    }

    /// The function that returned it.
    pub(super) fn returned_by(&self) -> Option<&str> {
        let origin = self.origin.filter(|origin| matches!(origin.source, Source::Returned(_)));
        origin.and(self.origin_name.as_deref())
    }

    /// ``r3 (`node->next`) = 0x00000000, loaded from [r4, #12] at 0x00001234``.
    pub(super) fn spell(&self) -> String {
        let mut text = register_name(self.register).to_string();
        if let Some(name) = &self.name {
            text.push_str(&format!(" (`{name}`)"));
        }
        if let Some(value) = self.value {
            text.push_str(&format!(" = 0x{value:08x}"));
        }
        if let Some(origin) = self.origin.and_then(|origin| self.spell_origin(origin)) {
            text.push_str(&format!(", {origin}"));
        }
        text
    }

    fn spell_origin(&self, origin: Origin) -> Option<String> {
        let at = origin.at;
        let other = self.origin_name.as_ref().filter(|name| Some(*name) != self.name.as_ref());
        let named = other.map_or(String::new(), |name| format!(" (`{name}`)"));
        Some(match origin.source {
            Source::Load { base, offset, .. } => {
                let base = register_name(base);
                match offset as i32 {
                    0 => format!("loaded from [{base}]{named} at {at}"),
                    offset => format!("loaded from [{base}, #{offset}]{named} at {at}"),
                }
            }
            Source::Indexed { base, index, shift, .. } => {
                let (base, index) = (register_name(base), register_name(index));
                match shift {
                    0 => format!("loaded from [{base}, {index}]{named} at {at}"),
                    shift => format!("loaded from [{base}, {index}, lsl #{shift}]{named} at {at}"),
                }
            }
            Source::Constant(_) => format!("set to this constant at {at}"),
            Source::Returned(_) => match &self.origin_name {
                Some(function) => format!("returned by {function}, called at {at}"),
                None => format!("returned by the call at {at}"),
            },
            Source::Sum { .. } | Source::Computed => format!("computed at {at}"),
            Source::Entry => return None,
        })
    }
}

fn operand(namer: &Namer<'_, '_>, frame: &UnwoundFrame, register: u8) -> Operand {
    let origin = namer.origin(register);
    let origin_name = origin.and_then(|origin| match origin.source {
        Source::Load { base, offset, .. } => namer.memory(origin.at, base, offset),
        Source::Indexed { base, index, size, .. } => namer.element(origin.at, base, index, size),
        Source::Returned(target) => namer.function(target?),
        _ => None,
    });
    let value = frame.registers.core(register);
    Operand { register, value, origin, name: namer.value(register), origin_name }
}

#[cfg(test)]
mod tests;
