//! Words that a server does not give as memory, read through its own console.
//!
//! Servers with a map of the chip's memory often refuse the System Control Space, which the map
//! leaves out; their consoles read what they are told to.

use super::GdbClient;
use super::link::READ;
use super::memory::Span;
use crate::target::TargetError;
use crate::target::plan::CPUID;

/// The commands, by server, with what stands before and behind the address.
const COMMANDS: [(&str, &str); 3] = [
    // OpenOCD: `0xe000ed00: 410fc241`.
    ("mdw ", ""),
    // J-Link: `Reading from address 0xE000ED00 (Data = 0x410FC241)`.
    ("memU32 ", ""),
    // pyOCD: `e000ed00:  410fc241    |A..A|`.
    ("read32 ", " 4"),
];

/// The private peripheral bus (DDI 0403, B3.1).
const PPB: std::ops::Range<u64> = 0xe000_0000..0xe010_0000;

/// Reads those of `gaps` that are registers of the private peripheral bus into `parts`. What a
/// server that gives CPUID refuses is missing for good, and is not asked for again.
///
/// # Errors
/// What the connection says, or that the user asked to stop.
pub(super) fn fill(
    client: &mut GdbClient,
    gaps: &mut Vec<(Span, String)>,
    parts: &mut Vec<(u64, Vec<u8>)>,
) -> Result<(), TargetError> {
    if !gaps.iter().all(|((start, _), _)| PPB.contains(start)) {
        return Ok(());
    }
    let command = match client.console {
        Some(command) => command,
        None => {
            let command = match client.link.ask(&format!("m{:x},4", CPUID.0), READ) {
                Err(error) if error.is_answer() => find(client)?,
                Err(error) => return Err(error),
                Ok(_) => None,
            };
            client.console = Some(command);
            command
        }
    };
    let Some(command) = command else { return Ok(()) };
    for (span, reason) in std::mem::take(gaps) {
        let mut at = span.0 & !3;
        while at < span.1 {
            if client.link.cancelled() {
                return Err(TargetError::Cancelled);
            }
            let next = at.saturating_add(4);
            match word(client, command, at)? {
                Some(word) => parts.push((at, word.to_le_bytes().to_vec())),
                None => gaps.push(((at, next), reason.clone())),
            }
            at = next;
        }
    }
    Ok(())
}

/// The command of the server's console that reads words, if it has one.
fn find(client: &mut GdbClient) -> Result<Option<usize>, TargetError> {
    for command in 0..COMMANDS.len() {
        // CPUID bits 19:16 are 0xf or, of an Armv6-M or v8-M baseline core, 0xc.
        let found = word(client, command, u64::from(CPUID.0))?;
        if found.is_some_and(|cpuid| matches!(cpuid >> 16 & 0xf, 0xc | 0xf) && cpuid != u32::MAX) {
            return Ok(Some(command));
        }
    }
    Ok(None)
}

/// Reads a word; `None` when the console refuses or says something else.
fn word(client: &mut GdbClient, command: usize, address: u64) -> Result<Option<u32>, TargetError> {
    let Some((before, behind)) = COMMANDS.get(command) else { return Ok(None) };
    match client.link.monitor(&format!("{before}0x{address:08x}{behind}")) {
        Ok(text) => Ok(value(&text, address)),
        Err(error) if error.is_answer() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The first number of eight digits behind the address.
fn value(text: &str, address: u64) -> Option<u32> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let mut numbers = words.filter_map(|word| {
        let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
        u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 8)
    });
    numbers.find(|number| u64::from(*number) == address)?;
    numbers.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_s_way_to_print_a_word() {
        for (text, expected) in [
            ("0xe000ed00: 410fc241 \n", Some(0x410f_c241)),
            ("Reading from address 0xE000ED00 (Data = 0x410FC241)\n", Some(0x410f_c241)),
            ("e000ed00:  410fc241    |A..A|\n", Some(0x410f_c241)),
            ("Could not read memory at 0xE000ED00\n", None),
            ("invalid command name \"mdw\"", None),
            ("", None),
        ] {
            assert_eq!(value(text, u64::from(CPUID.0)), expected, "{text}");
        }
    }
}
