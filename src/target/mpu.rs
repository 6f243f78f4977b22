//! Reading every region of the MPU: MPU_RNR selects the one that shows, so it is written for each
//! and restored. Armv7-M ARM (DDI 0403E) B3.5, Armv8-M ARM (DDI 0553) D1.2.
//!
//! It only selects what MPU_RBAR and the word behind it show; no region changes. The core must be
//! stopped, or its program could find another region selected than the one it asked for.

use super::{MemoryRead, Target, TargetError};
use crate::arch::cortex_m::mpu::MPU_RNR;
use crate::base::AddressRange;
use crate::snapshot::MpuRegion;

/// MPU_RNR, MPU_RBAR, and MPU_RASR or MPU_RLAR lie side by side.
const WINDOW_SIZE: u64 = 12;

/// What was read of the MPU.
#[derive(Debug, Default)]
pub(super) struct Regions {
    /// By number, from region 0 on.
    pub(super) regions: Vec<MpuRegion>,
    /// Whether that is all of them.
    pub(super) complete: bool,
    /// What is missing and why: lines for people.
    pub(super) remarks: Vec<String>,
    /// Why the capture has to end.
    pub(super) error: Option<TargetError>,
}

/// Where a region shows.
pub(super) fn window() -> AddressRange {
    AddressRange::new(MPU_RNR, WINDOW_SIZE).unwrap_or_default()
}

/// Reads all regions of an MPU with these values of MPU_TYPE and MPU_RNR. `progress` may stop it
/// with `false`. MPU_RNR is restored in any case that leaves a connection.
pub(super) fn read_all(
    target: &mut dyn Target,
    mpu_type: Option<u32>,
    selected: Option<u32>,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Regions {
    let mut found = Regions::default();
    let (Some(mpu_type), Some(selected)) = (mpu_type, selected) else {
        let text = "MPU_TYPE or MPU_RNR could not be read: no other MPU region was selected";
        found.remarks.push(text.to_owned());
        return found;
    };
    // Only DREGION, bits 15:8, is ever set on Cortex-M. Nothing is written to what is no MPU.
    let [separate, count, instruction_regions, reserved] = mpu_type.to_le_bytes();
    if separate | instruction_regions | reserved != 0 {
        let text =
            format!("MPU_TYPE 0x{mpu_type:08x} makes no sense: no other MPU region was selected");
        found.remarks.push(text);
        return found;
    }
    for number in 0..count {
        if let Err(failure) = region(target, number, progress).map(|r| found.regions.push(r)) {
            found.fail(number, failure);
            break;
        }
    }
    found.complete = found.regions.len() == usize::from(count);
    if count > 0 {
        found.remarks.extend(restore(target, selected));
    }
    found
}

/// Why a region was not read.
enum Failure {
    /// The write to MPU_RNR was refused.
    Write(TargetError),
    /// MPU_RNR does not hold what was written.
    Ignored,
    /// The registers could not be read.
    Read(TargetError),
}

impl Regions {
    fn fail(&mut self, number: u8, failure: Failure) {
        const SELECTED_ONLY: &str = "only the MPU region that it selects is known";
        let error = match failure {
            Failure::Ignored => {
                // Which region was shown so far is as uncertain as the rest.
                self.regions.clear();
                let text = format!("the server ignores writes to MPU_RNR: {SELECTED_ONLY}");
                self.remarks.push(text);
                return;
            }
            Failure::Write(error) => {
                let text = format!("MPU_RNR cannot be written: {error}; {SELECTED_ONLY}");
                self.remarks.push(text);
                error
            }
            Failure::Read(error) => {
                let text = format!("MPU regions from {number} on could not be read: {error}");
                self.remarks.push(text);
                error
            }
        };
        // After an answer, whatever it says, the rest of the capture can go on.
        let answered = error.is_answer() || matches!(error, TargetError::Unexpected { .. });
        self.error = Some(error).filter(|_| !answered);
    }
}

/// Selects a region and reads it.
fn region(
    target: &mut dyn Target,
    number: u8,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<MpuRegion, Failure> {
    target.write_word(MPU_RNR, u32::from(number)).map_err(Failure::Write)?;
    let read = target.read_memory(&[window()], progress);
    let words = words(&read);
    if let Some(error) = read.error {
        return Err(Failure::Read(error));
    }
    let Some([selected, base, attributes]) = words else {
        let code = read.gaps.into_iter().next().map_or_else(String::new, |gap| gap.reason);
        let request = format!("m{:x},{WINDOW_SIZE:x}", MPU_RNR.0);
        return Err(Failure::Read(TargetError::Refused { request, code }));
    };
    if selected != u32::from(number) {
        return Err(Failure::Ignored);
    }
    Ok(MpuRegion { base, attributes })
}

/// Selects the region again that was selected before; a remark when that fails.
fn restore(target: &mut dyn Target, selected: u32) -> Option<String> {
    let told = target.write_word(MPU_RNR, selected);
    // A user who interrupts is not to keep MPU_RNR from being looked at: what was read counts.
    let holds = words(&target.read_memory(&[window()], &mut |_| true)).map(|[number, ..]| number);
    if holds == Some(selected) {
        return None;
    }
    let now = holds.map_or("its value is not known".to_owned(), |n| format!("it is 0x{n:08x}"));
    let why = told.err().map_or_else(String::new, |error| format!(": {error}"));
    Some(format!("MPU_RNR could not be restored to 0x{selected:08x}, {now}{why}"))
}

fn words(read: &MemoryRead) -> Option<[u32; 3]> {
    let (_, bytes) = read.runs.first().filter(|(start, _)| *start == MPU_RNR)?;
    let (words, _) = bytes.as_chunks::<4>();
    let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    words.try_into().ok()
}

#[cfg(test)]
mod tests;
