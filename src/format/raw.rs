//! Memory alone: a raw binary at an address, and Intel HEX.
//!
//! Source of Intel HEX: "Hexadecimal Object File Format Specification", Intel 1988. A record is
//! `:`, then in hexadecimal the number of bytes, 16 bits of address, kind, bytes, and the sum that
//! makes all of them 0.

use super::coverage::Coverage;
use super::{FormatError, Written, dropped::Dropped};
use crate::base::{Address, AddressRange, Reader, hex};
use crate::snapshot::{MemoryImage, Snapshot};

/// Bytes of a record that is written.
const RECORD_SIZE: usize = 32;

/// The memory at `base` that `bytes` are.
///
/// # Errors
/// [`FormatError::PastEnd`].
pub fn read(bytes: &[u8], base: Address) -> Result<Snapshot, FormatError> {
    let size = bytes.len() as u64;
    AddressRange::new(base, size).ok_or(FormatError::PastEnd { base, size })?;
    let mut snapshot = Snapshot::default();
    snapshot.origin.format = format!("raw memory at {base}");
    // Cannot fail: the range was checked.
    let _ = snapshot.memory.insert(base, bytes.to_vec());
    Ok(snapshot.non_empty()?)
}

/// Whether `bytes` begin with a record of Intel HEX.
pub fn is_hex(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    line.is_some_and(|line| record(line).is_some())
}

/// Reads Intel HEX. Records with a wrong sum are left out.
///
/// # Errors
/// [`FormatError::Empty`] when no record holds a byte.
pub fn read_hex(bytes: &[u8]) -> Result<Snapshot, FormatError> {
    let mut snapshot = Snapshot::default();
    snapshot.origin.format = "Intel HEX".to_owned();
    let (mut base, mut wrong, mut ended) = (0_u32, 0_u32, false);
    let mut pieces = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let Some(Record { address, kind, payload }) = record(line) else {
            wrong = wrong.saturating_add(1);
            continue;
        };
        let number = || Reader::new(&payload).array().map_or(0, u16::from_be_bytes);
        match kind {
            0 => pieces.push((Address(base.wrapping_add(u32::from(address))), payload)),
            1 => {
                ended = true;
                break;
            }
            2 => base = u32::from(number()) << 4,
            4 => base = u32::from(number()) << 16,
            // Where the program starts.
            3 | 5 => {}
            _ => wrong = wrong.saturating_add(1),
        }
    }
    if wrong > 0 {
        let text = format!("{wrong} records of the file are damaged and were left out");
        snapshot.remarks.push(text);
    }
    if !ended {
        snapshot.remarks.push("the file has no last record: it may be cut short".to_owned());
    }
    snapshot.origin.complete = Some(ended && wrong == 0);
    let mut coverage = Coverage::default();
    for (start, bytes) in &pieces {
        coverage.insert(*start, bytes);
    }
    coverage.into_image(&mut snapshot.memory);
    Ok(snapshot.non_empty()?)
}

struct Record {
    address: u16,
    kind: u8,
    payload: Vec<u8>,
}

/// The record of a line, when its length and its sum are right.
fn record(line: &[u8]) -> Option<Record> {
    let bytes = hex::decode(line.trim_ascii().strip_prefix(b":")?)?;
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let mut reader = Reader::new(&bytes);
    let size = usize::from(reader.u8().ok()?);
    let address = u16::from_be_bytes(reader.array().ok()?);
    let kind = reader.u8().ok()?;
    let payload = reader.bytes(size).ok()?.to_vec();
    (reader.left() == 1 && sum == 0).then_some(Record { address, kind, payload })
}

/// The largest run of memory as it is; the rest is listed as dropped.
///
/// # Errors
/// [`FormatError::NoMemory`].
pub fn write(snapshot: &Snapshot) -> Result<Written, FormatError> {
    let mut dropped = without_memory(snapshot);
    let segments = snapshot.memory.segments();
    let largest = segments.iter().rev().max_by_key(|segment| segment.bytes().len());
    let largest = largest.ok_or(FormatError::NoMemory)?;
    let start = largest.range().start();
    dropped.add(format!("its address: read it with `--base {start}`"));
    for segment in segments.iter().filter(|segment| segment.range() != largest.range()) {
        dropped.add(format!("memory at {}", segment.range()));
    }
    Ok(Written { bytes: largest.bytes().to_vec(), dropped: dropped.into_vec() })
}

/// All memory as Intel HEX.
///
/// # Errors
/// [`FormatError::NoMemory`].
pub fn write_hex(snapshot: &Snapshot) -> Result<Written, FormatError> {
    if snapshot.memory.is_empty() {
        return Err(FormatError::NoMemory);
    }
    let dropped = without_memory(snapshot);
    Ok(Written { bytes: hex_records(&snapshot.memory).into_bytes(), dropped: dropped.into_vec() })
}

fn hex_records(memory: &MemoryImage) -> String {
    let mut text = String::new();
    let mut page = 0_u32;
    for segment in memory.segments() {
        let mut at = segment.range().start().0;
        let mut rest = segment.bytes();
        while !rest.is_empty() {
            if at >> 16 != page {
                page = at >> 16;
                push(&mut text, 0, 4, &(page as u16).to_be_bytes());
            }
            // No record crosses a page.
            let room = 0x1_0000_usize.saturating_sub((at & 0xffff) as usize);
            let size = rest.len().min(RECORD_SIZE).min(room);
            let (bytes, behind) = rest.split_at_checked(size).unwrap_or((rest, &[]));
            push(&mut text, at as u16, 0, bytes);
            at = at.wrapping_add(size as u32);
            rest = behind;
        }
    }
    push(&mut text, 0, 1, &[]);
    text
}

fn push(text: &mut String, address: u16, kind: u8, payload: &[u8]) {
    let mut bytes = vec![payload.len() as u8];
    bytes.extend(address.to_be_bytes());
    bytes.push(kind);
    bytes.extend(payload);
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    bytes.push(sum.wrapping_neg());
    text.push(':');
    text.push_str(&hex::encode(&bytes).to_ascii_uppercase());
    text.push('\n');
}

/// Everything that is not memory.
fn without_memory(snapshot: &Snapshot) -> Dropped {
    let mut dropped = Dropped::of(snapshot);
    dropped.registers_beyond(&snapshot.registers, &[]);
    dropped.identity(snapshot);
    if !snapshot.mpu_regions.is_empty() {
        dropped.add("the regions of the MPU");
    }
    if snapshot.reason.is_some() || snapshot.reason_code.is_some() {
        dropped.add("the reason of the dump");
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Memory;
    use crate::format::open;

    /// As `objcopy -O ihex` writes it: 0x08000100, 0x20000000, a start address.
    const HEX: &str = ":020000040800F2\r\n:0401000001020304F1\r\n:020000042000DA\r\n\
        :0300000061626308D7\r\n:03000000616263D7\r\n:0400000508000101ED\r\n:00000001FF\r\n";

    #[test]
    fn hex_gives_memory_and_leaves_out_damaged_records() {
        let snapshot = open(HEX.as_bytes()).unwrap();
        assert_eq!(snapshot.memory.read_u32(Address(0x0800_0100)), Ok(0x0403_0201));
        assert_eq!(snapshot.memory.slice_from(Address(0x2000_0000)), Some(&b"abc"[..]));
        assert!(snapshot.remarks[0].contains("1 records"), "{:?}", snapshot.remarks);
        assert!(snapshot.registers.is_empty());
        // Segment addresses, as 8086 linkers write them.
        let segment = open(b":020000021000EC\n:0200100001FFEE\n:00000001FF\n").unwrap();
        assert_eq!(segment.memory.read_u16(Address(0x0001_0010)), Ok(0xff01));
        assert_eq!(segment.origin.complete, Some(true));
    }

    #[test]
    fn every_prefix_and_every_flip_of_hex_is_read_without_panic() {
        for index in 0..HEX.len() {
            let _ = open(&HEX.as_bytes()[..index]);
            let mut damaged = HEX.as_bytes().to_vec();
            damaged[index] ^= 0x03;
            let _ = open(&damaged);
        }
    }

    #[test]
    fn raw_memory_needs_room_behind_its_base() {
        let snapshot = read(b"hello", Address(0x2000_0000)).unwrap();
        assert_eq!(snapshot.memory.slice_from(Address(0x2000_0000)), Some(&b"hello"[..]));
        let base = Address(0xffff_fffe);
        assert_eq!(read(b"hello", base), Err(FormatError::PastEnd { base, size: 5 }));
        assert!(matches!(read(b"", base), Err(FormatError::Empty(_))));
    }

    #[test]
    fn written_memory_is_read_back() {
        let mut snapshot = Snapshot::default();
        let bytes: Vec<u8> = (0..200_u8).collect();
        for start in [0x0000_fff0, 0x2000_0000, 0xffff_ff38] {
            snapshot.memory.insert(Address(start), bytes.clone()).unwrap();
        }
        snapshot.memory.insert(Address(0x3000_0000), vec![7; 300]).unwrap();
        let written = write_hex(&snapshot).unwrap();
        assert_eq!(written.dropped, [""; 0]);
        let again = open(&written.bytes).unwrap();
        assert_eq!(again.memory, snapshot.memory);
        assert_eq!(again.remarks, [""; 0]);
        let raw = write(&snapshot).unwrap();
        assert_eq!(raw.bytes, [7; 300]);
        assert_eq!(raw.dropped.len(), 4, "{:?}", raw.dropped);
        assert!(raw.dropped[0].contains("--base 0x30000000"));
        assert_eq!(write(&Snapshot::default()), Err(FormatError::NoMemory));
    }
}
