//! Fields of a register: their bits and what the value of the dump means.

use super::array::{elements, number, text, value};
use super::tree::Walk;
use crate::report::RegisterField;
use roxmltree::Node;

/// First bit and number of bits, by any of the three ways to write it.
fn bits(field: Node<'_, '_>) -> Option<(u32, u32)> {
    let (low, high) = if let Some(range) = text(field, "bitRange") {
        let inner = range.strip_prefix('[')?.strip_suffix(']')?;
        let (high, low) = inner.split_once(':')?;
        (number(low)?, number(high)?)
    } else if let Some(low) = value(field, "lsb") {
        (low, value(field, "msb")?)
    } else {
        let low = value(field, "bitOffset")?;
        (low, low.checked_add(value(field, "bitWidth").unwrap_or(1))?.checked_sub(1)?)
    };
    let width = high.checked_sub(low)?.checked_add(1)?;
    (high < 64).then_some((u32::try_from(low).ok()?, u32::try_from(width).ok()?))
}

/// The fields of `register`, which holds `held`; lowest bit first.
pub(super) fn decode<'a, 'i>(
    walk: &mut Walk<'a, 'i>,
    register: Node<'a, 'i>,
    held: u64,
) -> Vec<RegisterField> {
    let mut found = with_first_bit(walk, register, held);
    found.sort_by_key(|(low, _)| *low);
    found.into_iter().map(|(_, field)| field).collect()
}

fn with_first_bit<'a, 'i>(
    walk: &mut Walk<'a, 'i>,
    register: Node<'a, 'i>,
    held: u64,
) -> Vec<(u32, RegisterField)> {
    let mut found = Vec::new();
    let Some(fields) = register.children().find(|child| child.has_tag_name("fields")) else {
        return found;
    };
    for field in fields.children().filter(|child| child.has_tag_name("field")) {
        let base = walk.derived(field, fields);
        let Some((low, width)) = bits(field).or_else(|| bits(base?)) else { continue };
        for (name, distance) in elements(field) {
            if !walk.step(field) || !walk.copies(&name) {
                return found;
            }
            let Some(low) = u32::try_from(distance).ok().and_then(|more| low.checked_add(more))
            else {
                break;
            };
            let Some(high) = low.checked_add(width).and_then(|end| end.checked_sub(1)) else {
                break;
            };
            if high >= 64 {
                break;
            }
            let mask = u64::MAX.checked_shr(64_u32.saturating_sub(width)).unwrap_or(0);
            let number = held.checked_shr(low).unwrap_or(0) & mask;
            let meaning = meaning(walk, field, number)
                .or_else(|| base.and_then(|base| self::meaning(walk, base, number)));
            let bits = if width == 1 { low.to_string() } else { format!("{high}:{low}") };
            found.push((low, RegisterField { name, bits, value: number, meaning }));
        }
    }
    found
}

/// What `number` is called among the enumerated values for reading.
fn meaning<'a, 'i>(walk: &mut Walk<'a, 'i>, field: Node<'a, 'i>, number: u64) -> Option<String> {
    let mut default = None;
    for list in field.children().filter(|child| child.has_tag_name("enumeratedValues")) {
        if text(list, "usage") == Some("write") {
            continue;
        }
        let list = match list.attribute("derivedFrom") {
            Some(path) => walk.enumeration(path)?,
            None => list,
        };
        for entry in list.children().filter(|child| child.has_tag_name("enumeratedValue")) {
            if !walk.step(entry) {
                return None;
            }
            if text(entry, "value").is_some_and(|pattern| matches(pattern, number)) {
                return name(walk, entry);
            }
            if text(entry, "isDefault") == Some("true") {
                default = name(walk, entry);
            }
        }
    }
    default
}

fn name<'a, 'i>(walk: &mut Walk<'a, 'i>, entry: Node<'a, 'i>) -> Option<String> {
    text(entry, "name").filter(|name| walk.copies(name)).map(str::to_string)
}

/// Whether `number` fits `pattern`, in which `x` stands for any bit.
fn matches(pattern: &str, number: u64) -> bool {
    let lower = pattern.trim().to_ascii_lowercase();
    let digits = lower.strip_prefix('#').or_else(|| lower.strip_prefix("0b"));
    match digits {
        Some(digits) if digits.contains('x') && digits.len() <= 64 => {
            let bits = (0..64).map(|bit| if number >> bit & 1 == 1 { '1' } else { '0' });
            let wanted = digits.chars().rev().chain(std::iter::repeat('0'));
            bits.zip(wanted).all(|(bit, wanted)| wanted == 'x' || wanted == bit)
        }
        _ => super::array::number(pattern) == Some(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_with_any_bits_fits_all_their_values() {
        assert!(matches("#1x0", 0b100) && matches("#1x0", 0b110));
        assert!(!matches("#1x0", 0b101) && !matches("0b0x", 0b10));
        assert!(matches("0x3", 3) && matches("3", 3) && !matches("", 0));
    }

    #[test]
    fn bits_are_read_in_all_three_forms() {
        let read = |inner: &str| {
            let xml = format!("<field>{inner}</field>");
            let document = roxmltree::Document::parse(&xml).unwrap();
            bits(document.root_element())
        };
        assert_eq!(read("<bitRange>[7:4]</bitRange>"), Some((4, 4)));
        assert_eq!(read("<lsb>3</lsb><msb>3</msb>"), Some((3, 1)));
        assert_eq!(read("<bitOffset>8</bitOffset><bitWidth>24</bitWidth>"), Some((8, 24)));
        assert_eq!(read("<bitOffset>5</bitOffset>"), Some((5, 1)));
        assert_eq!(read("<lsb>7</lsb><msb>3</msb>"), None);
        assert_eq!(read("<bitOffset>1</bitOffset><bitWidth>0x7fffffffffffffff</bitWidth>"), None);
        assert_eq!(read("<bitOffset>0</bitOffset><bitWidth>64</bitWidth>"), Some((0, 64)));
    }
}
