//! The Memory Protection Unit: its regions, and why it refused an access.

use super::Hex32;
use serde::{Deserialize, Serialize};

/// The MPU as captured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mpu {
    /// Whether it works (MPU_CTRL.ENABLE).
    pub enabled: bool,
    /// Whether privileged code has the default memory map behind the regions (PRIVDEFENA).
    pub background: bool,
    /// Whether it works in HardFault and NMI too (HFNMIENA).
    pub in_hard_faults: bool,
    /// How many regions the core has.
    pub count: Option<u8>,
    /// Regions that are known, by number.
    pub regions: Vec<MpuRegion>,
    /// Which region refused the access that faulted, and why.
    pub explanation: Option<String>,
}

/// One region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MpuRegion {
    /// Its number.
    pub number: u8,
    /// Whether it counts.
    pub enabled: bool,
    /// First address.
    pub start: Hex32,
    /// Bytes.
    pub size: u64,
    /// What privileged code may do: `none`, `ro`, `rw`.
    pub privileged: Option<String>,
    /// What unprivileged code may do.
    pub unprivileged: Option<String>,
    /// Whether instructions may be fetched.
    pub executable: bool,
    /// Kind of memory, cache policy, shareability.
    pub memory_type: String,
    /// Eighths of the range that do not count (Armv6-M, Armv7-M).
    pub disabled_subregions: Vec<u8>,
    /// Enabled regions that share addresses with it.
    pub overlaps: Vec<u8>,
}
