//! Whether RAM alone can be that of a firmware, where the dump holds none of its flash.
//!
//! Words in the range of the code are mostly return addresses and function pointers; in another
//! build they lead into the middle of things. Of two return addresses on a stack the outer one stands
//! behind a call of the function of the inner one. And variables that were never written still have
//! their first values.
//!
//! In 341 dumps of real Zephyr (1.14 to 4.1), FreeRTOS, ThreadX and bare metal, with heaps full and
//! stacks overrun, at least 83 % of those words led where code is entered, and 67 % of the first values
//! were kept. With 2346 wrong ELFs, down to one of the same sources with another option, it was at
//! most 69 % (half of them below 8 %) and 66 %.

use std::collections::BTreeMap;

use super::Match;
use crate::arch::cortex_m::prologue::{call_target, follows_call};
use crate::base::{Address, AddressRange};
use crate::snapshot::{MemoryImage, Snapshot};
use crate::symbols::{SymbolFile, SymbolKind};

/// Words of RAM that are looked at.
const MOST_WORDS: usize = 1 << 20;
/// Different code addresses that are looked at.
const MOST_ADDRESSES: usize = 1 << 12;
/// Small numbers are no code addresses, even where flash begins at 0.
const LOWEST: u32 = 0x1000;

/// Fewer code addresses prove nothing.
const FEWEST_ADDRESSES: u32 = 12;
/// Nor do fewer first values.
const FEWEST_INITIAL: u32 = 32;
/// By chance fewer calls fit each other.
const FEWEST_CHAINED: u32 = 2;
/// Words between two return addresses of a stack, at most.
const LARGEST_FRAME: usize = 64;

/// Counts of both signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Signs {
    /// Words with a first value other than 0 that are in the dump.
    initial: u32,
    /// Those of them that have it.
    kept: u32,
    /// Different words in the range of the code.
    addresses: u32,
    /// Those of them that are function pointers or return addresses.
    leading: u32,
    /// Return addresses to a call of the function that the one below them returns to.
    chained: u32,
}

/// Compares what `snapshot`, which holds no code, has of RAM with `file`.
pub(super) fn compare(snapshot: &Snapshot, file: &SymbolFile<'_>) -> Match {
    match Signs::read(&snapshot.memory, file).verdict() {
        // A piece of memory without a stack may hold nothing but numbers.
        Match::Different { .. } if !holds_a_stack(snapshot, file) => Match::Unknown,
        matched => matched,
    }
}

/// Whether `snapshot` holds the stack that its registers name, or most of the RAM of `file`.
fn holds_a_stack(snapshot: &Snapshot, file: &SymbolFile<'_>) -> bool {
    let sp = snapshot.registers.sp().map(Address);
    if sp.is_some_and(|sp| snapshot.memory.contains(sp)) {
        return true;
    }
    let sections = file.image().allocated_sections();
    let (mut all, mut held) = (0_u64, 0_u64);
    for section in sections.iter().filter(|section| section.is_ram()) {
        all = all.saturating_add(section.range.size());
        let shared = |range: AddressRange| section.range.intersection(range);
        let shared =
            snapshot.memory.segments().iter().filter_map(|segment| shared(segment.range()));
        held = held.saturating_add(shared.map(AddressRange::size).sum());
    }
    held > 0 && held >= all / 2
}

impl Signs {
    fn read(memory: &MemoryImage, file: &SymbolFile<'_>) -> Signs {
        let (initial, kept) = first_values(memory, file);
        let mut signs = Signs { initial, kept, ..Signs::default() };
        let mut addresses = BTreeMap::new();
        let in_ram = |at: Address| file.section_at(at).is_none_or(|section| section.is_ram());
        let mut words_left = MOST_WORDS;
        for segment in memory.segments().iter().filter(|s| in_ram(s.range().start())) {
            let words = segment.bytes().chunks_exact(4).take(words_left);
            words_left = words_left.saturating_sub(segment.bytes().len() / 4);
            signs.follow(words, file, &mut addresses);
        }
        signs.addresses = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let leading = addresses.values().filter(|kind| **kind != Kind::Other).count();
        signs.leading = u32::try_from(leading).unwrap_or(u32::MAX);
        signs
    }

    /// Adds the `words` of a piece of memory to `addresses`, and counts calls that fit each other.
    fn follow<'m>(
        &mut self,
        words: impl Iterator<Item = &'m [u8]>,
        file: &SymbolFile<'_>,
        addresses: &mut BTreeMap<u32, Kind>,
    ) {
        // The function that the last return address belongs to, and where that stood.
        let mut inner: Option<(usize, Address)> = None;
        for (index, word) in words.enumerate() {
            let word = word.try_into().map_or(0, u32::from_le_bytes);
            let at = Address(word & !1);
            if word & 1 == 0 || word < LOWEST || !file.is_code(at) {
                continue;
            }
            if addresses.len() >= MOST_ADDRESSES && !addresses.contains_key(&word) {
                continue;
            }
            let kind = *addresses.entry(word).or_insert_with(|| Kind::of(at, file));
            if kind != Kind::Return {
                continue;
            }
            let near = inner.filter(|(last, _)| index.saturating_sub(*last) < LARGEST_FRAME);
            if near.is_some_and(|(_, function)| call_target(file, at) == Some(function)) {
                self.chained = self.chained.saturating_add(1);
            }
            let function = at.checked_sub(2).and_then(|call| file.function_start(call));
            inner = function.map(|function| (index, function));
        }
    }

    /// A match takes clear code addresses. A refusal takes bad ones, and nothing else that speaks for
    /// the file: calls that fit each other, first values.
    fn verdict(self) -> Match {
        let Signs { initial, kept, addresses, leading, chained } = self;
        let enough = addresses >= FEWEST_ADDRESSES;
        let lead = |percent| is_at_least(leading, addresses, percent);
        let keep = |percent| is_at_least(kept, initial, percent);
        if enough && lead(70) {
            return Match::Ram { addresses, leading };
        }
        let has_initial = initial >= FEWEST_INITIAL;
        let is_other =
            enough && !lead(35) && chained < FEWEST_CHAINED && !(has_initial && keep(70));
        let is_variant = enough && !lead(55) && has_initial && !keep(60);
        let is_foreign = addresses >= 4 && !lead(50) && has_initial && !keep(10);
        if !(is_other || is_variant || is_foreign) {
            return Match::Unknown;
        }
        let mut why = format!(
            "of {addresses} words in RAM that look like addresses of its code, {leading} lead to \
             functions and calls"
        );
        if has_initial {
            why.push_str(&format!("; {kept} of {initial} first values of variables are there"));
        }
        Match::Different { why }
    }
}

/// Whether `part` of `whole` is at least so many percent.
fn is_at_least(part: u32, whole: u32, percent: u64) -> bool {
    u64::from(part).saturating_mul(100) >= u64::from(whole).saturating_mul(percent)
}

/// Words that have a first value, and how many still have it.
fn first_values(memory: &MemoryImage, file: &SymbolFile<'_>) -> (u32, u32) {
    let (mut initial, mut kept) = (0_u32, 0_u32);
    let sections = file.image().allocated_sections();
    let sections = sections.iter().filter(|section| section.is_ram());
    let words = sections.flat_map(|section| {
        let words = section.bytes.unwrap_or(&[]).chunks_exact(4);
        (0_u32..).zip(words).map(|(index, word)| (section.range.start().word(index), word))
    });
    for (at, word) in words.take(MOST_WORDS) {
        let Some(held) = memory.slice_from(at).and_then(|bytes| bytes.get(..4)) else { continue };
        if word != [0; 4] {
            initial = initial.saturating_add(1);
            kept = kept.saturating_add(u32::from(word == held));
        }
    }
    (initial, kept)
}

/// What a word in the range of the code leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Behind a call.
    Return,
    /// The start of a function.
    Function,
    /// Into the middle of things.
    Other,
}

impl Kind {
    fn of(at: Address, file: &SymbolFile<'_>) -> Kind {
        if follows_call(file, at) {
            return Kind::Return;
        }
        let is_start = file
            .symbol_at(at)
            .is_some_and(|(symbol, distance)| distance == 0 && symbol.kind == SymbolKind::Function);
        if is_start { Kind::Function } else { Kind::Other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(initial: (u32, u32), addresses: (u32, u32)) -> Match {
        with_calls(initial, addresses, 0)
    }

    fn with_calls(initial: (u32, u32), addresses: (u32, u32), chained: u32) -> Match {
        let ((kept, initial), (leading, addresses)) = (initial, addresses);
        Signs { initial, kept, addresses, leading, chained }.verdict()
    }

    #[test]
    fn little_evidence_decides_nothing() {
        for (initial, addresses) in [
            ((0, 0), (0, 0)),
            ((0, 31), (0, 11)),
            ((0, 1000), (0, 3)),
            // A RAM disk, say, full of odd numbers.
            ((90, 100), (10, 1000)),
            ((64, 100), (45, 100)),
            ((0, 0), (45, 100)),
            ((0, 1000), (60, 100)),
        ] {
            assert_eq!(verdict(initial, addresses), Match::Unknown, "{initial:?} {addresses:?}");
        }
        // Numbers all over, and a stack whose calls fit.
        assert_eq!(with_calls((0, 0), (20, 400), 2), Match::Unknown);
    }

    #[test]
    fn clear_evidence_decides() {
        assert_eq!(verdict((0, 0), (9, 12)), Match::Ram { addresses: 12, leading: 9 });
        for (initial, addresses) in
            [((0, 0), (4, 12)), ((59, 100), (54, 100)), ((3, 100), (1, 4)), ((66, 100), (34, 100))]
        {
            let found = verdict(initial, addresses);
            assert!(
                matches!(found, Match::Different { .. }),
                "{initial:?} {addresses:?} {found:?}"
            );
        }
    }
}
