//! The real program in a real pseudo-terminal: screen text, exit code, and the terminal afterwards.

use crate::support::program::LIMIT;
use crate::support::{file, folder::Folder};
use mflt::tui::terminal::{Outcome, run};
use mflt::tui::{Desk, Settings};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

/// Says to a copy of this test that it is to panic inside the interface.
const PANIC: &str = "MFLT_TEST_PANIC_IN_TUI";

struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// All that the program has written.
    written: Vec<u8>,
    modes_before: String,
}

impl Terminal {
    fn start(command: CommandBuilder) -> Terminal {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let modes_before = modes(&*pair.master);
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let writer = pair.master.take_writer().unwrap();
        let [rows, columns] = [24, 80].map(|size| NonZeroU16::new(size).unwrap());
        let parser = vt100::Parser::new(rows, columns, 0);
        let (master, written) = (pair.master, Vec::new());
        Terminal { master, child, writer, output, parser, written, modes_before }
    }

    /// `mflt tui` of the demo.
    fn demo(state: &Folder, arguments: &[&str]) -> Terminal {
        Terminal::dump(state, &file("fixtures/demo/crash.core"), arguments)
    }

    /// `mflt tui` of a dump.
    fn dump(state: &Folder, core: &Path, arguments: &[&str]) -> Terminal {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_mflt"));
        command.arg("tui");
        command.arg(core);
        command.args(arguments);
        Terminal::start(prepared(command, state))
    }

    /// The window gets another size.
    fn resize(&mut self, columns: u16, rows: u16) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.resize(size).unwrap();
        let [rows, columns] = [rows, columns].map(|size| NonZeroU16::new(size).unwrap());
        self.parser.screen_mut().set_size(rows, columns);
    }

    fn take(&mut self, bytes: &[u8]) {
        self.written.extend(bytes);
        self.parser.process(bytes);
    }

    fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Waits until the screen holds `text`.
    fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |screen| screen.contains(text));
    }

    /// Waits until the text on the screen is as `is_there` wants it.
    fn wait_until(&mut self, what: &str, is_there: impl Fn(&str) -> bool) {
        let end = Instant::now() + LIMIT;
        while !is_there(&self.parser.screen().contents()) {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(_) => panic!("no `{what}` on\n{}", self.parser.screen().contents()),
            }
        }
    }

    /// Waits for the end; the exit code, and the screen that is left.
    fn finish(mut self) -> (u32, String) {
        let end = Instant::now() + LIMIT;
        let status = loop {
            while let Ok(bytes) = self.output.try_recv() {
                self.take(&bytes);
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it does not end");
            thread::yield_now();
        };
        // What the terminal still has; the other side is gone, so that this ends.
        let modes_after = modes(&*self.master);
        drop(self.master);
        drop(self.writer);
        while let Ok(bytes) = self.output.recv_timeout(LIMIT) {
            self.parser.process(&bytes);
        }
        let screen = self.parser.screen();
        assert!(!screen.alternate_screen(), "the first screen is back");
        assert!(!screen.hide_cursor(), "the cursor is back");
        assert!(!screen.bracketed_paste(), "pastes are as before");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(modes_after, self.modes_before, "the terminal's modes are as before");
        (status.exit_code(), screen.contents())
    }
}

/// `command` in a terminal of its own, that remembers in `state`.
fn prepared(mut command: CommandBuilder, state: &Folder) -> CommandBuilder {
    command.env("XDG_STATE_HOME", state.path());
    command.env("TERM", "xterm-256color");
    command.env_remove("NO_COLOR");
    command
}

/// Echo, lines, signals: all that raw mode changes.
fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().expect("the modes of a terminal"))
}

fn elf() -> [String; 2] {
    ["--elf".to_string(), file("fixtures/demo/firmware.elf").to_string_lossy().into_owned()]
}

fn with_elf<'a>(elf: &'a [String; 2], more: &[&'a str]) -> Vec<&'a str> {
    elf.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

#[test]
fn program_starts_takes_keys_and_gives_the_terminal_back() {
    let (state, elf) = (Folder::new(), elf());
    let mut terminal = Terminal::demo(&state, &with_elf(&elf, &["--mouse"]));
    terminal.wait_for("Mem Fault at fft_recurse [Stack Overflow in accel-workq]");
    terminal.keys("2");
    terminal.wait_for("level = 13");
    terminal.keys("4");
    terminal.wait_for("frame #0 fft_recurse of accel-workq");
    terminal.keys(":theme contrast\r");
    terminal.keys("3");
    terminal.wait_for("Globals and statics");
    // Something else has written on the screen.
    terminal.parser.process(b"\x1b[2J");
    terminal.keys("\x0c");
    terminal.wait_for("1 Overview 2 Threads");
    terminal.wait_for("Globals and statics");
    terminal.keys("1y");
    terminal.wait_for("copied line");
    // The title, in base 64.
    let copied = b"\x1b]52;c;TWVtIEZhdWx0IGF0IGZmdF9yZWN1cnNlI";
    assert!(terminal.written.windows(copied.len()).any(|window| window == copied));
    terminal.keys("q");
    assert_eq!(terminal.finish().0, 0);
    let remembered = std::fs::read_to_string(state.file("mflt/tui")).unwrap();
    assert!(remembered.contains("theme contrast"), "{remembered}");
}

#[test]
fn live_target_is_read_again_and_one_that_vanishes_is_told() {
    let case = crate::support::manifest::case("mps2-an385-Og-nullptr");
    let qemu = crate::support::qemu::Qemu::at_stop(case).unwrap();
    let state = Folder::new();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_mflt"));
    command.args(["tui", "--gdb", &qemu.server(), "--elf", &file(case.elf()).to_string_lossy()]);
    let mut terminal = Terminal::start(prepared(command, &state));
    terminal.wait_for("Cause");
    terminal.wait_for("? help");
    terminal.keys("r");
    terminal.wait_for("read again: ");
    drop(qemu);
    terminal.keys("r");
    terminal.wait_for("! connecting to GDB server");
    terminal.keys("4");
    terminal.wait_for("▶ Memory");
    terminal.keys("q");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn interrupt_key_and_new_sizes_are_taken() {
    let (state, elf) = (Folder::new(), elf());
    let mut terminal = Terminal::demo(&state, &with_elf(&elf, &[]));
    terminal.wait_for("? help");
    terminal.keys("?");
    terminal.wait_for("any other key closes");
    terminal.keys("x2");
    terminal.wait_for("▶ Threads");
    for step in 0..300 {
        terminal.resize(1 + step * 7 % 150, 1 + step * 5 % 60);
    }
    terminal.resize(120, 40);
    // There is room for the name of the dump only now.
    terminal.wait_for("0 Kernel                              crash.core");
    // A key that comes at once with a size does not wait for the next.
    for _ in 0..50 {
        terminal.resize(100, 40);
        terminal.keys("?");
        terminal.wait_until("help", |text| text.contains("any other key closes"));
        terminal.resize(120, 40);
        terminal.keys("x");
        terminal.wait_until("no help", |text| !text.contains("any other key closes"));
    }
    terminal.resize(100, 40);
    terminal.keys("\x03");
    assert_eq!(terminal.finish().0, 0);
}

#[cfg(unix)]
#[test]
fn shell_has_the_terminal_while_the_program_is_stopped() {
    let (state, elf) = (Folder::new(), elf());
    let mut shell = CommandBuilder::new("sh");
    shell.arg("-i");
    shell.env("PS1", "$ ");
    let mut terminal = Terminal::start(prepared(shell, &state));
    let core = file("fixtures/demo/crash.core");
    let program = env!("CARGO_BIN_EXE_mflt");
    terminal.keys(&format!("{program} tui {} --elf {} --mouse\n", core.display(), elf[1]));
    terminal.wait_for("? help");
    terminal.keys("2");
    terminal.wait_for("▶ Threads");
    terminal.keys("\x1a");
    terminal.wait_for("Stopped");
    let screen = terminal.parser.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    terminal.keys("echo $((6 * 7))\n");
    terminal.wait_for("42");
    terminal.resize(120, 40);
    terminal.keys("fg; echo left-$((6 * 8))\n");
    terminal.wait_for("0 Kernel                              crash.core");
    terminal.wait_for("▶ Threads");
    terminal.keys("1");
    terminal.wait_for("▶ Overview");
    terminal.keys("q");
    terminal.wait_for("left-48");
    terminal.keys("exit\n");
    assert_eq!(terminal.finish().0, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn name_of_a_dump_that_is_no_text_is_shown_and_opened() {
    use std::os::unix::ffi::OsStrExt as _;
    let state = Folder::new();
    let core = state.path().join(std::ffi::OsStr::from_bytes(b"cr\xff\x1b[2J.core"));
    std::fs::copy(file("fixtures/demo/crash.core"), &core).unwrap();
    let mut terminal = Terminal::dump(&state, &core, &[]);
    terminal.resize(120, 40);
    terminal.wait_for("\\x1b[2J.core");
    terminal.keys("q");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn signal_ends_it_and_the_terminal_is_given_back() {
    for signal in ["TERM", "HUP", "INT"] {
        let (state, elf) = (Folder::new(), elf());
        let mut terminal = Terminal::demo(&state, &with_elf(&elf, &[]));
        terminal.wait_for("Cause");
        let process = terminal.child.process_id().unwrap().to_string();
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -\"$0\" \"$1\"", signal, &process]);
        assert!(kill.status().unwrap().success());
        let (code, screen) = terminal.finish();
        assert_eq!(code, 1, "{signal}");
        assert!(screen.contains("error: ended by a signal"), "{signal}: {screen}");
    }
}

#[test]
fn panic_is_told_on_the_screen_that_was_there_before() {
    if std::env::var_os(PANIC).is_some() {
        // The copy of this test that runs in a terminal: its worker breaks down beside the loop.
        let outcome = run(Settings::default(), true, |desk: &Desk| -> Result<(), String> {
            desk.opened();
            assert!(!desk.cancelled().load(std::sync::atomic::Ordering::Relaxed));
            panic!("broken on purpose");
        });
        assert!(matches!(outcome, Ok(Outcome::Panicked)), "{outcome:?}");
        return;
    }
    let name = "tui::terminal::panic_is_told_on_the_screen_that_was_there_before";
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]);
    command.env(PANIC, "1");
    // A backtrace would push the message off the screen.
    command.env("RUST_BACKTRACE", "0");
    command.env("TERM", "xterm-256color");
    let mut terminal = Terminal::start(command);
    terminal.wait_for("broken on purpose");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("broken on purpose"), "{screen}");
}

#[test]
fn wrong_input_is_refused_before_the_terminal_is_touched() {
    let state = Folder::new();
    let other = file("fixtures/elf/microbit-Og.elf").to_string_lossy().into_owned();
    for (arguments, message) in [
        (vec!["--elf", &other], "is not the firmware of this dump"),
        (vec!["--elf", "no-such.elf"], "reading ELF `no-such.elf`"),
        (vec!["--diff", "no-such.core"], "reading coredump `no-such.core`"),
        (vec!["--svd", "no-such.svd"], "reading SVD file `no-such.svd`"),
        (vec!["--svd", "Cargo.toml"], "reading SVD file `Cargo.toml`"),
    ] {
        let terminal = Terminal::demo(&state, &arguments);
        let (code, screen) = terminal.finish();
        assert_eq!(code, 1, "{screen}");
        assert!(screen.contains(message), "{screen}");
    }
}

#[test]
fn output_that_is_no_terminal_is_wrong_usage() {
    let core = file("fixtures/demo/crash.core");
    let mut command = crate::support::program::mflt();
    let output = crate::support::program::run(command.arg("tui").arg(core));
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("the output is not a terminal"), "{}", output.stderr);
    assert!(output.stderr.contains("mflt analyze"), "{}", output.stderr);
}
