//! Location expressions and location lists, evaluated in a frame. DWARF 5 sections 2.5, 2.6 and
//! 7.7; AADWARF32 table 1 for register numbers.

use std::cell::Cell;
use std::rc::Rc;

use gimli::{
    AttributeValue, DieReference, EvaluationResult, Expression, Location, Piece, UnitOffset, Value,
    ValueType,
};

use super::dwarf::{AttrValue, DebugInfo, DieRef, Slice};
use super::place::{Bits, Missing, Place, SyntheticPointer};
use crate::base::{Address, Memory};
use crate::symbols::CodeAddress;

/// Operations of one expression.
const MAX_OPERATIONS: u32 = 1024;
/// Bits of a value that is put together from registers and memory.
const MAX_PIECES: u64 = 8 << 13;
/// Expressions that need another one: frame base, value at entry, caller of the caller.
const MAX_DEPTH: usize = 16;
/// Expressions that one needs in all.
const MAX_EXPRESSIONS: u32 = 64;
/// Entries of one location list.
const MAX_LIST: usize = 1 << 16;
/// `s0` to `s31` in the old numbering.
const S_REGISTERS: std::ops::RangeInclusive<u16> = 64..=95;
/// `d0` to `d31`.
const D_REGISTERS: std::ops::RangeInclusive<u16> = 256..=287;

/// A frame of the stack, as far as it could be unwound.
pub trait FrameContext {
    /// The value of a register in this frame by DWARF number: 0 to 15 core, 64 to 95 `s0` to
    /// `s31`, 256 to 287 `d0` to `d31`. `None` when it is not known.
    fn register(&self, dwarf_register: u16) -> Option<u64>;
    /// The canonical frame address: the stack pointer of the caller at the call.
    fn cfa(&self) -> Option<Address>;
    /// Memory at the time of the crash.
    fn memory(&self) -> &dyn Memory;
    /// Where it executes.
    fn pc(&self) -> CodeAddress;
    /// The frame that called this one; not the source of an inlined call.
    fn caller(&self) -> Option<&dyn FrameContext>;
}

/// A context without registers, for variables with a fixed address.
pub struct NoFrame<'m>(pub &'m dyn Memory);

impl FrameContext for NoFrame<'_> {
    fn register(&self, _: u16) -> Option<u64> {
        None
    }
    fn cfa(&self) -> Option<Address> {
        None
    }
    fn memory(&self) -> &dyn Memory {
        self.0
    }
    fn pc(&self) -> CodeAddress {
        CodeAddress::Instruction(Address(0))
    }
    fn caller(&self) -> Option<&dyn FrameContext> {
        None
    }
}

/// Evaluates expressions of one unit in one frame.
#[derive(Clone)]
pub(super) struct Evaluator<'a, 'd> {
    pub(super) info: &'a DebugInfo<'d>,
    pub(super) context: &'a dyn FrameContext,
    pub(super) unit: u32,
    /// The function of the frame: it has the frame base.
    pub(super) function: Option<DieRef>,
    depth: usize,
    /// Expressions that may still be needed, shared by all that one needs.
    budget: Rc<Cell<u32>>,
}

const fn unreadable(reason: &'static str) -> Missing {
    Missing::Unreadable { reason }
}

const NO_REGISTER: Missing = Missing::NotCaptured { address: None };

impl<'a, 'd> Evaluator<'a, 'd> {
    pub(super) fn new(
        info: &'a DebugInfo<'d>,
        context: &'a dyn FrameContext,
        unit: u32,
        function: Option<DieRef>,
    ) -> Evaluator<'a, 'd> {
        let budget = Rc::new(Cell::new(MAX_EXPRESSIONS));
        Evaluator { info, context, unit, function, depth: 0, budget }
    }

    /// The same frame for an expression of another unit.
    pub(super) fn in_unit(&self, unit: u32) -> Evaluator<'a, 'd> {
        Evaluator { unit, ..self.clone() }
    }

    /// An evaluator for an expression that this one needs.
    fn deeper(&self) -> Result<Evaluator<'a, 'd>, Missing> {
        let depth = self.depth.saturating_add(1);
        match self.budget.get().checked_sub(1) {
            Some(left) if depth <= MAX_DEPTH => self.budget.set(left),
            _ => return Err(unreadable("expressions need each other too often")),
        }
        Ok(Evaluator { depth, ..self.clone() })
    }

    /// The expression that a location attribute holds at the frame's address.
    fn expression(&self, value: &AttrValue<'d>) -> Result<Expression<Slice<'d>>, Missing> {
        match value {
            AttributeValue::Exprloc(expression) => return Ok(*expression),
            AttributeValue::Block(block) => return Ok(Expression(*block)),
            _ => {}
        }
        let unit = self.info.unit(self.unit).ok_or(unreadable("unit is malformed"))?;
        let list = self.info.dwarf.attr_locations(unit, *value).ok().flatten();
        let mut list = list.ok_or(unreadable("location list is malformed"))?;
        let pc = u64::from(self.context.pc().lookup().0);
        for _ in 0..MAX_LIST {
            match list.next() {
                Ok(Some(entry)) if (entry.range.begin..entry.range.end).contains(&pc) => {
                    return Ok(entry.data);
                }
                Ok(Some(_)) => {}
                Ok(None) => return Err(Missing::OptimizedOut),
                Err(_) => return Err(unreadable("location list is malformed")),
            }
        }
        Err(unreadable("location list is too long"))
    }

    /// The place that a location attribute describes, for a value of `size` bytes.
    pub(super) fn place(&self, value: &AttrValue<'d>, size: u64) -> Place {
        let pieces = self.expression(value).and_then(|expression| self.pieces(expression));
        match pieces {
            Ok(pieces) => self.assemble(&pieces, size),
            Err(missing) => Place::Missing(missing),
        }
    }

    fn pieces<'e>(
        &self,
        expression: Expression<Slice<'e>>,
    ) -> Result<Vec<Piece<Slice<'e>>>, Missing>
    where
        'd: 'e,
    {
        const MALFORMED: Missing = unreadable("location expression is malformed");
        let unit = self.info.unit(self.unit).ok_or(unreadable("unit is malformed"))?;
        let mut evaluation = expression.evaluation(unit.encoding());
        evaluation.set_max_iterations(MAX_OPERATIONS);
        let mut state = evaluation.evaluate().map_err(|_| MALFORMED)?;
        for _ in 0..MAX_OPERATIONS {
            let next = match state {
                EvaluationResult::Complete => return Ok(evaluation.result()),
                EvaluationResult::RequiresRegister { register, base_type } => {
                    let value = self.register(register.0).ok_or(NO_REGISTER)?;
                    let value = self.typed(base_type, &value.to_le_bytes())?;
                    evaluation.resume_with_register(value)
                }
                EvaluationResult::RequiresMemory { address, size, space: None, base_type } => {
                    let value = self.load(address, size, base_type)?;
                    evaluation.resume_with_memory(value)
                }
                EvaluationResult::RequiresFrameBase => {
                    evaluation.resume_with_frame_base(self.frame_base()?)
                }
                EvaluationResult::RequiresCallFrameCfa => {
                    let cfa = self.context.cfa().ok_or(NO_REGISTER)?;
                    evaluation.resume_with_call_frame_cfa(u64::from(cfa.0))
                }
                EvaluationResult::RequiresEntryValue(Expression(location)) => {
                    let value = self.value_at_entry(&Wanted::Location(location.slice()))?;
                    evaluation.resume_with_entry_value(value)
                }
                EvaluationResult::RequiresParameterRef(UnitOffset(offset)) => {
                    let offset = u32::try_from(offset).map_err(|_| MALFORMED)?;
                    let die = DieRef { unit: self.unit, offset };
                    let value = self.value_at_entry(&Wanted::Parameter(die))?;
                    let value = value.to_u64(u64::MAX).map_err(|_| MALFORMED)?;
                    evaluation.resume_with_parameter_ref(value)
                }
                EvaluationResult::RequiresRelocatedAddress(address) => {
                    evaluation.resume_with_relocated_address(address)
                }
                EvaluationResult::RequiresIndexedAddress { index, .. } => {
                    let address = self.info.dwarf.address(unit, index).map_err(|_| MALFORMED)?;
                    evaluation.resume_with_indexed_address(address)
                }
                EvaluationResult::RequiresBaseType(offset) => {
                    evaluation.resume_with_base_type(self.value_type(offset)?)
                }
                EvaluationResult::RequiresAtLocation(reference) => {
                    evaluation.resume_with_at_location(self.called(&reference))
                }
                EvaluationResult::RequiresTls(_) => {
                    return Err(unreadable("thread-local variables are not supported"));
                }
                _ => return Err(unreadable("location expression is not supported")),
            };
            state = next.map_err(|_| MALFORMED)?;
        }
        Err(unreadable("location expression does not end"))
    }

    /// A register; a floating-point one also from its other name.
    fn register(&self, number: u16) -> Option<u64> {
        if let Some(value) = self.context.register(number) {
            return Some(value);
        }
        if D_REGISTERS.contains(&number) {
            let first = number.checked_sub(256)?.checked_mul(2)?.checked_add(64)?;
            let last = first.checked_add(1).filter(|last| S_REGISTERS.contains(last))?;
            let low = self.context.register(first)? & 0xffff_ffff;
            return Some(self.context.register(last)? << 32 | low);
        }
        if S_REGISTERS.contains(&number) {
            let index = number.checked_sub(64)?;
            let double = self.context.register((index / 2).checked_add(256)?)?;
            let half = if index % 2 == 0 { double } else { double >> 32 };
            return Some(half & 0xffff_ffff);
        }
        None
    }

    fn load(&self, address: u64, size: u8, base_type: UnitOffset) -> Result<Value, Missing> {
        let address = Address(u32::try_from(address & 0xffff_ffff).unwrap_or_default());
        let mut bytes = [0; 8];
        let wanted = bytes.get_mut(..usize::from(size)).ok_or(unreadable("load is too wide"))?;
        let read = self.context.memory().read(address, wanted);
        read.map_err(|error| Missing::NotCaptured { address: Some(error.address) })?;
        self.typed(base_type, &bytes)
    }

    /// Little-endian bytes as a value of a base type; offset 0 is the generic type.
    fn typed(&self, base_type: UnitOffset, bytes: &[u8; 8]) -> Result<Value, Missing> {
        if base_type.0 == 0 {
            return Ok(Value::Generic(u64::from_le_bytes(*bytes)));
        }
        let kind = self.value_type(base_type)?;
        let slice = Slice::new(bytes, gimli::LittleEndian);
        Value::parse(kind, slice).map_err(|_| unreadable("base type is not supported"))
    }

    fn value_type(&self, offset: UnitOffset) -> Result<ValueType, Missing> {
        if offset.0 == 0 {
            return Ok(ValueType::Generic);
        }
        let unit = self.info.unit(self.unit);
        let die = unit.and_then(|unit| unit.entry(offset).ok());
        let kind = die.and_then(|die| {
            let size = die.attr_value(gimli::DW_AT_byte_size)?.udata_value()?;
            let Some(AttributeValue::Encoding(encoding)) = die.attr_value(gimli::DW_AT_encoding)
            else {
                return None;
            };
            let plain = match encoding {
                gimli::DW_ATE_signed_char => gimli::DW_ATE_signed,
                gimli::DW_ATE_unsigned_char | gimli::DW_ATE_boolean | gimli::DW_ATE_address => {
                    gimli::DW_ATE_unsigned
                }
                other => other,
            };
            ValueType::from_encoding(plain, size)
        });
        kind.ok_or(unreadable("base type is not supported"))
    }

    /// The expression of another entry (`DW_OP_call2` and its kin); empty when it has none.
    fn called(&self, reference: &DieReference) -> Slice<'d> {
        let die = match *reference {
            DieReference::UnitRef(offset) => {
                u32::try_from(offset.0).ok().map(|offset| DieRef { unit: self.unit, offset })
            }
            DieReference::DebugInfoRef(offset) => self.info.at_info_offset(offset),
        };
        let location = die.and_then(|die| self.info.attribute(die, gimli::DW_AT_location));
        match location {
            Some((_, AttributeValue::Exprloc(expression))) => expression.0,
            _ => Slice::new(&[], gimli::LittleEndian),
        }
    }

    fn frame_base(&self) -> Result<u64, Missing> {
        let missing = unreadable("function has no frame base");
        let function = self.function.ok_or(missing)?;
        let found = self.info.attribute(function, gimli::DW_AT_frame_base);
        let (unit, value) = found.ok_or(missing)?;
        let inner = Evaluator { unit, ..self.deeper()? };
        let pieces = inner.pieces(inner.expression(&value)?)?;
        match pieces.as_slice() {
            [Piece { location: Location::Address { address }, .. }] => Ok(*address),
            [Piece { location: Location::Register { register }, .. }] => {
                self.register(register.0).ok_or(NO_REGISTER)
            }
            [Piece { location: Location::Value { value }, .. }] => {
                value.to_u64(u64::MAX).map_err(|_| unreadable("frame base is not an address"))
            }
            _ => Err(unreadable("frame base is not an address")),
        }
    }

    /// What the caller passed, from the description of its call (DWARF 5 section 3.4).
    fn value_at_entry(&self, wanted: &Wanted<'_>) -> Result<Value, Missing> {
        // Where the caller does not say, the value is lost: GDB calls that optimised out.
        let lost = Missing::OptimizedOut;
        let inner = self.deeper()?;
        let caller = self.context.caller().ok_or(lost)?;
        let CodeAddress::Return(_) = caller.pc() else { return Err(lost) };
        let info = self.info;
        let function = info.function_at(caller.pc().lookup().0).ok_or(lost)?;
        let site = info.call_site(function, caller.pc().address()).ok_or(lost)?;
        if !self.function.is_some_and(|callee| info.calls(site, callee)) {
            return Err(lost);
        }
        let value = info.call_value(site, wanted).ok_or(lost)?;
        let unit = site.unit;
        let inner = Evaluator { context: caller, unit, function: Some(function), ..inner };
        let expression = inner.expression(&value)?;
        // The attribute is an expression for a value, although none says so at its end. Without
        // that its result would count as an address, which a floating-point number cannot be.
        let mut bytes = expression.0.slice().to_vec();
        bytes.push(gimli::DW_OP_stack_value.0);
        let as_value = Expression(Slice::new(&bytes, gimli::LittleEndian));
        let pieces = match inner.pieces(as_value) {
            Err(Missing::Unreadable { .. }) => inner.pieces(expression)?,
            pieces => pieces?,
        };
        match pieces.as_slice() {
            [Piece { location: Location::Value { value }, .. }] => Ok(*value),
            [Piece { location: Location::Register { register }, .. }] => {
                inner.register(register.0).map(Value::Generic).ok_or(NO_REGISTER)
            }
            _ => Err(lost),
        }
    }

    fn assemble(&self, pieces: &[Piece<Slice<'d>>], size: u64) -> Place {
        // A forged size would keep the pieces below busy for ever.
        let whole = size.saturating_mul(8).min(MAX_PIECES);
        if let [Piece { size_in_bits: None, location, .. }] = pieces {
            match location {
                Location::Address { address } => {
                    let address = u32::try_from(*address & 0xffff_ffff).unwrap_or_default();
                    return Place::Memory(Address(address));
                }
                Location::Empty => return Place::Missing(Missing::OptimizedOut),
                Location::ImplicitPointer { value, byte_offset } => {
                    return match self.info.at_info_offset(*value) {
                        Some(target) => Place::SyntheticPointer(SyntheticPointer {
                            target,
                            offset: *byte_offset,
                        }),
                        None => Place::Missing(Missing::OptimizedOut),
                    };
                }
                _ => {}
            }
        }
        if pieces.is_empty() {
            return Place::Missing(Missing::OptimizedOut);
        }
        let mut bits = Bits::default();
        for piece in pieces {
            let left = whole.saturating_sub(bits.length());
            let count = piece.size_in_bits.unwrap_or(left).min(left);
            self.append(&mut bits, piece, count);
        }
        Place::Bits { bits: std::sync::Arc::new(bits), offset: 0 }
    }

    fn append(&self, bits: &mut Bits, piece: &Piece<Slice<'d>>, count: u64) {
        let start = piece.bit_offset.unwrap_or(0);
        match &piece.location {
            Location::Register { register } => {
                let wide = D_REGISTERS.contains(&register.0);
                // A value wider than a register continues in the next.
                let width = if wide { 64 } else { 32 };
                let mut number = register.0;
                let (mut start, mut left) = (start, count);
                while left > 0 {
                    let now = left.min(64_u64.min(width).saturating_sub(start.min(width)));
                    if now == 0 {
                        break;
                    }
                    match self.register(number) {
                        Some(value) => bits.push(&value.to_le_bytes(), start, now),
                        None => bits.push_missing(now, NO_REGISTER),
                    }
                    (start, left) = (0, left.saturating_sub(now));
                    number = number.saturating_add(1);
                }
            }
            Location::Address { address } => {
                let place =
                    Place::Memory(Address(u32::try_from(*address & 0xffff_ffff).unwrap_or(0)));
                let mut done = 0;
                while done < count {
                    let now = count.saturating_sub(done).min(64);
                    let at = start.saturating_add(done);
                    match place.read(at, now, self.context.memory()) {
                        Ok(value) => bits.push(&value.to_le_bytes(), 0, now),
                        Err(missing) => bits.push_missing(now, missing),
                    }
                    done = done.saturating_add(now);
                }
            }
            Location::Value { value } => bits.push(&value_bytes(value), start, count),
            Location::Bytes { value } => bits.push(value.slice(), start, count),
            Location::Empty | Location::ImplicitPointer { .. } => {
                bits.push_missing(count, Missing::OptimizedOut);
            }
        }
    }
}

fn value_bytes(value: &Value) -> [u8; 8] {
    match *value {
        Value::Generic(v) => v & 0xffff_ffff,
        Value::I8(v) => i64::from(v) as u64,
        Value::U8(v) => u64::from(v),
        Value::I16(v) => i64::from(v) as u64,
        Value::U16(v) => u64::from(v),
        Value::I32(v) => i64::from(v) as u64,
        Value::U32(v) => u64::from(v),
        Value::I64(v) => v as u64,
        Value::U64(v) => v,
        Value::F32(v) => u64::from(v.to_bits()),
        Value::F64(v) => v.to_bits(),
    }
    .to_le_bytes()
}

/// Which parameter of a call is asked for.
pub(super) enum Wanted<'b> {
    /// The one that is passed there.
    Location(&'b [u8]),
    /// The one that this entry describes.
    Parameter(DieRef),
}
