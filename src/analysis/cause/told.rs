//! Causes that the device noted itself when it kept the dump.

use super::{Finding, Scene};
use crate::report::{Category, Confidence};
use crate::snapshot::{ReasonCode, reboot_reason};

/// Reboot reasons that say more than the registers: number, kind of crash, sentence.
///
/// Those that name a fault are left to the fault status registers.
const TOLD: [(u32, Category, &str); 8] = [
    (0x8001, Category::Assert, "An assertion failed"),
    (0x8002, Category::Watchdog, "A watchdog ran out"),
    (0x8005, Category::Watchdog, "The hardware watchdog was about to run out"),
    (0x8006, Category::Watchdog, "The software watchdog ran out"),
    (0x8008, Category::Panic, "The kernel gave up"),
    (0x800a, Category::Panic, "Memory ran out"),
    (0x800b, Category::StackOverflow, "A stack overflowed"),
    (0x800c, Category::Watchdog, "A task did not report to its watchdog in time"),
];

/// What the device says that it is.
pub(super) fn by_reboot_reason(scene: &Scene<'_, '_>) -> Option<Finding> {
    let Some(ReasonCode::Reboot(code)) = scene.told else { return None };
    let (_, category, what) = TOLD.iter().find(|(known, ..)| *known == code)?;
    let context = scene.crash_context()?;
    let place = scene.blamed(context).map(|place| format!(" in {place}")).unwrap_or_default();
    let summary = format!("{what}{place}{}", scene.whereabouts());
    let name = reboot_reason::name(code).unwrap_or_default();
    let evidence = format!("the device gives {name} (0x{code:04x}) as the reason of the dump");
    Some(Finding::new(*category, Confidence::Likely, summary).because(evidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_known_reason_and_a_crash() {
        for (code, _, what) in TOLD {
            assert!(reboot_reason::name(code).is_some(), "{what}");
            assert!(reboot_reason::is_crash(code), "{what}");
        }
    }
}
