//! Types: kinds, sizes, members, dimensions, enumerators. DWARF 5 chapter 5; `DW_AT_bit_offset`
//! as DWARF 3 section 5.5.6 counts it.

use std::sync::Arc;

use gimli::{AttributeValue, DwTag};

use super::dwarf::{AttrValue, DebugInfo, Die, DieRef, Slice};
use super::file::SymbolFile;

/// Typedefs, qualifiers and dimensions that are followed from one type.
pub(super) const MAX_CHAIN: usize = 64;
/// Members, enumerators or dimensions of one type.
const MAX_PARTS: usize = 1 << 16;
/// A pointer of the target.
const POINTER_SIZE: u64 = 4;

/// A type of one [`SymbolFile`]; cheap to keep. Asking another file about it gives nonsense,
/// but no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeRef {
    /// `None` for `void`.
    pub(super) die: Option<DieRef>,
    /// How many dimensions of an array are already subscripted: a row of `int [3][4]` has no
    /// entry of its own.
    pub(super) subscripts: u8,
}

impl TypeRef {
    /// `void`.
    pub const VOID: TypeRef = TypeRef::new(None);

    pub(super) const fn new(die: Option<DieRef>) -> TypeRef {
        TypeRef { die, subscripts: 0 }
    }
}

/// How the bytes of a base type are read (`DW_AT_encoding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Two's complement.
    Signed,
    /// Unsigned.
    Unsigned,
    /// `_Bool`.
    Bool,
    /// A character, signed or not.
    Char {
        /// Whether it is signed.
        signed: bool,
    },
    /// IEEE 754.
    Float,
    /// Two floats, real part first.
    Complex,
    /// Anything else, with its `DW_ATE_*` number.
    Other(u8),
}

/// What sort of type it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// No type.
    Void,
    /// A number or character.
    Base(Encoding),
    /// A pointer.
    Pointer,
    /// A C++ reference.
    Reference,
    /// A C++ rvalue reference.
    RvalueReference,
    /// A structure.
    Struct,
    /// A C++ class.
    Class,
    /// A union.
    Union,
    /// An enumeration.
    Enum,
    /// An array.
    Array,
    /// A function.
    Function,
    /// Another name for a type.
    Typedef,
    /// `const`.
    Const,
    /// `volatile`.
    Volatile,
    /// `restrict`, `_Atomic` and other marks without effect on the bytes.
    Qualifier,
    /// Something that is not supported, such as a pointer to member.
    Other,
}

impl TypeKind {
    /// A structure, class or union.
    pub fn has_members(self) -> bool {
        matches!(self, TypeKind::Struct | TypeKind::Class | TypeKind::Union)
    }
}

/// A member of a structure, class or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberInfo<'d> {
    /// Its name; `None` for an anonymous structure or union, whose members count as this type's.
    pub name: Option<&'d str>,
    /// Its type.
    pub ty: TypeRef,
    /// Where it starts, in bits from the start of the structure.
    pub bit_offset: u64,
    /// Its width when it is a bit-field.
    pub bit_size: Option<u64>,
    /// Whether it is a base class.
    pub is_base: bool,
}

/// The part of a Rust enum with data of which one variant exists at a time. DWARF 5 section 5.7.10.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariantPart<'d> {
    /// Tells which one; none when there is but one.
    pub discriminant: Option<MemberInfo<'d>>,
    /// For each variant the discriminant's value, none for all others, and its data.
    pub variants: Vec<(Option<i64>, MemberInfo<'d>)>,
}

/// A named value of an enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enumerator<'d> {
    /// Its name.
    pub name: &'d str,
    /// Its value.
    pub value: i64,
}

/// One type, read.
#[derive(Debug)]
pub struct TypeInfo<'d> {
    /// What sort it is.
    pub kind: TypeKind,
    /// Its own name: a typedef's, a tag, a base type's.
    pub name: Option<&'d str>,
    /// Its own size, as far as its entry says; see [`SymbolFile::type_size`].
    pub size: Option<u64>,
    /// What it points to, qualifies, names, holds or returns.
    pub target: TypeRef,
    /// A type that is only announced (`struct x;`).
    pub declaration: bool,
    /// Members, in order.
    pub members: Vec<MemberInfo<'d>>,
    /// Of a Rust enum with data.
    pub variants: Option<VariantPart<'d>>,
    /// Values of an enumeration, in order.
    pub enumerators: Vec<Enumerator<'d>>,
    /// Elements per dimension, outermost first; `None` when unknown (`[]`).
    pub dimensions: Vec<Option<u64>>,
    /// Types of the parameters of a function.
    pub parameters: Vec<TypeRef>,
    /// Whether a function's parameters are declared, or takes any (`int f()`).
    pub prototyped: bool,
    /// Whether a function takes more (`...`).
    pub variadic: bool,
    /// Whether the unit is written in C, where tags are spelled with `struct`.
    pub(super) is_c: bool,
}

impl<'d> TypeInfo<'d> {
    pub(super) fn empty(kind: TypeKind) -> TypeInfo<'d> {
        TypeInfo {
            kind,
            name: None,
            size: None,
            target: TypeRef::VOID,
            declaration: false,
            members: Vec::new(),
            variants: None,
            enumerators: Vec::new(),
            dimensions: Vec::new(),
            parameters: Vec::new(),
            prototyped: false,
            variadic: false,
            is_c: true,
        }
    }
}

/// What reading a value asks of its type, found once.
#[derive(Debug)]
pub(super) struct ResolvedType<'d> {
    /// The type without typedefs and qualifiers.
    pub(super) stripped: TypeRef,
    pub(super) info: Arc<TypeInfo<'d>>,
    pub(super) size: Option<u64>,
    pub(super) name: Arc<str>,
}

impl<'d> DebugInfo<'d> {
    /// All that a value needs of its type in one look-up.
    pub(super) fn resolved(&self, ty: TypeRef) -> Arc<ResolvedType<'d>> {
        if let Some(found) = self.resolved.lock().ok().and_then(|types| types.get(&ty).cloned()) {
            return found;
        }
        let stripped = self.strip(ty);
        let resolved = Arc::new(ResolvedType {
            stripped,
            info: self.type_info(stripped),
            size: self.type_size(ty),
            name: self.type_name(ty),
        });
        if let Ok(mut types) = self.resolved.lock() {
            types.insert(ty, Arc::clone(&resolved));
        }
        resolved
    }

    /// The type at `die`, from the cache.
    pub(super) fn type_info(&self, ty: TypeRef) -> Arc<TypeInfo<'d>> {
        let Some(die) = ty.die else { return Arc::new(TypeInfo::empty(TypeKind::Void)) };
        if let Some(found) = self.types.lock().ok().and_then(|types| types.get(&ty).cloned()) {
            return found;
        }
        let parsed = self.parse_type(die);
        let mut parsed = parsed.unwrap_or_else(|| TypeInfo::empty(TypeKind::Other));
        if ty.subscripts > 0 {
            let count = usize::from(ty.subscripts).min(parsed.dimensions.len());
            parsed.dimensions.drain(..count);
            parsed.size = None;
        }
        let parsed = Arc::new(parsed);
        if let Ok(mut types) = self.types.lock() {
            types.insert(ty, Arc::clone(&parsed));
        }
        parsed
    }

    fn parse_type(&self, at: DieRef) -> Option<TypeInfo<'d>> {
        let mut at = at;
        let mut die = self.die(at)?;
        // A stand-in for a type that has a unit of its own.
        if let Some(value) = die.attr_value(gimli::DW_AT_signature) {
            at = self.reference(at.unit, &value)?;
            die = self.die(at)?;
        }
        let number = |name| die.attr_value(name).and_then(|value| value.udata_value());
        let mut info = TypeInfo::empty(kind_of(&die));
        let name = die.attr_value(gimli::DW_AT_name);
        info.name = name.and_then(|value| self.string(at.unit, &value));
        info.size = number(gimli::DW_AT_byte_size);
        info.target = self.target(at.unit, &die);
        info.declaration = die.has_attr(gimli::DW_AT_declaration);
        info.prototyped = die.has_attr(gimli::DW_AT_prototyped);
        info.is_c = self.is_c(at.unit);
        let mut parts = 0_usize;
        self.children(at, |handle, child| {
            self.add_part(&mut info, handle, child);
            parts = parts.saturating_add(1);
            parts < MAX_PARTS
        });
        Some(info)
    }

    fn target(&self, unit: u32, die: &Die<'d>) -> TypeRef {
        let value = die.attr_value(gimli::DW_AT_type);
        TypeRef::new(value.and_then(|value| self.reference(unit, &value)))
    }

    fn add_part(&self, info: &mut TypeInfo<'d>, at: DieRef, die: &Die<'d>) {
        let name = die.attr_value(gimli::DW_AT_name);
        let name = name.and_then(|value| self.string(at.unit, &value));
        match die.tag() {
            gimli::DW_TAG_member | gimli::DW_TAG_inheritance => {
                let is_base = die.tag() == gimli::DW_TAG_inheritance;
                // A static member of a class is a variable elsewhere.
                if !die.has_attr(gimli::DW_AT_external) {
                    info.members.push(MemberInfo { is_base, ..self.member(at, die) });
                }
            }
            gimli::DW_TAG_variant_part => info.variants = Some(self.variant_part(at)),
            gimli::DW_TAG_enumerator => {
                let value = die.attr_value(gimli::DW_AT_const_value);
                if let (Some(name), Some(value)) = (name, value.and_then(|v| constant(&v))) {
                    info.enumerators.push(Enumerator { name, value });
                }
            }
            gimli::DW_TAG_subrange_type => info.dimensions.push(dimension(die)),
            gimli::DW_TAG_formal_parameter => info.parameters.push(self.target(at.unit, die)),
            gimli::DW_TAG_unspecified_parameters => info.variadic = true,
            _ => {}
        }
    }

    fn member(&self, at: DieRef, die: &Die<'d>) -> MemberInfo<'d> {
        let name = die.attr_value(gimli::DW_AT_name);
        let name = name.and_then(|value| self.string(at.unit, &value));
        let ty = self.target(at.unit, die);
        let (bit_offset, bit_size) = self.member_bits(ty, die);
        MemberInfo { name, ty, bit_offset, bit_size, is_base: false }
    }

    fn variant_part(&self, at: DieRef) -> VariantPart<'d> {
        let mut part = VariantPart::default();
        self.children(at, |handle, die| {
            if die.tag() == gimli::DW_TAG_member {
                part.discriminant = Some(self.member(handle, die));
            } else if die.tag() == gimli::DW_TAG_variant {
                let value = die.attr_value(gimli::DW_AT_discr_value).and_then(|v| constant(&v));
                self.children(handle, |inner, die| {
                    if die.tag() == gimli::DW_TAG_member {
                        part.variants.push((value, self.member(inner, die)));
                    }
                    part.variants.len() < MAX_PARTS
                });
            }
            part.variants.len() < MAX_PARTS
        });
        part
    }

    /// Where a member starts, in bits, and its width when it is a bit-field.
    fn member_bits(&self, ty: TypeRef, die: &Die<'d>) -> (u64, Option<u64>) {
        let number = |name| die.attr_value(name).and_then(|value| value.udata_value());
        let location = die.attr_value(gimli::DW_AT_data_member_location);
        let byte = location.and_then(|value| member_offset(&value)).unwrap_or(0);
        let start = byte.saturating_mul(8);
        let bit_size = number(gimli::DW_AT_bit_size);
        if let Some(offset) = number(gimli::DW_AT_data_bit_offset) {
            return (start.saturating_add(offset), bit_size);
        }
        let (Some(from_top), Some(width)) = (number(gimli::DW_AT_bit_offset), bit_size) else {
            return (start, bit_size);
        };
        // Counted from the most significant bit of the storage unit, towards the least.
        let storage = number(gimli::DW_AT_byte_size).or_else(|| self.type_size(ty)).unwrap_or(4);
        let top = start.saturating_add(storage.saturating_mul(8));
        (top.saturating_sub(from_top).saturating_sub(width), bit_size)
    }

    pub(super) fn is_c(&self, unit: u32) -> bool {
        let root = self.unit(unit).and_then(|u| u.entry(u.header.root_offset()).ok());
        let language = root.and_then(|root| root.attr_value(gimli::DW_AT_language));
        match language {
            Some(AttributeValue::Language(language)) => matches!(
                language,
                gimli::DW_LANG_C
                    | gimli::DW_LANG_C89
                    | gimli::DW_LANG_C99
                    | gimli::DW_LANG_C11
                    | gimli::DW_LANG_C17
                    | gimli::DW_LANG_Mips_Assembler
            ),
            _ => true,
        }
    }

    /// Bytes of a value of the type.
    pub(super) fn type_size(&self, ty: TypeRef) -> Option<u64> {
        let mut at = ty;
        let mut factor = 1_u64;
        for _ in 0..MAX_CHAIN {
            let info = self.type_info(self.resolve(at));
            match info.kind {
                TypeKind::Pointer | TypeKind::Reference | TypeKind::RvalueReference => {
                    return info.size.unwrap_or(POINTER_SIZE).checked_mul(factor);
                }
                TypeKind::Array => {
                    if let Some(size) = info.size {
                        return size.checked_mul(factor);
                    }
                    for dimension in &info.dimensions {
                        factor = factor.checked_mul((*dimension)?)?;
                    }
                }
                TypeKind::Typedef | TypeKind::Const | TypeKind::Volatile | TypeKind::Qualifier => {}
                TypeKind::Void | TypeKind::Function => return None,
                _ => return info.size?.checked_mul(factor),
            }
            at = info.target;
        }
        None
    }

    /// The definition of a type that is only announced here; the type itself otherwise.
    pub(super) fn resolve(&self, ty: TypeRef) -> TypeRef {
        let info = self.type_info(ty);
        if !info.declaration {
            return ty;
        }
        let Some(die) = ty.die.and_then(|at| self.die(at)) else { return ty };
        let named = info.name.and_then(|name| self.type_named(name, &[die.tag()]));
        named.map_or(ty, |found| TypeRef::new(Some(found)))
    }

    /// The type without typedefs and qualifiers, its definition when it is only announced.
    pub(super) fn strip(&self, ty: TypeRef) -> TypeRef {
        let mut at = ty;
        for _ in 0..MAX_CHAIN {
            let info = self.type_info(at);
            match info.kind {
                TypeKind::Typedef | TypeKind::Const | TypeKind::Volatile | TypeKind::Qualifier => {
                    at = info.target;
                }
                _ => break,
            }
        }
        self.resolve(at)
    }

    /// What an array holds: a row when it has several dimensions.
    pub(super) fn element(&self, array: TypeRef) -> TypeRef {
        let info = self.type_info(array);
        match (info.dimensions.len(), array.subscripts.checked_add(1)) {
            (2.., Some(subscripts)) => TypeRef { die: array.die, subscripts },
            _ => info.target,
        }
    }

    /// The definition of that name, with one of `tags` when there are any.
    fn type_named(&self, name: &str, tags: &[DwTag]) -> Option<DieRef> {
        let mut found = self.types_named(name).into_iter();
        found.find(|(_, tag)| tags.is_empty() || tags.contains(tag)).map(|(die, _)| die)
    }

    /// The type that `name` spells: a typedef, a tag with or without `struct`, a base type.
    pub(super) fn type_by_name(&self, name: &str) -> Option<TypeRef> {
        let words: Vec<&str> = name.split_whitespace().collect();
        let (tags, name): (&[DwTag], String) = match words.as_slice() {
            ["struct" | "class", rest @ ..] => {
                (&[gimli::DW_TAG_structure_type, gimli::DW_TAG_class_type], rest.join(" "))
            }
            ["union", rest @ ..] => (&[gimli::DW_TAG_union_type], rest.join(" ")),
            ["enum", rest @ ..] => (&[gimli::DW_TAG_enumeration_type], rest.join(" ")),
            all => (&[], all.join(" ")),
        };
        let found = self.type_named(&name, tags).or_else(|| self.type_at_path(&name, tags));
        let found = found.or_else(|| self.type_named(&integer_name(&words)?, &[]));
        found.map(|die| TypeRef::new(Some(die)))
    }
}

impl<'d> SymbolFile<'d> {
    /// A type, read: members, dimensions, enumerators, target.
    pub fn type_info(&self, ty: TypeRef) -> Arc<TypeInfo<'d>> {
        match self.debug_info() {
            Some(info) => info.type_info(ty),
            None => Arc::new(TypeInfo::empty(TypeKind::Other)),
        }
    }

    /// Bytes of a value of the type; `None` for `void`, functions and arrays without bound.
    pub fn type_size(&self, ty: TypeRef) -> Option<u64> {
        self.debug_info()?.type_size(ty)
    }

    /// The type without typedefs and qualifiers; the definition when it is only announced.
    pub fn strip_type(&self, ty: TypeRef) -> TypeRef {
        self.debug_info().map_or(ty, |info| info.strip(ty))
    }

    /// The type that `name` spells, with or without `struct`, `union` or `enum`, with or without the
    /// namespaces around it; a definition of any unit.
    pub fn type_by_name(&self, name: &str) -> Option<TypeRef> {
        self.debug_info()?.type_by_name(name)
    }

    /// Every named type that some unit defines, by name; of several definitions of one name and
    /// sort the preferred one.
    pub fn named_types(&self) -> Vec<(&'d str, TypeRef)> {
        let Some(info) = self.debug_info() else { return Vec::new() };
        let mut found: Vec<_> =
            info.defined_types().map(|entry| (entry.name, entry.tag.0, entry.die)).collect();
        found.sort_unstable();
        found.dedup_by_key(|(name, tag, _)| (*name, *tag));
        let named = found.into_iter().map(|(name, _, die)| (name, TypeRef::new(Some(die))));
        let mut named: Vec<_> = named.collect();
        named.sort_by_key(|(name, ty)| (*name, ty.die));
        named
    }

    /// `sizeof` the type of that name.
    pub fn size_of(&self, type_name: &str) -> Option<u64> {
        self.type_size(self.type_by_name(type_name)?)
    }
}

fn kind_of(die: &Die<'_>) -> TypeKind {
    match die.tag() {
        gimli::DW_TAG_base_type => TypeKind::Base(encoding_of(die)),
        gimli::DW_TAG_pointer_type => TypeKind::Pointer,
        gimli::DW_TAG_reference_type => TypeKind::Reference,
        gimli::DW_TAG_rvalue_reference_type => TypeKind::RvalueReference,
        gimli::DW_TAG_structure_type => TypeKind::Struct,
        gimli::DW_TAG_class_type => TypeKind::Class,
        gimli::DW_TAG_union_type => TypeKind::Union,
        gimli::DW_TAG_enumeration_type => TypeKind::Enum,
        gimli::DW_TAG_array_type => TypeKind::Array,
        gimli::DW_TAG_subroutine_type | gimli::DW_TAG_subprogram => TypeKind::Function,
        gimli::DW_TAG_typedef => TypeKind::Typedef,
        gimli::DW_TAG_const_type => TypeKind::Const,
        gimli::DW_TAG_volatile_type => TypeKind::Volatile,
        gimli::DW_TAG_restrict_type
        | gimli::DW_TAG_atomic_type
        | gimli::DW_TAG_immutable_type
        | gimli::DW_TAG_packed_type => TypeKind::Qualifier,
        _ => TypeKind::Other,
    }
}

fn encoding_of(die: &Die<'_>) -> Encoding {
    match die.attr_value(gimli::DW_AT_encoding) {
        Some(AttributeValue::Encoding(encoding)) => match encoding {
            gimli::DW_ATE_signed => Encoding::Signed,
            gimli::DW_ATE_unsigned | gimli::DW_ATE_address => Encoding::Unsigned,
            gimli::DW_ATE_boolean => Encoding::Bool,
            gimli::DW_ATE_signed_char => Encoding::Char { signed: true },
            gimli::DW_ATE_unsigned_char | gimli::DW_ATE_UTF | gimli::DW_ATE_ASCII => {
                Encoding::Char { signed: false }
            }
            gimli::DW_ATE_float => Encoding::Float,
            gimli::DW_ATE_complex_float => Encoding::Complex,
            gimli::DwAte(other) => Encoding::Other(other),
        },
        _ => Encoding::Other(0),
    }
}

/// A constant of any form. One of fixed size has no sign: 255 may be written in one byte.
pub(super) fn constant(value: &AttrValue<'_>) -> Option<i64> {
    match value {
        AttributeValue::Sdata(value) => Some(*value),
        // Above the range of `i64` the bits are kept.
        other => other.udata_value().map(|v| v as i64).or_else(|| other.sdata_value()),
    }
}

/// An integer type as GCC names it: `unsigned long` is `long unsigned int`.
fn integer_name(words: &[&str]) -> Option<String> {
    let known = ["signed", "unsigned", "short", "long", "int"];
    if words.is_empty() || words.len() > 5 || !words.iter().all(|word| known.contains(word)) {
        return None;
    }
    let sizes = words.iter().filter(|word| matches!(**word, "short" | "long"));
    let sign = words.iter().filter(|word| **word == "unsigned");
    let name: Vec<&str> = sizes.chain(sign).copied().chain(["int"]).collect();
    Some(name.join(" "))
}

/// Elements of a dimension.
fn dimension(die: &Die<'_>) -> Option<u64> {
    if let Some(count) = die.attr_value(gimli::DW_AT_count) {
        return count.udata_value();
    }
    let upper = die.attr_value(gimli::DW_AT_upper_bound)?;
    let lower = die.attr_value(gimli::DW_AT_lower_bound).and_then(|v| constant(&v)).unwrap_or(0);
    // `int x[0]` has the upper bound -1, in as many bits as the compiler liked.
    let upper = match constant(&upper)? {
        0xffff_ffff => -1,
        upper => upper,
    };
    u64::try_from(upper.checked_sub(lower)?.checked_add(1)?).ok()
}

/// `DW_AT_data_member_location`: a constant, or `DW_OP_plus_uconst` as old compilers write it.
fn member_offset(value: &AttrValue<'_>) -> Option<u64> {
    let bytes = match value {
        AttributeValue::Exprloc(expression) => expression.0.slice(),
        AttributeValue::Block(block) => block.slice(),
        other => return other.udata_value(),
    };
    let (op, operand) = bytes.split_first()?;
    if *op != gimli::DW_OP_plus_uconst.0 && *op != gimli::DW_OP_constu.0 {
        return None;
    }
    gimli::leb128::read::unsigned(&mut Slice::new(operand, gimli::LittleEndian)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_types_are_found_by_any_spelling() {
        let name = |text: &str| integer_name(&text.split(' ').collect::<Vec<_>>());
        assert_eq!(name("unsigned long"), Some("long unsigned int".to_owned()));
        assert_eq!(name("unsigned"), Some("unsigned int".to_owned()));
        assert_eq!(name("long long"), Some("long long int".to_owned()));
        assert_eq!(name("short unsigned int"), Some("short unsigned int".to_owned()));
        assert_eq!(name("k_thread"), None);
    }

    #[test]
    fn constant_of_fixed_size_has_no_sign() {
        assert_eq!(constant(&AttributeValue::Data1(0xff)), Some(255));
        assert_eq!(constant(&AttributeValue::Sdata(-1)), Some(-1));
        assert_eq!(constant(&AttributeValue::Udata(u64::MAX)), Some(-1));
    }
}
