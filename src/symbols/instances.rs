//! Where objects of a type stand, as far as variables hold them: alone, in arrays, in structures.

use super::file::SymbolFile;
use super::objects::Object;
use super::types::{TypeKind, TypeRef};
use crate::base::{Address, FastMap};

/// Structures and arrays within each other that are looked into.
const MAX_DEPTH: usize = 4;
/// Members and elements that are looked at in all.
const MAX_STEPS: usize = 100_000;

impl SymbolFile<'_> {
    /// All objects of the structures called `type_names` that global and static variables hold,
    /// at most `limit`, by address. Pointers are not followed, and within an object that was found
    /// no other is looked for.
    pub fn objects_of_types(&self, type_names: &[&str], limit: usize) -> Vec<Object> {
        let mut search = Search {
            symbols: self,
            type_names,
            limit,
            steps: MAX_STEPS,
            found: Vec::new(),
            path: Vec::new(),
            holders: FastMap::default(),
        };
        for variable in self.variables_by_address() {
            if search.may_hold(variable.ty, MAX_DEPTH) {
                search.look_into(variable, variable.ty, variable.address, MAX_DEPTH);
            }
        }
        search.found
    }
}

/// One step from a variable to a part of it.
enum Step<'d> {
    Member(&'d str),
    Element(u64),
}

struct Search<'a, 'd> {
    symbols: &'a SymbolFile<'d>,
    type_names: &'a [&'a str],
    limit: usize,
    steps: usize,
    found: Vec<Object>,
    /// The way from the variable to where the search is.
    path: Vec<Step<'d>>,
    /// Whether a type, looked into so deep, can hold what is searched: most cannot, and a large
    /// array of them is passed over.
    holders: FastMap<(TypeRef, usize), bool>,
}

impl Search<'_, '_> {
    fn look_into(
        &mut self,
        variable: &Object,
        ty: TypeRef,
        address: Address,
        depth: usize,
    ) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        let depth = depth.checked_sub(1)?;
        let ty = self.symbols.strip_type(ty);
        let info = self.symbols.type_info(ty);
        if info.kind.has_members() && info.name.is_some_and(|name| self.type_names.contains(&name))
        {
            let known = self.found.last().is_some_and(|last| last.address == address);
            if self.found.len() < self.limit && !known {
                let size = self.symbols.type_size(ty).unwrap_or(0);
                let (name, die) = (self.name(variable), variable.die);
                self.found.push(Object { name, ty, address, size, die });
            }
            return Some(());
        }
        if info.kind == TypeKind::Array {
            let count = info.dimensions.iter().try_fold(1_u64, |n, d| n.checked_mul((*d)?))?;
            let size = self.symbols.type_size(info.target).filter(|size| *size > 0)?;
            if !self.may_hold(info.target, depth) {
                return None;
            }
            for index in 0..count {
                let offset = u32::try_from(index.checked_mul(size)?).ok()?;
                let element = address.checked_add(offset)?;
                self.path.push(Step::Element(index));
                let looked = self.look_into(variable, info.target, element, depth);
                self.path.pop();
                looked?;
            }
            return Some(());
        }
        for member in &info.members {
            let offset = u32::try_from(member.bit_offset.checked_div(8)?).ok()?;
            if self.may_hold(member.ty, depth) {
                let part = address.checked_add(offset)?;
                let step = member.name.map(Step::Member);
                let named = step.is_some();
                self.path.extend(step);
                self.look_into(variable, member.ty, part, depth);
                if named {
                    self.path.pop();
                }
            }
        }
        Some(())
    }

    /// Whether an object of `ty` is or has a part that is searched, at most `depth` levels down.
    fn may_hold(&mut self, ty: TypeRef, depth: usize) -> bool {
        if let Some(known) = self.holders.get(&(ty, depth)) {
            return *known;
        }
        let Some(below) = depth.checked_sub(1) else { return false };
        let info = self.symbols.type_info(self.symbols.strip_type(ty));
        let named = info.name.is_some_and(|name| self.type_names.contains(&name));
        let holds = match info.kind {
            TypeKind::Array => self.may_hold(info.target, below),
            kind if kind.has_members() => {
                named || info.members.iter().any(|member| self.may_hold(member.ty, below))
            }
            _ => false,
        };
        self.holders.insert((ty, depth), holds);
        holds
    }

    fn name(&self, variable: &Object) -> String {
        let mut name = variable.name.clone();
        for step in &self.path {
            match step {
                Step::Member(member) => name.push_str(&format!(".{member}")),
                Step::Element(index) => name.push_str(&format!("[{index}]")),
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::super::ElfImage;
    use super::*;

    #[test]
    fn threads_in_variables_arrays_and_work_queues_are_found_by_name() {
        let bytes = include_bytes!("../../fixtures/elf/mps2-an385-Og.elf");
        let image = ElfImage::parse(bytes).unwrap();
        let symbols = SymbolFile::new(&image);
        let found = symbols.objects_of_types(&["k_thread"], 100);
        for name in ["z_main_thread", "z_idle_threads[0]", "k_sys_work_q.thread"] {
            let object = found.iter().find(|object| object.name == name).expect(name);
            assert_eq!(Some(object.size), symbols.size_of("k_thread"));
            let parts = symbols.objects_at(object.address);
            assert!(parts.iter().any(|part| part.name == name), "{name}");
        }
        assert_eq!(symbols.objects_of_types(&["k_thread"], 1).len(), 1);
        let queues = symbols.objects_of_types(&["k_work_q", "k_thread"], 100);
        assert!(queues.iter().any(|object| object.name == "k_sys_work_q"), "the outermost counts");
        assert!(!queues.iter().any(|object| object.name == "k_sys_work_q.thread"));
        assert!(symbols.objects_of_types(&["no_such_type"], 100).is_empty());
    }
}
