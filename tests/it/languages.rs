//! Firmware in C++ and Rust: names and values as people write them. GDB is asked for the names of C++;
//! where more is shown than GDB does by itself, the table says what.

use crate::compare::array;
use crate::support::file;
use crate::support::program::{mflt, run};
use serde_json::Value;
use std::process::Command;

/// Function, variable, and its text: the summary, else the value.
const CPP: &[(&str, &str, &str)] = &[
    ("app::collect", "label", r#""outside""#),
    ("app::collect", "values", "[10, 20, 30]"),
    ("app::collect", "limit", "5"),
    ("app::collect", "pair", "[{value = 1, unit = Celsius}, {value = 2, unit = Pascal}]"),
    ("app::collect", "none", "std::nullopt"),
    ("app::collect", "longer", r#""a name that is longer than sixteen""#),
    ("app::collect", "last", "0x20000028 <heap_start+32>"),
    ("main", "sensor.name_", r#""baro""#),
    ("main", "sensor._vptr.Device", "0x000005a8 <vtable for app::Sensor+8>"),
];

const RUST: &[(&str, &str, &str)] = &[
    ("crash::sensor::collect::<crash::sensor::Baro>", "samples", "[10, 20, 30]"),
    ("crash::sensor::collect::<crash::sensor::Baro>", "label", r#""outside""#),
    ("crash::sensor::collect::<crash::sensor::Baro>", "limit", "Some(5)"),
    ("crash::sensor::collect::<crash::sensor::Baro>", "pair", "(60, 7)"),
    ("crash::sensor::collect::<crash::sensor::Baro>", "nothing", "None"),
    ("crash::sensor::collect::<crash::sensor::Baro>", "command", r#"Say("hello")"#),
    ("crash::sensor::collect::<crash::sensor::Baro>", "outcome", "Err(-5)"),
    ("crash::run", "go", "Move {x = -1, y = 2}"),
    ("crash::run", "baro.name", r#""baro""#),
];

/// Of `panic.core`.
const RUST_HEAP: &[(&str, &str, &str)] = &[
    ("crash::queue::drain", "owner", r#""pump""#),
    ("crash::queue::drain", "jobs", "Some({level = Level(3), next = None})"),
    ("crash::queue::drain", "names", r#"["read", "write"]"#),
    ("crash::queue::drain", "shared", "Level(9)"),
    ("crash::queue::drain", "result", r#"Err("busy")"#),
    ("crash::queue::drain", "cell", "4"),
    ("crash::queue::drain", "ring", "[2, 3, 4]"),
];

fn report(language: &str, core: &str) -> Value {
    let mut command = mflt();
    command.arg("analyze").arg(file(&format!("fixtures/{language}/{core}.core")));
    command.arg("--elf").arg(file(&format!("fixtures/{language}/firmware.elf"))).arg("--json");
    let json = run(&mut command).success("mflt analyze").unwrap();
    serde_json::from_str(&json).unwrap()
}

fn crashed(report: &Value) -> &[Value] {
    let threads = array(&report["threads"]);
    array(&threads.iter().find(|thread| thread["crashed"] == true).unwrap()["frames"])
}

/// The part of `variables` that `path` names, through bases, which have no name.
fn part<'a>(variables: &'a [Value], path: &str) -> Option<&'a Value> {
    if let Some(found) = variables.iter().find(|variable| variable["name"] == path) {
        return Some(found);
    }
    variables.iter().find_map(|variable| {
        let name = variable["name"].as_str()?;
        let rest = match name {
            "" => path,
            name => path.strip_prefix(name)?.strip_prefix('.')?,
        };
        part(array(&variable["children"]), rest)
    })
}

fn check(language: &str, core: &str, expected: &[(&str, &str, &str)]) {
    let report = report(language, core);
    let frames = crashed(&report);
    let mut wrong = Vec::new();
    for (function, path, text) in expected {
        let frame = frames.iter().find(|frame| frame["function"] == *function);
        let found = frame.and_then(|frame| {
            part(array(&frame["arguments"]), path).or_else(|| part(array(&frame["locals"]), path))
        });
        let shown = found.map(|v| if v["summary"].is_null() { &v["value"] } else { &v["summary"] });
        if shown.and_then(Value::as_str) != Some(text) {
            wrong.push(format!("{function} {path}: {shown:?}, not {text}"));
        }
        let has_parts =
            found.is_none_or(|v| v["summary"].is_null() || !array(&v["children"]).is_empty());
        assert!(has_parts, "{path} lost its parts");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn cpp_library_types_are_shown_as_people_expect() {
    check("cpp", "crash", CPP);
}

#[test]
fn rust_enums_slices_and_strings_are_shown_as_people_expect() {
    check("rust", "crash", RUST);
}

#[test]
fn rust_values_on_the_heap_are_shown_as_people_expect() {
    check("rust", "panic", RUST_HEAP);
    check("rust-old", "panic", RUST_HEAP);
}

#[test]
fn rust_panic_is_told_with_its_arguments_and_its_place() {
    // `fmt::Arguments` is laid out in another way before Rust 1.93.
    let cases = [("rust", "src/main.rs"), ("rust-old", "fixtures/rust/src/main.rs")];
    for (language, source) in cases {
        let report = report(language, "panic");
        assert_eq!(report["title"], "Panic at crash::queue::drain");
        let cause = &report["cause"];
        let summary = cause["summary"].as_str().unwrap();
        assert!(summary.ends_with(": pump drained    3 of 0x2: Level(3)"), "{summary}");
        let evidence = array(&cause["evidence"]);
        let place = format!("panicked at {source}:90:13");
        assert!(evidence.iter().any(|line| line == &*place), "{evidence:?}");
    }
}

#[test]
fn cpp_functions_have_gdbs_names() {
    let mut gdb = Command::new("gdb-multiarch");
    gdb.args(["-nx", "-batch", "-ex", "bt"]);
    gdb.arg(file("fixtures/cpp/firmware.elf")).arg(file("fixtures/cpp/crash.core"));
    let account = run(&mut gdb).success("gdb-multiarch").unwrap();
    let report = report("cpp", "crash");
    let frames = crashed(&report);
    // GDB ends at `main`.
    assert_eq!(frames.len(), 5);
    for frame in &frames[..4] {
        let function = frame["function"].as_str().unwrap();
        assert!(account.contains(&format!("{function} (")), "{function}\n{account}");
    }
    let title = "Hard Fault at (anonymous namespace)::poll [Peripheral Does Not Answer]";
    assert_eq!(report["title"], title);
}
