//! Names that somebody types or points at: `sensor.samples[3]`, `*head`, `$sp`, `0x20000000`.

use serde_json::{Value, json};

use super::{Session, frame_of, number, set};
use crate::analysis::inspector::Item;
use crate::report::Registers;

/// Steps of one path.
const MOST_STEPS: usize = 64;

impl Session<'_, '_> {
    pub(super) fn evaluate(&mut self, arguments: &Value) -> Result<Value, String> {
        let text = arguments.get("expression").and_then(Value::as_str).unwrap_or_default().trim();
        let (thread, frame) = number(arguments, "frameId").map(frame_of).unwrap_or_default();
        if let Some(item) = self.look_up(text, thread, frame) {
            let mut shown = self.variable(item);
            let value = shown.get("value").cloned().unwrap_or_default();
            set(&mut shown, "result", value);
            return Ok(shown);
        }
        let registers = self.frame(thread, frame).map(|(_, frame)| frame.registers.clone());
        let registers = registers.unwrap_or_else(|| Registers(Vec::new()));
        let name = text.strip_prefix('$').unwrap_or(text);
        if let Some((_, value)) = registers.0.iter().find(|(register, _)| register == name) {
            let text = value.to_string();
            return Ok(json!({ "result": text, "variablesReference": 0, "memoryReference": text }));
        }
        let at = self.inspector.address_of(text, &registers)?;
        let name = self.inspector.name_of(at).map_or_else(String::new, |name| format!(" <{name}>"));
        let held = self.inspector.memory().read_u32(at);
        let held = held.map_or_else(|_| String::new(), |word| format!(": 0x{word:08x}"));
        let reference = at.to_string();
        let result = format!("{at}{name}{held}");
        Ok(json!({ "result": result, "variablesReference": 0, "memoryReference": reference }))
    }

    /// The variable that `text` names, or a part of one.
    fn look_up(&self, text: &str, thread: usize, frame: usize) -> Option<Item> {
        let path = text.strip_prefix('*').unwrap_or(text);
        let end = path.find(['.', '[', '-']).unwrap_or(path.len());
        let (name, mut rest) = path.split_at_checked(end)?;
        let local = self.locals(thread, frame).into_iter().find(|item| item.name == name);
        let mut item = local.or_else(|| {
            let known = self.inspector.globals();
            let index = known.iter().position(|global| global.name == name)?;
            self.inspector.global(index)
        })?;
        for _ in 0..MOST_STEPS {
            if rest.is_empty() {
                break;
            }
            let part = item.part.as_ref()?;
            if let Some(inner) = rest.strip_prefix('[') {
                let (index, later) = inner.split_once(']')?;
                let index: u64 = index.trim().parse().ok()?;
                item = self.inspector.children(part, index).items.into_iter().next()?;
                rest = later;
            } else {
                let inner = rest.strip_prefix("->").or_else(|| rest.strip_prefix('.'))?;
                let end = inner.find(['.', '[', '-']).unwrap_or(inner.len());
                let (member, later) = inner.split_at_checked(end)?;
                let parts = self.inspector.children(part, 0).items;
                item = parts.into_iter().find(|item| item.name == member)?;
                rest = later;
            }
        }
        if !rest.is_empty() {
            return None;
        }
        match text.starts_with('*') {
            // What a pointer leads to opens as the pointer itself does.
            true => item.target.is_some().then_some(item),
            false => Some(item),
        }
    }
}
