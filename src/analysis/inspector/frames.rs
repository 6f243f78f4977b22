//! Arguments and locals of one frame of the report.

use super::super::unwind::{self, Environment, UnwoundFrame};
use super::super::variables::FrameState;
use super::Inspector;
use super::values::{Item, SHALLOW};
use crate::base::Address;
use crate::report::Hex32;
use crate::symbols::VariableKind;

impl Inspector<'_, '_> {
    /// Arguments, then locals (those of inner blocks first) of frame number `frame` of the thread
    /// that the report lists under `id`.
    pub fn frame_variables(&self, id: &str, frame: u32) -> Vec<Item> {
        let frames = self.frames_of(id);
        let environment = self.core.environment();
        let mut left = usize::try_from(frame).unwrap_or(usize::MAX);
        for (position, unwound) in frames.iter().enumerate() {
            let file = self.core.symbols.at(unwound.pc.lookup());
            let sources = file.map(|file| file.frames_at(unwound.pc)).unwrap_or_default();
            // Functions that were inlined at its address come first, as in the report.
            let Some(later) = left.checked_sub(sources.len().max(1)) else {
                let callers = frames.get(position..).unwrap_or_default();
                let state = FrameState::new(&environment, callers);
                let (Some(file), Some(source), Some(state)) = (file, sources.get(left), state)
                else {
                    return Vec::new();
                };
                let mut found = file.locals_at(source.scope, &state, SHALLOW);
                // A stable sort: within a block the order of the source stays.
                found.sort_by_key(|variable| {
                    let local = variable.kind == VariableKind::Local;
                    (local, std::cmp::Reverse(if local { variable.block } else { 0 }))
                });
                let items = found.iter().map(|variable| Item {
                    argument: variable.kind == VariableKind::Argument,
                    ..self.item(file, variable.name, &variable.value, &state)
                });
                return items.collect();
            };
            left = later;
        }
        Vec::new()
    }

    /// The physical frames of a thread of the report.
    fn frames_of(&self, id: &str) -> Vec<UnwoundFrame> {
        let running = |exception: u16| {
            let mut contexts = self.contexts().iter();
            contexts
                .find(|c| c.exception == exception)
                .map(|c| c.frames.clone())
                .unwrap_or_default()
        };
        if let Some(number) = id.strip_prefix("exception ") {
            return number.parse().map(running).unwrap_or_default();
        }
        let environment = self.core.environment();
        let digits = id.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(address) = digits else { return running(0) };
        let threads = self.core.state().into_iter().flat_map(|state| &state.threads);
        if let Some(thread) = threads.into_iter().find(|t| t.address == Address(address)) {
            if thread.current {
                return running(0);
            }
            let own = Environment { thread_stack: thread.stack, ..environment };
            return unwind::thread(&thread.registers, &own).frames;
        }
        let mut stored = self.core.snapshot.threads.iter().skip(1);
        match stored.find(|stored| Hex32(stored.id).to_string() == id) {
            Some(stored) => unwind::thread(&stored.registers, &environment).frames,
            None => running(0),
        }
    }
}
