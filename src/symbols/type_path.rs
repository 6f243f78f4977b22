//! Types by their path, `app::Motor`: namespaces, classes and modules around a definition.
//! DWARF 5 sections 2.15 (names) and 3.2.2 (namespaces).

use gimli::DwTag;

use super::dwarf::{DebugInfo, Die, DieRef};

/// Definitions of one name that are looked at; each takes a look at its unit.
const MOST_DEFINITIONS: usize = 256;
/// What GDB and demanglers call a namespace without a name.
const ANONYMOUS: &str = "(anonymous namespace)";

impl<'d> DebugInfo<'d> {
    /// The definition at `path`, which may begin with an inner scope, with one of `tags` when there
    /// are any. `None` for a name without `::` too.
    pub(super) fn type_at_path(&self, path: &str, tags: &[DwTag]) -> Option<DieRef> {
        let mut scopes = parts(path);
        let name = scopes.pop().filter(|_| !scopes.is_empty())?;
        let found = self.types_named(name).into_iter().take(MOST_DEFINITIONS);
        let mut found = found.filter(|(_, tag)| tags.is_empty() || tags.contains(tag));
        let fits = |die: DieRef| self.around(die).is_some_and(|around| around.ends_with(&scopes));
        found.find(|(die, _)| fits(*die)).map(|(die, _)| die)
    }

    /// Names of the scopes around `wanted`, from the outermost.
    fn around(&self, wanted: DieRef) -> Option<Vec<&'d str>> {
        let mut entries = self.unit(wanted.unit)?.entries_raw(None).ok()?;
        let mut around: Vec<(isize, &'d str)> = Vec::new();
        let mut die = Die::null();
        while !entries.is_empty() {
            let (start, depth) = (entries.clone(), entries.next_depth());
            let offset = u32::try_from(entries.next_offset().0).ok()?;
            while around.last().is_some_and(|(outer, _)| *outer >= depth) {
                around.pop();
            }
            if offset >= wanted.offset {
                break;
            }
            let Some(abbreviation) = entries.read_abbreviation().ok()? else { continue };
            if !is_scope(abbreviation.tag()) {
                entries.skip_attributes(abbreviation.attributes()).ok()?;
                continue;
            }
            entries = start;
            entries.read_entry(&mut die).ok()?;
            let name = die.attr_value(gimli::DW_AT_name);
            let name = name.and_then(|name| self.string(wanted.unit, &name));
            around.push((depth, name.unwrap_or(ANONYMOUS)));
        }
        Some(around.into_iter().map(|(_, name)| name).collect())
    }
}

fn is_scope(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_namespace
            | gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_union_type
            | gimli::DW_TAG_enumeration_type
    )
}

/// The parts of a path; those of template arguments stay together.
fn parts(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut begin, mut depth) = (0, 0_i32);
    for (at, _) in path.match_indices(['<', '>', ':']) {
        let rest = path.get(at..).unwrap_or("");
        match rest.bytes().next() {
            Some(b'<') => depth = depth.saturating_add(1),
            Some(b'>') => depth = depth.saturating_sub(1),
            _ if depth == 0 && rest.starts_with("::") && at >= begin => {
                parts.push(path.get(begin..at).unwrap_or(""));
                begin = at.saturating_add(2);
            }
            _ => {}
        }
    }
    parts.push(path.get(begin..).unwrap_or(""));
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::{ElfImage, SymbolFile};

    #[test]
    fn path_is_parted_outside_of_template_arguments() {
        assert_eq!(parts("app::Motor"), ["app", "Motor"]);
        assert_eq!(parts("::app::Ring<std::pair<int, a::B>, 4>::Slot").len(), 3);
        assert_eq!(parts("Motor"), ["Motor"]);
        assert_eq!(parts("a:::b"), ["a", ":b"]);
        assert!(parts("::").is_empty());
    }

    #[test]
    fn types_are_found_in_namespaces_and_modules() {
        let found = |folder: &str, path: &str| {
            let elf = format!("{}/fixtures/{folder}/firmware.elf", env!("CARGO_MANIFEST_DIR"));
            let bytes = std::fs::read(elf).unwrap();
            let image = ElfImage::parse(&bytes).unwrap();
            let symbols = SymbolFile::new(&image);
            symbols.type_by_name(path).and_then(|ty| symbols.type_size(ty)).is_some()
        };
        for path in ["app::Reading", "struct app::Reading", "enum app::Unit", "app::Sensor"] {
            assert!(found("cpp", path), "{path}");
        }
        for path in ["sensor::Baro", "sensor::Command"] {
            assert!(found("rust", path), "{path}");
        }
        for path in ["std::Reading", "app::app::Reading", "app::NoSuch", "::"] {
            assert!(!found("cpp", path), "{path}");
        }
    }
}
