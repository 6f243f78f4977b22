//! A part of the SDK as a program of the host, with sanitizers, that is talked to through pipes.

use crate::support::file;
use crate::support::folder::Folder;
use crate::support::program::{run, start};
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What every compiler has to accept without a word.
pub(super) const WARNINGS: [&str; 5] =
    ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"];

/// A program of `sdk/tests`.
pub(super) struct Host {
    child: Child,
    to: BufWriter<ChildStdin>,
    from: BufReader<ChildStdout>,
    /// Holds the program while it runs.
    _folder: Folder,
}

impl Host {
    /// Builds and starts `sdk/tests/<name>.c` with these sources of `sdk/src`, and with the options of
    /// `<name>_config.h` if there are any.
    pub(super) fn start(name: &str, sources: &[&str]) -> Host {
        let folder = Folder::new();
        let program = folder.file(name);
        let mut build = Command::new("gcc");
        build.args(["-std=c11", "-g", "-O1", "-fsanitize=address,undefined"]);
        build.args(["-fno-sanitize-recover=all"]).args(WARNINGS);
        build.arg("-I").arg(file("sdk/include")).arg("-I").arg(file("sdk/src"));
        if file(&format!("sdk/tests/{name}_config.h")).exists() {
            build.arg("-I").arg(file("sdk/tests"));
            build.arg(format!("-DMFLT_CONFIG_FILE=\"{name}_config.h\""));
        }
        build.args(sources.iter().map(|source| file(&format!("sdk/src/{source}.c"))));
        build.arg(file(&format!("sdk/tests/{name}.c"))).arg("-o").arg(&program);
        run(&mut build).success("gcc").unwrap();
        let mut command = Command::new(&program);
        let mut child = start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let to = BufWriter::new(child.stdin.take().unwrap());
        let from = BufReader::new(child.stdout.take().unwrap());
        Host { child, to, from, _folder: folder }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.to.write_all(bytes).unwrap();
    }

    pub(super) fn receive<const N: usize>(&mut self) -> [u8; N] {
        self.to.flush().unwrap();
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).expect("an answer; a sanitizer has ended the program");
        bytes
    }

    /// A result.
    pub(super) fn result(&mut self) -> i32 {
        i32::from_le_bytes(self.receive())
    }

    /// Sends a number.
    pub(super) fn send_u32(&mut self, number: u32) {
        self.send(&number.to_le_bytes());
    }

    /// Bytes, of which the number is known.
    pub(super) fn exactly(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.from.read_exact(&mut bytes).expect("the bytes that were announced");
        bytes
    }

    /// Bytes behind their number.
    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let size = u32::from_le_bytes(self.receive()) as usize;
        self.exactly(size)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Numbers that are the same in each run (xorshift).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}
