//! Just enough XML for target descriptions and memory maps: tags and their attributes.
//!
//! Text between tags, comments, declarations and entities are passed over. Not a validating
//! parser: servers in the field send documents that are not well-formed.

/// A tag with its attributes.
pub(super) struct Tag<'a> {
    pub(super) name: &'a str,
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// The value of attribute `name`.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        loop {
            let (key, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, after) = after.get(1..)?.split_once(quote)?;
            if key.trim() == name {
                return Some(value.trim());
            }
            rest = after;
        }
    }

    /// The value of a number, decimal or with `0x`.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let text = self.attribute(name)?;
        match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        }
    }
}

/// Every opening tag of `document`, in order.
pub(super) fn tags(document: &str) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = document;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('<')?;
            if let Some(comment) = after.strip_prefix("!--") {
                rest = comment.split_once("-->").map_or("", |(_, after)| after);
                continue;
            }
            let (inside, after) = after.split_once('>')?;
            rest = after;
            if inside.starts_with(['/', '!', '?']) {
                continue;
            }
            let inside = inside.trim_end_matches('/');
            let end = inside.find(char::is_whitespace).unwrap_or(inside.len());
            let (name, attributes) = inside.split_at(end);
            return Some(Tag { name, attributes });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_attributes_of_real_servers() {
        let document = "<?xml version=\"1.0\"?>\\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">
            <!-- <reg name='no'/> --><target><reg name=\"r0\" bitsize='32'\n regnum = \"0x10\"/>
            <xi:include href=\"arm-core.xml\"/></target><reg name='broken";
        let tags: Vec<_> = tags(document).collect();
        let names: Vec<_> = tags.iter().map(|tag| tag.name).collect();
        assert_eq!(names, ["target", "reg", "xi:include"]);
        assert_eq!(tags[1].attribute("name"), Some("r0"));
        assert_eq!(tags[1].number("bitsize"), Some(32));
        assert_eq!(tags[1].number("regnum"), Some(16));
        assert_eq!(tags[1].attribute("type"), None);
        assert_eq!(tags[2].attribute("href"), Some("arm-core.xml"));
    }

    #[test]
    fn damaged_documents_end_quietly() {
        for document in ["", "<", "<>", "<reg name", "<reg name=>", "<reg =\"\">", "<!--", "<a/><"]
        {
            for tag in tags(document) {
                assert_eq!(tag.attribute("name"), None, "{document}");
            }
        }
    }
}
