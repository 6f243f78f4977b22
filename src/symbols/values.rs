//! Values of types, read from where they are: numbers, structures, arrays. DWARF 5 chapter 5 for
//! the types, AAPCS32 section 5 for their bytes.
//!
//! Typed, not text; a part that is not known says why, and its neighbours keep their values.

use std::sync::Arc;

use super::dwarf::DebugInfo;
use super::expression::{Evaluator, FrameContext};
use super::file::SymbolFile;
use super::place::{Missing, Place, SyntheticPointer};
use super::types::{Encoding, MemberInfo, ResolvedType, TypeInfo, TypeKind, TypeRef, VariantPart};
use crate::base::{Address, Memory};

/// How much of a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Structures and arrays within each other.
    pub depth: usize,
    /// Elements of one array.
    pub elements: usize,
    /// Values in all.
    pub nodes: usize,
    /// Characters of one string; they are held in memory.
    pub string: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { depth: 8, elements: 200, nodes: 4096, string: 200 }
    }
}

/// A floating-point number in the precision of its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Float {
    /// `float`.
    F32(f32),
    /// `double`.
    F64(f64),
}

/// A member of a structure or union with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Member<'d> {
    /// Its name; `None` for an anonymous structure or union.
    pub name: Option<&'d str>,
    /// Its value.
    pub value: Value<'d>,
}

/// An element of an array, or many equal ones in a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Element<'d> {
    /// Its value; of several the first's.
    pub value: Value<'d>,
    /// How many there are, 1 or at least ten.
    pub count: u64,
}

/// So many equal elements in a row are read as one, as GDB does.
pub const REPEATS: u64 = 10;

/// Bytes of a variable's arrays that are searched for equal elements.
const MOST_COMPARED: usize = 1 << 18;

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ValueKind<'d> {
    /// A signed number.
    Signed(i64),
    /// An unsigned number.
    Unsigned(u64),
    /// A truth value.
    Bool(bool),
    /// A character with its number; negative when the type is signed.
    Char(i64),
    /// A floating-point number.
    Float(Float),
    /// A complex number: real and imaginary part.
    Complex(Float, Float),
    /// A value of an enumeration.
    Enum {
        /// The number.
        value: i64,
        /// Its name, or names as GDB combines them: `(A | B)`; `None` when it has none.
        name: Option<String>,
    },
    /// A pointer or reference.
    Pointer(Address),
    /// A pointer that the compiler removed, to a variable that may still be readable.
    SyntheticPointer(SyntheticPointer),
    /// A structure or class.
    Struct {
        /// Its members, in order.
        members: Vec<Member<'d>>,
        /// How many more there are.
        omitted: u64,
    },
    /// A union: every member is another view of the same bytes.
    Union {
        /// Its members, in order.
        members: Vec<Member<'d>>,
        /// How many more there are.
        omitted: u64,
    },
    /// An array.
    Array {
        /// Its first elements, each with the equal ones that follow it.
        elements: Vec<Element<'d>>,
        /// How many more there are.
        omitted: u64,
    },
    /// An array of characters.
    Text {
        /// Its first bytes, with any NULs.
        bytes: Vec<u8>,
        /// How many more there are.
        omitted: u64,
    },
    /// A function: its address is the value.
    Function,
    /// Not known.
    Missing(Missing),
}

/// A value with its type and place.
#[derive(Clone, Debug, PartialEq)]
pub struct Value<'d> {
    /// The name of its type as GDB prints it.
    pub type_name: Arc<str>,
    /// Its type, to ask for more.
    pub ty: TypeRef,
    /// Where it is, to read more of it; a bit-field's is that of its first byte.
    pub place: Place,
    /// Its address, when it is in memory.
    pub address: Option<Address>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// What it is.
    pub kind: ValueKind<'d>,
}

impl Value<'_> {
    /// Why it is not known, if so.
    pub fn missing(&self) -> Option<Missing> {
        match self.kind {
            ValueKind::Missing(missing) => Some(missing),
            _ => None,
        }
    }
}

/// Reads values with a common budget.
struct ValueReader<'a, 'd> {
    info: &'a DebugInfo<'d>,
    memory: &'a dyn Memory,
    limits: Limits,
    nodes: usize,
    /// Bytes that may still be searched for equal elements.
    compared: usize,
}

impl<'d> ValueReader<'_, 'd> {
    /// `bits` are the first bit within the place and the width of a bit-field.
    fn read(
        &mut self,
        ty: TypeRef,
        place: Place,
        bits: Option<(u64, u64)>,
        depth: usize,
    ) -> Value<'d> {
        self.nodes = self.nodes.saturating_sub(1);
        let resolved = self.info.resolved(ty);
        let ResolvedType { stripped, info, size, name } = &*resolved;
        let kind = match &place {
            Place::Missing(missing) => ValueKind::Missing(*missing),
            Place::SyntheticPointer(pointer) => ValueKind::SyntheticPointer(*pointer),
            place => self.kind(*stripped, info, place, bits, depth),
        };
        let type_name = Arc::clone(name);
        Value { type_name, ty, address: place.address(), place, size: *size, kind }
    }

    fn kind(
        &mut self,
        ty: TypeRef,
        info: &TypeInfo<'d>,
        place: &Place,
        bits: Option<(u64, u64)>,
        depth: usize,
    ) -> ValueKind<'d> {
        let unsupported = Missing::Unreadable { reason: "type is not supported" };
        let size = self.info.resolved(ty).size;
        match info.kind {
            TypeKind::Struct | TypeKind::Class => {
                let (members, omitted) = self.members(info, place, depth);
                whole(ValueKind::Struct { members, omitted })
            }
            TypeKind::Union => {
                let (members, omitted) = self.members(info, place, depth);
                whole(ValueKind::Union { members, omitted })
            }
            TypeKind::Array => whole(self.array(ty, info, place, depth)),
            TypeKind::Function => ValueKind::Function,
            TypeKind::Void | TypeKind::Typedef | TypeKind::Other => ValueKind::Missing(unsupported),
            TypeKind::Const | TypeKind::Volatile | TypeKind::Qualifier => {
                ValueKind::Missing(unsupported)
            }
            kind => {
                let width = size.and_then(|size| size.checked_mul(8)).filter(|w| *w <= 128);
                let (start, width) = match (bits, width) {
                    (Some(bits), Some(_)) => bits,
                    (None, Some(width)) => (0, width),
                    _ => return ValueKind::Missing(unsupported),
                };
                match place.read(start, width, self.memory) {
                    Ok(raw) => scalar(kind, info, raw, width),
                    Err(missing) => ValueKind::Missing(missing),
                }
            }
        }
    }

    fn members(
        &mut self,
        info: &TypeInfo<'d>,
        place: &Place,
        depth: usize,
    ) -> (Vec<Member<'d>>, u64) {
        let mut members = Vec::new();
        if let Some(depth) = depth.checked_sub(1) {
            for member in &info.members {
                if self.nodes == 0 {
                    break;
                }
                let part = place.part(member.bit_offset);
                // In memory a place is a byte: the rest of the offset is the bit-field's.
                let first = match part {
                    Place::Memory(_) => member.bit_offset % 8,
                    _ => 0,
                };
                let bits = member.bit_size.map(|width| (first, width));
                let value = self.read(member.ty, part, bits, depth);
                let name = member.name.filter(|_| !member.is_base);
                members.push(Member { name, value });
            }
        }
        let omitted = (info.members.len() as u64).saturating_sub(members.len() as u64);
        let chosen = info.variants.as_ref().and_then(|part| self.chosen(part, place));
        if let (Some(variant), Some(depth)) = (chosen, depth.checked_sub(1)) {
            let value = self.read(variant.ty, place.part(variant.bit_offset), None, depth);
            members.push(Member { name: variant.name, value });
        }
        (members, omitted)
    }

    /// The variant that exists: the one of the discriminant's value, else the one that has none.
    fn chosen(&self, part: &VariantPart<'d>, place: &Place) -> Option<MemberInfo<'d>> {
        let default = || part.variants.iter().find(|(value, _)| value.is_none());
        let Some(discriminant) = &part.discriminant else { return default().map(|(_, v)| *v) };
        let width = self.info.type_size(discriminant.ty)?.checked_mul(8).filter(|w| *w <= 64)?;
        let raw = place.part(discriminant.bit_offset).read(0, width, self.memory).ok()?;
        let mask = u64::MAX.checked_shr(u32::try_from(64_u64.checked_sub(width)?).ok()?)?;
        let is_meant = |value: i64| u128::from(value as u64 & mask) == raw;
        let stated = part.variants.iter().find(|(value, _)| value.is_some_and(is_meant));
        stated.or_else(default).map(|(_, variant)| *variant)
    }

    /// An array of characters, when all that is shown of it is known.
    fn text(&self, place: &Place, total: u64) -> Option<ValueKind<'d>> {
        let size = usize::try_from(total).unwrap_or(usize::MAX).min(self.limits.string);
        let mut bytes = vec![0; size];
        match place {
            Place::Memory(address) => self.memory.read(*address, &mut bytes).ok()?,
            place => {
                for (index, byte) in (0_u64..).zip(&mut bytes) {
                    let start = index.checked_mul(8)?;
                    *byte = u8::try_from(place.read(start, 8, self.memory).ok()?).ok()?;
                }
            }
        }
        Some(ValueKind::Text { bytes, omitted: total.saturating_sub(size as u64) })
    }

    /// Whether elements of one byte are characters, or records of nothing but one, as Zephyr
    /// declares its stacks.
    fn is_character(&self, element: TypeRef) -> bool {
        let info = self.info.type_info(self.info.strip(element));
        match (info.kind, info.members.as_slice()) {
            (TypeKind::Base(Encoding::Char { .. }), _) => true,
            (TypeKind::Struct, [only]) => {
                let member = self.info.type_info(self.info.strip(only.ty));
                matches!(member.kind, TypeKind::Base(Encoding::Char { .. }))
            }
            _ => false,
        }
    }

    fn array(
        &mut self,
        ty: TypeRef,
        info: &TypeInfo<'d>,
        place: &Place,
        depth: usize,
    ) -> ValueKind<'d> {
        let total = info.dimensions.first().copied().flatten().unwrap_or(0);
        let element = self.info.element(ty);
        let stride = self.info.type_size(element).and_then(|size| size.checked_mul(8));
        if stride == Some(8)
            && self.is_character(element)
            && let Some(text) = self.text(place, total)
        {
            return text;
        }
        let mut elements = Vec::new();
        let mut shown = 0_u64;
        if let (Some(depth), Some(stride)) = (depth.checked_sub(1), stride) {
            let bytes = self.bytes(place, stride / 8, total);
            while shown < total && elements.len() < self.limits.elements && self.nodes > 0 {
                let Some(offset) = stride.checked_mul(shown) else { break };
                let value = self.read(element, place.part(offset), None, depth);
                let equal = equal_elements(&bytes, stride / 8, shown);
                let count = if equal < REPEATS { 1 } else { equal };
                elements.push(Element { value, count });
                shown = shown.saturating_add(count);
            }
        }
        ValueKind::Array { elements, omitted: total.saturating_sub(shown) }
    }

    /// The bytes of an array of `total` elements, to find equal ones; none where there are too many
    /// or some are not known.
    fn bytes(&mut self, place: &Place, stride: u64, total: u64) -> Vec<u8> {
        let size = stride.checked_mul(total).and_then(|size| usize::try_from(size).ok());
        let size = size.filter(|size| total >= REPEATS && *size <= self.compared);
        let (Place::Memory(address), Some(size)) = (place, size) else { return Vec::new() };
        self.compared = self.compared.saturating_sub(size);
        let mut bytes = vec![0; size];
        match self.memory.read(*address, &mut bytes) {
            Ok(()) => bytes,
            Err(_) => Vec::new(),
        }
    }
}

/// How many elements from the one at `index` on have the same bytes; 0 where that is not known.
fn equal_elements(bytes: &[u8], stride: u64, index: u64) -> u64 {
    let rest = || {
        let stride = usize::try_from(stride).ok()?;
        let rest = bytes.get(stride.checked_mul(usize::try_from(index).ok()?)?..)?;
        Some((rest.get(..stride).filter(|first| !first.is_empty())?, rest))
    };
    let Some((first, rest)) = rest() else { return 0 };
    rest.chunks_exact(first.len()).take_while(|element| *element == first).count() as u64
}

/// An aggregate of which nothing at all is known is itself not known, for the same reason.
fn whole(kind: ValueKind<'_>) -> ValueKind<'_> {
    let (first, same) = match &kind {
        ValueKind::Struct { members, .. } | ValueKind::Union { members, .. } => {
            let mut missing = members.iter().map(|m| m.value.missing());
            (missing.next().flatten(), missing.all(|m| m.is_some()))
        }
        ValueKind::Array { elements, .. } => {
            let mut missing = elements.iter().map(|element| element.value.missing());
            (missing.next().flatten(), missing.all(|m| m.is_some()))
        }
        _ => (None, false),
    };
    match first {
        Some(missing) if same => ValueKind::Missing(missing),
        _ => kind,
    }
}

fn scalar<'d>(kind: TypeKind, info: &TypeInfo<'d>, raw: u128, width: u64) -> ValueKind<'d> {
    let low = raw as u64;
    match kind {
        TypeKind::Pointer | TypeKind::Reference | TypeKind::RvalueReference => {
            ValueKind::Pointer(Address(raw as u32))
        }
        TypeKind::Enum => {
            let negative = info.enumerators.iter().any(|e| e.value < 0);
            let value = if negative { sign_extend(low, width) } else { low as i64 };
            ValueKind::Enum { value, name: enumerator_name(info, value) }
        }
        TypeKind::Base(encoding) => match encoding {
            Encoding::Signed => ValueKind::Signed(sign_extend(low, width)),
            Encoding::Bool if raw <= 1 => ValueKind::Bool(raw != 0),
            // Neither true nor false: the number shows what happened.
            Encoding::Bool | Encoding::Unsigned => ValueKind::Unsigned(low),
            Encoding::Char { signed: true } => ValueKind::Char(sign_extend(low, width)),
            Encoding::Char { signed: false } => ValueKind::Char(low as i64),
            Encoding::Float => match float(raw, width) {
                Some(value) => ValueKind::Float(value),
                None => ValueKind::Missing(Missing::Unreadable { reason: "unknown float format" }),
            },
            Encoding::Complex => {
                let half = width / 2;
                let high = u32::try_from(half).ok().and_then(|half| raw.checked_shr(half));
                match (float(raw, half), high.and_then(|high| float(high, half))) {
                    (Some(real), Some(imaginary)) => ValueKind::Complex(real, imaginary),
                    _ => ValueKind::Missing(Missing::Unreadable { reason: "unknown float format" }),
                }
            }
            Encoding::Other(_) => ValueKind::Unsigned(low),
        },
        _ => ValueKind::Missing(Missing::Unreadable { reason: "type is not supported" }),
    }
}

fn float(raw: u128, width: u64) -> Option<Float> {
    match width {
        32 => Some(Float::F32(f32::from_bits(raw as u32))),
        64 => Some(Float::F64(f64::from_bits(raw as u64))),
        _ => None,
    }
}

fn sign_extend(value: u64, width: u64) -> i64 {
    let shift = u32::try_from(64_u64.saturating_sub(width)).unwrap_or(0);
    let raised = value.checked_shl(shift).unwrap_or(0) as i64;
    raised.checked_shr(shift).unwrap_or(0)
}

/// The name of an enumeration's value. As GDB does, an enumeration whose values are distinct
/// bits is taken for flags.
fn enumerator_name(info: &TypeInfo<'_>, value: i64) -> Option<String> {
    if let Some(exact) = info.enumerators.iter().find(|e| e.value == value) {
        return Some(exact.name.to_owned());
    }
    let mut mask = 0_i64;
    for enumerator in &info.enumerators {
        let flag = enumerator.value;
        let single = flag.count_ones() <= 1;
        if flag < 0 || (single && mask & flag != 0) {
            return None;
        }
        if single {
            mask |= flag;
        } else if !contiguous(flag) {
            return None;
        }
    }
    let mut left = value;
    let mut names = Vec::new();
    for enumerator in &info.enumerators {
        if enumerator.value != 0 && left & enumerator.value == enumerator.value {
            left &= !enumerator.value;
            names.push(enumerator.name.to_owned());
        }
    }
    if names.is_empty() {
        return None;
    }
    if left != 0 {
        names.push(format!("unknown: 0x{left:x}"));
    }
    Some(format!("({})", names.join(" | ")))
}

/// Whether the ones of a number are next to each other.
fn contiguous(value: i64) -> bool {
    let shifted = (value as u64).checked_shr(value.trailing_zeros()).unwrap_or(0);
    shifted & shifted.wrapping_add(1) == 0
}

impl<'d> SymbolFile<'d> {
    /// The value of type `ty` at `place`, as far as `limits` allow. What was left out can be
    /// read later from [`Value::ty`] and [`Value::place`] of the part.
    pub fn read_value(
        &self,
        ty: TypeRef,
        place: &Place,
        memory: &dyn Memory,
        limits: Limits,
    ) -> Value<'d> {
        self.read_counted(ty, place, memory, limits).0
    }

    /// [`SymbolFile::read_value`], with the number of values read.
    pub(super) fn read_counted(
        &self,
        ty: TypeRef,
        place: &Place,
        memory: &dyn Memory,
        limits: Limits,
    ) -> (Value<'d>, usize) {
        let Some(info) = self.debug_info() else {
            let reason = "there is no debug information";
            let value = Value {
                type_name: "".into(),
                ty,
                place: place.clone(),
                address: place.address(),
                size: None,
                kind: ValueKind::Missing(Missing::Unreadable { reason }),
            };
            return (value, 1);
        };
        let (nodes, compared) = (limits.nodes, MOST_COMPARED);
        let mut reader = ValueReader { info, memory, limits, nodes, compared };
        let value = reader.read(ty, place.clone(), None, limits.depth);
        (value, limits.nodes.saturating_sub(reader.nodes).max(1))
    }

    /// What a pointer or reference points to; `None` for other values and for `void *`.
    pub fn dereference(
        &self,
        value: &Value<'d>,
        context: &dyn FrameContext,
        limits: Limits,
    ) -> Option<Value<'d>> {
        let info = self.debug_info()?;
        let target = info.type_info(info.strip(value.ty)).target;
        let size = info.type_size(target);
        let place = match value.kind {
            ValueKind::Pointer(address) => Place::Memory(address),
            ValueKind::SyntheticPointer(pointer) => {
                let (unit, location) = info.attribute(pointer.target, gimli::DW_AT_location)?;
                let function = info.function_at(context.pc().lookup().0);
                let evaluator = Evaluator::new(info, context, unit, function);
                let skipped = u64::try_from(pointer.offset).ok()?;
                let whole = evaluator.place(&location, skipped.saturating_add(size?));
                whole.part(skipped.saturating_mul(8))
            }
            _ => return None,
        };
        size?;
        Some(self.read_value(target, &place, context.memory(), limits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::types::Enumerator;

    fn enumeration(values: &[(&'static str, i64)]) -> TypeInfo<'static> {
        let mut info = TypeInfo::empty(TypeKind::Enum);
        info.enumerators =
            values.iter().map(|(name, value)| Enumerator { name, value: *value }).collect();
        info
    }

    #[test]
    fn flags_are_combined_and_the_rest_is_shown() {
        let flags = enumeration(&[("FA", 1), ("FB", 2), ("FC", 4)]);
        assert_eq!(enumerator_name(&flags, 2).as_deref(), Some("FB"));
        assert_eq!(enumerator_name(&flags, 5).as_deref(), Some("(FA | FC)"));
        assert_eq!(enumerator_name(&flags, 9).as_deref(), Some("(FA | unknown: 0x8)"));
        assert_eq!(enumerator_name(&flags, 8), None);
        let numbers = enumeration(&[("NM", -1), ("NZ", 0), ("NP", 1)]);
        assert_eq!(enumerator_name(&numbers, -1).as_deref(), Some("NM"));
        assert_eq!(enumerator_name(&numbers, 3), None);
    }

    #[test]
    fn equal_elements_are_counted_whole() {
        let bytes = [1, 2, 1, 2, 1, 2, 3, 4, 3];
        assert_eq!(equal_elements(&bytes, 2, 0), 3);
        assert_eq!(equal_elements(&bytes, 2, 2), 1);
        assert_eq!(equal_elements(&bytes, 2, 3), 1);
        assert_eq!(equal_elements(&bytes, 2, 4), 0, "half an element");
        assert_eq!(equal_elements(&bytes, 0, 0), 0);
        assert_eq!(equal_elements(&[], 4, 0), 0);
    }

    #[test]
    fn bit_fields_are_sign_extended() {
        assert_eq!(sign_extend(0b11101, 5), -3);
        assert_eq!(sign_extend(0b01101, 5), 13);
        assert_eq!(sign_extend(u64::MAX, 64), -1);
    }
}
