//! `mflt diff`: what differs between two dumps.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Trouble;
use super::{Context, Exit, WithHint, dump, elf};
use crate::analysis::{Options, analyze};
use crate::diff::{Side, compare};
use crate::report::{Report, render_difference};
use crate::snapshot::Snapshot;
use crate::symbols::{SymbolFile, Symbols};

/// Show what differs between two dumps: cause, fault, registers, threads, variables, memory.
///
/// Exits with 0 when they are the same, with 1 when they differ and with 2 when they cannot be
/// compared, as diff(1) does.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt diff monday.core tuesday.core --elf zephyr.elf\n  \
    mflt diff old.core new.core --elf v1.2.elf --elf-b v1.3.elf --json | jq .variables")]
pub(super) struct DiffArgs {
    /// The first dump.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The second dump.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// ELF file of the firmware in both dumps; several for several images.
    #[arg(long, value_name = "ELF")]
    elf: Vec<PathBuf>,
    /// ELF file of B, when it is of another build than A.
    #[arg(long, value_name = "ELF", requires = "elf")]
    elf_b: Vec<PathBuf>,
    /// Print the differences as JSON.
    #[arg(long)]
    json: bool,
    /// Show every entry of every list.
    #[arg(long, conflicts_with = "json")]
    full: bool,
    /// Go on although an ELF does not belong to its dump.
    #[arg(long)]
    force: bool,
}

impl DiffArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        self.compare(context).map_err(|error| error.context(Trouble))
    }

    fn compare(&self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let (snapshot_a, snapshot_b) = (dump::open(&self.a)?, dump::open(&self.b)?);
        let files = elf::map_all(&self.elf)?;
        let images = elf::parse_all(&self.elf, &files)?;
        let symbols = elf::symbols_of(&self.elf, &images);
        let other_files = elf::map_all(&self.elf_b)?;
        let other_images = elf::parse_all(&self.elf_b, &other_files)?;
        let other_symbols = elf::symbols_of(&self.elf_b, &other_images);

        let report_a = self.report(&self.a, &snapshot_a, &self.elf, &symbols)?;
        let same_build = match (self.elf_b.is_empty(), self.elf.is_empty()) {
            // Nothing but the dumps themselves can tell.
            (true, true) => {
                let ids = (&snapshot_a.identity.build_id, &snapshot_b.identity.build_id);
                !matches!(ids, (Some(a), Some(b)) if a != b)
            }
            (same, _) => same,
        };
        let (elf_b, symbols_b) = match self.elf_b.is_empty() {
            true => (&self.elf, &symbols),
            false => (&self.elf_b, &other_symbols),
        };
        let report_b = self.report(&self.b, &snapshot_b, elf_b, symbols_b);
        let report_b = match self.elf_b.is_empty() && !self.elf.is_empty() {
            true => report_b.hint("a dump of another build needs its own ELF: --elf-b"),
            false => report_b,
        }?;

        let both = Symbols::new(&symbols);
        let difference = compare(
            Side { snapshot: &snapshot_a, report: &report_a },
            Side { snapshot: &snapshot_b, report: &report_b },
            same_build.then_some(&both),
        );
        if self.json {
            context.json(&difference)?;
        } else {
            write!(context.out, "{}", render_difference(&difference, context.style(self.full)))?;
        }
        Ok(if difference.same { Exit::Done } else { Exit::Different })
    }

    fn report(
        &self,
        path: &Path,
        snapshot: &Snapshot,
        paths: &[PathBuf],
        symbols: &[SymbolFile<'_>],
    ) -> anyhow::Result<Report> {
        if !self.force {
            dump::refuse_foreign(snapshot, paths, symbols)
                .map_err(|error| error.context(format!("comparing `{}`", path.display())))?;
        }
        Ok(analyze(snapshot, symbols, &Options::default()))
    }
}
