//! Jumps to where no code is: bad function pointers, overwritten return addresses, a missing
//! Thumb bit.

use super::status::{category, register_evidence};
use super::{Finding, Scene, access};
use crate::analysis::describe::NULL_PAGE;
use crate::analysis::faulting::Operand;
use crate::arch::cortex_m::exception::{Code as _, XPSR_THUMB};
use crate::arch::cortex_m::instruction::register_name;
use crate::arch::cortex_m::prologue::{call_register, call_target};
use crate::base::Address;
use crate::report::Confidence;
use crate::snapshot::{Register, RegisterSet};

const CALLED: &str = "called from";

/// How execution came to where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// By a branch through the register of that number.
    Register(u8),
    /// By a return whose address was on the stack; the last call that was made led to that address.
    Return(Address),
    /// Nothing tells.
    Unknown,
}

/// Execution at an address that holds no code, or not as Thumb code.
pub(super) fn wild(scene: &Scene<'_, '_>) -> Option<Finding> {
    let registers = scene.crash_registers()?;
    let pc = scene.crash_pc()?;
    let is_code = scene.environment.is_code(pc);
    let thumb = registers.get(Register::XPSR).is_none_or(|xpsr| xpsr & XPSR_THUMB != 0);
    // Armv6-M has no bit for it.
    let no_thumb = !thumb && (scene.has("INVSTATE") || !scene.has_fault_status());
    // Without symbols the memory map alone is too weak a witness.
    if (is_code || scene.environment.symbols.is_empty()) && !no_thumb {
        return None;
    }
    let path = path(scene, registers, pc);
    let pointer = Operand::of_call(&scene.crash_context()?.frames, scene.environment);
    let named = pointer.as_ref().and_then(|pointer| pointer.name.as_deref());
    let through = named.map_or(String::new(), |name| format!(" through `{name}`"));
    let mut found = if is_code {
        let what = format!("Call of {}{through} without the Thumb bit", scene.place(pc));
        finding(scene, &format!("{what}: the function pointer is even"), CALLED)
            .titled("No Thumb Bit")
    } else if pc.0 & !1 == 0 && !matches!(path, Path::Return(_)) {
        let which = named.map_or(String::new(), |name| format!(" `{name}`"));
        let what = format!("Call through a null function pointer{which}");
        finding(scene, &what, CALLED).titled("Null Function Pointer")
    } else if let Path::Return(_) = path {
        let what = format!(
            "Return to {pc}{}, which is not code: the return address on the stack was overwritten",
            quoted(pc.0)
        );
        let mut found = finding(scene, &what, "by or after").titled("Return Address Overwritten");
        found.cause.confidence = Confidence::Likely;
        found
    } else if scene.has("IACCVIOL") && pc.0 >= NULL_PAGE {
        let what = format!("Jump to {pc}{through}, where the MPU forbids execution");
        finding(scene, &what, CALLED)
    } else {
        let what = format!("Jump to {pc}{}{through}, which is not code", quoted(pc.0));
        finding(scene, &what, CALLED)
    };
    found = found.because(format!("PC {pc}: {}", scene.describe(pc)));
    if let Some(pointer) = &pointer {
        found = found.because(format!("the call went through {}", pointer.spell()));
    }
    found = how(scene, registers, pc, path, pointer.is_some())
        .into_iter()
        .fold(found, Finding::because);
    Some(register_evidence(scene).into_iter().fold(found, Finding::because))
}

/// The sentence with the function that made the last call, and the thread.
fn finding(scene: &Scene<'_, '_>, what: &str, link: &str) -> Finding {
    let from = caller(scene).map_or_else(String::new, |place| format!(", {link} {place}"));
    let text = format!("{what}{from}{}", scene.whereabouts());
    Finding::new(category(scene), Confidence::Certain, text)
}

/// The function that made the last call, and the line.
fn caller(scene: &Scene<'_, '_>) -> Option<String> {
    let frame = scene.crash_context()?.frames.get(1)?;
    let place = scene.functions_of(frame).into_iter().next();
    Some(place.map_or_else(|| scene.place(frame.pc.lookup()), |place| place.to_string()))
}

/// The branch that led to `pc`, as far as LR and the registers tell.
fn path(scene: &Scene<'_, '_>, registers: &RegisterSet, pc: Address) -> Path {
    let Some(lr) = registers.lr().filter(|lr| scene.environment.is_return(*lr)) else {
        return Path::Unknown;
    };
    let memory = scene.environment.memory;
    let after = Address(lr).without_thumb_bit();
    let holds = |number: &u8| registers.core(*number).is_some_and(|v| v & !1 == pc.0 & !1);
    if let Some(target) = call_target(memory, after) {
        // What was called may have jumped on by a register, and left LR alone.
        let jumped = (0..=3).chain([12]).find(holds);
        return jumped.map_or(Path::Return(target), Path::Register);
    }
    call_register(memory, after).filter(holds).map_or(Path::Unknown, Path::Register)
}

/// What shows how execution came there.
fn how(
    scene: &Scene<'_, '_>,
    registers: &RegisterSet,
    pc: Address,
    path: Path,
    is_told: bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    let lr = registers.lr().map(Address);
    match (path, lr) {
        (Path::Register(number), Some(lr)) => {
            let value = Address(registers.core(number).unwrap_or(pc.0));
            if !is_told {
                let name = register_name(number);
                let line =
                    format!("{name} holds the target {value}; LR {lr} points behind the call");
                lines.push(line);
            }
            if let Some(slot) = access::vector_slot(scene, value) {
                lines.push(format!(
                    "{value} equals the word at {slot}: it may have been read through a null pointer"
                ));
            }
        }
        (Path::Return(target), Some(lr)) => {
            let target = scene.place(target);
            lines.push(format!(
                "LR {lr} points behind a call of {target}, and no register holds {pc}: it was \
                 popped from the stack"
            ));
            let popped: Vec<String> = (4..=11)
                .filter_map(|number| Some((number, registers.core(number)?)))
                .filter(|(_, value)| text(*value).is_some())
                .map(|(number, value)| {
                    format!("{} 0x{value:08x}{}", register_name(number), quoted(value))
                })
                .collect();
            if !popped.is_empty() {
                lines.push(format!("text was popped with it: {}", popped.join(", ")));
            }
        }
        (_, Some(lr)) => lines.push(format!("LR holds {lr}: {}", scene.describe(lr))),
        (_, None) => {}
    }
    lines
}

/// The four characters of a word that is text.
fn text(word: u32) -> Option<String> {
    let bytes = word.to_le_bytes();
    let printable = bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    printable.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// ` ("abcd")` for a word that is text.
fn quoted(word: u32) -> String {
    text(word).map_or_else(String::new, |text| format!(" (\"{text}\")"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_of_printable_characters_is_quoted_in_the_order_of_memory() {
        assert_eq!(quoted(0x6665_6c20), " (\" lef\")");
        assert_eq!(quoted(0x0bad_cafe), "");
        assert_eq!(quoted(0), "");
    }
}
