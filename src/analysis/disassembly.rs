//! The instructions around the place where each frame stands.

use super::unwind::Environment;
use crate::arch::cortex_m::disassembler::{Disassembler, is_wide};
use crate::arch::cortex_m::exception::Code as _;
use crate::base::{Address, hex, join};
use crate::report::{Frame, Instruction, Thread};
use std::collections::{BTreeMap, VecDeque};

/// Instructions that are shown before and behind the one where a frame stands.
const BEFORE: usize = 5;
const BEHIND: usize = 4;
/// An IT block begins at most this many instructions before its last.
const IT_BLOCK: usize = 4;
/// Longest way from the start of a function, in bytes; and instructions passed for half a report.
const LONGEST: u32 = 1 << 15;
const MOST_STEPS: usize = 1 << 17;
/// Frames of half a report that have a listing; forged dumps have thousands.
const MOST_LISTINGS: usize = 1 << 9;
/// Conditions as `capstone` spells them. DDI 0403E A7.3.
const CONDITIONS: [&str; 14] =
    ["eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"];

/// `threads` with the instructions around each of their frames: half of them beside the other half.
pub(super) fn listed(mut threads: Vec<Thread>, environment: &Environment<'_, '_>) -> Vec<Thread> {
    let half = threads.len() / 2;
    let (first, second) = threads.split_at_mut(half);
    join(|| list(second, environment), || list(first, environment));
    threads
}

fn list(threads: &mut [Thread], environment: &Environment<'_, '_>) {
    let Some(mut listing) = Listing::new(environment) else { return };
    let mut left = MOST_LISTINGS;
    for thread in threads {
        let mut last = None;
        for frame in &mut thread.frames {
            // Inlined functions stand at one address: their innermost has the instructions.
            let place = Some((frame.pc, frame.sp));
            if place != last && left > 0 {
                frame.disassembly = listing.around(frame);
                left = left.saturating_sub(1);
            }
            last = place;
        }
    }
}

/// The instructions of the whole function around `at`.
pub(super) fn function(environment: &Environment<'_, '_>, at: Address) -> Vec<Instruction> {
    let listing = Listing::new(environment);
    listing.map_or_else(Vec::new, |mut listing| listing.whole(at.without_thumb_bit()))
}

struct Listing<'a, 'd> {
    environment: &'a Environment<'a, 'd>,
    disassembler: Disassembler,
    /// How many instructions may still be passed.
    steps: usize,
    /// By the address that was looked up: recursions stand at the same place.
    known: BTreeMap<Address, Vec<Instruction>>,
}

impl<'a, 'd> Listing<'a, 'd> {
    fn new(environment: &'a Environment<'a, 'd>) -> Option<Listing<'a, 'd>> {
        let disassembler = Disassembler::new()?;
        Some(Listing { environment, disassembler, steps: MOST_STEPS, known: BTreeMap::new() })
    }

    fn around(&mut self, frame: &Frame) -> Vec<Instruction> {
        let at = self.place(frame);
        if let Some(known) = self.known.get(&at) {
            return known.clone();
        }
        let listed = self.listed(at).unwrap_or_default();
        self.known.insert(at, listed.clone());
        listed
    }

    /// An address within the instruction that the frame stands at: a caller stands behind its call,
    /// what an SVC interrupted behind that.
    fn place(&self, frame: &Frame) -> Address {
        let pc = Address(frame.pc.0).without_thumb_bit();
        let before = pc.wrapping_add(-2);
        let is_return = match frame.found_by.as_str() {
            "registers" => false,
            "exception frame" | "saved registers" => {
                self.environment.memory.read_u16(before).is_ok_and(|half| half >> 8 == 0xdf)
            }
            _ => true,
        };
        if is_return { before } else { pc }
    }

    /// The instruction that holds `at`, with some around it.
    fn listed(&mut self, at: Address) -> Option<Vec<Instruction>> {
        let environment = self.environment;
        if !environment.is_code(at) {
            return None;
        }
        let start = environment.symbols.at(at).and_then(|file| file.function_start(at));
        let start = start.filter(|start| at.0.wrapping_sub(start.0) < LONGEST).unwrap_or(at);
        // Instructions up to the one that holds `at`, the last few of them.
        let mut window: VecDeque<Address> = VecDeque::new();
        let mut here = start;
        let current = loop {
            let next = self.next(here)?;
            if window.len() > BEFORE.saturating_add(IT_BLOCK) {
                window.pop_front();
            }
            window.push_back(here);
            if next > at {
                break here;
            }
            here = next;
        };
        for _ in 0..BEHIND {
            let Some(next) = window.back().copied().and_then(|last| self.next(last)) else { break };
            // The next function is none of this one's business.
            let other = environment.symbols.at(next).and_then(|file| file.function_start(next));
            if !environment.is_code(next) || other.is_some_and(|other| other > current) {
                break;
            }
            window.push_back(next);
        }
        let shown_from = window.iter().position(|at| *at == current)?.saturating_sub(BEFORE);
        let first_shown = window.get(shown_from).copied()?;
        let texts = self.texts(&window);
        let shown = window.iter().filter(|at| **at >= first_shown);
        Some(shown.filter_map(|at| self.instruction(*at, &texts, *at == current)).collect())
    }

    /// Every instruction of the function around `at`; from `at` on where no function is known.
    fn whole(&mut self, at: Address) -> Vec<Instruction> {
        let environment = self.environment;
        if !environment.is_code(at) {
            return Vec::new();
        }
        let start_of =
            |at: Address| environment.symbols.at(at).and_then(|file| file.function_start(at));
        let start = start_of(at).filter(|start| at.0.wrapping_sub(start.0) < LONGEST).unwrap_or(at);
        let mut all = VecDeque::from([start]);
        let mut here = start;
        while let Some(next) = self.next(here) {
            let is_other = start_of(next).is_some_and(|other| other > start);
            if is_other || !environment.is_code(next) || next.0.wrapping_sub(start.0) > LONGEST {
                break;
            }
            all.push_back(next);
            here = next;
        }
        let texts = self.texts(&all);
        // The one that holds `at`, which may be an address within it.
        let current = all.iter().rev().find(|start| **start <= at).copied();
        let listed = all.iter();
        listed.filter_map(|at| self.instruction(*at, &texts, Some(*at) == current)).collect()
    }

    fn texts(&self, window: &VecDeque<Address>) -> BTreeMap<Address, String> {
        let mut texts = BTreeMap::new();
        for (start, bytes) in self.runs(window) {
            texts.extend(self.disassembler.disassemble(&bytes, start));
        }
        texts
    }

    /// Where the instruction behind the one at `at` begins, data passed over.
    fn next(&mut self, at: Address) -> Option<Address> {
        self.steps = self.steps.checked_sub(1)?;
        let first = self.environment.memory.read_u16(at).ok()?;
        let mut next = at.checked_add(if is_wide(first) { 4 } else { 2 })?;
        // Tables of branches and literals within a function.
        while !self.environment.is_code(next) {
            self.steps = self.steps.checked_sub(1)?;
            if next.0.wrapping_sub(at.0) > LONGEST {
                return None;
            }
            next = next.checked_add(2)?;
        }
        Some(next)
    }

    /// The bytes of `window`, cut where data stands between instructions.
    fn runs(&self, window: &VecDeque<Address>) -> Vec<(Address, Vec<u8>)> {
        let mut runs: Vec<(Address, Vec<u8>)> = Vec::new();
        for at in window {
            let Some(bytes) = self.bytes(*at) else { continue };
            match runs.last_mut() {
                Some((start, run)) if start.wrapping_add(run.len() as i64) == *at => {
                    run.extend(bytes);
                }
                _ => runs.push((*at, bytes)),
            }
        }
        runs
    }

    fn bytes(&self, at: Address) -> Option<Vec<u8>> {
        let memory = self.environment.memory;
        let first = memory.read_u16(at).ok()?;
        let mut bytes = first.to_le_bytes().to_vec();
        if is_wide(first) {
            bytes.extend(memory.read_u16(at.checked_add(2)?).ok()?.to_le_bytes());
        }
        Some(bytes)
    }

    fn instruction(
        &self,
        at: Address,
        texts: &BTreeMap<Address, String>,
        current: bool,
    ) -> Option<Instruction> {
        let text = texts.get(&at)?.clone();
        let bytes = self.bytes(at)?;
        Some(Instruction {
            address: at.into(),
            bytes: hex::encode(&bytes),
            remark: self.named(at, &bytes, &text),
            text,
            current,
        })
    }

    /// The symbol that a branch leads to, or the constant that is loaded from behind the code.
    fn named(&self, at: Address, bytes: &[u8], text: &str) -> Option<String> {
        let environment = self.environment;
        if let Some(literal) = literal(at, bytes) {
            let value = environment.memory.read_u32(literal).ok()?;
            let symbol = environment.symbols.symbol_at(Address(value).without_thumb_bit());
            return Some(match symbol {
                Some((symbol, 0)) => format!("0x{value:08x} {}", symbol.name),
                Some((symbol, offset)) => format!("0x{value:08x} {}+{offset}", symbol.name),
                None => format!("0x{value:08x}"),
            });
        }
        let (mnemonic, operands) = text.split_once(' ')?;
        let branch = mnemonic.trim_end_matches(".w");
        let condition = branch.strip_prefix('b').is_some_and(|code| CONDITIONS.contains(&code));
        if !condition && !matches!(branch, "b" | "bl" | "cbz" | "cbnz") {
            return None;
        }
        let (_, target) = operands.rsplit_once("#0x")?;
        let target = Address(u32::from_str_radix(target, 16).ok()?);
        let (symbol, offset) = environment.symbols.symbol_at(target)?;
        Some(match offset {
            0 => symbol.readable().into_owned(),
            offset => format!("{}+{offset}", symbol.readable()),
        })
    }
}

/// Where LDR (literal) reads from. DDI 0403E A7.7.43.
fn literal(at: Address, bytes: &[u8]) -> Option<Address> {
    let half = |index: usize| -> Option<u16> {
        let start = index.checked_mul(2)?;
        Some(u16::from_le_bytes(bytes.get(start..start.checked_add(2)?)?.try_into().ok()?))
    };
    let base = at.wrapping_add(4).0 & !3;
    match (half(0)?, half(1)) {
        (first @ 0x4800..=0x4fff, None) => Some(Address(base).word(u32::from(first & 0xff))),
        (0xf8df, Some(second)) => Some(Address(base).wrapping_add(i64::from(second & 0xfff))),
        (0xf85f, Some(second)) => Some(Address(base.wrapping_sub(u32::from(second & 0xfff)))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::tests::report;
    use crate::report::{Instruction, Thread};

    fn crashed(board: &str, case: &str) -> Thread {
        let threads = report(board, case).threads;
        threads.into_iter().find(|thread| thread.crashed).unwrap()
    }

    fn current(frame: &crate::report::Frame) -> &Instruction {
        frame.disassembly.iter().find(|instruction| instruction.current).unwrap()
    }

    #[test]
    fn crash_stands_at_the_instruction_and_its_caller_at_the_call() {
        for board in ["microbit", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505"] {
            let thread = crashed(board, "nullptr");
            let fault = current(&thread.frames[0]);
            assert_eq!(fault.address, thread.frames[0].pc);
            assert!(fault.text.contains("[r"), "{board}: {}", fault.text);
            let caller =
                thread.frames.iter().find(|frame| frame.pc != thread.frames[0].pc).unwrap();
            let call = current(caller);
            assert_eq!(call.address.0 + call.bytes.len() as u32 / 2, caller.pc.0 & !1);
            assert!(call.text.starts_with("bl"), "{board}: {}", call.text);
        }
    }

    #[test]
    fn listing_holds_neighbours_in_order_and_names_targets() {
        let thread = crashed("mps2-an385", "nullptr");
        let listed: Vec<&Instruction> =
            thread.frames.iter().flat_map(|frame| &frame.disassembly).collect();
        assert!(listed.iter().any(|i| i.text.starts_with("bl ") && i.remark.is_some()));
        for frame in thread.frames.iter().filter(|frame| !frame.disassembly.is_empty()) {
            assert!(frame.disassembly.len() <= 10 && frame.disassembly.len() > 2);
            for pair in frame.disassembly.windows(2) {
                assert!(pair[0].address < pair[1].address);
            }
        }
    }
}
