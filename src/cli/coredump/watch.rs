//! `mflt coredump --watch`: a capture each time the target halts.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use clap::Args;

use super::{Context, Exit, Task, WithHint, default_name, hinted, regions};
use crate::arch::cortex_m::exception;
use crate::symbols::Symbols;
use crate::target::{Catch, Execution, Halt, Leave, TargetError, Watch};

/// Waiting for a target to crash.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// Let the target run and capture it each time it halts, until Ctrl-C; then put back what was
    /// changed and leave it running, or with --halt halted.
    ///
    /// It halts at BKPT instructions, and at what --catch and --break set up.
    #[arg(long)]
    watch: bool,
    /// Halt at the entry of every fault handler (vector catch; DEMCR is written and restored).
    #[arg(long, requires = "watch")]
    catch: bool,
    /// Halt at a function or an address, by a hardware breakpoint; may be given several times.
    #[arg(long = "break", value_name = "WHERE", requires = "watch")]
    break_at: Vec<String>,
    /// Stop watching after so many captures.
    #[arg(long, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
}

impl WatchArgs {
    /// What is to make the target halt; `None` when it is not to be watched.
    ///
    /// # Errors
    /// Wrong usage: a place that is not known.
    pub(super) fn catch(&self, symbols: &Symbols<'_, '_>) -> anyhow::Result<Option<Catch>> {
        let places = self.break_at.iter().map(|place| regions::parse_address(place, symbols));
        let breakpoints: Vec<_> = places.collect::<anyhow::Result<_>>()?;
        let breakpoints = breakpoints.into_iter().map(|place| place.without_thumb_bit()).collect();
        Ok(self.watch.then_some(Catch { vectors: self.catch, breakpoints }))
    }
}

impl Task<'_, '_> {
    /// Captures the target each time it halts.
    pub(super) fn watch(
        &self,
        context: &mut Context<'_>,
        target: &mut dyn Execution,
        catch: &Catch,
    ) -> anyhow::Result<Exit> {
        let at = self.args.place();
        let watch = Watch::begin(target, catch);
        let (count, result, ended) = match watch {
            Ok(mut watch) => {
                let mut count = 0;
                let result = self.rounds(context, target, &mut watch, &mut count);
                // Whatever happened, what was changed is put back.
                (count, result, watch.end(target))
            }
            Err(error) => (0, Err(cannot_begin(error, at)), Ok(())),
        };
        let leave = if self.args.halt { Leave::Halted } else { Leave::Running };
        let left = target.leave(leave);
        let exit = result?;
        ended
            .with_context(|| format!("restoring the target at `{at}`"))
            .hint("a breakpoint or DEMCR may still be set: a power-on reset clears both")?;
        left.with_context(|| format!("leaving the target at `{at}`"))?;
        writeln!(context.err, "Captured {count} times.")?;
        Ok(exit)
    }

    fn rounds(
        &self,
        context: &mut Context<'_>,
        target: &mut dyn Execution,
        watch: &mut Watch,
        count: &mut u32,
    ) -> anyhow::Result<Exit> {
        let go_on = || !self.cancel.load(Ordering::Relaxed);
        let mut exit = Exit::Done;
        // One that stands in a fault handler already is the first.
        let mut halt = match target.was_running() {
            Some(false) => {
                Some(Watch::halted(target)?).filter(|h| exception::is_fault(h.exception))
            }
            _ => None,
        };
        loop {
            if let Some(halt) = halt {
                *count += 1;
                writeln!(context.err, "{}", describe(&halt))?;
                let outcome = self.capture(context, target)?;
                let is_last = self.args.watch.count == Some(*count);
                let resumed = match is_last || outcome.captured.error.is_some() {
                    true => Ok(None),
                    false => watch.resume(target).map(|()| Some(true)),
                };
                let path = match &self.args.output {
                    Some(path) => numbered(path, *count),
                    None => numbered(Path::new(&default_name(outcome.captured_at)), *count),
                };
                let one = outcome.report(self.args, &path, context, resumed)?;
                exit = if one == Exit::Done { exit } else { one };
                if is_last {
                    return Ok(exit);
                }
            } else {
                watch.resume(target).context("letting the target run")?;
            }
            writeln!(context.err, "Watching; Ctrl-C ends it.")?;
            halt = match watch.wait(target, &mut || go_on()) {
                Ok(Some(halt)) => Some(halt),
                Ok(None) => return Ok(exit),
                Err(error @ TargetError::Stuck(_)) => {
                    return Err(error)
                        .hint("a BKPT instruction or a lockup holds it: it has to be reset");
                }
                Err(error) => return Err(error).context("waiting for the target to halt"),
            };
        }
    }
}

fn cannot_begin(error: TargetError, at: &str) -> anyhow::Error {
    let hint = match &error {
        TargetError::NoVectorCatch => "break at the fault handler instead: `--break HardFault`",
        TargetError::Refused { .. } => "few cores have more than four hardware breakpoints",
        _ => "is the server still there?",
    };
    hinted(anyhow::Error::new(error).context(format!("watching the target at `{at}`")), hint)
}

fn describe(halt: &Halt) -> String {
    let place = match halt.exception {
        0 => "in a thread".to_owned(),
        number => format!("in {}", exception::name(number)),
    };
    format!("Halted at {} {place}.", halt.pc)
}

/// `soak.core` as `soak-3.core`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{number}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_numbered_before_their_extension() {
        assert_eq!(numbered(Path::new("a/soak.core"), 3), Path::new("a/soak-3.core"));
        assert_eq!(numbered(Path::new("soak"), 12), Path::new("soak-12"));
    }
}
