//! The last lines of the log.

use super::super::{LogLine, Report};
use super::paint::{Ink, Page};

/// Lines that are shown unless all are asked for.
const FEW: usize = 10;

/// The end of the log, all of it in the full report.
pub(super) fn overview(page: &mut Page, report: &Report) {
    if report.logs.is_empty() {
        return;
    }
    let hidden = if page.style().full { 0 } else { report.logs.len().saturating_sub(FEW) };
    page.heading("Log");
    if hidden > 0 {
        page.wrapped("  ", Ink::Dim, &format!("… {hidden} lines before (--full shows them)"));
    }
    let mut console = None;
    for line in report.logs.iter().skip(hidden) {
        if line.console != console {
            console.clone_from(&line.console);
            let from = console.as_deref().unwrap_or("Log");
            page.wrapped("  ", Ink::Dim, &format!("{from}:"));
        }
        let ink = match line.level.as_deref() {
            Some("err") => Ink::Fault,
            Some("wrn") => Ink::Warning,
            _ => Ink::Plain,
        };
        page.wrapped("  ", ink, &in_words(line));
    }
    page.blank();
}

/// `[12.345] <err> sensor: no answer  [not yet printed]`.
fn in_words(line: &LogLine) -> String {
    let time = line.seconds.map_or(String::new(), |seconds| format!("[{seconds:.3}] "));
    let level = line.level.as_ref().map_or(String::new(), |level| format!("<{level}> "));
    let module = line.module.as_ref().map_or(String::new(), |module| format!("{module}: "));
    let pending = if line.pending { "  [not yet printed]" } else { "" };
    format!("{time}{level}{module}{}{pending}", line.text.replace(['\r', '\n', '\t'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_told_with_what_is_known_of_it() {
        let line = LogLine { text: "two\nlines".into(), ..LogLine::default() };
        assert_eq!(in_words(&line), "two lines");
        let (level, module) = (Some("err".into()), Some("sensor".into()));
        let line = LogLine { seconds: Some(1.5), level, module, pending: true, ..line };
        assert_eq!(in_words(&line), "[1.500] <err> sensor: two lines  [not yet printed]");
    }
}
