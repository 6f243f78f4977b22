//! Variables of a frame, its registers, globals, and the parts of each on demand.

use serde_json::{Value, json};

use super::{Session, number, set};
use crate::analysis::inspector::{Item, Part};

/// References that are given out in one session; what comes behind cannot be opened.
const MOST_HANDLES: usize = 1 << 18;
/// Globals that are given at once.
const GLOBALS: usize = 500;

/// What a reference to variables stands for.
#[derive(Clone, Debug)]
pub(super) enum Handle {
    /// Arguments and locals of a frame: thread, from 1, and frame.
    Locals(usize, usize),
    /// Registers of a frame.
    Registers(usize, usize),
    /// Globals from this one on.
    Globals(usize),
    /// The parts of a value, from this one on.
    Parts(Part, u64),
}

impl Session<'_, '_> {
    /// The number by which the client asks for `handle`; 0 when there are too many.
    pub(super) fn reference(&mut self, handle: Handle) -> usize {
        if self.handles.len() >= MOST_HANDLES {
            return 0;
        }
        self.handles.push(handle);
        self.handles.len()
    }

    pub(super) fn variables(&mut self, arguments: &Value) -> Result<Value, String> {
        let handle = number(arguments, "variablesReference")
            .and_then(|number| self.handles.get(number.checked_sub(1)?).cloned())
            .ok_or("no such variables")?;
        let variables = match handle {
            Handle::Locals(thread, frame) => {
                let items = self.locals(thread, frame);
                items.into_iter().map(|item| self.variable(item)).collect()
            }
            Handle::Registers(thread, frame) => {
                let registers = self.frame(thread, frame).map(|(_, frame)| &frame.registers.0);
                let shown = registers.into_iter().flatten().map(|(name, value)| {
                    let text = value.to_string();
                    json!({
                        "name": name, "value": text, "variablesReference": 0,
                        "memoryReference": text,
                    })
                });
                shown.collect()
            }
            Handle::Globals(from) => self.globals(from),
            Handle::Parts(part, from) => self.parts(&part, from),
        };
        Ok(json!({ "variables": Value::Array(variables) }))
    }

    /// Arguments and locals of a frame.
    pub(super) fn locals(&self, thread: usize, frame: usize) -> Vec<Item> {
        let found = self.frame(thread, frame);
        let index = u32::try_from(frame).unwrap_or(u32::MAX);
        found.map_or_else(Vec::new, |(thread, _)| self.inspector.frame_variables(&thread.id, index))
    }

    fn globals(&mut self, from: usize) -> Vec<Value> {
        let mut index = from;
        let mut shown = Vec::new();
        while let Some(item) = self.inspector.global(index).filter(|_| shown.len() < GLOBALS) {
            shown.push(self.variable(item));
            index = index.saturating_add(1);
        }
        if self.inspector.global(index).is_some() {
            shown.push(self.more(Handle::Globals(index)));
        }
        shown
    }

    fn parts(&mut self, part: &Part, from: u64) -> Vec<Value> {
        let found = self.inspector.children(part, from);
        let next = from.saturating_add(found.items.len() as u64);
        let mut shown: Vec<Value> =
            found.items.into_iter().map(|item| self.variable(item)).collect();
        if found.more > 0 {
            shown.push(self.more(Handle::Parts(part.clone(), next)));
        }
        shown
    }

    /// An entry that opens to what comes next.
    fn more(&mut self, handle: Handle) -> Value {
        json!({ "name": "…", "value": "more", "variablesReference": self.reference(handle) })
    }

    /// A value as the protocol has it.
    pub(super) fn variable(&mut self, item: Item) -> Value {
        let reference = item.part.map_or(0, |part| self.reference(Handle::Parts(part, 0)));
        let mut shown = json!({
            "name": item.name,
            "value": item.text,
            "type": &*item.type_name,
            "variablesReference": reference,
        });
        if let Some(address) = item.target.or(item.address) {
            set(&mut shown, "memoryReference", json!(address.to_string()));
        }
        shown
    }
}
