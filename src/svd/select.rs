//! Where the registers are that somebody names: `UART0`, `UART0.DR`.

use super::{SvdError, walk};
use crate::base::AddressRange;

/// Names that are told when one is not found.
const SUGGESTED: usize = 6;

/// The registers that a name stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// What to read, lowest address first; each in one access.
    pub registers: Vec<AddressRange>,
    /// Registers that are left out because reading them changes something, with their peripheral:
    /// `UART0.DR`. They are read when they are named themselves.
    pub left_out: Vec<String>,
    /// Names that stand for nothing, each with similar ones.
    pub unknown: Vec<(String, Vec<String>)>,
}

/// The registers of the device in `text` that `names` stand for: those of a peripheral, or a
/// single one. Upper and lower case are the same.
///
/// # Errors
/// [`SvdError`] when `text` is not a CMSIS-SVD file.
pub fn select(text: &str, names: &[String]) -> Result<Selected, SvdError> {
    let (found, _) = walk(text, |_, register| {
        let size = u64::from(register.size / 8);
        let range = AddressRange::new(register.address, size)?;
        Some((register.name, range, register.read_action))
    })?;
    let mut selected = Selected::default();
    for wanted in names {
        let mut known = false;
        for peripheral in &found {
            let whole = wanted.eq_ignore_ascii_case(&peripheral.name);
            known |= whole;
            for (name, range, read_action) in &peripheral.registers {
                let name = format!("{}.{name}", peripheral.name);
                let named = wanted.eq_ignore_ascii_case(&name);
                known |= named;
                if named || (whole && !read_action) {
                    selected.registers.push(*range);
                } else if whole {
                    selected.left_out.push(name);
                }
            }
        }
        if !known {
            let registers = |name: &str| {
                let of = found.iter().find(|found| found.name.eq_ignore_ascii_case(name));
                let list = of.map_or(&[][..], |found| &found.registers);
                list.iter().map(|(register, ..)| format!("{name}.{register}")).collect::<Vec<_>>()
            };
            let mut all = match wanted.split_once('.') {
                Some((peripheral, _)) => registers(peripheral),
                None => found.iter().map(|found| found.name.clone()).collect(),
            };
            if all.is_empty() {
                all = found.iter().map(|found| found.name.clone()).collect();
            }
            // Those that share the longest beginning.
            all.sort_by_key(|name| std::cmp::Reverse(shared(name, wanted)));
            all.truncate(SUGGESTED);
            selected.unknown.push((wanted.clone(), all));
        }
    }
    selected.left_out.retain(|name| !names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)));
    // The larger of two views of the same bytes holds both.
    selected.registers.sort_by_key(|range| (range.start(), std::cmp::Reverse(range.size())));
    selected.registers.dedup_by(|next, last| next.end() <= last.end());
    Ok(selected)
}

/// How many characters two names share from their beginnings on.
fn shared(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b));
    same.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Address;

    const DEVICE: &str = "<device><size>32</size><peripherals>\
        <peripheral><name>UART0</name><baseAddress>0x40004000</baseAddress><registers>\
        <register><name>DATA</name><addressOffset>0</addressOffset><readAction>modify</readAction></register>\
        <register><name>STATE</name><addressOffset>4</addressOffset></register>\
        <register><name>KEY</name><addressOffset>8</addressOffset><access>write-only</access></register>\
        <register><name>IRQ</name><addressOffset>0xc</addressOffset><fields>\
        <field><name>TX</name><bitRange>[0:0]</bitRange><readAction>clear</readAction></field></fields></register>\
        <register><name>LOW</name><size>8</size><addressOffset>0x10</addressOffset></register>\
        <register><name>ALL</name><size>16</size><addressOffset>0x10</addressOffset></register>\
        </registers></peripheral>\
        <peripheral derivedFrom='UART0'><name>UART1</name><baseAddress>0x40005000</baseAddress></peripheral>\
        </peripherals></device>";

    fn of(names: &[&str]) -> Selected {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        select(DEVICE, &names).unwrap()
    }

    fn range(start: u32, size: u64) -> AddressRange {
        AddressRange::new(Address(start), size).unwrap()
    }

    #[test]
    fn peripheral_leaves_out_what_reading_changes() {
        let selected = of(&["uart1"]);
        assert_eq!(selected.registers, [range(0x4000_5004, 4), range(0x4000_5010, 2)]);
        assert_eq!(selected.left_out, ["UART1.DATA", "UART1.IRQ"]);
        assert_eq!(selected.unknown, []);
    }

    #[test]
    fn register_that_is_named_is_read_whatever_that_changes() {
        let selected = of(&["UART0", "UART0.IRQ"]);
        let expected = [range(0x4000_4004, 4), range(0x4000_400c, 4), range(0x4000_4010, 2)];
        assert_eq!(selected.registers, expected);
        assert_eq!(selected.left_out, ["UART0.DATA"]);
    }

    #[test]
    fn unknown_names_are_told_with_similar_ones() {
        let selected = of(&["UARTX", "UART1.STATUS", "GPIO.OUT"]);
        assert_eq!(selected.registers, []);
        let [(first, uarts), (second, registers), (third, others)] = &selected.unknown[..] else {
            panic!("{selected:?}")
        };
        assert_eq!((&**first, &**second, &**third), ("UARTX", "UART1.STATUS", "GPIO.OUT"));
        assert_eq!(uarts, &["UART0", "UART1"]);
        assert_eq!(registers.first().map(String::as_str), Some("UART1.STATE"));
        assert_eq!(others.len(), 2);
    }
}
