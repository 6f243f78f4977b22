//! How fast a core is explained, against GDB printing every frame's variables, in one run.
//!
//! `mflt analyze --json` (all threads, all locals, globals) and `gdb-multiarch` with
//! `thread apply all bt full` read the same ELF and the same core. Prints the medians and their
//! ratio. Needs `gdb-multiarch`; run it with `cargo bench --bench analyze`. With an ELF and a core as
//! arguments (`cargo bench --bench analyze -- ELF CORE`) it measures those.

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/demo");
    let given: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let (elf, core) = match given.as_slice() {
        [elf, core] => (elf.clone(), core.clone()),
        _ => (format!("{demo}/firmware.elf"), format!("{demo}/crash.core")),
    };
    let mflt = env!("CARGO_BIN_EXE_mflt");
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..ROUNDS {
        ours.push(time(Command::new(mflt).args(["analyze", &core, "--elf", &elf, "--json"]))?);
        theirs.push(time(Command::new("gdb-multiarch").args([
            "-nx",
            "-batch",
            "-ex",
            "thread apply all bt full",
            &elf,
            &core,
        ]))?);
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    writeln!(out, "mflt analyze --json        {:8.1} ms", milliseconds(ours))?;
    writeln!(out, "gdb thread apply all bt full {:6.1} ms", milliseconds(theirs))?;
    writeln!(out, "mflt is {:.1} times as fast", theirs.as_secs_f64() / ours.as_secs_f64())?;
    Ok(())
}

fn time(command: &mut Command) -> Result<Duration> {
    let started = Instant::now();
    let status =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let elapsed = started.elapsed();
    if !status.success() {
        return Err(format!("{command:?} ended with {status}").into());
    }
    Ok(elapsed)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
