//! A coredump as a snapshot.

use super::{
    BLOCK_HEADER_SIZE, CORTEX_M, DEVICE_REGISTERS, FLAG_CUT_SHORT, FOOTER_MAGIC, FOOTER_SIZE,
    HEADER_SIZE, MACHINES, MAGIC, REGISTERS, TIME_ADDRESS, block, further_register,
};
use crate::base::{Address, Memory, Reader, Truncated};
use crate::format::coverage::Coverage;
use crate::format::{FormatError, gap};
use crate::snapshot::{
    Gap, Moment, MpuRegion, ReasonCode, Register, RegisterSet, Snapshot, reboot_reason,
};

/// ICSR, whose bits 8:0 name the active exception. DDI 0403E B3.2.4.
const ICSR: Address = Address(0xe000_ed04);
/// MPU_TYPE, then MPU_CTRL. DDI 0403E B3.5.4.
const MPU_TYPE: Address = Address(0xe000_ed90);
/// More regions than any MPU has (MPU_TYPE.DREGION has eight bits).
const MOST_REGIONS: usize = 255;

/// Reads a coredump of version 1 or 2.
///
/// # Errors
/// [`FormatError::CoredumpVersion`], [`FormatError::OtherMachine`], [`FormatError::Truncated`]
/// inside the header. What is cut short behind it yields the blocks that are there.
pub fn read(bytes: &[u8]) -> Result<Snapshot, FormatError> {
    let mut header = Reader::new(bytes);
    header.skip(MAGIC.len())?;
    let version = header.u32()?;
    if !matches!(version, 1 | 2) {
        return Err(FormatError::CoredumpVersion { found: version });
    }
    let size = usize::try_from(header.u32()?).unwrap_or(usize::MAX);
    let mut blocks = Blocks { version, ..Blocks::default() };
    blocks.snapshot.origin.format = format!("memfault coredump {version}");
    let footer_size = if version == 2 { FOOTER_SIZE } else { 0 };
    let end = size.saturating_sub(footer_size).max(HEADER_SIZE);
    if bytes.len() < size {
        let (found, missing) = (bytes.len(), size.saturating_sub(bytes.len()));
        let text = format!("the coredump is cut short: {found} of {size} bytes, {missing} missing");
        blocks.cut_short(text);
    } else if version == 2 {
        blocks.footer(bytes, end);
    }
    let mut reader = Reader::at(bytes.get(..end.min(bytes.len())).unwrap_or(bytes), HEADER_SIZE);
    while !reader.is_empty() {
        if let Err(error) = blocks.block(&mut reader) {
            blocks.cut_short(format!("the last block is cut short: {error}"));
            break;
        }
    }
    blocks.finish()
}

/// The snapshot while blocks are read.
#[derive(Default)]
struct Blocks<'a> {
    version: u32,
    snapshot: Snapshot,
    coverage: Coverage<'a>,
    gaps: Vec<Gap>,
    further: RegisterSet,
    /// Register blocks, one per CPU.
    registers: Vec<&'a [u8]>,
    machine: Option<u32>,
    unknown: u32,
}

impl<'a> Blocks<'a> {
    fn cut_short(&mut self, text: String) {
        self.snapshot.origin.complete = Some(false);
        self.snapshot.remarks.push(text);
    }

    fn footer(&mut self, bytes: &[u8], at: usize) {
        let mut reader = Reader::at(bytes, at);
        let footer = (reader.bytes(FOOTER_MAGIC.len()), reader.u32());
        match footer {
            (Ok(magic), Ok(flags)) if magic == FOOTER_MAGIC => {
                if flags & FLAG_CUT_SHORT != 0 {
                    self.cut_short("the device's storage was too small for all of it".into());
                } else {
                    self.snapshot.origin.complete = Some(true);
                }
            }
            _ => self.snapshot.remarks.push("the coredump has no footer; it may be damaged".into()),
        }
    }

    fn block(&mut self, reader: &mut Reader<'a>) -> Result<(), Truncated> {
        let mut header = Reader::new(reader.bytes(BLOCK_HEADER_SIZE)?);
        let kind = header.u8()?;
        header.skip(3)?;
        let (address, size) = (Address(header.u32()?), header.u32()?);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let held = size.min(reader.left());
        if kind == block::MEMORY {
            let payload = reader.bytes(held)?;
            let missing = (size as u64).saturating_sub(held as u64);
            let end = address.wrapping_add(i64::try_from(held).unwrap_or(0));
            self.gaps.extend(gap(end, missing, "the coredump ends before it"));
            self.memory(address, payload);
            // The rest is missing: said once, with the size.
            if held < size {
                let offset = reader.offset();
                return Err(Truncated { offset, wanted: size.saturating_sub(held), left: 0 });
            }
            return Ok(());
        }
        let payload = reader.bytes(size)?;
        let identity = &mut self.snapshot.identity;
        match kind {
            block::REGISTERS => self.registers.push(payload),
            block::DEVICE_SERIAL => identity.device_serial = text(payload),
            block::FIRMWARE_VERSION if identity.software_version.is_some() => {}
            block::FIRMWARE_VERSION | block::SOFTWARE_VERSION => {
                identity.software_version = text(payload);
            }
            block::HARDWARE_VERSION => identity.hardware_version = text(payload),
            block::SOFTWARE_TYPE => identity.software_type = text(payload),
            block::BUILD_ID => identity.build_id = Some(payload.to_vec()),
            block::REASON => self.reason(payload)?,
            block::MACHINE => self.machine = Some(Reader::new(payload).u32()?),
            block::MPU => self.mpu(payload)?,
            block::FURTHER_REGISTERS => self.further_registers(address.0, payload),
            block::PADDING => {}
            _ => self.unknown = self.unknown.saturating_add(1),
        }
        Ok(())
    }

    fn memory(&mut self, address: Address, payload: &'a [u8]) {
        if let (1, TIME_ADDRESS, Ok(seconds)) =
            (self.version, address.0, <[u8; 4]>::try_from(payload))
        {
            let seconds = u64::from(u32::from_le_bytes(seconds));
            self.snapshot.origin.captured_at_ms = seconds.checked_mul(1000);
        } else {
            self.coverage.insert(address, payload);
        }
    }

    fn reason(&mut self, payload: &[u8]) -> Result<(), Truncated> {
        let code = Reader::new(payload).u32()?;
        let name = reboot_reason::name(code).unwrap_or("defined by the firmware");
        self.snapshot.reason = Some(format!("{name} (0x{code:04x})"));
        self.snapshot.reason_code = Some(ReasonCode::Reboot(code));
        Ok(())
    }

    /// Numbers that stand for no register here are passed over.
    fn further_registers(&mut self, first: u32, payload: &[u8]) {
        let mut reader = Reader::new(payload);
        for number in first..=u32::MAX {
            let Ok(value) = reader.u32() else { return };
            if let Some(register) = further_register(number) {
                self.further.set(register, value);
            }
        }
    }

    /// MPU_TYPE and MPU_CTRL are memory; the regions' registers share one address.
    fn mpu(&mut self, payload: &'a [u8]) -> Result<(), Truncated> {
        let mut reader = Reader::new(payload);
        self.coverage.insert(MPU_TYPE, reader.bytes(8)?);
        while reader.left() >= 8 && self.snapshot.mpu_regions.len() < MOST_REGIONS {
            let (base, attributes) = (reader.u32()?, reader.u32()?);
            self.snapshot.mpu_regions.push(MpuRegion { base, attributes });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Snapshot, FormatError> {
        if let Some(found) = self.machine.filter(|machine| !matches!(*machine, 0 | CORTEX_M)) {
            let known = MACHINES.iter().find(|(number, _)| *number == found);
            let name = known.map_or("unknown", |(_, name)| name);
            return Err(FormatError::OtherMachine { found, name });
        }
        if self.unknown > 0 {
            let text = format!("{} blocks of an unknown kind were passed over", self.unknown);
            self.snapshot.remarks.push(text);
        }
        let mut registers = self.registers.iter();
        if let Some(first) = registers.next() {
            self.snapshot.registers = register_set(first);
            if self.snapshot.registers.is_empty() {
                let size = first.len();
                let text = format!("a register block of {size} bytes is not that of a Cortex-M");
                self.snapshot.remarks.push(text);
            }
            for (register, value) in self.further.iter() {
                self.snapshot.registers.set(register, value);
            }
        }
        let more = registers.count();
        if more > 0 {
            let text = format!("the registers of {more} more CPUs were left out");
            self.snapshot.remarks.push(text);
        }
        self.coverage.into_image(&mut self.snapshot.memory);
        for gap in self.gaps {
            self.snapshot.memory.insert_gap(gap);
        }
        self.snapshot.moment = moment(&self.snapshot);
        Ok(self.snapshot.non_empty()?)
    }
}

/// A device writes the registers of the code that crashed. A debugger does so too when it finds
/// the CPU in a fault handler; they are then not of the exception that ICSR names.
fn moment(snapshot: &Snapshot) -> Moment {
    let ipsr = snapshot.registers.get(Register::XPSR).map(|xpsr| xpsr & 0x1ff);
    let active = snapshot.memory.read_u32(ICSR).ok().map(|icsr| icsr & 0x1ff);
    let as_stopped = active.is_none() || ipsr == active;
    match snapshot.reason_code {
        Some(ReasonCode::Reboot(reboot_reason::DEBUGGER_HALTED)) if as_stopped => Moment::Stop,
        _ => Moment::Crash,
    }
}

/// The registers of a Cortex-M; none when the block is of another size.
fn register_set(block: &[u8]) -> RegisterSet {
    let count = block.len() / 4;
    if !block.len().is_multiple_of(4) || ![DEVICE_REGISTERS, REGISTERS.len()].contains(&count) {
        return RegisterSet::default();
    }
    let mut reader = Reader::new(block);
    let mut registers = RegisterSet::default();
    for name in REGISTERS.iter().take(count) {
        if let (Some(register), Ok(value)) = (Register::from_name(name), reader.u32()) {
            registers.set(register, value);
        }
    }
    // What a debugger could not tell is 0; no main stack ends there.
    if registers.get(Register::MSP) == Some(0) {
        registers.set(Register::MSP, None);
        if registers.get(Register::PSP) == Some(0) {
            registers.set(Register::PSP, None);
        }
    }
    registers
}

/// The text of a block: UTF-8, without the NUL that some writers add.
fn text(payload: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(payload);
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}
