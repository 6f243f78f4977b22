//! What the tests share: the fixtures' manifest, QEMU, programs with a time limit.

pub(crate) mod board;
pub(crate) mod elf;
pub(crate) mod folder;
pub(crate) mod http;
pub(crate) mod manifest;
pub(crate) mod many_globals;
pub(crate) mod program;
pub(crate) mod qemu;
pub(crate) mod rsp;
pub(crate) mod serial;
pub(crate) mod serial_line;
pub(crate) mod server;
pub(crate) mod session;

use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository by its path from the root.
pub(crate) fn file(path: &str) -> PathBuf {
    root().join(path)
}
