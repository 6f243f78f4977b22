//! What the source calls a value in a register or in memory, from where the code took it and from
//! the types of the debug information.
//!
//! A variable that lives in the register is its name. Else the value was loaded: through a pointer
//! that has a name itself, from the frame of the function, or from a global.

use std::cell::OnceCell;

use crate::analysis::unwind::{Environment, UnwoundFrame};
use crate::analysis::variables::{FrameState, PLAIN};
use crate::arch::cortex_m::dataflow::{Body, Origin, SP, Source};
use crate::arch::cortex_m::exception::Code as _;
use crate::base::{Address, AddressRange};
use crate::snapshot::Register;
use crate::symbols::{
    CodeAddress, SymbolFile, SymbolKind, TypeKind, TypeRef, Value, ValueKind, Variable,
};

/// Pointers behind pointers: `a->b->c->d`.
const MAX_DEPTH: usize = 4;
/// Largest subscript that is believed.
const MOST_ELEMENTS: u64 = 1 << 16;
/// Two values of which no real one is both: what follows the register follows from one to the other.
const MARKS: [u32; 2] = [0x5a5a_5a5a, 0xa5a5_a5a5];

/// Names values of one frame.
pub(super) struct Namer<'a, 'd> {
    frame: &'a UnwoundFrame,
    /// The instruction that is asked about.
    at: Address,
    environment: &'a Environment<'a, 'd>,
    body: OnceCell<Option<Body>>,
}

/// A value with its type, where that is known.
struct Named {
    text: String,
    ty: Option<TypeRef>,
}

/// Memory that a register points to.
struct Pointee {
    text: String,
    /// Whether `text` is a pointer to the memory; else it is the memory itself.
    through_pointer: bool,
    /// The type of the memory.
    ty: Option<TypeRef>,
    /// Where the register points, from the start.
    offset: u32,
}

impl<'a, 'd> Namer<'a, 'd> {
    pub(super) fn new(
        frame: &'a UnwoundFrame,
        at: Address,
        environment: &'a Environment<'a, 'd>,
    ) -> Namer<'a, 'd> {
        Namer { frame, at, environment, body: OnceCell::new() }
    }

    /// What gave `register` its value.
    pub(super) fn origin(&self, register: u8) -> Option<Origin> {
        self.body()?.origin(self.at, register)
    }

    /// The name of the value in `register`.
    pub(super) fn value(&self, register: u8) -> Option<String> {
        self.value_at(self.at, register, MAX_DEPTH).map(|named| named.text)
    }

    /// The name of the memory at `register` plus `offset`, for the instruction at `at`.
    pub(super) fn memory(&self, at: Address, register: u8, offset: u32) -> Option<String> {
        self.memory_at(at, register, offset, MAX_DEPTH).map(|named| named.text)
    }

    /// The name of an element of an array: `register` is its start, `index` selects `size` bytes.
    pub(super) fn element(
        &self,
        at: Address,
        register: u8,
        index: u8,
        size: u32,
    ) -> Option<String> {
        self.element_at(at, (register, index), size, MAX_DEPTH).map(|named| named.text)
    }

    /// The name of the function at `address`.
    pub(super) fn function(&self, address: Address) -> Option<String> {
        self.environment
            .symbols
            .symbol_at(address)
            .map(|(symbol, _)| symbol.readable().into_owned())
    }

    /// The symbols of the image that the instruction belongs to.
    fn symbols(&self) -> Option<&'a SymbolFile<'d>> {
        self.environment.symbols.at(self.at)
    }

    fn body(&self) -> Option<&Body> {
        let decode = || {
            let (symbol, _) = self.symbols()?.symbol_at(self.at)?;
            let is_function = symbol.kind == SymbolKind::Function && symbol.size > 0;
            let range = AddressRange::new(symbol.address, u64::from(symbol.size));
            let is_code = |at| self.environment.is_code(at);
            Body::decode(self.environment.memory, range.filter(|_| is_function)?, &is_code)
        };
        self.body.get_or_init(decode).as_ref()
    }

    fn value_at(&self, at: Address, register: u8, depth: usize) -> Option<Named> {
        let depth = depth.checked_sub(1)?;
        if let Some(named) = self.variable_in(at, register) {
            return Some(named);
        }
        let origin = self.body()?.origin(at, register)?;
        match origin.source {
            Source::Load { base, offset, .. } => self.memory_at(origin.at, base, offset, depth),
            Source::Indexed { base, index, shift, size } => {
                let stride = 1_u32.checked_shl(shift.into())?;
                let pair = (base, index);
                (stride == size).then(|| self.element_at(origin.at, pair, size, depth))?
            }
            // A copy of a variable that lived elsewhere then.
            Source::Entry if origin.register != register || origin.at != at => {
                self.variable_in(origin.at, origin.register)
            }
            _ => None,
        }
    }

    fn memory_at(&self, at: Address, register: u8, offset: u32, depth: usize) -> Option<Named> {
        let depth = depth.checked_sub(1)?;
        let pointed = self.pointee(at, register, depth).and_then(|to| self.part(to, offset));
        pointed.or_else(|| self.variable_at(at, register, offset))
    }

    fn element_at(
        &self,
        at: Address,
        (register, index): (u8, u8),
        size: u32,
        depth: usize,
    ) -> Option<Named> {
        let depth = depth.checked_sub(1)?;
        let symbols = self.symbols()?;
        let array = self.pointee(at, register, depth).filter(|array| array.offset == 0)?;
        let index = self.value_at(at, index, depth).map_or("…".to_string(), |index| index.text);
        let element = match array.through_pointer {
            true => array.ty?,
            false => {
                let info = symbols.type_info(symbols.strip_type(array.ty?));
                (info.kind == TypeKind::Array).then_some(info.target)?
            }
        };
        let fits = symbols.type_size(element) == Some(u64::from(size));
        fits.then(|| Named {
            text: format!("{}[{index}]", postfix(&array.text)),
            ty: Some(element),
        })
    }

    /// What `register` points to at the instruction at `at`.
    fn pointee(&self, at: Address, register: u8, depth: usize) -> Option<Pointee> {
        let depth = depth.checked_sub(1)?;
        let symbols = self.symbols()?;
        let through = |named: Named| {
            let info = symbols.type_info(symbols.strip_type(named.ty?));
            let is_pointer = matches!(
                info.kind,
                TypeKind::Pointer | TypeKind::Reference | TypeKind::RvalueReference
            );
            let ty = Some(info.target).filter(|target| *target != TypeRef::VOID);
            is_pointer.then_some(Pointee { text: named.text, through_pointer: true, ty, offset: 0 })
        };
        if let Some(found) = self.variable_in(at, register).and_then(through) {
            return Some(found);
        }
        let origin = self.body()?.origin(at, register)?;
        match origin.source {
            Source::Constant(address) => self.global(Address(address)),
            Source::Sum { from, amount } if from != SP => {
                let mut found = self.pointee(origin.at, from, depth)?;
                found.offset = found.offset.wrapping_add(amount);
                Some(found)
            }
            Source::Returned(Some(target)) => Some(Pointee {
                text: format!("{}()", self.function(target)?),
                through_pointer: true,
                ty: None,
                offset: 0,
            }),
            Source::Load { .. } | Source::Indexed { .. } => {
                self.value_at(at, register, depth).and_then(through)
            }
            _ => None,
        }
    }

    /// The part of `memory` that is `offset` bytes from where the register points.
    fn part(&self, memory: Pointee, offset: u32) -> Option<Named> {
        let symbols = self.symbols()?;
        let (ty, text) = (memory.ty?, memory.text);
        // Before the start lies what the compiler did not say: container_of, for example.
        let offset = memory.offset.wrapping_add(offset);
        let offset = u64::try_from(offset as i32).ok()?;
        if !memory.through_pointer {
            let part = symbols.part_at(ty, offset)?;
            return Some(Named { text: format!("{text}{}", part.path), ty: Some(part.ty) });
        }
        let size = symbols.type_size(ty).filter(|size| *size > 0)?;
        let whole = symbols.type_info(symbols.strip_type(ty));
        let index = offset.checked_div(size)?;
        if whole.kind.has_members() {
            let part = symbols.part_at(ty, offset).filter(|_| index == 0)?;
            let path = part.path.strip_prefix('.')?;
            let text = format!("{}->{path}", postfix(&text));
            return Some(Named { text, ty: Some(part.ty) });
        }
        let is_number = whole.kind != TypeKind::Array && index < MOST_ELEMENTS;
        is_number.then(|| Named {
            text: if index == 0 {
                format!("*{text}")
            } else {
                format!("{}[{index}]", postfix(&text))
            },
            ty: Some(ty),
        })
    }

    /// The global around `address`.
    fn global(&self, address: Address) -> Option<Pointee> {
        let symbols = self.symbols()?;
        let (symbol, offset) = symbols.symbol_at(address)?;
        if symbol.kind != SymbolKind::Object {
            return None;
        }
        // A `static` in a function has a number behind its name.
        let name = symbol.name.split('.').next().filter(|name| !name.is_empty())?;
        let global = symbols.global(name);
        let ty = global.filter(|g| g.place.address() == Some(symbol.address)).map(|g| g.ty);
        Some(Pointee { text: name.to_string(), through_pointer: false, ty, offset })
    }

    /// The variable that lives in `register` at `at`: the one whose value follows the register's.
    fn variable_in(&self, at: Address, register: u8) -> Option<Named> {
        let number = Register::core(register)?;
        let frame = |mark: u32| {
            let mut frame = self.frame_at(at);
            frame.registers.set(number, mark);
            [frame]
        };
        let [first, second] = MARKS.map(frame);
        let symbols = self.symbols()?;
        let first = FrameState::new(self.environment, &first)?;
        let second = FrameState::new(self.environment, &second)?;
        for source in symbols.frames_at(CodeAddress::Instruction(at)) {
            let values = symbols.locals_at(source.scope, &first, PLAIN);
            let changed = symbols.locals_at(source.scope, &second, PLAIN);
            let follows = |(a, b): &(Variable<'d>, Variable<'d>)| {
                !a.shadowed && [&a.value, &b.value].map(word) == MARKS.map(Some)
            };
            let mut found: Vec<_> = values.into_iter().zip(changed).filter(follows).collect();
            // Of several in one register a pointer says most.
            found.sort_by_key(|(v, _)| !matches!(v.value.kind, ValueKind::Pointer(_)));
            if let Some((variable, _)) = found.into_iter().next() {
                let ty = Some(variable.value.ty);
                return Some(Named { text: variable.name.to_string(), ty });
            }
        }
        None
    }

    /// The variable of the frame at `register` plus `offset`, when the register still holds what it
    /// held at `at`.
    fn variable_at(&self, at: Address, register: u8, offset: u32) -> Option<Named> {
        if at != self.at && !self.body()?.is_unchanged(register, at, self.at) {
            return None;
        }
        let address = self.frame.registers.core(register)?.wrapping_add(offset);
        let symbols = self.symbols()?;
        let frame = [self.frame_at(at)];
        let state = FrameState::new(self.environment, &frame)?;
        for source in symbols.frames_at(CodeAddress::Instruction(at)) {
            for variable in symbols.locals_at(source.scope, &state, PLAIN) {
                let Some(start) = variable.value.place.address() else { continue };
                let Some(distance) = address.checked_sub(start.0) else { continue };
                let part = symbols.part_at(variable.value.ty, u64::from(distance));
                if let Some(part) = part.filter(|_| !variable.shadowed) {
                    let text = format!("{}{}", variable.name, part.path);
                    return Some(Named { text, ty: Some(part.ty) });
                }
            }
        }
        None
    }

    /// The frame as if it had stopped at `at`: only where variables live is asked of it.
    fn frame_at(&self, at: Address) -> UnwoundFrame {
        UnwoundFrame { pc: CodeAddress::Instruction(at), ..self.frame.clone() }
    }
}

/// A number or pointer of at most a word.
fn word(value: &Value<'_>) -> Option<u32> {
    match value.kind {
        ValueKind::Pointer(address) => Some(address.0),
        ValueKind::Unsigned(number) => u32::try_from(number).ok(),
        // The bits count.
        ValueKind::Signed(number) => i32::try_from(number).ok().map(|number| number as u32),
        _ => None,
    }
}

/// `text` as it stands before `->` or `[`.
fn postfix(text: &str) -> String {
    if text.starts_with('*') { format!("({text})") } else { text.to_string() }
}
