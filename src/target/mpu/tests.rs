//! Regions read through MPU_RNR from cores whose servers behave and misbehave.

use super::*;
use crate::base::Address;
use crate::snapshot::Gap;
use crate::target::{Leave, Registers};

/// MPU_TYPE of eight regions.
const EIGHT: Option<u32> = Some(8 << 8);
/// What the program had selected.
const SELECTED: u32 = 7;

/// What becomes of a write to MPU_RNR.
type Write = fn(u32) -> Result<bool, TargetError>;

struct Core {
    selected: u32,
    written: Vec<u32>,
    /// Whether a number is taken, ignored or refused.
    write: Write,
    /// Reading fails while this region is selected.
    unreadable: Option<(u32, Option<TargetError>)>,
}

impl Core {
    fn new(write: Write) -> Core {
        Core { selected: SELECTED, written: Vec::new(), write, unreadable: None }
    }

    fn read_all(&mut self) -> Regions {
        read_all(self, EIGHT, Some(SELECTED), &mut |_| true)
    }
}

fn taken(_: u32) -> Result<bool, TargetError> {
    Ok(true)
}

fn shown(number: u32) -> MpuRegion {
    MpuRegion { base: 0x2000_0000 | number, attributes: 0x1000_0001 + number }
}

fn shown_until(end: u32) -> Vec<MpuRegion> {
    (0..end).map(shown).collect()
}

impl Target for Core {
    fn route(&self) -> &'static str {
        ""
    }

    fn server(&self) -> String {
        String::new()
    }

    fn was_running(&self) -> Option<bool> {
        None
    }

    fn stop_reason(&self) -> Option<String> {
        None
    }

    fn halt(&mut self) -> Result<(), TargetError> {
        Ok(())
    }

    fn read_registers(&mut self) -> Result<Registers, TargetError> {
        Ok(Registers::default())
    }

    fn read_memory(
        &mut self,
        ranges: &[AddressRange],
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> MemoryRead {
        let range = window();
        assert_eq!(ranges, [range]);
        if let Some((_, error)) = self.unreadable.clone().filter(|(n, _)| *n == self.selected) {
            let gaps = vec![Gap { range, reason: "E0e".to_owned() }];
            return MemoryRead { gaps, error, ..MemoryRead::default() };
        }
        let region = shown(self.selected);
        let words = [self.selected, region.base, region.attributes];
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let error = (!progress(range.size())).then_some(TargetError::Cancelled);
        MemoryRead { runs: vec![(range.start(), bytes)], error, ..MemoryRead::default() }
    }

    fn read_register(&mut self, address: Address, _: u32) -> Result<Vec<u8>, TargetError> {
        panic!("no peripheral is asked for: {address}")
    }

    fn write_word(&mut self, address: Address, value: u32) -> Result<(), TargetError> {
        assert_eq!(address, MPU_RNR, "nothing else is ever written");
        self.written.push(value);
        if (self.write)(value)? {
            self.selected = value;
        }
        Ok(())
    }

    fn ram(&mut self) -> Result<Vec<AddressRange>, TargetError> {
        Ok(Vec::new())
    }

    fn leave(&mut self, _: Leave) -> Result<Option<bool>, TargetError> {
        Ok(None)
    }
}

#[test]
fn every_region_is_read_and_the_selection_restored() {
    let mut core = Core::new(taken);
    let found = core.read_all();
    assert_eq!(found.regions, shown_until(8));
    assert!(found.complete && found.remarks.is_empty() && found.error.is_none(), "{found:?}");
    assert_eq!(core.written, [0, 1, 2, 3, 4, 5, 6, 7, SELECTED]);
    // A core without an MPU has nothing to select.
    let mut core = Core::new(taken);
    assert!(read_all(&mut core, Some(0), Some(0), &mut |_| true).complete);
    assert_eq!(core.written, [0; 0]);
}

#[test]
fn server_that_ignores_writes_gives_no_region_and_one_remark() {
    // Region 0 is selected already: that it reads back proves nothing.
    for selected in [0, SELECTED] {
        let mut core = Core { selected, ..Core::new(|_| Ok(false)) };
        let found = read_all(&mut core, EIGHT, Some(selected), &mut |_| true);
        assert_eq!((found.regions.len(), found.complete, &found.error), (0, false, &None));
        assert_eq!(found.remarks.len(), 1, "{:?}", found.remarks);
        assert!(found.remarks[0].starts_with("the server ignores writes to MPU_RNR"));
        assert_eq!(core.selected, selected);
    }
}

#[test]
fn refused_write_is_told_and_the_capture_goes_on() {
    let refused = || TargetError::Refused { request: "M".to_owned(), code: "E01".to_owned() };
    let refuses: Write =
        |_| Err(TargetError::Refused { request: "M".to_owned(), code: "E01".to_owned() });
    let found = Core::new(refuses).read_all();
    let told = format!("MPU_RNR cannot be written: {}", refused());
    assert!(found.remarks[0].starts_with(&told), "{:?}", found.remarks);
    assert_eq!((found.regions.len(), found.complete, found.error), (0, false, None));
    assert_eq!(found.remarks.len(), 1);
}

#[test]
fn region_that_cannot_be_read_keeps_those_before_it_and_the_selection() {
    for (error, expected) in
        [(None, None), (Some(TargetError::DoesNotStop), Some(TargetError::DoesNotStop))]
    {
        let mut core = Core { unreadable: Some((3, error)), ..Core::new(taken) };
        let found = core.read_all();
        assert_eq!((found.regions, found.error), (shown_until(3), expected));
        assert!(!found.complete);
        assert!(found.remarks[0].starts_with("MPU regions from 3 on could not be read: "));
        assert_eq!((core.selected, found.remarks.len()), (SELECTED, 1));
    }
}

#[test]
fn interruption_restores_the_selection() {
    let mut core = Core::new(taken);
    let mut left = 3;
    let found = read_all(&mut core, EIGHT, Some(SELECTED), &mut |_| {
        left -= 1;
        left > 0
    });
    assert_eq!(found.error, Some(TargetError::Cancelled));
    assert_eq!(found.regions, shown_until(2));
    assert_eq!((core.selected, core.written), (SELECTED, vec![0, 1, 2, SELECTED]));
    assert_eq!(found.remarks.len(), 1, "no word about MPU_RNR: {:?}", found.remarks);
}

#[test]
fn selection_that_cannot_be_restored_is_told() {
    let mut core = Core::new(|n| if n < 5 { Ok(true) } else { Err(TargetError::Closed) });
    let found = core.read_all();
    assert_eq!((found.regions, found.error), (shown_until(5), Some(TargetError::Closed)));
    let told = "MPU_RNR could not be restored to 0x00000007, it is 0x00000004: the server closed \
                the connection";
    assert_eq!(found.remarks.last().map(String::as_str), Some(told));
}

#[test]
fn registers_that_are_no_mpu_are_not_written() {
    for (mpu_type, selected) in
        [(None, Some(0)), (EIGHT, None), (Some(0x5a5a_5a5a), Some(0)), (Some(0x0801), Some(0))]
    {
        let mut core = Core::new(taken);
        let found = read_all(&mut core, mpu_type, selected, &mut |_| true);
        assert_eq!((found.complete, found.remarks.len()), (false, 1));
        assert_eq!(core.written, [0; 0]);
    }
}
