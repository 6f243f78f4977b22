//! How fast a crash is explained with an ELF of 2 MB and of 50 MB, and how much memory that takes,
//! against GDB printing every frame's variables, in one run.
//!
//! Needs `gdb-multiarch`, and what `generated` needs; run it with `cargo bench --bench large`.

mod generated;

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;
/// Size in MB, and units that make an ELF of about that size.
const SIZES: [(u32, usize); 2] = [(2, 6), (50, 160)];
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join(generated::CORE);
    for (megabytes, units) in SIZES {
        let elf = generated::elf(megabytes, units)?;
        let mflt = |flags: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_mflt"));
            command.arg("analyze").arg(&core).arg("--elf").arg(&elf).args(flags);
            command
        };
        let (mut text, mut json, mut gdb) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            text.push(time(&mut mflt(&[]))?);
            json.push(time(&mut mflt(&["--json"]))?);
            gdb.push(time(
                Command::new("gdb-multiarch")
                    .args(["-nx", "-batch", "-ex", "thread apply all bt full"])
                    .args([&elf, &core]),
            )?);
        }
        let gdb = median(&mut gdb);
        let size = std::fs::metadata(&elf)?.len() as f64 / 1e6;
        writeln!(out, "ELF of {size:.1} MB: gdb thread apply all bt full {gdb:.1} ms")?;
        for (name, times, flags) in
            [("text", &mut text, &[][..]), ("JSON with all globals", &mut json, &["--json"][..])]
        {
            let ours = median(times);
            let memory = peak_memory(&mut mflt(flags))?;
            let (ratio, share) = (gdb / ours, memory / size);
            writeln!(
                out,
                "  mflt analyze, {name}: {ours:.1} ms, {ratio:.1} times as fast; \
                 {memory:.0} MB of memory, {share:.2} of the ELF"
            )?;
        }
    }
    Ok(())
}

/// Peak resident memory in MB, as GNU time tells it.
fn peak_memory(command: &mut Command) -> Result<f64> {
    let output = Command::new("/usr/bin/time")
        .args(["-f", "%M"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdout(Stdio::null())
        .output()?;
    let text = String::from_utf8(output.stderr)?;
    let kilobytes: f64 = text.lines().last().ok_or("no answer of time")?.trim().parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}

fn time(command: &mut Command) -> Result<f64> {
    let started = Instant::now();
    let status =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let elapsed: Duration = started.elapsed();
    if !status.success() {
        return Err(format!("{command:?} ended with {status}").into());
    }
    Ok(elapsed.as_secs_f64() * 1000.0)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
