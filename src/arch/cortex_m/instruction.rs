//! What the instruction at a crash was about to do: the memory it accessed, through which register.
//!
//! Decodes the few kinds of Thumb instructions that fault, not all of them: loads, stores,
//! divisions, traps and indirect branches. Source: Armv7-M ARM (DDI 0403E) A5.2, A5.3, A7.7.

use crate::base::{Address, Memory};
use crate::snapshot::{Register, RegisterSet};

/// An instruction that can fault by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// A load or a store.
    Access(Access),
    /// SDIV or UDIV.
    Divide {
        /// Number of the register that holds the divisor.
        divisor: u8,
    },
    /// UDF, or an encoding that is undefined for ever.
    Undefined,
    /// BKPT.
    Breakpoint,
    /// SVC with its number.
    SupervisorCall(u8),
    /// BX or BLX with a register.
    IndirectBranch {
        /// Number of the register that holds the target.
        target: u8,
    },
    /// Anything else.
    Other,
}

/// A load or a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether it writes.
    pub store: bool,
    /// Number of the register that the address is made from; 15 is PC.
    pub base: u8,
    /// Number of the register that is added to it, shifted or not.
    pub index: Option<u8>,
    /// Lowest address that is accessed, when the registers it is made from are known.
    pub address: Option<Address>,
    /// Bytes that are accessed.
    pub size: u32,
    /// Alignment in bytes that the core demands whatever CCR says; 1 for none. Armv6-M demands the
    /// natural one of every access (DDI 0419 A3.2.1).
    pub alignment: u32,
}

/// Decodes the instruction at `pc` with the register values it would see. `None` when its bytes
/// cannot be read.
pub fn decode(memory: &dyn Memory, pc: Address, registers: &RegisterSet) -> Option<Instruction> {
    let first = memory.read_u16(pc).ok()?;
    if first >> 11 < 0b11101 {
        return Some(narrow(first, pc, registers));
    }
    let second = memory.read_u16(pc.checked_add(2)?).ok()?;
    Some(wide(first, second, pc, registers))
}

/// The value of register `number` as an operand: PC reads as the instruction plus 4.
fn operand(registers: &RegisterSet, number: u8, pc: Address) -> Option<u32> {
    if number == 15 { Some(pc.0.wrapping_add(4) & !3) } else { registers.core(number) }
}

fn access(store: bool, base: u8, address: Option<u32>, size: u32, alignment: u32) -> Instruction {
    let address = address.map(Address);
    Instruction::Access(Access { store, base, index: None, address, size, alignment })
}

/// An access whose address is the sum of two registers.
fn indexed(store: bool, base: u8, index: u8, address: Option<u32>, size: u32) -> Instruction {
    let address = address.map(Address);
    Instruction::Access(Access { store, base, index: Some(index), address, size, alignment: 1 })
}

fn narrow(code: u16, pc: Address, registers: &RegisterSet) -> Instruction {
    let field = |shift: u16| (code >> shift & 7) as u8;
    let imm5 = u32::from(code >> 6 & 0x1f);
    let value = |number: u8| operand(registers, number, pc);
    let plus = |base: u8, offset: u32| value(base).map(|base| base.wrapping_add(offset));
    match code {
        // LDR Rt, [PC, #imm8 * 4]
        0x4800..=0x4fff => access(false, 15, plus(15, u32::from(code & 0xff) * 4), 4, 4),
        // STR, STRH, STRB, LDRSB, LDR, LDRH, LDRB, LDRSH with a register offset
        0x5000..=0x5fff => {
            let size = match code >> 9 & 7 {
                0 | 4 => 4,
                1 | 5 | 7 => 2,
                _ => 1,
            };
            let address = value(field(3)).zip(value(field(6))).map(|(a, b)| a.wrapping_add(b));
            indexed(code < 0x5600, field(3), field(6), address, size)
        }
        0x6000..=0x6fff => access(code < 0x6800, field(3), plus(field(3), imm5 * 4), 4, 1),
        0x7000..=0x7fff => access(code < 0x7800, field(3), plus(field(3), imm5), 1, 1),
        0x8000..=0x8fff => access(code < 0x8800, field(3), plus(field(3), imm5 * 2), 2, 1),
        // STR and LDR relative to SP
        0x9000..=0x9fff => access(code < 0x9800, 13, plus(13, u32::from(code & 0xff) * 4), 4, 1),
        // PUSH, POP
        0xb400..=0xb5ff => {
            let size = 4 * ((code & 0xff).count_ones() + u32::from(code >> 8 & 1));
            access(true, 13, plus(13, size.wrapping_neg()), size, 4)
        }
        0xbc00..=0xbdff => {
            let size = 4 * ((code & 0xff).count_ones() + u32::from(code >> 8 & 1));
            access(false, 13, plus(13, 0), size, 4)
        }
        // STM, LDM
        0xc000..=0xcfff => {
            let base = (code >> 8 & 7) as u8;
            access(code < 0xc800, base, plus(base, 0), 4 * (code & 0xff).count_ones(), 4)
        }
        0x4700..=0x47ff => Instruction::IndirectBranch { target: (code >> 3 & 0xf) as u8 },
        0xbe00..=0xbeff => Instruction::Breakpoint,
        0xde00..=0xdeff => Instruction::Undefined,
        0xdf00..=0xdfff => Instruction::SupervisorCall((code & 0xff) as u8),
        _ => Instruction::Other,
    }
}

fn wide(first: u16, second: u16, pc: Address, registers: &RegisterSet) -> Instruction {
    let base = (first & 0xf) as u8;
    let value = |number: u8| operand(registers, number, pc);
    let plus = |offset: u32| value(base).map(|base| base.wrapping_add(offset));
    let signed = |up: bool, offset: u32| if up { offset } else { offset.wrapping_neg() };
    match first {
        // UDF.W
        0xf7f0..=0xf7ff if second & 0xf000 == 0xa000 => Instruction::Undefined,
        // SDIV, UDIV
        0xfb90..=0xfb9f | 0xfbb0..=0xfbbf => Instruction::Divide { divisor: (second & 0xf) as u8 },
        // STMIA, LDMIA, STMDB, LDMDB
        0xe880..=0xe8bf | 0xe900..=0xe93f => {
            let size = 4 * second.count_ones();
            let down = first & 0x0100 != 0;
            let offset = if down { size.wrapping_neg() } else { 0 };
            access(first & 0x10 == 0, base, plus(offset), size, 4)
        }
        // LDREX, STREX and table branches keep to themselves; LDRD and STRD by P or W.
        0xe840..=0xe87f | 0xe8c0..=0xe8ff | 0xe940..=0xe97f | 0xe9c0..=0xe9ff
            if first & 0x0120 != 0 =>
        {
            let indexed = first & 0x0100 != 0;
            let offset = signed(first & 0x80 != 0, u32::from(second & 0xff) * 4);
            access(first & 0x10 == 0, base, plus(if indexed { offset } else { 0 }), 8, 4)
        }
        // STR*, LDR* with a word, halfword or byte
        0xf800..=0xf9ff => single(first, second, base, &value),
        // VSTR, VLDR, VSTM, VLDM
        0xec00..=0xedff if matches!(second >> 8 & 0xe, 0xa) => {
            let words = u32::from(second & 0xff);
            let transfer_one = first & 0x0120 == 0x0100;
            let double = second & 0x0100 != 0;
            let (offset, size) = if transfer_one {
                (signed(first & 0x80 != 0, words * 4), if double { 8 } else { 4 })
            } else if first & 0x0100 != 0 {
                ((words * 4).wrapping_neg(), words * 4)
            } else {
                (0, words * 4)
            };
            access(first & 0x10 == 0, base, plus(offset), size, 4)
        }
        _ => Instruction::Other,
    }
}

/// LDR, STR and their byte and halfword forms. DDI 0403E A5.3.7 to A5.3.10.
fn single(first: u16, second: u16, base: u8, value: &dyn Fn(u8) -> Option<u32>) -> Instruction {
    let size = match first >> 5 & 3 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => return Instruction::Other,
    };
    let long_form = first & 0x80 != 0;
    let offset = if base == 15 {
        let offset = u32::from(second & 0xfff);
        Some(if long_form { offset } else { offset.wrapping_neg() })
    } else if long_form {
        Some(u32::from(second & 0xfff))
    } else if second & 0x0800 == 0 {
        let (index, shift) = ((second & 0xf) as u8, u32::from(second >> 4 & 3));
        let address = value(base).zip(value(index)).map(|(a, b)| a.wrapping_add(b << shift));
        return indexed(first & 0x10 == 0, base, index, address, size);
    } else {
        let offset = u32::from(second & 0xff);
        let (indexed, up) = (second & 0x0400 != 0, second & 0x0200 != 0);
        Some(match (indexed, up) {
            (false, _) => 0,
            (true, true) => offset,
            (true, false) => offset.wrapping_neg(),
        })
    };
    let address = value(base).zip(offset).map(|(base, offset)| base.wrapping_add(offset));
    access(first & 0x10 == 0, base, address, size, 1)
}

/// The name of register `number` as the manual writes it in assembly.
pub fn register_name(number: u8) -> &'static str {
    Register::core(number).map_or("?", Register::name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    fn decoded(halfwords: &[u16]) -> Instruction {
        let mut memory = MemoryImage::default();
        let bytes = halfwords.iter().flat_map(|code| code.to_le_bytes()).collect();
        memory.insert(Address(0x100), bytes).unwrap();
        let registers: RegisterSet =
            (0..15).map(|n| (Register::core(n).unwrap(), 0x1000 * (u32::from(n) + 1))).collect();
        decode(&memory, Address(0x100), &registers).unwrap()
    }

    #[track_caller]
    fn check(halfwords: &[u16], store: bool, base: u8, address: u32, size: u32) {
        match decoded(halfwords) {
            Instruction::Access(a) => {
                assert_eq!(
                    (a.store, a.base, a.address, a.size),
                    (store, base, Some(Address(address)), size)
                );
            }
            other => panic!("{other:?}"),
        }
    }

    // Expected values: arm-none-eabi-as and objdump on the instructions in the comments.
    #[test]
    fn accesses_have_the_right_base_address_and_size() {
        check(&[0x6813], false, 2, 0x3000, 4); // ldr r3, [r2]
        check(&[0x6053], true, 2, 0x3004, 4); // str r3, [r2, #4]
        check(&[0x5c53], false, 2, 0x3000 + 0x2000, 1); // ldrb r3, [r2, r1]
        check(&[0x8813], false, 2, 0x3000, 2); // ldrh r3, [r2]
        check(&[0x9b01], false, 13, 0xe004, 4); // ldr r3, [sp, #4]
        check(&[0xb5f0], true, 13, 0xe000 - 20, 20); // push {r4-r7, lr}
        check(&[0xe9d2, 0x3401], false, 2, 0x3004, 8); // ldrd r3, r4, [r2, #4]
        check(&[0xe942, 0x3402], true, 2, 0x3000 - 8, 8); // strd r3, r4, [r2, #-8]
        check(&[0xf8d2, 0x3010], false, 2, 0x3010, 4); // ldr.w r3, [r2, #16]
        check(&[0xf852, 0x3c04], false, 2, 0x3000 - 4, 4); // ldr r3, [r2, #-4]
        check(&[0xf852, 0x3021], false, 2, 0x3000 + 0x8000, 4); // ldr.w r3, [r2, r1, lsl #2]
        check(&[0xed92, 0x7a01], false, 2, 0x3004, 4); // vldr s14, [r2, #4]
        check(&[0xe92d, 0x41f0], true, 13, 0xe000 - 24, 24); // push.w {r4-r8, lr}
    }

    #[test]
    fn index_register_is_told_where_there_is_one() {
        let index = |code: &[u16]| match decoded(code) {
            Instruction::Access(access) => access.index,
            other => panic!("{other:?}"),
        };
        assert_eq!(index(&[0x5c53]), Some(1)); // ldrb r3, [r2, r1]
        assert_eq!(index(&[0xf852, 0x3021]), Some(1)); // ldr.w r3, [r2, r1, lsl #2]
        assert_eq!(index(&[0x6813]), None); // ldr r3, [r2]
    }

    #[test]
    fn traps_divisions_and_branches_are_told_apart() {
        assert_eq!(decoded(&[0xde00]), Instruction::Undefined);
        assert_eq!(decoded(&[0xf7f0, 0xa000]), Instruction::Undefined);
        assert_eq!(decoded(&[0xdf02]), Instruction::SupervisorCall(2));
        assert_eq!(decoded(&[0x4798]), Instruction::IndirectBranch { target: 3 });
        assert_eq!(decoded(&[0xfb93, 0xf3f2]), Instruction::Divide { divisor: 2 });
        assert_eq!(decoded(&[0xbe00]), Instruction::Breakpoint);
        assert_eq!(decoded(&[0xbf00]), Instruction::Other);
    }
}
