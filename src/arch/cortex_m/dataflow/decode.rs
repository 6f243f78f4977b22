//! What one instruction writes and where control goes after it. Source: Armv7-M ARM (DDI 0403E) A5.2,
//! A5.3, A7.7.

use super::super::immediate::{expand_immediate, plain_immediate};
use super::{Flow, PC, SP, Source, Step, Written, bit};
use crate::base::{Address, Memory};

/// Of two bytes.
pub(super) fn narrow(memory: &dyn Memory, at: Address, code: u16) -> Step {
    let field = |shift: u16| (code >> shift & 7) as u8;
    let low = u32::from(code & 0xff);
    let imm5 = u32::from(code >> 6 & 0x1f);
    let to = |register: u8, source: Source| by(at, 2, bit(register), source);
    let none = by(at, 2, 0, Source::Computed);
    let load = |offset: u32, size: u32| to(field(0), Source::Load { base: field(3), offset, size });
    let branch = |offset: u32| Address(at.0.wrapping_add(4).wrapping_add(offset));
    match code {
        // MOVS Rd, Rm is LSLS by 0.
        0x0000..=0x003f => {
            Step { source: Written::Copy(field(3)), ..to(field(0), Source::Computed) }
        }
        // Shifts, ADDS and SUBS with registers
        0x0040..=0x1bff => to(field(0), Source::Computed),
        // ADDS, SUBS Rd, Rn, #imm3
        0x1c00..=0x1c3f => {
            Step { source: Written::Copy(field(3)), ..to(field(0), Source::Computed) }
        }
        0x1c40..=0x1dff => {
            to(field(0), Source::Sum { from: field(3), amount: u32::from(code >> 6 & 7) })
        }
        0x1e00..=0x1fff => {
            let amount = u32::from(code >> 6 & 7).wrapping_neg();
            to(field(0), Source::Sum { from: field(3), amount })
        }
        // MOVS Rd, #imm8
        0x2000..=0x27ff => to(field(8), Source::Constant(low)),
        // CMP Rn, #imm8
        0x2800..=0x2fff => none,
        // ADDS, SUBS Rdn, #imm8
        0x3000..=0x37ff => to(field(8), Source::Sum { from: field(8), amount: low }),
        0x3800..=0x3fff => to(field(8), Source::Sum { from: field(8), amount: low.wrapping_neg() }),
        // TST, CMP, CMN; the other operations on low registers
        0x4200..=0x423f | 0x4280..=0x42ff => none,
        0x4000..=0x43ff => to(field(0), Source::Computed),
        // ADD, CMP, MOV with any register
        0x4400..=0x46ff => {
            let target = (code >> 4 & 8) as u8 | field(0);
            let from = (code >> 3 & 15) as u8;
            match code >> 8 & 3 {
                1 => none,
                _ if target == PC => flows(at, 2, Flow::Leave),
                2 => Step { source: Written::Copy(from), ..to(target, Source::Computed) },
                _ => to(target, Source::Computed),
            }
        }
        // BX, BLX
        0x4700..=0x477f => flows(at, 2, Flow::Leave),
        0x4780..=0x47ff => flows(at, 2, Flow::Call(None)),
        // LDR Rt, [PC, #imm8 * 4]
        0x4800..=0x4fff => {
            let literal = Address((at.0.wrapping_add(4) & !3).wrapping_add(low * 4));
            match memory.read_u32(literal) {
                Ok(value) => to(field(8), Source::Constant(value)),
                Err(_) => to(field(8), Source::Computed),
            }
        }
        // Stores with a register offset, then loads
        0x5000..=0x55ff => none,
        0x5600..=0x5fff => {
            let size = match code >> 9 & 7 {
                4 => 4,
                5 | 7 => 2,
                _ => 1,
            };
            to(field(0), Source::Indexed { base: field(3), index: field(6), shift: 0, size })
        }
        0x6000..=0x67ff | 0x7000..=0x77ff | 0x8000..=0x87ff | 0x9000..=0x97ff => none,
        0x6800..=0x6fff => load(imm5 * 4, 4),
        0x7800..=0x7fff => load(imm5, 1),
        0x8800..=0x8fff => load(imm5 * 2, 2),
        0x9800..=0x9fff => to(field(8), Source::Load { base: SP, offset: low * 4, size: 4 }),
        // ADR; ADD Rd, SP, #imm8 * 4
        0xa000..=0xa7ff => {
            let value = (at.0.wrapping_add(4) & !3).wrapping_add(low * 4);
            to(field(8), Source::Constant(value))
        }
        0xa800..=0xafff => to(field(8), Source::Sum { from: SP, amount: low * 4 }),
        // ADD SP, SUB SP
        0xb000..=0xb07f => to(SP, Source::Sum { from: SP, amount: (low & 0x7f) * 4 }),
        0xb080..=0xb0ff => {
            to(SP, Source::Sum { from: SP, amount: ((low & 0x7f) * 4).wrapping_neg() })
        }
        // CBZ, CBNZ
        0xb100..=0xb1ff | 0xb300..=0xb3ff | 0xb900..=0xb9ff | 0xbb00..=0xbbff => {
            let offset = u32::from(code >> 9 & 1) << 6 | u32::from(code >> 3 & 0x1f) << 1;
            flows(at, 2, Flow::Branch(branch(offset)))
        }
        // SXTH, SXTB, UXTH, UXTB; REV
        0xb200..=0xb2ff | 0xba00..=0xbaff => to(field(0), Source::Computed),
        // PUSH, POP
        0xb400..=0xb5ff => to(SP, Source::Computed),
        0xbc00..=0xbcff => by(at, 2, code & 0xff | bit(SP), Source::Computed),
        0xbd00..=0xbdff => flows(at, 2, Flow::Leave),
        // CPS, SETEND; IT and hints
        0xb600..=0xb6ff | 0xbf00..=0xbfff => none,
        // BKPT
        0xbe00..=0xbeff => none,
        // STM and LDM: the base is written back, or loaded.
        0xc000..=0xc7ff => to(field(8), Source::Computed),
        0xc800..=0xcfff => by(at, 2, code & 0xff | bit(field(8)), Source::Computed),
        0xde00..=0xdeff => flows(at, 2, Flow::Leave),
        // SVC: a call to the kernel, which may answer in registers
        0xdf00..=0xdfff => by(at, 2, 0b1_1111, Source::Computed),
        0xd000..=0xddff => flows(at, 2, Flow::Branch(branch(signed(low << 1, 9)))),
        0xe000..=0xe7ff => {
            flows(at, 2, Flow::Jump(branch(signed(u32::from(code & 0x7ff) << 1, 12))))
        }
        // Not known: it may write anything.
        _ => by(at, 2, u16::MAX, Source::Computed),
    }
}

/// Of four bytes.
pub(super) fn wide(memory: &dyn Memory, at: Address, first: u16, second: u16) -> Step {
    let base = (first & 15) as u8;
    let top = (second >> 12 & 15) as u8;
    let middle = (second >> 8 & 15) as u8;
    let written_back = if first & 0x20 != 0 { bit(base) } else { 0 };
    let computed = |writes: u16| by(at, 4, writes, Source::Computed);
    match first {
        // STM; LDM
        0xe880..=0xe8bf | 0xe900..=0xe93f if first & 0x10 == 0 => computed(written_back),
        0xe880..=0xe8bf | 0xe900..=0xe93f if second & 0x8000 != 0 => flows(at, 4, Flow::Leave),
        0xe880..=0xe8bf | 0xe900..=0xe93f => computed(second | written_back),
        // TBB, TBH
        0xe8d0..=0xe8df if second & 0xffe0 == 0xf000 => {
            flows(at, 4, Flow::Table { wide: second & 0x10 != 0 })
        }
        // LDRD, STRD with P or W
        0xe860..=0xe87f | 0xe8e0..=0xe8ff | 0xe940..=0xe97f | 0xe9c0..=0xe9ff => {
            let loaded = if first & 0x10 != 0 { bit(top) | bit(middle) } else { 0 };
            let step = computed(loaded | written_back);
            // Without P the address is the base alone.
            if loaded == 0 || base == PC || first & 0x0100 == 0 {
                return step;
            }
            let number = u32::from(second & 0xff) * 4;
            let offset = if first & 0x80 != 0 { number } else { number.wrapping_neg() };
            Step { source: Written::Pair { base, offset, second: middle }, ..step }
        }
        // Exclusive and acquire-release accesses
        0xe840..=0xe85f | 0xe8c0..=0xe8df => {
            computed(bit(top) | bit(middle) | bit((second & 15) as u8))
        }
        // Data processing with a shifted register: TST, TEQ, CMN, CMP have Rd = 15.
        0xea00..=0xebff if middle == PC => computed(0),
        // MOV.W Rd, Rm
        0xea4f | 0xea5f if second & 0xf0f0 == 0 => {
            Step { source: Written::Copy((second & 15) as u8), ..computed(bit(middle)) }
        }
        0xea00..=0xebff => computed(bit(middle)),
        // MCRR and MRRC, among them VMOV between core and FP registers
        0xec40..=0xec5f => computed(if first & 0x10 != 0 { bit(top) | bit(base) } else { 0 }),
        // VSTM, VLDM, VSTR, VLDR; STC, LDC
        0xec00..=0xedff => computed(written_back),
        // MVE may write registers by other fields.
        0xee00..=0xeeff if middle > 11 => computed(u16::MAX),
        // MRC, among it VMOV and VMRS; flags when Rt is 15
        0xee00..=0xeeff if first & 0x10 != 0 && second & 0x10 != 0 => computed(bit(top)),
        0xee00..=0xeeff => computed(0),
        0xf000..=0xf7ff if second & 0x8000 != 0 => branch_or_control(at, first, second),
        0xf000..=0xf7ff => immediate(at, first, second),
        0xf800..=0xf9ff => single(memory, at, first, second),
        // Data processing with registers
        0xfa00..=0xfaff => computed(bit(middle)),
        // Multiplications and divisions; long ones
        0xfb00..=0xfb7f => computed(bit(middle)),
        0xfb90..=0xfb9f | 0xfbb0..=0xfbbf => computed(bit(middle)),
        0xfb80..=0xfbff => computed(bit(middle) | bit(top)),
        // FP with two encodings more: VSEL, VMAXNM, VRINT
        0xfe00..=0xfeff if matches!(middle, 9..=11) => computed(0),
        _ => computed(u16::MAX),
    }
}

/// Data processing with an immediate. DDI 0403E A5.3.1, A5.3.3.
fn immediate(at: Address, first: u16, second: u16) -> Step {
    let base = (first & 15) as u8;
    let target = (second >> 8 & 15) as u8;
    let to = |source: Source| by(at, 4, bit(target), source);
    let modified = expand_immediate(first, second);
    let plain = plain_immediate(first, second);
    match first & 0xfbf0 {
        // TST, TEQ, CMN, CMP
        0xf000 | 0xf010 | 0xf080 | 0xf090 | 0xf100 | 0xf110 | 0xf1a0 | 0xf1b0 if target == PC => {
            by(at, 4, 0, Source::Computed)
        }
        // MOV.W, MVN
        0xf040 | 0xf050 if base == PC => to(Source::Constant(modified)),
        0xf060 | 0xf070 if base == PC => to(Source::Constant(!modified)),
        // ADD.W, SUB.W
        0xf100 | 0xf110 => to(Source::Sum { from: base, amount: modified }),
        0xf1a0 | 0xf1b0 => to(Source::Sum { from: base, amount: modified.wrapping_neg() }),
        // ADDW, SUBW; with PC they are ADR.
        0xf200 | 0xf2a0 => {
            let amount = if first & 0xa0 == 0 { plain } else { plain.wrapping_neg() };
            if base == PC {
                to(Source::Constant((at.0.wrapping_add(4) & !3).wrapping_add(amount)))
            } else {
                to(Source::Sum { from: base, amount })
            }
        }
        // MOVW
        0xf240 => to(Source::Constant(u32::from(base) << 12 | plain)),
        // MOVT
        0xf2c0 => Step {
            source: Written::Top((u32::from(base) << 12 | plain) << 16),
            ..to(Source::Computed)
        },
        _ => to(Source::Computed),
    }
}

/// B, BL and what shares their space. DDI 0403E A5.3.4.
fn branch_or_control(at: Address, first: u16, second: u16) -> Step {
    let pc = at.0.wrapping_add(4);
    let sign = u32::from(first >> 10 & 1);
    let low = u32::from(second & 0x7ff) << 1;
    let (j1, j2) = (u32::from(second >> 13 & 1), u32::from(second >> 11 & 1));
    let far = || {
        // I1 = NOT(J1 EOR S), I2 = NOT(J2 EOR S)
        let (i1, i2) = (1 ^ j1 ^ sign, 1 ^ j2 ^ sign);
        let offset = sign << 24 | i1 << 23 | i2 << 22 | u32::from(first & 0x3ff) << 12 | low;
        Address(pc.wrapping_add(signed(offset, 25)))
    };
    match second & 0xd000 {
        0xd000 => flows(at, 4, Flow::Call(Some(far()))),
        0x9000 => flows(at, 4, Flow::Jump(far())),
        // B<c>.W; with a condition of 111x it is something else.
        0x8000 if first >> 6 & 0xe != 0xe => {
            let offset = sign << 20 | j2 << 19 | j1 << 18 | u32::from(first & 0x3f) << 12 | low;
            flows(at, 4, Flow::Branch(Address(pc.wrapping_add(signed(offset, 21)))))
        }
        // MRS
        0x8000 if first & 0xffe0 == 0xf3e0 => {
            by(at, 4, bit((second >> 8 & 15) as u8), Source::Computed)
        }
        // MSR, hints, barriers
        0x8000 if first & 0xff80 == 0xf380 => by(at, 4, 0, Source::Computed),
        // UDF.W
        0x8000 if first & 0xfff0 == 0xf7f0 => flows(at, 4, Flow::Leave),
        // WLS, DLS, LE
        0xc000 if first & 0xff80 == 0xf000 => flows(at, 4, Flow::Loop),
        _ => by(at, 4, u16::MAX, Source::Computed),
    }
}

/// LDR, STR and their byte and halfword forms. DDI 0403E A5.3.7 to A5.3.10.
fn single(memory: &dyn Memory, at: Address, first: u16, second: u16) -> Step {
    let base = (first & 15) as u8;
    let target = (second >> 12 & 15) as u8;
    let size = match first >> 5 & 3 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => return by(at, 4, u16::MAX, Source::Computed),
    };
    let long_form = first & 0x80 != 0;
    let indexed_form = !long_form && base != PC && second & 0x0800 != 0;
    let written_back = if indexed_form && second & 0x0100 != 0 { bit(base) } else { 0 };
    if first & 0x10 == 0 {
        return by(at, 4, written_back, Source::Computed);
    }
    if target == PC {
        // PLD, or a jump through memory.
        return if size == 4 { flows(at, 4, Flow::Leave) } else { by(at, 4, 0, Source::Computed) };
    }
    let low = u32::from(second & 0xff);
    let source = if base == PC {
        let offset = u32::from(second & 0xfff);
        let offset = if long_form { offset } else { offset.wrapping_neg() };
        let literal = Address((at.0.wrapping_add(4) & !3).wrapping_add(offset));
        match memory.read_u32(literal) {
            Ok(value) if size == 4 => Source::Constant(value),
            _ => Source::Computed,
        }
    } else if long_form {
        Source::Load { base, offset: u32::from(second & 0xfff), size }
    } else if indexed_form {
        match second >> 8 & 7 {
            // P, U, W: without P the address is the base alone.
            0b100 | 0b101 => Source::Load { base, offset: low.wrapping_neg(), size },
            0b110 | 0b111 => Source::Load { base, offset: low, size },
            _ => Source::Load { base, offset: 0, size },
        }
    } else {
        let (index, shift) = ((second & 15) as u8, (second >> 4 & 3) as u8);
        Source::Indexed { base, index, shift, size }
    };
    by(at, 4, bit(target) | written_back, source)
}

fn by(at: Address, length: u32, writes: u16, source: Source) -> Step {
    let source = Written::By(source);
    Step { at, length, writes, source, flow: Flow::Next, conditional: false }
}

fn flows(at: Address, length: u32, flow: Flow) -> Step {
    Step { flow, ..by(at, length, 0, Source::Computed) }
}

/// `number` sign-extended from its lowest `bits`.
fn signed(number: u32, bits: u32) -> u32 {
    let unused = 32 - bits;
    ((number << unused) as i32 >> unused) as u32
}
