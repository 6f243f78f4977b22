//! A snapshot as an ELF core that stock debuggers open.

use super::notes::{self, Lines};
use super::{
    HEADER_SIZE, NT_ARM_VFP, NT_MFLT_CAPTURE, NT_MFLT_GAPS, NT_MFLT_IDENTITY, NT_MFLT_REDACTED,
    NT_MFLT_REGISTERS, NT_PRSTATUS, PROGRAM_HEADER_SIZE, PT_LOAD, PT_NOTE, prstatus,
};
use crate::base::hex;
use crate::format::FormatError;
use crate::snapshot::{Moment, ReasonCode, Register, RegisterSet, Snapshot};

/// Most segments of memory that fit: one program header is for the notes, and 0xffff is special.
const MAX_SEGMENTS: usize = 0xfffd;

/// The snapshot as the bytes of an ELF core.
///
/// Reading them back gives the same snapshot, as long as no text in it is longer than 4 KiB.
///
/// # Errors
/// [`FormatError::Empty`] without registers and memory; [`FormatError::TooManySegments`] and
/// [`FormatError::TooLarge`] when the memory does not fit the format.
pub fn write(snapshot: &Snapshot) -> Result<Vec<u8>, FormatError> {
    if snapshot.memory.is_empty()
        && snapshot.registers.is_empty()
        && snapshot.threads.iter().all(|thread| thread.registers.is_empty())
    {
        return Err(FormatError::Empty(crate::snapshot::EmptySnapshot));
    }
    let segments = snapshot.memory.segments();
    if segments.len() > MAX_SEGMENTS {
        return Err(FormatError::TooManySegments { found: segments.len(), limit: MAX_SEGMENTS });
    }
    let notes = all_notes(snapshot);
    let header_count = segments.len().saturating_add(1);
    let notes_offset = header_count
        .saturating_mul(usize::from(PROGRAM_HEADER_SIZE))
        .saturating_add(usize::from(HEADER_SIZE));
    let size = segments
        .iter()
        .map(|segment| segment.bytes().len().next_multiple_of(4))
        .fold(notes_offset.saturating_add(notes.len()), usize::saturating_add);
    if u32::try_from(size).is_err() {
        return Err(FormatError::TooLarge { size: size as u64 });
    }

    let mut file = Vec::with_capacity(size);
    file_header(&mut file, header_count);
    program_header(&mut file, PT_NOTE, notes_offset, 0, notes.len());
    let mut offset = notes_offset.saturating_add(notes.len());
    for segment in segments {
        let length = segment.bytes().len();
        program_header(&mut file, PT_LOAD, offset, segment.range().start().0, length);
        offset = offset.saturating_add(length.next_multiple_of(4));
    }
    file.extend(notes);
    for segment in segments {
        file.extend_from_slice(segment.bytes());
        file.resize(file.len().next_multiple_of(4), 0);
    }
    Ok(file)
}

fn file_header(file: &mut Vec<u8>, header_count: usize) {
    // EI_CLASS 32 bits, EI_DATA little endian, EI_VERSION 1.
    file.extend(b"\x7fELF\x01\x01\x01");
    file.resize(16, 0);
    // ET_CORE, EM_ARM.
    put_u16(file, 4);
    put_u16(file, 40);
    put_u32(file, 1);
    // No entry; program headers right behind this header; no sections.
    put_u32(file, 0);
    put_u32(file, u32::from(HEADER_SIZE));
    put_u32(file, 0);
    // EF_ARM_EABI_VER5.
    put_u32(file, 0x0500_0000);
    put_u16(file, HEADER_SIZE);
    put_u16(file, PROGRAM_HEADER_SIZE);
    put_u16(file, u16::try_from(header_count).unwrap_or(u16::MAX));
    for _ in 0..3 {
        put_u16(file, 0);
    }
}

/// One program header; the caller has checked that all numbers fit.
fn program_header(file: &mut Vec<u8>, kind: u32, offset: usize, address: u32, size: usize) {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let (in_memory, flags) = if kind == PT_NOTE { (0, 4) } else { (size, 6) };
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    for word in [kind, offset, address, address, size, in_memory, flags, 4] {
        put_u32(file, word);
    }
}

fn put_u16(file: &mut Vec<u8>, value: u16) {
    file.extend(value.to_le_bytes());
}

fn put_u32(file: &mut Vec<u8>, value: u32) {
    file.extend(value.to_le_bytes());
}

fn all_notes(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Vec::new();
    let signal = signal(&snapshot.registers);
    if snapshot.threads.is_empty() {
        if !snapshot.registers.is_empty() {
            thread_notes(&mut out, 1, signal, &snapshot.registers);
        }
    } else {
        for (index, thread) in snapshot.threads.iter().enumerate() {
            let signal = if index == 0 { signal } else { 0 };
            thread_notes(&mut out, thread.id, signal, &thread.registers);
        }
    }
    register_note(&mut out, "cpu", None, &snapshot.registers);
    for thread in &snapshot.threads {
        let id = format!("0x{:08x}", thread.id);
        register_note(&mut out, &id, thread.name.as_deref(), &thread.registers);
    }
    identity_note(&mut out, snapshot);
    capture_note(&mut out, snapshot);
    let mut lines = Lines::default();
    for gap in snapshot.memory.gaps() {
        let key = format!("{}+0x{:08x}", gap.range.start(), gap.range.size());
        lines.put(&key, &gap.reason);
    }
    push_lines(&mut out, NT_MFLT_GAPS, &lines);
    let mut lines = Lines::default();
    for range in snapshot.memory.redacted() {
        lines.put(&format!("{}+0x{:08x}", range.start(), range.size()), "");
    }
    push_lines(&mut out, NT_MFLT_REDACTED, &lines);
    out
}

fn push_lines(out: &mut Vec<u8>, kind: u32, lines: &Lines) {
    if !lines.is_empty() {
        notes::push(out, "MFLT", kind, lines.as_bytes());
    }
}

/// `NT_PRSTATUS`, and the floating-point registers when any is known.
fn thread_notes(out: &mut Vec<u8>, id: u32, signal: u16, registers: &RegisterSet) {
    let mut status = Vec::with_capacity(prstatus::SIZE);
    status.resize(prstatus::CURSIG, 0);
    put_u16(&mut status, signal);
    status.resize(prstatus::PID, 0);
    put_u32(&mut status, id);
    status.resize(prstatus::REGISTERS, 0);
    // The format knows no unknown registers: they are 0 here, and the note with owner `MFLT`
    // lists those that are really known.
    for number in 0..16 {
        put_u32(&mut status, registers.core(number).unwrap_or(0));
    }
    put_u32(&mut status, registers.get(Register::XPSR).unwrap_or(0));
    status.resize(prstatus::SIZE, 0);
    notes::push(out, "CORE", NT_PRSTATUS, &status);

    let singles = || (0..32).filter_map(Register::single);
    let status = registers.get(Register::FPSCR);
    if status.is_some() || singles().any(|single| registers.get(single).is_some()) {
        let mut vfp = Vec::with_capacity(260);
        for single in singles() {
            put_u32(&mut vfp, registers.get(single).unwrap_or(0));
        }
        // d16 to d31 do not exist on Cortex-M.
        vfp.resize(256, 0);
        put_u32(&mut vfp, status.unwrap_or(0));
        notes::push(out, "LINUX", NT_ARM_VFP, &vfp);
    }
}

fn register_note(out: &mut Vec<u8>, thread: &str, name: Option<&str>, registers: &RegisterSet) {
    let mut lines = Lines::default();
    lines.put("thread", thread);
    lines.put_some("name", name);
    for (register, value) in registers.iter() {
        lines.put(register.name(), &format!("0x{value:08x}"));
    }
    push_lines(out, NT_MFLT_REGISTERS, &lines);
}

fn identity_note(out: &mut Vec<u8>, snapshot: &Snapshot) {
    let identity = &snapshot.identity;
    let mut lines = Lines::default();
    lines.put_some("device_serial", identity.device_serial.as_deref());
    lines.put_some("software_type", identity.software_type.as_deref());
    lines.put_some("software_version", identity.software_version.as_deref());
    lines.put_some("hardware_version", identity.hardware_version.as_deref());
    lines.put_some("build_id", identity.build_id.as_deref().map(hex::encode).as_deref());
    push_lines(out, NT_MFLT_IDENTITY, &lines);
}

fn capture_note(out: &mut Vec<u8>, snapshot: &Snapshot) {
    let origin = &snapshot.origin;
    let mut lines = Lines::default();
    lines.put("version", "1");
    lines.put("route", &origin.format);
    lines.put_some("tool", origin.tool.as_deref());
    lines.put_some("server", origin.server.as_deref());
    lines.put_some("captured_at_ms", origin.captured_at_ms.map(|ms| ms.to_string()).as_deref());
    lines.put_some("complete", origin.complete.map(|complete| complete.to_string()).as_deref());
    lines.put_some("moment", (snapshot.moment == Moment::Crash).then_some("crash"));
    lines.put_some("reason", snapshot.reason.as_deref());
    let code = snapshot.reason_code.map(|code| match code {
        ReasonCode::Reboot(code) => format!("reboot 0x{code:08x}"),
        ReasonCode::Kernel(code) => format!("kernel 0x{code:08x}"),
    });
    lines.put_some("reason_code", code.as_deref());
    let object = snapshot.kernel_object.as_deref().map(hex::encode);
    lines.put_some("kernel_object", object.as_deref());
    let thread = snapshot.current_thread.map(|thread| thread.to_string());
    lines.put_some("current_thread", thread.as_deref());
    for region in &snapshot.mpu_regions {
        let text = format!("0x{:08x} 0x{:08x}", region.base, region.attributes);
        lines.put("mpu_region", &text);
    }
    for remark in &snapshot.remarks {
        lines.put("remark", remark);
    }
    push_lines(out, NT_MFLT_CAPTURE, &lines);
}

/// The Linux signal that debuggers show for the CPU's active exception, IPSR (DDI 0403 B1.4.2).
fn signal(registers: &RegisterSet) -> u16 {
    match registers.get(Register::XPSR).unwrap_or(0) & 0x1ff {
        // HardFault, MemManage, SecureFault: SIGSEGV. BusFault: SIGBUS. UsageFault: SIGILL.
        3 | 4 | 7 => 11,
        5 => 7,
        6 => 4,
        // Everything else was stopped rather than killed: SIGTRAP.
        _ => 5,
    }
}
