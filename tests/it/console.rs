//! `mflt console`: what a device prints, from a pipe and over a serial line.

use crate::support::file;
use crate::support::folder::Folder;
use crate::support::program::{LIMIT, mflt, run, start, wait};
use crate::support::serial_line::{SerialLine, write_all};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

const LOG: &str = "fixtures/chunks/console.log";
const NODE: &str = "fixtures/chunks/node.elf";
const DEMO: &str = "fixtures/demo/firmware.elf";

fn from_pipe(log: &std::path::Path, arguments: &[&str]) -> (String, String) {
    let mut command = mflt();
    command.args(["console", "-"]).args(arguments).stdin(File::open(log).unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// Lines of JSON without the names of files.
fn messages(text: &str) -> Vec<Value> {
    let parse = |line: &str| {
        let mut message: Value = serde_json::from_str(line).expect(line);
        if message["file"].is_string() {
            message["file"] = "stored".into();
        }
        message
    };
    text.lines().map(parse).collect()
}

#[test]
fn messages_are_those_of_decode_and_the_log_stays() {
    let folder = Folder::new();
    let (elf, out) = (file(NODE).display().to_string(), folder.file("out").display().to_string());
    let (json, log) = from_pipe(&file(LOG), &["--elf", &elf, "--json", "--extract", &out]);
    let mut decode = mflt();
    decode.arg("decode").arg(file(LOG)).args(["--elf", &elf, "--json", "--extract", &out]);
    let decoded = run(&mut decode).success("mflt decode").unwrap();
    assert_eq!(messages(&json), messages(&decoded));
    let text = fs::read_to_string(file(LOG)).unwrap();
    let plain: Vec<&str> =
        text.lines().filter(|l| !l.contains("MC:") && !l.contains("ML:")).collect();
    assert!(!plain.is_empty());
    assert_eq!(log.lines().collect::<Vec<_>>(), plain);

    let kept = folder.file("kept.log");
    let keep = kept.display().to_string();
    let (shown, _) =
        from_pipe(&file(LOG), &["--elf", &elf, "--extract", &out, "--log", &keep, "--raw"]);
    assert_eq!(fs::read(&kept).unwrap(), fs::read(file(LOG)).unwrap());
    for line in text.lines() {
        assert!(shown.contains(line), "--raw shows {line}");
    }
}

/// A console on a serial line.
fn on(port: &str, folder: &Folder) -> Child {
    let mut command = mflt();
    command.current_dir(folder.path());
    command.args(["console", "--port", port, "--elf"]).arg(file(DEMO));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    start(&mut command)
}

/// The demo's coredump as Zephyr prints it, with a log around it.
fn printed_dump(folder: &Folder) -> Vec<u8> {
    let log = folder.file("printed.log");
    let mut convert = mflt();
    convert.arg("convert").arg(file("fixtures/demo/crash.core")).arg(&log);
    run(convert.args(["--to", "zephyr-log"])).success("mflt convert").unwrap();
    let mut bytes = b"*** Booting ***\r\n".to_vec();
    bytes.extend(fs::read(&log).unwrap());
    bytes.extend(b"up again\r\n");
    bytes
}

#[test]
fn dump_on_a_serial_line_is_explained_as_it_passes_and_stored() {
    let folder = Folder::new();
    let line = SerialLine::new();
    let mut console = on(&line.device(), &folder);
    write_all(&line.ours, &printed_dump(&folder)).unwrap();
    let mut shown = String::new();
    let mut stdout = BufReader::new(console.stdout.take().unwrap());
    while !shown.ends_with("up again\n") {
        assert!(stdout.read_line(&mut shown).unwrap() > 0, "{shown}");
    }
    assert!(shown.starts_with("*** Booting ***\n"), "{shown}");
    assert!(shown.contains("Stack overflow in thread accel-workq"), "{shown}");
    assert!(!shown.contains("#CD:"), "{shown}");
    let stored = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let stored = stored.filter(|path| path.to_string_lossy().ends_with("-coredump-1.bin"));
    let stored: Vec<_> = stored.collect();
    assert_eq!(stored.len(), 1);
    let again = run(mflt().arg("analyze").arg(&stored[0]).arg("--elf").arg(file(DEMO)));
    assert!(
        again.success("mflt analyze").unwrap().contains("Stack overflow in thread accel-workq")
    );
    let pid = console.id().to_string();
    run(Command::new("kill").args(["-INT", &pid])).success("kill").unwrap();
    assert_eq!(wait(&mut console, LIMIT).expect("an end").code(), Some(0));
}

#[cfg(unix)]
#[test]
fn port_that_goes_away_is_told_and_read_again_when_it_comes_back() {
    let folder = Folder::new();
    let line = SerialLine::new();
    // As udev does it: the name stays, what it leads to changes.
    let name = folder.file("tty");
    std::os::unix::fs::symlink(line.device(), &name).unwrap();
    let mut console = on(&name.display().to_string(), &folder);
    let dump = printed_dump(&folder);
    let end = dump.windows(9).position(|word| word == b"#CD:END#\n" || word == b"#CD:END#\r");
    write_all(&line.ours, &dump[..end.expect("an end of the dump")]).unwrap();
    // What was written is read before the end of the line is.
    let mut errors = BufReader::new(console.stderr.take().unwrap());
    let mut error = String::new();
    errors.read_line(&mut error).unwrap();
    assert!(error.contains("115200 baud"), "{error}");
    fs::remove_file(&name).unwrap();
    drop(line);
    errors.read_line(&mut error).unwrap();
    assert!(error.ends_with("tty is gone; waiting for it\n"), "{error}");

    let line = SerialLine::new();
    std::os::unix::fs::symlink(line.device(), &name).unwrap();
    errors.read_line(&mut error).unwrap();
    assert!(error.ends_with("tty is back\n"), "{error}");
    write_all(&line.ours, b"after the pause\r\n").unwrap();
    let mut shown = String::new();
    let mut stdout = BufReader::new(console.stdout.take().unwrap());
    while !shown.ends_with("after the pause\n") {
        assert!(stdout.read_line(&mut shown).unwrap() > 0, "{shown}");
    }
    assert!(shown.contains("the log ends before the coredump does"), "{shown}");
    // Ctrl-C ends it also while the port is away.
    fs::remove_file(&name).unwrap();
    drop(line);
    errors.read_line(&mut error).unwrap();
    let pid = console.id().to_string();
    run(Command::new("kill").args(["-INT", &pid])).success("kill").unwrap();
    assert_eq!(wait(&mut console, LIMIT).expect("an end").code(), Some(0), "{error}");
}

#[test]
fn port_that_is_none_fails_with_a_hint() {
    let output = run(mflt().args(["console", "--port", "/dev/ttyNOWHERE"]));
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("opening port `/dev/ttyNOWHERE`"), "{}", output.stderr);
    assert!(output.stderr.contains("hint: is it plugged in"), "{}", output.stderr);
    assert_eq!(run(mflt().arg("console")).code, Some(2));
}
