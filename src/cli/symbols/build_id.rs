//! `mflt symbols build-id`: which build a file is, or is of.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::super::elf::{map, reading};
use super::super::{Context, Exit};
use super::write_line;
use crate::base::hex;
use crate::format;
use crate::symbols::{ElfError, ElfImage};

/// Print the GNU build ID of ELF files, and the one that dumps state.
///
/// Without build IDs an ELF and a dump are matched by the code and constants in both; how many
/// bytes of these an ELF has is printed then. Exits with 1 when a file has none.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt symbols build-id zephyr.elf\n  \
    mflt symbols build-id build/*/zephyr/zephyr.elf crash.core")]
pub(super) struct BuildIdArgs {
    /// ELF files and dumps.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print a JSON list.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Build {
    path: String,
    /// `elf` or `dump`.
    kind: &'static str,
    build_id: Option<String>,
    /// Bytes of an ELF that dumps are compared with when there is no build ID.
    constant_bytes: Option<u64>,
}

impl BuildIdArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let builds: Vec<Build> =
            self.files.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
        if self.json {
            context.json(&builds)?;
        } else {
            for build in &builds {
                write_line(context, &line(build))?;
            }
        }
        let all = builds.iter().all(|build| build.build_id.is_some());
        Ok(if all { Exit::Done } else { Exit::Failed })
    }
}

fn read(path: &Path) -> anyhow::Result<Build> {
    let bytes = map(path).with_context(|| reading("file", path))?;
    let shown = path.display().to_string();
    match ElfImage::parse(&bytes) {
        Ok(image) => {
            let sections = image.allocated_sections();
            let constant = sections.iter().filter(|section| !section.is_ram());
            Ok(Build {
                path: shown,
                kind: "elf",
                build_id: image.build_id().map(hex::encode),
                constant_bytes: Some(constant.map(|section| section.range.size()).sum()),
            })
        }
        Err(ElfError::CoreFile | ElfError::NotElf { .. }) => {
            let snapshot = format::open(&bytes).with_context(|| reading("file", path))?;
            Ok(Build {
                path: shown,
                kind: "dump",
                build_id: snapshot.identity.build_id.as_deref().map(hex::encode),
                constant_bytes: None,
            })
        }
        Err(error) => Err(error).with_context(|| reading("file", path)),
    }
}

fn line(build: &Build) -> String {
    match (&build.build_id, build.constant_bytes) {
        (Some(id), _) => format!("{id}  {}", build.path),
        (None, Some(bytes)) => format!(
            "no build ID  {} (dumps are matched by {bytes} bytes of code and constants)",
            build.path
        ),
        (None, None) => format!("no build ID  {}", build.path),
    }
}
