//! Text and RAM of the SDK on a Cortex-M4 with `-Os`, and the stack frames of its fault path.
//!
//! RAM that outlives a reset, where coredumps, reboots, events and the log are kept, is storage and is
//! not counted.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

/// What `crash` is made of; `full` is everything but `http`.
const CRASH: [&str; 13] = [
    "src/cbor.c",
    "src/chunk.c",
    "src/coredump.c",
    "src/coredump_writer.c",
    "src/crc16.c",
    "src/event.c",
    "src/reboot.c",
    "src/rle.c",
    "src/storage_ram.c",
    "ports/cortex_m/fault.c",
    "ports/cortex_m/probe.c",
    "ports/cortex_m/reset.c",
    "ports/cortex_m/system.c",
];
/// The HTTP client, for devices with an IP stack.
const HTTP: [&str; 2] = ["src/http.c", "src/http_response.c"];
/// Where the fault handler spends its stack.
const FAULT_PATH: [&str; 5] = ["coredump", "coredump_writer", "fault", "probe", "system"];
/// Frames that are listed.
const FRAMES: usize = 8;

/// Bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) text: u64,
    pub(crate) ram: u64,
}

/// 6 kB and 0.4 kB.
const CRASH_BUDGET: Size = Size { text: 6144, ram: 409 };
/// 10 kB and 0.6 kB.
const FULL_BUDGET: Size = Size { text: 10240, ram: 614 };

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) crash: Size,
    pub(crate) full: Size,
    http: Size,
    /// Bytes and function, the largest first.
    frames: Vec<(u64, String)>,
}

impl Size {
    fn is_within(self, budget: Size) -> bool {
        self.text <= budget.text && self.ram <= budget.ram
    }

    fn json(self) -> String {
        format!("{{\"text\":{},\"ram\":{}}}", self.text, self.ram)
    }
}

impl Report {
    pub(crate) fn is_within_budget(&self) -> bool {
        self.crash.is_within(CRASH_BUDGET) && self.full.is_within(FULL_BUDGET)
    }

    pub(crate) fn json(&self) -> String {
        let Report { crash, full, http, .. } = self;
        format!("{{\"crash\":{},\"full\":{},\"http\":{}}}", crash.json(), full.json(), http.json())
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::from("Cortex-M4, -Os    text  budget     RAM  budget\n");
        for (name, size, budget) in
            [("crash", self.crash, CRASH_BUDGET), ("full", self.full, FULL_BUDGET)]
        {
            let (Size { text: code, ram }, over) = (size, !size.is_within(budget));
            let remark = if over { "  over budget" } else { "" };
            let _ = writeln!(
                text,
                "{name:<14}{code:>8}{:>8}{ram:>8}{:>8}{remark}",
                budget.text, budget.ram
            );
        }
        let Size { text: code, ram } = self.http;
        let _ = writeln!(text, "{:<14}{code:>8}{:>8}{ram:>8}", "http, beside", "");
        text.push_str("\nlargest stack frames of the fault path\n");
        for (size, function) in &self.frames {
            let _ = writeln!(text, "{size:>8}  {function}");
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// A folder for objects, removed at the end.
struct Objects(PathBuf);

impl Drop for Objects {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Compiles the sources under `sdk`, each by itself, and adds up what they take.
///
/// # Errors
/// Text that says which tool failed, and how.
pub(crate) fn measure(sdk: &Path) -> Result<Report, String> {
    let objects = Objects(env::temp_dir().join(format!("mflt-sdk-size-{}", process::id())));
    fs::create_dir_all(&objects.0).map_err(|error| error.to_string())?;
    let mut report = Report::default();
    for source in sources(sdk)? {
        let stem = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let object = objects.0.join(format!("{stem}.o"));
        let mut compiler = Command::new("arm-none-eabi-gcc");
        compiler.args(["-mcpu=cortex-m4", "-mthumb", "-std=c99", "-Os", "-ffreestanding"]);
        compiler.args(["-ffunction-sections", "-fdata-sections", "-fstack-usage", "-c"]);
        compiler.arg("-I").arg(sdk.join("include")).arg("-I").arg(sdk.join("src"));
        run(compiler.arg(&source).arg("-o").arg(&object))?;
        let size = sections(&run(Command::new("arm-none-eabi-size").arg("-A").arg(&object))?);
        let is_http = HTTP.iter().any(|http| source == sdk.join(http));
        let part = if is_http { &mut report.http } else { &mut report.full };
        part.text += size.text;
        part.ram += size.ram;
        if CRASH.iter().any(|crash| source == sdk.join(crash)) {
            report.crash.text += size.text;
            report.crash.ram += size.ram;
        }
        if FAULT_PATH.contains(&stem.as_str()) {
            let usage = fs::read_to_string(object.with_extension("su"));
            report.frames.extend(frames(&usage.map_err(|error| error.to_string())?));
        }
    }
    report.frames.sort_by(|a, b| b.cmp(a));
    report.frames.truncate(FRAMES);
    Ok(report)
}

fn sources(sdk: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for folder in ["src", "ports/cortex_m"] {
        let entries = fs::read_dir(sdk.join(folder)).map_err(|error| error.to_string())?;
        let paths = entries.flatten().map(|entry| entry.path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "c")));
    }
    match CRASH.iter().find(|crash| !found.contains(&sdk.join(crash))) {
        Some(missing) => Err(format!("`{missing}` is not there")),
        None => Ok(found),
    }
}

/// What the program printed.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("starting `{name}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{name}`: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Adds up the lines of `size -A`: name, size, address.
fn sections(listing: &str) -> Size {
    let mut size = Size::default();
    for line in listing.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(Ok(bytes))) = (words.next(), words.next().map(str::parse::<u64>))
        else {
            continue;
        };
        match name.split('.').nth(1) {
            Some("text" | "rodata") => size.text += bytes,
            Some("data" | "bss") => size.ram += bytes,
            _ => {}
        }
    }
    size
}

/// Functions of a file of `-fstack-usage`: place and name, bytes, kind.
fn frames(usage: &str) -> Vec<(u64, String)> {
    let frame = |line: &str| {
        let mut fields = line.split('\t');
        let function = fields.next()?.rsplit(':').next()?.to_owned();
        Some((fields.next()?.parse().ok()?, function))
    };
    usage.lines().filter_map(frame).collect()
}
