//! A coredump of Zephyr as a snapshot.

use super::{
    CORTEX_M, CRC_BLOCK_SIZE, FLAG_CRC, FRAME_REGISTERS, HEADER_SIZE, MAGIC, POINTER_BITS,
    REGISTERS, TARGETS, crc32,
};
use crate::base::{Address, Memory, Reader, Truncated};
use crate::format::coverage::Coverage;
use crate::format::{FormatError, gap};
use crate::snapshot::{Gap, MemoryImage, Moment, ReasonCode, Register, RegisterSet, Snapshot};

/// Size of the basic frame that hardware pushes, and of the one with floating-point registers.
/// DDI 0403E B1.5.7.
const BASIC_FRAME: u32 = 0x20;
const EXTENDED_FRAME: u32 = 0x68;
/// Stacked xPSR: a word of padding lies above the frame.
const XPSR_PADDED: u32 = 1 << 9;

/// Reads a coredump.
///
/// # Errors
/// [`FormatError::CoredumpVersion`], [`FormatError::OtherMachine`], [`FormatError::Truncated`]
/// inside the header. What is cut short behind it yields the blocks that are there.
pub fn read(bytes: &[u8]) -> Result<Snapshot, FormatError> {
    read_damaged(bytes, None)
}

/// Where bytes of a stream are missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Damage {
    /// What lies before is whole.
    pub(super) whole_until: usize,
    /// What lies from here to the end is whole too; `None` when the end is missing.
    pub(super) whole_from: Option<usize>,
}

/// Reads a stream of which a part is missing: the memory around the hole is kept.
pub(super) fn read_damaged(bytes: &[u8], damage: Option<Damage>) -> Result<Snapshot, FormatError> {
    let mut header = Reader::new(bytes);
    header.skip(MAGIC.len())?;
    let version = header.u16()?;
    let target = header.u16()?;
    let (pointer_bits, flags) = (header.u8()?, header.u8()?);
    let reason = header.u32()?;
    if !matches!(version, 1 | 2) {
        return Err(FormatError::CoredumpVersion { found: u32::from(version) });
    }
    if target != CORTEX_M || pointer_bits != POINTER_BITS {
        let name = TARGETS.iter().find(|(code, _)| *code == target);
        let name = name.map_or("unknown", |(_, name)| name);
        return Err(FormatError::OtherMachine { found: u32::from(target), name });
    }
    let mut blocks = Blocks { damage, ..Blocks::default() };
    blocks.snapshot.origin.format = format!("zephyr coredump {version}");
    blocks.snapshot.moment = Moment::Crash;
    blocks.snapshot.reason = Some(format!("kernel error {reason}"));
    blocks.snapshot.reason_code = Some(ReasonCode::Kernel(reason));
    let mut end = bytes.len();
    if flags & FLAG_CRC != 0 {
        end = end.saturating_sub(CRC_BLOCK_SIZE).max(HEADER_SIZE);
        blocks.check_crc(bytes, end);
    }
    let mut reader = Reader::at(bytes.get(..end).unwrap_or(bytes), HEADER_SIZE);
    while !reader.is_empty() && !blocks.ended {
        if let Err(error) = blocks.block(&mut reader) {
            blocks.cut_short(format!("the coredump is cut short: {error}"));
            break;
        }
    }
    blocks.finish()
}

/// Where the headers and payloads of a stream end, in order: a log has a line end there.
pub(super) fn part_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![HEADER_SIZE];
    let mut reader = Reader::at(bytes, HEADER_SIZE);
    while let Ok(kind) = reader.u8() {
        let size = match (kind, reader.u16()) {
            (b'M', Ok(_)) => match (reader.u32(), reader.u32()) {
                (Ok(start), Ok(end)) => end.saturating_sub(start),
                _ => break,
            },
            (b'A' | b'T', Ok(_)) => match reader.u16() {
                Ok(size) => u32::from(size),
                Err(_) => break,
            },
            _ => break,
        };
        ends.push(reader.offset());
        if reader.skip(usize::try_from(size).unwrap_or(usize::MAX)).is_err() {
            break;
        }
        ends.push(reader.offset());
    }
    ends
}

/// The snapshot while blocks are read.
#[derive(Default)]
struct Blocks<'a> {
    snapshot: Snapshot,
    damage: Option<Damage>,
    coverage: Coverage<'a>,
    gaps: Vec<Gap>,
    /// Where each memory block begins.
    starts: Vec<Address>,
    /// Nothing behind can be believed.
    ended: bool,
}

impl<'a> Blocks<'a> {
    fn cut_short(&mut self, text: impl Into<String>) {
        self.snapshot.origin.complete = Some(false);
        self.snapshot.remarks.push(text.into());
        self.ended = true;
    }

    fn check_crc(&mut self, bytes: &[u8], end: usize) {
        let mut trailer = Reader::at(bytes, end);
        let found = (trailer.u8(), trailer.u16(), trailer.u32());
        let whole = bytes.get(..end).unwrap_or_default();
        match found {
            (Ok(b'C'), Ok(_), Ok(crc)) if crc == crc32(whole) => {
                self.snapshot.origin.complete = Some(true);
            }
            (Ok(b'C'), Ok(_), Ok(_)) => {
                self.snapshot.remarks.push("the checksum of the coredump is wrong".into());
            }
            _ => {
                self.snapshot.origin.complete = Some(false);
                self.snapshot.remarks.push("the checksum of the coredump is missing".into());
            }
        }
    }

    fn block(&mut self, reader: &mut Reader<'a>) -> Result<(), Truncated> {
        let at = reader.offset();
        let kind = reader.u8()?;
        let version = reader.u16()?;
        match kind {
            b'A' | b'T' => {
                let size = usize::from(reader.u16()?);
                let payload = reader.bytes(size)?;
                let hole = self.damage.map(|damage| damage.whole_until);
                if hole.is_some_and(|hole| hole < reader.offset()) {
                    self.cut_short("lines of the log are lost; what follows was left out");
                } else if kind == b'A' {
                    self.registers(payload);
                } else {
                    self.snapshot.kernel_object = Some(payload.to_vec());
                }
            }
            b'M' if version == 1 => {
                let (start, end) = (reader.u32()?, reader.u32()?);
                match end.checked_sub(start) {
                    Some(size) => self.memory(Address(start), size, reader),
                    None => self.cut_short(format!(
                        "a memory block at offset {at} ends at 0x{end:08x}, before its start \
                         0x{start:08x}; what follows was left out"
                    )),
                }
            }
            _ => self.cut_short(format!(
                "no block begins at offset {at} (0x{kind:02x}); what follows was left out"
            )),
        }
        Ok(())
    }

    /// Words in the order of [`REGISTERS`]; later versions have more behind them.
    fn registers(&mut self, block: &[u8]) {
        let mut reader = Reader::new(block);
        let mut registers = RegisterSet::default();
        for name in REGISTERS {
            if let (Some(register), Ok(value)) = (Register::from_name(name), reader.u32()) {
                registers.set(register, value);
            }
        }
        // Builds without CONFIG_EXTRA_EXCEPTION_INFO have the words and leave them 0.
        let callee_saved = || (4..12).filter_map(Register::core);
        if callee_saved().all(|register| registers.get(register) == Some(0)) {
            callee_saved().for_each(|register| registers.set(register, None));
        }
        // Kernel errors raised by SVC left it out before 4.0.
        if registers.sp() == Some(0) {
            registers.set(Register::SP, None);
        }
        self.snapshot.registers = registers;
    }

    fn memory(&mut self, start: Address, size: u32, reader: &mut Reader<'a>) {
        self.starts.push(start);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let first = reader.offset();
        let last = first.saturating_add(size);
        let damage = self.damage.filter(|damage| (first..last).contains(&damage.whole_until));
        let held = size.min(reader.left());
        let Ok(payload) = reader.bytes(held) else { return };
        let (head, tail) = match damage {
            Some(damage) => {
                let head = payload.get(..damage.whole_until.saturating_sub(first));
                // The end of the stream is the end of this block when no other follows.
                let tail = damage.whole_from.filter(|_| reader.is_empty());
                let tail = tail.and_then(|from| payload.get(from.checked_sub(first)?..));
                (head.unwrap_or(payload), tail.unwrap_or_default())
            }
            None => (payload, &[][..]),
        };
        self.coverage.insert(start, head);
        let missing = size.saturating_sub(head.len()).saturating_sub(tail.len());
        if missing == 0 {
            return;
        }
        let from = start.wrapping_add(i64::try_from(head.len()).unwrap_or(0));
        let text = if damage.is_some() { "lines of the log are lost" } else { "cut short" };
        self.gaps.extend(gap(from, missing as u64, text));
        if !tail.is_empty() {
            let from = from.wrapping_add(i64::try_from(missing).unwrap_or(0));
            self.coverage.insert(from, tail);
        }
        self.cut_short(format!("{missing} bytes of the memory block at {start} are missing"));
    }

    fn finish(mut self) -> Result<Snapshot, FormatError> {
        self.coverage.into_image(&mut self.snapshot.memory);
        for gap in self.gaps {
            self.snapshot.memory.insert_gap(gap);
        }
        let snapshot = &mut self.snapshot;
        leave_frame(&mut snapshot.registers, &snapshot.memory);
        // The smallest kind of dump: the thread's control block, then its stack.
        if let ([thread, _], None) = (self.starts.as_slice(), &snapshot.kernel_object) {
            snapshot.current_thread = Some(*thread);
        }
        Ok(self.snapshot.non_empty()?)
    }
}

/// Until the end of 2024 the block's sp was the address of the frame that hardware pushed; it is
/// moved above that when the memory there is the frame.
fn leave_frame(registers: &mut RegisterSet, memory: &MemoryImage) {
    let Some(sp) = registers.sp() else { return };
    let pushed = REGISTERS.iter().take(FRAME_REGISTERS);
    let is_frame = pushed.zip(0_u32..).all(|(name, index)| {
        let register = Register::from_name(name).and_then(|register| registers.get(register));
        register.is_some() && register == memory.read_u32(Address(sp).word(index)).ok()
    });
    if !is_frame {
        return;
    }
    let size = if pushed_float(memory) { EXTENDED_FRAME } else { BASIC_FRAME };
    let padded = registers.get(Register::XPSR).is_some_and(|xpsr| xpsr & XPSR_PADDED != 0);
    let above = size.saturating_add(if padded { 4 } else { 0 });
    registers.set(Register::SP, sp.checked_add(above));
}

/// Whether the frame has floating-point registers: bit 4 of EXC_RETURN is clear. The fault
/// handler pushes MSP and EXC_RETURN first, so the word below EXC_RETURN is the address above it.
fn pushed_float(memory: &MemoryImage) -> bool {
    memory.segments().iter().any(|segment| {
        let start = segment.range().start();
        let skip = start.0.wrapping_neg() & 3;
        let bytes = segment.bytes().get(usize::try_from(skip).unwrap_or(0)..).unwrap_or_default();
        let words = bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap_or_default()));
        let pairs = words.clone().zip(words.skip(1)).zip(0_u32..);
        pairs.into_iter().any(|((msp, exc_return), index)| {
            let above = Address(start.0.wrapping_add(skip)).word(index.wrapping_add(2));
            exc_return >> 7 == 0x01ff_ffff && exc_return & 0x10 == 0 && msp == above.0
        })
    })
}
