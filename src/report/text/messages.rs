//! Messages of devices: a heading with what it is and where it is from, then what it holds.

use super::super::message::{
    CodePlace, Content, Coredump, LogText, Logs, Message, MetricValue, Metrics, Other, Reboot,
    Recording, Trace,
};
use super::paint::{Ink, Page, Style};
use super::{notes_on, report_on, short_report_on};

/// Bytes of a recording that are shown.
const SHOWN_BYTES: usize = 16;

/// Renders `message`. Of a coredump the cause, the end of the log and the crashed thread are shown, with
/// `style.full` the whole report.
pub fn render_message(message: &Message, style: Style) -> String {
    let mut page = Page::new(style);
    page.line(Ink::Heading, &heading(message));
    match &message.content {
        Content::Coredump(coredump) => self::coredump(&mut page, coredump),
        Content::Metrics(metrics) => self::metrics(&mut page, metrics),
        Content::Reboot(reboot) => self::reboot(&mut page, reboot),
        Content::Trace(trace) => self::trace(&mut page, trace),
        Content::Logs(logs) => self::logs(&mut page, logs),
        Content::Recording(recording) => self::recording(&mut page, recording),
        Content::Other(other) => self::other(&mut page, other),
        Content::Problem => {}
    }
    notes_on(&mut page, &message.notes.iter().collect::<Vec<_>>());
    page.finish()
}

/// `Reboot (chunk 7): main 1.2.3 on evt_24, 2026-11-21 06:15:00 UTC`.
fn heading(message: &Message) -> String {
    let what = match &message.content {
        Content::Coredump(_) => "Coredump",
        Content::Metrics(_) => "Metrics",
        Content::Reboot(_) => "Reboot",
        Content::Trace(_) => "Trace",
        Content::Logs(_) => "Logs",
        Content::Recording(_) => "Recording",
        Content::Other(_) => "Message",
        Content::Problem => "Problem",
    };
    let mut parts = Vec::new();
    if let Some(device) = &message.device {
        let software = [&device.software_type, &device.software_version];
        let software: Vec<&str> = software.into_iter().flatten().map(String::as_str).collect();
        if !software.is_empty() {
            parts.push(software.join(" "));
        }
        let named = |label: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{label} {value}"))
        };
        parts.extend(named("on", &device.hardware_version));
        parts.extend(named("serial", &device.serial));
        parts.extend(named("build", &device.build_id));
    }
    parts.extend(message.captured_at.map(utc));
    let about = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("{what} (chunk {}){about}", message.chunk)
}

fn coredump(page: &mut Page, coredump: &Coredump) {
    let file =
        coredump.file.as_ref().map_or(String::new(), |file| format!(", written to `{file}`"));
    page.entry("Size", Ink::Plain, &format!("{} bytes{file}", coredump.size));
    let Some(report) = &coredump.report else { return };
    page.blank();
    if page.style().full {
        report_on(page, report);
    } else {
        short_report_on(page, report);
    }
}

fn metrics(page: &mut Page, metrics: &Metrics) {
    let number = metrics.session_number.map(|number| format!("number {number}"));
    let session = metrics.session.clone().or(number).unwrap_or_else(|| "unknown".to_string());
    page.entry("Session", Ink::Plain, &session);
    let names: Vec<String> = metrics.metrics.iter().enumerate().map(metric_name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(60);
    for (name, metric) in names.iter().zip(&metrics.metrics) {
        let value = match &metric.value {
            MetricValue::Unset => "not set".to_string(),
            MetricValue::Integer(value) => value.to_string(),
            MetricValue::Float(value) => value.to_string(),
            MetricValue::Text(text) => format!("\"{text}\""),
        };
        let unit = metric.unit.as_ref().map_or(String::new(), |unit| format!(" {unit}"));
        page.wrapped(&format!("  {name:<width$} "), Ink::Plain, &format!("{value}{unit}"));
    }
}

fn metric_name((index, metric): (usize, &super::super::message::Metric)) -> String {
    metric.name.clone().unwrap_or_else(|| format!("#{index}"))
}

fn reboot(page: &mut Page, reboot: &Reboot) {
    let name = reboot.reason.as_deref().unwrap_or("not known here");
    let (expected, ink) =
        if reboot.unexpected { ("not expected", Ink::Fault) } else { ("expected", Ink::Plain) };
    page.entry("Reason", ink, &format!("{name} (0x{:04x}), {expected}", reboot.code));
    places(page, reboot.pc.as_ref(), reboot.lr.as_ref());
    if let Some(register) = reboot.reset_register {
        page.entry("Register", Ink::Plain, &format!("{register} (reset cause of the MCU)"));
    }
    if let Some(saved) = reboot.coredump_saved {
        page.entry("Coredump", Ink::Plain, if saved { "saved" } else { "none" });
    }
}

fn trace(page: &mut Page, trace: &Trace) {
    let reason = match (&trace.reason, trace.code) {
        (Some(reason), Some(code)) => format!("{reason} ({code})"),
        (_, Some(code)) => format!("number {code}"),
        _ => "not given".to_string(),
    };
    page.entry("Reason", Ink::Plain, &reason);
    if let Some(status) = trace.status {
        page.entry("Status", Ink::Plain, &status.to_string());
    }
    if let Some(log) = &trace.log {
        page.entry("Log", Ink::Plain, &log_text(log));
    }
    places(page, trace.pc.as_ref(), trace.lr.as_ref());
}

fn places(page: &mut Page, pc: Option<&CodePlace>, lr: Option<&CodePlace>) {
    for (label, place) in [("PC", pc), ("LR", lr)] {
        let Some(place) = place else { continue };
        let function = place.function.as_ref().map_or(String::new(), |f| format!(" {f}"));
        let at = match (&place.file, place.line) {
            (Some(file), Some(line)) => format!(" at {file}:{line}"),
            (Some(file), None) => format!(" in {file}"),
            _ => String::new(),
        };
        page.entry(label, Ink::Plain, &format!("{}{function}{at}", place.address));
    }
}

fn logs(page: &mut Page, logs: &Logs) {
    for line in &logs.lines {
        let at = line.captured_at.map_or(String::new(), |at| utc(at) + " ");
        let ink = match line.level.as_str() {
            "error" => Ink::Fault,
            "warning" => Ink::Warning,
            _ => Ink::Plain,
        };
        let level = match line.level.as_str() {
            "" => String::new(),
            level => format!("{level:<8}"),
        };
        page.wrapped(&format!("  {at}{level}"), ink, &log_text(&line.text));
    }
}

fn log_text(log: &LogText) -> String {
    match (&log.file, log.line) {
        (Some(file), Some(line)) => format!("{} ({file}:{line})", log.text),
        _ => log.text.clone(),
    }
}

fn recording(page: &mut Page, recording: &Recording) {
    if let Some(reason) = &recording.reason {
        page.entry("Reason", Ink::Plain, reason);
    }
    if !recording.mime_types.is_empty() {
        page.entry("Type", Ink::Plain, &recording.mime_types.join(", "));
    }
    if let Some(duration) = recording.duration_ms {
        page.entry("Duration", Ink::Plain, &format!("{duration} ms"));
    }
    let shown = SHOWN_BYTES.saturating_mul(2);
    let first = recording.data.get(..shown).unwrap_or(&recording.data);
    let more = if first.len() < recording.data.len() { "…" } else { "" };
    let what = match &recording.file {
        Some(file) => format!("{} bytes, written to `{file}`", recording.size),
        None if recording.size == 0 => "none".to_string(),
        None => format!("{} bytes: {first}{more}", recording.size),
    };
    page.entry("Data", Ink::Plain, &what);
}

fn other(page: &mut Page, other: &Other) {
    if let Some(kind) = other.message_type {
        let size = other.size.unwrap_or(0);
        page.entry("Kind", Ink::Plain, &format!("{kind}, not known here; {size} bytes"));
    }
    if let Some(kind) = other.event_type {
        page.entry("Event", Ink::Plain, &format!("type {kind}, not known here"));
    }
}

/// `2026-11-21 06:15:00 UTC`; the calendar is Gregorian.
fn utc(seconds: u64) -> String {
    let day_seconds = seconds.checked_rem(86_400).unwrap_or(0);
    let part = |unit: u64, of: u64| {
        day_seconds.checked_div(unit).and_then(|n| n.checked_rem(of)).unwrap_or(0)
    };
    let time = format!("{:02}:{:02}:{:02} UTC", part(3600, 24), part(60, 60), part(1, 60));
    match date(seconds.checked_div(86_400).unwrap_or(0)) {
        Some((year, month, day)) => format!("{year:04}-{month:02}-{day:02} {time}"),
        None => format!("{seconds} s after 1970"),
    }
}

/// Year, month and day of the day that is so many after 1970-01-01; `None` beyond the year 9999.
fn date(days: u64) -> Option<(u64, u64, u64)> {
    // The calendar repeats after 400 years.
    let cycles = days.checked_div(146_097)?;
    let mut days = days.checked_rem(146_097)?;
    let mut year = cycles.checked_mul(400)?.checked_add(1970)?;
    while year <= 9999 {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let of_year = if leap { 366 } else { 365 };
        if days < of_year {
            let february = if leap { 29 } else { 28 };
            let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in (1..).zip(months) {
                if days < length {
                    return Some((year, month, days.checked_add(1)?));
                }
                days = days.checked_sub(length)?;
            }
        }
        days = days.checked_sub(of_year)?;
        year = year.checked_add(1)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::super::message::{LogLine, Metric};
    use super::super::super::{Device, Hex32, Note, Report, Severity};
    use super::*;
    use crate::analysis::{Options, analyze};
    use crate::snapshot::Snapshot;

    fn message(content: Content) -> Message {
        let device = Device {
            software_type: Some("main".into()),
            software_version: Some("1.2.3".into()),
            hardware_version: Some("evt_24".into()),
            ..Device::default()
        };
        Message {
            captured_at: Some(1_700_000_000),
            device: Some(device),
            ..Message::new(7, content)
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_709_210_096), "2024-02-29 12:34:56 UTC");
        assert_eq!(utc(1_735_689_599), "2024-12-31 23:59:59 UTC");
        assert_eq!(utc(4_102_444_800), "2100-01-01 00:00:00 UTC");
        assert_eq!(utc(16_725_225_599), "2499-12-31 23:59:59 UTC");
        assert_eq!(utc(253_402_300_799), "9999-12-31 23:59:59 UTC");
        assert_eq!(utc(253_402_300_800), "253402300800 s after 1970");
        assert_eq!(utc(u64::MAX), format!("{} s after 1970", u64::MAX));
    }

    #[test]
    fn short_view_of_a_coredump_ends_its_log() {
        let line = |number: u32| crate::report::LogLine {
            text: format!("round {number}"),
            ..crate::report::LogLine::default()
        };
        let empty = analyze(&Snapshot::default(), &[], &Options::default());
        let report = Box::new(Report { logs: (1..=30).map(line).collect(), ..empty });
        let coredump = Coredump { size: 1, file: None, report: Some(report) };
        let text = render_message(&message(Content::Coredump(coredump)), Style::default());
        assert!(text.contains("round 30") && !text.contains("round 3\n"), "{text}");
    }

    #[test]
    fn reboot_names_reason_and_place() {
        let pc = CodePlace {
            address: Hex32(0x0bad_cafe),
            function: Some("main".into()),
            file: Some("src/main.c".into()),
            line: Some(12),
        };
        let reboot = Reboot {
            code: 0x8001,
            reason: Some("Assert".into()),
            unexpected: true,
            pc: Some(pc),
            lr: None,
            reset_register: None,
            coredump_saved: Some(true),
        };
        let text = render_message(&message(Content::Reboot(reboot)), Style::default());
        assert_eq!(
            text,
            "Reboot (chunk 7): main 1.2.3, on evt_24, 2023-11-14 22:13:20 UTC\n  \
             Reason     Assert (0x8001), not expected\n  \
             PC         0x0badcafe main at src/main.c:12\n  \
             Coredump   saved\n"
        );
    }

    #[test]
    fn logs_and_metrics_are_a_line_each_and_do_not_act_on_a_terminal() {
        let line = |level: &str, text: &str, file: Option<&str>| LogLine {
            captured_at: None,
            level: level.into(),
            text: LogText {
                text: text.into(),
                file: file.map(str::to_string),
                line: file.map(|_| 3),
            },
        };
        let lines = vec![line("info", "\x1b[2Jup", None), line("error", "down", Some("a.c"))];
        let text = render_message(&message(Content::Logs(Logs { lines })), Style::default());
        assert!(text.ends_with("\n  info    \\x1b[2Jup\n  error   down (a.c:3)\n"), "{text}");
        let metric = |name: Option<&str>, value: MetricValue, unit: Option<&str>| Metric {
            name: name.map(str::to_string),
            value,
            unit: unit.map(str::to_string),
        };
        let metrics = Metrics {
            session: Some("heartbeat".into()),
            session_number: Some(0),
            metrics: vec![
                metric(Some("uptime"), MetricValue::Integer(5), Some("ms")),
                metric(None, MetricValue::Unset, None),
            ],
        };
        let mut message = message(Content::Metrics(metrics));
        message.notes.push(Note {
            code: "x".into(),
            severity: Severity::Warning,
            text: "odd".into(),
            address: None,
        });
        let text = render_message(&message, Style::default());
        assert!(
            text.ends_with(
                "  Session    heartbeat\n  uptime 5 ms\n  #1     not set\n\
                 Notes\n  warning    odd\n"
            ),
            "{text}"
        );
    }
}
