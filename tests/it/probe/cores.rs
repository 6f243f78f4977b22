//! Chips with several cores, chips that are asked what they are, and chips that have to be reset.

use super::port::Plugged;
use super::{M3, attach, capture_ram, chip, core, how, plug, range};
use crate::support::file;
use crate::support::manifest;
use mflt::snapshot::Register;
use mflt::symbols::ElfImage;
use mflt::target::probe::{Attach, ProbeTarget};
use mflt::target::{Leave, Target as _, TargetError};

const M33: &str = "mps2-an505-Og-buswrite";
/// Registers of the nRF5340: SPU.PERIPHID[5].PERM and RESET.NETWORK.FORCEOFF, which attaching clears.
const RESET_PERM: u32 = 0x5000_3814;
const FORCEOFF: u32 = 0x4000_5614;
/// FICR.INFO.PART and .VARIANT of Nordic's chips.
const PART: u32 = 0x1000_0100;
const VARIANT: u32 = 0x1000_0104;
/// The ROM table of an Armv7-M core: its peripheral and component identification.
const ROM_TABLE: u32 = 0xe00f_f000;

/// The application core, halted nowhere in particular, and the network core, which has crashed.
fn two_cores(product: u16) -> Plugged {
    let mut application = chip(manifest::case(M33));
    application.registers.set(Register::PC, 0x1234_5678);
    application.written.insert(RESET_PERM, 0);
    application.written.insert(FORCEOFF, 1);
    Plugged::with_cores(product, "1", vec![application, chip(manifest::case(M33))])
}

#[test]
fn second_core_is_captured_while_all_are_halted() {
    let plugged = two_cores(0x0301);
    let attach = Attach { core: 1, ..how(&plugged, "nRF5340_xxAA") };
    let mut target = ProbeTarget::attach(&attach, None).unwrap();
    assert!(plugged.core(0).halted && plugged.core(1).halted);
    assert_eq!(target.ram().unwrap(), [range(0x2100_0000, 0x1_0000)]);
    // What the other core has at the same address is not what is read.
    plugged.core(0).written.insert(0x3800_0000, 0xdead_beef);
    let core = core(manifest::case(M33));
    let captured = capture_ram(&mut target, &core);
    assert_eq!(captured.error, None);
    assert_eq!(captured.snapshot.registers.pc(), core.registers.pc());
    for segment in core.memory.segments().iter().filter(|s| s.range().start().0 < 0xe000_0000) {
        let found = captured.snapshot.memory.slice_from(segment.range().start()).unwrap();
        assert!(found.starts_with(segment.bytes()), "{}", segment.range());
    }
    assert_eq!(target.leave(Leave::AsFound), Ok(Some(true)));
    drop(target);
    for number in [0, 1] {
        let core = plugged.core(number);
        assert!(!core.halted && !core.debug_enabled && core.runs > 0, "core {number}");
    }
}

#[test]
fn core_that_was_halted_stays_so_beside_one_that_runs() {
    let plugged = two_cores(0x0302);
    {
        let mut network = plugged.core(1);
        (network.halted, network.debug_enabled) = (true, true);
    }
    let mut target = attach(&plugged, "nRF5340_xxAA");
    assert_eq!(target.read_registers().unwrap().set.pc(), Some(0x1234_5678));
    target.leave(Leave::AsFound).unwrap();
    drop(target);
    assert!(!plugged.core(0).halted, "the first ran");
    assert!(plugged.core(1).halted, "the second did not");
    let third = Attach { core: 2, ..how(&plugged, "nRF5340_xxAA") };
    let error = ProbeTarget::attach(&third, None).unwrap_err();
    assert_eq!(error, TargetError::NoCore { number: 2, count: 2 });
}

#[test]
fn chip_is_recognised_by_its_rom_table() {
    let mut nordic = chip(manifest::case("mps2-an386-Og-buswrite"));
    // JEP106 code of Nordic Semiconductor, 0x244, in PIDR1, PIDR2 and PIDR4; a ROM table in CIDR.
    for (offset, value) in [
        (0xfd0, 0x02),
        (0xfe0, 0x08),
        (0xfe4, 0x40),
        (0xfe8, 0x0c),
        (0xff0, 0x0d),
        (0xff4, 0x10),
        (0xff8, 0x05),
        (0xffc, 0xb1),
    ] {
        nordic.written.insert(ROM_TABLE + offset, value);
    }
    nordic.written.insert(PART, 0x5_2840);
    nordic.written.insert(VARIANT, 0x4141_4330);
    let plugged = plug(0x0303, nordic);
    let unnamed = Attach { chip: None, ..how(&plugged, "") };
    let target = ProbeTarget::attach(&unnamed, None).unwrap();
    assert_eq!(target.server(), "Simulated (nRF52840_xxAA)");

    let unknown = plug(0x0304, chip(manifest::case(M3)));
    let unnamed = Attach { chip: None, ..how(&unknown, "") };
    let error = ProbeTarget::attach(&unnamed, None).unwrap_err();
    assert_eq!(error, TargetError::ChipNotRecognised);
    assert!(!unknown.chip().halted);
}

#[test]
fn target_under_reset_is_halted_at_its_first_instruction() {
    let case = manifest::case(M3);
    let elf = std::fs::read(file(case.elf())).unwrap();
    let entry = ElfImage::parse(&elf).unwrap().entry().0 & !1;
    // Whether somebody debugged it since power came: that survives a reset by the pin.
    for (product, debug_enabled, asleep) in
        [(0x0305, true, false), (0x0306, false, false), (0x0307, false, true)]
    {
        let mut resting = chip(case);
        (resting.debug_enabled, resting.asleep) = (debug_enabled, asleep);
        let plugged = plug(product, resting);
        let attach =
            Attach { under_reset: true, speed_khz: Some(500), ..how(&plugged, "Cortex-M3") };
        let mut target = ProbeTarget::attach(&attach, None).unwrap();
        assert_eq!(target.read_registers().unwrap().set.pc(), Some(entry), "{product:#x}");
        assert_eq!(target.stop_reason().as_deref(), Some("reset by the debugger"));
        // It ran until it was reset.
        assert_eq!(target.leave(Leave::AsFound), Ok(Some(true)));
        drop(target);
        assert!(!plugged.chip().halted);
    }
}
