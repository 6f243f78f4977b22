//! The command line: help, exit codes, colors, pipes, JSON.

use crate::support::file;
use crate::support::manifest::{self, Case};
use crate::support::program::{LIMIT, mflt, run, start, wait};
use mflt::report::Report;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

fn plain_case() -> &'static Case {
    manifest::case("mps2-an385-Og-stackoverflow")
}

/// `mflt analyze` of a committed core.
fn analyze() -> Command {
    let case = plain_case();
    let mut command = mflt();
    command.arg("analyze").arg(file(case.text("plain_core"))).arg("--elf").arg(file(case.elf()));
    command
}

/// The commands that `--help` lists.
fn commands() -> Vec<String> {
    let help = run(mflt().arg("--help")).success("mflt --help").unwrap();
    let list = help.split_once("Commands:\n").expect("a list of commands").1;
    let lines = list.lines().take_while(|line| !line.is_empty());
    let indented = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    indented.filter_map(|line| line.split_whitespace().next()).map(str::to_string).collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let commands = commands();
    assert!(commands.len() >= 3, "{commands:?}");
    for command in commands.iter().filter(|name| *name != "help") {
        let help = run(mflt().args([command, "--help"])).success("--help").unwrap();
        assert!(help.contains("Example"), "{command}: {help}");
        assert!(help.contains(&format!("mflt {command} ")), "{command}: {help}");
        let short = run(mflt().args([command, "-h"])).success("-h").unwrap();
        assert!(short.contains("Usage:"), "{command}: {short}");
    }
}

#[test]
fn version_is_the_packages() {
    let version = run(mflt().arg("--version")).success("mflt --version").unwrap();
    assert_eq!(version, format!("mflt {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn exit_codes_tell_done_failed_usage_and_incomplete() {
    let code = |command: &mut Command| run(command).code;
    assert_eq!(code(&mut analyze()), Some(0));
    assert_eq!(code(mflt().args(["analyze", "no-such-file.core"])), Some(1));
    assert_eq!(code(&mut mflt()), Some(2));
    assert_eq!(code(mflt().arg("no-such-command")), Some(2));
    assert_eq!(code(mflt().args(["analyze", "--no-such-option"])), Some(2));
    assert_eq!(code(mflt().args(["coredump", "--gdb", "x:1", "--halt", "--resume"])), Some(2));
    // Without its ELF a core cannot be explained in full.
    let core = file(plain_case().text("plain_core"));
    assert_eq!(code(mflt().arg("analyze").arg(&core)), Some(0));
    assert_eq!(code(mflt().arg("analyze").arg(&core).arg("--strict")), Some(3));
}

#[test]
fn data_goes_to_stdout_and_errors_to_stderr() {
    let good = run(&mut analyze());
    assert_eq!(good.stderr, "");
    assert!(good.stdout.contains("accel-workq"), "{}", good.stdout);
    let bad = run(mflt().args(["analyze", "no-such-file.core"]));
    assert_eq!(bad.stdout, "");
    assert!(bad.stderr.contains("`no-such-file.core`"), "{}", bad.stderr);
}

#[test]
fn color_is_for_terminals_and_not_with_no_color() {
    let escape = |text: &str| text.contains('\u{1b}');
    assert!(!escape(&run(&mut analyze()).stdout), "a pipe is no terminal");
    assert!(escape(&run(analyze().args(["--color", "always"])).stdout));
    let on_terminal = |no_color: &str, option: &str| {
        let case = plain_case();
        let words = [
            env!("CARGO_BIN_EXE_mflt").to_string(),
            "analyze".to_string(),
            file(case.text("plain_core")).display().to_string(),
            "--elf".to_string(),
            file(case.elf()).display().to_string(),
            option.to_string(),
        ];
        let line: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        // `script` of util-linux gives the program a terminal.
        let mut command = Command::new("script");
        command.args(["-qec", &line.join(" "), "/dev/null"]);
        command.env_remove("NO_COLOR").env("TERM", "xterm");
        if !no_color.is_empty() {
            command.env("NO_COLOR", no_color);
        }
        run(&mut command).success("script").unwrap()
    };
    assert!(escape(&on_terminal("", "--color=auto")));
    assert!(!escape(&on_terminal("1", "--color=auto")));
    assert!(escape(&on_terminal("1", "--color=always")));
    assert!(!escape(&on_terminal("", "--color=never")));
}

#[test]
fn broken_pipe_is_a_success() {
    for option in ["--full", "--json"] {
        let mut command = analyze();
        command.arg(option);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = start(&mut command);
        let mut line = String::new();
        // As `| head -1` does: read a line and go.
        let mut reader = BufReader::with_capacity(16, child.stdout.take().expect("a pipe"));
        reader.read_line(&mut line).unwrap();
        drop(reader);
        let status = wait(&mut child, LIMIT).expect("an end");
        let mut errors = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut errors).unwrap();
        assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{option}");
        assert!(!line.is_empty());
    }
}

#[test]
fn json_is_the_report() {
    let text = run(analyze().arg("--json")).success("mflt analyze").unwrap();
    let report: Report = serde_json::from_str(&text).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&report).unwrap(), value, "nothing is lost on the way");
    assert_eq!(value["schema"], 1);
    for key in ["title", "category", "cause", "device", "symbols", "fault", "threads", "globals"] {
        assert!(value.get(key).is_some(), "{key}");
    }
}

#[test]
fn text_and_json_tell_the_same_crash() {
    let text = run(&mut analyze()).success("mflt analyze").unwrap();
    let json = run(analyze().arg("--json")).success("mflt analyze").unwrap();
    let report: Report = serde_json::from_str(&json).unwrap();
    assert!(text.starts_with(&report.title), "{text}");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&text).contains(&words(&report.cause.summary)), "{text}");
    for thread in &report.threads {
        assert!(text.contains(&thread.name), "{}: {text}", thread.name);
    }
}
