//! Addresses as people write them: `0x20000000`, `rx_ring+12`, `_kernel.cpus[0].current`, `*sp+4`.

use super::Inspector;
use crate::base::Address;
use crate::base::number::parse_number;
use crate::report::Registers;

/// Pointers that are followed for one expression.
const MOST_STARS: usize = 16;

impl Inspector<'_, '_> {
    /// The address that `text` means. `registers` are those of the frame that is looked at.
    ///
    /// # Errors
    /// What of it is not known.
    pub fn address_of(&self, text: &str, registers: &Registers) -> Result<Address, String> {
        let text = text.trim();
        let stars = text.len().saturating_sub(text.trim_start_matches('*').len());
        if stars > MOST_STARS {
            return Err("too many `*`".to_string());
        }
        let mut at = self.sum(text.trim_start_matches('*'), registers)?;
        for _ in 0..stars {
            let word = self.memory().read_u32(at);
            at = Address(word.map_err(|_| format!("memory at {at} is not captured"))?);
        }
        Ok(at)
    }

    /// A term, and numbers that are added or taken away.
    fn sum(&self, text: &str, registers: &Registers) -> Result<Address, String> {
        // Operators are parts of names too: `app::Cell::operator+`.
        if let Some(at) = self.symbol_named(text.trim()) {
            return Ok(at);
        }
        let split = text.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-'));
        let (term, mut rest) = text.split_at(split.map_or(text.len(), |(at, _)| at));
        let mut at = self.term(term.trim(), registers)?;
        while let Some(sign) = rest.chars().next() {
            let behind = rest.get(1..).unwrap_or_default();
            let end = behind.find(['+', '-']).unwrap_or(behind.len());
            let (digits, later) = behind.split_at(end);
            let number = parse_number(digits.trim()).and_then(|number| i64::try_from(number).ok());
            let number = number.ok_or_else(|| format!("`{}` is not a number", digits.trim()))?;
            at = at.wrapping_add(if sign == '-' { number.saturating_neg() } else { number });
            rest = later;
        }
        Ok(at)
    }

    /// The symbol of that name, which may be written as in the source: `app::Sensor::read`.
    fn symbol_named(&self, name: &str) -> Option<Address> {
        let symbols = &self.core.symbols;
        let mut all = symbols.files().iter().flat_map(|file| file.symbols());
        let found = symbols.symbol(name);
        let found = found.or_else(|| {
            all.find(|symbol| symbol.name != name && symbol.readable() == name && !name.is_empty())
        });
        found.map(|symbol| symbol.address)
    }

    fn term(&self, term: &str, registers: &Registers) -> Result<Address, String> {
        if term.is_empty() {
            return Err("an address, a symbol or a register is missing".to_string());
        }
        if term.starts_with(|c: char| c.is_ascii_digit()) {
            let number = parse_number(term).and_then(|number| u32::try_from(number).ok());
            return number.map(Address).ok_or_else(|| format!("`{term}` is not an address"));
        }
        let name = term.strip_prefix('$').unwrap_or(term);
        if let Some((_, value)) = registers.0.iter().find(|(register, _)| register == name) {
            return Ok(Address(value.0));
        }
        if let Some(at) = self.symbol_named(term) {
            return Ok(at);
        }
        // The part of a variable; a static of a function is told by its full name.
        let end = term.find(['.', '[']).unwrap_or(term.len());
        let (variable, path) = term.split_at(end);
        let known = self.known_globals();
        let first = known.partition_point(|(_, global)| global.full_name().as_str() < variable);
        let found = known.get(first).filter(|(_, global)| global.full_name() == variable);
        let unknown = || format!("`{term}` is not known");
        let (file, global) = found.ok_or_else(unknown)?;
        let start = global.place.address().ok_or_else(|| format!("`{variable}` has no address"))?;
        let file = self.file(*file).ok_or_else(unknown)?;
        let path = path.strip_prefix('.').unwrap_or(path);
        let layout = file.layout_in(global.ty, path).ok_or_else(unknown)?;
        u32::try_from(layout.offset_bytes)
            .ok()
            .and_then(|offset| start.checked_add(offset))
            .ok_or_else(unknown)
    }
}
