//! `--probe`: a target behind a debug probe.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use crate::target::Execution;
#[cfg(feature = "probe")]
use crate::target::TargetError;

/// The way to a target through a debug probe.
#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    /// A debug probe instead of a server; `mflt probes` lists them. Without a value the only one
    /// that is plugged in.
    #[arg(long, value_name = "VID:PID[:SERIAL]", num_args = 0..=1, default_missing_value = "")]
    #[arg(conflicts_with = "gdb")]
    probe: Option<String>,
    /// The chip, by the name that probe-rs has for it, or its core: Cortex-M4 [default: asked from the
    /// chip].
    #[arg(long, value_name = "NAME", requires = "probe")]
    chip: Option<String>,
    /// The core whose registers are captured, of a chip with several; all are halted meanwhile.
    #[arg(long, value_name = "N", requires = "probe", default_value_t = 0)]
    core: usize,
    /// Hold the reset pin while attaching, for a target that sleeps or switches its debug pins off.
    /// It is reset by that.
    #[arg(long, requires = "probe")]
    connect_under_reset: bool,
    /// Fastest clock of the probe.
    #[arg(long, value_name = "KHZ", requires = "probe")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    speed: Option<u32>,
}

impl ProbeArgs {
    /// The probe, for messages.
    pub(super) fn place(&self) -> &str {
        self.probe.as_deref().filter(|probe| !probe.is_empty()).unwrap_or("the debug probe")
    }

    /// Attaches and halts the target.
    #[cfg(feature = "probe")]
    pub(super) fn connect(&self, cancel: Arc<AtomicBool>) -> anyhow::Result<Box<dyn Execution>> {
        use super::WithHint as _;
        use crate::target::probe::{Attach, ProbeTarget};
        use anyhow::Context as _;
        let attach = Attach {
            probe: self.probe.clone().filter(|probe| !probe.is_empty()),
            chip: self.chip.clone(),
            core: self.core,
            under_reset: self.connect_under_reset,
            speed_khz: self.speed,
        };
        let attached = ProbeTarget::attach(&attach, Some(cancel));
        let hint = attached.as_ref().err().and_then(hint);
        let chip = attach.chip.as_ref().map(|name| format!(" to `{name}`")).unwrap_or_default();
        let act = || format!("attaching{chip} through {}", self.place());
        let attached = attached.with_context(act);
        let attached = match hint {
            Some(hint) => attached.hint(hint),
            None => attached,
        };
        attached.map(|target| Box::new(target) as Box<dyn Execution>)
    }

    /// Says that this build knows no probes.
    #[cfg(not(feature = "probe"))]
    pub(super) fn connect(&self, _: Arc<AtomicBool>) -> anyhow::Result<Box<dyn Execution>> {
        anyhow::bail!("this mflt was built without the feature `probe`")
    }
}

/// What can be done about `error`.
#[cfg(feature = "probe")]
fn hint(error: &TargetError) -> Option<String> {
    Some(match error {
        TargetError::NoProbe => "is it plugged in? `mflt probes` lists what is".to_owned(),
        TargetError::SeveralProbes(_) => "choose one with `--probe VID:PID:SERIAL`".to_owned(),
        TargetError::BadSelector(_) => {
            "write it as `mflt probes` does, for example 1366:1015:000683000000".to_owned()
        }
        TargetError::ProbeDenied(_) => "a udev rule gives access: put the rules of \
            https://probe.rs/docs/getting-started/probe-setup into /etc/udev/rules.d, run \
            `sudo udevadm control --reload`, plug the probe in again"
            .to_owned(),
        TargetError::UnknownChip { similar, .. } if similar.is_empty() => {
            "the name of its core works too: Cortex-M0, -M3, -M4, -M7, -M33".to_owned()
        }
        TargetError::UnknownChip { similar, .. } => {
            format!("known are {}", similar.join(", "))
        }
        TargetError::ChipNotRecognised => {
            "name it with `--chip`, or just its core: Cortex-M4".to_owned()
        }
        TargetError::WrongChip { .. } => "name the chip that is connected".to_owned(),
        TargetError::FirstCoreOnly(_) => {
            "its own GDB server reads the others: `--gdb` with its serial device".to_owned()
        }
        TargetError::Locked => "unlocking erases the device, and what it crashed of; get \
            the dump from the device itself"
            .to_owned(),
        TargetError::NoResponse(_) | TargetError::Probe(_) => "check wiring and power; a \
            target in deep sleep or with its pins in use needs `--connect-under-reset`"
            .to_owned(),
        TargetError::DoesNotStop => "try `--connect-under-reset`".to_owned(),
        _ => return None,
    })
}

#[cfg(all(test, feature = "probe"))]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_be_kept_out_has_its_remedy() {
        let name = || "CMSIS-DAP".to_owned();
        for (error, remedy) in [
            (TargetError::NoProbe, "mflt probes"),
            (TargetError::SeveralProbes(vec![name(), name()]), "--probe VID:PID:SERIAL"),
            (TargetError::ProbeDenied(name()), "/etc/udev/rules.d"),
            (TargetError::Locked, "erases the device"),
            (TargetError::NoResponse(name()), "--connect-under-reset"),
            (TargetError::ChipNotRecognised, "--chip"),
        ] {
            let hint = hint(&error).unwrap();
            assert!(hint.contains(remedy), "{error}: {hint}");
        }
    }
}
