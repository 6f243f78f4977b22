//! `mflt probes`: the debug probes that are plugged in.

use clap::Args;

use super::{Context, Exit};

/// List the debug probes that are plugged in.
///
/// The first column is what `mflt coredump --probe` takes to choose one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mflt probes\n  mflt probes --json")]
pub(super) struct ProbesArgs {
    /// Print a line of JSON per probe.
    #[arg(long)]
    json: bool,
}

impl ProbesArgs {
    #[cfg(feature = "probe")]
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Exit> {
        let probes = crate::target::probe::probes();
        for probe in &probes {
            if self.json {
                context.json(&serde_json::json!({
                    "selector": probe.selector,
                    "name": probe.name,
                    "kind": probe.kind,
                    "accessible": probe.accessible,
                }))?;
                continue;
            }
            let denied = if probe.accessible { "" } else { "  (no permission)" };
            writeln!(context.out, "{}  {} ({}){denied}", probe.selector, probe.name, probe.kind)?;
        }
        if probes.is_empty() {
            writeln!(context.err, "note: no debug probe is plugged in")?;
        }
        Ok(Exit::Done)
    }

    #[cfg(not(feature = "probe"))]
    pub(super) fn run(self, _: &mut Context<'_>) -> anyhow::Result<Exit> {
        let _ = self.json;
        anyhow::bail!("this mflt was built without the feature `probe`")
    }
}
