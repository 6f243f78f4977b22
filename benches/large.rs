//! How fast a crash is explained with an ELF of 2 MB and of 50 MB, and how much memory that takes,
//! against GDB printing every frame's variables, in one run.
//!
//! Links the fixture firmware together with generated units: each declares the same few thousand
//! types, as headers make every unit do, and functions of its own, which are placed behind the
//! firmware. That stays at its addresses, so the fixture's core fits. Needs `gdb-multiarch` and the `arm-none-eabi-gcc`
//! that built the fixtures; run it with `cargo bench --bench large`. What was linked stays in
//! `target/tmp` for the next run.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const BOARD: &str = "mps2-an386";
const ROUNDS: usize = 9;
/// Size in MB, and units that make an ELF of about that size.
const SIZES: [(u32, usize); 2] = [(2, 6), (50, 160)];
const STRUCTURES: usize = 1200;
const FUNCTIONS: usize = 60;
const COMPILE: [&str; 13] = [
    "-mcpu=cortex-m4",
    "-mfpu=fpv4-sp-d16",
    "-mfloat-abi=hard",
    "-Og",
    "-mthumb",
    "-std=gnu11",
    "-g",
    "-gdwarf-5",
    "-ffreestanding",
    "-fno-tree-loop-distribute-patterns",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-eliminate-unused-debug-types",
];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let core = root.join(format!("fixtures/cores/{BOARD}-Og-stackoverflow.core"));
    let build_id = build_id(&root.join(format!("fixtures/elf/{BOARD}-Og.elf")))?;
    for (megabytes, units) in SIZES {
        let name = format!("large-{megabytes}-{build_id}.elf");
        let elf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if !elf.exists() {
            link(root, &elf, units, &build_id)?;
        }
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

/// The fixture's firmware with `units` generated units, under the build ID of the fixture.
fn link(root: &Path, elf: &Path, units: usize, build_id: &str) -> Result<()> {
    let folder = elf.with_extension("d");
    std::fs::create_dir_all(&folder)?;
    let firmware = root.join("fixtures/firmware");
    let header = format!("boards/{BOARD}.h");
    std::fs::copy(firmware.join(&header), folder.join("board.h"))?;
    let script = folder.join("link.ld");
    let include = format!("-I{}", folder.display());
    let gcc = || {
        let mut gcc = Command::new("arm-none-eabi-gcc");
        gcc.current_dir(&firmware).args(COMPILE).args(["-Iinclude", &include]);
        gcc
    };
    run(gcc().args(["-E", "-P", "-x", "c", "link.ld.in", "-o"]).arg(&script))?;
    let mut sources: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(firmware.join("src"))? {
        let path = entry?.path();
        sources.extend(path.extension().is_some_and(|e| e == "c" || e == "S").then_some(path));
    }
    sources.sort();
    std::fs::write(folder.join("bulk.h"), types())?;
    for unit in 0..units {
        let path = folder.join(format!("unit{unit}.c"));
        std::fs::write(&path, functions(unit))?;
        sources.push(path);
    }
    let mut objects = Vec::new();
    for source in &sources {
        let name = source.file_name().ok_or("a source without a name")?;
        let object = folder.join(name).with_extension("o");
        run(gcc().arg("-c").arg(source).arg("-o").arg(&object))?;
        objects.push(object);
    }
    run(gcc()
        .args(["-nostdlib", "-Wl,--gc-sections", &format!("-Wl,--build-id=0x{build_id}")])
        .args((0..units).map(|unit| format!("-Wl,-u,work_{unit}_0")))
        .args(["-Wl,--section-start=.bulk=0x200000", "-T"])
        .arg(&script)
        .args(&objects)
        .args(["-lgcc", "-o"])
        .arg(elf))
}

/// Structures that refer to each other, as the headers of a vendor declare them.
fn types() -> String {
    let mut text = String::from("#include <stdint.h>\n");
    for number in 0..STRUCTURES {
        let before = number.saturating_sub(1);
        let _ = write!(
            text,
            "enum mode_{number} {{ MODE_{number}_OFF, MODE_{number}_ON, MODE_{number}_AUTO }};\n\
             struct part_{number} {{\n  struct part_{before} *next;\n  enum mode_{number} mode;\n  \
             uint32_t flags : 5, state : 3;\n  uint16_t samples[8];\n  \
             int (*handler_{number})(struct part_{number} *self, uint32_t event);\n  \
             union {{ uint64_t wide; uint8_t bytes[8]; }} data;\n}};\n\
             typedef struct part_{number} part_{number}_t;\n"
        );
    }
    text
}

/// Functions with arguments, locals and blocks.
fn functions(unit: usize) -> String {
    let mut text = String::from("#include \"bulk.h\"\n");
    for number in 0..FUNCTIONS {
        let part = (unit * FUNCTIONS + number) % STRUCTURES;
        let _ = write!(
            text,
            "__attribute__((section(\".bulk\"))) int work_{unit}_{number}(part_{part}_t *part, int count)\n{{\n  int sum = 0;\n  \
             for (int index = 0; index < count; index++) {{\n    \
             uint16_t sample = part->samples[index & 7];\n    \
             if (sample > part->flags) {{ int extra = sample * count; sum += extra; }}\n  }}\n  \
             return part->handler_{part} ? part->handler_{part}(part, sum) : sum;\n}}\n"
        );
    }
    text
}

fn build_id(elf: &Path) -> Result<String> {
    let notes = Command::new("arm-none-eabi-readelf").arg("-n").arg(elf).output()?;
    let notes = String::from_utf8(notes.stdout)?;
    let id = notes.split("Build ID: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    Ok(id.ok_or("the fixture has no build ID")?.to_owned())
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

fn run(command: &mut Command) -> Result<()> {
    match command.status()? {
        status if status.success() => Ok(()),
        status => Err(format!("{command:?} ended with {status}").into()),
    }
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
