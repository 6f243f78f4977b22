//! Text of a console that stayed in memory, as lines of the log; lines that Zephyr's log printed
//! there are told apart from others.

mod rtt;

pub(super) use rtt::{lost as rtt_lost, read as rtt};

use super::LogLine;
use super::log::LEVELS;
use std::collections::HashSet;

/// Most lines of a console, the last ones.
const MOST_LINES: usize = 1000;
/// Longest line, in characters.
const LONGEST_LINE: usize = 4096;

/// The bytes of a ring whose next byte goes to `position`, oldest first.
pub(super) fn unrolled(ring: &[u8], position: usize) -> Vec<u8> {
    let (new, old) = ring.split_at_checked(position).unwrap_or((ring, &[]));
    // What was never written is NUL.
    old.iter().chain(new).copied().filter(|byte| *byte != 0).collect()
}

/// The lines of `bytes`, which `console` kept; none when it is no text.
pub(super) fn lines(bytes: &[u8], console: &'static str) -> Vec<LogLine> {
    let is_odd = |byte: &&u8| byte.is_ascii_control() && !matches!(byte, 8..=13 | 0x1b);
    let odd = bytes.iter().filter(is_odd).count();
    if odd > bytes.len() / 32 {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(bytes);
    let plain = without_escapes(&text);
    let kept = plain.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.is_empty());
    let mut lines: Vec<LogLine> = kept.map(|line| parse(line, console)).collect();
    let surplus = lines.len().saturating_sub(MOST_LINES);
    lines.drain(..surplus);
    lines
}

/// The log and what a console kept, each oldest first. What the log printed to the console is told
/// once, where it stands among other text; what it has not yet printed comes last.
pub(super) fn merge(log: Vec<LogLine>, console: Vec<LogLine>) -> Vec<LogLine> {
    fn key(line: &LogLine) -> (Option<&str>, &str, &str) {
        // Version 2 of the log adds the function to the module: `sensor.read`.
        let module = line.module.as_deref().unwrap_or("");
        let module = module.split_once('.').map_or(module, |(module, _)| module);
        (line.level, module, line.text.trim())
    }
    let printed: HashSet<_> = console.iter().map(key).collect();
    let is_new = |line: &LogLine| line.pending || !printed.contains(&key(line));
    let new: Vec<bool> = log.iter().map(is_new).collect();
    let new = log.into_iter().zip(new).filter_map(|(line, new)| new.then_some(line));
    let (pending, old): (Vec<_>, Vec<_>) = new.partition(|line| line.pending);
    old.into_iter().chain(console).chain(pending).collect()
}

/// A line of text: `[00:00:01.500,000] <err> sensor: no answer` is one of Zephyr's log.
fn parse(text: &str, console: &'static str) -> LogLine {
    let cut = || text.chars().take(LONGEST_LINE).collect();
    let mut line = LogLine { text: cut(), console: Some(console), ..LogLine::default() };
    let stamped = text.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let rest = stamped.map_or(text, |(_, rest)| rest);
    let level = rest.strip_prefix('<').and_then(|rest| rest.split_once("> "));
    let known = |name: &str| LEVELS.iter().find(|level| !level.is_empty() && **level == name);
    let Some((level, rest)) = level.and_then(|(name, rest)| Some((*known(name)?, rest))) else {
        return line;
    };
    line.seconds = stamped.and_then(|(time, _)| seconds(time));
    line.level = Some(level);
    let module = rest.split_once(": ").filter(|(module, _)| !module.contains(' '));
    let (module, text) = module.map_or((None, rest), |(module, text)| (Some(module), text));
    line.module = module.map(str::to_string);
    line.text = text.chars().take(LONGEST_LINE).collect();
    line
}

/// Seconds of `hh:mm:ss.mmm,uuu`.
fn seconds(time: &str) -> Option<f64> {
    let mut parts = time.split(':');
    let (hours, minutes, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = hours.parse::<f64>().ok()? * 60.0 + minutes.parse::<f64>().ok()?;
    Some(whole * 60.0 + rest.replace(',', "").parse::<f64>().ok()?)
}

/// `text` without the escape sequences that colour it (ECMA-48 8.3.117).
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = match behind.strip_prefix('[') {
            Some(sequence) => {
                sequence.trim_start_matches(|c: char| ('\u{20}'..='\u{3f}').contains(&c))
            }
            None => behind,
        };
        let mut characters = rest.chars();
        characters.next();
        rest = characters.as_str();
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[LogLine]) -> Vec<(Option<&str>, Option<&str>, &str)> {
        lines.iter().map(|l| (l.level, l.module.as_deref(), l.text.as_str())).collect()
    }

    #[test]
    fn lines_of_zephyrs_log_are_told_from_others() {
        let text =
            b"*** Booting ***\r\n[00:01:02.500,250] \x1b[1;31m<err> crash: mode 3\x1b[0m\r\n\
            [00012345] <wrn> net_if.up: late\n<odd> x: y\nassert at main.c:5\n\n";
        let lines = lines(text, "RTT");
        let expected = [
            (None, None, "*** Booting ***"),
            (Some("err"), Some("crash"), "mode 3"),
            (Some("wrn"), Some("net_if.up"), "late"),
            (None, None, "<odd> x: y"),
            (None, None, "assert at main.c:5"),
        ];
        assert_eq!(told(&lines), expected);
        let seconds: Vec<_> = lines.iter().map(|line| line.seconds).collect();
        assert_eq!(seconds, [None, Some(62.50025), None, None, None]);
        assert!(lines.iter().all(|line| line.console == Some("RTT") && !line.pending));
    }

    #[test]
    fn binary_data_is_no_text() {
        assert_eq!(lines(&[0x41, 1, 2, 0x42, 3, 4, 0x43, 5], "RTT"), []);
        assert_eq!(lines("grüße\n".as_bytes(), "RTT").len(), 1);
    }

    #[test]
    fn ring_is_unrolled_from_its_position() {
        assert_eq!(unrolled(b"wrld\0\0", 4), b"wrld");
        assert_eq!(unrolled(b"rld\nhello wo", 4), b"hello world\n");
        assert_eq!(unrolled(b"abc", 9), b"abc");
    }

    #[test]
    fn line_that_the_log_printed_is_told_once() {
        let line = |text: &str, pending| LogLine {
            level: Some("inf"),
            module: Some("app".into()),
            text: text.into(),
            pending,
            ..LogLine::default()
        };
        let log = vec![line("old", false), line("printed", false), line("next", true)];
        let console = lines(b"boot\n<inf> app.run: printed\ndone\n", "RTT");
        let merged = merge(log, console);
        let texts: Vec<_> = merged.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["old", "boot", "printed", "done", "next"]);
    }
}
