//! The message and the place of a Rust panic: what `core` was given when it gave up.
//!
//! Found in a `PanicInfo` of any frame by the debug information, else in the registers of the call of
//! `panic_fmt`. Values are spelled by the function that would format them. `fmt::Arguments` is not
//! stable: it has a template of bytes since Rust 1.93 ([`template`]), and slices before ([`slices`]).

mod slices;
mod template;

use super::{Context, Scene};
use crate::analysis::faulting::Call;
use crate::analysis::unwind::{Environment, UnwoundFrame};
use crate::analysis::variables::{FrameState, PLAIN};
use crate::base::{Address, AddressRange};
use crate::symbols::{CodeAddress, SymbolFile, TypeKind, TypeRef, ValueKind};
use template::{Form, Piece, Style, pieces};

/// Longest text that is read.
const LONGEST: usize = 512;
/// Messages within messages, and references to references.
const MAX_DEPTH: usize = 6;
/// Largest line or column of a source file that is believed.
const MOST_LINES: u32 = 1_000_000;
/// Functions that are given the message in registers: template and arguments, before Rust 1.93 a
/// pointer to both; then `&Location`.
const GIVEN: &[&str] = &["core::panicking::panic_fmt"];

/// What a panic said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Panicked {
    /// With its arguments.
    pub(super) message: Option<String>,
    /// File, line and column.
    pub(super) location: Option<String>,
}

impl Scene<'_, '_> {
    /// The panic that `context` is in.
    pub(super) fn rust_panic(&self, context: &Context) -> Option<Panicked> {
        let reader = Reader { environment: self.environment };
        let indexes = 0..context.frames.len();
        let told = indexes.clone().find_map(|index| reader.in_frame(context.frames.get(index..)?));
        told.or_else(|| indexes.clone().find_map(|index| self.in_call(context, index, &reader)))
    }

    /// From the call of a function in [`GIVEN`], which frame `callee` executes.
    fn in_call(
        &self,
        context: &Context,
        callee: usize,
        reader: &Reader<'_, '_>,
    ) -> Option<Panicked> {
        let places = self.functions_of(context.frames.get(callee)?);
        let is_given = |name: &str| GIVEN.contains(&name);
        places.last().filter(|place| is_given(&place.function))?;
        let at = callee.checked_add(1)?;
        let handlers = self.contexts.get(..self.crashed?)?.iter().flat_map(|c| &c.frames);
        let inner = handlers.chain(context.frames.get(..at)?).collect();
        let call = Call::of(context.frames.get(at..)?, inner, self.environment)?;
        let symbols = self.environment.symbols.at(context.frames.get(callee)?.pc.lookup())?;
        let ty = symbols.type_by_name("Arguments")?;
        let has_template = symbols.layout_in(ty, "template").is_some();
        // A handler that asks for nothing lets the compiler drop all of it: what the registers hold
        // then is something else.
        let location = reader.location(call.argument(if has_template { 2 } else { 1 })?)?;
        let first = call.argument(0);
        let message = if has_template {
            let template = first.zip(call.argument(1));
            template.and_then(|(template, args)| reader.message(template, args, MAX_DEPTH))
        } else {
            first.and_then(|at| reader.interleaved(symbols, ty, Address(at), MAX_DEPTH))
        };
        Some(Panicked { message, location: Some(location) })
    }
}

/// Reads what `core` keeps in memory.
struct Reader<'a, 'd> {
    environment: &'a Environment<'a, 'd>,
}

impl Reader<'_, '_> {
    fn word(&self, at: u32) -> Option<u32> {
        self.environment.memory.read_u32(Address(at)).ok()
    }

    fn member(
        &self,
        symbols: &SymbolFile<'_>,
        ty: TypeRef,
        at: Address,
        name: &str,
    ) -> Option<u32> {
        let offset = u32::try_from(symbols.layout_in(ty, name)?.offset_bytes).ok()?;
        self.word(at.checked_add(offset)?.0)
    }

    /// From a variable of the first of `frames` that is a `PanicInfo` or a reference to one.
    fn in_frame(&self, frames: &[UnwoundFrame]) -> Option<Panicked> {
        let frame = frames.first()?;
        let symbols = self.environment.symbols.at(frame.pc.lookup())?;
        let state = FrameState::new(self.environment, frames)?;
        let is_info = |ty: TypeRef| symbols.type_info(ty).name == Some("PanicInfo");
        for source in symbols.frames_at(frame.pc) {
            for variable in symbols.locals_at(source.scope, &state, PLAIN) {
                let ty = symbols.strip_type(variable.value.ty);
                let info = symbols.type_info(ty);
                let target = symbols.strip_type(info.target);
                let found = match (&variable.value.kind, variable.value.address) {
                    (ValueKind::Pointer(at), _) if is_info(target) => Some((target, *at)),
                    (_, Some(at)) if info.kind == TypeKind::Struct && is_info(ty) => Some((ty, at)),
                    _ => None,
                };
                let panicked = found.and_then(|(ty, at)| self.info(symbols, ty, at));
                if panicked.is_some() {
                    return panicked;
                }
            }
        }
        None
    }

    /// The `PanicInfo` at `at`.
    fn info(&self, symbols: &SymbolFile<'_>, ty: TypeRef, at: Address) -> Option<Panicked> {
        let arguments = Address(self.member(symbols, ty, at, "message")?);
        let location = self.member(symbols, ty, at, "location").and_then(|at| self.location(at))?;
        Some(Panicked {
            message: self.arguments(symbols, arguments, MAX_DEPTH),
            location: Some(location),
        })
    }

    /// The message of the `Arguments` at `at`.
    fn arguments(&self, symbols: &SymbolFile<'_>, at: Address, depth: usize) -> Option<String> {
        let ty = symbols.type_by_name("Arguments")?;
        let part = |name| self.member(symbols, ty, at, name);
        match part("template") {
            Some(template) => self.message(template, part("args")?, depth),
            None => self.interleaved(symbols, ty, at, depth),
        }
    }

    /// A `Location`: a name with its length, line and column.
    fn location(&self, at: u32) -> Option<String> {
        let word = |offset| self.word(at.checked_add(offset)?);
        let name = self.text(word(0)?, word(4)?).filter(|name| name.contains(".rs"))?;
        let (line, column) = (word(8)?, word(12)?);
        let is_place = line < MOST_LINES && column < MOST_LINES;
        is_place.then(|| format!("{name}:{line}:{column}"))
    }

    fn text(&self, at: u32, length: u32) -> Option<String> {
        let range = AddressRange::new(Address(at), u64::from(length))?;
        if length == 0 || self.environment.memory.is_redacted(Address(at)) {
            return (length == 0).then(String::new);
        }
        String::from_utf8(self.environment.memory.read_range(range, LONGEST).ok()?).ok()
    }

    /// The text of a template with its arguments.
    fn message(&self, template: u32, args: u32, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        // A text without arguments: its length stands in their place, marked by the lowest bit.
        if args & 1 == 1 {
            return self.text(template, args >> 1);
        }
        let memory = self.environment.memory;
        let mut text = String::new();
        for piece in pieces(memory, Address(template))? {
            match piece {
                Piece::Text(part) => text.push_str(&part),
                Piece::Argument { index, style } => {
                    text.push_str(&self.argument_of(args, index.into(), style, depth)?);
                }
            }
            if text.len() > LONGEST {
                break;
            }
        }
        Some(text)
    }

    /// Argument `index` of those at `args`, each a value and the function that writes it.
    fn argument_of(&self, args: u32, index: u32, style: Style, depth: usize) -> Option<String> {
        let at = args.checked_add(index.checked_mul(8)?)?;
        let (value, formatter) = (self.word(at)?, self.word(at.checked_add(4)?)?);
        Some(self.argument(value, formatter, style, depth).unwrap_or_else(|| "…".into()))
    }

    /// The value at `value` as `formatter` would write it.
    fn argument(&self, value: u32, formatter: u32, style: Style, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let at = Address(formatter).without_thumb_bit();
        let symbols = self.environment.symbols.at(at)?;
        let (symbol, _) = symbols.symbol_at(at)?;
        let name = symbol.readable();
        // `<u32 as core::fmt::Display>::fmt`, or as older compilers name it.
        let (ty, style_name) = match name.strip_prefix('<').and_then(|n| n.split_once(" as ")) {
            Some((ty, rest)) => (ty, rest.split_once(">::fmt")?.0),
            None => {
                let (style_name, ty) = name.split_once("<impl ")?.1.split_once(" for ")?;
                (ty.split_once(">::fmt")?.0, style_name)
            }
        };
        let form = Form::named(style_name.rsplit("::").next()?)?;
        let style = style.by(form);
        if ty != "&T" {
            return self.value(symbols, value, ty, style, depth);
        }
        // One symbol's name for all types: the debug information has the function as `fmt<str>`.
        let function = symbols.function_name(CodeAddress::Instruction(at))?;
        let target = function.strip_prefix("fmt<")?.strip_suffix('>')?;
        self.value(symbols, value, &format!("&{target}"), style, depth)
    }

    fn value(
        &self,
        symbols: &SymbolFile<'_>,
        at: u32,
        ty: &str,
        style: Style,
        depth: usize,
    ) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let memory = self.environment.memory;
        let read = |size: usize| {
            let mut bytes = [0_u8; 16];
            memory.read(Address(at), bytes.get_mut(..size)?).ok()?;
            Some(u128::from_le_bytes(bytes))
        };
        let is_dynamic = |ty: &str| ty.starts_with("dyn ");
        let text = match ty {
            "&str" | "str" => {
                style.text(&self.text(self.word(at)?, self.word(at.checked_add(4)?)?)?)
            }
            "core::fmt::Arguments" => self.arguments(symbols, Address(at), depth)?,
            "bool" => style.pad((read(1)? != 0).to_string()),
            "char" => style.character(char::from_u32(u32::try_from(read(4)?).ok()?)?),
            "f32" => style.float(f64::from(f32::from_bits(u32::try_from(read(4)?).ok()?))),
            "f64" => style.float(f64::from_bits(u64::try_from(read(8)?).ok()?)),
            "i8" => style.integer(read(1)?, 8, true),
            "i16" => style.integer(read(2)?, 16, true),
            "i32" | "isize" => style.integer(read(4)?, 32, true),
            "i64" => style.integer(read(8)?, 64, true),
            "u8" => style.integer(read(1)?, 8, false),
            "u16" => style.integer(read(2)?, 16, false),
            "u32" | "usize" => style.integer(read(4)?, 32, false),
            "u64" => style.integer(read(8)?, 64, false),
            _ => match ty.strip_prefix('&') {
                // A reference to a value of any type: the data, and what it can do, of which
                // formatting comes behind dropping, size and alignment.
                Some(inner) if is_dynamic(inner) => {
                    let vtable = self.word(at.checked_add(4)?)?;
                    let formatter = self.word(vtable.checked_add(12)?)?;
                    self.argument(self.word(at)?, formatter, style, depth)?
                }
                Some(inner) => self.value(symbols, self.word(at)?, inner, style, depth)?,
                None => style.spelled(&symbols.spelled_at(ty, Address(at), memory)?),
            },
        };
        Some(text)
    }
}
