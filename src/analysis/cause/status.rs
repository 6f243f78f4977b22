//! Causes that the fault status registers, the program counter or the instruction tell.

use super::access::{self, Explained};
use super::{Finding, Scene, secure};
use crate::arch::cortex_m::exception;
use crate::arch::cortex_m::fault::{self, FaultKind, fault_address};
use crate::arch::cortex_m::instruction::{Access, Instruction, register_name};
use crate::base::Address;
use crate::report::{Category, Confidence};
use crate::snapshot::{ReasonCode, reboot_reason};
use crate::symbols::CodeAddress;

/// What PC reads in lockup. Armv7-M ARM (DDI 0403E) B1.5.15; Armv8-M ARM (DDI 0553) rule RQKND.
const LOCKUP_PC: [u32; 2] = [0xffff_fffe, 0xefff_fffe];

/// The core gave up: a fault while a fault of the highest priority was handled.
pub(super) fn lockup(scene: &Scene<'_, '_>) -> Option<Finding> {
    let pc = scene.contexts.first()?.frames.first()?.registers.pc();
    let by_pc = pc.filter(|pc| LOCKUP_PC.contains(&(pc & !1)));
    let evidence = match by_pc {
        _ if scene.environment.system.locked_up() => "DHCSR.S_LOCKUP is set".to_string(),
        Some(pc) => format!("PC reads 0x{pc:08x}, which it does in lockup"),
        None => return None,
    };
    let text = "The core is locked up: a fault happened inside HardFault or NMI";
    let found = Finding::new(Category::HardFault, Confidence::Certain, text).because(evidence);
    let found = register_evidence(scene).into_iter().fold(found, Finding::because);
    Some(found.titled("Lockup"))
}

/// A fault inside a fault handler.
pub(super) fn double_fault(scene: &Scene<'_, '_>) -> Option<Finding> {
    let context = scene.crash_context()?;
    // The handler of a fault whose origin is lost stands alone: that is no double fault.
    if !exception::is_fault(context.exception) || scene.crashed == Some(0) {
        return None;
    }
    let inner = scene.at(context);
    let outer = scene.contexts.get(scene.crashed?.checked_add(1)?);
    let first = outer.and_then(|outer| scene.blamed(outer));
    let handler = exception::name(context.exception);
    let mut summary = format!("Double fault: the {handler} handler itself faulted{inner}");
    if let Some(first) = first {
        summary.push_str(&format!(", while it handled a fault in {first}"));
    }
    // What the status bits name is the second fault; both together are a HardFault.
    let category = if scene.forced() { Category::HardFault } else { category(scene) };
    let mut found = Finding::new(category, Confidence::Certain, summary);
    for text in register_evidence(scene) {
        found = found.because(text);
    }
    Some(found.titled("Double Fault"))
}

/// A fault whose origin is not in the dump: the registers are all there is.
pub(super) fn origin_lost(scene: &Scene<'_, '_>) -> Option<Finding> {
    let handler = scene.contexts.get(scene.handler?)?;
    let name = exception::name(handler.exception);
    let text = format!("{name}: what it interrupted is not in the dump");
    let mut found = Finding::new(category(scene), Confidence::Likely, text);
    for text in register_evidence(scene) {
        found = found.because(text);
    }
    Some(found.because(
        "the exception frame was not found: its stack is not captured, or PSP is not known and \
         no ELF told where to search (capture with --elf)",
    ))
}

/// What CFSR and HFSR say, with what the instruction adds.
pub(super) fn from_registers(scene: &Scene<'_, '_>) -> Option<Finding> {
    let context = scene.crash_context()?;
    let instruction = scene.instruction();
    let pc = scene.crash_pc();
    let place = scene.blamed(context).map(|place| place.to_string());
    let place = place.or_else(|| pc.map(|pc| pc.to_string()));
    let place = place.unwrap_or_else(|| "an unknown place".into());
    let whereabouts = scene.whereabouts();
    let explained = secure::violation(scene)
        .or_else(|| imprecise(scene))
        .or_else(|| access::through_vectors(scene))
        .or_else(|| usage(scene, instruction))
        .or_else(|| fetch(scene))
        .or_else(|| access::by_status(scene))
        .or_else(|| instruction.and_then(|instruction| by_instruction(scene, instruction)))
        .unwrap_or_else(|| Explained::new(Confidence::Possible, fallback(scene)));
    let text = format!("{} in {place}{whereabouts}", explained.what);
    let mut found = Finding::new(category(scene), explained.confidence, text);
    found.naming.qualifier = explained.title;
    found = match scene.crash_pc() {
        Some(pc) if scene.has("IMPRECISERR") => found
            .because(format!(
                "the PC {pc} is not the culprit: a write before it left the core's buffer and \
                 failed later"
            ))
            .because(make_precise(scene)),
        Some(pc) => found.because(format!("the instruction at {pc}{} faulted", line(scene, pc))),
        None => found,
    };
    found = explained.evidence.into_iter().fold(found, Finding::because);
    found = register_evidence(scene).into_iter().fold(found, Finding::because);
    if let Some(access) = scene.faulting_access().filter(|_| !scene.has("IMPRECISERR")) {
        found = found.because(access.spell());
    }
    Some(found)
}

/// How the next fault of a buffered write names its instruction. ACTLR.DISDEFWBUF is in the
/// Cortex-M3 and Cortex-M4 (their Technical Reference Manuals, Auxiliary Control Register).
fn make_precise(scene: &Scene<'_, '_>) -> String {
    match scene.environment.system.core() {
        Some("Cortex-M3" | "Cortex-M4") | None => {
            "to find it, set ACTLR.DISDEFWBUF (bit 1 of 0xe000e008) at start: the next one is \
             precise"
        }
        Some(_) => "to find it, put a DSB behind suspected writes: the fault then comes at the DSB",
    }
    .to_string()
}

/// ` (main.c:12)` for an address of code.
fn line(scene: &Scene<'_, '_>, pc: Address) -> String {
    let found = scene.environment.symbols.line_at(CodeAddress::Instruction(pc));
    match found.and_then(|found| Some((found.file, found.line?))) {
        Some((file, line)) => format!(" ({file}:{line})"),
        None => String::new(),
    }
}

/// UsageFault bits that say all by themselves.
fn usage(scene: &Scene<'_, '_>, instruction: Option<Instruction>) -> Option<Explained> {
    let sentence = if scene.has("DIVBYZERO") {
        match instruction {
            Some(Instruction::Divide { divisor }) => {
                let name = scene.operand(divisor).and_then(|operand| operand.name);
                let divisor =
                    name.map_or(register_name(divisor).into(), |name| format!("`{name}`"));
                format!("Integer division by zero ({divisor} is 0)")
            }
            _ => "Integer division by zero".to_string(),
        }
    } else if scene.has("UNDEFINSTR") {
        "Undefined instruction".into()
    } else if scene.has("NOCP") {
        "Coprocessor or FPU instruction while it is disabled".into()
    } else if scene.has("INVPC") {
        "Invalid exception return (EXC_RETURN or the stacked frame was corrupted)".into()
    } else if scene.has("INVSTATE") {
        "Jump without the Thumb bit".into()
    } else if scene.has("UNALIGNED") {
        match instruction {
            Some(Instruction::Access(Access { address: Some(at), size, .. })) => {
                format!("Unaligned access of {size} bytes at {at}")
            }
            _ => "Unaligned access".to_string(),
        }
    } else {
        return None;
    };
    Some(Explained::new(Confidence::Certain, sentence))
}

fn imprecise(scene: &Scene<'_, '_>) -> Option<Explained> {
    scene.has("IMPRECISERR").then(|| {
        Explained::new(Confidence::Possible, "Bus error of an earlier write (imprecise), noticed")
    })
}

/// An instruction that could not be fetched, at an address of code.
fn fetch(scene: &Scene<'_, '_>) -> Option<Explained> {
    let refused = scene.has("IACCVIOL") || scene.has("IBUSERR");
    refused.then(|| Explained::new(Confidence::Certain, "Instruction fetch was refused"))
}

/// Armv6-M has no fault status: the instruction is the only witness.
fn by_instruction(scene: &Scene<'_, '_>, instruction: Instruction) -> Option<Explained> {
    let likely = |what: &str| Explained::new(Confidence::Likely, what);
    Some(match instruction {
        Instruction::Undefined => likely("Undefined instruction"),
        Instruction::Breakpoint => likely("Breakpoint instruction without a debugger"),
        Instruction::Divide { divisor } => {
            let zero = scene.crash_registers()?.core(divisor)? == 0;
            zero.then(|| likely("Integer division by zero"))?
        }
        Instruction::Access(access) => {
            let at = access.address?;
            // Multiple accesses are checked word by word.
            let needed =
                if scene.has_fault_status() { access.alignment } else { access.size.min(4) };
            if needed > 1 && !at.is_aligned(needed) {
                likely(&format!("Unaligned access of {} bytes at {at}", access.size.min(8)))
            } else {
                access::by_instruction(scene, refused_by(scene))?
            }
        }
        _ => return None,
    })
}

/// Who refuses an access when no status bit tells: firmware clears them on its way.
fn refused_by(scene: &Scene<'_, '_>) -> &'static str {
    match taken(scene) {
        Some(4) => "MPU violation",
        Some(5) => "Bus error",
        _ => "Invalid access",
    }
}

/// The exception that the crash raised.
fn taken(scene: &Scene<'_, '_>) -> Option<u16> {
    let before = scene.crashed.and_then(|crashed| crashed.checked_sub(1));
    let context = scene.handler.or(before).and_then(|index| scene.contexts.get(index));
    context.map(|context| context.exception).or_else(|| match scene.told? {
        ReasonCode::Reboot(code) => reboot_reason::exception(code),
        ReasonCode::Kernel(_) => None,
    })
}

fn fallback(scene: &Scene<'_, '_>) -> String {
    let active = scene.environment.system.active_exception().unwrap_or(0);
    match active {
        0 => "Fault".into(),
        number => format!("{} that the captured registers do not explain", exception::name(number)),
    }
}

/// `CFSR.PRECISERR: …` for each bit that tells a cause, and the fault address.
pub(super) fn register_evidence(scene: &Scene<'_, '_>) -> Vec<String> {
    let system = scene.environment.system;
    let mut lines: Vec<String> = fault::set_bits(system)
        .into_iter()
        .filter(|bit| bit.kind != FaultKind::Status)
        .map(|bit| format!("{}.{}: {}", bit.register.name, bit.name, bit.meaning))
        .collect();
    if let Some(bit) = scene.remembered() {
        let (name, meaning) = (bit.name, bit.meaning);
        lines.push(format!("CFSR.{name} by the kernel's error code: {meaning}; it is cleared"));
    }
    if let Some((register, address)) = fault_address(system) {
        let address = Address(address);
        lines.push(format!("{} holds {address}: {}", register.name, scene.describe(address)));
    }
    lines
}

/// The kind of fault by its status bits, else by the exception that was taken.
pub(super) fn category(scene: &Scene<'_, '_>) -> Category {
    let set = fault::set_bits(scene.environment.system);
    let any = |kind: FaultKind| set.iter().chain(scene.remembered()).any(|bit| bit.kind == kind);
    let kinds = [
        (FaultKind::MemManage, Category::MemFault),
        (FaultKind::Bus, Category::BusFault),
        (FaultKind::Usage, Category::UsageFault),
        (FaultKind::Secure, Category::SecureFault),
    ];
    let by_bits = kinds.into_iter().find(|(kind, _)| any(*kind)).map(|(_, category)| category);
    let by_exception = match taken(scene) {
        Some(4) => Some(Category::MemFault),
        Some(5) => Some(Category::BusFault),
        Some(6) => Some(Category::UsageFault),
        Some(7) => Some(Category::SecureFault),
        _ => None,
    };
    let found = if scene.forced() { by_bits } else { by_exception.or(by_bits) };
    found.unwrap_or(Category::HardFault)
}
