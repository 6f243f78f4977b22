//! Which probes there are, and a session with one of them; errors in words that say what to do.

use std::error::Error;

use probe_rs::architecture::arm::ArmError;
use probe_rs::config::{Registry, RegistryError};
use probe_rs::probe::list::{Accessibility, Lister};
use probe_rs::probe::{DebugProbeError, DebugProbeSelector, Probe, ProbeCreationError};
use probe_rs::{CoreType, MemoryInterface as _, Permissions, Session};

use super::ProbeTarget;
use crate::arch::cortex_m::system::{Architecture, core_name};
use crate::target::TargetError;
use crate::target::plan::CPUID;

/// Chips that are named when one is not known.
const SUGGESTED: usize = 6;

/// How to reach a chip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attach {
    /// The probe, `VID:PID` or `VID:PID:SERIAL`; none is needed when there is only one.
    pub probe: Option<String>,
    /// The name of the chip, as probe-rs knows it.
    pub chip: String,
    /// The core to capture, counted from 0.
    pub core: usize,
    /// Hold the reset pin while attaching, and halt at the first instruction.
    pub under_reset: bool,
    /// Fastest clock, in kHz; without it the probe's own choice.
    pub speed_khz: Option<u32>,
}

/// A probe that is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeInfo {
    /// What it calls itself.
    pub name: String,
    /// What [`Attach::probe`] takes to choose it.
    pub selector: String,
    /// What kind it is.
    pub kind: String,
    /// Whether this user may open it.
    pub accessible: bool,
}

/// The probes that are plugged in.
pub fn probes() -> Vec<ProbeInfo> {
    listed(None)
}

fn listed(selector: Option<&DebugProbeSelector>) -> Vec<ProbeInfo> {
    let found = Lister::new().list_with_access(selector).into_iter();
    found
        .map(|item| ProbeInfo {
            name: item.info.identifier.clone(),
            selector: DebugProbeSelector::from(&item.info).to_string(),
            kind: item.info.probe_type(),
            accessible: item.accessibility == Accessibility::Accessible,
        })
        .collect()
}

/// Opens the probe and attaches to the chip; gives the name of the probe too.
pub(super) fn session(how: &Attach) -> Result<(Session, String), TargetError> {
    let registry = Registry::from_builtin_families();
    let chip =
        registry.get_target_by_name(&how.chip).map_err(|error| unknown(error, &registry, how))?;
    let (mut probe, name) = open(how.probe.as_deref())?;
    if let Some(speed) = how.speed_khz {
        probe.set_speed(speed).map_err(|error| failed(error.into()))?;
    }
    let attached = match how.under_reset {
        true => probe.attach_under_reset(chip, Permissions::default()),
        false => probe.attach(chip, Permissions::default()),
    };
    Ok((attached.map_err(failed)?, name))
}

fn open(selector: Option<&str>) -> Result<(Probe, String), TargetError> {
    let wanted = selector.map(|text| {
        let parsed = text.parse::<DebugProbeSelector>();
        parsed.map_err(|_| TargetError::BadSelector(text.to_owned()))
    });
    let wanted = wanted.transpose()?;
    let mut found = listed(wanted.as_ref());
    // Some list one device by each of its interfaces.
    found.dedup_by(|a, b| a.selector == b.selector);
    let info = match found.as_slice() {
        [] => return Err(TargetError::NoProbe),
        [info] => info.clone(),
        several => {
            let name = |info: &ProbeInfo| format!("{} ({})", info.selector, info.name);
            return Err(TargetError::SeveralProbes(several.iter().map(name).collect()));
        }
    };
    if !info.accessible {
        return Err(TargetError::ProbeDenied(info.name));
    }
    let exact = wanted.unwrap_or(
        info.selector.parse().map_err(|_| TargetError::BadSelector(info.selector.clone()))?,
    );
    match Lister::new().open(exact) {
        Ok(probe) => Ok((probe, info.name)),
        Err(error) if is_denied(&error) => Err(TargetError::ProbeDenied(info.name)),
        Err(error) => Err(TargetError::Probe(chain(&error))),
    }
}

/// Whether the system kept us from a device.
fn is_denied(error: &DebugProbeError) -> bool {
    let denied = std::io::ErrorKind::PermissionDenied;
    match error {
        DebugProbeError::Usb(error)
        | DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::Usb(error)) => {
            error.kind() == denied
        }
        _ => chain(error).to_lowercase().contains("permission denied"),
    }
}

fn unknown(error: RegistryError, registry: &Registry, how: &Attach) -> TargetError {
    if let RegistryError::ChipNotUnique(_, names) = &error {
        let similar = names.split(", ").take(SUGGESTED).map(str::to_owned).collect();
        return TargetError::UnknownChip { name: how.chip.clone(), similar };
    }
    // The first letters of a name are those of its family.
    let mut beginning = how.chip.as_str();
    let mut similar = Vec::new();
    while similar.is_empty() && beginning.len() >= 4 {
        similar = registry.search_chips(beginning);
        let shorter = beginning.char_indices().next_back().map_or(0, |(at, _)| at);
        beginning = beginning.get(..shorter).unwrap_or_default();
    }
    similar.truncate(SUGGESTED);
    TargetError::UnknownChip { name: how.chip.clone(), similar }
}

/// Fails when the core that answers is not of the kind that the chip has.
pub(super) fn check_core(target: &mut ProbeTarget, how: &Attach) -> Result<(), TargetError> {
    let mut core = target.core()?;
    let expected = core.core_type();
    if !expected.is_cortex_m() {
        return Err(TargetError::OtherArchitecture(format!("{expected:?}")));
    }
    let cpuid = core.read_word_32(u64::from(CPUID.0)).map_err(failed)?;
    let Some((found, architecture)) = core_name(cpuid) else { return Ok(()) };
    let fits = match architecture {
        Architecture::V6M => expected == CoreType::Armv6m,
        Architecture::V7M => matches!(expected, CoreType::Armv7m | CoreType::Armv7em),
        Architecture::V8MBaseline | Architecture::V8MMainline => expected == CoreType::Armv8m,
    };
    if fits {
        return Ok(());
    }
    Err(TargetError::WrongChip { chip: how.chip.clone(), found: found.to_owned() })
}

/// The error of probe-rs as ours.
pub(super) fn failed(error: probe_rs::Error) -> TargetError {
    use probe_rs::Error as E;
    match &error {
        E::MissingPermissions(_) | E::Arm(ArmError::MissingPermissions(_)) => TargetError::Locked,
        E::CoreDisabled(number) => TargetError::CoreOff(*number),
        E::Arm(ArmError::NoTargetResponse { .. } | ArmError::NoArmTarget)
        | E::Probe(DebugProbeError::TargetNotFound) => TargetError::NoResponse(chain(&error)),
        _ => TargetError::Probe(chain(&error)),
    }
}

/// An error with all its causes: probe-rs says the useful part last.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let text = text.lines().next().unwrap_or_default().trim().trim_end_matches('.').to_owned();
        if !text.is_empty() && !parts.contains(&text) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}
