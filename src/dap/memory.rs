//! Bytes of memory, and instructions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{number, set};
use crate::analysis::inspector::{CodeLine, Inspector};
use crate::base::Address;
use crate::base::number::parse_number;

/// Bytes that are given at once.
const MOST_BYTES: usize = 1 << 20;
/// Instructions that are given at once.
const MOST_INSTRUCTIONS: usize = 1 << 12;
/// Bytes of the shortest instruction: what stands in for one that is not known.
const SHORTEST: i64 = 2;

/// Answers `readMemory`.
pub(super) fn read(inspector: &Inspector<'_, '_>, arguments: &Value) -> Result<Value, String> {
    let at = address(arguments)?;
    let count = number(arguments, "count").unwrap_or(0).min(MOST_BYTES);
    let memory = inspector.memory();
    let mut bytes = Vec::new();
    while bytes.len() < count {
        // As far as it goes: by blocks, then by bytes.
        let here = at.wrapping_add(i64::try_from(bytes.len()).unwrap_or(0));
        let mut block = vec![0; 256.min(count.saturating_sub(bytes.len()))];
        if memory.read(here, &mut block).is_ok() {
            bytes.append(&mut block);
            continue;
        }
        match memory.read_u8(here) {
            Ok(byte) => bytes.push(byte),
            Err(_) => break,
        }
    }
    Ok(json!({
        "address": at.to_string(),
        "data": STANDARD.encode(&bytes),
        "unreadableBytes": count.saturating_sub(bytes.len()),
    }))
}

/// Answers `disassemble`: exactly as many instructions as were asked for, some of them unknown.
pub(super) fn disassemble(
    inspector: &Inspector<'_, '_>,
    arguments: &Value,
) -> Result<Value, String> {
    let at = address(arguments)?.without_thumb_bit();
    let skip = arguments.get("instructionOffset").and_then(Value::as_i64).unwrap_or(0);
    let count = number(arguments, "instructionCount").unwrap_or(0).min(MOST_INSTRUCTIONS);
    let lines = inspector.code(at);
    let here = lines.iter().position(|line| line.instruction.address.0 >= at.0);
    let here = here.and_then(|here| i64::try_from(here).ok());
    let shown = (0..count).map(|index| {
        let distance = skip.saturating_add(i64::try_from(index).unwrap_or(i64::MAX));
        let index = here.map(|here| here.saturating_add(distance));
        let line = index.and_then(|index| lines.get(usize::try_from(index).ok()?));
        match line {
            Some(line) => known(line),
            None => {
                let address = at.wrapping_add(distance.saturating_mul(SHORTEST));
                let address = address.to_string();
                json!({ "address": address, "instruction": "", "presentationHint": "invalid" })
            }
        }
    });
    Ok(json!({ "instructions": shown.collect::<Vec<_>>() }))
}

fn known(line: &CodeLine) -> Value {
    let instruction = &line.instruction;
    let remark = instruction.remark.as_ref().map_or_else(String::new, |text| format!("  ; {text}"));
    let mut shown = json!({
        "address": instruction.address.to_string(),
        "instructionBytes": instruction.bytes,
        "instruction": format!("{}{remark}", instruction.text),
    });
    if let (Some(file), Some(number)) = (&line.file, line.line) {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
        set(&mut shown, "location", json!({ "name": name, "path": &**file }));
        set(&mut shown, "line", json!(number));
    }
    shown
}

/// `memoryReference` with `offset`.
fn address(arguments: &Value) -> Result<Address, String> {
    let text = arguments.get("memoryReference").and_then(Value::as_str).unwrap_or_default();
    let number = parse_number(text).and_then(|number| u32::try_from(number).ok());
    let base = number.map(Address).ok_or_else(|| format!("`{text}` is not an address"))?;
    let offset = arguments.get("offset").and_then(Value::as_i64).unwrap_or(0);
    Ok(base.wrapping_add(offset))
}
