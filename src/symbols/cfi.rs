//! Unwind rules from `.debug_frame`.
//!
//! Source: DWARF 5 section 6.4; AADWARF32 for the numbering of Arm registers.

use crate::base::{Address, Memory};
use gimli::{
    CieOrFde, DebugFrame, EndianSlice, EvaluationResult, Expression, LittleEndian, Location,
    UnwindContext, UnwindSection, Value,
};

type Slice<'d> = EndianSlice<'d, LittleEndian>;

/// Steps that a DWARF expression in an unwind rule may take.
const EXPRESSION_LIMIT: u32 = 1000;

/// Longest entry, in bytes: those of the largest functions have a few thousand. An entry is gone
/// through for every frame.
const LONGEST_ENTRY: usize = 1 << 16;

/// States of the stack of one function.
const MOST_SLOTS: usize = 64;

/// How to find a register of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterRule<'d> {
    /// The caller's value is lost; for the return address: there is no caller.
    Undefined,
    /// Unchanged by the callee.
    SameValue,
    /// In memory, at CFA plus this many bytes.
    Offset(i64),
    /// Is CFA plus this many bytes.
    ValOffset(i64),
    /// In another register of the callee, by DWARF number.
    Register(u16),
    /// In memory, at the address that the expression gives; CFA is on the stack first.
    Expression(&'d [u8]),
    /// Is the value that the expression gives; CFA is on the stack first.
    ValExpression(&'d [u8]),
}

/// How to find the canonical frame address: the caller's stack pointer at the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CfaRule<'d> {
    /// A register, by DWARF number, plus this many bytes.
    Register(u16, i64),
    /// The value of an expression.
    Expression(&'d [u8]),
}

/// The unwind rules in force at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnwindRow<'d> {
    /// How to find CFA.
    pub cfa: CfaRule<'d>,
    /// Rules that stand in the table, by DWARF register number.
    pub rules: Vec<(u16, RegisterRule<'d>)>,
    /// Which register's rule finds the return address: 14, LR, on Arm.
    pub return_register: u16,
    /// Start of the function that the table describes.
    pub function_start: Address,
}

impl<'d> UnwindRow<'d> {
    /// The rule for `register`, if the table has one.
    pub fn rule(&self, register: u16) -> Option<&RegisterRule<'d>> {
        self.rules.iter().find(|(number, _)| *number == register).map(|(_, rule)| rule)
    }
}

/// `.debug_frame` with an index by address.
#[derive(Debug)]
pub struct CallFrames<'d> {
    section: DebugFrame<Slice<'d>>,
    /// First address, one past the last, offset of the entry; sorted, as far as it could be read.
    index: Vec<(u32, u32, usize)>,
}

impl<'d> CallFrames<'d> {
    /// Indexes the section's contents. What follows a malformed entry is not indexed.
    pub fn new(bytes: &'d [u8]) -> CallFrames<'d> {
        let mut section = DebugFrame::new(bytes, LittleEndian);
        section.set_address_size(4);
        let bases = gimli::BaseAddresses::default();
        let mut index = Vec::new();
        let mut entries = section.entries(&bases);
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else { continue };
            let Ok(fde) = partial.parse(DebugFrame::cie_from_offset) else { continue };
            let (Ok(start), Ok(length)) =
                (u32::try_from(fde.initial_address()), u32::try_from(fde.len()))
            else {
                continue;
            };
            if fde.entry_len().max(fde.cie().entry_len()) > LONGEST_ENTRY {
                continue;
            }
            // Entries of functions that the linker dropped stand at address 0.
            if start != 0 && length != 0 {
                index.push((start & !1, (start & !1).saturating_add(length), fde.offset()));
            }
        }
        index.sort_unstable();
        CallFrames { section, index }
    }

    /// For each state of the stack in the function that starts at `function`: the register that CFA
    /// is counted from, how far CFA is above it, and how far the saved return address is from CFA.
    /// States with the return address still in LR are left out.
    pub fn return_slots(&self, function: Address) -> Vec<(u16, i64, i64)> {
        let mut slots = Vec::new();
        let Some(fde) = self.entry_at(function) else { return slots };
        let bases = gimli::BaseAddresses::default();
        let mut context = UnwindContext::new();
        let Ok(mut rows) = fde.rows(&self.section, &bases, &mut context) else { return slots };
        while let Ok(Some(row)) = rows.next_row() {
            let return_register = fde.cie().return_address_register();
            let saved = row.registers().find(|(register, _)| *register == return_register);
            if let gimli::CfaRule::RegisterAndOffset { register, offset } = row.cfa()
                && let Some((_, gimli::RegisterRule::Offset(slot))) = saved
                && !slots.contains(&(register.0, *offset, *slot))
                && slots.len() < MOST_SLOTS
            {
                slots.push((register.0, *offset, *slot));
            }
        }
        slots
    }

    fn entry_at(&self, pc: Address) -> Option<gimli::FrameDescriptionEntry<Slice<'d>>> {
        let after = self.index.partition_point(|(start, _, _)| *start <= pc.0);
        let (_, end, offset) = *self.index.get(after.checked_sub(1)?)?;
        if pc.0 >= end {
            return None;
        }
        let bases = gimli::BaseAddresses::default();
        self.section.fde_from_offset(&bases, offset.into(), DebugFrame::cie_from_offset).ok()
    }

    /// The rules in force at `pc`; `None` where the table says nothing.
    pub fn row(&self, pc: Address) -> Option<UnwindRow<'d>> {
        let fde = self.entry_at(pc)?;
        let bases = gimli::BaseAddresses::default();
        let start = u32::try_from(fde.initial_address()).ok()? & !1;
        let mut context = UnwindContext::new();
        let row = fde
            .unwind_info_for_address(&self.section, &bases, &mut context, u64::from(pc.0))
            .ok()?;
        let expression = |e: &gimli::UnwindExpression<usize>| {
            e.get(&self.section).map(|Expression(bytes)| bytes.slice()).ok()
        };
        let cfa = match row.cfa() {
            gimli::CfaRule::RegisterAndOffset { register, offset } => {
                CfaRule::Register(register.0, *offset)
            }
            gimli::CfaRule::Expression(e) => CfaRule::Expression(expression(e)?),
        };
        let mut rules = Vec::new();
        for (register, rule) in row.registers() {
            let rule = match rule {
                gimli::RegisterRule::Undefined => RegisterRule::Undefined,
                gimli::RegisterRule::SameValue => RegisterRule::SameValue,
                gimli::RegisterRule::Offset(offset) => RegisterRule::Offset(*offset),
                gimli::RegisterRule::ValOffset(offset) => RegisterRule::ValOffset(*offset),
                gimli::RegisterRule::Register(register) => RegisterRule::Register(register.0),
                gimli::RegisterRule::Expression(e) => RegisterRule::Expression(expression(e)?),
                gimli::RegisterRule::ValExpression(e) => {
                    RegisterRule::ValExpression(expression(e)?)
                }
                _ => RegisterRule::Undefined,
            };
            rules.push((register.0, rule));
        }
        let return_register = fde.cie().return_address_register().0;
        Some(UnwindRow { cfa, rules, return_register, function_start: Address(start) })
    }
}

/// Computes an expression of an unwind rule. `cfa` is pushed first where the rule asks for it;
/// `register` gives a register of the callee by DWARF number.
pub fn evaluate(
    expression: &[u8],
    cfa: Option<u32>,
    register: &dyn Fn(u16) -> Option<u32>,
    memory: &dyn Memory,
) -> Option<u32> {
    let encoding = gimli::Encoding { address_size: 4, format: gimli::Format::Dwarf32, version: 5 };
    let slice = EndianSlice::new(expression, LittleEndian);
    let mut evaluation = Expression(slice).evaluation(encoding);
    evaluation.set_max_iterations(EXPRESSION_LIMIT);
    if let Some(cfa) = cfa {
        evaluation.set_initial_value(u64::from(cfa));
    }
    let mut state = evaluation.evaluate().ok()?;
    for _ in 0..EXPRESSION_LIMIT {
        state = match state {
            EvaluationResult::Complete => break,
            EvaluationResult::RequiresRegister { register: number, .. } => {
                evaluation.resume_with_register(Value::Generic(u64::from(register(number.0)?)))
            }
            EvaluationResult::RequiresMemory { address, size, .. } => {
                let address = Address(u32::try_from(address).ok()?);
                let mut bytes = [0; 8];
                memory.read(address, bytes.get_mut(..usize::from(size))?).ok()?;
                evaluation.resume_with_memory(Value::Generic(u64::from_le_bytes(bytes)))
            }
            _ => return None,
        }
        .ok()?;
    }
    match evaluation.as_result().first()?.location {
        Location::Address { address } => u32::try_from(address).ok(),
        Location::Value { value } => {
            value.to_u64(u64::from(u32::MAX)).ok().and_then(|value| u32::try_from(value).ok())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    /// A CIE (return address r14, data alignment -4, CFA = r13 + 0) and one FDE for
    /// 0x100..0x120: after two bytes of code CFA = r13 + 8, r14 at CFA - 4, r4 at CFA - 8.
    fn section() -> Vec<u8> {
        let cie_body =
            [&[0xff, 0xff, 0xff, 0xff, 1, 0, 2, 0x7c, 14][..], &[0x0c, 13, 0, 0, 0, 0, 0]].concat();
        let fde_body = [
            &0u32.to_le_bytes()[..],
            &0x100u32.to_le_bytes(),
            &0x20u32.to_le_bytes(),
            &[0x41, 0x0e, 8, 0x8e, 1, 0x84, 2, 0],
        ]
        .concat();
        let mut bytes = Vec::new();
        for body in [cie_body, fde_body] {
            bytes.extend((body.len() as u32).to_le_bytes());
            bytes.extend(body);
        }
        bytes
    }

    #[test]
    fn row_follows_the_program_counter() {
        let bytes = section();
        let frames = CallFrames::new(&bytes);
        let entry = frames.row(Address(0x100)).unwrap();
        assert_eq!(entry.cfa, CfaRule::Register(13, 0));
        assert_eq!(entry.rule(14), None);
        let body = frames.row(Address(0x102)).unwrap();
        assert_eq!(body.cfa, CfaRule::Register(13, 8));
        assert_eq!(body.rule(14), Some(&RegisterRule::Offset(-4)));
        assert_eq!(body.rule(4), Some(&RegisterRule::Offset(-8)));
        assert_eq!(frames.row(Address(0x120)), None);
        assert_eq!(frames.row(Address(0xff)), None);
    }

    #[test]
    fn return_slots_are_those_of_states_with_a_saved_return_address() {
        let bytes = section();
        let frames = CallFrames::new(&bytes);
        assert_eq!(frames.return_slots(Address(0x100)), [(13, 8, -4)]);
        assert_eq!(frames.return_slots(Address(0x200)), []);
    }

    #[test]
    fn every_truncation_is_harmless() {
        let bytes = section();
        for length in 0..bytes.len() {
            let _ = CallFrames::new(&bytes[..length]).row(Address(0x110));
        }
    }

    #[test]
    fn expressions_use_registers_and_memory_and_end() {
        let mut memory = MemoryImage::default();
        memory.insert(Address(0x2000_0008), vec![0x78, 0x56, 0x34, 0x12]).unwrap();
        // DW_OP_breg13 8, DW_OP_deref, DW_OP_stack_value
        let value = evaluate(&[0x7d, 8, 0x06, 0x9f], None, &|_| Some(0x2000_0000), &memory);
        assert_eq!(value, Some(0x1234_5678));
        // DW_OP_skip back to itself never ends by itself.
        assert_eq!(evaluate(&[0x2f, 0xfd, 0xff], None, &|_| None, &memory), None);
    }
}
