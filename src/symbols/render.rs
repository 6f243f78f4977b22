//! Values as text in GDB's manner: `97 'a'`, `0x20000298 <buffer+8>`, `{x = 1, y = 2}`.

use std::fmt::Write;

use super::file::SymbolFile;
use super::place::Missing;
use super::types::{Encoding, TypeKind, TypeRef};
use super::values::{Float, Limits, Member, REPEATS, Value, ValueKind};
use crate::base::{Address, Memory};

/// More equal characters than this are counted instead of repeated.
const REPEATED_CHARACTERS: usize = 10;

impl<'d> SymbolFile<'d> {
    /// A value on one line, with `memory` for the strings that pointers lead to.
    pub fn render(&self, value: &Value<'d>, memory: &dyn Memory, limits: Limits) -> String {
        match &value.kind {
            ValueKind::Struct { members, omitted } | ValueKind::Union { members, omitted } => {
                let mut parts: Vec<String> = Vec::new();
                for Member { name, value } in members {
                    let text = self.render(value, memory, limits);
                    parts.push(match name {
                        Some(name) => format!("{name} = {text}"),
                        None => text,
                    });
                }
                if *omitted > 0 {
                    parts.push("...".to_owned());
                }
                format!("{{{}}}", parts.join(", "))
            }
            ValueKind::Array { elements, omitted } => {
                let texts = elements
                    .iter()
                    .map(|element| (self.render(&element.value, memory, limits), element.count));
                format!("{{{}}}", joined(texts, *omitted > 0))
            }
            _ => self.render_leaf(value, memory, limits).unwrap_or_default(),
        }
    }

    /// The text of a number, pointer, string or anything else without parts; `None` for a
    /// structure, a union and an array of anything but characters.
    pub fn render_leaf(
        &self,
        value: &Value<'d>,
        memory: &dyn Memory,
        limits: Limits,
    ) -> Option<String> {
        Some(match &value.kind {
            ValueKind::Signed(number) => number.to_string(),
            ValueKind::Unsigned(number) => number.to_string(),
            ValueKind::Bool(truth) => truth.to_string(),
            ValueKind::Char(number) => {
                // The byte that the number is made of.
                format!("{number} '{}'", escaped(&[*number as u8], '\''))
            }
            ValueKind::Float(float) => float_text(*float),
            ValueKind::Complex(real, imaginary) => {
                format!("{} + {}i", float_text(*real), float_text(*imaginary))
            }
            ValueKind::Enum { name: Some(name), .. } => name.clone(),
            ValueKind::Enum { value, name: None } => value.to_string(),
            ValueKind::Pointer(address) => self.pointer_text(value.ty, *address, memory, limits),
            ValueKind::SyntheticPointer(_) => "<synthetic pointer>".to_owned(),
            ValueKind::Function => match value.address {
                Some(address) => format!("{}{}", hex(address), self.symbol_text(address)),
                None => "{...}".to_owned(),
            },
            ValueKind::Missing(missing) => missing_text(*missing).to_owned(),
            ValueKind::Text { bytes, omitted } => quoted(bytes, *omitted > 0, true),
            ValueKind::Array { .. } | ValueKind::Struct { .. } | ValueKind::Union { .. } => {
                return None;
            }
        })
    }

    fn pointer_text(
        &self,
        ty: TypeRef,
        address: Address,
        memory: &dyn Memory,
        limits: Limits,
    ) -> String {
        let target = self.strip_type(self.type_info(self.strip_type(ty)).target);
        let info = self.type_info(target);
        let mut text = hex(address);
        if address == Address(0) {
            // Whatever the program keeps at 0, the pointer means nothing.
            return text;
        }
        if info.kind == TypeKind::Function {
            text.push_str(&self.symbol_text(address.without_thumb_bit()));
            return text;
        }
        text.push_str(&self.symbol_text(address));
        let is_text = matches!(info.kind, TypeKind::Base(Encoding::Char { .. }));
        if is_text && info.size == Some(1) {
            let limit = limits.string.saturating_add(1);
            match memory.read_c_string(address, limit) {
                Ok(mut bytes) => {
                    let cut = bytes.len() > limits.string;
                    bytes.truncate(limits.string);
                    let _ = write!(text, " {}", quoted(&bytes, cut, false));
                }
                Err(_) => text.push_str(" <not captured>"),
            }
        }
        text
    }

    /// ` <name+8>`, or nothing where there is no symbol.
    fn symbol_text(&self, address: Address) -> String {
        match self.symbol_at(address) {
            Some((symbol, 0)) => format!(" <{}>", symbol.readable()),
            Some((symbol, offset)) => format!(" <{}+{offset}>", symbol.readable()),
            None => String::new(),
        }
    }
}

/// What stands in place of a value that is not known.
pub fn missing_text(missing: Missing) -> &'static str {
    match missing {
        Missing::OptimizedOut => "<optimized out>",
        Missing::NotCaptured { .. } => "<not captured>",
        Missing::Unreadable { .. } => "<unreadable>",
    }
}

fn hex(address: Address) -> String {
    address.to_string()
}

/// Bytes as a string; more than ten equal ones are counted. Of an array that ends in NUL one
/// NUL is understood.
pub(super) fn quoted(bytes: &[u8], cut: bool, drop_nul: bool) -> String {
    let shown = match bytes.split_last() {
        Some((0, front)) if drop_nul && !cut => front,
        _ => bytes,
    };
    let mut parts: Vec<String> = Vec::new();
    let mut plain: Vec<u8> = Vec::new();
    let flush = |plain: &mut Vec<u8>, parts: &mut Vec<String>| {
        if !plain.is_empty() {
            parts.push(format!("\"{}\"", escaped(plain, '"')));
            plain.clear();
        }
    };
    for run in shown.chunk_by(|a, b| a == b) {
        if run.len() > REPEATED_CHARACTERS {
            flush(&mut plain, &mut parts);
            let first = run.get(..1).unwrap_or_default();
            parts.push(format!("'{}' <repeats {} times>", escaped(first, '\''), run.len()));
        } else {
            plain.extend(run);
        }
    }
    flush(&mut plain, &mut parts);
    if parts.is_empty() {
        parts.push("\"\"".to_owned());
    }
    let dots = if cut { "..." } else { "" };
    format!("{}{dots}", parts.join(", "))
}

/// Bytes with everything escaped that is not printable ASCII.
fn escaped(bytes: &[u8], quote: char) -> String {
    let mut text = String::new();
    let mut after_number = false;
    for byte in bytes {
        let escape = match byte {
            7 => Some("\\a"),
            8 => Some("\\b"),
            9 => Some("\\t"),
            10 => Some("\\n"),
            11 => Some("\\v"),
            12 => Some("\\f"),
            13 => Some("\\r"),
            b'\\' => Some("\\\\"),
            _ => None,
        };
        let character = char::from(*byte);
        let printable = matches!(byte, 0x20..=0x7e);
        match escape {
            Some(escape) => text.push_str(escape),
            None if character == quote => {
                text.push('\\');
                text.push(quote);
            }
            // A digit behind an octal number would seem to be part of it.
            None if printable && !(after_number && byte.is_ascii_digit()) => text.push(character),
            None => {
                let _ = write!(text, "\\{byte:03o}");
                after_number = true;
                continue;
            }
        }
        after_number = false;
    }
    text
}

/// Elements separated by commas; ten and more equal ones are counted.
fn joined(texts: impl Iterator<Item = (String, u64)>, cut: bool) -> String {
    let texts: Vec<(String, u64)> = texts.collect();
    let mut parts: Vec<String> = Vec::new();
    for run in texts.chunk_by(|(a, _), (b, _)| a == b) {
        let count = run.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        match run.first() {
            Some((first, _)) if count >= REPEATS => {
                parts.push(format!("{first} <repeats {count} times>"));
            }
            _ => parts.extend(run.iter().map(|(text, _)| text.clone())),
        }
    }
    let dots = if cut { "..." } else { "" };
    format!("{}{dots}", parts.join(", "))
}

fn float_text(float: Float) -> String {
    match float {
        Float::F32(value) if value.is_nan() => {
            nan_text(value.is_sign_negative(), u64::from(value.to_bits() & 0x7f_ffff))
        }
        Float::F64(value) if value.is_nan() => {
            nan_text(value.is_sign_negative(), value.to_bits() & 0xf_ffff_ffff_ffff)
        }
        Float::F32(value) => general(f64::from(value), 9),
        Float::F64(value) => general(value, 17),
    }
}

fn nan_text(negative: bool, payload: u64) -> String {
    format!("{}nan(0x{payload:x})", if negative { "-" } else { "" })
}

/// `%.{digits}g` of C.
fn general(value: f64, digits: usize) -> String {
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let scientific = format!("{:.*e}", digits.saturating_sub(1), value);
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let precision = i32::try_from(digits).unwrap_or(17);
    if exponent < -4 || exponent >= precision {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.unsigned_abs());
    }
    let decimals = precision.saturating_sub(1).saturating_sub(exponent).max(0);
    trim(&format!("{value:.*}", usize::try_from(decimals).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_by_printf() {
        assert_eq!(float_text(Float::F32(0.1)), "0.100000001");
        assert_eq!(float_text(Float::F64(0.1)), "0.10000000000000001");
        assert_eq!(float_text(Float::F64(3.0)), "3");
        assert_eq!(float_text(Float::F64(1e-10)), "1e-10");
        assert_eq!(float_text(Float::F32(1.5e9)), "1.5e+09");
        assert_eq!(float_text(Float::F32(-0.0)), "-0");
        assert_eq!(float_text(Float::F64(f64::NEG_INFINITY)), "-inf");
        assert_eq!(float_text(Float::F64(f64::NAN)), "nan(0x8000000000000)");
    }

    #[test]
    fn strings_are_escaped_and_repeats_counted() {
        assert_eq!(quoted(b"hi\0\0\0\0\0\0", false, true), r#""hi\000\000\000\000\000""#);
        let mut long = b"hi".to_vec();
        long.resize(16, 0);
        assert_eq!(quoted(&long, false, true), r#""hi", '\000' <repeats 13 times>"#);
        assert_eq!(quoted(b"wor\tld\n\"\\\x01", false, false), r#""wor\tld\n\"\\\001""#);
        assert_eq!(quoted(b"\x011", false, false), r#""\001\061""#);
        assert_eq!(quoted(b"\0", false, true), r#""""#);
        assert_eq!(quoted(b"abc", true, false), r#""abc"..."#);
    }
}
