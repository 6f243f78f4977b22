//! `mflt coredump`: captures a coredump from a live target through its GDB server.

use std::path::PathBuf;

use clap::Args;

use super::{Context, Exit};

/// Capture a coredump from a live target.
///
/// Reads the registers, the System Control Space and memory through a GDB server (OpenOCD,
/// pyOCD, J-Link, ST-LINK, Black Magic, QEMU and others) and writes them as an ELF core that
/// `mflt analyze`, GDB and LLDB open. Nothing leaves this machine. The target is left as it was
/// found: running if it ran, halted if it was halted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mflt coredump --gdb localhost:3333 --elf zephyr.elf\n  \
    mflt coredump --gdb localhost:1234 -r 0x20000000 256K -o unit7.core\n  \
    mflt coredump --gdb localhost:2331 --elf app.elf -r g_state g_state --halt")]
pub(super) struct CoredumpArgs {
    /// GDB server of the target, for example localhost:3333.
    #[arg(long, value_name = "HOST:PORT")]
    gdb: String,
    /// ELF file of the firmware: says what is RAM, names symbols, identifies the build.
    #[arg(long, value_name = "ELF")]
    elf: Option<PathBuf>,
    /// Memory to capture, instead of all RAM; may be given several times.
    ///
    /// ADDR is a number, a symbol or symbol+offset; SIZE is a number, 256K, 1M, or a symbol,
    /// meaning its size. Symbols need --elf.
    #[arg(short, long, num_args = 2, value_names = ["ADDR", "SIZE"])]
    region: Vec<String>,
    /// File to write [default: coredump-<UTC time>.core].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave the target halted.
    #[arg(long, conflicts_with = "resume")]
    halt: bool,
    /// Let the target run afterwards.
    #[arg(long)]
    resume: bool,
    /// Serial number of the device, kept in the coredump.
    #[arg(long, value_name = "SERIAL")]
    device_serial: Option<String>,
    /// Name of the software, kept in the coredump.
    #[arg(long, value_name = "TYPE")]
    software_type: Option<String>,
    /// Version of the software, kept in the coredump.
    #[arg(long, value_name = "VERSION")]
    software_version: Option<String>,
    /// Version of the hardware, kept in the coredump.
    #[arg(long, value_name = "VERSION")]
    hardware_version: Option<String>,
    /// Exit with 3 when anything that was asked for could not be read.
    #[arg(long)]
    strict: bool,
    /// Print a summary as JSON.
    #[arg(long)]
    json: bool,
}

impl CoredumpArgs {
    pub(super) fn run(self, _context: &mut Context<'_>) -> anyhow::Result<Exit> {
        anyhow::bail!("capturing through `{}` is not built yet", self.gdb)
    }
}
