//! Exit codes, and errors that carry a remedy or mean wrong usage.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Done,
    /// It failed.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// It was done, but something is missing, and `--strict` was given.
    Incomplete,
    /// Two dumps were compared and differ.
    Different,
    /// Two dumps could not be compared.
    Trouble,
}

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed | Exit::Different => 1,
            Exit::Usage | Exit::Trouble => 2,
            Exit::Incomplete => 3,
        }
    }

    /// The exit of a command that returned `error`.
    pub fn of(error: &anyhow::Error) -> Exit {
        // Somebody closed our output, `mflt … | head` for example: nothing went wrong.
        let closed = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        };
        if error.chain().any(closed) {
            Exit::Done
        } else if error.downcast_ref::<Usage>().is_some() {
            Exit::Usage
        } else if error.downcast_ref::<Trouble>().is_some() {
            Exit::Trouble
        } else {
            Exit::Failed
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// An error of the one who typed the command line: exit code 2.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Marks an error of a comparison, where 1 means that something differs: exit code 2, as diff(1).
#[derive(Debug)]
pub(super) struct Trouble;

impl fmt::Display for Trouble {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// A remedy; printed as one `hint:` line below the error, not as part of it.
#[derive(Debug)]
struct Hint(String);

impl fmt::Display for Hint {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// Adds a remedy to an error.
pub trait WithHint<T> {
    /// Adds what the user can do about it, in one line.
    ///
    /// # Errors
    /// The error it was called on, with the remedy.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithHint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| hinted(error, hint))
    }
}

/// `error` with what the user can do about it, in one line.
pub(super) fn hinted(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> anyhow::Error {
    error.into().context(Hint(hint.into()))
}

#[cfg(any(feature = "tui", test))]
/// An error with all causes, and its remedy where one is known, in one line.
pub(super) fn line(error: &anyhow::Error) -> String {
    let text = render(error);
    text.trim_end().trim_start_matches("error: ").replace('\n', "; ")
}

/// `error: …` with all causes in one line, and `hint: …` where a remedy is known.
pub(super) fn render(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Hints and marks are empty; some libraries repeat the text of their cause.
        if !text.is_empty() && !parts.last().is_some_and(|last| last.ends_with(&text)) {
            parts.push(text);
        }
    }
    let mut text = format!("error: {}\n", parts.join(": "));
    if let Some(Hint(hint)) = error.downcast_ref::<Hint>() {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn error_with_hint_prints_two_lines() {
        let result: Result<(), _> = Err(io::Error::other("no route"));
        let error = result.context("connecting to `x:1`").hint("start it").unwrap_err();
        assert_eq!(render(&error), "error: connecting to `x:1`: no route\nhint: start it\n");
        assert_eq!(Exit::of(&error), Exit::Failed);
        assert_eq!(line(&error), "connecting to `x:1`: no route; hint: start it");
        let error = error.context("capturing");
        assert_eq!(
            render(&error),
            "error: capturing: connecting to `x:1`: no route\nhint: start it\n"
        );
    }

    #[test]
    fn broken_pipe_is_success_and_usage_is_two() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(Exit::of(&error.context("printing")), Exit::Done);
        let error = Err::<(), _>(Usage("size is zero".into())).hint("give one").unwrap_err();
        assert_eq!(Exit::of(&error).code(), 2);
        assert_eq!(Exit::Incomplete.code(), 3);
    }

    #[test]
    fn trouble_of_a_comparison_is_two_and_keeps_its_hint() {
        let error = Err::<(), _>(io::Error::other("gone")).hint("look").unwrap_err();
        let error = error.context(Trouble);
        assert_eq!(render(&error), "error: gone\nhint: look\n");
        assert_eq!((Exit::of(&error).code(), Exit::Different.code()), (2, 1));
    }
}
