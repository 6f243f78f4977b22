//! Numbers and sizes as people type them, and as they read them.

/// A number in decimal, or in hexadecimal with `0x`; `_` may separate digits.
pub fn parse_number(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(rest) => (rest, 16),
        None => (digits.as_str(), 10),
    };
    // `from_str_radix` would take a sign.
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// A number of bytes: as [`parse_number`], or with `K`, `M`, `KiB` or `MiB` (powers of 1024).
pub fn parse_size(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let number = lower.strip_suffix("ib").unwrap_or(&lower);
    let (number, unit) = if lower.starts_with("0x") {
        (lower.as_str(), 1)
    } else if let Some(number) = number.strip_suffix('k') {
        (number, 1 << 10)
    } else if let Some(number) = number.strip_suffix('m') {
        (number, 1 << 20)
    } else {
        (lower.as_str(), 1)
    };
    parse_number(number)?.checked_mul(unit)
}

/// A size for people: `512 B`, `64 KiB`, `1.5 MiB`.
pub fn format_size(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..MIB if bytes.is_multiple_of(KIB) => format!("{} KiB", bytes / KIB),
        KIB..MIB => format!("{:.1} KiB", bytes as f64 / KIB as f64),
        _ if bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        _ => format!("{:.1} MiB", bytes as f64 / MIB as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_form() {
        assert_eq!(parse_number("0x2000_0000"), Some(0x2000_0000));
        assert_eq!(parse_number("4096"), Some(4096));
        for wrong in ["", "0x", "+1", "-1", "0x+1", "12q", "ram", "99999999999999999999"] {
            assert_eq!(parse_number(wrong), None, "{wrong}");
        }
        assert_eq!(parse_size("256K"), Some(256 << 10));
        assert_eq!(parse_size("1m"), Some(1 << 20));
        assert_eq!(parse_size("2MiB"), Some(2 << 20));
        assert_eq!(parse_size("0x100"), Some(0x100));
        assert_eq!(parse_size("17"), Some(17));
        for wrong in ["", "K", "MiB", "1G", "-1K", "1KK", "18446744073709551615K"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_for_people() {
        let expected = [
            (17, "17 B"),
            (65536, "64 KiB"),
            (1536, "1.5 KiB"),
            (3 << 19, "1.5 MiB"),
            (4 << 20, "4 MiB"),
        ];
        for (bytes, text) in expected {
            assert_eq!(format_size(bytes), text);
        }
    }
}
