//! The MPU as the report lists it, and why it refused the access that faulted.

use super::Core;
use super::cause::Scene;
use crate::arch::cortex_m::fault::fault_address;
use crate::arch::cortex_m::mpu::{self, Region, Rights, Use, Verdict};
use crate::base::Address;
use crate::report::{Cause, Mpu, MpuRegion, Notes, Severity};
use crate::snapshot::Register;

/// The regions, when the core has an MPU and it was captured. Which of them refused the access
/// becomes evidence for the cause; where that is a region that was not captured, a note tells how to
/// have it.
pub(super) fn list(
    core: &Core<'_, '_>,
    scene: &Scene<'_, '_>,
    cause: &mut Cause,
    notes: &mut Notes,
) -> Option<Mpu> {
    let stored = &core.snapshot.mpu_regions;
    let found = mpu::Mpu::read(&core.memory, core.system.architecture(), stored)?;
    let explanation = refused_access(scene).map(|(address, how)| {
        let (text, verdict) = explain(&found, address, how, privilege(scene, core));
        if refuses(&verdict) {
            cause.evidence.push(text.clone());
        } else if verdict == Verdict::Unknown && !found.is_complete() {
            let told = "the MPU region that refused the access is not among those captured: \
                        `mflt coredump --mpu` reads all";
            notes.add(Severity::Info, "mpu_regions", told);
        }
        text
    });
    Some(Mpu {
        enabled: found.enabled,
        background: found.background,
        in_hard_faults: found.in_hard_faults,
        count: found.count,
        regions: found.regions.iter().map(|region| listed(region, &found)).collect(),
        explanation,
    })
}

fn listed(region: &Region, mpu: &mpu::Mpu) -> MpuRegion {
    let rights = |rights: Option<Rights>| {
        rights.map(|rights| match rights {
            Rights::None => "none".to_string(),
            Rights::ReadOnly => "ro".to_string(),
            Rights::ReadWrite => "rw".to_string(),
        })
    };
    MpuRegion {
        number: region.number,
        enabled: region.enabled,
        start: region.range.start().into(),
        size: region.range.size(),
        privileged: rights(region.privileged),
        unprivileged: rights(region.unprivileged),
        executable: region.executable,
        memory_type: region.memory_type.clone(),
        disabled_subregions: (0..8).filter(|n| region.disabled_subregions >> n & 1 == 1).collect(),
        overlaps: mpu.overlapping(region),
    }
}

/// The access that the MPU refused, by CFSR and the instruction.
fn refused_access(scene: &Scene<'_, '_>) -> Option<(Address, Use)> {
    if scene.has("IACCVIOL") {
        return Some((scene.crash_pc()?.without_thumb_bit(), Use::Execute));
    }
    let valid = fault_address(scene.environment.system).map(|(_, address)| Address(address));
    if scene.has("MSTKERR") {
        return Some((valid?, Use::Write));
    }
    if !scene.has("DACCVIOL") {
        return None;
    }
    let access = scene.faulting_access()?.access;
    let how = if access.store { Use::Write } else { Use::Read };
    Some((valid.or(access.address)?, how))
}

/// Whether the code that crashed was privileged: handlers are, threads by CONTROL.nPRIV.
fn privilege(scene: &Scene<'_, '_>, core: &Core<'_, '_>) -> Option<bool> {
    let context = scene.crash_context()?;
    if context.exception != 0 {
        return Some(true);
    }
    // Taking an exception does not change nPRIV.
    let control = core.snapshot.registers.get(Register::CONTROL)?;
    Some(control & 1 == 0)
}

fn refuses(verdict: &Verdict) -> bool {
    !matches!(verdict, Verdict::Allowed(_) | Verdict::Unknown)
}

/// Why the access was refused, as far as that is known.
fn explain(
    mpu: &mpu::Mpu,
    address: Address,
    how: Use,
    privileged: Option<bool>,
) -> (String, Verdict) {
    // Code of unknown privilege was unprivileged if only that would be refused.
    let privileged = privileged.or_else(|| {
        let verdicts = [true, false].map(|privileged| mpu.decide(address, how, privileged));
        match verdicts.each_ref().map(refuses) {
            [false, true] if verdicts[0] != Verdict::Unknown => Some(false),
            _ => None,
        }
    });
    let verdict = mpu.decide(address, how, privileged.unwrap_or(true));
    let act = match how {
        Use::Read => "a read of",
        Use::Write => "a write to",
        Use::Execute => "execution at",
    };
    let who = match privileged {
        Some(true) => " by privileged code",
        Some(false) => " by unprivileged code",
        None => "",
    };
    let text = match &verdict {
        Verdict::Denied(number) => {
            let region = mpu.regions.iter().find(|region| region.number == *number);
            let what = region.map_or_else(String::new, |region| format!(" ({})", spell(region)));
            format!("MPU region {number}{what} forbids {act} {address}{who}")
        }
        Verdict::NoRegion => {
            let map = if mpu.background {
                "and the default memory map is for privileged code only"
            } else {
                "and PRIVDEFENA is clear"
            };
            format!("no MPU region holds {address}, {map}: {act} it{who} is refused")
        }
        Verdict::Overlap(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(u8::to_string).collect();
            let numbers = numbers.join(" and ");
            format!("MPU regions {numbers} overlap at {address}, which refuses every access")
        }
        Verdict::NeverExecutable => {
            format!("code never runs at {address}: the memory map makes it execute-never")
        }
        Verdict::Allowed(_) => {
            format!("the MPU as captured allows {act} {address}{who}: it was changed since")
        }
        Verdict::Unknown => {
            let (known, all) = (mpu.regions.len(), mpu.count.unwrap_or(0));
            format!(
                "which MPU region forbids {act} {address} is not known: {known} of {all} regions \
                 are captured"
            )
        }
    };
    (text, verdict)
}

/// `0x20001ea0..0x20001ebf, privileged ro, unprivileged none, execute never`.
fn spell(region: &Region) -> String {
    let rights = |rights: Option<Rights>| match rights {
        Some(Rights::None) => "none",
        Some(Rights::ReadOnly) => "read-only",
        Some(Rights::ReadWrite) => "read-write",
        None => "reserved",
    };
    let execute = if region.executable { "" } else { ", execute never" };
    format!(
        "{}, privileged {}, unprivileged {}{execute}",
        region.range,
        rights(region.privileged),
        rights(region.unprivileged)
    )
}

#[cfg(test)]
mod tests {
    use crate::analysis::tests::report;

    // Region 7 is the guard below the stack of the running thread: fixtures/firmware/src/mpu.c.
    #[test]
    fn guard_region_that_refused_a_push_is_evidence() {
        let report = report("mps2-an385", "stackoverflow");
        let start = report.threads[0].stack.as_ref().unwrap().start.0;
        let address = report.fault.as_ref().unwrap().address.unwrap();
        let evidence = format!(
            "MPU region 7 (0x{:08x}..0x{:08x}, privileged read-only, unprivileged none, execute \
             never) forbids a write to {address}",
            start - 32,
            start - 1
        );
        assert!(report.cause.evidence.contains(&evidence), "{:#?}", report.cause.evidence);
        assert!(report.notes.iter().all(|note| note.code != "mpu_regions"));
        let mpu = report.mpu.unwrap();
        assert_eq!(mpu.explanation, Some(evidence));
        assert_eq!((mpu.enabled, mpu.background, mpu.count), (true, true, Some(8)));
    }

    #[test]
    fn region_that_was_not_captured_is_not_guessed() {
        let report = report("mps2-an385", "mpu");
        assert!(!report.cause.evidence.iter().any(|text| text.starts_with("MPU region")));
        let explanation = report.mpu.as_ref().unwrap().explanation.as_ref().unwrap();
        assert!(explanation.ends_with("1 of 8 regions are captured"), "{explanation}");
        let note = report.notes.iter().find(|note| note.code == "mpu_regions").unwrap();
        assert!(note.text.contains("mflt coredump --mpu"), "{note:?}");
    }
}
