//! A snapshot as a dump of probe-rs.

use super::{FIRST_SINGLE, MASK_WORDS, MASKS, REGISTERS};
use crate::base::{Address, Memory};
use crate::format::{Dropped, FormatError, Written};
use crate::snapshot::{Moment, Register, RegisterSet, Snapshot};

/// CPUID. DDI 0403E B3.2.3.
const CPUID: Address = Address(0xe000_ed00);

/// The snapshot as a dump: the registers of the stopped CPU, and memory.
///
/// # Errors
/// [`FormatError::TooLarge`] for a run of memory beyond 4 GiB, which does not exist.
pub fn write(snapshot: &Snapshot) -> Result<Written, FormatError> {
    let mut dropped = Dropped::of(snapshot);
    dropped.identity(snapshot);
    if !snapshot.mpu_regions.is_empty() {
        dropped.add("the regions of the MPU");
    }
    if snapshot.reason.is_some() || snapshot.reason_code.is_some() {
        dropped.add("the reason of the dump");
    }
    if snapshot.kernel_object.is_some() || snapshot.current_thread.is_some() {
        dropped.add("what the dump tells of the kernel without an address");
    }
    if snapshot.moment == Moment::Crash {
        dropped.add("that the registers are those of the crash, not of a stopped CPU");
    }
    let registers = numbered(&snapshot.registers, &mut dropped);
    let has_float = registers.iter().any(|(number, _)| *number >= FIRST_SINGLE);
    let mut file = vec![0x87];
    text(&mut file, "registers");
    counted(&mut file, 0xde, registers.len())?;
    for (number, value) in registers {
        file.extend([0xcc, number, 0x81]);
        text(&mut file, "U32");
        word(&mut file, value);
    }
    text(&mut file, "data");
    counted(&mut file, 0xdc, snapshot.memory.segments().len())?;
    for segment in snapshot.memory.segments() {
        file.extend([0x92, 0x82]);
        text(&mut file, "start");
        word(&mut file, segment.range().start().0);
        text(&mut file, "end");
        file.push(0xcf);
        file.extend(segment.range().end().to_be_bytes());
        file.push(0xdd);
        let size = u32::try_from(segment.bytes().len())
            .map_err(|_| FormatError::TooLarge { size: segment.bytes().len() as u64 })?;
        file.extend(size.to_be_bytes());
        // As numbers: below 128 they are themselves.
        for byte in segment.bytes() {
            if *byte >= 0x80 {
                file.push(0xcc);
            }
            file.push(*byte);
        }
    }
    text(&mut file, "instruction_set");
    text(&mut file, "Thumb2");
    text(&mut file, "supports_native_64bit_access");
    file.push(0xc2);
    text(&mut file, "core_type");
    text(&mut file, core_type(snapshot));
    text(&mut file, "fpu_support");
    file.push(if has_float { 0xc3 } else { 0xc2 });
    text(&mut file, "floating_point_register_count");
    file.push(if has_float { 32 } else { 0 });
    Ok(Written { bytes: file, dropped: dropped.into_vec() })
}

/// Registers under their numbers; those of a mask word only when all four are known.
fn numbered(registers: &RegisterSet, dropped: &mut Dropped) -> Vec<(u8, u32)> {
    let mut numbered = Vec::new();
    let mut held: Vec<String> = Vec::new();
    let known = |name: &str| registers.get(Register::from_name(name)?);
    for (number, name) in REGISTERS {
        if let Some(value) = known(name) {
            numbered.push((number, value));
            held.push(name.to_owned());
        }
    }
    for (number, single) in (FIRST_SINGLE..).zip((0..32).filter_map(Register::single)).skip(1) {
        if let Some(value) = registers.get(single) {
            numbered.push((number, value));
            held.push(single.name().to_owned());
        }
    }
    for (number, bank) in MASK_WORDS {
        let names = MASKS.map(|name| format!("{name}{bank}"));
        let bytes: Vec<u8> =
            names.iter().filter_map(|name| u8::try_from(known(name)?).ok()).collect();
        if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
            numbered.push((number, u32::from_le_bytes(bytes)));
            held.extend(names);
        }
    }
    let held: Vec<&str> = held.iter().map(String::as_str).collect();
    dropped.registers_beyond(registers, &held);
    numbered
}

/// By CPUID's part number: Armv7-M where it does not tell.
fn core_type(snapshot: &Snapshot) -> &'static str {
    match snapshot.memory.read_u32(CPUID).unwrap_or(0) >> 4 & 0xfff {
        0xc20 | 0xc21 | 0xc60 => "armv6m",
        0xc24 | 0xc27 => "armv7em",
        0xd20..=0xd24 => "armv8m",
        _ => "armv7m",
    }
}

fn text(file: &mut Vec<u8>, text: &str) {
    // No key here has more than 31 bytes: one byte holds kind and size.
    file.push(0xa0 | (text.len() & 0x1f) as u8);
    file.extend(text.as_bytes());
}

fn word(file: &mut Vec<u8>, value: u32) {
    file.push(0xce);
    file.extend(value.to_be_bytes());
}

/// The head of an array or a map with a size of 16 bits.
fn counted(file: &mut Vec<u8>, kind: u8, count: usize) -> Result<(), FormatError> {
    let limit = usize::from(u16::MAX);
    let size =
        u16::try_from(count).map_err(|_| FormatError::TooManySegments { found: count, limit })?;
    file.push(kind);
    file.extend(size.to_be_bytes());
    Ok(())
}
