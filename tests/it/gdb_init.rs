//! `mflt gdb-init`, and what the scripts need of a GDB.

use crate::support::file;
use crate::support::folder::Folder;
use crate::support::program::{mflt, run};
use std::fs;
use std::process::Command;

#[test]
fn scripts_are_installed_and_loaded_at_the_start_of_gdb() {
    let folder = Folder::new();
    let gdbinit = folder.write(".gdbinit", b"set confirm off");
    let init = |arguments: &[&str]| {
        let mut command = mflt();
        command.env("HOME", folder.path()).env("XDG_DATA_HOME", folder.file("data"));
        command.env("XDG_CONFIG_HOME", folder.file("config"));
        run(command.arg("gdb-init").args(arguments))
    };
    let line = init(&[]).success("gdb-init").unwrap();
    assert!(line.starts_with("source ") && line.ends_with("gdb-scripts/memfault.py\n"), "{line}");
    assert_eq!(fs::read_to_string(&gdbinit).unwrap(), "set confirm off", "only with --add");
    for said in ["added to", "stands already in"] {
        let told = init(&["--add"]);
        assert!(told.stderr.contains(said), "{told:?}");
        let text = fs::read_to_string(&gdbinit).unwrap();
        assert_eq!(text, format!("set confirm off\n{line}"));
    }
    // Found without help: the program is the one that installed the scripts.
    let mut command = Command::new("gdb-multiarch");
    command.env("HOME", folder.path()).env_remove("MFLT").env("PATH", "/usr/bin:/bin");
    command.args(["-batch"]).arg(file("fixtures/demo/firmware.elf"));
    command.arg(file("fixtures/demo/crash.core")).args(["-ex", "memfault cause"]);
    let output = run(&mut command);
    assert!(output.stdout.contains("Stack overflow in thread accel-workq"), "{output:?}");
}

#[cfg(unix)]
#[test]
fn each_gdb_in_path_is_told_whether_it_can_load_the_scripts() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let init = |path: &str| {
        let mut command = mflt();
        command.env("HOME", folder.path()).env("XDG_DATA_HOME", folder.path()).env("PATH", path);
        command.env_remove("XDG_CONFIG_HOME");
        run(command.args(["gdb-init", "--add"])).stderr
    };
    let debian = init("/usr/bin:/bin");
    assert!(debian.contains("`gdb-multiarch`, GDB 1"), "{debian}");
    assert!(debian.contains(", can load them"), "{debian}");
    for (says, told) in [
        (
            "echo Python scripting is not supported in this copy of GDB. >&2; exit 1",
            " has no Python",
        ),
        ("echo 8.3.1 2 7", " is GDB 8 with Python 2.7: too old, they need GDB 10 with Python 3.8"),
        ("echo 12.1 3 6", " is GDB 12 with Python 3.6: too old"),
        ("echo 14.2.90.20240526-git 3 8", ", GDB 14 with Python 3.8, can load them"),
    ] {
        let gdb = folder.write("arm-none-eabi-gdb", format!("#!/bin/sh\n{says}\n").as_bytes());
        fs::set_permissions(&gdb, fs::Permissions::from_mode(0o755)).unwrap();
        let text = init(&folder.path().display().to_string());
        assert!(text.contains(&format!("`arm-none-eabi-gdb`{told}")), "{text}");
    }
    let text = init("/nowhere");
    assert!(text.contains("note: none of gdb-multiarch, arm-none-eabi-gdb"), "{text}");
}

#[test]
fn gdb_without_python_stops_at_the_first_line_of_the_script() {
    let script = fs::read_to_string(file("gdb-scripts/memfault.py")).unwrap();
    let first = script.lines().find(|line| !line.starts_with('#')).unwrap();
    // GDB calls that command by name when it has no Python; here it has, and reads it as GDB would.
    assert!(first.starts_with("python = "), "{first}");
    let folder = Folder::new();
    let mut command = Command::new("gdb-multiarch");
    command.env("HOME", folder.path()).args(["-nx", "-batch", "-ex", "set script-extension off"]);
    command.args(["-ex", &format!("source {}", file("gdb-scripts/memfault.py").display())]);
    let output = run(&mut command);
    assert!(output.stderr.contains("memfault.py:2: Error in sourced command file"), "{output:?}");
    assert!(!output.stderr.contains("Undefined command"), "{output:?}");
}

#[test]
fn scripts_keep_to_the_oldest_python() {
    let check = format!(
        "python import ast, glob\n\
         for path in glob.glob('{}/**/*.py', recursive=True):\n\
        \x20   ast.parse(open(path).read(), path, feature_version=(3, 8))\n\
        \x20   print('fine', path)\n",
        file("gdb-scripts").display()
    );
    let folder = Folder::new();
    let script = folder.write("check.gdb", check.replacen("python ", "python\n", 1).as_bytes());
    let output = run(Command::new("gdb-multiarch").args(["-nx", "-batch", "-x"]).arg(script));
    assert_eq!(output.stdout.matches("fine ").count(), 9, "{output:?}");
}
