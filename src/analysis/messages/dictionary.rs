//! What an ELF knows of its firmware's messages: names of metrics, sessions and reasons, formats of
//! log lines.
//!
//! Names are enumerators, so that they need DWARF; the table of metrics and the formats are data
//! of the program. Firmware with this project's SDK has a section of names instead.

use crate::base::{Address, AddressRange, Memory};
use crate::symbols::{SymbolFile, TypeKind};
use crate::wire::{Dictionary, MetricKey, Names};

/// The section of names of this project's own SDK.
const NAMES: &str = "mflt_names";
/// Bytes of the table of metrics that are read.
const MAX_TABLE: usize = 1 << 17;
/// Names of one sort that are taken.
const MAX_NAMES: usize = 1 << 16;
/// Bytes of a name.
const MAX_NAME: usize = 256;
/// How the names of the types begin that hold names of messages.
const TYPES: [&str; 3] = ["Mflt", "eMflt", "eMemfault"];
/// `g_memfault_build_id` begins with this number when the ID is a hash of the program that was
/// put into it after linking.
const PATCHED_BUILD_ID: u8 = 3;
const PATCHED_BUILD_ID_SIZE: u64 = 20;

/// Reads the dictionary of a firmware; what the file does not have stays empty.
pub(super) fn read(symbols: &SymbolFile<'_>) -> Dictionary {
    let mut dictionary = Dictionary {
        build_id: build_id(symbols),
        metrics: metrics(symbols).unwrap_or_default(),
        log_formats: symbols.image().section("log_fmt").unwrap_or_default().to_vec(),
        ..Dictionary::default()
    };
    for (name, ty) in symbols.named_types() {
        if !TYPES.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let info = symbols.type_info(symbols.strip_type(ty));
        if info.kind != TypeKind::Enum {
            continue;
        }
        let sorts: [(&str, &mut Names); 4] = [
            ("kMfltMetricsIndex_", &mut dictionary.metric_names),
            ("kMfltMetricsSessionKey_", &mut dictionary.sessions),
            ("kMfltTraceReasonUser_", &mut dictionary.trace_reasons),
            ("kMfltRebootReason_", &mut dictionary.reboot_reasons),
        ];
        for (prefix, names) in sorts {
            for enumerator in &info.enumerators {
                let bare = enumerator.name.strip_prefix(prefix);
                // The last enumerator only counts the others.
                let Some(bare) = bare.filter(|bare| *bare != "COUNT") else { continue };
                if names.len() < MAX_NAMES {
                    names.entry(enumerator.value).or_insert_with(|| bare.to_string());
                }
            }
        }
    }
    if let Some(names) = symbols.image().section(NAMES) {
        dictionary.add_names(names);
    }
    if dictionary.metric_names.is_empty() {
        dictionary.metric_names = names_by_index(symbols).unwrap_or_default();
    }
    dictionary
}

/// The build ID that the device sends: the linker's, or the one that was put in later.
fn build_id(symbols: &SymbolFile<'_>) -> Option<Vec<u8>> {
    let patched = || {
        let kind = symbols.symbol("g_memfault_build_id")?.address;
        if symbols.read_u8(kind).ok()? != PATCHED_BUILD_ID {
            return None;
        }
        let id = symbols.symbol("g_memfault_sdk_derived_build_id")?.address;
        let range = AddressRange::new(id, PATCHED_BUILD_ID_SIZE)?;
        symbols.read_range(range, MAX_NAME).ok()
    };
    patched().or_else(|| symbols.image().build_id().map(<[u8]>::to_vec))
}

fn metrics(symbols: &SymbolFile<'_>) -> Option<Vec<MetricKey>> {
    let table = symbols.symbol("s_memfault_heartbeat_keys")?;
    let range = AddressRange::new(table.address, u64::from(table.size))?;
    Some(MetricKey::parse_table(&symbols.read_range(range, MAX_TABLE).ok()?))
}

/// Names of metrics where firmware keeps them as strings, for the debug console: pointers by index.
fn names_by_index(symbols: &SymbolFile<'_>) -> Option<Names> {
    let table = symbols.symbol("s_idx_to_metric_name")?;
    let range = AddressRange::new(table.address, u64::from(table.size))?;
    let pointers = symbols.read_range(range, MAX_TABLE).ok()?;
    let mut names = Names::new();
    for (index, pointer) in (0..).zip(pointers.chunks_exact(4)).take(MAX_NAMES) {
        let pointer = Address(u32::from_le_bytes(pointer.try_into().ok()?));
        if let Ok(name) = symbols.read_c_string(pointer, MAX_NAME) {
            names.insert(index, String::from_utf8_lossy(&name).into_owned());
        }
    }
    Some(names)
}
