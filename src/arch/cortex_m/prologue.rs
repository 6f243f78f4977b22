//! What Thumb code has pushed between a function's start and an address inside it.
//!
//! Used where there is no unwind table: hand-written handlers and stripped libraries. The scan
//! goes straight through the code and does not follow branches, so its result is a guess that
//! callers must mark as one. Source: Armv7-M ARM (DDI 0403E) A7.7.

use super::immediate::{expand_immediate, plain_immediate};
use crate::base::{Address, Memory};

/// Longest stretch of code that is looked at, in bytes.
const SCAN_LIMIT: u32 = 4096;

/// The stack frame that a function has built so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackEffect {
    /// Bytes between SP now and SP at the function's start.
    pub depth: u32,
    /// Saved core registers: number, and depth of the word (SP at start minus its address).
    pub saved: Vec<(u8, u32)>,
}

impl StackEffect {
    /// Follows the code from `start` up to, and without, `pc`.
    /// `None` when the code cannot be read or `pc` lies too far from `start`.
    pub fn scan(memory: &dyn Memory, start: Address, pc: Address) -> Option<StackEffect> {
        let length = pc.0.checked_sub(start.0)?;
        if length > SCAN_LIMIT {
            return None;
        }
        let mut effect = StackEffect::default();
        // The frame of the function's body: code behind a return is reached by a branch from it.
        let mut body = StackEffect::default();
        let mut at = start;
        while at < pc {
            let first = memory.read_u16(at).ok()?;
            let wide = first >> 11 >= 0b11101;
            let second = if wide { memory.read_u16(at.checked_add(2)?).ok()? } else { 0 };
            if wide {
                effect.wide(first, second)
            } else {
                effect.narrow(first)
            }
            if effect.depth > body.depth {
                body = effect.clone();
            }
            if is_return(first, second) {
                effect = body.clone();
            }
            at = at.checked_add(if wide { 4 } else { 2 })?;
        }
        Some(effect)
    }

    fn narrow(&mut self, code: u16) {
        let low = u32::from(code & 0xff);
        match code {
            // PUSH {list, lr}
            0xb400..=0xb5ff => self.push(low | (u32::from(code) >> 8 & 1) << 14),
            // SUB SP, #imm
            0xb080..=0xb0ff => self.lower((low & 0x7f) * 4),
            // ADD SP, #imm
            0xb000..=0xb07f => self.raise((low & 0x7f) * 4),
            // POP {list, pc}
            0xbc00..=0xbdff => self.raise((low.count_ones() + u32::from(code >> 8 & 1)) * 4),
            _ => {}
        }
    }

    fn wide(&mut self, first: u16, second: u16) {
        let list = u32::from(second);
        match first {
            // STMDB SP!, {list}, which is PUSH.W
            0xe92d => self.push(list & 0x5fff),
            // LDMIA SP!, {list}, which is POP.W
            0xe8bd => self.raise(list.count_ones() * 4),
            // STR Rt, [SP, #-4]!
            0xf84d if second & 0x0fff == 0x0d04 => self.push(1 << (second >> 12)),
            // VPUSH: the low byte counts words.
            0xed2d | 0xed6d if matches!(second >> 8 & 0xf, 0xa | 0xb) => {
                self.lower((list & 0xff) * 4);
            }
            // VPOP
            0xecbd | 0xecfd if matches!(second >> 8 & 0xf, 0xa | 0xb) => {
                self.raise((list & 0xff) * 4);
            }
            // SUB.W SP, SP, #const and SUBW SP, SP, #imm12
            0xf1ad | 0xf5ad if second & 0x8f00 == 0x0d00 => {
                self.lower(expand_immediate(first, second));
            }
            0xf2ad | 0xf6ad if second & 0x8f00 == 0x0d00 => {
                self.lower(plain_immediate(first, second))
            }
            // ADD.W SP, SP, #const and ADDW SP, SP, #imm12
            0xf10d | 0xf50d if second & 0x8f00 == 0x0d00 => {
                self.raise(expand_immediate(first, second));
            }
            0xf20d | 0xf60d if second & 0x8f00 == 0x0d00 => {
                self.raise(plain_immediate(first, second))
            }
            _ => {}
        }
    }

    /// Pushes the registers in `list` (bit n is rn); the lowest number gets the lowest address.
    fn push(&mut self, list: u32) {
        self.lower(list.count_ones() * 4);
        let mut depth = self.depth;
        for number in 0..16u8 {
            if list >> number & 1 == 1 {
                if !self.saved.iter().any(|(known, _)| *known == number) {
                    self.saved.push((number, depth));
                }
                depth = depth.saturating_sub(4);
            }
        }
    }

    fn lower(&mut self, bytes: u32) {
        self.depth = self.depth.saturating_add(bytes);
    }

    fn raise(&mut self, bytes: u32) {
        self.depth = self.depth.saturating_sub(bytes);
        self.saved.retain(|(_, depth)| *depth <= self.depth);
    }
}

/// BX LR, POP {…, pc}, LDM SP!, {…, pc}.
fn is_return(first: u16, second: u16) -> bool {
    first == 0x4770
        || (0xbd00..=0xbdff).contains(&first)
        || (first == 0xe8bd && second & 0x8000 != 0)
}

/// Whether the instruction just before `return_address` (Thumb bit clear) is a call:
/// BL, or BLX with a register.
pub fn follows_call(memory: &dyn Memory, return_address: Address) -> bool {
    let word = |back: u32| memory.read_u16(return_address.checked_sub(back)?).ok();
    let bl = || {
        word(4).is_some_and(|code| code & 0xf800 == 0xf000)
            && word(2).is_some_and(|code| code & 0xd000 == 0xd000)
    };
    call_register(memory, return_address).is_some() || bl()
}

/// The register of the BLX just before `return_address` (Thumb bit clear). DDI 0403E A7.7.19.
pub fn call_register(memory: &dyn Memory, return_address: Address) -> Option<u8> {
    let code = memory.read_u16(return_address.checked_sub(2)?).ok()?;
    (code & 0xff87 == 0x4780).then_some((code >> 3 & 0xf) as u8)
}

/// Where the BL just before `return_address` (Thumb bit clear) leads to; `None` when there is
/// another instruction. DDI 0403E A7.7.18, encoding T1.
pub fn call_target(memory: &dyn Memory, return_address: Address) -> Option<Address> {
    let first = u32::from(memory.read_u16(return_address.checked_sub(4)?).ok()?);
    let second = u32::from(memory.read_u16(return_address.checked_sub(2)?).ok()?);
    if first & 0xf800 != 0xf000 || second & 0xd000 != 0xd000 {
        return None;
    }
    let s = first >> 10 & 1;
    let i1 = !(second >> 13 ^ s) & 1;
    let i2 = !(second >> 11 ^ s) & 1;
    let offset = s << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1;
    // Sign extension from bit 24.
    let offset = ((offset << 7) as i32) >> 7;
    Some(return_address.wrapping_add(i64::from(offset)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    fn code(halfwords: &[u16]) -> MemoryImage {
        let mut memory = MemoryImage::default();
        let bytes = halfwords.iter().flat_map(|code| code.to_le_bytes()).collect();
        memory.insert(Address(0x100), bytes).unwrap();
        memory
    }

    fn scan(halfwords: &[u16]) -> StackEffect {
        let end = Address(0x100 + 2 * halfwords.len() as u32);
        StackEffect::scan(&code(halfwords), Address(0x100), end).unwrap()
    }

    #[test]
    fn zephyr_like_handler_pushes_are_followed() {
        // mrs r0, msp; mrs r1, psp; push {r0, lr}; mov r2, lr; bl …
        let effect = scan(&[0xf3ef, 0x8008, 0xf3ef, 0x8109, 0xb501, 0x4672, 0xf000, 0xf800]);
        assert_eq!(effect.depth, 8);
        assert_eq!(effect.saved, [(0, 8), (14, 4)]);
    }

    #[test]
    fn wide_pushes_float_pushes_and_big_frames_are_followed() {
        // push.w {r4-r9, lr}; vpush {d8, d9}; sub.w sp, sp, #0x400; sub sp, #8
        let effect = scan(&[0xe92d, 0x43f0, 0xed2d, 0x8b04, 0xf5ad, 0x6d80, 0xb082]);
        assert_eq!(effect.depth, 28 + 16 + 0x400 + 8);
        assert!(effect.saved.contains(&(14, 4)) && effect.saved.contains(&(4, 28)));
    }

    #[test]
    fn code_behind_an_early_return_has_the_frame_of_the_body() {
        // push {r4, lr}; … pop {r4, pc}; nop
        let effect = scan(&[0xb510, 0xbf00, 0xbd10, 0xbf00]);
        assert_eq!(effect.depth, 8);
        assert_eq!(effect.saved, [(4, 8), (14, 4)]);
    }

    // Expected values: arm-none-eabi-objdump.
    #[test]
    fn call_target_is_computed_forwards_and_backwards() {
        // At 0x100: bl to itself plus 4, bl 0x100 - 0x10, bl far ahead.
        assert_eq!(call_target(&code(&[0xf000, 0xf800]), Address(0x104)), Some(Address(0x104)));
        assert_eq!(call_target(&code(&[0xf7ff, 0xfff6]), Address(0x104)), Some(Address(0xf0)));
        assert_eq!(call_target(&code(&[0xf001, 0xf87e]), Address(0x104)), Some(Address(0x1200)));
        assert_eq!(call_target(&code(&[0xbf00, 0x4798]), Address(0x104)), None);
        assert_eq!(call_register(&code(&[0xbf00, 0x4798]), Address(0x104)), Some(3));
        assert_eq!(call_register(&code(&[0xbf00, 0x4718]), Address(0x104)), None);
    }

    #[test]
    fn call_is_recognised_before_a_return_address() {
        assert!(follows_call(&code(&[0xf000, 0xf800]), Address(0x104)));
        assert!(follows_call(&code(&[0xbf00, 0x4798]), Address(0x104)));
        assert!(!follows_call(&code(&[0xbf00, 0xbf00]), Address(0x104)));
        assert!(!follows_call(&code(&[]), Address(0x100)));
    }
}
