//! The Zephyr module as its files describe it: what names a file, a symbol or a function names one that
//! is there. Zephyr itself is not here to build it.

use crate::support::file;
use std::collections::BTreeSet;
use std::fs;

/// A file under `sdk`.
fn text(path: &str) -> String {
    fs::read_to_string(file("sdk").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names of the files in a folder under `sdk` that end so, with the folder.
fn sources(folder: &str, end: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(file("sdk").join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(end)).map(|name| format!("{folder}/{name}")).collect()
}

/// Everything that begins with `prefix` and goes on as a name does; without the prefix.
fn names_after(text: &str, prefix: &str) -> BTreeSet<String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let tails = text.match_indices(prefix).map(|(at, _)| &text[at + prefix.len()..]);
    tails.map(|tail| tail.split(|c| !is_name(c)).next().unwrap().to_owned()).collect()
}

/// Symbols that Kconfig defines, without `MFLT` itself.
fn defined() -> BTreeSet<String> {
    let kconfig = text("zephyr/Kconfig");
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        matches!(words.next()?, "config" | "menuconfig").then(|| words.next())?.map(str::to_owned)
    };
    kconfig.lines().filter_map(line).filter(|symbol| symbol != "MFLT").collect()
}

/// Files of C in the port, with what is included from it.
fn port() -> String {
    let mut files = sources("ports/zephyr", ".c");
    files.extend(sources("ports/zephyr", ".h"));
    files.extend(sources("ports/zephyr/include/mflt", ".h"));
    files.iter().map(|path| text(path)).collect()
}

#[test]
fn module_names_files_that_are_there() {
    let module = text("zephyr/module.yml");
    let value = |key: &str| {
        let line = module.lines().find_map(|line| line.trim().strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key}")).trim().to_owned()
    };
    assert_eq!(value("name:"), "mflt");
    for path in [format!("{}/CMakeLists.txt", value("cmake:")), value("kconfig:")] {
        assert!(file("sdk").join(&path).is_file(), "{path}");
    }
}

#[test]
fn module_builds_every_source_that_there_is() {
    let cmake = text("zephyr/CMakeLists.txt");
    let words = cmake.split(|c: char| c.is_whitespace() || c == '(' || c == ')');
    let listed: BTreeSet<_> = words
        .filter(|word| word.ends_with(".c"))
        .map(|word| word.replace("${sdk}/", "").replace("${port}", "ports/zephyr"))
        .collect();
    let mut present = sources("src", ".c");
    present.extend(sources("ports/zephyr", ".c"));
    present.extend(sources("ports/cortex_m", ".c"));
    // Zephyr has a lock of its own.
    assert!(present.remove("ports/cortex_m/lock.c"));
    assert_eq!(listed, present);
    assert!(cmake.contains("SECTIONS sections.ld") && !text("zephyr/sections.ld").is_empty());
}

#[test]
fn every_kconfig_symbol_is_defined_and_does_something() {
    let defined = defined();
    let samples =
        ["prj.conf", "README.md", "src/main.c"].map(|name| format!("examples/zephyr/{name}"));
    let samples: String = samples.iter().map(|path| text(path)).collect();
    let documents = text("README.md") + &text("DESIGN.md");
    let build = text("zephyr/CMakeLists.txt");
    let effective = port() + &build;
    let used = names_after(&effective, "CONFIG_MFLT_");
    let named = names_after(&(samples + &documents), "CONFIG_MFLT_");
    let unknown: Vec<_> =
        used.union(&named).filter(|name| !defined.contains(&format!("MFLT_{name}"))).collect();
    assert!(unknown.is_empty(), "not in Kconfig: {unknown:?}");
    let idle: Vec<_> =
        defined.iter().filter(|symbol| !used.contains(&symbol["MFLT_".len()..])).collect();
    // The name of a choice is no symbol that is asked for.
    assert!(idle.is_empty(), "of no effect: {idle:?}");
    assert!(defined.len() > 30);
}

#[test]
fn every_option_of_the_port_is_one_of_the_sdk() {
    let config = text("include/mflt/config.h");
    let options = names_after(&text("ports/zephyr/config.h"), "#define MFLT_");
    // A guard, and files that an application names.
    let other = ["ZEPHYR_CONFIG_H", "METRICS_FILE", "TRACES_FILE", "REASONS_FILE"];
    let unknown: Vec<_> = options
        .iter()
        .filter(|name| !other.contains(&name.as_str()))
        .filter(|name| !config.contains(&format!("#ifndef MFLT_{name}\n")))
        .collect();
    assert!(unknown.is_empty() && options.len() > 15, "{unknown:?}");
}

#[test]
fn every_function_that_the_linker_wraps_is_there() {
    let wrapped = names_after(&text("zephyr/CMakeLists.txt"), "--wrap=");
    let fault = text("ports/zephyr/fault.c");
    let replaced: BTreeSet<_> =
        wrapped.iter().filter(|name| fault.contains(&format!("void __wrap_{name}("))).collect();
    assert_eq!(replaced.len(), wrapped.len(), "{wrapped:?} but {replaced:?}");
    assert_eq!(names_after(&fault, "__wrap_").len(), wrapped.len());
}
