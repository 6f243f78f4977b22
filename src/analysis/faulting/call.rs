//! A call that did not come back: what it was given, and what was printed on the way to it.
//!
//! Values are those that the code itself holds, and those of registers that calls leave alone
//! (AAPCS32 6.1.1), of what the caller's own call passed, and of memory that they point to. What
//! cannot be told is left open.

use crate::analysis::unwind::{Environment, UnwoundFrame};
use crate::arch::cortex_m::dataflow::{Body, SP, Source};
use crate::arch::cortex_m::exception::Code as _;
use crate::base::printf::{self, Argument, Slot};
use crate::base::{Address, AddressRange};
use crate::snapshot::Register;
use crate::symbols::{CodeAddress, SymbolKind};

/// Longest text that is read.
const LONGEST_TEXT: usize = 512;
/// Registers that are followed to know one.
const MAX_DEPTH: usize = 8;
/// Callers that are asked what they passed.
const MOST_CALLERS: usize = 4;
/// Lines that are told.
const MOST_LINES: usize = 8;
/// Arguments of a call that are passed in registers.
const IN_REGISTERS: u32 = 4;

/// The call that a frame waits to return from.
pub(in crate::analysis) struct Call<'a, 'd> {
    environment: &'a Environment<'a, 'd>,
    frame: &'a UnwoundFrame,
    /// The frames that this led to, and those that led to it.
    inner: Vec<&'a UnwoundFrame>,
    outer: &'a [UnwoundFrame],
    body: Body,
    at: Address,
    /// Bit n: rn of the frame is what the function left in it.
    kept: u16,
}

impl<'a, 'd> Call<'a, 'd> {
    /// The call in the first of `frames`, behind which its callers stand; `inner` are the frames
    /// that it led to, of handlers too.
    pub(in crate::analysis) fn of(
        frames: &'a [UnwoundFrame],
        inner: Vec<&'a UnwoundFrame>,
        environment: &'a Environment<'a, 'd>,
    ) -> Option<Call<'a, 'd>> {
        let (frame, outer) = frames.split_first()?;
        let outer = outer.get(..outer.len().min(MOST_CALLERS))?;
        let body = body(frame.pc.lookup(), environment)?;
        let back = frame.pc.address().without_thumb_bit();
        // BL has four bytes, BLX Rm two.
        let at = [4, 2].into_iter().filter_map(|length| back.checked_sub(length));
        let at = at.into_iter().find(|at| body.calls(*at))?;
        let mut kept = 1 << SP;
        let bodies: Vec<Body> =
            inner.iter().filter_map(|frame| self::body(frame.pc.lookup(), environment)).collect();
        for register in 4..=11 {
            // From the call inwards: what one has pushed is safe from the rest.
            let mut fates =
                bodies.iter().rev().map(|body| body.pushes(environment.memory, register));
            if fates.find_map(|fate| fate).unwrap_or(true) {
                kept |= 1 << register;
            }
        }
        Some(Call { environment, frame, inner, outer, body, at, kept })
    }

    /// Argument `index` of the call, from 0, as a word.
    pub(in crate::analysis) fn argument(&self, index: u32) -> Option<u32> {
        self.argument_of(self.at, index)
    }

    /// The C string at `address`, its first part if it is long.
    pub(in crate::analysis) fn text(&self, address: u32) -> Option<String> {
        let memory = self.environment.memory;
        let bytes = memory.read_c_string(Address(address), LONGEST_TEXT).ok()?;
        readable(bytes).filter(|_| !memory.is_redacted(Address(address)))
    }

    /// The text of `length` bytes at `address`.
    pub(in crate::analysis) fn slice(&self, address: u32, length: u32) -> Option<String> {
        let range = AddressRange::new(Address(address), u64::from(length))?;
        let memory = self.environment.memory;
        let bytes = memory.read_range(range, LONGEST_TEXT).ok()?;
        readable(bytes).filter(|_| !memory.is_redacted(Address(address)))
    }

    /// Other lines of the function from which jumps lead to this call, in order: compilers make one
    /// call of several that are the same, and it has the line of one of them.
    pub(in crate::analysis) fn other_lines(&self) -> Vec<u32> {
        let place = |at| self.environment.symbols.line_at(CodeAddress::Instruction(at));
        let Some(own) = place(self.at) else { return Vec::new() };
        let Some((start, jumps)) = self.body.jumps_before(self.at) else { return Vec::new() };
        // What stands between belongs to another statement.
        if place(start).is_none_or(|first| first.line != own.line) {
            return Vec::new();
        }
        let others = jumps.into_iter().filter_map(place);
        let others = others.filter(|other| other.file == own.file && other.line != own.line);
        let mut lines: Vec<_> = others.filter_map(|other| other.line).collect();
        lines.sort_unstable();
        lines.dedup();
        lines.truncate(MOST_LINES);
        lines
    }

    /// Where the call stands.
    pub(in crate::analysis) fn address(&self) -> Address {
        self.at
    }

    /// The word at `address`.
    pub(in crate::analysis) fn word(&self, address: u32) -> Option<u32> {
        self.environment.memory.read_u32(Address(address)).ok()
    }

    /// The calls of `printers` that the code made right before, the last one first: the format
    /// and its first argument as a text, and what was printed.
    pub(in crate::analysis) fn printed(&self, printers: &[&str]) -> Vec<Printed> {
        let calls = self.body.calls_before(self.at);
        let prints = |(_, target): &(Address, Option<Address>)| {
            let symbol = target.and_then(|target| self.environment.symbols.symbol_at(target));
            symbol.is_some_and(|(symbol, offset)| offset == 0 && printers.contains(&symbol.name))
        };
        let calls = calls.into_iter().take_while(prints).enumerate();
        calls.map_while(|(index, (at, _))| self.print(at, index == 0)).collect()
    }

    /// `last`: nothing has overwritten its arguments on the stack since.
    fn print(&self, at: Address, last: bool) -> Option<Printed> {
        let format = self.text(self.argument_of(at, 0)?)?;
        let known = if last { u32::MAX } else { IN_REGISTERS };
        let mut next = 1_u32;
        let mut arguments = Vec::new();
        let mut complete = true;
        for slot in printf::slots(&format) {
            if matches!(slot, Slot::Wide | Slot::Double) {
                next = next.next_multiple_of(2);
            }
            let word = |index: u32| {
                Some(index).filter(|index| *index < known).and_then(|i| self.argument_of(at, i))
            };
            let (low, high) = (word(next), word(next.saturating_add(1)));
            let both = || Some(u64::from(high?) << 32 | u64::from(low?));
            // An argument of another sort lets the conversion show itself.
            let (argument, taken) = match slot {
                Slot::Word => {
                    (low.map(|word| Argument::Integer { value: word.into(), wide: false }), 1)
                }
                Slot::Text => (low.and_then(|at| self.text(at)).map(Argument::Text), 1),
                Slot::Wide => {
                    (both().map(|value| Argument::Integer { value: value.into(), wide: true }), 2)
                }
                Slot::Double => (both().map(|bits| Argument::Float(f64::from_bits(bits))), 2),
            };
            let unknown = match slot {
                Slot::Text => Argument::Integer { value: 0, wide: false },
                _ => Argument::Text(String::new()),
            };
            complete &= argument.is_some();
            arguments.push(argument.unwrap_or(unknown));
            next = next.saturating_add(taken);
        }
        let text = printf::format(&format, &arguments).trim().to_string();
        let first = match arguments.into_iter().next() {
            Some(Argument::Text(text)) => Some(text),
            _ => None,
        };
        Some(Printed { format, first, text, complete })
    }

    fn argument_of(&self, at: Address, index: u32) -> Option<u32> {
        let Some(on_stack) = index.checked_sub(IN_REGISTERS) else {
            return self.value(at, u8::try_from(index).ok()?, MAX_DEPTH);
        };
        let stack = self.value(at, SP, MAX_DEPTH)?;
        self.word(stack.checked_add(on_stack.checked_mul(4)?)?)
    }

    /// What the instruction at `at` finds in `register`.
    fn value(&self, at: Address, register: u8, depth: usize) -> Option<u32> {
        let depth = depth.checked_sub(1)?;
        if self.kept >> register & 1 == 1 && self.body.is_unchanged(register, at, self.at) {
            return match register {
                SP => self.frame.registers.get(Register::SP),
                _ => self.frame.registers.core(register),
            };
        }
        if let Some((at, from)) = self.body.copy(at, register) {
            return self.value(at, from, depth);
        }
        let origin = self.body.origin(at, register)?;
        match origin.source {
            Source::Constant(value) => Some(value),
            Source::Sum { from, amount } => {
                Some(self.value(origin.at, from, depth)?.wrapping_add(amount))
            }
            Source::Load { base, offset, size } => {
                let address = Address(self.value(origin.at, base, depth)?.wrapping_add(offset));
                let memory = self.environment.memory;
                match size {
                    4 => memory.read_u32(address).ok(),
                    2 => memory.read_u16(address).ok().map(u32::from),
                    _ => memory.read_u8(address).ok().map(u32::from),
                }
            }
            Source::Entry => self.at_entry(origin.register),
            _ => None,
        }
    }

    /// What `register` held when the function was called.
    fn at_entry(&self, register: u8) -> Option<u32> {
        if u32::from(register) >= IN_REGISTERS {
            // The unwinder restores those that a function must leave as they were.
            let caller = self.outer.first().filter(|_| (4..=11).contains(&register))?;
            return caller.registers.core(register);
        }
        let inner = self.inner.iter().copied().chain([self.frame]).collect();
        Call::of(self.outer, inner, self.environment)?.argument(register.into())
    }
}

/// What one call printed.
#[derive(Debug)]
pub(in crate::analysis) struct Printed {
    pub(in crate::analysis) format: String,
    /// The first argument, when it is a text.
    pub(in crate::analysis) first: Option<String>,
    /// The whole text, without white space around it.
    pub(in crate::analysis) text: String,
    /// Whether all its arguments are known.
    pub(in crate::analysis) complete: bool,
}

/// Whether `at` stands in a loop that has no way out.
pub(in crate::analysis) fn is_endless(at: Address, environment: &Environment<'_, '_>) -> bool {
    body(at, environment).is_some_and(|body| body.is_endless(environment.memory, at))
}

fn body(at: Address, environment: &Environment<'_, '_>) -> Option<Body> {
    let (symbol, _) = environment.symbols.at(at)?.symbol_at(at)?;
    let is_function = symbol.kind == SymbolKind::Function && symbol.size > 0;
    let range = AddressRange::new(symbol.address, u64::from(symbol.size))?;
    let is_code = |at| environment.is_code(at);
    is_function.then(|| Body::decode(environment.memory, range, &is_code))?
}

/// Text that a person wrote: what is no UTF-8 or holds control characters is no such text.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    (!text.chars().any(odd)).then_some(text)
}
