//! The registers of peripherals in a report, as a CMSIS-SVD file names them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::report::{Note, Report, Severity};
use crate::snapshot::MemoryImage;
use crate::svd::{self, Decoded};

/// The file of `--svd`.
pub(super) struct Device {
    path: PathBuf,
    text: String,
}

impl Device {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> anyhow::Result<Device> {
        let bytes = std::fs::read(path).with_context(|| act(path))?;
        // Descriptions in old encodings are no reason to refuse a file.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Device { path: path.to_owned(), text })
    }

    /// The registers that `memory` holds.
    pub(super) fn decode(&self, memory: &MemoryImage) -> anyhow::Result<Decoded> {
        svd::decode(&self.text, memory).with_context(|| act(&self.path))
    }
}

fn act(path: &Path) -> String {
    format!("reading SVD file `{}`", path.display())
}

/// Adds what was decoded to `report`.
pub(super) fn add(report: &mut Report, decoded: Decoded) {
    let note = |code: &str, text: String| Note {
        code: code.into(),
        severity: Severity::Info,
        text,
        address: None,
    };
    report.notes.extend(decoded.remarks.into_iter().map(|text| note("svd", text)));
    if decoded.peripherals.is_empty() {
        let text = "the dump holds no register that the SVD file names: capture them with \
                    `mflt coredump --region ADDR SIZE`";
        report.notes.push(note("svd_nothing_captured", text.to_string()));
    }
    report.peripherals = decoded.peripherals;
}
