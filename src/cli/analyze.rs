//! `mflt analyze`: explain a dump.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::peripherals::{self, Device};
use super::{Context, Exit, dump, elf};
use crate::analysis::{Options, analyze};
use crate::base::Address;
use crate::report::{Section, Severity, render_section, render_text, write_json};

/// Explain why the firmware in a dump crashed.
///
/// Prints the cause with its evidence, the fault registers in words, and every thread with its
/// backtrace; the crashed thread with registers and local variables.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt analyze crash.core --elf zephyr.elf\n  \
    mflt analyze crash.core --elf app.elf --elf bootloader.elf\n  \
    mflt analyze crash.core --elf zephyr.elf --svd STM32F407.svd\n  \
    mflt analyze crash.core --elf zephyr.elf --section threads\n  \
    mflt analyze crash.core --elf zephyr.elf --json | jq .cause")]
pub(super) struct AnalyzeArgs {
    /// The dump, of any format that docs/dump-formats.md lists, also a serial log with a coredump
    /// or the print of a fault; `-` reads standard input.
    #[arg(value_name = "CORE")]
    core: PathBuf,
    /// The firmware's ELF file, with debug information; several for several images, such as
    /// bootloader and application, or secure and non-secure firmware.
    #[arg(long, value_name = "ELF")]
    elf: Vec<PathBuf>,
    /// The dump is raw memory, and this is its address.
    #[arg(long, value_name = "ADDR", value_parser = dump::address)]
    base: Option<Address>,
    /// CMSIS-SVD file of the microcontroller: names the peripheral registers that the dump holds.
    #[arg(long, value_name = "FILE")]
    svd: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Show everything: all registers, the locals of every thread, globals and memory ranges.
    #[arg(long, conflicts_with = "json")]
    full: bool,
    /// Print one part of the report only.
    #[arg(long, value_enum, value_name = "PART", conflicts_with_all = ["json", "full"])]
    section: Option<Part>,
    /// Print one frame of the crashed thread only, with its arguments and locals; 0 is where it
    /// crashed.
    #[arg(long, value_name = "N", conflicts_with_all = ["json", "full", "section"])]
    frame: Option<u16>,
    /// Go on although the ELF does not belong to the dump; the report says so.
    #[arg(long)]
    force: bool,
    /// Exit with 3 when the report is incomplete.
    #[arg(long)]
    strict: bool,
    /// Most frames of one backtrace.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..))]
    max_frames: u16,
}

/// A part of the report that stands for itself.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// Why it crashed, with the evidence.
    Cause,
    /// Fault registers in words.
    Fault,
    /// A line for each thread.
    Threads,
}

impl AnalyzeArgs {
    /// What alone is to be printed.
    fn section(&self) -> Option<Section> {
        let frame = self.frame.map(|number| Section::Frame(number.into()));
        frame.or(self.section.map(|part| match part {
            Part::Cause => Section::Cause,
            Part::Fault => Section::Fault,
            Part::Threads => Section::Threads,
        }))
    }

    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let snapshot = dump::open_at(&self.core, self.base)?;
        let files = elf::map_all(&self.elf)?;
        let images = elf::parse_all(&self.elf, &files)?;
        let symbols = elf::symbols_of(&self.elf, &images);
        if !self.force {
            dump::refuse_foreign(&snapshot, &self.elf, &symbols)?;
        }
        let options = Options {
            max_frames: usize::from(self.max_frames),
            // Text shows globals only in full; not computing them keeps it fast.
            globals: self.json || self.full,
            ..Options::default()
        };
        let mut report = analyze(&snapshot, &symbols, &options);
        if let Some(path) = &self.svd {
            let device = Device::read(path)?;
            peripherals::add(&mut report, device.decode(&snapshot.memory)?);
        }
        if self.json {
            write_json(&mut report, &mut context.out)?;
            context.line(Vec::new())?;
        } else if let Some(section) = self.section() {
            write!(context.out, "{}", render_section(&report, section, context.style(false)))?;
        } else {
            write!(context.out, "{}", render_text(&report, context.style(self.full)))?;
        }
        let incomplete = report.notes.iter().any(|note| note.severity >= Severity::Warning);
        // The process ends: taking a report of thousands of values apart would only cost time, and
        // so would the tables of the symbols.
        std::mem::forget((report, symbols));
        Ok(if self.strict && incomplete { Exit::Incomplete } else { Exit::Done })
    }
}
