//! `fmt::Arguments` as Rust before 1.93 lays it out: texts and arguments that take turns, and, unless
//! all are written plainly, a placeholder for each argument. Source: `core::fmt` and
//! `core::fmt::rt` of Rust 1.85.

use super::template::Style;
use super::{LONGEST, Reader};
use crate::base::Address;
use crate::symbols::{MemberInfo, SymbolFile, TypeRef};

/// Texts of one message.
const MOST: u32 = 128;

/// Something in memory and its type.
#[derive(Clone, Copy)]
struct Part<'a, 'd> {
    symbols: &'a SymbolFile<'d>,
    ty: TypeRef,
    at: Address,
}

impl Part<'_, '_> {
    /// The member at `path`.
    fn member(self, path: &str) -> Option<Self> {
        let layout = self.symbols.layout_in(self.ty, path)?;
        let offset = u32::try_from(layout.offset_bytes).ok()?;
        Some(Part { ty: layout.ty, at: self.at.checked_add(offset)?, ..self })
    }

    /// Its value, a whole number or a pointer.
    fn number(self, reader: &Reader<'_, '_>) -> Option<u32> {
        let size = usize::try_from(self.symbols.type_size(self.ty)?).ok()?;
        let mut bytes = [0; 4];
        reader.environment.memory.read(self.at, bytes.get_mut(..size)?).ok()?;
        Some(u32::from_le_bytes(bytes))
    }

    /// The data of the variant of an enum that `tag` stands for, with its name.
    fn variant(self, tag: impl Fn(Self) -> Option<u32>) -> Option<(String, Self)> {
        let info = self.symbols.type_info(self.symbols.strip_type(self.ty));
        let variants = info.variants.as_ref()?;
        let within = |member: &MemberInfo<'_>| {
            let offset = u32::try_from(member.bit_offset / 8).ok()?;
            Some(Part { ty: member.ty, at: self.at.checked_add(offset)?, ..self })
        };
        let tag = tag(within(variants.discriminant.as_ref()?)?)?;
        let is_tagged = |value: &Option<i64>| *value == Some(i64::from(tag));
        let tagged = variants.variants.iter().find(|(value, _)| is_tagged(value));
        let other = || variants.variants.iter().find(|(value, _)| value.is_none());
        let (_, member) = tagged.or_else(other)?;
        Some((member.name?.to_string(), within(member)?))
    }
}

impl Reader<'_, '_> {
    /// The message of the `Arguments`, of type `ty`, at `at`.
    pub(super) fn interleaved(
        &self,
        symbols: &SymbolFile<'_>,
        ty: TypeRef,
        at: Address,
        depth: usize,
    ) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let arguments = Part { symbols, ty, at };
        let number = |path| arguments.member(path)?.number(self);
        let (texts, count) = (number("pieces.data_ptr")?, number("pieces.length")?);
        let (args, given) = (number("args.data_ptr")?, number("args.length")?);
        let placeholders = self.placeholders(arguments.member("fmt")?)?;
        let mut text = String::new();
        for index in 0..count.min(MOST) {
            let at = texts.checked_add(index.checked_mul(8)?)?;
            text.push_str(&self.text(self.word(at)?, self.word(at.checked_add(4)?)?)?);
            let next = match &placeholders {
                Some(placeholders) => placeholders.get(usize::try_from(index).ok()?).copied(),
                None => Some((index, Style::PLAIN)),
            };
            if let Some((position, style)) = next.filter(|(position, _)| *position < given) {
                text.push_str(&self.argument_of(args, position, style, depth)?);
            }
            if text.len() > LONGEST {
                break;
            }
        }
        Some(text)
    }

    /// Which argument each placeholder stands for and how it is written; an inner `None` when each
    /// argument has its turn, written plainly.
    fn placeholders(&self, option: Part<'_, '_>) -> Option<Option<Vec<(u32, Style)>>> {
        let (name, some) = option.variant(|tag| tag.number(self))?;
        if name != "Some" {
            return Some(None);
        }
        let (data, length) = (some.member("__0.data_ptr")?, some.member("__0.length")?);
        let ty = data.symbols.type_info(data.symbols.strip_type(data.ty)).target;
        let size = u32::try_from(data.symbols.type_size(ty)?).ok()?;
        let start = data.number(self)?;
        let placeholder = |index: u32| {
            let at = Address(start.checked_add(index.checked_mul(size)?)?);
            self.placeholder(Part { ty, at, ..data })
        };
        let count = length.number(self)?.min(MOST);
        (0..count).map(placeholder).collect::<Option<Vec<_>>>().map(Some)
    }

    fn placeholder(&self, placeholder: Part<'_, '_>) -> Option<(u32, Style)> {
        let number = |name| placeholder.member(name)?.number(self);
        let flags = number("flags")?;
        // Since 1.87 flags hold what fills up and where, too.
        let flags = match number("fill").zip(number("align")) {
            Some((fill, align)) => Style::flags(fill, flags, align),
            None => flags,
        };
        let (width, precision) =
            (self.count(placeholder, "width"), self.count(placeholder, "precision"));
        Some((number("position")?, Style::new(flags, width, precision)))
    }

    /// A width or a precision; what another argument gives is not looked up.
    fn count(&self, placeholder: Part<'_, '_>, name: &str) -> Option<usize> {
        let (name, stated) = placeholder.member(name)?.variant(|tag| tag.number(self))?;
        let stated = stated.member("__0").filter(|_| name == "Is")?;
        usize::try_from(stated.number(self)?).ok()
    }
}
