//! What the firmware itself said of its failure: the condition that did not hold, the message with
//! its arguments, file and line, as they were passed to the function that gave up.

use super::{Context, Scene};
use crate::analysis::faulting::Call;
use crate::analysis::unwind::UnwoundFrame;
use crate::issue::{is_assert, is_panic};

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
}

impl Scene<'_, '_> {
    /// What the firmware said when it gave up in `context`.
    pub(super) fn claim(&self, context: &Context) -> Option<Claim> {
        let gave_up = |frame: &UnwoundFrame| {
            let last = self.functions_of(frame).pop();
            last.map(|place| place.function).filter(|name| is_assert(name) || is_panic(name))
        };
        let first = context.frames.iter().position(|frame| gave_up(frame).is_some())?;
        let names: Vec<String> = context.frames.get(first..)?.iter().map_while(gave_up).collect();
        let at = first.checked_add(names.len())?;
        let roles = |name: &String| CLAIMS.iter().find(|(start, _)| name.starts_with(start));
        let (name, roles) = names.last().and_then(|name| Some((name, roles(name)?.1)))?;
        let handlers = self.contexts.get(..self.crashed?)?.iter().flat_map(|c| &c.frames);
        let inner: Vec<&UnwoundFrame> = handlers.chain(context.frames.get(..at)?).collect();
        let call = Call::of(context.frames.get(at)?, &inner, self.environment)?;
        let mut claim = Claim::default();
        printed(&call, &mut claim);
        given(&call, name, roles, &mut claim);
        Some(claim)
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
        claim.lines.push(format!("message: {}", line.text));
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
            assert!(is_assert(name) || is_panic(name), "{name}");
            assert!(roles.len() <= 4, "{name}");
            assert!(!roles.is_empty(), "{name}");
        }
    }
}
