//! Where each register stands in the server's replies: from its target description, or by habit.

use super::xml::tags;
use crate::base::hex;
use crate::snapshot::{Register, RegisterSet};

/// Registers of a description beyond this number are left out.
const MAX_REGISTERS: usize = 1024;

/// What a numbered register of the server means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Single(Register),
    /// A double-precision register: its two halves.
    Double(Register, Register),
    /// Nothing we keep.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    number: u32,
    /// Bytes on the wire.
    size: usize,
    meaning: Meaning,
}

/// The registers of a server, by ascending number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    entries: Vec<Entry>,
}

impl Layout {
    /// From `documents`: the target description and what it includes, in the order of inclusion.
    pub(super) fn parse(document: &str) -> Layout {
        let mut layout = Layout::default();
        let mut next = 0_u32;
        for tag in tags(document).filter(|tag| tag.name == "reg") {
            // Without a number, a register follows the one before it.
            let number = tag.number("regnum").and_then(|n| u32::try_from(n).ok()).unwrap_or(next);
            next = number.saturating_add(1);
            let bits = tag.number("bitsize").unwrap_or(32).clamp(1, 1024);
            let size = usize::try_from(bits.div_ceil(8)).unwrap_or(4);
            let meaning = meaning(tag.attribute("name").unwrap_or_default(), size);
            if layout.entries.len() < MAX_REGISTERS {
                layout.entries.push(Entry { number, size, meaning });
            }
        }
        layout.entries.sort_by_key(|entry| entry.number);
        layout.entries.dedup_by_key(|entry| entry.number);
        layout
    }

    /// What servers without a description send: r0 to pc, then xpsr right behind or after the
    /// eight 96-bit registers of the FPA, an old coprocessor, and its status word.
    pub(super) fn standard(reply_bytes: usize) -> Layout {
        let mut entries: Vec<Entry> = (0..16)
            .filter_map(|number| {
                let meaning = Meaning::Single(Register::core(number)?);
                Some(Entry { number: u32::from(number), size: 4, meaning })
            })
            .collect();
        if reply_bytes >= 168 {
            let other = |number, size| Entry { number, size, meaning: Meaning::Other };
            entries.extend((16..24).map(|number| other(number, 12)));
            entries.push(other(24, 4));
        }
        let meaning = Meaning::Single(Register::XPSR);
        entries.push(Entry { number: 25, size: 4, meaning });
        Layout { entries }
    }

    /// Whether `register` is among them.
    pub(super) fn has(&self, register: Register) -> bool {
        self.entries.iter().any(|entry| entry.meaning == Meaning::Single(register))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes the registers of a `g` reply; gives the numbers that lie beyond its end and are
    /// worth asking for one by one.
    pub(super) fn slice(&self, reply: &[u8], set: &mut RegisterSet) -> Vec<u32> {
        let mut rest = reply;
        let mut beyond = Vec::new();
        for entry in &self.entries {
            let digits = entry.size.saturating_mul(2);
            // Once the reply has ended, nothing of it belongs to a later register.
            match rest.split_at_checked(digits).filter(|_| beyond.is_empty()) {
                Some((value, after)) => {
                    entry.store(value, set);
                    rest = after;
                }
                None => {
                    rest = &[];
                    beyond.push(entry);
                }
            }
        }
        beyond.into_iter().filter(|e| e.meaning != Meaning::Other).map(|e| e.number).collect()
    }

    /// Takes the reply to `p` for register `number`.
    pub(super) fn store(&self, number: u32, reply: &[u8], set: &mut RegisterSet) {
        if let Some(entry) = self.entries.iter().find(|entry| entry.number == number) {
            entry.store(reply, set);
        }
    }
}

impl Entry {
    /// Stores digits, least significant byte first. `xx` is how servers say "not available".
    fn store(&self, digits: &[u8], set: &mut RegisterSet) {
        let Some(bytes) = hex::decode(digits).filter(|bytes| bytes.len() >= self.size) else {
            return;
        };
        let word = |from: usize| {
            let mut word = [0; 4];
            for (to, byte) in word.iter_mut().zip(bytes.iter().skip(from)) {
                *to = *byte;
            }
            u32::from_le_bytes(word)
        };
        match self.meaning {
            Meaning::Single(register) => set.set(register, word(0)),
            Meaning::Double(low, high) => {
                set.set(low, word(0));
                set.set(high, word(4));
            }
            Meaning::Other => {}
        }
    }
}

fn meaning(name: &str, size: usize) -> Meaning {
    let name = name.to_ascii_lowercase();
    let register = match name.as_str() {
        "r13" => Some(Register::SP),
        "r14" => Some(Register::LR),
        "r15" => Some(Register::PC),
        // Old servers describe a Cortex-M like a classic Arm.
        "cpsr" => Some(Register::XPSR),
        _ => Register::from_name(&name),
    };
    if let Some(register) = register.filter(|_| size <= 4) {
        return Meaning::Single(register);
    }
    let double = name.strip_prefix('d').and_then(|number| number.parse::<u8>().ok());
    let halves = double.filter(|number| *number < 16 && size == 8).and_then(|number| {
        let low = number.checked_mul(2)?;
        Some((Register::single(low)?, Register::single(low.checked_add(1)?)?))
    });
    halves.map_or(Meaning::Other, |(low, high)| Meaning::Double(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(values: impl IntoIterator<Item = u32>) -> Vec<u8> {
        values.into_iter().flat_map(|v| hex::encode(&v.to_le_bytes()).into_bytes()).collect()
    }

    fn core_xml() -> String {
        let mut xml = String::from("<target><feature name='org.gnu.gdb.arm.m-profile'>");
        for name in ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11"] {
            xml.push_str(&format!("<reg name='{name}' bitsize='32'/>"));
        }
        xml.push_str("<reg name='r12' bitsize='32'/><reg name='sp' bitsize='32'/>");
        xml.push_str("<reg name='lr' bitsize='32'/><reg name='pc' bitsize='32'/>");
        xml.push_str("<reg name='xPSR' bitsize='32' regnum='25'/>");
        xml
    }

    #[test]
    fn description_with_small_registers_and_doubles() {
        let xml = core_xml()
            + "<reg name='d0' bitsize='64'/><reg name='msp' bitsize='32' regnum='40'/>
               <reg name='control' bitsize='3'/><reg name='secret' bitsize='32'/>
               <reg name='primask' bitsize='1'/><reg name='d31' bitsize='64'/>";
        let layout = Layout::parse(&xml);
        let mut set = RegisterSet::default();
        let beyond = layout.slice(&words((0..17).map(|n| n + 0x100)), &mut set);
        assert_eq!(set.pc(), Some(0x10f));
        assert_eq!(set.get(Register::XPSR), Some(0x110));
        assert_eq!(beyond, [26, 40, 41, 43]);
        layout.store(26, b"0100000002000000", &mut set);
        layout.store(41, b"03", &mut set);
        layout.store(43, b"xx", &mut set);
        layout.store(99, b"00000000", &mut set);
        assert_eq!(set.double(0), Some(0x2_0000_0001));
        assert_eq!(set.get(Register::CONTROL), Some(3));
        assert_eq!(set.get(Register::PRIMASK), None);
    }

    #[test]
    fn long_reply_is_sliced_in_order_of_numbers() {
        let xml = core_xml() + "<reg name='psp' bitsize='32' regnum='18'/>";
        let layout = Layout::parse(&xml);
        let mut set = RegisterSet::default();
        assert_eq!(layout.slice(&words(0..18), &mut set), [0; 0]);
        assert_eq!(set.get(Register::PSP), Some(16));
        assert_eq!(set.get(Register::XPSR), Some(17));
    }

    #[test]
    fn unavailable_register_stays_unknown() {
        let layout = Layout::parse(&core_xml());
        let mut reply = words(0..17);
        reply[8..16].copy_from_slice(b"xxxxxxxx");
        let mut set = RegisterSet::default();
        layout.slice(&reply, &mut set);
        assert_eq!(set.core(0), Some(0));
        assert_eq!(set.core(1), None);
        assert_eq!(set.core(2), Some(2));
    }

    #[test]
    fn standard_forms_without_description() {
        for (reply, psr) in
            [(words(0..17), Some(16)), (words(0..16), None), (words(0..42), Some(41))]
        {
            let mut set = RegisterSet::default();
            Layout::standard(reply.len() / 2).slice(&reply, &mut set);
            assert_eq!(set.pc(), Some(15));
            assert_eq!(set.get(Register::XPSR), psr);
        }
    }

    #[test]
    fn absurd_descriptions_stay_bounded() {
        let many: String =
            (0..5000).map(|n| format!("<reg name='r{n}' bitsize='99999'/>")).collect();
        assert_eq!(Layout::parse(&many).entries.len(), MAX_REGISTERS);
        assert!(Layout::parse("<reg regnum='99999999999' bitsize='-3'/>").entries.len() == 1);
    }
}
