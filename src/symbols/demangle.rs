//! Names of C++ and Rust as people write them, from the names that the linker sees: the Itanium C++ ABI
//! section 5.1, Rust's legacy and v0 mangling. Parameters and return types are left out.
//!
//! A name may be forged: its length, its nesting and what it grows to are bounded.

use std::borrow::Cow;
use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, ParseOptions};

use super::scopes::SourceFrame;
use super::symtab::Symbol;

/// Longest mangled name that is looked into, and longest readable one, in bytes.
const LONGEST: usize = 2048;
/// Names and types within each other.
const MAX_NESTING: u32 = 64;

/// Text that refuses to grow beyond [`LONGEST`].
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len().saturating_add(text.len()) > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// What `name` stands for, when it is a mangled name of C++ or Rust.
pub fn demangle(name: &str) -> Option<String> {
    if !(name.starts_with("_Z") || name.starts_with("_R")) || name.len() > LONGEST {
        return None;
    }
    let mut text = Bounded::default();
    if let Some(rust) = rustc_demangle::try_demangle(name).ok().filter(|_| is_rust(name)) {
        // Without the hash that tells crates of one name apart.
        write!(text, "{rust:#}").ok()?;
        return Some(text.0);
    }
    let options = ParseOptions::default().recursion_limit(MAX_NESTING);
    let symbol = cpp_demangle::Symbol::new_with_options(name, &options).ok()?;
    let options = DemangleOptions::new()
        .no_params()
        .no_return_type()
        .hide_expression_literal_types()
        .recursion_limit(MAX_NESTING);
    symbol.structured_demangle(&mut text, &options).ok()?;
    // As binutils and GDB write it.
    let table = text.0.strip_prefix("{vtable(").and_then(|rest| rest.strip_suffix(")}"));
    Some(table.map_or_else(|| text.0.clone(), |class| format!("vtable for {class}")))
}

/// Whether a mangled name is one of Rust: the legacy mangling is that of C++ with a hash at the end.
fn is_rust(name: &str) -> bool {
    let hash = || name.rsplit_once("17h")?.1.split_once('E');
    name.starts_with("_R")
        || hash().is_some_and(|(hash, _)| {
            hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit())
        })
}

impl<'d> Symbol<'d> {
    /// Its name as people write it.
    pub fn readable(&self) -> Cow<'d, str> {
        demangle(self.name).map_or(Cow::Borrowed(self.name), Cow::Owned)
    }
}

impl<'d> SourceFrame<'d> {
    /// The function's name as people write it, with its namespaces and classes.
    pub fn readable(&self) -> Option<Cow<'d, str>> {
        let full = self.linkage_name.and_then(demangle).map(Cow::Owned);
        full.or(self.function.map(Cow::Borrowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cpp_and_rust_are_those_of_the_source() {
        for (mangled, readable) in [
            ("_ZN3app6Sensor4readEi", "app::Sensor::read"),
            ("_ZN3app4ringIiLj4EE4pushEi", "app::ring<int, 4>::push"),
            ("_ZTVN3app6SensorE", "vtable for app::Sensor"),
            ("_ZN12_GLOBAL__N_14pollEv", "(anonymous namespace)::poll"),
            ("_ZN12_GLOBAL__N_19heap_nextE", "(anonymous namespace)::heap_next"),
            ("_ZN3app5countE", "app::count"),
            ("_ZN4core9panicking9panic_fmt17h0123456789abcdefE", "core::panicking::panic_fmt"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            (
                "_ZN48_$LT$app..Sensor$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE",
                "<app::Sensor as core::fmt::Debug>::fmt",
            ),
        ] {
            assert_eq!(demangle(mangled).as_deref(), Some(readable), "{mangled}");
        }
    }

    #[test]
    fn names_of_c_and_nonsense_stay_as_they_are() {
        for name in ["main", "_Zork", "_Z", "_R", "_ZN", "z_arm_fault", "_ZN99999999999999999999aE"]
        {
            assert_eq!(demangle(name), None, "{name}");
        }
    }

    #[test]
    fn forged_names_end_soon() {
        assert_eq!(demangle(&format!("_ZN{}1aE", "1a".repeat(5000))), None);
        assert_eq!(demangle(&format!("_Z1f{}i", "P".repeat(1500))), None);
        // Each type is twice the one before it.
        let doubled: String = (0..40).map(|_| "S1_IS_S_E").collect();
        assert!(demangle(&format!("_Z1fI1aE{doubled}")).is_none_or(|text| text.len() <= LONGEST));
    }
}
