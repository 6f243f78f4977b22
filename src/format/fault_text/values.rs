//! Numbers in a line, each with the name in front of it: `r0/a1:  0x00000001`, `PC = 0x08000150`,
//! `R12: 20000000`.

use crate::snapshot::Register;

/// Names and numbers of one line, from left to right.
pub(super) fn values(line: &str) -> Vec<(&str, u32)> {
    let mut values = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find([':', '=']) {
        let (label, behind) = (rest.get(..at), rest.get(at.saturating_add(1)..));
        let (Some(label), Some(behind)) = (label, behind) else { break };
        let text = behind.trim_start();
        let (digits, prefixed) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
        let (number, after) = (digits.get(..end), digits.get(end..));
        let (Some(number), Some(after)) = (number, after) else { break };
        // Without 0x only whole words count: `00:00:01` is a time.
        let whole = prefixed && end > 0 || end == 8;
        let ended = !after.starts_with(|c: char| c.is_alphanumeric());
        match u32::from_str_radix(number, 16) {
            Ok(value) if whole && ended => {
                values.push((label, value));
                rest = after;
            }
            _ => rest = behind,
        }
    }
    values
}

/// The register that ends `label`: `r3/a4`, `(r15/pc)`, `stacked_lr`, `s[ 3]`.
pub(super) fn register(label: &str) -> Option<Register> {
    let label = label.trim_end();
    // `s[ 3]` is the only name with a space.
    if let Some(index) = label.strip_suffix(']').and_then(|label| label.rsplit_once('[')) {
        let (name, number) = index;
        let single = name.ends_with(['s', 'S']).then(|| number.trim().parse().ok())??;
        return Register::single(single);
    }
    let word = label.rsplit([' ', '\t', ',', '[', ']', '>', '|']).find(|word| !word.is_empty())?;
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let word = word.rsplit('_').next().unwrap_or(word);
    word.split('/').find_map(|name| match name.to_ascii_lowercase().as_str() {
        "r13" => Some(Register::SP),
        "r14" => Some(Register::LR),
        "r15" => Some(Register::PC),
        "psr" => Some(Register::XPSR),
        name => Register::from_name(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_names_and_times_are_none() {
        let line = "[00:00:00.400,000] <err> os: r3/a4:  0xa5000000 r12/ip:  0x1 r14/lr:  0x1465";
        let found: Vec<_> =
            values(line).into_iter().map(|(label, value)| (register(label), value)).collect();
        let expected = [(3, 0xa500_0000), (12, 1), (14, 0x1465)];
        let expected: Vec<_> = expected.map(|(n, value)| (Register::core(n), value)).into();
        assert_eq!(found, expected);
        for (line, name, value) in [
            ("Faulting instruction address (r15/pc): 0x0000117a", "pc", 0x117a),
            ("PC = 0x08000150", "pc", 0x0800_0150),
            ("[HardFault] R12: 20000000", "r12", 0x2000_0000),
            ("  stacked_lr=0x08000201;", "lr", 0x0800_0201),
            ("xPSR  : 0x61000000", "xpsr", 0x6100_0000),
            ("s[ 3]:  0x3f800000", "s3", 0x3f80_0000),
            ("E: r15/pc = 0x12", "pc", 0x12),
        ] {
            let found = values(line);
            assert_eq!(found.len(), 1, "{line}");
            assert_eq!(register(found[0].0).map(Register::name), Some(name), "{line}");
            assert_eq!(found[0].1, value, "{line}");
        }
        for line in ["12:34:56 up", "pc: 0x", "lr = 1234567", "pc=0x123456789", "pc: 0x12g", ":"] {
            assert!(values(line).is_empty(), "{line}: {:?}", values(line));
        }
    }
}
