//! Crashes that QEMU cannot make: captured cores with other fault registers.

use crate::support::file;
use mflt::analysis::{Options, analyze};
use mflt::arch::cortex_m::system::{
    BFAR, CFSR, DHCSR, HFSR, MMFAR, SFAR, SFSR, SHCSR, SystemRegister,
};
use mflt::report::{Category, Confidence, Hex32, Report};
use mflt::snapshot::MemoryImage;
use mflt::symbols::{ElfImage, SymbolFile};

/// The report on the core of `case`, with the registers of `changed` replaced.
fn report(case: &str, changed: &[(SystemRegister, u32)]) -> Report {
    let core = std::fs::read(file(&format!("fixtures/cores/{case}.core"))).unwrap();
    let image = case.rsplitn(2, "-Og-").last().unwrap();
    let elf = std::fs::read(file(&format!("fixtures/elf/{image}-Og.elf"))).unwrap();
    let mut snapshot = mflt::format::open(&core).unwrap();
    // What is inserted first stays.
    let mut memory = MemoryImage::default();
    for (register, value) in changed {
        memory.insert(register.address, value.to_le_bytes().to_vec()).unwrap();
    }
    for segment in snapshot.memory.segments() {
        memory.insert(segment.range().start(), segment.bytes().to_vec()).unwrap();
    }
    snapshot.memory = memory;
    let elf = ElfImage::parse(&elf).unwrap();
    analyze(&snapshot, &[SymbolFile::new(&elf)], &Options::default())
}

fn bits(report: &Report) -> Vec<String> {
    let fault = report.fault.as_ref().unwrap();
    let named = fault.bits.iter().filter(|bit| bit.register != "SHCSR");
    named.map(|bit| format!("{}.{}", bit.register, bit.name)).collect()
}

#[test]
fn imprecise_bus_fault_does_not_blame_the_program_counter() {
    let report = report("mps2-an385-Og-buswrite", &[(CFSR, 0x0400), (BFAR, 0x5000_0000)]);
    assert_eq!(report.category, Category::BusFault);
    assert_eq!(report.cause.confidence, Confidence::Possible);
    assert!(report.cause.summary.contains("imprecise"), "{}", report.cause.summary);
    let evidence = report.cause.evidence.join("\n");
    assert!(evidence.contains("not the culprit") && evidence.contains("DISDEFWBUF"), "{evidence}");
    assert!(!evidence.contains("0x50000000"), "BFAR is not marked valid: {evidence}");
    assert_eq!(report.fault.as_ref().unwrap().address, None);
    assert_eq!(bits(&report), ["CFSR.IMPRECISERR"]);
}

#[test]
fn every_set_bit_is_reported_with_its_escalation() {
    let changed = [(CFSR, 0x0200_8280), (HFSR, 0x4000_0000), (MMFAR, 4), (BFAR, 8)];
    let report = report("mps2-an385-Og-buswrite", &changed);
    let expected =
        ["CFSR.MMARVALID", "CFSR.PRECISERR", "CFSR.BFARVALID", "CFSR.DIVBYZERO", "HFSR.FORCED"];
    assert_eq!(bits(&report), expected);
    let fault = report.fault.unwrap();
    assert_eq!(fault.escalated_from.as_deref(), Some("BusFault"));
    assert_eq!(fault.address, Some(Hex32(4)));
}

#[test]
fn lockup_is_named_before_everything_else() {
    let report = report("mps2-an385-Og-undef", &[(DHCSR, 1 << 19 | 1 << 17)]);
    assert_eq!(report.category, Category::HardFault);
    assert!(report.title.ends_with("[Lockup]"), "{}", report.title);
    assert_eq!(report.cause.confidence, Confidence::Certain);
}

#[test]
fn secure_fault_registers_are_decoded_on_armv8m_only() {
    let changed = [(CFSR, 0), (SFSR, 0x48), (SFAR, 0x1000_0000), (SHCSR, 0x10)];
    let secure = report("mps2-an505-Og-mpu", &changed);
    assert_eq!(bits(&secure), ["SFSR.AUVIOL", "SFSR.SFARVALID"]);
    assert_eq!(secure.fault.unwrap().address, Some(Hex32(0x1000_0000)));
    let other = report("mps2-an385-Og-mpu", &changed);
    assert!(bits(&other).is_empty(), "{:?}", bits(&other));
}

#[test]
fn cortex_m0_has_no_fault_status_and_the_instruction_tells() {
    let report = report("microbit-Og-unaligned", &[(CFSR, u32::MAX), (HFSR, u32::MAX)]);
    assert!(report.fault.as_ref().unwrap().registers.get("CFSR").is_none());
    assert!(report.cause.summary.contains("Unaligned access"), "{}", report.cause.summary);
}
