//! Causes that SFSR tells: one world of the Security Extension breaking into the other.
//!
//! Source: Armv8-M ARM (DDI 0553) D1.2 (SFSR), B3.16.

use super::Scene;
use super::access::{self, Explained};
use crate::arch::cortex_m::fault::is_set;
use crate::arch::cortex_m::system::SFSR;
use crate::report::Confidence;

/// What a bit of SFSR means for the code that ran.
const VIOLATIONS: [(&str, &str); 6] = [
    ("INVIS", "Return to secure code through a stack without its integrity signature"),
    ("INVER", "Exception return to the wrong security state"),
    ("INVTRAN", "Branch from secure to non-secure code without BXNS or BLXNS"),
    ("INVEP", "Call of secure code past its SG instruction"),
    ("LSPERR", "Security violation while floating-point state was saved"),
    ("LSERR", "Corrupted lazy floating-point state"),
];

/// The violation that raised a SecureFault.
pub(super) fn violation(scene: &Scene<'_, '_>) -> Option<Explained> {
    let system = scene.environment.system;
    if is_set(system, SFSR, "AUVIOL") {
        return Some(access::refused_by(scene, "Non-secure access to secure memory"));
    }
    let (name, meaning) = VIOLATIONS.iter().find(|(name, _)| is_set(system, SFSR, name))?;
    let mut text = (*meaning).to_string();
    let caller = scene.crash_context().and_then(|context| context.frames.get(1));
    if let Some(caller) = caller.filter(|_| *name == "INVEP") {
        text.push_str(&format!(", from {},", scene.place(caller.pc.address())));
    }
    Some(Explained::new(Confidence::Certain, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::cortex_m::fault::{FAULT_BITS, FaultKind};

    #[test]
    fn every_cause_in_sfsr_has_its_sentence() {
        let causes = FAULT_BITS.iter().filter(|bit| bit.kind == FaultKind::Secure);
        for bit in causes.filter(|bit| bit.name != "AUVIOL") {
            assert!(VIOLATIONS.iter().any(|(name, _)| *name == bit.name), "{}", bit.name);
        }
    }
}
