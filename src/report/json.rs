//! The report as JSON.

use std::io;

use super::Report;
use crate::base::join;

/// The field of the globals, of which there are none.
const NO_GLOBALS: &[u8] = b"\"globals\":[]";

/// Writes the report as `serde_json` does, without a line end. The globals, often more than half of
/// the text, are made beside the rest.
///
/// # Errors
/// Those of `out`.
pub fn write_json(report: &mut Report, out: &mut impl io::Write) -> io::Result<()> {
    let globals = std::mem::take(&mut report.globals);
    let (list, rest) = join(|| serde_json::to_vec(&globals), || serde_json::to_vec(report));
    report.globals = globals;
    let (list, rest) = (list?, rest?);
    // Nowhere else: in a text the quotation marks are escaped, and no other field has this name.
    let field = rest.windows(NO_GLOBALS.len()).rposition(|bytes| bytes == NO_GLOBALS);
    let brackets = field.map(|at| at.saturating_add(NO_GLOBALS.len()).saturating_sub(2));
    let Some((before, after)) = brackets.and_then(|at| rest.split_at_checked(at)) else {
        return out.write_all(&rest);
    };
    out.write_all(before)?;
    out.write_all(&list)?;
    out.write_all(after.get(2..).unwrap_or_default())
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
            let mut written = Vec::new();
            write_json(&mut report, &mut written).unwrap();
            assert_eq!(written, whole);
            assert_eq!(serde_json::to_vec(&report).unwrap(), whole, "the report is as it was");
        }
    }
}
