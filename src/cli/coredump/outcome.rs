//! A capture that is done: written, and told.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::{Context, CoredumpArgs, Exit, WithHint, default_name, files, format_size};
use crate::base::AddressRange;
use crate::format::elf_core;
use crate::snapshot::Snapshot;
use crate::target::{Captured, TargetError};

/// Ranges that could not be read and are named on stderr; all are in the file.
const GAPS_SHOWN: usize = 10;

/// A finished capture that is not written yet.
pub(super) struct Outcome {
    pub(super) captured: Captured,
    pub(super) captured_at: Duration,
    pub(super) duration: Duration,
}

impl Outcome {
    /// Writes the capture to `path` and tells what is in it.
    pub(super) fn report(
        self,
        args: &CoredumpArgs,
        path: &Path,
        context: &mut Context<'_>,
        left: Result<Option<bool>, TargetError>,
    ) -> anyhow::Result<Exit> {
        let snapshot = &self.captured.snapshot;
        let written = write(path, snapshot).or_else(|error| self.rescue(error));
        if let (Err(_), Some(error)) = (&written, &self.captured.error)
            && snapshot.memory.is_empty()
        {
            // Nothing was read, so there is nothing to write: that is the error to tell.
            return Err(error.clone())
                .with_context(|| format!("capturing through `{}`", args.place()));
        }
        written?;
        let size = snapshot.memory.size();
        let rate = size as f64 / self.duration.as_secs_f64().max(1e-6);
        let err = &mut *context.err;
        for remark in &snapshot.remarks {
            writeln!(err, "note: {remark}")?;
        }
        let gaps = snapshot.memory.gaps();
        // Which registers of the System Control Space a core lacks is of no interest here.
        let missing = || gaps.iter().filter(|gap| gap.range.start().0 < 0xe000_0000);
        for gap in missing().take(GAPS_SHOWN) {
            writeln!(err, "note: {} could not be read: {}", gap.range, gap.reason)?;
        }
        if let Some(more) = missing().count().checked_sub(GAPS_SHOWN).filter(|more| *more > 0) {
            writeln!(err, "note: {more} more ranges could not be read")?;
        }
        let state = match &left {
            Ok(Some(true)) => "running",
            Ok(Some(false)) => "halted",
            Ok(None) | Err(_) => "unknown",
        };
        let state_text = match state {
            "unknown" => "whether the target runs now is not known",
            "running" => "the target runs",
            _ => "the target is halted",
        };
        writeln!(
            err,
            "Captured {} in {:.2} s ({}/s); {state_text}.",
            format_size(size),
            self.duration.as_secs_f64(),
            format_size(rate as u64)
        )?;
        writeln!(err, "Wrote {}", path.display())?;
        if args.json {
            self.print_json(context, path, state)?;
        }

        if let Some(error) = self.captured.error {
            return Err(error)
                .with_context(|| format!("capturing through `{}`", args.place()))
                .hint(format!("what was read until then is in `{}`", path.display()));
        }
        left.with_context(|| format!("leaving the target at `{}`", args.place()))?;
        let complete = self.captured.snapshot.origin.complete == Some(true);
        Ok(if args.strict && !complete { Exit::Incomplete } else { Exit::Done })
    }

    /// Keeps a capture that cannot be written where it should be: a full disk or a link that is
    /// gone must not cost what may never happen again.
    fn rescue(&self, error: anyhow::Error) -> anyhow::Result<()> {
        if self.captured.snapshot.memory.is_empty() {
            return Err(error);
        }
        let path = std::env::temp_dir().join(default_name(self.captured_at));
        match write(&path, &self.captured.snapshot) {
            Ok(()) => Err(error).hint(format!("the coredump is in `{}` instead", path.display())),
            Err(_) => Err(error),
        }
    }

    fn print_json(
        &self,
        context: &mut Context<'_>,
        path: &Path,
        state: &str,
    ) -> anyhow::Result<()> {
        let snapshot = &self.captured.snapshot;
        let range = |range: AddressRange| (range.start().to_string(), range.size());
        let segments = snapshot.memory.segments().iter().map(|segment| {
            let (address, size) = range(segment.range());
            serde_json::json!({ "address": address, "size": size })
        });
        let gaps = snapshot.memory.gaps().iter().map(|gap| {
            let (address, size) = range(gap.range);
            serde_json::json!({ "address": address, "size": size, "reason": gap.reason })
        });
        let identity = &snapshot.identity;
        let summary = serde_json::json!({
            "schema": 1,
            "file": path,
            "complete": snapshot.origin.complete,
            "error": self.captured.error.as_ref().map(ToString::to_string),
            "bytes": snapshot.memory.size(),
            "duration_ms": u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
            "server": snapshot.origin.server,
            "target": state,
            "registers": snapshot.registers.iter().count(),
            "threads": snapshot.threads.len(),
            "mpu_regions": snapshot.mpu_regions.len(),
            "device": {
                "serial": identity.device_serial,
                "software_type": identity.software_type,
                "software_version": identity.software_version,
                "hardware_version": identity.hardware_version,
                "build_id": identity.build_id.as_deref().map(crate::base::hex::encode),
            },
            "memory": segments.collect::<Vec<_>>(),
            "gaps": gaps.collect::<Vec<_>>(),
            "notes": snapshot.remarks,
        });
        writeln!(context.out, "{summary:#}")?;
        Ok(())
    }
}

fn write(path: &Path, snapshot: &Snapshot) -> anyhow::Result<()> {
    let act = || format!("writing coredump `{}`", path.display());
    let bytes = elf_core::write(snapshot).with_context(act)?;
    files::write_atomically(path, &bytes).with_context(act)
}
