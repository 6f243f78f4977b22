//! Where the value in a register came from within one function: the last instruction that wrote it.
//!
//! Follows straight code backwards only. Where control may come from elsewhere (a branch target, an
//! instruction behind a jump), or where an instruction is conditional or not known here, the answer
//! is that it cannot be told. Source: Armv7-M ARM (DDI 0403E) A5.2, A5.3, A7.7.

mod decode;

use std::collections::BTreeSet;

use crate::base::{Address, AddressRange, Memory};

/// Largest function that is looked at, in bytes.
const LONGEST: u64 = 1 << 15;
/// Instructions that are followed backwards.
const MOST_STEPS: usize = 512;
/// Instructions in front of a call that give it its arguments.
const MOST_ARGUMENTS: usize = 8;

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
                decode::wide(memory, at, first, second)
            } else {
                decode::narrow(memory, at, first)
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

    /// The jumps that lead to the straight code in front of the instruction at `at`, or to it: the
    /// nearest place that any leads to, and where they stand.
    pub fn jumps_before(&self, at: Address) -> Option<(Address, Vec<Address>)> {
        let mut here = at;
        let steps = self.steps.get(..self.index_of(at)?)?;
        let mut before = steps.iter().rev().take(MOST_ARGUMENTS);
        loop {
            let leads_here = |step: &&Step| match step.flow {
                Flow::Branch(target) | Flow::Jump(target) => target == here,
                _ => false,
            };
            if self.targets.contains(&here) {
                let jumps = self.steps.iter().filter(leads_here).map(|step| step.at);
                return Some((here, jumps.collect()));
            }
            let is_straight = |step: &&Step| {
                step.flow == Flow::Next && step.at.checked_add(step.length) == Some(here)
            };
            here = before.next().filter(is_straight)?.at;
        }
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

#[cfg(test)]
mod tests;
