//! The Memory Protection Unit: its regions, and what it says about an access.
//!
//! Sources: Armv7-M ARM (DDI 0403E) B3.5, Armv6-M ARM (DDI 0419) B3.5 (base, size and eight
//! sub-regions; of overlapping regions the highest number counts), Armv8-M ARM (DDI 0553) B8, D1.2
//! (base and limit; an address in two regions always faults).

use super::system::Architecture;
use crate::base::{Address, AddressRange, Memory};
use crate::snapshot::MpuRegion;

/// DREGION, bits 15:8: how many regions there are.
pub const MPU_TYPE: Address = Address(0xe000_ed90);
/// 0 ENABLE, 1 HFNMIENA, 2 PRIVDEFENA.
const MPU_CTRL: Address = Address(0xe000_ed94);
/// Number of the region that RBAR shows.
pub const MPU_RNR: Address = Address(0xe000_ed98);
/// Base address; the word behind it is RASR or RLAR.
pub const MPU_RBAR: Address = Address(0xe000_ed9c);
/// Memory attributes of Armv8-M, two words.
const MPU_MAIR0: Address = Address(0xe000_edc0);

/// Bytes from one alias of RBAR and RLAR to the next.
const ALIAS: i64 = 8;

/// What code may do with the data of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// Nothing.
    None,
    /// Read.
    ReadOnly,
    /// Read and write.
    ReadWrite,
}

/// How an access meets the MPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Execute,
}

/// One region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its number.
    pub number: u8,
    /// Whether it counts.
    pub enabled: bool,
    /// What it covers, disabled sub-regions included.
    pub range: AddressRange,
    /// Sub-regions, eighths of the range, that do not count: bit n is sub-region n.
    pub disabled_subregions: u8,
    /// Rights of privileged code; `None` for an encoding without a meaning.
    pub privileged: Option<Rights>,
    /// Rights of unprivileged code.
    pub unprivileged: Option<Rights>,
    /// Instructions may be fetched (XN clear), by code that may read.
    pub executable: bool,
    /// Privileged code may not fetch instructions (PXN, Armv8.1-M).
    pub privileged_never_executes: bool,
    /// Kind of memory, cache policy and shareability.
    pub memory_type: String,
}

impl Region {
    /// Whether the region decides about `address`.
    pub fn covers(&self, address: Address) -> bool {
        if !self.enabled || !self.range.contains(address) {
            return false;
        }
        let offset = u64::from(address.0.wrapping_sub(self.range.start().0));
        let subregion = offset * 8 / self.range.size();
        self.disabled_subregions >> subregion & 1 == 0
    }

    fn overlaps(&self, other: &Region) -> bool {
        let Some(shared) = self.range.intersection(other.range) else { return false };
        // With sub-regions one of the two lies within the other, and they change at its eighths.
        (0..8).any(|eighth| {
            let at = shared.start().wrapping_add((shared.size() * eighth / 8) as i64);
            self.covers(at) && other.covers(at)
        })
    }
}

/// What the MPU says about an access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is allowed; by this region, or by the default memory map.
    Allowed(Option<u8>),
    /// This region forbids it.
    Denied(u8),
    /// No region holds the address, and the default memory map does not stand in.
    NoRegion,
    /// Several regions hold the address, which Armv8-M forbids.
    Overlap(Vec<u8>),
    /// The default memory map never lets code run there.
    NeverExecutable,
    /// Regions that are not known may decide.
    Unknown,
}

/// The MPU as captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mpu {
    /// MPU_CTRL.ENABLE.
    pub enabled: bool,
    /// MPU_CTRL.PRIVDEFENA: privileged code has the default memory map behind the regions.
    pub background: bool,
    /// MPU_CTRL.HFNMIENA: it works in HardFault, NMI and under FAULTMASK too.
    pub in_hard_faults: bool,
    /// How many regions the core has.
    pub count: Option<u8>,
    /// MPU_RNR.
    pub selected: Option<u8>,
    /// Regions that are known, by number.
    pub regions: Vec<Region>,
    v8: bool,
}

impl Mpu {
    /// Reads the MPU from `memory` and from `stored`, where a dump holds all regions by number.
    /// `None` when MPU_CTRL was not captured or the core has no MPU.
    pub fn read(
        memory: &dyn Memory,
        architecture: Option<Architecture>,
        stored: &[MpuRegion],
    ) -> Option<Mpu> {
        let count = memory.read_u32(MPU_TYPE).ok().map(|value| (value >> 8) as u8);
        let control = memory.read_u32(MPU_CTRL).ok()?;
        if count == Some(0) {
            return None;
        }
        let v8 =
            matches!(architecture, Some(Architecture::V8MMainline | Architecture::V8MBaseline));
        let selected = memory.read_u32(MPU_RNR).ok().map(|value| value as u8);
        let mut words: Vec<(u8, MpuRegion)> = (0..).zip(stored.iter().copied()).collect();
        let shown = if v8 {
            shown_v8(memory, selected)
        } else {
            // The aliases show the same region again.
            let region = pair(memory, MPU_RBAR);
            region.map(|region| ((region.base & 15) as u8, region)).into_iter().collect()
        };
        for (number, region) in shown {
            let exists = count.is_none_or(|count| number < count);
            if exists && !words.iter().any(|(known, _)| *known == number) {
                words.push((number, region));
            }
        }
        words.sort_by_key(|(number, _)| *number);
        let attributes = [MPU_MAIR0, MPU_MAIR0.word(1)].map(|at| memory.read_u32(at).ok());
        let decode = |(number, region): (u8, MpuRegion)| match v8 {
            true => region_v8(number, region, attributes),
            false => region_v7(number, region),
        };
        Some(Mpu {
            enabled: control & 1 != 0,
            in_hard_faults: control & 2 != 0,
            background: control & 4 != 0,
            count,
            selected,
            regions: words.into_iter().filter_map(decode).collect(),
            v8,
        })
    }

    /// Whether every region of the core is known.
    pub fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.regions.len() >= usize::from(count))
    }

    /// Numbers of enabled regions that share addresses with `region`, which is enabled too.
    pub fn overlapping(&self, region: &Region) -> Vec<u8> {
        let others = self.regions.iter().filter(|other| other.number != region.number);
        others.filter(|other| region.overlaps(other)).map(|other| other.number).collect()
    }

    /// What the MPU says about an access to `address`.
    pub fn decide(&self, address: Address, how: Use, privileged: bool) -> Verdict {
        // The private peripheral bus keeps the default map, and code never runs there.
        let system = address.0 >= 0xe000_0000;
        if how == Use::Execute && system {
            return Verdict::NeverExecutable;
        }
        if !self.enabled || (0xe000_0000..=0xe00f_ffff).contains(&address.0) {
            return self.default_map(address, how);
        }
        let holding: Vec<&Region> =
            self.regions.iter().filter(|region| region.covers(address)).collect();
        if self.v8 && holding.len() > 1 {
            return Verdict::Overlap(holding.iter().map(|region| region.number).collect());
        }
        let Some(region) = holding.last() else {
            return match () {
                () if !self.is_complete() => Verdict::Unknown,
                () if privileged && self.background => self.default_map(address, how),
                () => Verdict::NoRegion,
            };
        };
        let rights = if privileged { region.privileged } else { region.unprivileged };
        let Some(rights) = rights else { return Verdict::Unknown };
        let allowed = match how {
            Use::Read => rights >= Rights::ReadOnly,
            Use::Write => rights == Rights::ReadWrite,
            Use::Execute => {
                let never = privileged && region.privileged_never_executes;
                rights >= Rights::ReadOnly && region.executable && !never
            }
        };
        // Regions that are not known: one with a higher number would decide, on Armv8-M any other
        // one would forbid.
        let above = self.regions.iter().filter(|other| other.number > region.number).count();
        let above_known = self
            .count
            .is_some_and(|count| above + 1 >= usize::from(count.saturating_sub(region.number)));
        let decides = if self.v8 { !allowed || self.is_complete() } else { above_known };
        match (decides, allowed) {
            (false, _) => Verdict::Unknown,
            (true, true) => Verdict::Allowed(Some(region.number)),
            (true, false) => Verdict::Denied(region.number),
        }
    }

    /// Without a region: SRAM and external RAM hold code, peripherals and devices do not.
    /// DDI 0403E B3.1.
    fn default_map(&self, address: Address, how: Use) -> Verdict {
        let never = matches!(address.0, 0x4000_0000..=0x5fff_ffff | 0xa000_0000..);
        if how == Use::Execute && never { Verdict::NeverExecutable } else { Verdict::Allowed(None) }
    }
}

fn pair(memory: &dyn Memory, at: Address) -> Option<MpuRegion> {
    let base = memory.read_u32(at).ok()?;
    let attributes = memory.read_u32(at.word(1)).ok()?;
    Some(MpuRegion { base, attributes })
}

/// RBAR shows the selected region; alias n shows region n of the four around it.
fn shown_v8(memory: &dyn Memory, selected: Option<u8>) -> Vec<(u8, MpuRegion)> {
    let Some(selected) = selected else { return Vec::new() };
    let aliases = (1..4_u8).map(|n| (selected & !3 | n, i64::from(n) * ALIAS));
    let all = [(selected, 0)].into_iter().chain(aliases);
    let mut shown: Vec<(u8, MpuRegion)> = Vec::new();
    for (number, offset) in all {
        if shown.iter().all(|(known, _)| *known != number) {
            shown
                .extend(pair(memory, MPU_RBAR.wrapping_add(offset)).map(|region| (number, region)));
        }
    }
    shown
}

/// RASR: 28 XN, 26:24 AP, 21:19 TEX, 18 S, 17 C, 16 B, 15:8 SRD, 5:1 SIZE, 0 ENABLE.
/// DDI 0403E B3.5.9.
fn region_v7(number: u8, words: MpuRegion) -> Option<Region> {
    let rasr = words.attributes;
    let size = 1_u64 << ((rasr >> 1 & 31) + 1);
    // The address field holds no bits below the size.
    let start = u64::from(words.base & !31) & !(size - 1);
    let (privileged, unprivileged) = rights_v7(rasr >> 24 & 7);
    Some(Region {
        number,
        enabled: rasr & 1 != 0,
        range: AddressRange::new(Address(start as u32), size)?,
        // Regions below 256 bytes have no sub-regions.
        disabled_subregions: if size >= 256 { (rasr >> 8) as u8 } else { 0 },
        privileged,
        unprivileged,
        executable: rasr & 1 << 28 == 0,
        privileged_never_executes: false,
        memory_type: memory_type_v7(rasr),
    })
}

/// AP. DDI 0403E table B3-15.
fn rights_v7(ap: u32) -> (Option<Rights>, Option<Rights>) {
    use Rights::{None, ReadOnly, ReadWrite};
    match ap {
        0 => (Some(None), Some(None)),
        1 => (Some(ReadWrite), Some(None)),
        2 => (Some(ReadWrite), Some(ReadOnly)),
        3 => (Some(ReadWrite), Some(ReadWrite)),
        5 => (Some(ReadOnly), Some(None)),
        6 | 7 => (Some(ReadOnly), Some(ReadOnly)),
        _ => (Option::None, Option::None),
    }
}

/// TEX, C, B and S. DDI 0403E table B3-13, B3-14.
fn memory_type_v7(rasr: u32) -> String {
    let (tex, cb) = (rasr >> 19 & 7, rasr >> 16 & 3);
    let policy = |bits: u32| match bits & 3 {
        0 => "non-cacheable",
        1 => "write-back, write-allocate",
        2 => "write-through",
        _ => "write-back",
    };
    let kind = match (tex, cb) {
        (0, 0) => "strongly ordered".to_string(),
        (0, 1) => "device, shareable".to_string(),
        (0, _) => format!("normal, {}", policy(cb)),
        (1, 0) => "normal, non-cacheable".to_string(),
        (1, 3) => "normal, write-back, write-allocate".to_string(),
        (2, 0) => "device, non-shareable".to_string(),
        (4..=7, _) if tex & 3 == cb => format!("normal, {}", policy(cb)),
        (4..=7, _) => format!("normal, outer {}, inner {}", policy(tex), policy(cb)),
        _ => "reserved".to_string(),
    };
    let shareable = rasr & 1 << 18 != 0 && kind.starts_with("normal");
    if shareable { format!("{kind}, shareable") } else { kind }
}

/// RBAR: 31:5 BASE, 4:3 SH, 2:1 AP, 0 XN. RLAR: 31:5 LIMIT, 4 PXN, 3:1 AttrIndx, 0 EN. DDI 0553 D1.2.
fn region_v8(number: u8, words: MpuRegion, attributes: [Option<u32>; 2]) -> Option<Region> {
    use Rights::{None, ReadOnly, ReadWrite};
    let (start, limit) = (words.base & !31, words.attributes | 31);
    let enabled = words.attributes & 1 != 0;
    // A limit below the base covers nothing.
    let size = (u64::from(limit) + 1).saturating_sub(u64::from(start));
    let (privileged, unprivileged) = match words.base >> 1 & 3 {
        0 => (ReadWrite, None),
        1 => (ReadWrite, ReadWrite),
        2 => (ReadOnly, None),
        _ => (ReadOnly, ReadOnly),
    };
    let index = words.attributes >> 1 & 7;
    let word = if index < 4 { attributes[0] } else { attributes[1] };
    let attribute = word.map(|word| (word >> (index % 4 * 8)) as u8);
    let mut memory_type = attribute.map_or_else(|| format!("attribute {index}"), memory_type_v8);
    let shareability = match words.base >> 3 & 3 {
        2 => ", outer shareable",
        3 => ", inner shareable",
        _ => "",
    };
    if !memory_type.starts_with("device") {
        memory_type.push_str(shareability);
    }
    Some(Region {
        number,
        enabled,
        range: AddressRange::new(Address(start), size)?,
        disabled_subregions: 0,
        privileged: Some(privileged),
        unprivileged: Some(unprivileged),
        executable: words.base & 1 == 0,
        privileged_never_executes: words.attributes & 1 << 4 != 0,
        memory_type,
    })
}

/// An attribute of MAIR. DDI 0553 D1.2, MAIR_ATTR.
fn memory_type_v8(attribute: u8) -> String {
    let policy = |bits: u8| match bits & 15 {
        4 => "non-cacheable",
        0b0001..=0b0011 | 0b1000..=0b1011 => "write-through",
        _ => "write-back",
    };
    let (outer, inner) = (attribute >> 4, attribute & 15);
    match (outer, inner) {
        (0, 0b0000) => "device nGnRnE".to_string(),
        (0, 0b0100) => "device nGnRE".to_string(),
        (0, 0b1000) => "device nGRE".to_string(),
        (0, 0b1100) => "device GRE".to_string(),
        (0, _) | (_, 0) => "reserved".to_string(),
        _ if policy(outer) == policy(inner) => format!("normal, {}", policy(inner)),
        _ => format!("normal, outer {}, inner {}", policy(outer), policy(inner)),
    }
}

#[cfg(test)]
mod tests;
