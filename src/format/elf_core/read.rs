//! An ELF core, from whatever made it, as a snapshot.
//!
//! Cores of ours give back exactly what was written. Of others the memory and the register
//! notes are taken: the first `NT_PRSTATUS` is the CPU, and what stands in its slot for cpsr
//! counts as xpsr. Refused: other machines, word sizes and byte orders, and files that are no
//! cores. A file that is cut short gives what it holds, with gaps for the rest.

use super::notes::{Note, Notes, lines};
use super::{
    FORMAT_NAME, HEADER_SIZE, NT_ARM_VFP, NT_MFLT_CAPTURE, NT_MFLT_GAPS, NT_MFLT_IDENTITY,
    NT_MFLT_REDACTED, NT_MFLT_REGISTERS, NT_PRSTATUS, PN_XNUM, PROGRAM_HEADER_SIZE, PT_LOAD,
    PT_NOTE, prstatus,
};
use crate::base::{Address, AddressRange, Reader, Truncated, hex};
use crate::format::coverage::Coverage;
use crate::format::{FormatError, gap};
use crate::snapshot::{
    Gap, Moment, MpuRegion, ReasonCode, Register, RegisterSet, Snapshot, ThreadRegisters,
};

/// Threads beyond this number are left out, with a remark.
const MAX_THREADS: usize = 4096;
/// Regions of the MPU beyond this number are left out: MPU_TYPE.DREGION has eight bits.
const MAX_MPU_REGIONS: usize = 255;
/// Lines in [`Snapshot::remarks`] beyond this number are left out.
const MAX_REMARKS: usize = 256;

/// Reads an ELF core.
///
/// # Errors
/// See [`FormatError`]; never for a core that is cut short behind its program headers and still
/// holds registers or memory.
pub fn read(bytes: &[u8]) -> Result<Snapshot, FormatError> {
    let table = Table::parse(bytes)?;
    let mut loader = Loader::new(bytes);
    for index in 0..table.count {
        match table.header(bytes, index) {
            Ok(header) => loader.header(&header),
            Err(_) => {
                loader.truncated = true;
                loader.remark(format!(
                    "the file ends inside its program headers: {index} of {} were read",
                    table.count
                ));
                break;
            }
        }
    }
    Ok(loader.finish().non_empty()?)
}

/// Where the program headers are.
struct Table {
    offset: usize,
    entry_size: usize,
    count: usize,
}

impl Table {
    fn parse(bytes: &[u8]) -> Result<Table, FormatError> {
        let mut reader = Reader::new(bytes);
        reader.skip(4)?;
        let [class, order] = reader.array()?;
        if class != 1 {
            return Err(FormatError::WrongClass { found: class });
        }
        if order != 1 {
            return Err(FormatError::WrongByteOrder { found: order });
        }
        reader.skip(10)?;
        let kind = reader.u16()?;
        let machine = reader.u16()?;
        if kind != 4 {
            return Err(FormatError::NotACore { found: kind });
        }
        if machine != 40 {
            return Err(FormatError::WrongMachine { found: machine });
        }
        // e_version, e_entry.
        reader.skip(8)?;
        let offset = reader.u32()?;
        let sections = reader.u32()?;
        // e_flags, e_ehsize.
        reader.skip(6)?;
        let entry_size = reader.u16()?;
        let count = reader.u16()?;
        reader.skip(usize::from(HEADER_SIZE).saturating_sub(reader.offset()))?;
        let count = if count == PN_XNUM {
            // The real number stands in sh_info of the first section header.
            let mut section = Reader::at(bytes, to_usize(sections));
            section.skip(28)?;
            section.u32()?
        } else {
            u32::from(count)
        };
        if count != 0 && entry_size < PROGRAM_HEADER_SIZE {
            let expected = PROGRAM_HEADER_SIZE;
            return Err(FormatError::ProgramHeaderSize { found: entry_size, expected });
        }
        let entry_size = usize::from(entry_size);
        Ok(Table { offset: to_usize(offset), entry_size, count: to_usize(count) })
    }

    fn header(&self, bytes: &[u8], index: usize) -> Result<ProgramHeader, Truncated> {
        let offset = index.saturating_mul(self.entry_size).saturating_add(self.offset);
        let mut reader = Reader::at(bytes, offset);
        let (kind, offset, address) = (reader.u32()?, reader.u32()?, reader.u32()?);
        // p_paddr.
        reader.skip(4)?;
        let (file_size, memory_size) = (reader.u32()?, reader.u32()?);
        // p_flags.
        reader.skip(4)?;
        let alignment = reader.u32()?;
        Ok(ProgramHeader { kind, offset, address, file_size, memory_size, alignment })
    }
}

struct ProgramHeader {
    kind: u32,
    offset: u32,
    address: u32,
    file_size: u32,
    memory_size: u32,
    alignment: u32,
}

/// The snapshot while it is put together.
struct Loader<'a> {
    bytes: &'a [u8],
    /// How many more bytes segments may refer to. Headers that name the same bytes again and
    /// again would otherwise multiply a small file into an enormous snapshot.
    budget: usize,
    snapshot: Snapshot,
    coverage: Coverage<'a>,
    gaps: Vec<Gap>,
    redacted: Vec<AddressRange>,
    /// From the system's own notes; used when there are none of ours.
    system_threads: Vec<ThreadRegisters>,
    own_registers: bool,
    truncated: bool,
    dropped_threads: bool,
}

impl<'a> Loader<'a> {
    fn new(bytes: &'a [u8]) -> Loader<'a> {
        let mut snapshot = Snapshot::default();
        snapshot.origin.format = FORMAT_NAME.to_owned();
        Loader {
            bytes,
            budget: bytes.len(),
            snapshot,
            coverage: Coverage::default(),
            gaps: Vec::new(),
            redacted: Vec::new(),
            system_threads: Vec::new(),
            own_registers: false,
            truncated: false,
            dropped_threads: false,
        }
    }

    fn remark(&mut self, text: String) {
        if self.snapshot.remarks.len() < MAX_REMARKS {
            self.snapshot.remarks.push(text);
        }
    }

    fn header(&mut self, header: &ProgramHeader) {
        match header.kind {
            PT_LOAD => self.load(header),
            PT_NOTE => {
                let (bytes, reason) = self.contents(header);
                if let Some(reason) = reason {
                    self.remark(format!("notes at offset {}: {reason}", header.offset));
                }
                for note in Notes::new(bytes, header.alignment) {
                    match note {
                        Ok(note) => self.note(&note),
                        Err(error) => {
                            let at = header.offset;
                            self.remark(format!("a note in the segment at offset {at}: {error}"));
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// The bytes of a segment that are really in the file, and why some are not.
    fn contents(&mut self, header: &ProgramHeader) -> (&'a [u8], Option<&'static str>) {
        let wanted = to_usize(header.file_size);
        let rest = self.bytes.get(to_usize(header.offset)..).unwrap_or_default();
        let mut reason = None;
        if rest.len() < wanted {
            self.truncated = true;
            reason = Some("the file ends before it");
        }
        let mut taken = rest.get(..wanted).unwrap_or(rest);
        if taken.len() > self.budget {
            taken = taken.get(..self.budget).unwrap_or_default();
            reason = Some("the segments add up to more than the file");
        }
        self.budget = self.budget.saturating_sub(taken.len());
        (taken, reason)
    }

    fn load(&mut self, header: &ProgramHeader) {
        let start = Address(header.address);
        let (bytes, reason) = self.contents(header);
        self.coverage.insert(start, bytes);
        if reason.is_some() {
            let from = start.wrapping_add(bytes.len() as i64);
            let missing = to_usize(header.file_size).saturating_sub(bytes.len());
            self.gap(from, missing as u64, reason.unwrap_or_default());
        }
        // GDB's gcore leaves out what it can find in the program file.
        if let Some(missing) = header.memory_size.checked_sub(header.file_size) {
            let from = start.wrapping_add(i64::from(header.file_size));
            self.gap(from, u64::from(missing), "not stored in the core");
        }
    }

    fn gap(&mut self, start: Address, size: u64, reason: &str) {
        self.gaps.extend(gap(start, size, reason));
    }

    fn note(&mut self, note: &Note<'_>) {
        match (note.owner, note.kind) {
            (b"MFLT", kind) => {
                let text = String::from_utf8_lossy(note.descriptor);
                match kind {
                    NT_MFLT_REGISTERS => self.register_note(&text),
                    NT_MFLT_IDENTITY => self.identity_note(&text),
                    NT_MFLT_CAPTURE => self.capture_note(&text),
                    NT_MFLT_GAPS => self.gap_note(&text),
                    NT_MFLT_REDACTED => self.redacted_note(&text),
                    _ => {}
                }
            }
            (b"CORE" | b"LINUX" | b"", NT_PRSTATUS) => self.status_note(note.descriptor),
            (b"CORE" | b"LINUX" | b"", NT_ARM_VFP) => self.vfp_note(note.descriptor),
            _ => {}
        }
    }

    fn status_note(&mut self, descriptor: &[u8]) {
        let parsed = parse_status(descriptor);
        match parsed {
            Ok(_) if self.system_threads.len() >= MAX_THREADS => self.dropped_threads = true,
            Ok(thread) => self.system_threads.push(thread),
            Err(_) => {
                let (found, expected) = (descriptor.len(), prstatus::SIZE);
                self.remark(format!("NT_PRSTATUS of {found} bytes, expected {expected}"));
            }
        }
    }

    /// `NT_ARM_VFP` belongs to the thread before it: 32 doubles, or 16, and fpscr.
    fn vfp_note(&mut self, descriptor: &[u8]) {
        let Some(thread) = self.system_threads.last_mut() else { return };
        let doubles = descriptor.len().saturating_sub(4);
        let mut reader = Reader::new(descriptor);
        for number in 0..32 {
            if reader.offset() >= doubles {
                break;
            }
            if let (Some(single), Ok(value)) = (Register::single(number), reader.u32()) {
                thread.registers.set(single, value);
            }
        }
        if let 128 | 256 = doubles
            && let Ok(value) = Reader::at(descriptor, doubles).u32()
        {
            thread.registers.set(Register::FPSCR, value);
        }
    }

    fn register_note(&mut self, text: &str) {
        let mut registers = RegisterSet::default();
        let (mut thread, mut name) = (None, None);
        for (key, value) in lines(text) {
            if key == "thread" {
                thread = Some(value);
            } else if key == "name" {
                name = Some(value.into_owned());
            } else if let Some(register) = Register::from_name(key) {
                registers.set(register, parse_hex(&value));
            }
        }
        match thread.as_deref() {
            Some("cpu") => self.snapshot.registers = registers,
            Some(id) => match parse_hex(id) {
                Some(_) if self.snapshot.threads.len() >= MAX_THREADS => {
                    self.dropped_threads = true;
                }
                Some(id) => self.snapshot.threads.push(ThreadRegisters { id, name, registers }),
                None => return,
            },
            None => return,
        }
        self.own_registers = true;
    }

    fn identity_note(&mut self, text: &str) {
        let identity = &mut self.snapshot.identity;
        for (key, value) in lines(text) {
            match key {
                "device_serial" => identity.device_serial = Some(value.into_owned()),
                "software_type" => identity.software_type = Some(value.into_owned()),
                "software_version" => identity.software_version = Some(value.into_owned()),
                "hardware_version" => identity.hardware_version = Some(value.into_owned()),
                "build_id" => identity.build_id = hex::decode(value.as_bytes()),
                _ => {}
            }
        }
    }

    fn capture_note(&mut self, text: &str) {
        for (key, value) in lines(text) {
            let origin = &mut self.snapshot.origin;
            match key {
                "route" => origin.format = value.into_owned(),
                "tool" => origin.tool = Some(value.into_owned()),
                "server" => origin.server = Some(value.into_owned()),
                "captured_at_ms" => origin.captured_at_ms = value.parse().ok(),
                "complete" => origin.complete = value.parse().ok(),
                "moment" if value == "crash" => self.snapshot.moment = Moment::Crash,
                "reason" => self.snapshot.reason = Some(value.into_owned()),
                "reason_code" => self.snapshot.reason_code = reason_code(&value),
                "kernel_object" => self.snapshot.kernel_object = hex::decode(value.as_bytes()),
                "current_thread" => {
                    self.snapshot.current_thread = parse_hex(&value).map(Address);
                }
                "mpu_region" if self.snapshot.mpu_regions.len() < MAX_MPU_REGIONS => {
                    self.snapshot.mpu_regions.extend(mpu_region(&value));
                }
                "remark" => self.remark(value.into_owned()),
                _ => {}
            }
        }
    }

    fn redacted_note(&mut self, text: &str) {
        for (key, _) in lines(text) {
            self.redacted
                .extend(key.split_once('+').and_then(|(start, size)| parse_range(start, size)));
        }
    }

    fn gap_note(&mut self, text: &str) {
        for (key, value) in lines(text) {
            let range = key.split_once('+').and_then(|(start, size)| parse_range(start, size));
            if let Some(range) = range {
                self.gap(range.start(), range.size(), &value);
            }
        }
    }

    fn finish(mut self) -> Snapshot {
        if !self.own_registers {
            let mut threads = std::mem::take(&mut self.system_threads);
            if let Some(first) = threads.first() {
                self.snapshot.registers = first.registers.clone();
            }
            // A single one is the CPU, not a thread of an operating system.
            if threads.len() > 1 {
                self.snapshot.threads.append(&mut threads);
            }
        }
        if self.dropped_threads {
            self.remark(format!("more than {MAX_THREADS} threads; the rest was left out"));
        }
        if self.truncated {
            self.snapshot.origin.complete = Some(false);
            let size = self.bytes.len();
            self.remark(format!("the core is cut short: it ends after {size} bytes"));
        }
        self.coverage.into_image(&mut self.snapshot.memory);
        for gap in self.gaps {
            self.snapshot.memory.insert_gap(gap);
        }
        for range in self.redacted {
            self.snapshot.memory.redact(range);
        }
        self.snapshot
    }
}

fn parse_status(descriptor: &[u8]) -> Result<ThreadRegisters, Truncated> {
    let id = Reader::at(descriptor, prstatus::PID).u32()?;
    let mut reader = Reader::at(descriptor, prstatus::REGISTERS);
    let mut registers = RegisterSet::default();
    for number in 0..prstatus::REGISTER_COUNT {
        let register = Register::core(number).unwrap_or(Register::XPSR);
        registers.set(register, reader.u32()?);
    }
    Ok(ThreadRegisters { id, name: None, registers })
}

/// A value such as `0x2000f3a0`, nothing else.
fn parse_hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// `0x20000000` and `0x00000100`: start and size.
fn parse_range(start: &str, size: &str) -> Option<AddressRange> {
    let size = u64::from_str_radix(size.strip_prefix("0x")?, 16).ok()?;
    AddressRange::new(Address(parse_hex(start)?), size)
}

/// `reboot 0x00008001` or `kernel 0x00000002`.
fn reason_code(text: &str) -> Option<ReasonCode> {
    let (domain, code) = text.split_once(' ')?;
    let code = parse_hex(code)?;
    match domain {
        "reboot" => Some(ReasonCode::Reboot(code)),
        "kernel" => Some(ReasonCode::Kernel(code)),
        _ => None,
    }
}

/// `0x20000001 0x10030027`: MPU_RBAR, then MPU_RASR or MPU_RLAR.
fn mpu_region(text: &str) -> Option<MpuRegion> {
    let (base, attributes) = text.split_once(' ')?;
    Some(MpuRegion { base: parse_hex(base)?, attributes: parse_hex(attributes)? })
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
