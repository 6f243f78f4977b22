//! A debug port and a probe that speaks to it in DAP registers (ADIv5, IHI 0031: DPIDR, ABORT,
//! CTRL/STAT, SELECT, RDBUFF; MEM-AP: CSW, TAR, DRW, BD, CFG, BASE, IDR), for probe-rs.

use super::chip::Chip;
use probe_rs::CoreStatus;
use probe_rs::architecture::arm::dp::DpRegisterAddress;
use probe_rs::architecture::arm::sequences::ArmDebugSequence;
use probe_rs::architecture::arm::{
    ArmCommunicationInterface, ArmDebugInterface, ArmError, DapError, DapProbe, RawDapAccess,
    RegisterAddress,
};
use probe_rs::plugin::{Plugin, register_plugin};
use probe_rs::probe::list::{Accessibility, ProbeListItem};
use probe_rs::probe::{
    DebugProbe, DebugProbeError, DebugProbeInfo, DebugProbeSelector, ProbeCreationError,
    ProbeFactory, WireProtocol,
};
use std::sync::{Arc, Mutex, MutexGuard, Once};

/// Arm's SW-DP, version 1.
const DPIDR: u32 = 0x2ba0_1477;
/// An AHB-AP of a Cortex-M, and Nordic's control access port.
const AHB_AP: u32 = 0x2477_0011;
const NORDIC_CTRL_AP: u32 = 0x0288_0000;
/// CTRL/STAT: requests and acknowledges for power, overrun detection, sticky errors.
const POWER: u32 = 0xf000_0000;
const ORUNDETECT: u32 = 1;
const STICKYORUN: u32 = 1 << 1;
const STICKYERR: u32 = 1 << 5;
const STICKY: u32 = STICKYORUN | STICKYERR;
/// ABORT: what clears them.
const STKERRCLR: u32 = 1 << 2;
const ORUNERRCLR: u32 = 1 << 4;
/// nRESET among the pins of a probe.
const NRESET: u32 = 1 << 7;
/// Every so many accesses the port says WAIT.
const WAITS: usize = 7;
/// As much later at the end of a wire: what probe-rs sends bit by bit is sent again from there on.
pub(super) const RARE_WAITS: usize = 397;

/// A core, with the memory that its access port leads to.
pub(super) type Shared = Arc<Mutex<Chip>>;

/// The cores of a chip by the serial number of their probe.
static PLUGGED: Mutex<Vec<(u16, String, Vec<Shared>)>> = Mutex::new(Vec::new());

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A chip with a probe of its own, plugged in as long as this lives.
pub(crate) struct Plugged {
    cores: Vec<Shared>,
    product: u16,
    serial: String,
}

impl Plugged {
    /// Plugs in a probe of model `product`, which no other test uses.
    pub(crate) fn new(product: u16, serial: &str, chip: Chip) -> Plugged {
        Plugged::with_cores(product, serial, vec![chip])
    }

    /// As [`Plugged::new`], with a core behind each of the first access ports.
    pub(crate) fn with_cores(product: u16, serial: &str, cores: Vec<Chip>) -> Plugged {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            register_plugin(Plugin { probe_drivers: &[&Factory], ..Plugin::default() })
        });
        let cores: Vec<Shared> = cores.into_iter().map(|core| Arc::new(Mutex::new(core))).collect();
        let serial = serial.to_string();
        lock(&PLUGGED).push((product, serial.clone(), cores.clone()));
        Plugged { cores, product, serial }
    }

    /// The first core.
    pub(crate) fn chip(&self) -> MutexGuard<'_, Chip> {
        self.core(0)
    }

    pub(crate) fn core(&self, number: usize) -> MutexGuard<'_, Chip> {
        lock(&self.cores[number])
    }

    /// `VID:PID`, with the serial number if it is wanted.
    pub(crate) fn selector(&self, with_serial: bool) -> String {
        let serial = if with_serial { format!(":{}", self.serial) } else { String::new() };
        format!("1209:{:04x}{serial}", self.product)
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        lock(&PLUGGED).retain(|(_, _, cores)| !Arc::ptr_eq(&cores[0], &self.cores[0]));
    }
}

#[derive(Debug)]
struct Factory;

impl std::fmt::Display for Factory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("simulated")
    }
}

impl ProbeFactory for Factory {
    fn open(&self, selector: &DebugProbeSelector) -> Result<Box<dyn DebugProbe>, DebugProbeError> {
        let plugged = lock(&PLUGGED);
        let found = plugged.iter().find(|(product, serial, _)| {
            selector.vendor_id == 0x1209
                && selector.product_id == *product
                && selector.serial_number.as_ref().is_none_or(|wanted| wanted == serial)
        });
        match found {
            Some((_, _, cores)) => Ok(Box::new(Port::new(cores.clone(), WAITS))),
            None => Err(DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::NotFound)),
        }
    }

    fn list_probes(&self) -> Vec<ProbeListItem> {
        let plugged = lock(&PLUGGED);
        let item = |(product, serial, cores): &(u16, String, Vec<Shared>)| {
            let serial = Some(serial.clone());
            let info =
                DebugProbeInfo::new("Simulated", 0x1209, *product, serial, &Factory, None, false);
            let accessibility = match lock(&cores[0]).denied {
                true => Accessibility::PermissionDenied,
                false => Accessibility::Accessible,
            };
            ProbeListItem { info, accessibility }
        };
        plugged.iter().map(item).collect()
    }
}

/// A MEM-AP.
#[derive(Clone, Copy)]
struct MemoryAp {
    csw: u32,
    tar: u32,
}

pub(super) struct Port {
    /// One behind each MEM-AP; what concerns the whole chip stands in the first.
    cores: Vec<Shared>,
    memory_aps: Vec<MemoryAp>,
    select: u32,
    ctrl: u32,
    accesses: usize,
    waits: usize,
    in_reset: bool,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Port")
    }
}

impl Port {
    pub(super) fn new(cores: Vec<Shared>, waits: usize) -> Port {
        let memory_aps = vec![MemoryAp { csw: 0x2300_0040, tar: 0 }; cores.len()];
        Port { cores, memory_aps, select: 0, ctrl: 0, accesses: 0, waits, in_reset: false }
    }

    /// Whether nothing answers at all.
    pub(super) fn is_silent(&self) -> bool {
        lock(&self.cores[0]).asleep
    }

    /// Whether an error has to be cleared before anything else is done.
    pub(super) fn has_sticky_error(&self) -> bool {
        self.ctrl & STICKY != 0
    }

    /// An access to an AP; what a probe does: WAIT is tried again, after FAULT the error is cleared.
    fn access(&mut self, low: u8, write: Option<u32>) -> Result<u32, ArmError> {
        loop {
            let result = self.transfer(low, write);
            match result {
                Err(DapError::WaitResponse) => {}
                Err(DapError::FaultResponse) => {
                    self.dp_write(0, STKERRCLR);
                    return Err(DapError::FaultResponse.into());
                }
                other => return other.map_err(ArmError::from),
            }
        }
    }

    fn transfer(&mut self, low: u8, write: Option<u32>) -> Result<u32, DapError> {
        self.ready()?;
        self.perform(low, write).ok_or(DapError::FaultResponse)
    }

    /// Whether the port takes an access to an AP now.
    pub(super) fn ready(&mut self) -> Result<(), DapError> {
        self.accesses += 1;
        {
            let mut chip = lock(&self.cores[0]);
            match chip.accesses_left.checked_sub(1) {
                Some(left) => chip.accesses_left = left,
                None => return Err(DapError::NoAcknowledge),
            }
        }
        if self.has_sticky_error() || self.ctrl & POWER != POWER {
            return Err(DapError::FaultResponse);
        }
        if self.accesses.is_multiple_of(self.waits) {
            if self.ctrl & ORUNDETECT != 0 {
                self.ctrl |= STICKYORUN;
            }
            return Err(DapError::WaitResponse);
        }
        Ok(())
    }

    /// An access to the selected AP; `None` is a fault, which stays until it is cleared.
    pub(super) fn perform(&mut self, low: u8, write: Option<u32>) -> Option<u32> {
        let register = (self.select & 0xf0) as u8 | low & 0xc;
        let number = (self.select >> 24) as usize;
        let done = match register {
            _ if number < self.cores.len() => self.memory_ap(number, register, write),
            _ if number >= 2 * self.cores.len() => Some(0),
            // APPROTECTSTATUS is 0 where the chip is protected.
            0x0c => Some(u32::from(!self.is_locked())),
            0xfc if self.is_locked() => Some(NORDIC_CTRL_AP),
            _ => Some(0),
        };
        if done.is_none() {
            self.ctrl |= STICKYERR;
        }
        done
    }

    fn is_locked(&self) -> bool {
        lock(&self.cores[0]).locked
    }

    /// A register of a MEM-AP; `None` is a fault.
    fn memory_ap(&mut self, number: usize, register: u8, write: Option<u32>) -> Option<u32> {
        let MemoryAp { csw, tar } = self.memory_aps[number];
        let ap = &mut self.memory_aps[number];
        match (register, write) {
            (0x00, Some(value)) => ap.csw = value & !0x80 | 0x40,
            (0x00, None) => return Some(csw),
            (0x04, Some(value)) => ap.tar = value,
            (0x04, None) => return Some(tar),
            (0x0c, _) => {
                let done = self.bus(number, tar, write)?;
                if csw & 0x30 != 0 {
                    // Ten bits count; further ones are up to the implementation, here they stay.
                    let next = tar.wrapping_add(1 << (csw & 7));
                    self.memory_aps[number].tar = tar & !0x3ff | next & 0x3ff;
                }
                return Some(done);
            }
            (0x10..=0x1c, _) => {
                return self.bus(number, tar & !0xf | u32::from(register & 0xc), write);
            }
            (0xf4, None) => return Some(0),
            (0xf8, None) => return Some(0xe00f_f003),
            (0xfc, None) => return Some(AHB_AP),
            _ => {}
        }
        Some(0)
    }

    /// A transfer of the size that CSW says, in the lanes of its address.
    fn bus(&mut self, number: usize, address: u32, write: Option<u32>) -> Option<u32> {
        let mut chip = lock(&self.cores[number]);
        let size = 1 << (self.memory_aps[number].csw & 7);
        let lane = 8 * (address & 3);
        match write {
            Some(value) => chip.write(address, value >> lane).map(|()| 0),
            None => chip.read(address, size).map(|value| value << lane),
        }
    }

    pub(super) fn dp_read(&self, address: u8) -> u32 {
        match address {
            0x0 => DPIDR,
            0x4 => self.ctrl,
            _ => 0,
        }
    }

    pub(super) fn dp_write(&mut self, address: u8, value: u32) {
        match address {
            0x0 => {
                for (bit, cleared) in [(STKERRCLR, STICKYERR), (ORUNERRCLR, STICKYORUN)] {
                    if value & bit != 0 {
                        self.ctrl &= !cleared;
                    }
                }
            }
            // Power is there as soon as it is asked for.
            0x4 => {
                let acknowledged = (value & 0x5000_0000) << 1;
                self.ctrl = value & 0x5fff_ffff & !STICKY | acknowledged | self.ctrl & STICKY;
            }
            0x8 => self.select = value,
            _ => {}
        }
    }

    /// The reset pin, which wakes the chip; it leaves reset when the pin goes up again.
    pub(super) fn set_reset(&mut self, low: bool) {
        if low {
            lock(&self.cores[0]).asleep = false;
        }
        if self.in_reset && !low {
            for core in &self.cores {
                lock(core).reset();
            }
        }
        self.in_reset = low;
    }
}

impl RawDapAccess for Port {
    fn raw_read_register(&mut self, address: RegisterAddress) -> Result<u32, ArmError> {
        match address {
            RegisterAddress::DpRegister(_) if self.is_silent() => {
                Err(DapError::NoAcknowledge.into())
            }
            RegisterAddress::DpRegister(DpRegisterAddress { address, .. }) => {
                Ok(self.dp_read(address))
            }
            RegisterAddress::ApRegister(low) => self.access(low, None),
        }
    }

    fn raw_write_register(&mut self, address: RegisterAddress, value: u32) -> Result<(), ArmError> {
        match address {
            RegisterAddress::DpRegister(DpRegisterAddress { address, .. }) => {
                self.dp_write(address, value);
                Ok(())
            }
            RegisterAddress::ApRegister(low) => self.access(low, Some(value)).map(drop),
        }
    }

    fn jtag_sequence(&mut self, _: u8, _: bool, _: u64) -> Result<(), DebugProbeError> {
        Ok(())
    }

    fn swj_sequence(&mut self, _: u8, _: u64) -> Result<(), DebugProbeError> {
        Ok(())
    }

    fn swj_pins(&mut self, out: u32, select: u32, _: u32) -> Result<u32, DebugProbeError> {
        if select & NRESET != 0 {
            self.set_reset(out & NRESET == 0);
        }
        Ok(if self.in_reset { 0 } else { NRESET })
    }

    fn into_probe(self: Box<Self>) -> Box<dyn DebugProbe> {
        self
    }

    fn core_status_notification(&mut self, _: CoreStatus) -> Result<(), DebugProbeError> {
        Ok(())
    }
}

impl DapProbe for Port {}

impl DebugProbe for Port {
    fn get_name(&self) -> &str {
        "Simulated"
    }

    fn speed_khz(&self) -> u32 {
        1000
    }

    fn set_speed(&mut self, speed_khz: u32) -> Result<u32, DebugProbeError> {
        match speed_khz {
            1..=50_000 => Ok(speed_khz),
            other => Err(DebugProbeError::UnsupportedSpeed(other)),
        }
    }

    fn attach(&mut self) -> Result<(), DebugProbeError> {
        Ok(())
    }

    fn detach(&mut self) -> Result<(), probe_rs::Error> {
        Ok(())
    }

    fn target_reset(&mut self) -> Result<(), DebugProbeError> {
        self.set_reset(true);
        self.set_reset(false);
        Ok(())
    }

    fn target_reset_assert(&mut self) -> Result<(), DebugProbeError> {
        self.set_reset(true);
        Ok(())
    }

    fn target_reset_deassert(&mut self) -> Result<(), DebugProbeError> {
        self.set_reset(false);
        Ok(())
    }

    fn select_protocol(&mut self, _: WireProtocol) -> Result<(), DebugProbeError> {
        Ok(())
    }

    fn active_protocol(&self) -> Option<WireProtocol> {
        Some(WireProtocol::Swd)
    }

    fn has_arm_interface(&self) -> bool {
        true
    }

    fn try_get_arm_debug_interface<'probe>(
        self: Box<Self>,
        sequence: Arc<dyn ArmDebugSequence>,
    ) -> Result<Box<dyn ArmDebugInterface + 'probe>, (Box<dyn DebugProbe>, ArmError)> {
        Ok(ArmCommunicationInterface::create(self, sequence, false))
    }

    fn try_as_dap_probe(&mut self) -> Option<&mut dyn DapProbe> {
        Some(self)
    }

    fn into_probe(self: Box<Self>) -> Box<dyn DebugProbe> {
        self
    }
}
