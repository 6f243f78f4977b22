//! Names of types as GDB spells them in C.

use std::sync::Arc;

use super::dwarf::DebugInfo;
use super::file::SymbolFile;
use super::types::{TypeInfo, TypeKind, TypeRef};

/// Types that one name may be made of: a forged function type could refer to itself.
const MAX_STEPS: usize = 200;

impl<'d> DebugInfo<'d> {
    /// The name of a type, from the cache.
    pub(super) fn type_name(&self, ty: TypeRef) -> Arc<str> {
        if let Some(found) = self.names.lock().ok().and_then(|names| names.get(&ty).cloned()) {
            return found;
        }
        let mut steps = MAX_STEPS;
        let name: Arc<str> = self.spell(ty, String::new(), &mut steps).into();
        if let Ok(mut names) = self.names.lock() {
            names.insert(ty, Arc::clone(&name));
        }
        name
    }

    /// `declarator` is what stands around the name of a variable: `*`, `[4]`, `(*)(int)`.
    fn spell(&self, ty: TypeRef, mut declarator: String, steps: &mut usize) -> String {
        let mut at = ty;
        let mut is_const = false;
        let mut is_volatile = false;
        loop {
            let Some(left) = steps.checked_sub(1) else { return "...".to_owned() };
            *steps = left;
            let info = self.type_info(at);
            match info.kind {
                TypeKind::Const => is_const = true,
                TypeKind::Volatile => is_volatile = true,
                TypeKind::Qualifier => {}
                // Rust names its pointers: `&str`, `*const u8`.
                TypeKind::Pointer | TypeKind::Reference | TypeKind::RvalueReference
                    if info.name.is_none() =>
                {
                    let mark = match info.kind {
                        TypeKind::Pointer => "*",
                        TypeKind::Reference => "&",
                        _ => "&&",
                    };
                    let constant = if is_const { " const" } else { "" };
                    let volatile = if is_volatile { " volatile" } else { "" };
                    declarator = format!("{mark}{constant}{volatile}{declarator}");
                    (is_const, is_volatile) = (false, false);
                    let target = self.type_info(self.unqualified(info.target)).kind;
                    if matches!(target, TypeKind::Array | TypeKind::Function) {
                        declarator = format!("({declarator})");
                    }
                }
                TypeKind::Array => {
                    for dimension in &info.dimensions {
                        match dimension {
                            Some(count) => declarator.push_str(&format!("[{count}]")),
                            None => declarator.push_str("[]"),
                        }
                    }
                }
                TypeKind::Function => {
                    let parameters = self.spell_parameters(&info, steps);
                    declarator.push_str(&parameters);
                }
                _ => {
                    let constant = if is_const { "const " } else { "" };
                    let volatile = if is_volatile { "volatile " } else { "" };
                    let name = base_name(&info);
                    let space = if declarator.is_empty() { "" } else { " " };
                    return format!("{constant}{volatile}{name}{space}{declarator}");
                }
            }
            at = info.target;
        }
    }

    fn spell_parameters(&self, info: &TypeInfo<'d>, steps: &mut usize) -> String {
        let mut parameters: Vec<String> = Vec::new();
        for parameter in &info.parameters {
            if *steps == 0 {
                break;
            }
            parameters.push(self.spell(*parameter, String::new(), steps));
        }
        if info.variadic && !parameters.is_empty() {
            parameters.push("...".to_owned());
        }
        if parameters.is_empty() && (info.prototyped || !info.is_c) {
            parameters.push("void".to_owned());
        }
        format!("({})", parameters.join(", "))
    }

    fn unqualified(&self, ty: TypeRef) -> TypeRef {
        let mut at = ty;
        for _ in 0..super::types::MAX_CHAIN {
            let info = self.type_info(at);
            match info.kind {
                TypeKind::Const | TypeKind::Volatile | TypeKind::Qualifier => at = info.target,
                _ => break,
            }
        }
        at
    }
}

fn base_name(info: &TypeInfo<'_>) -> String {
    let keyword = match info.kind {
        TypeKind::Void => return "void".to_owned(),
        TypeKind::Struct => "struct",
        TypeKind::Class => "class",
        TypeKind::Union => "union",
        TypeKind::Enum => "enum",
        TypeKind::Base(_) => return integer_name(info.name.unwrap_or("<unnamed type>")),
        _ => return info.name.unwrap_or("<unnamed type>").to_owned(),
    };
    match info.name {
        Some(name) if info.is_c => format!("{keyword} {name}"),
        Some(name) => name.to_owned(),
        None => format!("{keyword} {{...}}"),
    }
}

/// `long unsigned int`, as GCC writes it, as people write it: `unsigned long`.
fn integer_name(name: &str) -> String {
    let is_size = |word: &&str| matches!(*word, "short" | "long");
    let words: Vec<&str> = name.split(' ').collect();
    let integer = |word: &&str| is_size(word) || matches!(*word, "signed" | "unsigned" | "int");
    if !words.iter().all(integer) || !words.iter().any(is_size) {
        return name.to_owned();
    }
    let sign = words.iter().filter(|word| **word == "unsigned");
    let sizes = words.iter().filter(|word| is_size(word));
    sign.chain(sizes).copied().collect::<Vec<_>>().join(" ")
}

impl<'d> SymbolFile<'d> {
    /// The name of a type as GDB prints it: `struct k_thread *`, `uint8_t [4][3]`,
    /// `void (*)(struct k_timer *)`.
    pub fn type_name(&self, ty: TypeRef) -> Arc<str> {
        match self.debug_info() {
            Some(info) => info.type_name(ty),
            None => "<unnamed type>".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_types_are_named_as_in_c() {
        assert_eq!(integer_name("long long unsigned int"), "unsigned long long");
        assert_eq!(integer_name("short int"), "short");
        assert_eq!(integer_name("unsigned int"), "unsigned int");
        assert_eq!(integer_name("long double"), "long double");
    }
}
