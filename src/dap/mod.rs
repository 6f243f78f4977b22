//! A dump as a debuggee of the Debug Adapter Protocol: threads, frames, variables, memory.
//!
//! Source: the specification of the protocol, version 1.6x. [`Session::answer`] takes a request and
//! gives what is to be sent; reading and writing is the caller's. Nothing runs and nothing is written:
//! requests for that are refused.

mod evaluate;
mod memory;
mod variables;

use serde_json::{Map, Value, json};

use crate::analysis::inspector::Inspector;
use crate::report::{Frame, Report, Thread};
use variables::Handle;

/// Frames that are given at once.
const MOST_FRAMES: usize = 1000;

/// Requests that would change or run the target.
const REFUSED: [&str; 9] = [
    "continue",
    "next",
    "stepIn",
    "stepOut",
    "stepBack",
    "pause",
    "setVariable",
    "writeMemory",
    "restart",
];

/// A client's session with a dump.
pub struct Session<'a, 'd> {
    inspector: &'a Inspector<'a, 'd>,
    report: &'a Report,
    /// Number of the next message.
    sequence: u64,
    /// What was given out as a reference to variables, by number less one.
    handles: Vec<Handle>,
    /// Whether the client has gone.
    ended: bool,
}

impl std::fmt::Debug for Session<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl<'a, 'd> Session<'a, 'd> {
    /// A session with what `inspector` looks into and `report` says of it.
    pub fn new(inspector: &'a Inspector<'a, 'd>, report: &'a Report) -> Session<'a, 'd> {
        Session { inspector, report, sequence: 1, handles: Vec::new(), ended: false }
    }

    /// Whether the client has said goodbye.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The messages to send in answer to `request`: the response, then events.
    pub fn answer(&mut self, request: &Value) -> Vec<Value> {
        if request.get("type").and_then(Value::as_str) != Some("request") {
            return Vec::new();
        }
        let command = request.get("command").and_then(Value::as_str).unwrap_or_default();
        let empty = Value::Object(Map::new());
        let arguments = request.get("arguments").unwrap_or(&empty);
        let result = self.command(command, arguments);
        let mut response = json!({
            "type": "response",
            "request_seq": request.get("seq").cloned().unwrap_or(json!(0)),
            "command": command,
            "success": result.is_ok(),
        });
        match result {
            Ok(Value::Null) => {}
            Ok(body) => set(&mut response, "body", body),
            Err(text) => {
                set(&mut response, "message", json!(text));
                set(&mut response, "body", json!({ "error": { "id": 1, "format": text } }));
            }
        }
        let events = self.events(command);
        let mut messages = vec![response];
        messages.extend(
            events
                .into_iter()
                .map(|(event, body)| json!({ "type": "event", "event": event, "body": body })),
        );
        for message in &mut messages {
            set(message, "seq", json!(self.sequence));
            self.sequence = self.sequence.saturating_add(1);
        }
        messages
    }

    /// What follows on the response to `command`.
    fn events(&self, command: &str) -> Vec<(&'static str, Value)> {
        match command {
            "initialize" => vec![("initialized", json!({}))],
            "configurationDone" => {
                let crashed = self.report.threads.iter().position(|thread| thread.crashed);
                let text = &self.report.title;
                let body = json!({
                    "reason": "exception",
                    "description": text,
                    "text": text,
                    "threadId": crashed.unwrap_or(0).saturating_add(1),
                    "allThreadsStopped": true,
                });
                let summary = &self.report.cause.summary;
                let told =
                    json!({ "category": "console", "output": format!("{text}\n{summary}\n") });
                vec![("output", told), ("stopped", body)]
            }
            "disconnect" | "terminate" => vec![("terminated", json!({}))],
            _ => Vec::new(),
        }
    }

    fn command(&mut self, command: &str, arguments: &Value) -> Result<Value, String> {
        match command {
            "initialize" => Ok(json!({
                "supportsConfigurationDoneRequest": true,
                "supportsDelayedStackTraceLoading": true,
                "supportsDisassembleRequest": cfg!(feature = "disasm"),
                "supportsEvaluateForHovers": true,
                "supportsExceptionInfoRequest": true,
                "supportsReadMemoryRequest": true,
                "supportsTerminateRequest": true,
            })),
            "launch" | "attach" | "configurationDone" => Ok(Value::Null),
            "disconnect" | "terminate" => {
                self.ended = true;
                Ok(Value::Null)
            }
            "setBreakpoints" | "setFunctionBreakpoints" | "setInstructionBreakpoints" => {
                let wanted = arguments.get("breakpoints").and_then(Value::as_array);
                let refused = json!({ "verified": false, "message": "nothing runs in a dump" });
                Ok(json!({ "breakpoints": vec![refused; wanted.map_or(0, Vec::len)] }))
            }
            "setExceptionBreakpoints" => Ok(json!({ "breakpoints": [] })),
            "threads" => {
                let threads = self.report.threads.iter().zip(1..);
                let threads =
                    threads.map(|(thread, id)| json!({ "id": id, "name": named(thread) }));
                Ok(json!({ "threads": threads.collect::<Vec<_>>() }))
            }
            "stackTrace" => self.stack_trace(arguments),
            "scopes" => self.scopes(arguments),
            "variables" => self.variables(arguments),
            "evaluate" => self.evaluate(arguments),
            "readMemory" => memory::read(self.inspector, arguments),
            "disassemble" => memory::disassemble(self.inspector, arguments),
            "exceptionInfo" => {
                let cause = &self.report.cause;
                Ok(json!({
                    "exceptionId": self.report.title,
                    "description": cause.summary,
                    "breakMode": "always",
                    "details": { "message": cause.evidence.join("\n") },
                }))
            }
            refused if REFUSED.contains(&refused) => Err("this is a dump: nothing runs".to_owned()),
            other => Err(format!("`{other}` is not supported")),
        }
    }

    fn stack_trace(&self, arguments: &Value) -> Result<Value, String> {
        let id = number(arguments, "threadId");
        let thread = id.and_then(|id| self.report.threads.get(id.checked_sub(1)?));
        let (Some(id), Some(thread)) = (id, thread) else {
            return Err("no such thread".to_owned());
        };
        let first = number(arguments, "startFrame").unwrap_or(0);
        let count = number(arguments, "levels").filter(|count| *count > 0).unwrap_or(MOST_FRAMES);
        let frames = thread.frames.iter().enumerate().skip(first).take(count.min(MOST_FRAMES));
        let frames = frames.map(|(index, frame)| {
            let mut shown = json!({
                "id": frame_id(id, index),
                "name": frame.function.clone().unwrap_or_else(|| frame.pc.to_string()),
                "line": frame.line.unwrap_or(0),
                "column": 0,
                "instructionPointerReference": frame.pc.to_string(),
            });
            match &frame.file {
                Some(file) => {
                    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
                    set(&mut shown, "source", json!({ "name": name, "path": file }));
                }
                None => set(&mut shown, "presentationHint", json!("subtle")),
            }
            shown
        });
        let frames: Vec<Value> = frames.collect();
        Ok(json!({ "stackFrames": frames, "totalFrames": thread.frames.len() }))
    }

    fn scopes(&mut self, arguments: &Value) -> Result<Value, String> {
        let (thread, frame) = number(arguments, "frameId").map(frame_of).unwrap_or_default();
        if self.frame(thread, frame).is_none() {
            return Err("no such frame".to_owned());
        }
        let scopes = [
            ("Locals", "locals", Handle::Locals(thread, frame), false),
            ("Registers", "registers", Handle::Registers(thread, frame), false),
            ("Globals", "globals", Handle::Globals(0), true),
        ];
        let scopes = scopes.map(|(name, hint, handle, expensive)| {
            json!({
                "name": name,
                "presentationHint": hint,
                "variablesReference": self.reference(handle),
                "expensive": expensive,
            })
        });
        Ok(json!({ "scopes": scopes }))
    }

    /// A frame by the numbers that [`frame_of`] gives.
    fn frame(&self, thread: usize, frame: usize) -> Option<(&'a Thread, &'a Frame)> {
        let thread = self.report.threads.get(thread.checked_sub(1)?)?;
        Some((thread, thread.frames.get(frame)?))
    }
}

/// The name of a thread, with what it is or waits for.
fn named(thread: &Thread) -> String {
    let state = thread.waits_for.as_deref().unwrap_or(&thread.state);
    let crashed = if thread.crashed { ", crashed" } else { "" };
    format!("{} ({state}{crashed})", thread.name)
}

/// A frame as one number: that of its thread, from 1, and its own.
fn frame_id(thread: usize, frame: usize) -> usize {
    thread.saturating_mul(1 << 16).saturating_add(frame.min(0xffff))
}

fn frame_of(id: usize) -> (usize, usize) {
    (id >> 16, id & 0xffff)
}

/// The argument `name` as a number that is not negative.
fn number(arguments: &Value, name: &str) -> Option<usize> {
    arguments.get(name)?.as_u64().and_then(|number| usize::try_from(number).ok())
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
