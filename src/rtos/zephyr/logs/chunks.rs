//! Version 1 of deferred logging (`subsys/logging/log_msg.c`, 1.12 to 3.1): messages in chunks of the
//! memory slab `log_msg_pool`, a head and, for what does not fit, more chunks.
//!
//! | chunk | content |
//! |---|---|
//! | head | link, references, kind and size, source and level, time, format, payload |
//! | payload that fits | arguments, a word each, or bytes of a hexdump |
//! | payload that does not | address of the second chunk, then the first arguments or bytes |
//! | others | address of the next, then more arguments or bytes |
//!
//! A message that was printed is freed: its chunks stand in the slab's free list, linked through
//! their first word, the last chunk of a message before the one in front of it. All but that word
//! stays until a chunk is used again.

use super::super::layout::member;
use super::sources::Sources;
use super::{Field, LARGEST, offset, rate};
use crate::base::printf::{Argument, Slot, format, slots};
use crate::base::{Address, AddressRange, Memory};
use crate::rtos::LogLine;
use crate::rtos::log::LEVELS;
use crate::symbols::SymbolFile;
use std::collections::{HashMap, HashSet};

/// Longest text of a format or an argument.
const LONGEST: usize = 512;
/// More references to a message than there are outputs.
const MOST_REFERENCES: u32 = 16;
/// Bytes of a link to another chunk.
const LINK: u32 = 4;

/// Lines in the chunks, oldest first. `None` when there is no such slab.
pub(super) fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Vec<LogLine>> {
    let chunks = Chunks::find(memory, symbols)?;
    let mut heads: Vec<Head> = chunks.all().filter_map(|at| chunks.head(at)).collect();
    let taken = chunks.continuations(&heads);
    heads.retain(|head| !taken.contains_key(&head.at));
    let order = chunks.order(&heads);
    heads.sort_by_key(|head| (head.time, order.get(&head.at).copied()));
    // The clock counts cycles and wraps: the oldest stands behind the widest gap.
    let gap = |index: usize| {
        let before = index.checked_sub(1).or(heads.len().checked_sub(1))?;
        Some(heads.get(index)?.time.wrapping_sub(heads.get(before)?.time))
    };
    let oldest = (0..heads.len()).max_by_key(|index| (gap(*index), std::cmp::Reverse(*index)));
    heads.rotate_left(oldest.unwrap_or(0));
    let rate = rate(memory, symbols);
    let lines = heads.iter().map(|head| LogLine {
        seconds: rate.map(|rate| f64::from(head.time) / rate),
        level: LEVELS.get(head.level).copied().filter(|level| !level.is_empty()),
        module: head.module.clone(),
        text: chunks.text(head, &taken),
        pending: !head.freed,
        console: None,
    });
    Some(lines.collect())
}

/// A message, by its first chunk.
struct Head {
    at: Address,
    freed: bool,
    level: usize,
    module: Option<String>,
    time: u32,
    /// Empty for raw text, which the payload holds.
    format: String,
    kind: Kind,
    /// Bytes of its payload.
    size: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Standard,
    Hexdump,
}

struct Chunks<'a> {
    memory: &'a dyn Memory,
    sources: Sources,
    layout: Layout,
    start: Address,
    /// Bytes of a chunk.
    size: u32,
    count: u32,
    /// Chunks that are in no use, each with the chunk that its first word leads to.
    free: HashMap<Address, Address>,
    first_free: Address,
}

/// Where a head keeps what.
struct Layout {
    references: u32,
    kind: Field,
    extended: Field,
    arguments: Field,
    length: Field,
    parameters: u32,
    level: Field,
    source: Field,
    ids: u32,
    time: u32,
    format: u32,
    payload: u32,
}

impl Layout {
    fn find(symbols: &SymbolFile<'_>) -> Option<Layout> {
        let head = |path: &str| offset(symbols, "log_msg", path);
        Some(Layout {
            references: head("hdr.ref_cnt")?,
            kind: Field::find(symbols, "log_msg_generic_hdr", "type")?,
            extended: Field::find(symbols, "log_msg_generic_hdr", "ext")?,
            arguments: Field::find(symbols, "log_msg_std_hdr", "nargs")?,
            length: Field::find(symbols, "log_msg_hexdump_hdr", "length")?,
            parameters: head("hdr.params")?,
            level: Field::find(symbols, "log_msg_ids", "level")?,
            source: Field::find(symbols, "log_msg_ids", "source_id")?,
            ids: head("hdr.ids")?,
            time: head("hdr.timestamp")?,
            format: head("str")?,
            payload: head("payload")?,
        })
    }
}

impl<'a> Chunks<'a> {
    fn find(memory: &'a dyn Memory, symbols: &SymbolFile<'_>) -> Option<Chunks<'a>> {
        let slab = symbols.symbol("log_msg_pool")?.address;
        let word =
            |path: &str| memory.read_u32(member(slab, offset(symbols, "k_mem_slab", path))?).ok();
        let (size, count) = (word("block_size")?, word("num_blocks")?);
        let bytes = size.checked_mul(count).and_then(|bytes| usize::try_from(bytes).ok())?;
        let layout = Layout::find(symbols)?;
        if bytes > LARGEST || size < layout.payload.checked_add(LINK)? {
            return None;
        }
        let start = Address(word("buffer")?);
        let mut chunks = Chunks {
            memory,
            sources: Sources::find(symbols),
            layout,
            start,
            size,
            count,
            free: HashMap::new(),
            first_free: Address(word("free_list")?),
        };
        let mut at = chunks.first_free;
        while chunks.holds(at) && !chunks.free.contains_key(&at) {
            let next = Address(memory.read_u32(at).ok()?);
            chunks.free.insert(at, next);
            at = next;
        }
        Some(chunks)
    }

    fn all(&self) -> impl Iterator<Item = Address> {
        let (start, size) = (self.start, self.size);
        (0..self.count).filter_map(move |index| start.checked_add(size.checked_mul(index)?))
    }

    /// The order of messages of one time: what was freed last stands first in the free list, what
    /// waits is linked in its order.
    fn order(&self, heads: &[Head]) -> HashMap<Address, usize> {
        let waiting = heads.iter().filter(|head| !head.freed);
        let next: HashMap<Address, Address> =
            waiting.filter_map(|head| Some((head.at, Address(self.word(head.at, 0)?)))).collect();
        let behind: HashSet<&Address> = next.values().collect();
        let mut order = HashMap::new();
        let mut at = Some(self.first_free);
        let freed = std::iter::from_fn(|| {
            let here = at?;
            at = self.free.get(&here).copied();
            at.map(|_| here)
        });
        let freed: Vec<Address> = freed.take(self.free.len()).collect();
        for at in freed.into_iter().rev() {
            order.insert(at, order.len());
        }
        for first in next.keys().filter(|at| !behind.contains(at)) {
            let mut at = *first;
            while let Some(after) = next.get(&at).filter(|_| !order.contains_key(&at)) {
                order.insert(at, order.len());
                at = *after;
            }
        }
        order
    }

    /// Whether a chunk begins at `at`.
    fn holds(&self, at: Address) -> bool {
        let Some(distance) = at.0.checked_sub(self.start.0) else { return false };
        let index = distance.checked_div(self.size);
        distance.is_multiple_of(self.size) && index.is_some_and(|index| index < self.count)
    }

    fn word(&self, at: Address, offset: u32) -> Option<u32> {
        self.memory.read_u32(at.checked_add(offset)?).ok()
    }

    fn half(&self, at: Address, offset: u32) -> Option<u32> {
        self.memory.read_u16(at.checked_add(offset)?).ok().map(u32::from)
    }

    /// Bytes of a payload that its head holds when no other chunk does.
    fn alone(&self) -> u32 {
        self.size.saturating_sub(self.layout.payload)
    }

    /// The message whose first chunk is at `at`, if one stands there.
    fn head(&self, at: Address) -> Option<Head> {
        let layout = &self.layout;
        let freed = self.free.contains_key(&at);
        let references = self.word(at, layout.references)?;
        if freed != (references == 0) || references > MOST_REFERENCES {
            return None;
        }
        let parameters = self.half(at, layout.parameters)?;
        let (kind, size) = match layout.kind.of(parameters) {
            0 => (Kind::Standard, layout.arguments.of(parameters).checked_mul(4)?),
            _ => (Kind::Hexdump, layout.length.of(parameters)),
        };
        let size = u32::try_from(size).ok()?;
        if (layout.extended.of(parameters) == 1) != (size > self.alone()) {
            return None;
        }
        let ids = self.half(at, layout.ids)?;
        let level = Some(layout.level.of(ids)).filter(|level| *level < LEVELS.len())?;
        // Raw text has no source, and, when it is told as bytes, no format.
        let source = u32::try_from(layout.source.of(ids)).ok()?;
        let module =
            if level == 0 { None } else { Some(self.sources.numbered(self.memory, source)?) };
        let format = match self.word(at, layout.format)? {
            0 if level == 0 && kind == Kind::Hexdump => String::new(),
            format => self.string(format).filter(|format| !format.is_empty())?,
        };
        let time = self.word(at, layout.time)?;
        Some(Head { at, freed, level, module, time, format, kind, size })
    }

    /// The chunks behind heads, each with its head.
    fn continuations(&self, heads: &[Head]) -> HashMap<Address, Address> {
        let is_head: HashSet<Address> = heads.iter().map(|head| head.at).collect();
        let mut taken = HashMap::new();
        // The newest owns what several lead to; what is in use is newest of all.
        let mut order: Vec<&Head> = heads.iter().collect();
        order.sort_by_key(|head| (!head.freed, head.time));
        for head in order {
            for chunk in self.behind(head) {
                // A freed chunk that was used again for a head of its own is lost to this one.
                if !head.freed || !is_head.contains(&chunk) {
                    taken.insert(chunk, head.at);
                }
            }
        }
        taken
    }

    /// The chunks behind `head`, as far as its links lead.
    fn behind(&self, head: &Head) -> Vec<Address> {
        let room = self.size.saturating_sub(LINK);
        let rest = head.size.saturating_sub(self.alone().saturating_sub(LINK));
        if head.size <= self.alone() || room == 0 {
            return Vec::new();
        }
        let Ok(needed) = usize::try_from(rest.div_ceil(room)) else { return Vec::new() };
        let first = self.word(head.at, self.layout.payload).map(Address);
        let Some(first) = first.filter(|first| self.holds(*first)) else { return Vec::new() };
        if !head.freed {
            let next = |at: &Address| self.word(*at, 0).map(Address).filter(|at| self.holds(*at));
            return std::iter::successors(Some(first), next).take(needed).collect();
        }
        // Freed in their order, each now leads to the one that was freed before it.
        let next = |at: &Address| self.free.get(at).copied().filter(|at| self.holds(*at));
        let mut links: Vec<Address> =
            std::iter::successors(next(&head.at), next).take(needed).collect();
        links.reverse();
        if links.first() == Some(&first) && links.len() == needed { links } else { vec![first] }
    }

    /// The payload, as far as it is still there.
    fn payload(&self, head: &Head, taken: &HashMap<Address, Address>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut left = head.size;
        let mut take = |at: Option<Address>, room: u32| {
            let part = left.min(room);
            let range = AddressRange::new(at?, part.into())?;
            bytes.extend(self.memory.read_range(range, LARGEST).ok()?);
            left = left.checked_sub(part)?;
            Some(())
        };
        let payload = head.at.checked_add(self.layout.payload);
        if head.size <= self.alone() {
            take(payload, self.alone());
            return bytes;
        }
        let first = payload.and_then(|at| at.checked_add(LINK));
        let mut more = take(first, self.alone().saturating_sub(LINK));
        for chunk in self.behind(head) {
            if more.is_none() || taken.get(&chunk) != Some(&head.at) {
                break;
            }
            more = take(chunk.checked_add(LINK), self.size.saturating_sub(LINK));
        }
        bytes
    }

    fn text(&self, head: &Head, taken: &HashMap<Address, Address>) -> String {
        let payload = self.payload(head, taken);
        if head.format.is_empty() {
            return String::from_utf8_lossy(&payload).trim_end().to_string();
        }
        if head.kind == Kind::Hexdump {
            let dump: Vec<String> = payload.iter().map(|byte| format!("{byte:02x}")).collect();
            return format!("{} {}", head.format, dump.join(" "));
        }
        let mut words = payload
            .chunks_exact(4)
            .filter_map(|word| word.first_chunk::<4>().map(|word| u32::from_le_bytes(*word)));
        // Each argument is cut to a word, whatever the format says.
        let values = slots(&head.format).into_iter().map_while(|slot| {
            let value = words.next()?;
            Some(match slot {
                Slot::Text => {
                    let text = self.string(value);
                    Argument::Text(text.unwrap_or_else(|| format!("<{}>", Address(value))))
                }
                _ => Argument::Integer { value: value.into(), wide: false },
            })
        });
        let values: Vec<Argument> = values.collect();
        format(&head.format, &values).trim_end().to_string()
    }

    /// Text that a person wrote.
    fn string(&self, at: u32) -> Option<String> {
        let bytes = self.memory.read_c_string(Address(at), LONGEST).ok()?;
        let is_text = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\x1b');
        String::from_utf8(bytes).ok().filter(|text| text.chars().all(is_text))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{poke, with_old_objects};
    use super::super::told;
    use super::*;

    #[test]
    fn chunks_are_read_from_the_oldest_message_on() {
        with_old_objects(|memory, symbols| {
            let lines = read(memory, symbols).unwrap();
            let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN";
            let dump: Vec<_> = letters.bytes().map(|byte| format!("{byte:02x}")).collect();
            let long = format!("long {}", dump.join(" "));
            let expected = [
                ("raw", "-", "boot cold", false),
                ("err", "flash", long.as_str(), false),
                ("inf", "sensor", "started, -2 left", false),
                ("inf", "flash", "lost 7 8 %d %d", false),
                ("wrn", "sensor", "1 of two, 0xabc -4", true),
                ("dbg", "flash", "page 01 02 ff", true),
            ];
            assert_eq!(told(&lines), expected);
            let seconds: Vec<_> = lines.iter().filter_map(|line| line.seconds).collect();
            assert_eq!(seconds, [0.25, 0.5, 1.0, 1.0, 2.0, 2.0]);
        });
    }

    #[test]
    fn messages_on_both_sides_of_the_clocks_end_stay_in_order() {
        with_old_objects(|memory, symbols| {
            // The raw text and the hexdump were made before the clock began anew.
            for (chunk, time) in [(7, 0xffff_fff0_u32), (4, 0xffff_fffa)] {
                poke(memory, symbols, "log_msg_pool_buf", chunk * 32 + 12, &time.to_le_bytes());
            }
            let lines = read(memory, symbols).unwrap();
            let first: Vec<_> = lines.iter().map(|line| &line.text[..4]).collect();
            assert_eq!(first, ["boot", "long", "star", "lost", "1 of", "page"]);
        });
    }

    #[test]
    fn log_that_is_kept_nowhere_is_remarked_on() {
        with_old_objects(|_, symbols| {
            let remark = super::super::remark(symbols).unwrap();
            assert!(remark.text.contains("CONFIG_LOG_IMMEDIATE=y"), "{}", remark.text);
        });
        super::super::super::fixture::with_objects(|_, symbols| {
            assert_eq!(super::super::remark(symbols), None);
        });
    }

    #[test]
    fn nonsense_in_any_word_of_the_chunks_is_survived() {
        with_old_objects(|memory, symbols| {
            let sound = memory.clone();
            let start = symbols.symbol("log_msg_pool_buf").unwrap().address.0;
            for (name, size) in [("log_msg_pool_buf", 288), ("log_msg_pool", 20)] {
                for offset in (0..size).step_by(4) {
                    for value in [0, 1, 0x7fff_ffff, 0xffff_ffff, start, start + 32] {
                        *memory = sound.clone();
                        poke(memory, symbols, name, offset, &value.to_le_bytes());
                        assert!(read(memory, symbols).unwrap_or_default().len() <= 9);
                    }
                }
            }
        });
    }
}
