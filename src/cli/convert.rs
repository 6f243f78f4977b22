//! `mflt convert`: a dump in another format.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::numbers::format_size;
use super::{Context, Exit, dump, elf, files, redact};
use crate::analysis;
use crate::base::Address;
use crate::format::{Written, coredump, elf_core, probe_rs, raw, zephyr};
use crate::snapshot::{Moment, Snapshot};

/// Write a dump in another format.
///
/// Reads every format that `mflt analyze` reads. What the other format has no room for is listed on
/// stderr. An ELF core has room for everything; with --elf it also gets the threads of the kernel,
/// so that any debugger lists them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt convert crash.bin crash.core --elf zephyr.elf\n  \
    mflt convert crash.core crash.bin --to memfault\n  \
    mflt convert crash.core public.core --elf zephyr.elf --redact g_wifi_key")]
pub(super) struct ConvertArgs {
    /// The dump; `-` reads standard input.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The file to write; `-` writes to standard output.
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// The format to write.
    #[arg(long, value_enum, default_value_t = Target::Elf, value_name = "FORMAT")]
    to: Target,
    /// The dump is raw memory, and this is its address.
    #[arg(long, value_name = "ADDR", value_parser = dump::address)]
    base: Option<Address>,
    /// The firmware's ELF file, several for several images.
    #[arg(long, value_name = "ELF")]
    elf: Vec<PathBuf>,
    /// Memory to overwrite with zeros: a symbol, a section or ADDR+SIZE; may be given several times.
    ///
    /// Reports of an ELF core say `redacted` for such values; other formats do not tell the zeros
    /// from others. Copies in registers, on stacks and in heaps are not looked for.
    #[arg(long, value_name = "WHAT")]
    redact: Vec<String>,
    /// Go on although the ELF does not belong to the dump.
    #[arg(long)]
    force: bool,
    /// Exit with 3 when anything had to be dropped.
    #[arg(long)]
    strict: bool,
}

/// Formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// ELF core, for this program, GDB and LLDB.
    Elf,
    /// The compact binary coredump of the device SDK, version 2.
    Memfault,
    /// Dump of probe-rs.
    ProbeRs,
    /// Zephyr's own coredump.
    Zephyr,
    /// The same as `#CD:` lines.
    ZephyrLog,
    /// Intel HEX: memory alone.
    Hex,
    /// The largest run of memory, as it is.
    Raw,
}

impl ConvertArgs {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let mut snapshot = dump::open_at(&self.input, self.base)?;
        let elves = elf::map_all(&self.elf)?;
        let images = elf::parse_all(&self.elf, &elves)?;
        let symbols = elf::symbols_of(&self.elf, &images);
        // Another build has other threads, and what is to be redacted at other addresses.
        if !self.force {
            dump::refuse_foreign(&snapshot, &self.elf, &symbols)?;
        }
        let redacted = redact::ranges(&self.redact, &symbols)?;
        // Formats that keep the registers of the crash need them found first.
        let wanted = !symbols.is_empty() || self.to != Target::Elf;
        if snapshot.threads.is_empty() && snapshot.moment == Moment::Stop && wanted {
            snapshot.threads = analysis::thread_contexts(&snapshot, &symbols);
        }
        redact::apply(&mut snapshot, &redacted, context.err)?;
        let act = || format!("writing dump `{}`", self.output.display());
        let written = self.to.write(&snapshot).with_context(act)?;
        for line in &written.dropped {
            writeln!(context.err, "note: dropped: {line}")?;
        }
        if self.output == Path::new("-") {
            context.out.write_all(&written.bytes)?;
        } else {
            files::write_atomically(&self.output, &written.bytes).with_context(act)?;
            let size = format_size(written.bytes.len() as u64);
            writeln!(context.err, "Wrote {} ({size})", self.output.display())?;
        }
        let lossless = written.dropped.is_empty();
        Ok(if self.strict && !lossless { Exit::Incomplete } else { Exit::Done })
    }
}

impl Target {
    fn write(self, snapshot: &Snapshot) -> anyhow::Result<Written> {
        Ok(match self {
            Target::Elf => Written { bytes: elf_core::write(snapshot)?, dropped: Vec::new() },
            Target::Memfault => coredump::write(snapshot)?,
            Target::ProbeRs => probe_rs::write(snapshot)?,
            Target::Zephyr => zephyr::write(snapshot)?,
            Target::ZephyrLog => zephyr::write_log(snapshot)?,
            Target::Hex => raw::write_hex(snapshot)?,
            Target::Raw => raw::write(snapshot)?,
        })
    }
}
