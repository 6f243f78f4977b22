//! Loads and stores that the bus or the MPU refused: what was wrong with the pointer.

use super::{Scene, heap};
use crate::analysis::describe::NULL_PAGE;
use crate::analysis::faulting::{FaultingAccess, Operand};
use crate::arch::cortex_m::exception::Code as _;
use crate::arch::cortex_m::fault::fault_address;
use crate::arch::cortex_m::instruction::register_name;
use crate::base::{Address, AddressRange};
use crate::report::Confidence;

/// What a rule says: the words before ` in <function>`.
pub(super) struct Explained {
    pub(super) confidence: Confidence,
    pub(super) what: String,
    pub(super) evidence: Vec<String>,
    pub(super) title: Option<String>,
}

impl Explained {
    pub(super) fn new(confidence: Confidence, what: impl Into<String>) -> Explained {
        Explained { confidence, what: what.into(), evidence: Vec::new(), title: None }
    }
}

/// An access that was refused.
struct Refused {
    /// By whom, as a sentence begins.
    who: &'static str,
    by_mpu: bool,
    access: Option<FaultingAccess>,
    address: Address,
    confidence: Confidence,
}

impl Refused {
    /// ``write to 0x00000014 (`parent->errors`)``.
    fn act(&self) -> String {
        let verb = match self.access.as_ref().map(|found| found.access.store) {
            Some(true) => "write to",
            Some(false) => "read of",
            None => "access to",
        };
        match self.access.as_ref().and_then(|found| found.object.as_ref()) {
            Some(object) => format!("{verb} {}, `{object}`", self.address),
            None => format!("{verb} {}", self.address),
        }
    }

    /// The register that the address was made from, unless that is PC.
    fn base(&self) -> Option<&Operand> {
        self.access.as_ref().map(|found| &found.base).filter(|base| base.register != 15)
    }
}

/// What status bits and the fault address say about a refused access, with what the instruction
/// adds.
pub(super) fn by_status(scene: &Scene<'_, '_>) -> Option<Explained> {
    let by_mpu = scene.has("DACCVIOL") || scene.has("MLSPERR") || scene.has("MUNSTKERR");
    let by_bus = scene.has("PRECISERR") || scene.has("LSPERR") || scene.has("UNSTKERR");
    if !by_mpu && !by_bus {
        return None;
    }
    Some(refused_by(scene, if by_mpu { "MPU violation" } else { "Bus error" }))
}

/// The access at the crash, which `who` refused and a status bit tells about.
pub(super) fn refused_by(scene: &Scene<'_, '_>, who: &'static str) -> Explained {
    let access = scene.faulting_access();
    let reported = fault_address(scene.environment.system).map(|(_, address)| Address(address));
    let decoded = access.as_ref().and_then(|found| found.access.address);
    let Some(address) = reported.or(decoded) else {
        return Explained::new(Confidence::Certain, who);
    };
    let (by_mpu, confidence) = (who.starts_with("MPU"), Confidence::Certain);
    explain(scene, &Refused { who, by_mpu, access, address, confidence })
}

/// The same where only the instruction tells.
pub(super) fn by_instruction(scene: &Scene<'_, '_>, who: &'static str) -> Option<Explained> {
    let access = scene.faulting_access()?;
    let address = access.access.address?;
    let (by_mpu, confidence) = (who.starts_with("MPU"), Confidence::Likely);
    Some(explain(scene, &Refused { who, by_mpu, access: Some(access), address, confidence }))
}

fn explain(scene: &Scene<'_, '_>, refused: &Refused) -> Explained {
    let rules: [fn(&Scene<'_, '_>, &Refused) -> Option<Explained>; 3] =
        [null, read_only, absent_peripheral];
    rules.iter().find_map(|rule| rule(scene, refused)).unwrap_or_else(|| {
        let described = scene.describe(refused.address);
        let what = format!("{}: {} ({described})", refused.who, refused.act());
        Explained::new(refused.confidence, what)
    })
}

/// An address next to zero: a member of a structure that is not there.
fn null(scene: &Scene<'_, '_>, refused: &Refused) -> Option<Explained> {
    if refused.address.0 >= NULL_PAGE {
        return None;
    }
    let base = refused.base();
    if let Some(allocator) = base.and_then(Operand::returned_by)
        && let Some(explained) = heap::exhausted(scene, allocator, &refused.act())
    {
        return Some(explained);
    }
    let name = base.and_then(|base| base.name.as_deref());
    let which = match (name, base) {
        (Some(name), _) => format!(" of `{name}` ({})", refused.act()),
        (None, Some(base)) => {
            format!(" ({}, the pointer is in {})", refused.act(), register_name(base.register))
        }
        (None, None) => format!(" ({})", refused.act()),
    };
    let what = format!("Null pointer dereference{which}");
    let mut explained = Explained::new(refused.confidence, what);
    explained.title =
        Some(name.map_or("Null Pointer".into(), |name| format!("Null Pointer {name}")));
    Some(explained)
}

/// A store into what the ELF keeps in memory that is not written to.
fn read_only(scene: &Scene<'_, '_>, refused: &Refused) -> Option<Explained> {
    let section = scene.environment.symbols.section_at(refused.address);
    let section = section.filter(|section| !section.writable)?;
    if !refused.access.as_ref()?.access.store {
        return None;
    }
    let described = scene.describe(refused.address);
    let what = format!("Write to read-only memory ({}: {described})", refused.act());
    let mut explained = Explained::new(refused.confidence, what);
    let range = section.range;
    let by = if refused.by_mpu { "the MPU refused it" } else { "the bus refused it" };
    explained.evidence.push(format!(
        "{} is in section {} at {range}, which the ELF marks read-only; {by}",
        refused.address, section.name
    ));
    explained.title = Some("Write to Read-Only Memory".into());
    Some(explained)
}

/// The peripheral region of the default memory map (DDI 0403E B3.1).
const PERIPHERALS: (Address, Address) = (Address(0x4000_0000), Address(0x6000_0000));

/// A bus error where peripherals are.
fn absent_peripheral(_: &Scene<'_, '_>, refused: &Refused) -> Option<Explained> {
    let region = AddressRange::from_bounds(PERIPHERALS.0, PERIPHERALS.1)?;
    if refused.who != "Bus error" || !region.contains(refused.address) {
        return None;
    }
    let what = format!("{}: {}, a peripheral that does not answer", refused.who, refused.act());
    let mut explained = Explained::new(refused.confidence.min(Confidence::Likely), what);
    let hint = "there is no peripheral at this address, its clock is off or it is held in reset, \
                or this code may not access it";
    explained.evidence.push(hint.into());
    explained.title = Some("Peripheral Does Not Answer".into());
    Some(explained)
}

/// Words from address zero on that are compared: those of the longest usual vector tables.
const VECTORS: u32 = 64;

/// A pointer that is no pointer but a word of the vector table: read through a null pointer where
/// memory at zero is readable.
pub(super) fn through_vectors(scene: &Scene<'_, '_>) -> Option<Explained> {
    let access = scene.faulting_access().filter(|f| !matches!(f.base.register, 13 | 15))?;
    let value = Address(access.base.value?);
    let slot = vector_slot(scene, value)?;
    let base = register_name(access.base.register);
    let pointer = access.base.name.map_or(format!("the pointer in {base}"), |n| format!("`{n}`"));
    let what = format!("Null pointer dereference: {pointer} was read from {slot}");
    let mut explained = Explained::new(Confidence::Likely, what);
    explained.evidence.push(format!(
        "{base} = {value} equals the word at {slot}, which is part of the vector table"
    ));
    explained.title = Some("Null Pointer".into());
    Some(explained)
}

/// Where `value` stands in the vector table at address zero. Small numbers say nothing.
pub(super) fn vector_slot(scene: &Scene<'_, '_>, value: Address) -> Option<Address> {
    let is_handler = value.0 & 1 == 1 && scene.environment.is_code(value.without_thumb_bit());
    if value.0 < NULL_PAGE && !is_handler {
        return None;
    }
    // A shorter table ends where code begins: its constants are no vectors.
    let symbols = scene.environment.symbols;
    let is_in_function = |slot: Address| symbols.at(slot)?.function_start(slot);
    let slots = (0..VECTORS).map(|index| Address(0).word(index));
    slots
        .take_while(|slot| is_in_function(*slot).is_none())
        .find(|slot| scene.environment.memory.read_u32(*slot) == Ok(value.0))
}
