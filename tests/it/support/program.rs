//! Programs that end in time or are ended.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any single program here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// What it printed, if it succeeded.
    pub(crate) fn success(self, what: &str) -> Result<String, String> {
        match self.code {
            Some(0) => Ok(self.stdout),
            code => Err(format!("{what} ended with {code:?}: {}", self.stderr.trim())),
        }
    }
}

/// The program under test, independent of the environment's wishes.
pub(crate) fn mflt() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mflt"));
    command.env_remove("NO_COLOR").env_remove("COLUMNS");
    command
}

/// Runs a program to its end; one that takes longer than [`LIMIT`] is ended and fails the test.
pub(crate) fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(command);
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let Some(status) = wait(&mut child, LIMIT) else {
        let _ = child.kill();
        let _ = child.wait();
        panic!("{command:?} took longer than {LIMIT:?}");
    };
    let text = |handle: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&handle.join().expect("a pipe's reader")).into_owned()
    };
    Output { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// Starts a program; fails with the name of its package when it is not installed.
pub(crate) fn start(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| {
        let name = command.get_program().to_string_lossy().into_owned();
        let package = match name.as_str() {
            "arm-none-eabi-gcc" => "gcc-arm-none-eabi",
            "arm-none-eabi-objcopy" => "binutils-arm-none-eabi",
            "script" => "bsdutils",
            other => other,
        };
        match error.kind() {
            io::ErrorKind::NotFound => {
                panic!("`{name}` is missing: install the package `{package}`")
            }
            _ => panic!("starting `{name}`: {error}"),
        }
    })
}

/// How the child ended; `None` when it still runs after `limit`.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("the state of a child") {
            return Some(status);
        }
        if Instant::now() > end {
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}
