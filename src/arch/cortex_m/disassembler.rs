//! Instructions as text, by the crate `capstone`: Thumb with all that Armv8-M Mainline and its FPU have.
//!
//! What it does not know (the vector extension of Armv8.1-M) is given as numbers.

use capstone::Capstone;
use capstone::arch::BuildsCapstone as _;
use capstone::arch::BuildsCapstoneExtraMode as _;
use capstone::arch::arm::{ArchExtraMode, ArchMode};

use crate::base::Address;

/// Turns instructions into text.
#[derive(Debug)]
pub struct Disassembler(Capstone);

impl Disassembler {
    /// `None` when the library cannot be set up.
    pub fn new() -> Option<Disassembler> {
        let extra = [ArchExtraMode::MClass, ArchExtraMode::V8];
        let builder = Capstone::new().arm().mode(ArchMode::Thumb).extra_mode(extra.into_iter());
        builder.build().ok().map(Disassembler)
    }

    /// The instructions in `code`, which stands at `at` and begins outside any IT block: where each
    /// begins and what it is.
    pub fn disassemble(&self, code: &[u8], at: Address) -> Vec<(Address, String)> {
        let mut found = Vec::new();
        let (mut rest, mut here) = (code, at);
        loop {
            let known = self.0.disasm_all(rest, u64::from(here.0));
            for instruction in known.iter().flat_map(|known| known.iter()) {
                let mnemonic = instruction.mnemonic().unwrap_or_default();
                let text = format!("{mnemonic} {}", instruction.op_str().unwrap_or_default());
                found.push((here, text.trim_end().to_string()));
                advance(&mut rest, &mut here, instruction.bytes().len());
            }
            // What it stopped at, if that is not the end.
            let Some((first, behind)) = rest.split_first_chunk() else { return found };
            let first = u16::from_le_bytes(*first);
            match behind.first_chunk().filter(|_| is_wide(first)) {
                Some(second) => {
                    let second = u16::from_le_bytes(*second);
                    found.push((here, format!(".inst.w 0x{first:04x}{second:04x}")));
                    advance(&mut rest, &mut here, 4);
                }
                None => {
                    found.push((here, format!(".inst.n 0x{first:04x}")));
                    advance(&mut rest, &mut here, 2);
                }
            }
        }
    }
}

fn advance(rest: &mut &[u8], here: &mut Address, length: usize) {
    *rest = rest.get(length..).unwrap_or(&[]);
    *here = here.wrapping_add(length as i64);
}

/// Whether an instruction with this first halfword has a second. DDI 0403E A5.1.
pub fn is_wide(first: u16) -> bool {
    first >> 11 >= 0b11101
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disassembled(halves: &[u16]) -> Vec<(u32, String)> {
        let code: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        let found = Disassembler::new().unwrap().disassemble(&code, Address(0x1000));
        found.into_iter().map(|(at, text)| (at.0, text)).collect()
    }

    // Encodings by arm-none-eabi-as.
    #[test]
    fn instructions_of_every_kind_are_text() {
        let cases: [(&[u16], &str); 9] = [
            (&[0x6818], "ldr r0, [r3]"),
            (&[0xf8d3, 0x200c], "ldr.w r2, [r3, #0xc]"),
            (&[0xf7ff, 0xfffe], "bl #0x1000"),
            (&[0xfbb2, 0xf3f3], "udiv r3, r2, r3"),
            (&[0xed2d, 0x8b02], "vpush {d8}"),
            (&[0xee77, 0x7a87], "vadd.f32 s15, s15, s14"),
            (&[0xf380, 0x8811], "msr basepri, r0"),
            (&[0xe97f, 0xe97f], "sg"),
            (&[0xde00], "udf #0"),
        ];
        for (code, text) in cases {
            assert_eq!(disassembled(code), [(0x1000, text.to_string())]);
        }
        // ite eq; moveq r0, #1; movne r0, #0
        let block = disassembled(&[0xbf0c, 0x2001, 0x2000]);
        assert_eq!(block[1].1, "moveq r0, #1");
        assert_eq!(block[2].1, "movne r0, #0");
    }

    #[test]
    fn what_is_not_known_is_a_number_and_does_not_end_the_list() {
        let found = disassembled(&[0xffff, 0xffff, 0xbf00, 0xf8d3]);
        let expected =
            [(0x1000, ".inst.w 0xffffffff"), (0x1004, "nop"), (0x1006, ".inst.n 0xf8d3")];
        assert_eq!(found, expected.map(|(at, text)| (at, text.to_string())));
    }
}
