//! The demo on a serial port that `mflt console` watches: from a crash to its report.

use super::qemu::{BOARDS, STORAGE, build};
use crate::support::folder::Folder;
use crate::support::program::{LIMIT, mflt, run, start, wait};
use crate::support::qemu::Qemu;
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

#[test]
fn crash_of_the_demo_is_explained_on_its_console() {
    for board in BOARDS {
        let folder = Folder::new();
        let elf = build(&folder, board, &[STORAGE]);
        let (_qemu, port) = Qemu::on_terminal(board, &elf);
        // Held open, so that nothing is lost before the console opens it.
        let mut to_device = OpenOptions::new().write(true).open(&port).unwrap();
        let mut command = mflt();
        command.args(["console", "--json", "--port", &port, "--elf"]).arg(&elf);
        command.current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut console = start(&mut command);
        let mut log = BufReader::new(console.stderr.take().unwrap());
        let mut messages = BufReader::new(console.stdout.take().unwrap());

        to_device.write_all(b"crash bus\n").unwrap();
        let mut shown = String::new();
        while !shown.contains("reason 0x9100, coredump ") {
            assert!(log.read_line(&mut shown).unwrap() > 0, "{board}: {shown}");
        }
        to_device.write_all(b"export\ndelivered\nexport\n").unwrap();
        let mut next = || -> Value {
            let mut line = String::new();
            messages.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{board}: {error}: {line}"))
        };
        let coredump = next();
        assert_eq!(coredump["report"]["title"], "Bus Fault at board_touch_nothing", "{board}");
        assert_eq!(coredump["report"]["threads"][0]["frames"][1]["function"], "crash_bus");
        // The oldest reboot: that at power on.
        assert_eq!(next()["kind"], "reboot", "{board}");
        assert!(folder.file(coredump["file"].as_str().unwrap()).exists(), "{board}: {coredump}");

        let pid = console.id().to_string();
        run(Command::new("kill").args(["-INT", &pid])).success("kill").unwrap();
        assert_eq!(wait(&mut console, LIMIT).expect("an end").code(), Some(0));
    }
}
