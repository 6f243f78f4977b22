//! Where code executed: the functions of a context, and the one to name.

use super::{Context, Environment, Scene};
use crate::analysis::unwind::UnwoundFrame;
use crate::arch::cortex_m::exception::Code as _;
use crate::base::Address;
use crate::issue::{before_giving_up, is_machinery, is_rust_library, is_stack_check};
use crate::symbols::{SourceFrame, SourceLocation};
use std::fmt;

/// A function with the line that it had come to: `poll (sensor.c:12)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) function: String,
    pub(super) line: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        self.line.iter().try_for_each(|line| write!(f, " ({line})"))
    }
}

/// The functions of every frame, inlined ones included, innermost first.
pub(super) fn functions(context: &Context, environment: &Environment<'_, '_>) -> Vec<Place> {
    context.frames.iter().flat_map(|frame| of_frame(frame, environment)).collect()
}

fn of_frame(frame: &UnwoundFrame, environment: &Environment<'_, '_>) -> Vec<Place> {
    let Some(symbols) = environment.symbols.at(frame.pc.lookup()) else { return Vec::new() };
    let sources = symbols.frames_at(frame.pc);
    if sources.is_empty() {
        let symbol = symbols.symbol_at(frame.pc.lookup());
        let name = symbol.map(|(symbol, _)| symbol.readable().into_owned());
        return name.map(|function| Place { function, line: None }).into_iter().collect();
    }
    let place = |source: SourceFrame<'_>| {
        let line = source.location.as_ref().and_then(short);
        Some(Place { function: source.readable()?.into_owned(), line })
    };
    sources.into_iter().filter_map(place).collect()
}

/// `sensor.c:12`: the frames have the whole path.
pub(super) fn short(location: &SourceLocation<'_>) -> Option<String> {
    let file = location.file.rsplit(['/', '\\']).next()?;
    Some(format!("{file}:{}", location.line?))
}

impl Scene<'_, '_> {
    /// The functions of `context`, innermost first.
    pub(super) fn functions(&self, context: &Context) -> Vec<Place> {
        functions(context, self.environment)
    }

    /// The functions of one frame: of several, all but the last were inlined.
    pub(super) fn functions_of(&self, frame: &UnwoundFrame) -> Vec<Place> {
        of_frame(frame, self.environment)
    }

    /// The innermost function that is not part of the machinery of asserting and panicking.
    pub(super) fn blamed(&self, context: &Context) -> Option<Place> {
        let first = context.frames.first()?;
        if !self.environment.is_code(first.pc.lookup()) {
            let function = Address(first.registers.pc()?).to_string();
            return Some(Place { function, line: None });
        }
        let places = self.functions(context);
        let passes = |place: &&Place| {
            let name = &place.function;
            is_machinery(name) || is_stack_check(name) || is_rust_library(name)
        };
        let callers = before_giving_up(&places, |place| &place.function);
        callers.iter().find(|place| !passes(place)).or_else(|| places.first()).cloned()
    }
}
