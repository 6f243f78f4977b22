//! `mflt symbols find`: the ELF that belongs to a dump.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::super::elf::{map, reading};
use super::super::progress::Count;
use super::super::{Context, Exit, WithHint, dump};
use super::write_line;
use crate::analysis::matching::{self, Match};
use crate::base::hex;
use crate::report::MatchKind;
use crate::snapshot::Snapshot;
use crate::symbols::{ElfImage, SymbolFile};

/// Find the ELF that belongs to a dump, by build ID or else by the code in the dump.
///
/// Files are known by content, not by name; the best match comes first: by build ID, then with
/// debug information.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt symbols find crash.core --in ~/builds\n  \
    mflt analyze crash.core --elf \"$(mflt symbols find crash.core --in ~/builds --first)\"")]
pub(super) struct FindArgs {
    /// The dump, of any format; `-` is standard input.
    #[arg(value_name = "CORE")]
    core: PathBuf,
    /// Folders that are searched with all folders in them, and files.
    #[arg(long = "in", value_name = "DIR", num_args = 1.., default_value = ".")]
    folders: Vec<PathBuf>,
    /// Print the path of the best match and nothing else.
    #[arg(long, conflicts_with = "json")]
    first: bool,
    /// Print a JSON list.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Candidate {
    path: String,
    #[serde(rename = "match")]
    matched: MatchKind,
    /// Equal bytes, for a match by contents.
    bytes: Option<u64>,
    /// Of the words in RAM that look like addresses of its code, how many lead to functions and
    /// calls, for a match by RAM alone.
    percent: Option<u64>,
    build_id: Option<String>,
    debug_info: bool,
}

impl FindArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let snapshot = dump::open(&self.core)?;
        let mut search = Search {
            snapshot: &snapshot,
            count: Count::new(context.interactive),
            files: 0,
            programs: 0,
            unreadable: Vec::new(),
            found: Vec::new(),
        };
        for folder in &self.folders {
            // What the user names must be there; what is below it may be unreadable.
            fs::metadata(folder).with_context(|| reading("folder", folder))?;
            search.walk(folder);
        }
        search.count.finish();
        let Search { files, programs, unreadable, mut found, .. } = search;
        for path in &unreadable {
            writeln!(context.err, "warning: `{}` cannot be read", path.display())?;
        }
        if found.is_empty() {
            return nothing(&snapshot, files, programs);
        }
        let rank = |c: &Candidate| {
            let by_contents = c.matched != MatchKind::BuildId;
            (by_contents, c.percent.is_some(), !c.debug_info)
        };
        let share = |c: &Candidate| (c.bytes, c.percent);
        found.sort_by(|a, b| {
            rank(a).cmp(&rank(b)).then(share(b).cmp(&share(a))).then(a.path.cmp(&b.path))
        });
        match (found.first(), self.json) {
            (Some(best), _) if self.first => write_line(context, &best.path)?,
            (_, true) => context.json(&found)?,
            (_, false) => {
                for candidate in &found {
                    write_line(context, &line(candidate))?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

fn nothing(snapshot: &Snapshot, files: u64, programs: u64) -> anyhow::Result<Exit> {
    let error =
        anyhow::anyhow!("no ELF of this dump among {programs} programs for Arm in {files} files");
    match &snapshot.identity.build_id {
        Some(id) => Err(error).hint(format!("the dump is of build ID {}", hex::encode(id))),
        None => Err(error).hint(
            "the dump states no build ID; it must hold some code, or RAM with pointers into it, \
                 to be matched",
        ),
    }
}

struct Search<'a> {
    snapshot: &'a Snapshot,
    count: Count,
    files: u64,
    programs: u64,
    unreadable: Vec<PathBuf>,
    found: Vec<Candidate>,
}

impl Search<'_> {
    fn walk(&mut self, start: &Path) {
        let mut waiting = vec![start.to_path_buf()];
        while let Some(path) = waiting.pop() {
            // Links to folders are followed at the start only: below it they may lead back.
            if !path.is_dir() {
                self.try_file(&path);
                continue;
            }
            let Ok(entries) = fs::read_dir(&path) else {
                self.unreadable.push(path);
                continue;
            };
            for entry in entries.flatten() {
                let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                if !(is_link && entry.path().is_dir()) {
                    waiting.push(entry.path());
                }
            }
        }
    }

    fn try_file(&mut self, path: &Path) {
        self.files += 1;
        let (files, programs) = (self.files, self.programs);
        self.count.update(|| format!("{files} files, {programs} programs for Arm"));
        match may_be_program(path) {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => {
                // A link to nowhere is no loss.
                if error.kind() != ErrorKind::NotFound {
                    self.unreadable.push(path.to_path_buf());
                }
                return;
            }
        }
        let Ok(bytes) = map(path) else { return };
        let Ok(image) = ElfImage::parse(&bytes) else { return };
        self.programs += 1;
        let found = matching::compare(self.snapshot, &[SymbolFile::new(&image)]);
        let (matched, bytes, percent) = match found.first() {
            Some(Match::BuildId) => (MatchKind::BuildId, None, None),
            Some(Match::Contents { bytes }) => (MatchKind::Contents, Some(*bytes), None),
            Some(Match::Ram { addresses, leading }) => {
                let percent = u64::from(*leading) * 100 / u64::from(*addresses).max(1);
                (MatchKind::Ram, None, Some(percent))
            }
            Some(Match::Unknown | Match::Different { .. }) | None => return,
        };
        self.found.push(Candidate {
            path: path.display().to_string(),
            matched,
            bytes,
            percent,
            build_id: image.build_id().map(hex::encode),
            debug_info: image.has_debug_info(),
        });
    }
}

/// Whether a file begins as a 32-bit Arm ELF. Devices and pipes, which may never end, do not count.
fn may_be_program(path: &Path) -> std::io::Result<bool> {
    if !fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut start = [0; 20];
    match File::open(path)?.read_exact(&mut start) {
        Ok(()) => Ok(start.starts_with(b"\x7fELF\x01\x01") && start.ends_with(&[40, 0])),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn line(candidate: &Candidate) -> String {
    let how = match (candidate.bytes, candidate.percent) {
        (Some(bytes), _) => format!("{bytes} bytes of code and constants are equal"),
        (None, Some(percent)) => {
            format!("fits the RAM: {percent} % of its code addresses lead to functions and calls")
        }
        (None, None) => "same build ID".to_string(),
    };
    let debug = if candidate.debug_info { "" } else { ", no debug information" };
    format!("{} ({how}{debug})", candidate.path)
}
