//! The report as JSON.

use super::Report;
use crate::base::join;

/// The field of the globals, of which there are none.
const NO_GLOBALS: &[u8] = b"\"globals\":[]";

/// The report as `serde_json` writes it, with the globals, often more than half of the text, written
/// beside the rest.
///
/// # Errors
/// Those of `serde_json`: none is known for a report.
pub fn to_json(report: &mut Report) -> serde_json::Result<Vec<u8>> {
    let globals = std::mem::take(&mut report.globals);
    let (list, rest) = join(|| serde_json::to_vec(&globals), || serde_json::to_vec(report));
    report.globals = globals;
    let (list, mut json) = (list?, rest?);
    // Nowhere else: in a text the quotation marks are escaped, and no other field has this name.
    if let Some(at) = json.windows(NO_GLOBALS.len()).rposition(|bytes| bytes == NO_GLOBALS) {
        let brackets = at.saturating_add(NO_GLOBALS.len()).saturating_sub(2);
        json.splice(brackets..brackets.saturating_add(2), list);
    }
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyze};
    use crate::report::{Note, Severity, Variable};
    use crate::snapshot::Snapshot;

    #[test]
    fn text_is_the_same_as_written_in_one_piece() {
        let named = |name: &str| Variable { name: name.into(), ..Variable::default() };
        let text = r#"not this one: "globals":[]"#.to_string();
        let note = Note { code: "x".into(), severity: Severity::Info, text, address: None };
        for globals in [Vec::new(), vec![named("a"), named("b")]] {
            let empty = analyze(&Snapshot::default(), &[], &Options::default());
            let mut report = Report { globals, notes: vec![note.clone()], ..empty };
            let whole = serde_json::to_vec(&report).unwrap();
            assert_eq!(to_json(&mut report).unwrap(), whole);
            assert_eq!(serde_json::to_vec(&report).unwrap(), whole, "the report is as it was");
        }
    }
}
