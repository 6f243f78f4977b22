//! What the firmware itself said of its failure: the condition that did not hold, the message with
//! its arguments, file and line, as they were passed to the function that gave up; where that is
//! lost, as they were printed to a log that is still in memory.

use super::{Context, Scene};
use crate::analysis::faulting::Call;
use crate::analysis::unwind::UnwoundFrame;
use crate::issue::{gives_up, is_assert};
use crate::rtos::LogLine;

/// What Zephyr prints with; its messages come in calls before the last.
const PRINTERS: &[&str] = &["assert_print", "printk"];
/// How the first line of Zephyr's assertion begins.
const ASSERTION: &str = "ASSERTION FAIL";
/// Largest line of a source file that is believed.
const MOST_LINES: u32 = 1_000_000;

/// An argument of a function that gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    File,
    Line,
    Function,
    Condition,
    /// A text and, in the next argument, its length.
    Message,
    /// `&core::panic::Location`.
    Location,
    Number(&'static str),
    Other,
}

/// Functions that give up, by the start of their readable names, and what they are given.
const CLAIMS: &[(&str, &[Role])] = {
    use Role::{Condition, File, Function, Line, Location, Message, Number, Other};
    &[
        ("assert_post_action", &[File, Line]),
        // newlib, C11 7.2.1.1
        ("__assert_func", &[File, Line, Function, Condition]),
        // Arm's C library
        ("__aeabi_assert", &[Condition, File, Line]),
        // configASSERT of FreeRTOS, as its demos and most vendors define it
        ("vAssertCalled", &[File, Line]),
        // assert_param of STM32 drivers
        ("assert_failed", &[File, Line]),
        // Rust's core library
        ("core::panicking::panic_bounds_check", &[Number("index"), Number("length"), Location]),
        ("core::panicking::panic_fmt", &[Other, Location]),
        ("core::panicking::panic_const::", &[Location]),
        ("core::panicking::panic", &[Message, Other, Location]),
        ("core::option::unwrap_failed", &[Location]),
        ("core::option::expect_failed", &[Message, Other, Location]),
        ("core::result::unwrap_failed", &[Message, Other]),
    ]
};

/// What a failed assertion or a panic said.
#[derive(Debug, Default)]
pub(super) struct Claim {
    /// The condition that did not hold.
    pub(super) condition: Option<String>,
    /// What is known besides, for the evidence.
    pub(super) lines: Vec<String>,
    /// Some argument of a message is not known.
    is_partial: bool,
}

impl Scene<'_, '_> {
    /// What the firmware said when it gave up in `context`.
    pub(super) fn claim(&self, context: &Context) -> Option<Claim> {
        let gave_up = |frame: &UnwoundFrame| {
            let last = self.functions_of(frame).pop();
            last.map(|place| place.function).filter(|name| gives_up(name))
        };
        let first = context.frames.iter().position(|frame| gave_up(frame).is_some())?;
        let names: Vec<String> = context.frames.get(first..)?.iter().map_while(gave_up).collect();
        let at = first.checked_add(names.len())?;
        let mut claim = Claim::default();
        self.passed(context, at, names.last()?, &mut claim);
        if names.iter().any(|name| is_assert(name))
            && let Some(logged) = Logged::find(self.logs)
        {
            logged.complete(&mut claim);
        }
        Some(claim)
    }

    /// What was passed to the function `name`, which gave up in the call of frame `at`.
    fn passed(&self, context: &Context, at: usize, name: &str, claim: &mut Claim) -> Option<()> {
        let handlers = self.contexts.get(..self.crashed?)?.iter().flat_map(|c| &c.frames);
        let inner: Vec<&UnwoundFrame> = handlers.chain(context.frames.get(..at)?).collect();
        let call = Call::of(context.frames.get(at..)?, inner, self.environment)?;
        if is_assert(name) {
            merged(&call, claim);
        }
        let (_, roles) = CLAIMS.iter().find(|(start, _)| name.starts_with(start))?;
        printed(&call, claim);
        given(&call, name, roles, claim);
        Some(())
    }
}

/// Assertions that the compiler has perhaps made one call of.
fn merged(call: &Call<'_, '_>, claim: &mut Claim) {
    let lines: Vec<String> = call.other_lines().iter().map(u32::to_string).collect();
    if let Some((last, rest)) = lines.split_last() {
        let lines = match rest {
            [] => format!("line {last}"),
            rest => format!("lines {} and {last}", rest.join(", ")),
        };
        let at = call.address();
        let text =
            format!("the call at {at} is reached from {lines}, too: it may be an assertion there");
        claim.lines.push(text);
    }
}

/// The lines of Zephyr's assertion, which the code prints first.
fn printed(call: &Call<'_, '_>, claim: &mut Claim) {
    let printed = call.printed(PRINTERS);
    let Some(start) = printed.iter().position(|line| line.format.starts_with(ASSERTION)) else {
        return;
    };
    if let Some(line) = printed.get(start).filter(|line| line.format.contains("[%s]")) {
        claim.condition.clone_from(&line.first);
    }
    for line in printed.iter().take(start).rev().filter(|line| !line.text.is_empty()) {
        claim.is_partial |= !line.complete;
        claim.lines.push(format!("message: {}", line.text));
    }
}

/// An assertion as Zephyr printed it.
struct Logged<'a> {
    condition: Option<&'a str>,
    place: Option<&'a str>,
    message: Option<&'a str>,
    /// What kept it.
    source: &'static str,
}

impl<'a> Logged<'a> {
    /// The last one.
    fn find(logs: &'a [LogLine]) -> Option<Logged<'a>> {
        let at = logs.iter().rposition(|line| line.text.starts_with(ASSERTION))?;
        let line = logs.get(at)?;
        // `ASSERTION FAIL [count > 0] @ main.c:12`, less as the firmware was built; the message
        // stands indented on the next line.
        let rest = line.text.strip_prefix(ASSERTION)?;
        let (condition, place) = match rest.split_once("] @ ") {
            Some((condition, place)) => (condition, place),
            None => rest.split_once(" @ ").unwrap_or((rest.trim_end_matches(']'), "")),
        };
        let condition = condition.strip_prefix(" [");
        let next = logs.get(at.checked_add(1)?).filter(|next| next.console == line.console);
        let message = next.and_then(|next| next.text.strip_prefix('\t')).map(str::trim);
        Some(Logged {
            condition,
            place: Some(place.trim_end_matches(':')).filter(|place| !place.is_empty()),
            message,
            source: line.console.unwrap_or("log"),
        })
    }

    /// Adds what `claim` lacks, unless it is about another assertion.
    fn complete(&self, claim: &mut Claim) {
        if claim.condition.as_deref().is_some_and(|known| Some(known) != self.condition) {
            return;
        }
        let source = self.source;
        if claim.condition.is_none() {
            claim.condition = self.condition.map(str::to_string);
            claim.lines.extend(self.place.map(|at| format!("printed to the {source}: at {at}")));
        }
        if claim.is_partial || !claim.lines.iter().any(|line| line.starts_with("message: ")) {
            let message = self.message.filter(|message| !message.is_empty());
            claim.lines.extend(message.map(|text| format!("printed to the {source}: {text}")));
        }
    }
}

/// What the function that gave up was given.
fn given(call: &Call<'_, '_>, name: &str, roles: &[Role], claim: &mut Claim) {
    let (mut file, mut line) = (None, None);
    for (index, role) in (0_u32..).zip(roles) {
        let Some(value) = call.argument(index) else { continue };
        let text = || call.text(value).filter(|text| !text.is_empty());
        match role {
            Role::File => file = text(),
            Role::Line => line = Some(value).filter(|line| *line < MOST_LINES),
            Role::Function => claim.lines.extend(text().map(|text| format!("function: {text}"))),
            Role::Condition => claim.condition = text().or(claim.condition.take()),
            Role::Message => {
                let length = call.argument(index.saturating_add(1));
                let text = length.and_then(|length| call.slice(value, length));
                claim.lines.extend(text.map(|text| format!("message: {text}")));
            }
            // Its layout is not promised: a name with its length, then line and column.
            Role::Location => {
                let word = |offset| call.word(value.checked_add(offset)?);
                let name = word(0).zip(word(4)).and_then(|(at, length)| call.slice(at, length));
                file = name.filter(|name| name.contains(".rs"));
                line = word(8).filter(|line| *line < MOST_LINES);
            }
            Role::Number(what) => claim.lines.push(format!("{what}: {value}")),
            Role::Other => {}
        }
    }
    if let (Some(file), Some(line)) = (file, line) {
        claim.lines.push(format!("{name} was given {file}:{line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_with_arguments_gives_up() {
        for (name, roles) in CLAIMS {
            assert!(gives_up(name), "{name}");
            assert!(roles.len() <= 4, "{name}");
            assert!(!roles.is_empty(), "{name}");
        }
    }

    /// What is said of an assertion with this claim when these lines were printed.
    fn completed(mut claim: Claim, lines: &[&str]) -> Vec<String> {
        let line = |text: &&str| LogLine {
            text: text.to_string(),
            console: Some("RAM console"),
            ..LogLine::default()
        };
        let logs: Vec<LogLine> = lines.iter().map(line).collect();
        if let Some(logged) = Logged::find(&logs) {
            logged.complete(&mut claim);
        }
        claim.condition.into_iter().chain(claim.lines).collect()
    }

    #[test]
    fn assertion_whose_arguments_are_lost_is_told_as_it_was_printed() {
        let lines = ["ASSERTION FAIL [old] @ a.c:1", "ASSERTION FAIL [x > 0] @ b.c:2:", "\tx is 0"];
        let told = completed(Claim::default(), &lines);
        let printed =
            ["printed to the RAM console: at b.c:2", "printed to the RAM console: x is 0"];
        assert_eq!(told, ["x > 0", printed[0], printed[1]]);
        let (condition, message) = (Some("x > 0".to_string()), "message: x is %d".to_string());
        let claim = |is_partial| Claim {
            condition: condition.clone(),
            lines: vec![message.clone()],
            is_partial,
        };
        assert_eq!(completed(claim(true), &lines), ["x > 0", message.as_str(), printed[1]]);
        assert_eq!(completed(claim(false), &lines), ["x > 0", message.as_str()]);
    }

    #[test]
    fn lines_of_another_assertion_are_not_taken() {
        let condition = Some("y > 0".to_string());
        let claim = Claim { condition, ..Claim::default() };
        assert_eq!(completed(claim, &["ASSERTION FAIL [x > 0] @ b.c:2", "\tx is 0"]), ["y > 0"]);
        assert_eq!(completed(Claim::default(), &["all is well"]), [""; 0]);
    }

    #[test]
    fn assertion_is_read_however_little_was_printed() {
        let at = "printed to the RAM console: at";
        for (line, condition, place) in [
            ("ASSERTION FAIL", None, None),
            ("ASSERTION FAIL [a[i] == 1]", Some("a[i] == 1"), None),
            ("ASSERTION FAIL @ dir @ 2/b.c:2", None, Some("dir @ 2/b.c:2")),
        ] {
            let place = place.map(|place| format!("{at} {place}"));
            let expected: Vec<_> = condition.map(str::to_string).into_iter().chain(place).collect();
            assert_eq!(completed(Claim::default(), &[line, "next"]), expected, "{line}");
        }
    }
}
