//! Where objects of a type stand, as far as variables hold them: alone, in arrays, in structures.

use super::file::SymbolFile;
use super::types::{TypeKind, TypeRef};
use crate::base::Address;

/// Structures and arrays within each other that are looked into.
const MAX_DEPTH: usize = 4;
/// Members and elements that are looked at in all.
const MAX_STEPS: usize = 100_000;

impl SymbolFile<'_> {
    /// Addresses of all objects of the structure called `type_name` that global and static
    /// variables hold, at most `limit`; pointers are not followed.
    pub fn addresses_of_type(&self, type_name: &str, limit: usize) -> Vec<Address> {
        let mut search =
            Search { symbols: self, type_name, limit, steps: MAX_STEPS, found: vec![] };
        for global in self.globals() {
            if let Some(address) = global.place.address() {
                search.look_into(global.ty, address, MAX_DEPTH);
            }
        }
        search.found
    }
}

struct Search<'a, 'd> {
    symbols: &'a SymbolFile<'d>,
    type_name: &'a str,
    limit: usize,
    steps: usize,
    found: Vec<Address>,
}

impl Search<'_, '_> {
    fn look_into(&mut self, ty: TypeRef, address: Address, depth: usize) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        let depth = depth.checked_sub(1)?;
        let ty = self.symbols.strip_type(ty);
        let info = self.symbols.type_info(ty);
        if info.kind.has_members() && info.name == Some(self.type_name) {
            if self.found.len() < self.limit && !self.found.contains(&address) {
                self.found.push(address);
            }
            return Some(());
        }
        if info.kind == TypeKind::Array {
            let count = info.dimensions.iter().try_fold(1_u64, |n, d| n.checked_mul((*d)?))?;
            let size = self.symbols.type_size(info.target).filter(|size| *size > 0)?;
            // Numbers and characters hold nothing: one look tells.
            if !self.may_hold(info.target) {
                return None;
            }
            for index in 0..count {
                let offset = u32::try_from(index.checked_mul(size)?).ok()?;
                self.look_into(info.target, address.checked_add(offset)?, depth)?;
            }
            return Some(());
        }
        for member in &info.members {
            let offset = u32::try_from(member.bit_offset.checked_div(8)?).ok()?;
            if self.may_hold(member.ty) {
                self.look_into(member.ty, address.checked_add(offset)?, depth);
            }
        }
        Some(())
    }

    fn may_hold(&self, ty: TypeRef) -> bool {
        let info = self.symbols.type_info(self.symbols.strip_type(ty));
        info.kind.has_members() || info.kind == TypeKind::Array
    }
}

#[cfg(test)]
mod tests {
    use super::super::ElfImage;
    use super::*;

    #[test]
    fn threads_in_variables_arrays_and_work_queues_are_found() {
        let bytes = include_bytes!("../../fixtures/elf/mps2-an385-Og.elf");
        let image = ElfImage::parse(bytes).unwrap();
        let symbols = SymbolFile::new(&image);
        let found = symbols.addresses_of_type("k_thread", 100);
        for name in ["z_main_thread", "z_idle_threads", "k_sys_work_q"] {
            let symbol = symbols.symbol(name).unwrap();
            let end = symbol.address.0 + symbol.size;
            assert!(found.iter().any(|a| (symbol.address.0..end).contains(&a.0)), "{name}");
        }
        assert_eq!(symbols.addresses_of_type("k_thread", 1).len(), 1);
        assert!(symbols.addresses_of_type("no_such_type", 100).is_empty());
    }
}
