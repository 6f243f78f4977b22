//! What is captured, and in which order: what explains a crash comes first, so that a capture
//! that ends early is still worth something.

use crate::base::{Address, AddressRange};

/// Why a range is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Registers of the System Control Space; the name says which. Any of them may be absent.
    SystemControl(&'static str),
    /// The stack that was in use when the target stopped.
    FaultingStack,
    /// Objects of the operating system: threads, lists, names.
    KernelObjects,
    /// Vectors and code, by which a dump is matched with an ELF file.
    Code,
    /// Memory that was asked for.
    Region,
    /// A register of a peripheral that was asked for.
    Peripheral,
}

/// A range to capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedRange {
    /// Where.
    pub range: AddressRange,
    /// Why.
    pub purpose: Purpose,
}

/// Ranges in the order in which they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapturePlan {
    /// Memory to capture after the registers and the System Control Space.
    pub ranges: Vec<PlannedRange>,
    /// Registers of peripherals, of 1, 2 or 4 bytes: each is read in one access of its size, before
    /// the memory.
    pub registers: Vec<AddressRange>,
    /// Whether the System Control Space is left out.
    pub skip_system_control: bool,
    /// Whether every region of the MPU is read, not only the one that MPU_RNR selects. MPU_RNR is
    /// written for each and restored.
    pub all_mpu_regions: bool,
}

impl CapturePlan {
    /// The plan that captures `regions`.
    pub fn of_regions(regions: impl IntoIterator<Item = AddressRange>) -> CapturePlan {
        let purpose = Purpose::Region;
        let ranges = regions.into_iter().map(|range| PlannedRange { range, purpose }).collect();
        CapturePlan { ranges, ..CapturePlan::default() }
    }

    /// Bytes in all ranges; overlaps count twice.
    pub fn size(&self) -> u64 {
        self.ranges.iter().map(|planned| planned.range.size()).fold(0, u64::saturating_add)
    }
}

/// CPUID: every Cortex-M has it, and it is never zero (DDI 0403 B3.2.3).
pub(super) const CPUID: Address = Address(0xe000_ed00);
/// ICTR, Interrupt Controller Type Register (DDI 0403 B3.2.3).
pub(super) const ICTR: Address = Address(0xe000_e004);

/// Islands of the System Control Space that every capture reads, first to last: name, first
/// address, size. Armv7-M ARM (DDI 0403) B3.2 to B3.5, C1.6; Armv8-M ARM (DDI 0553) D1.2.
///
/// Reading has two side effects, which are accepted: SysTick's COUNTFLAG (SYST_CSR bit 16) and
/// the sticky bits of DHCSR (S_RESET_ST, S_RETIRE_ST) clear. Write-only registers, such as STIR
/// at 0xe000ef00, are left out; the MPU shows the region that MPU_RNR selects
/// ([`CapturePlan::all_mpu_regions`] is for the others).
const SYSTEM_CONTROL: [(&str, u32, u64); 6] = [
    ("system control block", 0xe000_ed00, 0x90),
    ("MPU", 0xe000_ed90, 0x38),
    ("SAU and secure fault status", 0xe000_edd0, 0x20),
    ("debug control", 0xe000_edf0, 0x10),
    ("SysTick and interrupt controller type", 0xe000_e004, 0x1c),
    ("floating point", 0xe000_ef30, 0x20),
];

/// Banks of the NVIC: name, first address, bytes per group of 32 interrupts (DDI 0403 B3.4.2;
/// the target state DDI 0553 D1.2, reserved and zero before Armv8-M).
const NVIC: [(&str, u32, u64); 5] = [
    ("NVIC enabled", 0xe000_e100, 4),
    ("NVIC pending", 0xe000_e200, 4),
    ("NVIC active", 0xe000_e300, 4),
    ("NVIC target state", 0xe000_e380, 4),
    ("NVIC priority", 0xe000_e400, 32),
];

/// The islands of the System Control Space that come before the NVIC.
pub fn system_control() -> Vec<PlannedRange> {
    SYSTEM_CONTROL.iter().filter_map(|(name, start, size)| island(name, *start, *size)).collect()
}

/// What secure code sees of the non-secure world's System Control Space: fault status and MPU. Only
/// cores with the Security Extension have it. DDI 0553 D1.2.
pub(super) fn non_secure() -> Vec<PlannedRange> {
    const NON_SECURE: [(&str, u32, u64); 2] = [
        ("non-secure system control block", 0xe002_ed00, 0x90),
        ("non-secure MPU", 0xe002_ed90, 0x38),
    ];
    NON_SECURE.iter().filter_map(|(name, start, size)| island(name, *start, *size)).collect()
}

/// The NVIC's registers, as many as `ictr` says there are; one group when it is not known.
pub fn nvic(ictr: Option<u32>) -> Vec<PlannedRange> {
    // INTLINESNUM, bits 3 to 0: groups of 32 lines, less one.
    let groups = u64::from(ictr.unwrap_or(0) & 15).saturating_add(1);
    NVIC.iter()
        .filter_map(|(name, start, size)| island(name, *start, size.saturating_mul(groups)))
        .collect()
}

fn island(name: &'static str, start: u32, size: u64) -> Option<PlannedRange> {
    let range = AddressRange::new(Address(start), size)?;
    Some(PlannedRange { range, purpose: Purpose::SystemControl(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_control_islands_are_words_and_disjoint() {
        for groups in [None, Some(0), Some(15), Some(u32::MAX)] {
            let mut all = system_control();
            all.extend(nvic(groups));
            all.extend(non_secure());
            assert_eq!(all.len(), 13);
            all.sort_by_key(|planned| planned.range);
            for planned in &all {
                assert!(planned.range.start().is_aligned(4), "{planned:?}");
                assert!(planned.range.size().is_multiple_of(4), "{planned:?}");
            }
            for pair in all.windows(2) {
                assert!(pair[0].range.end() <= u64::from(pair[1].range.start().0), "{pair:?}");
            }
        }
    }

    #[test]
    fn fault_status_and_stack_limits_are_covered() {
        let islands = system_control();
        // CPUID, VTOR, CFSR, HFSR, BFAR, CPACR, MPU_RASR, SFSR, DHCSR, DEMCR, SYST_CSR, FPCAR.
        for address in [
            0xe000_ed00,
            0xe000_ed08,
            0xe000_ed28,
            0xe000_ed2c,
            0xe000_ed38,
            0xe000_ed88,
            0xe000_eda0,
            0xe000_ede4,
            0xe000_edf0,
            0xe000_edfc,
            0xe000_e010,
            0xe000_ef38,
        ] {
            assert!(islands.iter().any(|i| i.range.contains(Address(address))), "{address:x}");
        }
    }
}
