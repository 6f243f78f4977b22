//! Values of variables as the report shows them.

use super::room::Room;
use super::unwind::{Environment, UnwoundFrame, dwarf_register};
use crate::base::{Address, Memory};
use crate::report::{self, Hex32, Notes, Severity, Status};
use crate::symbols::{
    CodeAddress, FrameContext, Limits, Missing, SourceFrame, SymbolFile, Symbols, Value, ValueKind,
    VariableKind,
};
use std::cell::OnceCell;

/// How much of each variable goes into a report; an inspector asks for more where it is wanted.
const LIMITS: Limits = Limits { depth: 6, elements: 64, nodes: 1024, string: 200 };

/// Just the number in a variable.
pub(super) const PLAIN: Limits = Limits { depth: 0, elements: 0, nodes: 1, string: 0 };

/// A frame as location expressions see it.
pub(super) struct FrameState<'a> {
    memory: &'a dyn Memory,
    frame: &'a UnwoundFrame,
    callers: &'a [UnwoundFrame],
    caller: OnceCell<Option<Box<FrameState<'a>>>>,
}

impl<'a> FrameState<'a> {
    /// `frames` begins with the frame itself and goes on with its callers.
    pub(super) fn new(
        environment: &'a Environment<'_, '_>,
        frames: &'a [UnwoundFrame],
    ) -> Option<FrameState<'a>> {
        FrameState::within(environment.memory, frames)
    }

    fn within(memory: &'a dyn Memory, frames: &'a [UnwoundFrame]) -> Option<FrameState<'a>> {
        let (frame, callers) = frames.split_first()?;
        Some(FrameState { memory, frame, callers, caller: OnceCell::new() })
    }
}

impl FrameContext for FrameState<'_> {
    fn register(&self, number: u16) -> Option<u64> {
        dwarf_register(&self.frame.registers, number)
    }

    fn cfa(&self) -> Option<Address> {
        self.frame.cfa
    }

    fn memory(&self) -> &dyn Memory {
        self.memory
    }

    fn pc(&self) -> CodeAddress {
        self.frame.pc
    }

    fn caller(&self) -> Option<&dyn FrameContext> {
        let caller =
            self.caller.get_or_init(|| FrameState::within(self.memory, self.callers).map(Box::new));
        caller.as_deref().map(|caller| caller as &dyn FrameContext)
    }
}

/// Arguments and locals of `source` in the frame `state`; locals of inner blocks first.
pub(super) fn of_frame(
    symbols: &SymbolFile<'_>,
    source: &SourceFrame<'_>,
    state: &FrameState<'_>,
    room: &mut Room,
) -> (Vec<report::Variable>, Vec<report::Variable>) {
    let mut arguments = Vec::new();
    let mut locals = Vec::new();
    if !room.for_value() {
        return (arguments, Vec::new());
    }
    for variable in symbols.locals_at(source.scope, state, LIMITS) {
        if !room.for_value() {
            break;
        }
        let shown = convert(symbols, variable.name, &variable.value, state.memory);
        room.take_value(&shown);
        match variable.kind {
            VariableKind::Argument => arguments.push(shown),
            VariableKind::Local => locals.push((variable.block, shown)),
        }
    }
    // A stable sort: within a block the order of the source stays.
    locals.sort_by_key(|(block, _)| std::cmp::Reverse(*block));
    (arguments, locals.into_iter().map(|(_, shown)| shown).collect())
}

/// The number in the argument called `name`, when it is one and is known.
pub(super) fn argument(
    symbols: &SymbolFile<'_>,
    source: &SourceFrame<'_>,
    state: &FrameState<'_>,
    name: &str,
) -> Option<i64> {
    let variables = symbols.locals_at(source.scope, state, PLAIN);
    let is_meant = |variable: &&crate::symbols::Variable<'_>| {
        variable.kind == VariableKind::Argument && variable.name == name
    };
    match variables.iter().find(is_meant)?.value.kind {
        ValueKind::Signed(number) => Some(number),
        ValueKind::Unsigned(number) => i64::try_from(number).ok(),
        ValueKind::Enum { value, .. } => Some(value),
        _ => None,
    }
}

/// Every global and static of every image, by name; a name that several images have is prefixed
/// with the image's.
pub(super) fn globals(
    symbols: &Symbols<'_, '_>,
    memory: &dyn Memory,
) -> (Vec<report::Variable>, Notes) {
    let mut notes = Notes::default();
    let mut room = Room::for_globals();
    let mut shown: Vec<(&str, report::Variable)> = Vec::new();
    for file in symbols.files() {
        let image = symbols.name_of(file);
        let mut lost = 0_usize;
        for global in file.globals() {
            if !room.for_value() {
                break;
            }
            let holder = global.place.address().and_then(|address| symbols.at(address));
            if holder.is_some_and(|holder| !std::ptr::eq(holder, *file)) {
                lost = lost.saturating_add(1);
                continue;
            }
            let value = file.global_value(global, memory, LIMITS);
            let converted = convert(file, &global.full_name(), &value, memory);
            room.take_value(&converted);
            shown.push((image, converted));
        }
        if lost > 0 {
            let text =
                format!("{lost} globals of {image} are left out: another ELF has their memory");
            notes.add(Severity::Info, "globals_overlaid", text);
        }
    }
    room.remark("globals", &mut notes);
    shown.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    for same in shown.chunk_by_mut(|(_, a), (_, b)| a.name == b.name) {
        let several = same.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a != b));
        for (image, variable) in same.iter_mut().filter(|_| several) {
            variable.name = format!("{image}::{}", variable.name);
        }
    }
    (shown.into_iter().map(|(_, variable)| variable).collect(), notes)
}

fn convert<'d>(
    symbols: &SymbolFile<'d>,
    name: &str,
    value: &Value<'d>,
    memory: &dyn Memory,
) -> report::Variable {
    let mut shown = report::Variable {
        name: name.to_string(),
        type_name: value.type_name.clone(),
        address: value.address.map(Hex32::from),
        size: value.size,
        ..report::Variable::default()
    };
    let left_out = |omitted: u64| (omitted > 0).then_some(omitted);
    match &value.kind {
        ValueKind::Missing(missing) => shown.status = status_of(*missing, memory),
        ValueKind::Struct { members, omitted } | ValueKind::Union { members, omitted } => {
            shown.children = members
                .iter()
                .map(|member| convert(symbols, member.name.unwrap_or(""), &member.value, memory))
                .collect();
            shown.omitted = left_out(*omitted);
            shown.summary = symbols.summary(value, memory);
        }
        ValueKind::Array { elements, omitted } => {
            let mut index = 0_u64;
            for element in elements {
                let mut part = convert(symbols, &format!("[{index}]"), &element.value, memory);
                part.repeats = (element.count > 1).then_some(element.count);
                shown.children.push(part);
                index = index.saturating_add(element.count);
            }
            shown.omitted = left_out(*omitted);
        }
        ValueKind::Text { omitted, .. } => {
            shown.value = symbols.render_leaf(value, memory, LIMITS);
            shown.omitted = left_out(*omitted);
        }
        _ => shown.value = symbols.render_leaf(value, memory, LIMITS),
    }
    shown
}

/// Why a value cannot be shown.
pub(super) fn status_of(missing: Missing, memory: &dyn Memory) -> Status {
    match missing {
        Missing::OptimizedOut => Status::OptimizedOut,
        Missing::NotCaptured { address: Some(address) } if memory.is_redacted(address) => {
            Status::Redacted
        }
        Missing::NotCaptured { .. } => Status::NotCaptured,
        Missing::Unreadable { .. } => Status::Unreadable,
    }
}
