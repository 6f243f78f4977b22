//! Coredumps in flash: a simulator with the rules of real flash, whose power fails at every program and
//! every erase and which counts its wear.

use super::host::{Host, Numbers};
use mflt::base::Address;
use mflt::format;

const SIZE: usize = 1024;
const PAGE: usize = 256;
/// As `sdk/tests/flash_config.h` has it.
const UNIT: usize = 32;
const IO: i32 = -4;
const EXISTS: i32 = -5;
const LIMIT: i32 = -6;

/// Flash that can be erased by pages only, and programmed once behind an erase.
struct Flash {
    bytes: Vec<u8>,
    is_erased: Vec<bool>,
    /// Whether what was programmed can be programmed to zeros.
    clears: bool,
    erases: [u32; SIZE / PAGE],
    programs: u32,
    /// Programs and erases until the power fails, in the middle of the last one.
    left: Option<u32>,
    is_dead: bool,
    numbers: Numbers,
}

impl Flash {
    /// Full of what somebody left there.
    fn new(clears: bool) -> Flash {
        let mut numbers = Numbers(5);
        let bytes = (0..SIZE).map(|_| numbers.below(256) as u8).collect();
        let is_erased = vec![false; SIZE / UNIT];
        let erases = [0; SIZE / PAGE];
        Flash { bytes, is_erased, clears, erases, programs: 0, left: None, is_dead: false, numbers }
    }

    /// Whether the power fails in this one.
    fn fails(&mut self) -> bool {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
            self.is_dead = *left == 0;
        }
        self.is_dead
    }

    fn erase(&mut self, at: usize) -> i32 {
        assert_eq!(at % PAGE, 0, "a page begins elsewhere");
        if self.is_dead {
            return IO;
        }
        self.erases[at / PAGE] += 1;
        let fails = self.fails();
        for byte in &mut self.bytes[at..at + PAGE] {
            // Cut short, some cells are erased and some read as either.
            match (fails, self.numbers.below(3)) {
                (true, 0) => {}
                (true, 1) => *byte |= self.numbers.below(256) as u8,
                _ => *byte = 0xff,
            }
        }
        self.is_erased[at / UNIT..(at + PAGE) / UNIT].fill(!fails);
        if fails { IO } else { 0 }
    }

    fn program(&mut self, at: usize, unit: [u8; UNIT]) -> i32 {
        assert_eq!(at % UNIT, 0, "a unit begins elsewhere");
        if self.is_dead {
            return IO;
        }
        let is_clearing = self.clears && unit == [0; UNIT];
        assert!(self.is_erased[at / UNIT] || is_clearing, "0x{at:x} is programmed twice");
        self.is_erased[at / UNIT] = false;
        self.programs += 1;
        let fails = self.fails();
        let size = if fails { self.numbers.below(UNIT) } else { UNIT };
        for (byte, new) in self.bytes[at..].iter_mut().zip(&unit[..size]) {
            *byte &= new;
        }
        if fails { IO } else { 0 }
    }
}

/// The device's side, with its flash.
struct Device {
    host: Host,
    flash: Flash,
}

impl Device {
    fn new(clears: bool, keep_last: bool, burst: u32) -> Device {
        let sources = ["coredump", "coredump_writer", "crc16", "reboot", "storage_flash"];
        let mut host = Host::start("flash", &sources);
        host.send(b"o");
        for option in [u32::from(clears), u32::from(keep_last), burst] {
            host.send_u32(option);
        }
        let mut device = Device { host, flash: Flash::new(clears) };
        assert_eq!(device.boot(), 0);
        device
    }

    /// Serves the flash until the answer comes.
    fn until_answer(&mut self) {
        loop {
            let [what] = self.host.receive();
            if what == b'A' {
                return;
            }
            let at = self.host.result() as usize;
            let result = match what {
                b'E' => self.flash.erase(at),
                b'P' => self.flash.program(at, self.host.receive()),
                b'R' => {
                    let size = self.host.result() as usize;
                    let result = if self.flash.is_dead { IO } else { 0 };
                    let bytes = self.flash.bytes[at..at + size].to_vec();
                    self.host.send_u32(result as u32);
                    self.host.send(&bytes);
                    continue;
                }
                other => panic!("{other}"),
            };
            self.host.send_u32(result as u32);
        }
    }

    fn command(&mut self, command: u8) -> i32 {
        self.host.send(&[command]);
        self.until_answer();
        self.host.result()
    }

    fn crash_at(&mut self, uptime_s: u32, region: &[u8]) -> i32 {
        self.host.send(b"w");
        self.host.send_u32(uptime_s * 1000);
        self.host.send_u32(region.len() as u32);
        self.host.send(region);
        self.until_answer();
        self.host.result()
    }

    fn crash(&mut self, region: &[u8]) -> i32 {
        self.crash_at(100, region)
    }

    /// With power; the size of the coredump that is found.
    fn boot(&mut self) -> i32 {
        self.flash.left = None;
        self.flash.is_dead = false;
        self.command(b'b')
    }

    fn discard(&mut self) -> i32 {
        self.command(b'd')
    }

    /// The region of the coredump, which has to be whole; `None` when there is none.
    fn held(&mut self) -> Option<Vec<u8>> {
        if self.boot() == 0 {
            return None;
        }
        self.host.send(b"r");
        self.until_answer();
        let snapshot = format::open(&self.host.bytes()).unwrap();
        assert_eq!(snapshot.origin.complete, Some(true));
        snapshot.memory.slice_from(Address(0x2000_0000)).map(<[u8]>::to_vec)
    }
}

fn region(number: u8) -> Vec<u8> {
    (0..600_u32).map(|at| (at as u8).wrapping_mul(7) ^ number).collect()
}

#[test]
fn power_that_fails_at_any_program_or_erase_leaves_a_whole_coredump_or_none() {
    for clears in [false, true] {
        let mut device = Device::new(clears, false, 0);
        for operations in 1.. {
            device.flash.left = Some(operations);
            let result = device.crash(&region(1));
            if result == 0 {
                // Three pages, more than twenty units.
                assert!(operations > 23, "{operations}");
                break;
            }
            assert_eq!((result, device.held()), (IO, None), "{operations}");
            // With power all goes well.
            assert_eq!(device.crash(&region(2)), 0, "{operations}");
            assert_eq!(device.held(), Some(region(2)), "{operations}");
            assert_eq!((device.discard(), device.held()), (0, None), "{operations}");
        }
    }
}

#[test]
fn power_that_fails_while_discarding_leaves_the_coredump_or_none() {
    for clears in [false, true] {
        let mut device = Device::new(clears, false, 0);
        for seed in 1..40 {
            assert_eq!(device.crash(&region(seed)), 0);
            device.flash.left = Some(1);
            assert_eq!(device.discard(), IO);
            if let Some(held) = device.held() {
                assert_eq!(held, region(seed));
                assert_eq!(device.discard(), 0);
            }
            assert_eq!(device.held(), None);
        }
    }
}

#[test]
fn boot_loop_wears_no_page_more_than_its_limits_allow() {
    // The first is kept until it is delivered.
    let mut device = Device::new(true, false, 0);
    assert_eq!(device.crash(&region(1)), 0);
    let programs = device.flash.programs;
    for _ in 0..50 {
        device.boot();
        assert_eq!(device.crash_at(1, &region(2)), EXISTS);
    }
    assert_eq!(device.flash.erases, [1, 1, 1, 0]);
    assert_eq!(device.flash.programs, programs);
    assert_eq!(device.held(), Some(region(1)));

    // Each is delivered at once: so many in a row, until the device has run for a minute.
    let mut device = Device::new(true, false, 3);
    let mut results = Vec::new();
    for round in 0..20 {
        let uptime_s = if round == 10 { 60 } else { 59 };
        results.push(device.crash_at(uptime_s, &region(round)));
        device.boot();
        device.discard();
    }
    let kept: Vec<usize> = (0..20).filter(|round| results[*round] == 0).collect();
    assert_eq!(kept, [0, 1, 2, 10, 11, 12]);
    assert!(results.iter().all(|result| [0, LIMIT].contains(result)), "{results:?}");
    assert_eq!(device.flash.erases, [6, 6, 6, 0]);
}

#[test]
fn last_crash_replaces_the_first_when_that_is_wanted() {
    let mut device = Device::new(false, true, 0);
    for number in 0..5 {
        assert_eq!(device.crash(&region(number)), 0);
        assert_eq!(device.held(), Some(region(number)));
    }
    assert_eq!(device.flash.erases, [5, 5, 5, 0]);
    // One that does not come through has taken the place of the one before.
    device.flash.left = Some(9);
    assert_eq!(device.crash(&region(9)), IO);
    assert_eq!(device.held(), None);
}

#[test]
fn flash_without_overwriting_is_erased_to_discard() {
    let mut device = Device::new(false, false, 0);
    assert_eq!(device.crash(&region(1)), 0);
    assert_eq!(device.discard(), 0);
    assert_eq!(device.flash.erases, [2, 1, 1, 0]);
    let mut device = Device::new(true, false, 0);
    assert_eq!(device.crash(&region(1)), 0);
    assert_eq!(device.discard(), 0);
    assert_eq!(device.flash.erases, [1, 1, 1, 0]);
}
