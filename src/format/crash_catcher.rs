//! Dumps of CrashCatcher, binary or as the hexadecimal lines of a serial log.
//!
//! | part | bytes | content |
//! |---|---|---|
//! | signature | 4 | `cC`, version 3, 0 |
//! | flags | 4 | bit 0: floating-point registers follow |
//! | registers | 80 | r0 to r12, sp, lr, pc, xpsr of the crash; msp, psp, xpsr of the handler |
//! | floating point | 132 | s0 to s31, fpscr |
//! | memory | 8 + n | start, end; then the bytes; any number of them |
//!
//! Four bytes `ac ce 55 ed` at the end say that the handler's own stack was too small. Source: the
//! project's `Core/src/CrashCatcher.c` (Apache-2.0), of which only the layout is taken.

use super::coverage::Coverage;
use super::{FormatError, gap};
use crate::base::{Address, Reader, Truncated, hex};
use crate::snapshot::{Moment, Register, Snapshot};

const SIGNATURE: &[u8] = b"cC\x03\x00";
const FLAG_FLOAT: u32 = 1;
const REGISTERS: [&str; 20] = [
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr",
    "pc", "xpsr", "msp", "psp", "",
];
/// The handler's stack reached its end.
const OVERFLOWED: &[u8] = b"\xac\xce\x55\xed";

/// Whether `bytes` begin like a binary dump.
pub fn is_dump(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE)
}

/// The bytes of a dump that a log holds as hexadecimal lines, from the last line that begins with
/// the signature on.
pub fn in_log(log: &[u8]) -> Option<Vec<u8>> {
    let mut dump: Option<Vec<u8>> = None;
    for line in log.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        match hex::decode(line) {
            Some(bytes) if is_dump(&bytes) => dump = Some(bytes),
            // What follows the dump is no line of digits.
            Some(bytes) => dump.iter_mut().for_each(|dump| dump.extend(&bytes)),
            None => {}
        }
    }
    dump
}

/// Reads a binary dump.
///
/// # Errors
/// [`FormatError::Truncated`] inside the registers; what is cut short behind them yields what is
/// there.
pub fn read(bytes: &[u8]) -> Result<Snapshot, FormatError> {
    let mut reader = Reader::new(bytes);
    reader.skip(SIGNATURE.len())?;
    let flags = reader.u32()?;
    let mut snapshot = Snapshot { moment: Moment::Crash, ..Snapshot::default() };
    snapshot.origin.format = "CrashCatcher dump".to_owned();
    for name in REGISTERS {
        let value = reader.u32()?;
        if let Some(register) = Register::from_name(name) {
            snapshot.registers.set(register, value);
        }
    }
    if flags & FLAG_FLOAT != 0 {
        for single in (0..32).filter_map(Register::single) {
            snapshot.registers.set(single, reader.u32()?);
        }
        snapshot.registers.set(Register::FPSCR, reader.u32()?);
    }
    let mut coverage = Coverage::default();
    while !reader.is_empty() {
        let rest = bytes.get(reader.offset()..).unwrap_or_default();
        if rest == OVERFLOWED {
            snapshot.remarks.push("the handler's own stack was too small".to_owned());
            break;
        }
        if let Err(error) = region(&mut reader, &mut coverage, &mut snapshot) {
            snapshot.origin.complete = Some(false);
            snapshot.remarks.push(format!("the dump is cut short: {error}"));
            break;
        }
    }
    coverage.into_image(&mut snapshot.memory);
    Ok(snapshot.non_empty()?)
}

fn region<'a>(
    reader: &mut Reader<'a>,
    coverage: &mut Coverage<'a>,
    snapshot: &mut Snapshot,
) -> Result<(), Truncated> {
    let (start, end) = (Address(reader.u32()?), reader.u32()?);
    let size = usize::try_from(end.saturating_sub(start.0)).unwrap_or(usize::MAX);
    let held = size.min(reader.left());
    let offset = reader.offset();
    coverage.insert(start, reader.bytes(held)?);
    if held == size {
        return Ok(());
    }
    let missing = size.saturating_sub(held);
    let from = start.wrapping_add(i64::try_from(held).unwrap_or(0));
    if let Some(gap) = gap(from, missing as u64, "the dump ends before it") {
        snapshot.memory.insert_gap(gap);
    }
    Err(Truncated { offset, wanted: size, left: held })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Memory;
    use crate::format::open;

    /// Registers 1, 2, 3 …, a fault status and eight bytes of RAM.
    fn dump(float: bool) -> Vec<u8> {
        let mut words = vec![0x0003_4363, u32::from(float)];
        words.extend(1..=if float { 53 } else { 20 });
        words.extend([0x2000_0000, 0x2000_0008, 0x0403_0201, 0x0807_0605]);
        words.extend([0xe000_ed28, 0xe000_ed2c, 0x8200]);
        words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect()
    }

    #[test]
    fn binary_and_log_give_the_crash() {
        let snapshot = open(&dump(true)).unwrap();
        assert_eq!(snapshot.registers.core(0), Some(1));
        assert_eq!(snapshot.registers.sp(), Some(14));
        assert_eq!(snapshot.registers.pc(), Some(16));
        assert_eq!(snapshot.registers.get(Register::PSP), Some(19));
        assert_eq!(snapshot.registers.get(Register::S0), Some(21));
        assert_eq!(snapshot.registers.get(Register::FPSCR), Some(53));
        assert_eq!(snapshot.memory.read_u32(Address(0x2000_0004)), Ok(0x0807_0605));
        assert_eq!(snapshot.memory.read_u32(Address(0xe000_ed28)), Ok(0x8200));
        assert_eq!(snapshot.remarks, [""; 0]);
        let mut log = "\r\nCRASH ENCOUNTERED\r\nEnable logging\r\n63430300\r\n".to_string();
        for line in dump(true)[4..].chunks(16) {
            log.push_str(&format!("{}\r\n", hex::encode(line).to_uppercase()));
        }
        log.push_str("\r\nEnd of dump\r\n");
        assert_eq!(open(log.as_bytes()), Ok(snapshot));
        let mut overflowed = dump(false);
        overflowed.extend([0xac, 0xce, 0x55, 0xed]);
        let remarks = open(&overflowed).unwrap().remarks;
        assert!(remarks[0].contains("stack was too small"), "{remarks:?}");
    }

    #[test]
    fn every_prefix_yields_what_it_holds() {
        let whole = dump(false);
        for size in 0..whole.len() {
            match open(&whole[..size]) {
                Ok(snapshot) => {
                    assert!(size >= 88, "{size}");
                    let held = snapshot.memory.slice_from(Address(0x2000_0000));
                    let held = held.map_or(0, <[u8]>::len);
                    assert_eq!(held, size.saturating_sub(96).min(8), "{size}");
                    let between = size == 88 || size == 104;
                    assert_eq!(snapshot.remarks.is_empty(), between, "{size}");
                }
                Err(_) => assert!(size < 88, "{size}"),
            }
        }
    }

    #[test]
    fn damaged_dumps_never_panic() {
        let whole = dump(true);
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(snapshot) = open(&damaged) {
                assert!(snapshot.memory.size() <= whole.len() as u64);
            }
        }
    }
}
