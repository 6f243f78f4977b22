//! Where the value in a register came from within one function: the last instruction that wrote it.
//!
//! Follows straight code backwards only. Where control may come from elsewhere (a branch target, an
//! instruction behind a jump), or where an instruction is conditional or not known here, the answer
//! is that it cannot be told. Source: Armv7-M ARM (DDI 0403E) A5.2, A5.3, A7.7.

use std::collections::BTreeSet;

use super::immediate::{expand_immediate, plain_immediate};
use crate::base::{Address, AddressRange, Memory};

/// Largest function that is looked at, in bytes.
const LONGEST: u64 = 1 << 15;
/// Instructions that are followed backwards.
const MOST_STEPS: usize = 512;

/// Number of the stack pointer.
pub const SP: u8 = 13;
const LR: u8 = 14;
const PC: u8 = 15;

/// What gave a register its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Loaded from `[base, #offset]`; the offset is modulo 2^32.
    Load {
        /// Number of the register that the address is made from.
        base: u8,
        /// What is added to it.
        offset: u32,
        /// Bytes.
        size: u32,
    },
    /// Loaded from `[base, index, lsl #shift]`.
    Indexed {
        /// Number of the register that the address is made from.
        base: u8,
        /// Number of the register that is added.
        index: u8,
        /// By how many bits it is shifted first.
        shift: u8,
        /// Bytes.
        size: u32,
    },
    /// A number that the code itself holds, in the instruction or in a literal pool.
    Constant(u32),
    /// Another register plus a number, modulo 2^32.
    Sum {
        /// Number of the other register.
        from: u8,
        /// What is added.
        amount: u32,
    },
    /// What a called function returned; its address, when the call names it.
    Returned(Option<Address>),
    /// Nothing in the function wrote it: the caller left it there.
    Entry,
    /// Computed in some other way.
    Computed,
}

/// An instruction that wrote a register, or the start of the function for [`Source::Entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Where the instruction stands.
    pub at: Address,
    /// The register that it wrote; another one than was asked for when that was a copy.
    pub register: u8,
    /// What it put there.
    pub source: Source,
}

/// Where control goes after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Next,
    /// To the next instruction or to this address.
    Branch(Address),
    Jump(Address),
    Call(Option<Address>),
    /// A switch: TBB, or TBH when `wide`. The table stands behind it.
    Table {
        wide: bool,
    },
    /// Back to the caller, or out of the function.
    Leave,
    /// A loop of Armv8.1-M, whose start is not followed.
    Loop,
}

/// One instruction.
#[derive(Clone, Copy, Debug)]
struct Step {
    at: Address,
    length: u32,
    /// Bit n: rn is written.
    writes: u16,
    source: Written,
    flow: Flow,
    /// In an IT block.
    conditional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    By(Source),
    Copy(u8),
    /// LDRD: `second` is loaded from behind the other.
    Pair {
        base: u8,
        offset: u32,
        second: u8,
    },
    /// MOVT: the upper half; the lower one stays as it was.
    Top(u32),
}

/// The last instruction that wrote a register.
enum LastWrite {
    Copy { at: Address, from: u8 },
    By(Origin),
}

/// The instructions of one function.
#[derive(Debug)]
pub struct Body {
    steps: Vec<Step>,
    targets: BTreeSet<Address>,
    start: Address,
}

impl Body {
    /// Decodes the function in `range`. `is_code` tells instructions from literal pools. `None` when
    /// it cannot be read, is too long, or jumps where it cannot be followed.
    pub fn decode(
        memory: &dyn Memory,
        range: AddressRange,
        is_code: &dyn Fn(Address) -> bool,
    ) -> Option<Body> {
        if range.size() > LONGEST {
            return None;
        }
        let mut body = Body { steps: Vec::new(), targets: BTreeSet::new(), start: range.start() };
        let mut at = range.start();
        let mut it_block = 0_u32;
        while u64::from(at.0) < range.end() {
            if !is_code(at) {
                at = at.checked_add(2)?;
                continue;
            }
            let first = memory.read_u16(at).ok()?;
            let wide = first >> 11 >= 0b11101;
            let length = if wide { 4 } else { 2 };
            let next = at.checked_add(length)?;
            let second = if wide { memory.read_u16(at.checked_add(2)?).ok()? } else { 0 };
            let mut step = if wide {
                self::wide(memory, at, first, second)
            } else {
                narrow(memory, at, first)
            };
            step.conditional = it_block > 0;
            it_block = it_block.saturating_sub(1);
            // IT: the lowest bit that is set in the mask ends the block.
            if first & 0xff00 == 0xbf00 && first & 0xf != 0 {
                it_block = 4 - (first & 0xf).trailing_zeros();
            }
            match step.flow {
                Flow::Branch(target) | Flow::Jump(target) => {
                    body.targets.insert(target);
                }
                Flow::Table { wide } => body.add_table(memory, next, wide, range, is_code)?,
                Flow::Loop => return None,
                // Behind a call that returns stands a table only for the helpers that branch by it.
                Flow::Call(target)
                    if range.contains(next)
                        && !is_code(next)
                        && target.is_none_or(|target| reads_return_address(memory, target)) =>
                {
                    return None;
                }
                _ => {}
            }
            body.steps.push(step);
            at = next;
        }
        Some(body)
    }

    /// The targets of a table branch: its table reaches to the next instruction.
    fn add_table(
        &mut self,
        memory: &dyn Memory,
        table: Address,
        wide: bool,
        range: AddressRange,
        is_code: &dyn Fn(Address) -> bool,
    ) -> Option<()> {
        // Without mapping symbols there is no telling how long it is.
        if is_code(table) {
            return None;
        }
        let mut at = table;
        while range.contains(at) && !is_code(at) {
            let entry =
                if wide { memory.read_u16(at).ok()? } else { memory.read_u8(at).ok()?.into() };
            self.targets.insert(Address(table.0.wrapping_add(2 * u32::from(entry))));
            at = at.checked_add(if wide { 2 } else { 1 })?;
        }
        Some(())
    }

    /// What gave `register` the value that the instruction at `at` finds in it; copies between
    /// registers are followed. `None` when it cannot be told.
    pub fn origin(&self, at: Address, register: u8) -> Option<Origin> {
        let mut budget = MOST_STEPS;
        let (mut here, mut wanted) = (at, register);
        loop {
            match self.last_write(here, wanted, &mut budget)? {
                LastWrite::Copy { at, from } => (here, wanted) = (at, from),
                LastWrite::By(origin) => return Some(origin),
            }
        }
    }

    /// The copy between registers that gave `register` the value that the instruction at `at` finds
    /// in it: where it stands, and the other register.
    pub fn copy(&self, at: Address, register: u8) -> Option<(Address, u8)> {
        match self.last_write(at, register, &mut { MOST_STEPS })? {
            LastWrite::Copy { at, from } => Some((at, from)),
            LastWrite::By(_) => None,
        }
    }

    fn last_write(&self, at: Address, wanted: u8, budget: &mut usize) -> Option<LastWrite> {
        let mut here = at;
        let mut index = self.index_of(at)?;
        loop {
            *budget = budget.checked_sub(1)?;
            // Somebody may jump here with another value.
            if self.targets.contains(&here) {
                return None;
            }
            let Some(step) = index.checked_sub(1).and_then(|before| self.steps.get(before)) else {
                let entry = Origin { at: here, register: wanted, source: Source::Entry };
                return (here == self.start).then_some(LastWrite::By(entry));
            };
            if step.at.checked_add(step.length) != Some(here) {
                return None;
            }
            index -= 1;
            here = step.at;
            let by = |source| LastWrite::By(Origin { at: here, register: wanted, source });
            match step.flow {
                Flow::Next | Flow::Branch(_) => {}
                Flow::Jump(_) | Flow::Leave if step.conditional => {}
                Flow::Call(target) => match wanted {
                    0 if !step.conditional => return Some(by(Source::Returned(target))),
                    // AAPCS32 6.1.1: a call may change these, and keeps the others.
                    0..=3 | 12 | LR => return None,
                    _ => {}
                },
                Flow::Jump(_) | Flow::Table { .. } | Flow::Leave | Flow::Loop => return None,
            }
            if step.writes >> wanted & 1 == 0 {
                continue;
            }
            return match step.source {
                _ if step.conditional => None,
                Written::Copy(from) => Some(LastWrite::Copy { at: here, from }),
                Written::By(source) => Some(by(source)),
                Written::Pair { base, offset, second } => {
                    let behind = if wanted == second { 4 } else { 0 };
                    Some(by(Source::Load { base, offset: offset.wrapping_add(behind), size: 4 }))
                }
                Written::Top(top) => Some(by(match self.last_write(here, wanted, budget) {
                    Some(LastWrite::By(Origin { source: Source::Constant(low), .. })) => {
                        Source::Constant(top | low & 0xffff)
                    }
                    _ => Source::Computed,
                })),
            };
        }
    }

    /// The calls that straight code makes before it comes to `at`, the last one first: where, and
    /// what is called if the instruction says so.
    pub fn calls_before(&self, at: Address) -> Vec<(Address, Option<Address>)> {
        let mut calls = Vec::new();
        let Some(index) = self.index_of(at) else { return calls };
        let mut here = at;
        for step in self.steps.get(..index).unwrap_or(&[]).iter().rev().take(MOST_STEPS) {
            if self.targets.contains(&here) || step.at.checked_add(step.length) != Some(here) {
                break;
            }
            match step.flow {
                Flow::Next | Flow::Branch(_) => {}
                Flow::Call(target) => calls.push((step.at, target)),
                Flow::Jump(_) | Flow::Leave if step.conditional => {}
                Flow::Jump(_) | Flow::Table { .. } | Flow::Leave | Flow::Loop => break,
            }
            here = step.at;
        }
        calls
    }

    /// Whether the instruction at `at` is a call, or a jump out of the function in place of one.
    pub fn calls(&self, at: Address) -> bool {
        let Some(step) = self.index_of(at).and_then(|index| self.steps.get(index)) else {
            return false;
        };
        let end = self.steps.last().map_or(self.start, |step| step.at);
        match step.flow {
            Flow::Call(_) => true,
            Flow::Jump(target) => target < self.start || target > end,
            _ => false,
        }
    }

    /// Whether the instruction at `at` stands in a loop that has no way out: no return, no call, and
    /// nothing that waits for an interrupt.
    pub fn is_endless(&self, memory: &dyn Memory, at: Address) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![at];
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            let Some(step) = self.index_of(at).and_then(|index| self.steps.get(index)) else {
                return false;
            };
            // WFE and WFI, BKPT, SVC
            let waits = |code| matches!(code, 0xbf20 | 0xbf30 | 0xbe00..=0xbeff | 0xdf00..=0xdfff);
            if memory.read_u16(at).is_ok_and(waits) {
                return false;
            }
            let next = at.checked_add(step.length);
            match step.flow {
                Flow::Next => open.extend(next),
                Flow::Branch(target) => open.extend(next.into_iter().chain([target])),
                Flow::Jump(target) if step.conditional => {
                    open.extend(next.into_iter().chain([target]));
                }
                Flow::Jump(target) => open.push(target),
                Flow::Call(_) | Flow::Leave | Flow::Loop | Flow::Table { .. } => return false,
            }
        }
        true
    }

    /// Whether the function pushes `register`, or changes it without: one that does not return need
    /// not keep what belongs to its caller. `None` when it does neither.
    pub fn pushes(&self, memory: &dyn Memory, register: u8) -> Option<bool> {
        let pushes = |step: &Step| match memory.read_u16(step.at) {
            Ok(0xe92d) => step
                .at
                .checked_add(2)
                .and_then(|at| memory.read_u16(at).ok())
                .is_some_and(|list| list >> register & 1 == 1),
            // PUSH without LR; STM, by which handlers of Armv6-M keep what PUSH cannot
            Ok(code @ (0xb400..=0xb4ff | 0xc000..=0xc7ff)) => (code & 0xff) >> register & 1 == 1,
            Ok(code @ 0xb500..=0xb5ff) => (code & 0xff | bit(LR)) >> register & 1 == 1,
            _ => false,
        };
        // What an SVC changes, the kernel does.
        let svc = |step: &Step| memory.read_u16(step.at).is_ok_and(|code| code >> 8 == 0xdf);
        let writes = |step: &Step| step.writes >> register & 1 == 1 && !svc(step);
        let pushed = self.steps.iter().any(pushes);
        (pushed || self.steps.iter().any(writes)).then_some(pushed)
    }

    /// Whether `register` holds at `to` what it held before the instruction at `from`, for two
    /// instructions of straight code.
    pub fn is_unchanged(&self, register: u8, from: Address, to: Address) -> bool {
        let (Some(first), Some(last)) = (self.index_of(from), self.index_of(to)) else {
            return false;
        };
        let steps = self.steps.get(first..last).unwrap_or(&[]);
        let lost_by_call = matches!(register, 0..=3 | 12 | LR);
        first <= last
            && steps.iter().all(|step| {
                let call = matches!(step.flow, Flow::Call(_));
                step.writes >> register & 1 == 0 && !(call && lost_by_call)
            })
    }

    fn index_of(&self, at: Address) -> Option<usize> {
        self.steps.binary_search_by_key(&at, |step| step.at).ok()
    }
}

/// Whether the function at `target` begins by a look at where it was called from: MOV Rd, LR.
fn reads_return_address(memory: &dyn Memory, target: Address) -> bool {
    let start = target.without_thumb_bit();
    [0, 2, 4].into_iter().any(|offset| {
        let code = start.checked_add(offset).and_then(|at| memory.read_u16(at).ok());
        code.is_none_or(|code| code & 0xff78 == 0x4670)
    })
}

fn bit(register: u8) -> u16 {
    1 << (register & 15)
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

fn narrow(memory: &dyn Memory, at: Address, code: u16) -> Step {
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

fn wide(memory: &dyn Memory, at: Address, first: u16, second: u16) -> Step {
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

#[cfg(test)]
mod tests;
