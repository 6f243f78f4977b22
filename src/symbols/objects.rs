//! What stands at an address, by name: the variable around it and the way down through its members
//! and elements, `accel.lock` or `workers[1].base`.

use super::dwarf::DieRef;
use super::file::SymbolFile;
use super::types::{TypeKind, TypeRef};
use crate::base::{Address, AddressRange};

/// Structures and arrays within each other that are gone down.
const MAX_DEPTH: usize = 16;

/// Variables below an address that may be looked at: one whose size is forged covers all behind it.
const MAX_LOOK_BACK: usize = 64;

/// A variable, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// As a C expression; that of a static in a function begins with `function::`.
    pub name: String,
    /// Its type.
    pub ty: TypeRef,
    /// Where it begins.
    pub address: Address,
    /// Its size in bytes.
    pub size: u64,
    /// The entry of the whole variable.
    pub(super) die: DieRef,
}

impl Object {
    /// The memory that it takes.
    pub fn range(&self) -> Option<AddressRange> {
        AddressRange::new(self.address, self.size)
    }

    fn covers(&self, address: Address) -> bool {
        let distance = address.0.checked_sub(self.address.0);
        distance.is_some_and(|distance| u64::from(distance) < self.size)
    }
}

impl SymbolFile<'_> {
    /// The variable around `address` and its parts around it, from the whole to the smallest. Of a
    /// union's members, the first that reaches there. Empty when no variable is known there.
    pub fn objects_at(&self, address: Address) -> Vec<Object> {
        let variables = self.variables_by_address();
        let end = variables.partition_point(|variable| variable.address <= address);
        let before = variables.get(..end).unwrap_or(&[]);
        let Some(variable) = before.iter().rev().take(MAX_LOOK_BACK).find(|v| v.covers(address))
        else {
            return Vec::new();
        };
        let mut path = vec![variable.clone()];
        while let Some(part) = path.last().and_then(|whole| self.inner_at(whole, address)) {
            path.push(part);
            if path.len() >= MAX_DEPTH {
                break;
            }
        }
        path
    }

    /// A name for `address`: the largest object that begins there, else the smallest around it and
    /// the distance, `rx_ring+12`; of what no variable covers, the symbol's.
    pub fn object_name(&self, address: Address) -> Option<String> {
        let path = self.objects_at(address);
        let exact = path.iter().find(|object| object.address == address);
        if let Some(object) = exact {
            return Some(object.name.clone());
        }
        let (name, distance) = match path.last() {
            Some(object) => (object.name.as_str(), address.0.checked_sub(object.address.0)?),
            None => self.symbol_at(address).map(|(symbol, distance)| (symbol.name, distance))?,
        };
        Some(if distance == 0 { name.to_string() } else { format!("{name}+{distance}") })
    }

    /// The member or element of `whole` that covers `address`.
    fn inner_at(&self, whole: &Object, address: Address) -> Option<Object> {
        let ty = self.strip_type(whole.ty);
        let info = self.type_info(ty);
        let distance = address.0.checked_sub(whole.address.0)?;
        if info.kind == TypeKind::Array {
            let element = self.debug_info()?.element(ty);
            // Bytes are counted, not subscripted: `stack+12`.
            let size = self.type_size(element).filter(|size| *size > 1)?;
            let index = u64::from(distance).checked_div(size)?;
            let offset = u32::try_from(index.checked_mul(size)?).ok()?;
            return Some(Object {
                name: format!("{}[{index}]", whole.name),
                ty: element,
                address: whole.address.checked_add(offset)?,
                size,
                die: whole.die,
            });
        }
        info.members.iter().find_map(|member| {
            let (start, size) = self.bytes_of(member);
            let offset = u32::try_from(start).ok()?;
            let name = match member.name.filter(|_| !member.is_base) {
                Some(name) => format!("{}.{name}", whole.name),
                None => whole.name.clone(),
            };
            let address_of = whole.address.checked_add(offset)?;
            Some(Object { name, ty: member.ty, address: address_of, size: size?, die: whole.die })
                .filter(|part| part.covers(address))
        })
    }

    /// Variables that stand in memory, by address.
    pub(super) fn place_variables(&self) -> Vec<Object> {
        let mut variables: Vec<Object> = Vec::new();
        for global in self.globals() {
            let Some(address) = global.place.address() else { continue };
            let symbol = || self.symbol_at(address).filter(|(_, distance)| *distance == 0);
            // An array that this unit only declares has no bound; its symbol has a size.
            let size = self.type_size(global.ty).filter(|size| *size > 0);
            let size = size.or_else(|| symbol().map(|(symbol, _)| u64::from(symbol.size)));
            let (name, size) = (global.full_name(), size.unwrap_or(0));
            let (ty, die) = (global.ty, global.die);
            variables.push(Object { name, ty, address, size, die });
        }
        variables.sort_by_key(|variable| (variable.address, variable.size));
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::super::ElfImage;
    use super::*;

    fn with_symbols(check: impl Fn(&SymbolFile<'_>)) {
        let bytes = include_bytes!("../../fixtures/elf/mps2-an385-Og.elf");
        let image = ElfImage::parse(bytes).unwrap();
        check(&SymbolFile::new(&image));
    }

    #[test]
    fn member_of_a_structure_is_named_by_its_path() {
        with_symbols(|symbols| {
            let queue = symbols.symbol("k_sys_work_q").unwrap().address;
            let offset = symbols.layout("k_work_q", "notifyq").unwrap().offset_bytes;
            let member = queue.checked_add(u32::try_from(offset).unwrap()).unwrap();
            assert_eq!(symbols.object_name(member).as_deref(), Some("k_sys_work_q.notifyq"));
            assert_eq!(symbols.object_name(queue).as_deref(), Some("k_sys_work_q"));
            let path = symbols.objects_at(member);
            assert_eq!(path.first().unwrap().address, queue);
            assert_eq!(path.last().unwrap().address, member);
        });
    }

    #[test]
    fn element_has_a_subscript_and_a_byte_a_distance() {
        with_symbols(|symbols| {
            let idle = symbols.symbol("z_idle_threads").unwrap().address;
            let offset = symbols.layout("k_thread", "entry").unwrap().offset_bytes;
            let entry = idle.checked_add(u32::try_from(offset).unwrap()).unwrap();
            assert_eq!(symbols.object_name(entry).as_deref(), Some("z_idle_threads[0].entry"));
            let name = symbols.layout("k_thread", "name").unwrap().offset_bytes;
            let third = idle.checked_add(u32::try_from(name).unwrap() + 3).unwrap();
            assert_eq!(symbols.object_name(third).as_deref(), Some("z_idle_threads[0].name+3"));
        });
    }

    #[test]
    fn address_without_a_variable_has_no_object() {
        with_symbols(|symbols| {
            assert!(symbols.objects_at(Address(0x9000_0000)).is_empty());
            assert_eq!(symbols.object_name(Address(0x9000_0000)), None);
            let main = symbols.symbol("main").unwrap().address;
            assert_eq!(symbols.object_name(main).as_deref(), Some("main"));
        });
    }
}
