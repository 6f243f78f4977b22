//! Who wrote a message: the linker's lists of log sources.

use super::super::layout::member;
use super::offset;
use crate::base::{Address, AddressRange, Memory};
use crate::symbols::SymbolFile;

/// Longest name of a source.
const LONGEST_NAME: usize = 64;

/// The list of what is constant of each source, and the list of what can be switched at run time.
pub(super) struct Sources {
    constant: Option<AddressRange>,
    constant_size: u32,
    dynamic: Option<AddressRange>,
    dynamic_size: u32,
    name: Option<u32>,
}

impl Sources {
    pub(super) fn find(symbols: &SymbolFile<'_>) -> Sources {
        let list = |kind: &str| {
            // Before 3.3 without `_list`.
            let bound = |end: &str| {
                let names = [format!("_log_{kind}_list_{end}"), format!("__log_{kind}_{end}")];
                names.iter().find_map(|name| symbols.symbol(name)).map(|symbol| symbol.address)
            };
            AddressRange::from_bounds(bound("start")?, bound("end")?)
        };
        let size = |name: &str| u32::try_from(symbols.size_of(name)?).ok().filter(|size| *size > 0);
        Sources {
            constant: list("const"),
            constant_size: size("log_source_const_data").unwrap_or(8),
            dynamic: list("dynamic"),
            dynamic_size: size("log_source_dynamic_data").unwrap_or(4),
            name: offset(symbols, "log_source_const_data", "name"),
        }
    }

    /// The name of the source whose entry in either list is at `source`.
    pub(super) fn at(&self, memory: &dyn Memory, source: Address) -> Option<String> {
        let index = |list: Option<AddressRange>, size: u32| {
            let list = list.filter(|list| list.contains(source))?;
            let distance = source.0.checked_sub(list.start().0)?;
            distance.is_multiple_of(size).then_some(distance.checked_div(size)?)
        };
        let number = index(self.constant, self.constant_size)
            .or_else(|| index(self.dynamic, self.dynamic_size))?;
        self.numbered(memory, number)
    }

    /// The name of source `number`.
    pub(super) fn numbered(&self, memory: &dyn Memory, number: u32) -> Option<String> {
        let constant = self.constant?;
        let entry = constant.start().checked_add(number.checked_mul(self.constant_size)?)?;
        let name = member(entry, self.name).filter(|_| constant.contains(entry))?;
        let name = memory.read_u32(name).ok()?;
        let name = memory.read_c_string(Address(name), LONGEST_NAME).ok()?;
        Some(String::from_utf8_lossy(&name).into_owned())
    }
}
