//! A snapshot as a coredump of version 2.

use super::{
    BLOCK_HEADER_SIZE, CORTEX_M, DEVICE_REGISTERS, FLAG_CUT_SHORT, FOOTER_MAGIC, FOOTER_SIZE,
    FURTHER_END, HEADER_SIZE, MAGIC, REGISTERS, block, further_register,
};
use crate::base::{Address, Memory};
use crate::format::{Dropped, FormatError, Written};
use crate::snapshot::{Moment, ReasonCode, Register, RegisterSet, Snapshot, reboot_reason};

/// The snapshot as a coredump. Registers are those of the crash; which of the format's registers
/// are not known, and what it has no room for, is listed in [`Written::dropped`].
///
/// # Errors
/// [`FormatError::TooLarge`] beyond 4 GiB.
pub fn write(snapshot: &Snapshot) -> Result<Written, FormatError> {
    let mut dropped = Dropped::of(snapshot);
    if snapshot.kernel_object.is_some() || snapshot.current_thread.is_some() {
        dropped.add("what the dump tells of the kernel without an address");
    }
    let (registers, undone) = dropped.crash_registers(snapshot);
    let mut file = Vec::new();
    file.extend(MAGIC);
    file.extend(2_u32.to_le_bytes());
    file.extend([0; 4]);

    let register_block = register_block(registers, &mut dropped);
    push(&mut file, block::REGISTERS, 0, &register_block);
    let identity = &snapshot.identity;
    if let Some(build_id) = &identity.build_id {
        push(&mut file, block::BUILD_ID, 0, build_id);
    }
    for (kind, text) in [
        (block::DEVICE_SERIAL, &identity.device_serial),
        (block::SOFTWARE_VERSION, &identity.software_version),
        (block::SOFTWARE_TYPE, &identity.software_type),
        (block::HARDWARE_VERSION, &identity.hardware_version),
    ] {
        if let Some(text) = text {
            push(&mut file, kind, 0, text.as_bytes());
        }
    }
    push(&mut file, block::MACHINE, 0, &CORTEX_M.to_le_bytes());
    let reason = reason(snapshot, undone, &mut dropped);
    push(&mut file, block::REASON, 0, &reason.to_le_bytes());
    for (first, payload) in further_blocks(registers, held_in_block(registers)) {
        push(&mut file, block::FURTHER_REGISTERS, first, &payload);
    }
    if !snapshot.mpu_regions.is_empty() {
        push(&mut file, block::MPU, 0, &mpu_block(snapshot));
    }
    for segment in snapshot.memory.segments() {
        // Payloads are word-aligned in the file, as the device writes them.
        let beyond = file.len() % 4;
        if beyond != 0 {
            let padding = [0_u8; 3];
            let size = 4_usize.saturating_sub(beyond);
            push(&mut file, block::PADDING, 0, padding.get(..size).unwrap_or_default());
        }
        push(&mut file, block::MEMORY, segment.range().start().0, segment.bytes());
    }
    let cut_short = snapshot.origin.complete == Some(false);
    file.extend(FOOTER_MAGIC);
    file.extend((if cut_short { FLAG_CUT_SHORT } else { 0 }).to_le_bytes());
    file.extend([0; 8]);

    let too_large = FormatError::TooLarge { size: file.len() as u64 };
    let size = u32::try_from(file.len()).map_err(|_| too_large)?;
    if let Some(field) = file.get_mut(8..HEADER_SIZE) {
        field.copy_from_slice(&size.to_le_bytes());
    }
    debug_assert!(file.len() >= HEADER_SIZE + BLOCK_HEADER_SIZE + FOOTER_SIZE);
    Ok(Written { bytes: file, dropped: dropped.into_vec() })
}

/// One block. Sizes beyond 32 bits are refused with the whole file.
fn push(file: &mut Vec<u8>, kind: u8, address: u32, payload: &[u8]) {
    file.extend([kind, 0, 0, 0]);
    file.extend(address.to_le_bytes());
    file.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    file.extend(payload);
}

/// What the register block holds: 19 registers, or 21 when the last two are known.
fn held_in_block(registers: &RegisterSet) -> &'static [&'static str] {
    let last = REGISTERS.get(DEVICE_REGISTERS..).unwrap_or_default();
    let known = |name: &&str| Register::from_name(name).and_then(|r| registers.get(r)).is_some();
    let count = if last.iter().all(known) { REGISTERS.len() } else { DEVICE_REGISTERS };
    REGISTERS.get(..count).unwrap_or_default()
}

fn register_block(registers: &RegisterSet, dropped: &mut Dropped) -> Vec<u8> {
    let known = |name: &str| registers.get(Register::from_name(name)?);
    let held = held_in_block(registers);
    let further = (0..FURTHER_END).filter_map(further_register).map(Register::name);
    dropped.registers_beyond(registers, &held.iter().copied().chain(further).collect::<Vec<_>>());
    let unknown: Vec<&str> = held.iter().copied().filter(|name| known(name).is_none()).collect();
    if !unknown.is_empty() {
        dropped.add(format!("that {} are not known: they are 0 there", unknown.join(", ")));
    }
    held.iter().flat_map(|name| known(name).unwrap_or(0).to_le_bytes()).collect()
}

/// The registers that are not `held`, in rows of consecutive numbers, each with that of its first one.
fn further_blocks(registers: &RegisterSet, held: &[&str]) -> Vec<(u32, Vec<u8>)> {
    let mut blocks: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut next = None;
    for number in 0..FURTHER_END {
        let Some(register) = further_register(number) else { continue };
        let Some(value) = registers.get(register).filter(|_| !held.contains(&register.name()))
        else {
            continue;
        };
        match blocks.last_mut().filter(|_| next == Some(number)) {
            Some((_, payload)) => payload.extend(value.to_le_bytes()),
            None => blocks.push((number, value.to_le_bytes().to_vec())),
        }
        next = number.checked_add(1);
    }
    blocks
}

fn reason(snapshot: &Snapshot, undone: Option<u16>, dropped: &mut Dropped) -> u32 {
    let fault = undone.and_then(reboot_reason::of_exception);
    match (snapshot.reason_code, fault) {
        (Some(ReasonCode::Reboot(code)), _) => return code,
        (Some(ReasonCode::Kernel(code)), _) => {
            dropped.add(format!("the kernel's error code {code}"));
        }
        (None, Some(code)) => return code,
        (None, None) => {}
    }
    match snapshot.moment {
        Moment::Stop if undone.is_none() => reboot_reason::DEBUGGER_HALTED,
        _ => reboot_reason::UNKNOWN_ERROR,
    }
}

/// MPU_TYPE, MPU_CTRL, then a pair of words for each region.
fn mpu_block(snapshot: &Snapshot) -> Vec<u8> {
    let word = |address| snapshot.memory.read_u32(Address(address)).unwrap_or(0);
    let head = [word(0xe000_ed90), word(0xe000_ed94)];
    let regions = snapshot.mpu_regions.iter().flat_map(|r| [r.base, r.attributes]);
    head.into_iter().chain(regions).flat_map(u32::to_le_bytes).collect()
}
