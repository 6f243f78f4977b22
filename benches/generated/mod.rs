//! Firmware of any size: that of the fixtures, linked together with generated units. Each declares
//! the same few thousand types, as headers make every unit do, and functions of its own, which are
//! placed behind the firmware. That stays at its addresses, so the fixture's core fits.
//!
//! Needs the `arm-none-eabi-gcc` that built the fixtures. What was linked stays in `target/tmp`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const BOARD: &str = "mps2-an386";
/// The core that fits.
pub(crate) const CORE: &str = "fixtures/cores/mps2-an386-Og-stackoverflow.core";
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

/// An ELF of about so many `megabytes`, which take so many `units`.
pub(crate) fn elf(megabytes: u32, units: usize) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let build_id = build_id(&root.join(format!("fixtures/elf/{BOARD}-Og.elf")))?;
    let name = format!("large-{megabytes}-{build_id}.elf");
    let elf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if !elf.exists() {
        link(root, &elf, units, &build_id)?;
    }
    Ok(elf)
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

fn run(command: &mut Command) -> Result<()> {
    match command.status()? {
        status if status.success() => Ok(()),
        status => Err(format!("{command:?} ended with {status}").into()),
    }
}
