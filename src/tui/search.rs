//! Searching memory for bytes, text, numbers and pointers; and globals by a query.

use super::event::Found;
use super::fuzzy::Typed;
use crate::analysis::inspector::GlobalName;
use crate::base::number::parse_number;
use crate::base::{Address, AddressRange, hex, join};
use crate::snapshot::MemoryImage;

/// Places that are listed.
const MOST: usize = 10_000;
/// Characters of a query that count.
const LONGEST_QUERY: usize = 64;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// Bytes one after the other.
    Bytes(Vec<u8>),
    /// Words that point into a range.
    Pointers(AddressRange),
}

/// Where `text` stands in `memory`, the first [`MOST`] of them. `address_of` knows addresses.
///
/// # Errors
/// What of the pattern is not understood.
pub(super) fn find(
    memory: &MemoryImage,
    text: &str,
    address_of: &dyn Fn(&str) -> Result<Address, String>,
) -> Result<Vec<Found>, String> {
    let pattern = parse(text, address_of)?;
    let mut found = Vec::new();
    for segment in memory.segments() {
        let start = segment.range().start();
        match &pattern {
            Pattern::Bytes(wanted) => {
                let places = memchr::memmem::find_iter(segment.bytes(), wanted);
                let size = wanted.len() as u64;
                let places = places.map(|at| Found { start: start.wrapping_add(at as i64), size });
                found.extend(places.take(MOST.saturating_sub(found.len())));
            }
            Pattern::Pointers(range) => {
                // Pointers are aligned.
                let skip = usize::try_from(start.0.wrapping_neg() & 3).unwrap_or(0);
                let words = segment.bytes().get(skip..).unwrap_or_default().chunks_exact(4);
                let places = words.enumerate().filter_map(|(index, word)| {
                    let value = u32::from_le_bytes(word.try_into().ok()?);
                    let at = start.wrapping_add(skip as i64).word(u32::try_from(index).ok()?);
                    range.contains(Address(value)).then_some(Found { start: at, size: 4 })
                });
                found.extend(places.take(MOST.saturating_sub(found.len())));
            }
        }
    }
    Ok(found)
}

/// `=1000` and `=0x20000000` are words, `>main` and `>0x20000000..0x20000100` are pointers, pairs of
/// hexadecimal digits are bytes, all else is text; in quotes everything is.
fn parse(
    text: &str,
    address_of: &dyn Fn(&str) -> Result<Address, String>,
) -> Result<Pattern, String> {
    if let Some(number) = text.strip_prefix('=') {
        let (negative, digits) = match number.trim().strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number.trim()),
        };
        let value = parse_number(digits).ok_or_else(|| format!("`{number}` is not a number"))?;
        let value = if negative { value.wrapping_neg() } else { value };
        let is_word = value <= u64::from(u32::MAX) || negative;
        let bytes = value.to_le_bytes();
        let size = if is_word { 4 } else { 8 };
        return Ok(Pattern::Bytes(bytes.get(..size).unwrap_or_default().to_vec()));
    }
    if let Some(target) = text.strip_prefix('>') {
        let (from, to) = target.split_once("..").unwrap_or((target, ""));
        let start = address_of(from)?;
        let range = match to.trim() {
            // With the Thumb bit it is the same function.
            "" => AddressRange::new(start.without_thumb_bit(), 2),
            to => AddressRange::from_bounds(start, address_of(to)?),
        };
        let range = range.filter(|range| !range.is_empty());
        return range.map(Pattern::Pointers).ok_or_else(|| format!("`{target}` is no range"));
    }
    if let Some(quoted) = text.strip_prefix('"') {
        let quoted = quoted.strip_suffix('"').unwrap_or(quoted);
        return bytes(quoted.as_bytes().to_vec());
    }
    let digits: String = text.split_whitespace().collect();
    let pairs = text.split_whitespace().all(|part| part.len() == 2) || text.len() >= 8;
    match hex::decode(digits.as_bytes()).filter(|_| pairs) {
        Some(decoded) => bytes(decoded),
        None => bytes(text.as_bytes().to_vec()),
    }
}

fn bytes(bytes: Vec<u8>) -> Result<Pattern, String> {
    if bytes.is_empty() { Err("nothing to find".to_string()) } else { Ok(Pattern::Bytes(bytes)) }
}

/// Globals as the search sees them.
#[derive(Debug, Default)]
pub(super) struct Index {
    names: Texts,
    /// The names with their ASCII letters in lower case.
    lower: Texts,
    /// Type, file and address, in lower case.
    rests: Texts,
    /// The last query, in lower case, and what fits it, in the order of the names.
    query: String,
    fitting: Vec<usize>,
}

/// Texts one behind the other: all of them are read for each character that somebody types, and
/// memory is fast in one direction only.
#[derive(Debug, Default)]
struct Texts {
    joined: String,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.joined.push_str(text);
        self.ends.push(self.joined.len());
    }

    fn get(&self, index: usize) -> Option<&str> {
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.joined.get(start..*self.ends.get(index)?)
    }
}

impl Index {
    pub(super) fn new(globals: &[GlobalName]) -> Index {
        let mut index = Index::default();
        for global in globals {
            index.names.push(&global.name);
            index.lower.push(&global.name.to_ascii_lowercase());
            let unit = global.unit.as_deref().unwrap_or("");
            let address = global.address.map_or(String::new(), |at| at.to_string());
            let rest = format!("{} {unit} {address}", global.type_name);
            index.rests.push(&rest.to_lowercase());
        }
        index.fitting = (0..globals.len()).collect();
        index
    }

    /// The numbers of those that `query` means, best first. Each word of it is to be found: its
    /// characters in order in the name, or as it is in the type, the file or the address.
    pub(super) fn search(&mut self, query: &str) -> Vec<usize> {
        let query: String = query.chars().take(LONGEST_QUERY).collect();
        let query = query.to_lowercase();
        let words: Vec<Typed<'_>> = query.split_whitespace().map(Typed::new).collect();
        let score = |index: usize| {
            let (name, lower) = (self.names.get(index)?, self.lower.get(index)?);
            let rest = self.rests.get(index)?;
            words.iter().try_fold(0_u64, |total, word| {
                // Found elsewhere is less than found in the name.
                let points = word.score(name, lower).or_else(|| word.is_in(rest).then_some(0))?;
                Some(total.saturating_add(points))
            })
        };
        // Who types on only narrows what was found.
        let candidates = match query.starts_with(&self.query) {
            true => std::mem::take(&mut self.fitting),
            false => (0..self.names.ends.len()).collect(),
        };
        let scored = |part: &[usize]| -> Vec<(u64, usize)> {
            part.iter().filter_map(|index| Some((score(*index)?, *index))).collect()
        };
        let (low, high) = candidates.split_at(candidates.len() / 2);
        let (more, mut found) = join(|| scored(high), || scored(low));
        found.extend(more);
        self.fitting = found.iter().map(|(_, index)| *index).collect();
        self.query = query;
        // A stable sort: equals stay in the order of their names.
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().map(|(_, index)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> MemoryImage {
        let pointer = 0x2000_0140_u32.to_le_bytes();
        MemoryImage::of(&[(0x101, b"\x00abcabc\x41\x01\x00\x20\xff"), (0x200, &pointer)])
    }

    fn found(text: &str) -> Result<Vec<u32>, String> {
        let address_of = |text: &str| match text.trim() {
            "ring" => Ok(Address(0x2000_0140)),
            other => parse_number(other)
                .and_then(|n| u32::try_from(n).ok())
                .map(Address)
                .ok_or_else(|| "unknown".into()),
        };
        let found = find(&memory(), text, &address_of)?;
        Ok(found.into_iter().map(|found| found.start.0).collect())
    }

    #[test]
    fn bytes_text_numbers_and_pointers_are_told_apart() {
        assert_eq!(found("abc"), Ok(vec![0x102, 0x105]));
        assert_eq!(found("61 62"), Ok(vec![0x102, 0x105]));
        assert_eq!(found("\"61 62\""), Ok(vec![]));
        assert_eq!(found("=0x20000141"), Ok(vec![0x108]));
        assert_eq!(found(">ring"), Ok(vec![0x108, 0x200]));
        assert_eq!(found(">0x20000100..0x20000141"), Ok(vec![0x200]));
        assert_eq!(found("=x"), Err("`x` is not a number".into()));
        assert_eq!(found(">nobody"), Err("unknown".into()));
        assert_eq!(found(">0x10..0x10"), Err("`0x10..0x10` is no range".into()));
        assert!(found("").is_err() && found("\"\"").is_err());
    }

    #[test]
    fn number_of_places_is_bounded() {
        let mut memory = MemoryImage::default();
        memory.insert(Address(0), vec![0; 1 << 16]).unwrap();
        let all = find(&memory, "00", &|_| Err(String::new())).unwrap();
        assert_eq!(all.len(), MOST);
    }

    #[test]
    fn query_finds_by_name_type_file_and_address() {
        let global = |name: &str, ty: &str, unit: &str, at| GlobalName {
            name: name.into(),
            type_name: ty.into(),
            unit: Some(unit.into()),
            address: Some(Address(at)),
        };
        let mut index = Index::new(&[
            global("rx_ring", "struct ring", "src/uart.c", 0x2000_0100),
            global("tx_ring", "struct ring", "src/uart.c", 0x2000_0200),
            global("boot_count", "uint32_t", "src/boot.c", 0x2000_0300),
        ]);
        assert_eq!(index.search("bcnt"), [2]);
        assert_eq!(index.search("rxr")[0], 0);
        assert_eq!(index.search("tx uart.c"), [1]);
        assert_eq!(index.search("Ring UART"), [0, 1]);
        for (query, expected) in [("r", vec![0, 1, 2]), ("ri", vec![0, 1]), ("rin x", vec![0, 1])] {
            assert_eq!(index.search(query), expected, "{query}, typed on");
        }
        assert_eq!(index.search("b"), [2], "another query begins with all");
        assert_eq!(index.search("uint32"), [2]);
        assert_eq!(index.search("0x20000300"), [2]);
        assert!(index.search("zzzz").is_empty());
        assert!(index.search(&"x".repeat(100_000)).is_empty());
    }
}
