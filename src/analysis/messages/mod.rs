//! Messages of devices in words: names of metrics and reasons, functions for addresses, formats for
//! log lines come from the firmware's ELF.

mod dictionary;

use std::sync::OnceLock;

use crate::base::hex;
use crate::report::message::{
    CodePlace, Content, LogLine, LogText, Logs, Message, Metric, MetricValue, Metrics, Other,
    Reboot, Recording, Trace,
};
use crate::report::{Device, Hex32, Notes, Severity};
use crate::snapshot::reboot_reason;
use crate::symbols::{CodeAddress, SymbolFile};
use crate::wire::{
    self, Body, CompactLog, Dictionary, Event, MetricKind, MetricValues, parse_events,
};

/// The ELF files of the firmware that may have sent a message.
#[derive(Debug)]
pub struct Firmware<'a, 'd> {
    files: &'a [SymbolFile<'d>],
    dictionaries: OnceLock<Vec<Dictionary>>,
}

/// The file that a message is of, and its names.
type Known<'k, 'd> = (&'k SymbolFile<'d>, &'k Dictionary);

impl<'a, 'd> Firmware<'a, 'd> {
    /// Reads nothing yet.
    pub fn new(files: &'a [SymbolFile<'d>]) -> Firmware<'a, 'd> {
        Firmware { files, dictionaries: OnceLock::new() }
    }

    /// What `message`, which ended with chunk number `chunk`, says: its events in order. A coredump
    /// is not looked into.
    pub fn describe(&self, chunk: usize, message: &wire::Message<'_>) -> Vec<Message> {
        let blank = |content: Content| Message {
            project_key: message.project_key.clone(),
            ..Message::new(chunk, content)
        };
        if !message.kind.has_events() {
            let message_type = message.kind.number();
            let size = Some(message.payload.len());
            let other = Other { message_type: Some(message_type), event_type: None, size };
            return vec![blank(Content::Other(other))];
        }
        let events = parse_events(&message.payload);
        let mut told: Vec<Message> = Vec::new();
        for event in &events.events {
            let mut notes = Notes::default();
            let known = self.known(event.device.build_id.as_deref(), &mut notes);
            let content = content(event, known, &mut notes);
            told.push(Message {
                captured_at: event.captured_at,
                device: device(event),
                notes: notes.into_vec(),
                ..blank(content)
            });
        }
        let errors = [
            message.damage.map(|error| error.to_string()),
            events.error.map(|error| error.to_string()),
        ];
        for text in errors.into_iter().flatten() {
            if told.is_empty() {
                told.push(blank(Content::Problem));
            }
            if let Some(last) = told.last_mut() {
                let mut notes = Notes::default();
                notes.add(Severity::Warning, "message_damaged", text);
                last.notes.extend(notes.into_vec());
            }
        }
        told
    }

    /// Compact log lines that a console printed behind chunk number `chunk`. They say neither their
    /// build nor their level.
    pub fn describe_logs(&self, chunk: usize, logs: &[CompactLog]) -> Message {
        let mut notes = Notes::default();
        let dictionary = self.known(None, &mut notes).map(|(_, dictionary)| dictionary);
        let lines = logs.iter().map(|log| LogLine {
            captured_at: None,
            level: String::new(),
            text: log_text(&wire::LogText::Compact(log.clone()), dictionary, &mut notes),
        });
        let lines = lines.collect();
        Message { notes: notes.into_vec(), ..Message::new(chunk, Content::Logs(Logs { lines })) }
    }

    /// The file of that build: one whose build ID begins so; where either side states none, the
    /// first that knows names.
    fn known(&self, build_id: Option<&[u8]>, notes: &mut Notes) -> Option<Known<'_, 'd>> {
        let read = || self.files.iter().map(dictionary::read).collect();
        let all = || self.files.iter().zip(self.dictionaries.get_or_init(read));
        let possible = || all().filter(|(_, dictionary)| dictionary.fits(build_id).is_none());
        let found = all()
            .find(|(_, dictionary)| dictionary.fits(build_id) == Some(true))
            .or_else(|| possible().find(|(_, dictionary)| dictionary.has_names()))
            .or_else(|| possible().next());
        if let (None, Some(build_id), false) = (found, build_id, self.files.is_empty()) {
            let text = format!(
                "the message is of build {}, which no ELF given here has: its numbers stay numbers",
                hex::encode(build_id)
            );
            notes.add(Severity::Warning, "other_build", text);
        }
        found
    }
}

fn device(event: &Event) -> Option<Device> {
    let wire::Device { serial, software_type, software_version, hardware_version, build_id } =
        event.device.clone();
    let build_id = build_id.map(|id| hex::encode(&id));
    let device = Device {
        serial,
        software_type,
        software_version,
        hardware_version,
        build_id,
        ..Device::default()
    };
    (device != Device::default()).then_some(device)
}

fn content(event: &Event, known: Option<Known<'_, '_>>, notes: &mut Notes) -> Content {
    let dictionary = known.map(|(_, dictionary)| dictionary);
    let place = |address: Option<u32>, at: fn(crate::base::Address) -> CodeAddress| {
        address.map(|address| place(address, at(address.into()), known))
    };
    match &event.body {
        Body::Metrics(metrics) => Content::Metrics(self::metrics(metrics, dictionary, notes)),
        Body::Reboot(reboot) => {
            let named = dictionary.and_then(|names| names.reboot_reason(reboot.reason));
            let fixed = || reboot_reason::name(reboot.reason);
            Content::Reboot(Reboot {
                code: reboot.reason,
                reason: fixed().or(named).map(str::to_string),
                unexpected: reboot_reason::is_crash(reboot.reason),
                pc: place(reboot.pc, CodeAddress::Instruction),
                lr: place(reboot.lr, CodeAddress::Return),
                reset_register: reboot.reset_register.map(Hex32),
                coredump_saved: reboot.coredump_saved,
            })
        }
        Body::Trace(trace) => {
            let names = dictionary.zip(trace.reason);
            let reason = names.and_then(|(names, number)| names.trace_reason(number));
            Content::Trace(Trace {
                code: trace.reason,
                reason: reason.map(str::to_string),
                pc: place(trace.pc, CodeAddress::Instruction),
                lr: place(trace.lr, CodeAddress::Return),
                status: trace.status,
                log: trace.log.as_ref().map(|log| log_text(log, dictionary, notes)),
            })
        }
        Body::Logs(lines) => {
            let lines = lines.iter().map(|line| LogLine {
                captured_at: line.at,
                level: line.level.name().to_string(),
                text: log_text(&line.text, dictionary, notes),
            });
            Content::Logs(Logs { lines: lines.collect() })
        }
        Body::Recording(recording) => Content::Recording(Recording {
            duration_ms: recording.duration_ms,
            mime_types: recording.mime_types.clone(),
            reason: recording.reason.clone(),
            size: recording.data.len(),
            file: None,
            data: hex::encode(&recording.data),
        }),
        Body::Other(event_type) => {
            Content::Other(Other { message_type: None, event_type: *event_type, size: None })
        }
    }
}

fn metrics(metrics: &wire::Metrics, names: Option<&Dictionary>, notes: &mut Notes) -> Metrics {
    let described = match &metrics.values {
        MetricValues::Named(values) => values
            .iter()
            .map(|(name, value)| Metric {
                name: Some(name.clone()),
                value: metric_value(value),
                unit: None,
            })
            .collect(),
        MetricValues::Positional(values) => {
            let bare = |value| Metric { name: None, value: metric_value(value), unit: None };
            let names = names.filter(|names| !names.metrics.is_empty());
            match names.map(|names| names.name_metrics(metrics.session, values)) {
                Some(Ok(named)) => named.into_iter().map(named_metric).collect(),
                Some(Err(error)) => {
                    notes.add(Severity::Warning, "other_metrics", error.to_string());
                    values.iter().map(bare).collect()
                }
                None => values.iter().map(bare).collect(),
            }
        }
    };
    let session = match (names, metrics.session) {
        (Some(names), number) => names.session(number),
        (None, None) => Some(wire::HEARTBEAT),
        (None, Some(_)) => None,
    };
    Metrics {
        session: session.map(str::to_string),
        session_number: metrics.session,
        metrics: described,
    }
}

fn named_metric(metric: wire::NamedMetric<'_>) -> Metric {
    Metric {
        name: metric.name.map(str::to_string),
        value: metric_value(&metric.value),
        unit: (metric.kind == MetricKind::Timer).then(|| "ms".to_string()),
    }
}

fn metric_value(value: &wire::MetricValue) -> MetricValue {
    match value {
        wire::MetricValue::Unset => MetricValue::Unset,
        wire::MetricValue::Integer(value) => MetricValue::Integer(*value),
        wire::MetricValue::Float(value) => MetricValue::Float(*value),
        wire::MetricValue::Text(text) => MetricValue::Text(text.clone()),
    }
}

fn log_text(log: &wire::LogText, names: Option<&Dictionary>, notes: &mut Notes) -> LogText {
    let log = match log {
        wire::LogText::Text(text) => {
            return LogText { text: text.clone(), ..LogText::default() };
        }
        wire::LogText::Compact(log) => log,
    };
    let format = names.and_then(|names| names.log_format(log.id));
    let text = names.and_then(|names| names.format_log(log));
    if text.is_none() {
        let text = "log lines are compact: their texts stand in the section `log_fmt` of the ELF \
            of this very build";
        notes.add(Severity::Warning, "log_format_missing", text);
    }
    LogText {
        text: text.unwrap_or_else(|| log.raw()),
        file: format.map(|format| format.file.to_string()),
        line: format.map(|format| format.line),
    }
}

fn place(address: u32, code: CodeAddress, known: Option<Known<'_, '_>>) -> CodePlace {
    let mut place = CodePlace { address: Hex32(address), function: None, file: None, line: None };
    let Some((symbols, _)) = known else { return place };
    if let Some(source) = symbols.frames_at(code).into_iter().next() {
        place.function = source.readable().map(Into::into);
        place.line = source.location.as_ref().and_then(|location| location.line);
        place.file = source.location.map(|location| location.file);
    }
    if place.function.is_none() && symbols.is_code(code.lookup()) {
        let symbol = symbols.symbol_at(code.lookup());
        place.function = symbol.map(|(symbol, _)| symbol.readable().into_owned());
    }
    place
}

#[cfg(test)]
mod tests;
