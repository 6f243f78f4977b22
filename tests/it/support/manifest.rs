//! `fixtures/manifest.toml` and `fixtures/freertos/manifest.toml`: the images, the cases and what is expected of them.
//!
//! The files are written by a program, a key and a value per line, so that this reader needs no
//! more of TOML than that.

use super::file;
use serde_json::{Map, Value};
use std::fs;
use std::sync::OnceLock;

type Table = Map<String, Value>;

const MANIFEST: &str = "fixtures/manifest.toml";
const FREERTOS: &str = "fixtures/freertos/manifest.toml";

/// A case: an image, a mode, and where it is over.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    table: Table,
}

impl Case {
    pub(crate) fn text(&self, key: &str) -> &str {
        let value = self.table.get(key).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("case without `{key}`: {:?}", self.table))
    }

    pub(crate) fn id(&self) -> &str {
        self.text("id")
    }

    pub(crate) fn mode(&self) -> &str {
        self.text("mode")
    }

    pub(crate) fn elf(&self) -> &str {
        self.text("elf")
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether it can run and be stopped.
    pub(crate) fn is_runnable(&self) -> bool {
        !self.has("unsupported")
    }

    /// Program and arguments, with `{elf}` and `{port}` still to be filled in.
    pub(crate) fn qemu(&self) -> Vec<&str> {
        let words = self.table.get("qemu").and_then(Value::as_array).expect("`qemu` of a case");
        words.iter().filter_map(Value::as_str).collect()
    }

    pub(crate) fn stop_address(&self) -> u32 {
        hex(self.text("stop_address"))
    }

    pub(crate) fn stop_hits(&self) -> u64 {
        self.table.get("stop_hits").and_then(Value::as_u64).expect("`stop_hits` of a case")
    }

    /// `[case.expected]`.
    pub(crate) fn expected(&self) -> &Value {
        self.table.get("expected").expect("`expected` of a case")
    }

    /// What GDB says.
    pub(crate) fn oracle(&self) -> Value {
        let path = file(self.text("oracle"));
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

/// A number written as `0x1234`.
pub(crate) fn hex(text: &str) -> u32 {
    let digits = text.strip_prefix("0x");
    let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    number.unwrap_or_else(|| panic!("`{text}` is not a hexadecimal number"))
}

/// All cases, in the order of the file.
pub(crate) fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        let tables = tables(MANIFEST, "case");
        tables.into_iter().map(|table| Case { table }).collect()
    })
}

/// All cases of FreeRTOS, in the order of their file.
pub(crate) fn freertos_cases() -> Vec<Case> {
    tables(FREERTOS, "case").into_iter().map(|table| Case { table }).collect()
}

/// The case with that id.
pub(crate) fn case(id: &str) -> &'static Case {
    let found = cases().iter().find(|case| case.id() == id);
    found.unwrap_or_else(|| panic!("the manifest has no case `{id}`"))
}

/// Paths of all images.
pub(crate) fn images() -> Vec<String> {
    let path = |table: Table| table.get("path").and_then(Value::as_str).map(str::to_string);
    tables(MANIFEST, "elf").into_iter().filter_map(path).collect()
}

/// What the manifest says under `key` of the image at that path.
pub(crate) fn of_image(path: &str, key: &str) -> String {
    let table = tables(MANIFEST, "elf").into_iter().find(|table| table["path"] == path);
    let table = table.unwrap_or_else(|| panic!("the manifest has no image `{path}`"));
    table[key].as_str().unwrap_or_else(|| panic!("no `{key}` of {path}")).to_string()
}

/// The tables `[[name]]` of the file at `path`, with what follows as `[name.key]` under `key`.
pub(crate) fn tables(path: &str, name: &str) -> Vec<Table> {
    let text = fs::read_to_string(file(path)).expect("the manifest of the fixtures");
    let (start, within) = (format!("[[{name}]]"), format!("[{name}."));
    let mut found: Vec<Table> = Vec::new();
    let mut inner: Option<String> = None;
    let mut wanted = false;
    for line in text.lines() {
        if line.starts_with('[') {
            inner = line.strip_prefix(&within).map(|rest| rest.trim_end_matches(']').to_string());
            wanted = line == start || inner.is_some();
            if line == start {
                found.push(Table::new());
            }
        } else if let (Some((key, value)), true) = (line.split_once(" = "), wanted) {
            // Strings, numbers, truth values and arrays of them are the same in JSON.
            let value = serde_json::from_str(value).unwrap_or_else(|e| panic!("{line}: {e}"));
            let mut table = found.last_mut().expect("a table before its keys");
            if let Some(inner) = &inner {
                let entry = table.entry(inner.as_str()).or_insert_with(|| Table::new().into());
                table = entry.as_object_mut().expect("a table");
            }
            table.insert(key.to_string(), value);
        }
    }
    found
}

#[test]
fn manifest_has_all_images_and_cases() {
    assert_eq!(images().len(), 15);
    assert_eq!(cases().len(), 378);
    assert_eq!(cases().iter().filter(|case| case.is_runnable()).count(), 316);
    let case = case("mps2-an385-Og-badpc");
    assert_eq!(case.expected()["thread"], "sensor");
    assert_eq!(case.qemu()[..3], ["qemu-system-arm", "-M", "mps2-an385"]);
}
