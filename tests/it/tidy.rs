//! The rules of the house that a compiler does not check.

use crate::support::manifest;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which layers a layer may use: the table of ARCHITECTURE.md. `cli` may use everything.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("snapshot", &["base"]),
    ("wire", &["base"]),
    ("report", &["base"]),
    ("format", &["base", "snapshot", "wire"]),
    ("symbols", &["base"]),
    ("arch", &["base", "snapshot"]),
    ("rtos", &["base", "snapshot", "symbols", "arch"]),
    ("target", &["base", "snapshot", "arch"]),
    ("issue", &["base", "report"]),
    ("analysis", &["base", "snapshot", "wire", "symbols", "arch", "rtos", "report", "issue"]),
    ("svd", &["base", "snapshot", "report"]),
    ("diff", &["base", "snapshot", "report", "symbols"]),
    ("gdb", &["base", "snapshot", "report", "symbols", "analysis"]),
    ("dap", &["base", "report", "analysis"]),
    ("tui", &["base", "snapshot", "report", "symbols", "analysis"]),
];

/// Longest file, in lines.
const LONGEST: usize = 800;

/// What the pure core must not touch: files, sockets, clocks, environment, terminals.
const NOT_PURE: &[&str] =
    &["std::fs", "std::net", "std::env", "std::process", "std::time", "std::io::std"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_under(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The program part of a file: without comments, and without its tests at the end.
fn program(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or("").to_string();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n")
}

/// Layers that `text` names behind `crate::`, singly or in braces.
fn used_layers(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let word = |text: &str| -> String {
            text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split('}').next().unwrap_or("");
                used.extend(group.split(',').map(|part| word(part.trim())));
            }
            None => {
                used.insert(word(rest));
            }
        }
    }
    used
}

#[test]
fn layers_use_only_what_stands_in_their_row() {
    let known: BTreeSet<&str> = LAYERS.iter().map(|(name, _)| *name).chain(["cli"]).collect();
    let mut wrong = Vec::new();
    for (layer, allowed) in LAYERS {
        for path in files_under(&root().join("src").join(layer), "rs") {
            // Test modules in files of their own may use what they test with.
            if path.file_name().is_some_and(|name| name == "tests.rs") {
                continue;
            }
            for used in used_layers(&program(&path)) {
                let fine = used == *layer
                    || allowed.contains(&used.as_str())
                    || !known.contains(used.as_str());
                if !fine {
                    wrong.push(format!("{} uses {used}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let folders: BTreeSet<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let known: BTreeSet<String> = known.into_iter().map(str::to_string).collect();
    assert_eq!(folders, known, "a folder of src/ is a layer and stands in the table");
}

#[test]
fn pure_core_does_no_input_or_output() {
    let mut wrong = Vec::new();
    for (layer, _) in LAYERS.iter().filter(|(layer, _)| *layer != "target") {
        for path in files_under(&root().join("src").join(layer), "rs") {
            if path.file_name().is_some_and(|name| name == "tests.rs") {
                continue;
            }
            let text = program(&path);
            for forbidden in NOT_PURE.iter().filter(|forbidden| text.contains(**forbidden)) {
                wrong.push(format!("{} names {forbidden}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_have_a_header_and_stay_short() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for path in files_under(&root().join(folder), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().count();
            if lines > LONGEST {
                wrong.push(format!("{}: {lines} lines", path.display()));
            }
            if !text.starts_with("//!") {
                wrong.push(format!("{}: does not say what it holds", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn device_sources_have_a_licence_and_stay_short() {
    let mut wrong = Vec::new();
    for path in ["c", "h"].iter().flat_map(|ending| files_under(&root().join("sdk"), ending)) {
        let text = fs::read_to_string(&path).unwrap();
        if !text.starts_with("/* SPDX-License-Identifier: MIT OR Apache-2.0 */\n") {
            wrong.push(format!("{}: no licence", path.display()));
        }
        if text.lines().count() > LONGEST {
            wrong.push(format!("{}: too long", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn schema_documents_name_every_field() {
    let mut missing = Vec::new();
    for (path, document) in [
        ("src/report/mod.rs", "docs/report-schema.md"),
        ("src/report/variable.rs", "docs/report-schema.md"),
        ("src/report/heap.rs", "docs/report-schema.md"),
        ("src/report/interrupts.rs", "docs/report-schema.md"),
        ("src/report/log.rs", "docs/report-schema.md"),
        ("src/report/object.rs", "docs/report-schema.md"),
        ("src/report/mpu.rs", "docs/report-schema.md"),
        ("src/report/peripheral.rs", "docs/report-schema.md"),
        ("src/report/message.rs", "docs/messages.md"),
        ("src/report/difference.rs", "docs/report-schema.md"),
    ] {
        let document_text = fs::read_to_string(root().join(document)).unwrap();
        let text = program(&root().join(path));
        let (mut renamed, mut flattened) = (None, false);
        for line in text.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("#[serde(rename = \"") {
                renamed = rest.split('"').next().map(str::to_string);
            }
            flattened |= line == "#[serde(flatten)]";
            let Some(field) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(':'))
            else {
                continue;
            };
            // The fields of what is flattened stand in its own file.
            if std::mem::take(&mut flattened) {
                continue;
            }
            let name = renamed.take().unwrap_or_else(|| field.0.to_string());
            let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if is_name && !document_text.contains(&format!("`{name}`")) {
                missing.push(format!("{path}: {name} in {document}"));
            }
        }
    }
    assert!(missing.is_empty(), "not documented: {missing:#?}");
}

#[test]
fn architecture_lists_every_layer_with_its_row() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (layer, _) in LAYERS {
        assert!(text.contains(&format!("\n| {layer} | ")), "{layer} is missing");
    }
    assert!(text.lines().count() <= 250, "ARCHITECTURE.md is to stay readable");
}

#[test]
fn fixtures_are_all_listed_in_their_manifest() {
    let mut unlisted = Vec::new();
    for (base, folders) in [
        ("fixtures", [("elf", "elf"), ("cores", "core"), ("oracle", "json")].as_slice()),
        ("fixtures/freertos", &[("elf", "elf"), ("oracle", "json")]),
        ("fixtures/threadx", &[("elf", "elf")]),
    ] {
        let manifest = fs::read_to_string(root().join(base).join("manifest.toml")).unwrap();
        for (folder, ending) in folders {
            let files = files_under(&root().join(base).join(folder), ending);
            assert!(!files.is_empty(), "{base}/{folder} is empty");
            for path in files {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if !manifest.contains(&format!("\"{base}/{folder}/{name}\"")) {
                    unlisted.push(path);
                }
            }
        }
    }
    // Folders of their own have their own list.
    for folder in ["bare", "chunks", "cpp", "rust", "rust-old", "trustzone"] {
        let listed = manifest::tables(&format!("fixtures/{folder}/manifest.toml"), "file");
        for ending in ["elf", "core", "json", "log"] {
            for path in files_under(&root().join("fixtures").join(folder), ending) {
                let size = fs::metadata(&path).unwrap().len();
                let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                let is_listed =
                    listed.iter().any(|file| file["path"] == path && file["size"] == size);
                if !is_listed {
                    unlisted.push(path.into());
                }
            }
        }
    }
    assert!(unlisted.is_empty(), "{unlisted:#?}");
}
