//! Immediates of 32-bit Thumb instructions. Source: Armv7-M ARM (DDI 0403E) A5.3.2, A5.3.3.

/// The twelve bits i:imm3:imm8 as a number (ADDW, SUBW; MOVW adds four more).
pub(super) fn plain_immediate(first: u16, second: u16) -> u32 {
    let i = u32::from(first >> 10 & 1);
    let imm3 = u32::from(second >> 12 & 7);
    i << 11 | imm3 << 8 | u32::from(second & 0xff)
}

/// ThumbExpandImm: a byte, repeated or rotated.
pub(super) fn expand_immediate(first: u16, second: u16) -> u32 {
    let imm12 = plain_immediate(first, second);
    let byte = imm12 & 0xff;
    match imm12 >> 8 {
        0 => byte,
        1 => byte << 16 | byte,
        2 => byte << 24 | byte << 8,
        3 => byte << 24 | byte << 16 | byte << 8 | byte,
        _ => (0x80 | (imm12 & 0x7f)).rotate_right(imm12 >> 7),
    }
}
