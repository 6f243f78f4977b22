//! `mflt gdb-init`: install the GDB commands.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use clap::Args;

use super::files::write_atomically;
use super::{Context, Exit, WithHint};

/// What is installed: the files of `gdb-scripts`.
const FILES: [(&str, &str); 9] = [
    ("memfault.py", include_str!("../../gdb-scripts/memfault.py")),
    ("mflt_gdb/__init__.py", include_str!("../../gdb-scripts/mflt_gdb/__init__.py")),
    ("mflt_gdb/arguments.py", include_str!("../../gdb-scripts/mflt_gdb/arguments.py")),
    ("mflt_gdb/bridge.py", include_str!("../../gdb-scripts/mflt_gdb/bridge.py")),
    ("mflt_gdb/chunk_handler.py", include_str!("../../gdb-scripts/mflt_gdb/chunk_handler.py")),
    ("mflt_gdb/commands.py", include_str!("../../gdb-scripts/mflt_gdb/commands.py")),
    ("mflt_gdb/program.py", include_str!("../../gdb-scripts/mflt_gdb/program.py")),
    ("mflt_gdb/server.py", include_str!("../../gdb-scripts/mflt_gdb/server.py")),
    ("mflt_gdb/upload.py", include_str!("../../gdb-scripts/mflt_gdb/upload.py")),
];

/// GDBs for Arm, by the names that they have in distributions and toolchains.
const DEBUGGERS: [&str; 4] =
    ["gdb-multiarch", "arm-none-eabi-gdb", "arm-none-eabi-gdb-py", "arm-zephyr-eabi-gdb"];
/// The oldest versions of GDB and of its Python that can load the scripts.
const OLDEST_GDB: u32 = 10;
const OLDEST_PYTHON: (u32, u32) = (3, 8);

/// Install the `memfault` commands for GDB.
///
/// Writes the scripts and prints the line that loads them; --add puts it into your gdbinit and tells
/// which GDBs in PATH can load them: they need GDB 10 with Python 3.8 or newer. In GDB `help memfault`
/// lists them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt gdb-init --add\n  \
    gdb-multiarch zephyr.elf -ex \"$(mflt gdb-init)\" -ex 'target remote :3333' -ex 'memfault cause'")]
pub(super) struct GdbInitArgs {
    /// Add the line to the file that GDB reads at its start.
    #[arg(long)]
    add: bool,
    /// The file for --add [default: .config/gdb/gdbinit of your home where that exists,
    /// else .gdbinit].
    #[arg(long, value_name = "FILE", requires = "add")]
    gdbinit: Option<PathBuf>,
    /// Folder for the scripts [default: mflt/gdb-scripts in the folder for data of your account].
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

impl GdbInitArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let folder = match self.to {
            Some(folder) => folder,
            None => data_folder()
                .context("finding the folder for data of your account")
                .hint("name a folder with `--to DIR`")?,
        };
        install(&folder).with_context(|| format!("writing scripts to `{}`", folder.display()))?;
        let script = fs::canonicalize(folder.join(FILES[0].0))?;
        let line = format!("source {}", script.display());
        if !self.add {
            writeln!(context.out, "{line}")?;
            return Ok(Exit::Done);
        }
        let path = match self.gdbinit {
            Some(path) => path,
            None => gdbinit()
                .context("finding your gdbinit")
                .hint("name the file with `--gdbinit FILE`")?,
        };
        let added = add(&path, &line).with_context(|| format!("writing `{}`", path.display()))?;
        let done = if added { "added to" } else { "stands already in" };
        writeln!(context.err, "`{line}` {done} {}", path.display())?;
        tell_debuggers(context)?;
        Ok(Exit::Done)
    }
}

/// Says of each GDB in PATH whether it can load the scripts.
fn tell_debuggers(context: &mut Context<'_>) -> io::Result<()> {
    let mut is_any = false;
    for name in DEBUGGERS {
        let Some(answer) = ask(name) else { continue };
        is_any = true;
        let err = &mut *context.err;
        match versions(&answer) {
            None => writeln!(
                err,
                "warning: `{name}` has no Python and cannot load them\n\
                 hint: toolchains often have a second GDB, such as `arm-none-eabi-gdb-py`; Debian's \
                 is `gdb-multiarch`"
            )?,
            Some((gdb, python)) if gdb < OLDEST_GDB || python < OLDEST_PYTHON => writeln!(
                err,
                "warning: `{name}` is GDB {gdb} with Python {}.{}: too old, they need GDB \
                 {OLDEST_GDB} with Python {}.{}",
                python.0, python.1, OLDEST_PYTHON.0, OLDEST_PYTHON.1
            )?,
            Some((gdb, (major, minor))) => {
                writeln!(err, "`{name}`, GDB {gdb} with Python {major}.{minor}, can load them")?;
            }
        }
    }
    if !is_any {
        writeln!(context.err, "note: none of {} is in PATH", DEBUGGERS.join(", "))?;
    }
    Ok(())
}

/// What the GDB called `name` prints of itself; `None` when there is none.
fn ask(name: &str) -> Option<String> {
    let question = "python import sys; print(gdb.VERSION, *sys.version_info[:2])";
    let mut command = Command::new(name);
    command.args(["-nx", "-batch", "-ex", question]).stdin(Stdio::null());
    let output = command.output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// GDB's version, and its Python's, from `13.1 3 11`; `None` without Python.
fn versions(answer: &str) -> Option<(u32, (u32, u32))> {
    let mut words = answer.split_whitespace();
    let leading = |word: &str| word.split('.').next().and_then(|number| number.parse().ok());
    let gdb = words.next().and_then(leading)?;
    Some((gdb, (words.next().and_then(leading)?, words.next().and_then(leading)?)))
}

/// Writes the scripts, and beside them which program they are to run: this one.
fn install(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("mflt_gdb"))?;
    for (name, text) in FILES {
        write_atomically(&folder.join(name), text.as_bytes())?;
    }
    let program = std::env::current_exe()?;
    write_atomically(&folder.join("program"), program.to_string_lossy().as_bytes())
}

/// Adds `line` to a file that need not exist; `false` when it stands there.
fn add(path: &Path, line: &str) -> io::Result<bool> {
    let mut text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if text.lines().any(|known| known.trim() == line) {
        return Ok(false);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    write_atomically(path, text.as_bytes())?;
    Ok(true)
}

/// The folder of environment variable `name`, where it is set.
fn folder_of(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn home() -> anyhow::Result<PathBuf> {
    let home = folder_of("HOME").or_else(|| folder_of("USERPROFILE"));
    home.context("neither HOME nor USERPROFILE is set")
}

/// Where programs keep data of an account.
fn data_folder() -> anyhow::Result<PathBuf> {
    let known = folder_of("XDG_DATA_HOME").or_else(|| folder_of("LOCALAPPDATA"));
    let data = match known {
        Some(folder) => folder,
        None => home()?.join(".local").join("share"),
    };
    Ok(data.join("mflt").join("gdb-scripts"))
}

/// The file that GDB reads at its start. GDB reads `.gdbinit` only where the other does not exist.
fn gdbinit() -> anyhow::Result<PathBuf> {
    let home = home()?;
    let config = folder_of("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    let newer = config.join("gdb").join("gdbinit");
    Ok(if newer.exists() { newer } else { home.join(".gdbinit") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_installed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("gdb-scripts");
        for folder in ["", "mflt_gdb"] {
            for entry in fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|ending| ending == "py") {
                    let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                    assert!(FILES.iter().any(|(known, _)| *known == name), "{name}");
                }
            }
        }
    }
}
