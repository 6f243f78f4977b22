//! The command line: one file per command, each opens what it is given, calls the core and
//! renders to [`Context::out`].
//!
//! Data goes to stdout and everything else to stderr; color never carries meaning.

mod analyze;
mod console;
mod convert;
mod coredump;
mod dap;
mod decode;
mod diff;
mod dump;
mod elf;
mod exit;
mod files;
mod gdb_init;
mod gdbserver;
mod messages;
mod numbers;
mod peripherals;
mod priorities;
mod probes;
mod progress;
mod redact;
mod regions;
mod running;
mod symbols;
#[cfg(feature = "tui")]
mod tui;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::report::Style;
use exit::hinted;
pub use exit::{Exit, Usage, WithHint};

/// Find out why a microcontroller crashed: capture, decode and explain coredumps offline.
#[derive(Debug, Parser)]
#[command(name = "mflt", version, max_term_width = 100, subcommand_required = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but incomplete \
    (with --strict).")]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// When to color what is printed; `auto` colors on a terminal unless NO_COLOR is set.
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    color: ColorChoice,
}

/// When to color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    fn resolve(self, terminal: bool, no_color: bool) -> bool {
        match self {
            ColorChoice::Auto => terminal && !no_color,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        }
    }
}

// One line per command: a variant here, a line in `run`, a file beside this one.
#[derive(Debug, Subcommand)]
enum Command {
    Analyze(analyze::AnalyzeArgs),
    Console(console::ConsoleArgs),
    Convert(convert::ConvertArgs),
    Coredump(Box<coredump::CoredumpArgs>),
    Dap(dap::DapArgs),
    Decode(decode::DecodeArgs),
    Diff(diff::DiffArgs),
    GdbInit(gdb_init::GdbInitArgs),
    Gdbserver(gdbserver::GdbserverArgs),
    Probes(probes::ProbesArgs),
    Symbols(symbols::SymbolsArgs),
    #[cfg(feature = "tui")]
    Tui(tui::TuiArgs),
}

impl Command {
    fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        match self {
            Command::Analyze(args) => args.run(context),
            Command::Console(args) => args.run(context),
            Command::Convert(args) => args.run(context),
            Command::Coredump(args) => args.run(context),
            Command::Dap(args) => args.run(context),
            Command::Decode(args) => args.run(context),
            Command::Diff(args) => args.run(context),
            Command::GdbInit(args) => args.run(context),
            Command::Gdbserver(args) => args.run(context),
            Command::Probes(args) => args.run(context),
            Command::Symbols(args) => args.run(context),
            #[cfg(feature = "tui")]
            Command::Tui(args) => args.run(context),
        }
    }
}

/// What a command prints to, and how.
pub struct Context<'a> {
    /// Data.
    pub out: &'a mut dyn Write,
    /// Everything that is not data: progress, remarks, errors.
    pub err: &'a mut dyn Write,
    /// Whether to color what goes to `out`.
    pub color: bool,
    /// Whether `err` is a terminal: progress bars are drawn only there.
    pub interactive: bool,
}

impl Context<'_> {
    /// Prints `value` as one line of JSON.
    fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_vec(value)?)
    }

    fn line(&mut self, mut text: Vec<u8>) -> anyhow::Result<()> {
        text.push(b'\n');
        Ok(self.out.write_all(&text)?)
    }

    /// How reports are rendered: as wide as the terminal.
    fn style(&self, full: bool) -> Style {
        let width = terminal_size::terminal_size().map_or(100, |(width, _)| width.0.into());
        Style { width, color: self.color, full }
    }
}

/// Parses the command line, runs the command and reports its error.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors too, of code 0; a closed pipe is no reason to fail.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let mut out = io::BufWriter::new(stdout.lock());
    // Whole lines, but not locked: a progress bar draws from its own thread.
    let mut err = io::LineWriter::new(&stderr);
    let mut context = Context {
        color: cli.global.color.resolve(stdout.is_terminal(), no_color),
        interactive: stderr.is_terminal(),
        out: &mut out,
        err: &mut err,
    };
    let result = cli.command.run(&mut context).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    let exit = match result {
        Ok(exit) => exit,
        Err(error) => {
            // What was printed before the error comes first; if that fails too, so be it.
            let _ = out.flush();
            let exit = Exit::of(&error);
            if exit != Exit::Done {
                let _ = (&stderr).write_all(exit::render(&error).as_bytes());
            }
            exit
        }
    };
    // The buffer is empty or its reader is gone; dropping it must not try again.
    let _ = out.into_parts();
    exit.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn command_line_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }

    #[test]
    fn color_follows_terminal_and_no_color() {
        assert!(ColorChoice::Auto.resolve(true, false));
        assert!(!ColorChoice::Auto.resolve(true, true));
        assert!(!ColorChoice::Auto.resolve(false, false));
        assert!(ColorChoice::Always.resolve(false, true));
        assert!(!ColorChoice::Never.resolve(true, false));
    }
}
