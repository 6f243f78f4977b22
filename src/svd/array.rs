//! Numbers and arrays as SVD files write them: `dim`, `dimIncrement`, `dimIndex`, `NAME[%s]`.

use roxmltree::Node;

/// Most elements of one array.
const MOST: u32 = 1 << 16;
/// Longest `dimIndex` that is a range.
const LONGEST_RANGE: usize = 32;

/// `0x1F`, `#0101`, `0b0101`, `31`; white space around it is passed over.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let lower = text.to_ascii_lowercase();
    if let Some(digits) = lower.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = lower.strip_prefix('#').or_else(|| lower.strip_prefix("0b")) {
        return u64::from_str_radix(digits, 2).ok();
    }
    lower.parse().ok()
}

/// The text of the child called `name`.
pub(super) fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.children().find(|child| child.has_tag_name(name))?.text().map(str::trim)
}

/// The child called `name` as a number.
pub(super) fn value(node: Node<'_, '_>, name: &str) -> Option<u64> {
    number(text(node, name)?)
}

/// Name and distance from the first, of every element of `node`: one for what is no array.
pub(super) fn elements<'a>(node: Node<'a, '_>) -> impl Iterator<Item = (String, u64)> + use<'a> {
    let name = text(node, "name").unwrap_or("").to_string();
    let dim = value(node, "dim").and_then(|dim| u32::try_from(dim).ok());
    let increment = value(node, "dimIncrement").unwrap_or(0);
    let count = dim.map_or(1, |dim| dim.min(MOST));
    let indices = text(node, "dimIndex").unwrap_or("");
    let range = indices.split_once('-').filter(|_| indices.len() <= LONGEST_RANGE);
    let listed: Vec<&str> = match indices.contains(',') {
        true => indices.split(',').take(MOST as usize).map(str::trim).collect(),
        false => Vec::new(),
    };
    (0..count).map(move |index| {
        let offset = increment.wrapping_mul(u64::from(index));
        if dim.is_none() {
            return (name.clone(), offset);
        }
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        let own = match listed.get(position) {
            Some(own) => (*own).to_string(),
            None => index_name(range, index),
        };
        (name.replace("%s", &own), offset)
    })
}

/// The name of element `index` by a `dimIndex` such as `0-3` or `A-D`.
fn index_name(range: Option<(&str, &str)>, index: u32) -> String {
    if let Some((first, _)) = range {
        let first = first.trim();
        if let Ok(first) = first.parse::<u32>() {
            return first.saturating_add(index).to_string();
        }
        let letter = first.bytes().next().filter(|_| first.len() == 1);
        let letter = letter.and_then(|letter| letter.checked_add(u8::try_from(index).ok()?));
        if let Some(letter) = letter.filter(u8::is_ascii_alphabetic) {
            return char::from(letter).to_string();
        }
    }
    index.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_form_are_read() {
        let cases =
            [("0x1F", 31), ("#101", 5), ("0b11", 3), (" 42 ", 42), ("+7", 7), ("0XfF", 255)];
        for (text, expected) in cases {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        for text in ["", "0x", "-1", "1x", "#2", "99999999999999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn elements_are_named_by_their_index() {
        let names = |xml: &str| -> Vec<(String, u64)> {
            let document = roxmltree::Document::parse(xml).unwrap();
            elements(document.root_element()).take(3).collect()
        };
        let expected = |names: [&str; 3], step: u64| -> Vec<(String, u64)> {
            names.iter().zip(0..).map(|(name, index)| (name.to_string(), index * step)).collect()
        };
        let array = "<r><name>R[%s]</name><dim>3</dim><dimIncrement>4</dimIncrement></r>";
        assert_eq!(names(array), expected(["R[0]", "R[1]", "R[2]"], 4));
        let letters = "<r><name>R%s</name><dim>3</dim><dimIncrement>0x10</dimIncrement>\
            <dimIndex>B-D</dimIndex></r>";
        assert_eq!(names(letters), expected(["RB", "RC", "RD"], 16));
        let listed = "<r><name>%s_CR</name><dim>3</dim><dimIndex>x, y,z</dimIndex></r>";
        assert_eq!(names(listed), expected(["x_CR", "y_CR", "z_CR"], 0));
        assert_eq!(names("<r><name>CR</name></r>"), [("CR".to_string(), 0)]);
        let endless =
            "<r><name>%s</name><dim>0xffffffff</dim><dimIndex>0-4294967295</dimIndex></r>";
        let document = roxmltree::Document::parse(endless).unwrap();
        assert_eq!(elements(document.root_element()).count(), MOST as usize);
    }
}
