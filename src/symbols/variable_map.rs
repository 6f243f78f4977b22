//! Which variable an address belongs to, and which part of it.

use super::file::SymbolFile;
use super::types::TypeRef;
use super::variables::Global;
use crate::base::{Address, AddressRange};

/// Variables below an address that may be looked at: one whose size is forged covers all behind it.
const MAX_LOOK_BACK: usize = 256;

/// All variables with a fixed address, by address.
#[derive(Debug)]
pub struct VariableMap<'a, 'd> {
    symbols: &'a SymbolFile<'d>,
    variables: Vec<(AddressRange, &'a Global<'d>)>,
}

/// A variable, and the part of it that an address falls into.
#[derive(Clone, Debug)]
pub struct VariableAt<'a, 'd> {
    /// The variable.
    pub variable: &'a Global<'d>,
    /// The memory that it takes.
    pub range: AddressRange,
    /// The variable's name and how the source selects the part: `state.items[2].x`.
    pub path: String,
    /// Type of the part.
    pub ty: TypeRef,
    /// Bytes from the start of the part.
    pub rest: u64,
}

impl<'a, 'd> VariableMap<'a, 'd> {
    /// Reads the debug information of every unit.
    pub fn new(symbols: &'a SymbolFile<'d>) -> VariableMap<'a, 'd> {
        let placed = symbols.globals().iter().filter_map(|global| {
            let size = symbols.type_size(global.ty).unwrap_or(0);
            Some((AddressRange::new(global.place.address()?, size)?, global))
        });
        let mut variables: Vec<_> = placed.collect();
        variables.sort_by_key(|(range, _)| *range);
        VariableMap { symbols, variables }
    }

    /// Every variable, by address.
    pub fn iter(&self) -> impl Iterator<Item = (AddressRange, &'a Global<'d>)> {
        self.variables.iter().copied()
    }

    /// The variable around `address`.
    pub fn at(&self, address: Address) -> Option<VariableAt<'a, 'd>> {
        let end = self.variables.partition_point(|(range, _)| range.start() <= address);
        let below = self.variables.get(..end)?.iter().rev().take(MAX_LOOK_BACK);
        let mut around = below.filter(|(range, _)| range.contains(address));
        let (range, variable) = *around.next()?;
        let offset = u64::from(address.0.checked_sub(range.start().0)?);
        let name = variable.full_name();
        Some(match self.symbols.part_at(variable.ty, offset) {
            Some(part) => VariableAt {
                variable,
                range,
                path: format!("{name}{}", part.path),
                ty: part.ty,
                rest: part.rest,
            },
            // Padding.
            None => VariableAt { variable, range, path: name, ty: variable.ty, rest: offset },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ElfImage;
    use super::*;

    #[test]
    fn address_inside_an_array_of_structures_names_the_member() {
        let bytes = include_bytes!("../../fixtures/elf/mps2-an385-Og.elf");
        let image = ElfImage::parse(bytes).unwrap();
        let symbols = SymbolFile::new(&image);
        let map = VariableMap::new(&symbols);
        let kernel = symbols.global("_kernel").unwrap();
        let start = kernel.place.address().unwrap();
        let offset = symbols.layout_in(kernel.ty, "cpus[0].current").unwrap().offset_bytes;
        let at = Address(start.0 + u32::try_from(offset).unwrap() + 2);
        let found = map.at(at).unwrap();
        assert_eq!((found.path.as_str(), found.rest), ("_kernel.cpus[0].current", 2));
        assert!(map.at(Address(0xe000_0000)).is_none());
    }
}
