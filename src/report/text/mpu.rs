//! The MPU's regions, in the full report.

use super::super::{MpuRegion, Report};
use super::paint::{Ink, Page};

/// One line a region; disabled ones are left out.
pub(super) fn overview(page: &mut Page, report: &Report) {
    let Some(mpu) = &report.mpu else { return };
    page.heading("MPU");
    let known = mpu.regions.len();
    let count = mpu.count.map_or_else(|| known.to_string(), |count| count.to_string());
    let state = [
        Some(if mpu.enabled { "enabled" } else { "disabled" }.to_string()),
        mpu.background.then(|| "default map behind it for privileged code".to_string()),
        mpu.in_hard_faults.then(|| "also in HardFault and NMI".to_string()),
        Some(format!("{count} regions")),
        (mpu.count.map(usize::from) > Some(known))
            .then(|| format!("{known} captured (`mflt coredump --mpu` reads all)")),
    ];
    page.entry("state", Ink::Plain, &state.into_iter().flatten().collect::<Vec<_>>().join(", "));
    for region in mpu.regions.iter().filter(|region| region.enabled) {
        page.entry(&format!("region {}", region.number), Ink::Plain, &describe(region));
    }
    if let Some(explanation) = &mpu.explanation {
        page.entry("fault", Ink::Fault, explanation);
    }
    page.blank();
}

/// `0x20000000..0x203fffff rw/ro x, normal, write-back, without sub-regions 1, 2`.
fn describe(region: &MpuRegion) -> String {
    let last = u64::from(region.start.0).saturating_add(region.size).saturating_sub(1);
    let rights = |rights: &Option<String>| rights.clone().unwrap_or_else(|| "?".into());
    let mut text = format!(
        "{}..0x{last:08x}  {}/{} {}, {}",
        region.start,
        rights(&region.privileged),
        rights(&region.unprivileged),
        if region.executable { "x" } else { "xn" },
        region.memory_type
    );
    let numbers = |numbers: &[u8]| -> String {
        numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
    };
    if !region.disabled_subregions.is_empty() {
        text.push_str(&format!(", without sub-regions {}", numbers(&region.disabled_subregions)));
    }
    if !region.overlaps.is_empty() {
        text.push_str(&format!(", overlaps {}", numbers(&region.overlaps)));
    }
    text
}
