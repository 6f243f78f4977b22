//! Which probes there are, and a session with one of them; errors in words that say what to do.

use std::error::Error;

use probe_rs::architecture::arm::ArmError;
use probe_rs::config::{Registry, RegistryError, TargetSelector};
use probe_rs::probe::list::{Accessibility, Lister};
use probe_rs::probe::{
    DebugProbeError, DebugProbeSelector, Probe, ProbeCreationError, WireProtocol,
};
use probe_rs::{CoreType, MemoryInterface as _, Permissions, Session};

use super::{HALT, ProbeTarget};
use crate::arch::cortex_m::system::{Architecture, core_name};
use crate::target::TargetError;
use crate::target::plan::CPUID;

/// Chips that are named when one is not known.
const SUGGESTED: usize = 6;
/// VID and PID of Black Magic Probes. Through probe-rs 0.32 they read access port 0, whichever is asked
/// for: the first core's in place of another's.
const BLACK_MAGIC: &str = "1d50:6018";

/// How to reach a chip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attach {
    /// The probe, `VID:PID` or `VID:PID:SERIAL`; none is needed when there is only one.
    pub probe: Option<String>,
    /// The name of the chip, as probe-rs knows it; without one it is asked what it is.
    pub chip: Option<String>,
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
    let chip = match &how.chip {
        None => TargetSelector::Auto,
        Some(name) => {
            let registry = Registry::from_builtin_families();
            let found = registry.get_target_by_name(name);
            found.map_err(|error| unknown(error, &registry, name))?.into()
        }
    };
    let (probe, info) = open_at_speed(how)?;
    let name = info.name;
    if how.core != 0 && info.selector.starts_with(BLACK_MAGIC) {
        return Err(TargetError::FirstCoreOnly(name));
    }
    if !how.under_reset {
        return Ok((probe.attach(chip, Permissions::default()).map_err(failed)?, name));
    }
    match probe.attach_under_reset(chip.clone(), Permissions::default()) {
        // So it calls a core that did not halt in time.
        Err(probe_rs::Error::Other(_)) => {}
        attached => return Ok((attached.map_err(failed)?, name)),
    }
    // Vector catch of the reset needs DHCSR.C_DEBUGEN, which is clear in a chip that nobody has
    // debugged since power came. The reset has woken it: it is attached to now, and reset once more.
    let (probe, _) = open_at_speed(how)?;
    let mut session = probe.attach(chip, Permissions::default()).map_err(failed)?;
    let halted = session.core(how.core).and_then(|mut core| core.reset_and_halt(HALT).map(drop));
    halted.map_err(failed)?;
    Ok((session, name))
}

fn open_at_speed(how: &Attach) -> Result<(Probe, ProbeInfo), TargetError> {
    let (mut probe, info) = open(how.probe.as_deref())?;
    if probe.protocol().is_none() {
        // Black Magic wants to be told; what has no Serial Wire Debug goes on with what it has.
        let _ = probe.select_protocol(WireProtocol::Swd);
    }
    if let Some(speed) = how.speed_khz {
        probe.set_speed(speed).map_err(|error| failed(error.into()))?;
    }
    Ok((probe, info))
}

fn open(selector: Option<&str>) -> Result<(Probe, ProbeInfo), TargetError> {
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
        Ok(probe) => Ok((probe, info)),
        Err(error) if is_denied(&error) => Err(TargetError::ProbeDenied(info.name)),
        Err(error) if is_missing(&error) => Err(TargetError::NoProbe),
        Err(error) => Err(TargetError::Probe(chain(&error))),
    }
}

/// Whether there is no such device, or no USB at all.
fn is_missing(error: &DebugProbeError) -> bool {
    match error {
        DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::Usb(error)) => {
            error.to_string().contains("not found")
        }
        DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::NotFound) => true,
        _ => false,
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

fn unknown(error: RegistryError, registry: &Registry, name: &str) -> TargetError {
    if let RegistryError::ChipNotUnique(_, names) = &error {
        let similar = names.split(", ").take(SUGGESTED).map(str::to_owned).collect();
        return TargetError::UnknownChip { name: name.to_owned(), similar };
    }
    // The first letters of a name are those of its family.
    let mut beginning = name;
    let mut similar = Vec::new();
    while similar.is_empty() && beginning.len() >= 4 {
        similar = registry.search_chips(beginning);
        let shorter = beginning.char_indices().next_back().map_or(0, |(at, _)| at);
        beginning = beginning.get(..shorter).unwrap_or_default();
    }
    similar.truncate(SUGGESTED);
    TargetError::UnknownChip { name: name.to_owned(), similar }
}

/// Fails when the core that answers is not of the kind that the chip has.
pub(super) fn check_core(target: &mut ProbeTarget) -> Result<(), TargetError> {
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
    drop(core);
    let chip = target.session.target().name.clone();
    Err(TargetError::WrongChip { chip, found: found.to_owned() })
}

/// The error of probe-rs as ours.
pub(super) fn failed(error: probe_rs::Error) -> TargetError {
    use probe_rs::Error as E;
    match &error {
        E::MissingPermissions(_) | E::Arm(ArmError::MissingPermissions(_)) => TargetError::Locked,
        E::CoreDisabled(number) => TargetError::CoreOff(*number),
        E::ChipNotFound(RegistryError::ChipAutodetectFailed) => TargetError::ChipNotRecognised,
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
