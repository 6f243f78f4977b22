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
use probe_rs::probe::list::ProbeListItem;
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
/// CTRL/STAT: requests and acknowledges for power, sticky error.
const POWER: u32 = 0xf000_0000;
const STICKYERR: u32 = 1 << 5;
/// ABORT.STKERRCLR.
const STKERRCLR: u32 = 1 << 2;
/// nRESET among the pins of a probe.
const NRESET: u32 = 1 << 7;
/// Every so many accesses the port says WAIT.
const WAITS: usize = 7;

type Shared = Arc<Mutex<Chip>>;

/// Chips by the serial number of their probe.
static PLUGGED: Mutex<Vec<(u16, String, Shared)>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A chip with a probe of its own, plugged in as long as this lives.
pub(crate) struct Plugged {
    pub(crate) chip: Shared,
    product: u16,
    serial: String,
}

impl Plugged {
    /// Plugs in a probe of model `product`, which no other test uses.
    pub(crate) fn new(product: u16, serial: &str, chip: Chip) -> Plugged {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            register_plugin(Plugin { probe_drivers: &[&Factory], ..Plugin::default() })
        });
        let chip = Arc::new(Mutex::new(chip));
        let serial = serial.to_string();
        lock(&PLUGGED).push((product, serial.clone(), Arc::clone(&chip)));
        Plugged { chip, product, serial }
    }

    pub(crate) fn chip(&self) -> MutexGuard<'_, Chip> {
        lock(&self.chip)
    }

    /// `VID:PID`, with the serial number if it is wanted.
    pub(crate) fn selector(&self, with_serial: bool) -> String {
        let serial = if with_serial { format!(":{}", self.serial) } else { String::new() };
        format!("1209:{:04x}{serial}", self.product)
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        lock(&PLUGGED).retain(|(_, _, chip)| !Arc::ptr_eq(chip, &self.chip));
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
            Some((_, _, chip)) => Ok(Box::new(Port::new(Arc::clone(chip)))),
            None => Err(DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::NotFound)),
        }
    }

    fn list_probes(&self) -> Vec<ProbeListItem> {
        let plugged = lock(&PLUGGED);
        let info = |(product, serial, _): &(u16, String, Shared)| {
            let serial = Some(serial.clone());
            DebugProbeInfo::new("Simulated", 0x1209, *product, serial, &Factory, None, false)
        };
        plugged.iter().map(info).map(ProbeListItem::accessible).collect()
    }
}

struct Port {
    chip: Shared,
    select: u32,
    ctrl: u32,
    csw: u32,
    tar: u32,
    accesses: usize,
    in_reset: bool,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Port")
    }
}

impl Port {
    fn new(chip: Shared) -> Port {
        Port { chip, select: 0, ctrl: 0, csw: 0x2300_0040, tar: 0, accesses: 0, in_reset: false }
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
        self.accesses += 1;
        {
            let mut chip = lock(&self.chip);
            match chip.accesses_left.checked_sub(1) {
                Some(left) => chip.accesses_left = left,
                None => return Err(DapError::NoAcknowledge),
            }
        }
        if self.ctrl & STICKYERR != 0 || self.ctrl & POWER != POWER {
            return Err(DapError::FaultResponse);
        }
        if self.accesses.is_multiple_of(WAITS) {
            return Err(DapError::WaitResponse);
        }
        let register = (self.select & 0xf0) as u8 | low & 0xc;
        let done = match self.select >> 24 {
            0 => self.memory_ap(register, write),
            1 if register == 0xfc && lock(&self.chip).locked => Some(NORDIC_CTRL_AP),
            // Nordic's APPROTECTSTATUS among them: 0, protected.
            _ => Some(0),
        };
        done.ok_or_else(|| {
            self.ctrl |= STICKYERR;
            DapError::FaultResponse
        })
    }

    /// A register of the MEM-AP; `None` is a fault.
    fn memory_ap(&mut self, register: u8, write: Option<u32>) -> Option<u32> {
        match (register, write) {
            (0x00, Some(value)) => self.csw = value & !0x80 | 0x40,
            (0x00, None) => return Some(self.csw),
            (0x04, Some(value)) => self.tar = value,
            (0x04, None) => return Some(self.tar),
            (0x0c, _) => {
                let done = self.bus(self.tar, write)?;
                if self.csw & 0x30 != 0 {
                    // Ten bits count; further ones are up to the implementation, here they stay.
                    let size = 1 << (self.csw & 7);
                    self.tar = self.tar & !0x3ff | self.tar.wrapping_add(size) & 0x3ff;
                }
                return Some(done);
            }
            (0x10..=0x1c, _) => {
                return self.bus(self.tar & !0xf | u32::from(register & 0xc), write);
            }
            (0xf4, None) => return Some(0),
            (0xf8, None) => return Some(0xe00f_f003),
            (0xfc, None) => return Some(AHB_AP),
            _ => {}
        }
        Some(0)
    }

    /// A transfer of the size that CSW says, in the lanes of its address.
    fn bus(&mut self, address: u32, write: Option<u32>) -> Option<u32> {
        let mut chip = lock(&self.chip);
        let size = 1 << (self.csw & 7);
        let lane = 8 * (address & 3);
        match write {
            Some(value) => chip.write(address, value >> lane).map(|()| 0),
            None => chip.read(address, size).map(|value| value << lane),
        }
    }

    fn dp_read(&self, address: u8) -> u32 {
        match address {
            0x0 => DPIDR,
            0x4 => self.ctrl,
            _ => 0,
        }
    }

    fn dp_write(&mut self, address: u8, value: u32) {
        match address {
            0x0 if value & STKERRCLR != 0 => self.ctrl &= !STICKYERR,
            // Power is there as soon as it is asked for.
            0x4 => {
                let acknowledged = (value & 0x5000_0000) << 1;
                self.ctrl = value & 0x5fff_ffff & !STICKYERR | acknowledged | self.ctrl & STICKYERR;
            }
            0x8 => self.select = value,
            _ => {}
        }
    }
}

impl RawDapAccess for Port {
    fn raw_read_register(&mut self, address: RegisterAddress) -> Result<u32, ArmError> {
        match address {
            RegisterAddress::DpRegister(_) if lock(&self.chip).asleep => {
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
            let low = out & NRESET == 0;
            if self.in_reset && !low {
                lock(&self.chip).reset();
            }
            self.in_reset = low;
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
        lock(&self.chip).reset();
        Ok(())
    }

    fn target_reset_assert(&mut self) -> Result<(), DebugProbeError> {
        self.in_reset = true;
        Ok(())
    }

    fn target_reset_deassert(&mut self) -> Result<(), DebugProbeError> {
        self.in_reset = false;
        self.target_reset()
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
