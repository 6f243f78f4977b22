//! `monitor mflt …`: the report's sections, for debuggers that cannot load scripts.

use crate::report::{Report, Section, Style, render_section, render_text};

const HELP: &str = "monitor mflt cause    why it crashed, with the evidence\n\
                    monitor mflt fault    fault registers in words\n\
                    monitor mflt threads  every thread: state, priority, stack, what it waits for\n\
                    monitor mflt report   all of it, with backtraces\n";

/// The text that answers `command`, with or without the word `mflt`.
pub(super) fn answer(command: &[u8], report: &Report) -> String {
    let command = String::from_utf8_lossy(command);
    let mut words = command.split_whitespace().peekable();
    let _ = words.next_if_eq(&"mflt");
    let style = Style::default();
    match words.next() {
        Some("cause") => render_section(report, Section::Cause, style),
        Some("fault") => render_section(report, Section::Fault, style),
        Some("threads") => render_section(report, Section::Threads, style),
        Some("report") => render_text(report, style),
        None | Some("help") => HELP.to_string(),
        Some(_) => format!("a dump does not do `{}`; it knows\n{HELP}", command.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyze};
    use crate::snapshot::Snapshot;

    #[test]
    fn commands_that_are_unknown_list_the_known_ones() {
        let report = analyze(&Snapshot::default(), &[], &Options::default());
        let cause = render_section(&report, Section::Cause, Style::default());
        assert!(cause.contains(&report.cause.summary));
        for command in [&b"mflt cause"[..], b"cause", b" mflt  cause "] {
            assert_eq!(answer(command, &report), cause);
        }
        assert_eq!(answer(b"", &report), HELP);
        assert_eq!(answer(b"mflt", &report), HELP);
        assert!(answer(b"reset halt", &report).contains("`reset halt`"));
        assert!(answer(b"\xff", &report).contains("monitor mflt fault"));
    }
}
