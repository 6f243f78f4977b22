//! A snapshot as a coredump of Zephyr.

use super::{CORTEX_M, MAGIC, POINTER_BITS, REGISTERS};
use crate::base::hex;
use crate::format::{Dropped, FormatError, Written};
use crate::snapshot::{ReasonCode, Register, RegisterSet, Snapshot};

/// Version of the `A` block that has r4 to r11.
const REGISTERS_VERSION: u16 = 2;

/// The snapshot as a coredump: registers of the crash, `_kernel` where it is known, memory.
///
/// # Errors
/// [`FormatError::TooLarge`] for memory up to the last byte of the address space, which the format
/// cannot name the end of.
pub fn write(snapshot: &Snapshot) -> Result<Written, FormatError> {
    let mut dropped = Dropped::of(snapshot);
    dropped.identity(snapshot);
    if !snapshot.mpu_regions.is_empty() {
        dropped.add("the regions of the MPU");
    }
    let (registers, _) = dropped.crash_registers(snapshot);
    let reason = match snapshot.reason_code {
        Some(ReasonCode::Kernel(code)) => code,
        Some(ReasonCode::Reboot(code)) => {
            dropped.add(format!("the reboot reason 0x{code:04x}"));
            0
        }
        None => 0,
    };
    let mut file = Vec::new();
    file.extend(MAGIC);
    // Version 2 announces that there may be a `T` block.
    let version: u16 = if snapshot.kernel_object.is_some() { 2 } else { 1 };
    file.extend(version.to_le_bytes());
    file.extend(CORTEX_M.to_le_bytes());
    file.extend([POINTER_BITS, 0]);
    file.extend(reason.to_le_bytes());
    block(&mut file, b'A', REGISTERS_VERSION, &register_block(registers, &mut dropped));
    if let Some(object) = &snapshot.kernel_object {
        block(&mut file, b'T', 1, object);
    }
    for segment in snapshot.memory.segments() {
        let range = segment.range();
        let end =
            u32::try_from(range.end()).map_err(|_| FormatError::TooLarge { size: range.end() })?;
        file.push(b'M');
        file.extend(1_u16.to_le_bytes());
        file.extend(range.start().0.to_le_bytes());
        file.extend(end.to_le_bytes());
        file.extend(segment.bytes());
    }
    Ok(Written { bytes: file, dropped: dropped.into_vec() })
}

/// The same as the lines of a log.
///
/// # Errors
/// Those of [`write()`].
pub fn write_log(snapshot: &Snapshot) -> Result<Written, FormatError> {
    let Written { bytes, dropped } = write(snapshot)?;
    let mut log = String::from("#CD:BEGIN#\n");
    for line in bytes.chunks(32) {
        log.push_str("#CD:");
        log.push_str(&hex::encode(line));
        log.push('\n');
    }
    log.push_str("#CD:END#\n");
    Ok(Written { bytes: log.into_bytes(), dropped })
}

/// Header and payload of a block other than memory; its size has 16 bits.
fn block(file: &mut Vec<u8>, kind: u8, version: u16, payload: &[u8]) {
    let size = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    file.push(kind);
    file.extend(version.to_le_bytes());
    file.extend(size.to_le_bytes());
    file.extend(payload.iter().take(usize::from(size)));
}

fn register_block(registers: &RegisterSet, dropped: &mut Dropped) -> Vec<u8> {
    let known = |name: &str| registers.get(Register::from_name(name)?);
    dropped.registers_beyond(registers, &REGISTERS);
    // r4 to r11 that are all 0 count as unknown.
    let common = REGISTERS.iter().take(9);
    let unknown: Vec<&str> = common.copied().filter(|name| known(name).is_none()).collect();
    if !unknown.is_empty() {
        dropped.add(format!("that {} are not known: they are 0 there", unknown.join(", ")));
    }
    REGISTERS.iter().flat_map(|name| known(name).unwrap_or(0).to_le_bytes()).collect()
}
