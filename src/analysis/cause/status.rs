//! Causes that the fault status registers, the program counter or the instruction tell.

use super::{Finding, Scene, secure};
use crate::analysis::describe::NULL_PAGE;
use crate::analysis::faulting::Operand;
use crate::arch::cortex_m::exception::XPSR_THUMB;
use crate::arch::cortex_m::exception::{self, Code as _};
use crate::arch::cortex_m::fault::{self, FaultKind, fault_address};
use crate::arch::cortex_m::instruction::{Access, Instruction, register_name};
use crate::base::Address;
use crate::report::{Category, Confidence};
use crate::snapshot::{ReasonCode, Register, reboot_reason};
use crate::symbols::CodeAddress;

/// The core gave up: a fault while a fault of the highest priority was handled.
pub(super) fn lockup(scene: &Scene<'_, '_>) -> Option<Finding> {
    scene.environment.system.locked_up().then(|| {
        Finding::new(
            Category::HardFault,
            Confidence::Certain,
            "The core is locked up: a fault happened inside HardFault or NMI",
        )
        .because("DHCSR.S_LOCKUP is set")
        .titled("Lockup")
    })
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

/// Execution at an address that holds no code.
pub(super) fn bad_program_counter(scene: &Scene<'_, '_>) -> Option<Finding> {
    let registers = scene.crash_registers()?;
    let pc = scene.crash_pc()?;
    let context = scene.crash_context()?;
    let thumb = registers.get(Register::XPSR).is_none_or(|xpsr| xpsr & XPSR_THUMB != 0);
    let is_code = scene.environment.is_code(pc);
    // Without symbols the memory map alone is too weak a witness.
    if (is_code || scene.environment.symbols.is_empty()) && (thumb || !scene.has("INVSTATE")) {
        return None;
    }
    let caller = context.frames.get(1).map(|frame| scene.place(frame.pc.lookup()));
    let from = caller.as_ref().map(|caller| format!(", called from {caller}")).unwrap_or_default();
    let summary = if scene.has("IACCVIOL") && !is_code && pc.0 >= NULL_PAGE {
        format!("Jump to {pc}, where the MPU forbids execution{from}{}", scene.whereabouts())
    } else if is_code {
        format!("Jump to {pc} without the Thumb bit{from}{}", scene.whereabouts())
    } else if pc.0 < NULL_PAGE && pc.0 & !1 == 0 {
        format!("Call through a null function pointer{from}{}", scene.whereabouts())
    } else {
        format!("Jump to {pc}, which is not code{from}{}", scene.whereabouts())
    };
    let mut found = Finding::new(category(scene), Confidence::Certain, summary)
        .because(format!("PC {pc}: {}", scene.describe(pc)));
    if let Some(lr) = registers.lr() {
        found = found.because(format!("LR 0x{lr:08x} points behind the call"));
    }
    if let Some(pointer) = Operand::of_call(&context.frames, scene.environment) {
        found = found.because(format!("the call went through {}", pointer.spell()));
    }
    for text in register_evidence(scene) {
        found = found.because(text);
    }
    Some(found)
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
    let (confidence, what) = secure::violation(scene, instruction)
        .or_else(|| usage(scene, instruction))
        .or_else(|| imprecise(scene))
        .or_else(|| access_fault(scene, instruction))
        .or_else(|| instruction.and_then(|instruction| by_instruction(scene, instruction)))
        .unwrap_or_else(|| (Confidence::Possible, fallback(scene)));
    let mut found =
        Finding::new(category(scene), confidence, format!("{what} in {place}{whereabouts}"));
    found = match scene.crash_pc() {
        Some(pc) if scene.has("IMPRECISERR") => found.because(format!(
            "the PC {pc} is not the culprit: a write before it left the core's buffer later; \
             with ACTLR.DISDEFWBUF set the next one is precise"
        )),
        Some(pc) => found.because(format!("the instruction at {pc}{} faulted", line(scene, pc))),
        None => found,
    };
    for text in register_evidence(scene) {
        found = found.because(text);
    }
    if let Some(access) = scene.faulting_access() {
        found = found.because(access.spell());
    }
    Some(found)
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
fn usage(scene: &Scene<'_, '_>, instruction: Option<Instruction>) -> Option<(Confidence, String)> {
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
    Some((Confidence::Certain, sentence))
}

fn imprecise(scene: &Scene<'_, '_>) -> Option<(Confidence, String)> {
    scene.has("IMPRECISERR").then(|| {
        (Confidence::Possible, "Bus error of an earlier write (imprecise), noticed".to_string())
    })
}

/// A data access or a fetch that the bus or the MPU refused, with a valid address.
fn access_fault(
    scene: &Scene<'_, '_>,
    instruction: Option<Instruction>,
) -> Option<(Confidence, String)> {
    let by_mpu = scene.has("DACCVIOL") || scene.has("MLSPERR") || scene.has("MUNSTKERR");
    let by_bus = scene.has("PRECISERR") || scene.has("LSPERR") || scene.has("UNSTKERR");
    if scene.has("IACCVIOL") || scene.has("IBUSERR") {
        return Some((Confidence::Certain, "Instruction fetch was refused".into()));
    }
    if !by_mpu && !by_bus {
        return None;
    }
    let who = if by_mpu { "MPU violation" } else { "Bus error" };
    let address = fault_address(scene.environment.system).map(|(_, address)| Address(address));
    Some((Confidence::Certain, refused(scene, who, instruction, address)))
}

/// `MPU violation: read of 0x00000004, the null page: null pointer in r3`.
pub(super) fn refused(
    scene: &Scene<'_, '_>,
    who: &str,
    instruction: Option<Instruction>,
    address: Option<Address>,
) -> String {
    let access = match instruction {
        Some(Instruction::Access(access)) => Some(access),
        _ => None,
    };
    let verb = match access {
        Some(Access { store: true, .. }) => "write to",
        Some(Access { store: false, .. }) => "read of",
        None => "access to",
    };
    let Some(address) = address.or_else(|| access.and_then(|access| access.address)) else {
        return who.to_string();
    };
    if address.0 < NULL_PAGE {
        let base = access.filter(|access| access.base != 15).map(|access| {
            match scene.faulting_access().and_then(|found| found.base.name) {
                Some(name) => format!(", the null pointer is `{name}`"),
                None => format!(", the null pointer is in {}", register_name(access.base)),
            }
        });
        return format!(
            "Null pointer dereference ({who}, {verb} {address}{})",
            base.unwrap_or_default()
        );
    }
    format!("{who}: {verb} {address} ({})", scene.describe(address))
}

/// Armv6-M has no fault status: the instruction is the only witness.
fn by_instruction(scene: &Scene<'_, '_>, instruction: Instruction) -> Option<(Confidence, String)> {
    let strict = !scene.environment.system.architecture().is_some_and(|a| a.has_fault_status());
    Some(match instruction {
        Instruction::Undefined => (Confidence::Likely, "Undefined instruction".into()),
        Instruction::Breakpoint => {
            (Confidence::Likely, "Breakpoint instruction without a debugger".into())
        }
        Instruction::Divide { divisor } => {
            let zero = scene.crash_registers()?.core(divisor)? == 0;
            zero.then(|| (Confidence::Likely, "Integer division by zero".to_string()))?
        }
        Instruction::Access(access) => {
            let at = access.address?;
            // Multiple accesses are checked word by word.
            let needed = if strict { access.size.min(4) } else { access.alignment };
            if needed > 1 && !at.is_aligned(needed) {
                let text = format!("Unaligned access of {} bytes at {at}", access.size.min(8));
                (Confidence::Likely, text)
            } else {
                let text = refused(scene, refused_by(scene), Some(instruction), Some(at));
                (Confidence::Likely, text)
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
