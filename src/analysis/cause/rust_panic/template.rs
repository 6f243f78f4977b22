//! The template of a `fmt::Arguments` and how its placeholders write values. Source: the compiler's
//! `format_args`, as Rust 1.93 and later encode it.

use crate::base::{Address, Memory};

/// Pieces of one template.
const MOST_PIECES: usize = 128;
/// Widest field.
const WIDEST: usize = 128;

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Argument { index: u16, style: Style },
}

/// The trait by which a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Display,
    Debug,
    LowerHex,
    UpperHex,
    Octal,
    Binary,
}

impl Form {
    /// By the trait's own name.
    pub(super) fn named(name: &str) -> Option<Form> {
        Some(match name {
            "Display" => Form::Display,
            "Debug" => Form::Debug,
            "LowerHex" => Form::LowerHex,
            "UpperHex" => Form::UpperHex,
            "Octal" => Form::Octal,
            "Binary" => Form::Binary,
            _ => return None,
        })
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    form: Form,
    flags: u32,
    width: usize,
    precision: Option<usize>,
}

const PLUS: u32 = 1 << 21;
const ALTERNATE: u32 = 1 << 23;
const ZEROS: u32 = 1 << 24;
const DEBUG_LOWER_HEX: u32 = 1 << 25;
const DEBUG_UPPER_HEX: u32 = 1 << 26;
/// A space fills, to which side is left to the type.
const DEFAULT: u32 = 0x20 | 3 << 29;

/// The template at `at`; `None` when its bytes are none.
pub(super) fn pieces(memory: &dyn Memory, at: Address) -> Option<Vec<Piece>> {
    let mut at = at;
    let mut take = |count: u16| {
        let mut bytes = vec![0; usize::from(count)];
        memory.read(at, &mut bytes).ok()?;
        at = at.checked_add(u32::from(count))?;
        Some(bytes)
    };
    let mut found = Vec::new();
    let mut index = 0_u16;
    while found.len() < MOST_PIECES {
        let first = *take(1)?.first()?;
        let mut number = |count: u16| {
            let bytes = take(count)?;
            Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
        };
        match first {
            0 => return Some(found),
            1..=0x80 => {
                let length = if first == 0x80 { number(2)? } else { u32::from(first) };
                let bytes = take(u16::try_from(length).ok()?)?;
                found.push(Piece::Text(String::from_utf8(bytes).ok()?));
            }
            0x81..=0xbf => return None,
            0xc0.. => {
                let mut option = |bit: u8, count| match first >> bit & 1 {
                    1 => number(count).map(Some),
                    _ => Some(None),
                };
                let flags = option(0, 4)?.unwrap_or(DEFAULT);
                // What another argument gives is not looked up.
                let fixed = |number: Option<u32>, bit: u8| {
                    number.filter(|_| first >> bit & 1 == 0).and_then(|n| usize::try_from(n).ok())
                };
                let width = option(1, 2)?;
                let precision = option(2, 2)?;
                if let Some(stated) = option(3, 2)? {
                    index = u16::try_from(stated).ok()?;
                }
                let style = Style::new(flags, fixed(width, 4), fixed(precision, 5));
                found.push(Piece::Argument { index, style });
                index = index.checked_add(1)?;
            }
        }
    }
    Some(found)
}

impl Style {
    /// `{}`.
    pub(super) const PLAIN: Style =
        Style { form: Form::Display, flags: DEFAULT, width: 0, precision: None };

    pub(super) fn new(flags: u32, width: Option<usize>, precision: Option<usize>) -> Style {
        Style { flags, width: width.unwrap_or(0).min(WIDEST), precision, ..Style::PLAIN }
    }

    /// The flags of a character that fills, of the sign and the like from its lowest bit on, and of
    /// the side that is filled.
    pub(super) fn flags(fill: u32, signs: u32, align: u32) -> u32 {
        fill & 0x1f_ffff | (signs & 0x3f) << 21 | (align & 3) << 29
    }

    pub(super) fn by(self, form: Form) -> Style {
        Style { form, ..self }
    }

    fn has(self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn is_debug(self) -> bool {
        self.form == Form::Debug
    }

    /// Filled up on the side where the type has it, left unless told otherwise.
    fn filled(self, text: String, right: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let fill = char::from_u32(self.flags & 0x1f_ffff).unwrap_or(' ');
        let before = match self.flags >> 29 & 3 {
            0 => 0,
            1 => missing,
            2 => missing / 2,
            _ if right => missing,
            _ => 0,
        };
        let fills = |count: usize| fill.to_string().repeat(count);
        format!("{}{text}{}", fills(before), fills(missing.saturating_sub(before)))
    }

    pub(super) fn pad(self, text: String) -> String {
        self.filled(text, false)
    }

    pub(super) fn text(self, text: &str) -> String {
        let cut: String = text.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
        self.pad(if self.is_debug() { format!("{text:?}") } else { cut })
    }

    pub(super) fn character(self, character: char) -> String {
        self.pad(if self.is_debug() { format!("{character:?}") } else { character.to_string() })
    }

    /// A text that stands in quotes already.
    pub(super) fn spelled(self, text: &str) -> String {
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        self.pad(inner.filter(|_| !self.is_debug()).unwrap_or(text).to_string())
    }

    pub(super) fn float(self, number: f64) -> String {
        let text = match (self.precision, self.is_debug()) {
            (Some(precision), _) => format!("{number:.precision$}"),
            (None, true) => format!("{number:?}"),
            // The digits of an f32 that was widened are more than it had.
            (None, false) if f64::from(number as f32) == number => (number as f32).to_string(),
            (None, false) => number.to_string(),
        };
        self.number(number.is_sign_negative(), "", text.trim_start_matches('-'))
    }

    /// The lowest `bits` of `raw`.
    pub(super) fn integer(self, raw: u128, bits: u32, signed: bool) -> String {
        let form = match self.form {
            Form::Debug if self.has(DEBUG_LOWER_HEX) => Form::LowerHex,
            Form::Debug if self.has(DEBUG_UPPER_HEX) => Form::UpperHex,
            form => form,
        };
        let prefix = |prefix: &'static str| if self.has(ALTERNATE) { prefix } else { "" };
        match form {
            Form::LowerHex => self.number(false, prefix("0x"), &format!("{raw:x}")),
            Form::UpperHex => self.number(false, prefix("0x"), &format!("{raw:X}")),
            Form::Binary => self.number(false, prefix("0b"), &format!("{raw:b}")),
            Form::Octal => self.number(false, prefix("0o"), &format!("{raw:o}")),
            Form::Display | Form::Debug => {
                let negative = signed && raw.checked_shr(bits.saturating_sub(1)) == Some(1);
                let whole = 1_u128.checked_shl(bits).unwrap_or(0);
                let digits = if negative { whole.wrapping_sub(raw) } else { raw };
                self.number(negative, "", &digits.to_string())
            }
        }
    }

    fn number(self, negative: bool, prefix: &str, digits: &str) -> String {
        let sign = match (negative, self.has(PLUS)) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let taken = sign.len().saturating_add(prefix.len()).saturating_add(digits.len());
        let zeros = if self.has(ZEROS) { self.width.saturating_sub(taken) } else { 0 };
        self.filled(format!("{sign}{prefix}{}{digits}", "0".repeat(zeros)), true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    fn read(bytes: &[u8]) -> Option<Vec<Piece>> {
        pieces(&MemoryImage::of(&[(0x100, bytes)]), Address(0x100))
    }

    fn styled(bytes: &[u8], form: Form) -> Style {
        let found = read(bytes).unwrap();
        let [Piece::Argument { style, .. }] = found.as_slice() else { panic!("{found:?}") };
        style.by(form)
    }

    #[test]
    fn texts_and_arguments_alternate() {
        let found = read(b"\x02a \xc0\x80\x03\x00, b\xc8\x05\x00\xc0\0").unwrap();
        let [text, first, long, second, third] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((text, long), (&Piece::Text("a ".into()), &Piece::Text(", b".into())));
        for (piece, expected) in [(first, 0), (second, 5), (third, 6)] {
            let Piece::Argument { index, .. } = piece else { panic!("{piece:?}") };
            assert_eq!(*index, expected);
        }
    }

    #[test]
    fn bytes_that_are_no_template_are_refused() {
        assert_eq!(read(b"\x81"), None);
        assert_eq!(read(b"\x05ab"), None);
        assert_eq!(read(b"\x02\xff\xff\0"), None);
    }

    #[test]
    fn numbers_follow_their_flags() {
        let plain = styled(b"\xc0\0", Form::Display);
        assert_eq!(plain.integer(200, 8, true), "-56");
        assert_eq!(plain.integer(200, 8, false), "200");
        assert_eq!(plain.float(1.1_f32.into()), "1.1");
        // {:#06x}, {:>5}, {:04}, {:.2}
        let hex = styled(b"\xc3\x20\x00\x80\x61\x06\x00\0", Form::LowerHex);
        assert_eq!(hex.integer(0x5a, 32, false), "0x005a");
        assert_eq!(
            styled(b"\xc3\x20\x00\x00\x28\x05\x00\0", Form::Display).integer(42, 16, false),
            "   42"
        );
        assert_eq!(
            styled(b"\xc3\x20\x00\x00\x69\x04\x00\0", Form::Display).integer(7, 64, false),
            "0007"
        );
        assert_eq!(styled(b"\xc4\x02\x00\0", Form::Display).float(1.5), "1.50");
    }

    #[test]
    fn debug_puts_texts_in_quotes() {
        let plain = styled(b"\xc0\0", Form::Display);
        assert_eq!((plain.text("a"), plain.spelled("\"a\"")), ("a".into(), "a".into()));
        let debug = styled(b"\xc0\0", Form::Debug);
        assert_eq!(
            (debug.text("a\n"), debug.spelled("\"a\"")),
            (r#""a\n""#.into(), "\"a\"".into())
        );
    }
}
