//! `printf` on the host, for log lines whose format string stayed in the ELF (C11 7.21.6.1).
//!
//! Integers come without a type: the conversion says whether they have a sign. A conversion without
//! an argument, or with one of another sort, shows itself; widths are bounded.

use std::fmt::Write as _;

/// Widest field and longest precision.
const MAX_WIDTH: usize = 256;

/// An argument of a format.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// An integer; without sign or with it, as the format says.
    Integer {
        /// Its value.
        value: i128,
        /// Whether it has 64 bits; otherwise at most 32.
        wide: bool,
    },
    /// A floating-point number.
    Float(f64),
    /// A text.
    Text(String),
}

/// How an argument is passed on a 32-bit Arm (AAPCS32 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// One word.
    Word,
    /// Two words, aligned to eight bytes: an integer.
    Wide,
    /// Two words, aligned to eight bytes: a `double`.
    Double,
    /// A pointer to a text.
    Text,
}

/// The arguments that `format` takes, in their order.
pub fn slots(format: &str) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut chars = format.chars();
    while let Some(character) = chars.next() {
        if character != '%' {
            continue;
        }
        let mut longs = 0_u32;
        for part in chars.by_ref() {
            match part {
                '-' | '+' | ' ' | '#' | '.' | '0'..='9' | 'h' | 'z' | 't' | 'L' => {}
                '*' => slots.push(Slot::Word),
                'l' => longs = longs.saturating_add(1),
                'j' => longs = 2,
                '%' => break,
                's' => {
                    slots.push(Slot::Text);
                    break;
                }
                'f' | 'F' | 'e' | 'E' | 'g' | 'G' | 'a' | 'A' => {
                    slots.push(Slot::Double);
                    break;
                }
                _ => {
                    slots.push(if longs > 1 { Slot::Wide } else { Slot::Word });
                    break;
                }
            }
        }
    }
    slots
}

/// `format` with `arguments` filled in.
pub fn format(format: &str, arguments: &[Argument]) -> String {
    let mut text = String::new();
    let mut arguments = arguments.iter();
    let mut rest = format;
    while let Some((before, behind)) = rest.split_once('%') {
        text.push_str(before);
        if let Some(literal) = behind.strip_prefix('%') {
            text.push('%');
            rest = literal;
            continue;
        }
        let (conversion, later) = Conversion::parse(behind, &mut arguments);
        let written = behind.len().saturating_sub(later.len());
        match conversion.and_then(|conversion| conversion.apply(arguments.next()?)) {
            Some(field) => text.push_str(&field),
            None => {
                text.push('%');
                text.push_str(behind.get(..written).unwrap_or_default());
            }
        }
        rest = later;
    }
    text.push_str(rest);
    text
}

/// What stands behind a `%`.
#[derive(Default)]
struct Conversion {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    /// `h` or `hh`: the argument is cut to so many bits.
    bits: Option<u32>,
    kind: char,
}

impl Conversion {
    /// The conversion at the start of `text`, which may take widths from `arguments`, and what
    /// follows it.
    fn parse<'t, 'a>(
        text: &'t str,
        arguments: &mut impl Iterator<Item = &'a Argument>,
    ) -> (Option<Conversion>, &'t str) {
        let mut conversion = Conversion::default();
        let mut chars = text.chars();
        let mut next = chars.next();
        while let Some(flag) = next {
            match flag {
                '-' => conversion.left = true,
                '+' => conversion.plus = true,
                ' ' => conversion.space = true,
                '#' => conversion.alternate = true,
                '0' => conversion.zero = true,
                _ => break,
            }
            next = chars.next();
        }
        let mut number = |next: &mut Option<char>, chars: &mut std::str::Chars<'t>| {
            if *next == Some('*') {
                *next = chars.next();
                return match arguments.next() {
                    Some(Argument::Integer { value, .. }) => *value,
                    _ => 0,
                };
            }
            let mut value = 0_i128;
            while let Some(digit) = next.and_then(|c| c.to_digit(10)) {
                value = value.saturating_mul(10).saturating_add(i128::from(digit));
                *next = chars.next();
            }
            value
        };
        let width = number(&mut next, &mut chars);
        conversion.left |= width < 0;
        conversion.width = bounded(width.saturating_abs());
        if next == Some('.') {
            next = chars.next();
            // A negative precision counts as none.
            let precision = number(&mut next, &mut chars);
            conversion.precision = (precision >= 0).then(|| bounded(precision));
        }
        while let Some('h' | 'l' | 'j' | 'z' | 't' | 'L') = next {
            if next == Some('h') {
                conversion.bits = Some(if conversion.bits.is_some() { 8 } else { 16 });
            }
            next = chars.next();
        }
        let Some(kind) = next else { return (None, "") };
        conversion.kind = kind;
        (Some(conversion), chars.as_str())
    }

    fn apply(&self, argument: &Argument) -> Option<String> {
        let (sign, digits) = match (self.kind, argument) {
            ('d' | 'i', Argument::Integer { value, wide }) => {
                let value = self.signed(*value, *wide);
                (self.sign(value < 0), self.integer(&value.unsigned_abs().to_string()))
            }
            ('u', Argument::Integer { value, wide }) => {
                ("", self.integer(&self.unsigned(*value, *wide).to_string()))
            }
            ('x' | 'X' | 'o' | 'b', Argument::Integer { value, wide }) => {
                let value = self.unsigned(*value, *wide);
                let (prefix, digits) = match self.kind {
                    'x' => ("0x", format!("{value:x}")),
                    'X' => ("0X", format!("{value:X}")),
                    'o' => ("0", format!("{value:o}")),
                    _ => ("0b", format!("{value:b}")),
                };
                let prefix = if self.alternate && value != 0 { prefix } else { "" };
                (prefix, self.integer(&digits))
            }
            ('p', Argument::Integer { value, wide }) => {
                ("", format!("0x{:x}", self.unsigned(*value, *wide)))
            }
            ('c', Argument::Integer { value, .. }) => {
                ("", char::from((*value & 0xff) as u8).to_string())
            }
            ('f' | 'F' | 'e' | 'E' | 'g' | 'G' | 'a' | 'A', Argument::Float(value)) => {
                (self.sign(value.is_sign_negative()), self.float(value.abs()))
            }
            ('s', Argument::Text(text)) => {
                let most = self.precision.unwrap_or(usize::MAX);
                ("", text.chars().take(most).collect())
            }
            _ => return None,
        };
        Some(self.padded(sign, &digits))
    }

    fn unsigned(&self, value: i128, wide: bool) -> u64 {
        let bits = self.bits.unwrap_or(if wide { 64 } else { 32 });
        (value as u64) & (u64::MAX >> 64_u32.saturating_sub(bits))
    }

    fn signed(&self, value: i128, wide: bool) -> i64 {
        let unused = 64_u32.saturating_sub(self.bits.unwrap_or(if wide { 64 } else { 32 }));
        ((value as i64) << unused) >> unused
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        }
    }

    /// At least as many digits as the precision asks for.
    fn integer(&self, digits: &str) -> String {
        let least = self.precision.unwrap_or(1);
        if least == 0 && digits == "0" { String::new() } else { format!("{digits:0>least$}") }
    }

    fn float(&self, value: f64) -> String {
        let upper = self.kind.is_ascii_uppercase();
        let precision = self.precision.unwrap_or(6);
        let text = if value.is_nan() {
            "nan".to_owned()
        } else if value.is_infinite() {
            "inf".to_owned()
        } else {
            match self.kind.to_ascii_lowercase() {
                'f' => format!("{value:.precision$}"),
                'e' => exponential(value, precision),
                'g' => self.shortest(value, precision.max(1)),
                // Hexadecimal floats are not worth a formatter: nobody logs them.
                _ => value.to_string(),
            }
        };
        if upper { text.to_uppercase() } else { text }
    }

    /// `%g`: `%e` for small and large exponents, else `%f`, without trailing zeros.
    fn shortest(&self, value: f64, significant: usize) -> String {
        let most = significant.saturating_sub(1);
        let rounded = exponential(value, most);
        let exponent: i32 =
            rounded.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or_default();
        let fixed = i32::try_from(most).unwrap_or(i32::MAX).checked_sub(exponent);
        let fixed = fixed.and_then(|digits| usize::try_from(digits).ok());
        let (mantissa, exponent) = match fixed {
            Some(digits) if exponent >= -4 => (format!("{value:.digits$}"), String::new()),
            _ => match rounded.split_once('e') {
                Some((mantissa, exponent)) => (mantissa.to_owned(), format!("e{exponent}")),
                None => (rounded, String::new()),
            },
        };
        if self.alternate || !mantissa.contains('.') {
            return mantissa + &exponent;
        }
        mantissa.trim_end_matches('0').trim_end_matches('.').to_owned() + &exponent
    }

    fn padded(&self, sign: &str, digits: &str) -> String {
        let length = sign.chars().count().saturating_add(digits.chars().count());
        let missing = self.width.saturating_sub(length);
        // Zeros go between the sign and the digits; a precision switches them off for integers.
        let integer = matches!(self.kind, 'd' | 'i' | 'u' | 'x' | 'X' | 'o' | 'b');
        let number = !matches!(self.kind, 's' | 'c' | 'p') && digits != "inf" && digits != "nan";
        let zeros = self.zero && !self.left && number && !(integer && self.precision.is_some());
        let fill = |character: char| character.to_string().repeat(missing);
        if self.left {
            format!("{sign}{digits}{}", fill(' '))
        } else if zeros {
            format!("{sign}{}{digits}", fill('0'))
        } else {
            format!("{}{sign}{digits}", fill(' '))
        }
    }
}

/// `%e` as C writes it: an exponent of two digits at least, with its sign.
fn exponential(value: f64, precision: usize) -> String {
    let mut text = format!("{value:.precision$e}");
    if let Some(at) = text.find('e') {
        let exponent: i32 = text.get(at.saturating_add(1)..).unwrap_or("0").parse().unwrap_or(0);
        text.truncate(at);
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a string does not fail.
        let _ = write!(text, "e{sign}{:02}", exponent.unsigned_abs());
    }
    text
}

fn bounded(value: i128) -> usize {
    usize::try_from(value).unwrap_or(MAX_WIDTH).min(MAX_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(value: i128) -> Argument {
        Argument::Integer { value, wide: false }
    }

    fn wide(value: i128) -> Argument {
        Argument::Integer { value, wide: true }
    }

    fn text(text: &str) -> Argument {
        Argument::Text(text.to_owned())
    }

    /// Expected texts were printed by glibc.
    #[test]
    fn conversions_print_what_the_c_library_prints() {
        let cases: &[(&str, &[Argument], &str)] = &[
            ("no argument, 100 %%", &[], "no argument, 100 %"),
            ("%d %i", &[int(-1), int(42)], "-1 42"),
            ("%d", &[int(0xffff_ffff)], "-1"),
            ("%u", &[int(-1)], "4294967295"),
            ("%lld %llu", &[wide(-1), wide(-1)], "-1 18446744073709551615"),
            ("%hhd %hu", &[int(0xff), int(0x1_2345)], "-1 9029"),
            ("%08x|%#x|%X", &[int(0xbeef), int(255), int(0xabc)], "0000beef|0xff|ABC"),
            (
                "%5d|%-5d|%05d|%+d|% d",
                &[int(42), int(42), int(-42), int(1), int(1)],
                "   42|42   |-0042|+1| 1",
            ),
            ("%.3d|%8.3d|%.0d", &[int(7), int(-7), int(0)], "007|    -007|"),
            (
                "%*d|%-*d|%.*f",
                &[int(4), int(1), int(3), int(2), int(1), Argument::Float(2.25)],
                "   1|2  |2.2",
            ),
            ("%c%c", &[int(72), int(105)], "Hi"),
            ("%p", &[int(0x2000_0010)], "0x20000010"),
            (
                "[%s] [%6s] [%-6s] [%.2s]",
                &[text("abc"), text("abc"), text("abc"), text("abc")],
                "[abc] [   abc] [abc   ] [ab]",
            ),
            (
                "%f %.1f %e",
                &[Argument::Float(1.5), Argument::Float(-0.25), Argument::Float(12345.678)],
                "1.500000 -0.2 1.234568e+04",
            ),
            (
                "%g %g %g %g",
                &[
                    Argument::Float(100_000.0),
                    Argument::Float(1_000_000.0),
                    Argument::Float(0.0001),
                    Argument::Float(0.00001),
                ],
                "100000 1e+06 0.0001 1e-05",
            ),
            ("%G %08.2f", &[Argument::Float(1e300), Argument::Float(-3.14567)], "1E+300 -0003.15"),
            ("%o %#o", &[int(8), int(8)], "10 010"),
            ("%5f", &[Argument::Float(f64::INFINITY)], "  inf"),
        ];
        for (format, arguments, expected) in cases {
            assert_eq!(super::format(format, arguments), *expected, "{format}");
        }
    }

    #[test]
    fn slots_are_those_of_the_conversions_and_of_their_widths() {
        use Slot::{Double, Text, Wide, Word};
        let cases: &[(&str, &[Slot])] = &[
            ("100 %% %d%s", &[Word, Text]),
            ("%-*.*f %08lx", &[Word, Word, Double, Word]),
            ("%lld %ju %hhd %zu %p %c", &[Wide, Wide, Word, Word, Word, Word]),
            ("%", &[]),
        ];
        for (format, expected) in cases {
            assert_eq!(slots(format), *expected, "{format}");
        }
    }

    #[test]
    fn conversion_that_fits_no_argument_shows_itself() {
        assert_eq!(format("%d and %s", &[int(1)]), "1 and %s");
        assert_eq!(format("%s", &[int(1)]), "%s");
        assert_eq!(format("%", &[int(1)]), "%");
        assert_eq!(format("%5", &[]), "%5");
        assert_eq!(format("%q", &[int(1)]), "%q");
        assert_eq!(format("%99999999999999999999d", &[int(1)]).len(), MAX_WIDTH);
        assert_eq!(format("%é", &[int(1)]), "%é");
    }
}
