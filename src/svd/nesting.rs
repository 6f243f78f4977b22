//! How deep the elements of an XML text stand within each other, told without building a tree:
//! parsers and walkers of trees recurse.

/// The greatest depth, counted up to one more than `limit`.
pub(super) fn depth(text: &str, limit: usize) -> usize {
    let mut rest = text;
    let (mut now, mut most) = (0_usize, 0_usize);
    while let Some((_, tag)) = rest.split_once('<') {
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, behind)| behind);
            continue;
        }
        if let Some(data) = tag.strip_prefix("![CDATA[") {
            rest = data.split_once("]]>").map_or("", |(_, behind)| behind);
            continue;
        }
        let end = tag_end(tag);
        let (inner, behind) = (tag.get(..end).unwrap_or(tag), tag.get(end..).unwrap_or(""));
        rest = behind;
        if inner.starts_with('/') {
            now = now.saturating_sub(1);
        } else if !inner.starts_with(['!', '?']) && !inner.ends_with('/') {
            now = now.saturating_add(1);
            most = most.max(now);
            if most > limit {
                break;
            }
        }
    }
    most
}

/// Where the `>` of a tag is, which may stand within quotes before that.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    for (index, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return index,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    tag.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_open_elements_only() {
        assert_eq!(depth("<?xml version='1.0'?><a><b/><c x='>'><d/></c></a>", 9), 2);
        assert_eq!(depth("<!-- <a><b><c> --><a><![CDATA[<b><c>]]></a>", 9), 1);
        assert_eq!(depth(&"<a>".repeat(100_000), 64), 65);
        assert_eq!(depth("no tags, <", 9), 1);
    }
}
