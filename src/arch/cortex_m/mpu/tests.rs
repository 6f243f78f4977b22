//! Regions by their words, and what they say about accesses.

use super::*;
use crate::snapshot::MemoryImage;

const V7: Option<Architecture> = Some(Architecture::V7M);
const V8: Option<Architecture> = Some(Architecture::V8MMainline);

/// An MPU with `control` and eight regions, of which the first are `regions`.
fn mpu(architecture: Option<Architecture>, control: u32, regions: &[(u32, u32)]) -> Mpu {
    let mut memory = MemoryImage::default();
    let mut words = vec![0_u8; 0x38];
    words[1] = 8;
    words[4..8].copy_from_slice(&control.to_le_bytes());
    // MAIR0: attribute 0 device nGnRE, 1 normal non-cacheable, 2 normal write-back.
    words[0x30..0x34].copy_from_slice(&0x00ff_4404_u32.to_le_bytes());
    memory.insert(MPU_TYPE, words).unwrap();
    let known = regions.iter().map(|(base, attributes)| (*base, *attributes));
    let all = known.chain(std::iter::repeat((0, 0))).take(8);
    let stored: Vec<MpuRegion> =
        all.map(|(base, attributes)| MpuRegion { base, attributes }).collect();
    Mpu::read(&memory, architecture, &stored).unwrap()
}

/// RASR of an enabled region.
fn rasr(log2_size: u32, ap: u32, xn: u32, more: u32) -> u32 {
    xn << 28 | ap << 24 | (log2_size - 1) << 1 | 1 | more
}

#[test]
fn rights_of_every_ap_encoding_decide_reads_and_writes() {
    // AP, then reads and writes by privileged and by unprivileged code: DDI 0403E table B3-15.
    let rows =
        [(0, "...."), (1, "rw.."), (2, "rwr."), (3, "rwrw"), (5, "r..."), (6, "r.r."), (7, "r.r.")];
    for (ap, expected) in rows {
        let found = mpu(V7, 1, &[(0x2000_0000, rasr(16, ap, 0, 0))]);
        let at = Address(0x2000_1000);
        let said: String =
            [(Use::Read, true), (Use::Write, true), (Use::Read, false), (Use::Write, false)]
                .into_iter()
                .map(|(how, privileged)| match found.decide(at, how, privileged) {
                    Verdict::Allowed(Some(0)) if how == Use::Read => 'r',
                    Verdict::Allowed(Some(0)) => 'w',
                    Verdict::Denied(0) => '.',
                    other => panic!("{other:?}"),
                })
                .collect();
        assert_eq!(said, expected, "AP {ap}");
    }
    let reserved = mpu(V7, 1, &[(0x2000_0000, rasr(16, 4, 0, 0))]);
    assert_eq!(reserved.decide(Address(0x2000_0000), Use::Read, true), Verdict::Unknown);
}

#[test]
fn highest_region_decides_and_disabled_subregions_let_through() {
    let regions = [
        (0x2000_0000, rasr(20, 3, 1, 0)),
        // 64 KiB without its second eighth, 0x20002000 to 0x20003fff.
        (0x2000_0000, rasr(16, 0, 1, 0x0200)),
    ];
    let found = mpu(V7, 1, &regions);
    let write = |at| found.decide(Address(at), Use::Write, false);
    assert_eq!(write(0x2000_1fff), Verdict::Denied(1));
    assert_eq!(write(0x2000_2000), Verdict::Allowed(Some(0)));
    assert_eq!(write(0x2000_4000), Verdict::Denied(1));
    assert_eq!(write(0x2001_0000), Verdict::Allowed(Some(0)));
    assert_eq!(found.decide(Address(0x2001_0000), Use::Execute, true), Verdict::Denied(0));
    assert_eq!(found.overlapping(&found.regions[0]), [1]);
    assert!(found.overlapping(&found.regions[2]).is_empty());
}

#[test]
fn default_map_stands_in_for_privileged_code_only() {
    let with = mpu(V7, 5, &[]);
    let at = Address(0x2000_0000);
    assert_eq!(with.decide(at, Use::Write, true), Verdict::Allowed(None));
    assert_eq!(with.decide(at, Use::Write, false), Verdict::NoRegion);
    assert_eq!(with.decide(Address(0x4000_0000), Use::Execute, true), Verdict::NeverExecutable);
    assert_eq!(mpu(V7, 1, &[]).decide(at, Use::Write, true), Verdict::NoRegion);
    assert_eq!(mpu(V7, 0, &[]).decide(at, Use::Write, false), Verdict::Allowed(None));
    // The private peripheral bus is not the MPU's business.
    let scs = Address(0xe000_ed00);
    assert_eq!(mpu(V7, 1, &[]).decide(scs, Use::Read, true), Verdict::Allowed(None));
    assert_eq!(with.decide(scs, Use::Execute, true), Verdict::NeverExecutable);
}

#[test]
fn region_that_overlaps_another_forbids_on_armv8m() {
    let regions = [
        (0x2000_0000 | 1 << 1 | 1, 0x2000_ffe0 | 2 << 1 | 1),
        (0x2000_8000 | 3 << 1, 0x2001_ffe0 | 1 << 1 | 1),
        (0x4000_0000, 0x4fff_ffe0 | 1),
    ];
    let found = mpu(V8, 1, &regions);
    let at = |at, how| found.decide(Address(at), how, false);
    assert_eq!(at(0x2000_7fff, Use::Write), Verdict::Allowed(Some(0)));
    assert_eq!(at(0x2000_7fff, Use::Execute), Verdict::Denied(0));
    assert_eq!(at(0x2000_8000, Use::Read), Verdict::Overlap(vec![0, 1]));
    assert_eq!(at(0x2001_0000, Use::Write), Verdict::Denied(1));
    assert_eq!(at(0x2001_0000, Use::Execute), Verdict::Allowed(Some(1)));
    assert_eq!(at(0x4000_0000, Use::Read), Verdict::Denied(2), "privileged only");
    assert_eq!(found.overlapping(&found.regions[0]), [1]);
    let types: Vec<&str> = found.regions.iter().take(3).map(|r| r.memory_type.as_str()).collect();
    assert_eq!(types, ["normal, write-back", "normal, non-cacheable", "device nGnRE"]);
}

#[test]
fn region_that_is_not_known_leaves_the_verdict_open() {
    let mut memory = MemoryImage::default();
    let mut words = vec![0_u8; 0x14];
    words[1] = 8;
    words[4] = 1;
    words[8] = 7;
    words[0xc..0x10].copy_from_slice(&0x2000_1e07_u32.to_le_bytes());
    words[0x10..0x14].copy_from_slice(&rasr(5, 5, 1, 0).to_le_bytes());
    memory.insert(MPU_TYPE, words).unwrap();
    let found = Mpu::read(&memory, V7, &[]).unwrap();
    assert_eq!((found.regions.len(), found.is_complete()), (1, false));
    // No region comes behind the last.
    assert_eq!(found.decide(Address(0x2000_1e00), Use::Write, true), Verdict::Denied(7));
    assert_eq!(found.decide(Address(0x2000_1e20), Use::Write, true), Verdict::Unknown);
}

#[test]
fn largest_and_smallest_regions_fit_the_address_space() {
    for size in 0..32 {
        let found = mpu(V7, 1, &[(u32::MAX, size << 1 | 1)]);
        assert_eq!(found.regions[0].range.size(), 1 << (size + 1));
        assert!(found.regions[0].covers(Address(0xffff_ffe0)) || size < 4, "{size}");
    }
    let reversed = mpu(V8, 1, &[(0x2000_0000, 0x1000_0001), (0, u32::MAX)]);
    assert!(reversed.regions[0].range.is_empty());
    assert!(reversed.regions[1].covers(Address(u32::MAX)));
    assert_eq!(mpu(None, 1, &[]).regions.len(), 8);
}
