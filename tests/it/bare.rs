//! Firmware without a kernel, with the heap of newlib and of newlib-nano: cores of `fixtures/bare`
//! against GDB's frames and what the source does.

use crate::compare::array;
use crate::support::file;
use crate::support::program::{mflt, run};
use serde_json::Value;
use std::fs;

const LIBRARIES: [&str; 2] = ["newlib", "nano"];

fn analyzed(library: &str, mode: &str) -> Value {
    let mut command = mflt();
    command.arg("analyze").arg(file(&format!("fixtures/bare/cores/{library}-{mode}.core")));
    command.arg("--elf").arg(file(&format!("fixtures/bare/elf/{library}.elf"))).arg("--json");
    serde_json::from_str(&run(&mut command).success("mflt analyze").unwrap()).unwrap()
}

fn main_stack(report: &Value) -> &Value {
    array(&report["threads"]).iter().find(|thread| thread["name"] == "main stack").unwrap()
}

#[test]
fn bare_metal_frames_are_as_gdb_sees_them() {
    for library in LIBRARIES {
        for mode in ["halt", "fault", "overflow", "exhaust", "overrun"] {
            let oracle = file(&format!("fixtures/bare/oracle/{library}-{mode}.json"));
            let oracle: Value = serde_json::from_slice(&fs::read(oracle).unwrap()).unwrap();
            let report = analyzed(library, mode);
            let parts = |frames: &Value| -> Vec<Value> {
                let keys = ["function", "pc", "sp", "file", "line"];
                array(frames)
                    .iter()
                    .map(|f| keys.iter().map(|key| f[key].clone()).collect())
                    .collect()
            };
            let ours = parts(&main_stack(&report)["frames"]);
            assert_eq!(ours, parts(&oracle), "{library}-{mode}");
            assert!(ours.len() > 3);
        }
    }
}

#[test]
fn bare_metal_titles_name_the_cause() {
    for library in LIBRARIES {
        for (mode, title) in [
            ("halt", "Debugger Halted at wait_here"),
            ("fault", "Hard Fault at read_register"),
            ("overflow", "Hard Fault at read_register [Stack Overflow]"),
            ("exhaust", "Panic at leak [Out of Memory]"),
            ("overrun", "Hard Fault at write_name [Heap Corruption]"),
        ] {
            assert_eq!(analyzed(library, mode)["title"], title, "{library}-{mode}");
        }
    }
}

#[test]
fn main_stack_has_its_bounds_and_its_use() {
    for library in LIBRARIES {
        let report = analyzed(library, "halt");
        let stack = &main_stack(&report)["stack"];
        assert_eq!(stack["start"], "0x20003800");
        assert_eq!(stack["size"], 0x800);
        assert_eq!(stack["overflowed"], false);
        let (used, high) = (stack["used"].as_u64().unwrap(), stack["high_water"].as_u64().unwrap());
        assert!(used < high && high < 0x100, "{used}, {high}");
        let notes = array(&report["notes"]);
        assert!(notes.iter().any(|note| note["code"] == "no_rtos"));

        let report = analyzed(library, "overflow");
        assert_eq!(main_stack(&report)["stack"]["overflowed"], true);
        let cause = report["cause"].to_string();
        assert!(cause.contains("Stack overflow of the main stack: MSP 0x"), "{cause}");
        assert!(cause.contains("the heap malloc lies below it"), "{cause}");
    }
}

#[test]
fn malloc_heap_is_counted_and_its_blocks_have_holders() {
    for library in LIBRARIES {
        let report = analyzed(library, "halt");
        let heap = &report["heap"][0];
        // Three samples of 28 bytes, a name of 20, a report of 100; a message was freed.
        assert_eq!(heap["blocks"], 5);
        let used = heap["used"].as_u64().unwrap();
        assert!((204..=204 + 5 * 4).contains(&used), "{library}: {used}");
        let size_of = |holder: &str| {
            let mut blocks = array(&heap["largest_blocks"]).iter();
            blocks.find(|block| block["held_by"] == holder).map(|block| block["size"].as_u64())
        };
        for (holder, size) in [("g_report", 100), ("g_name", 20), ("g_samples", 28)] {
            let found = size_of(holder).flatten().unwrap();
            assert!((size..=size + 4).contains(&found), "{library}: {holder} has {found}");
        }
        assert_eq!(array(&heap["corruption"]).len(), 0);

        let heap = analyzed(library, "exhaust")["heap"][0].clone();
        assert!(heap["largest_free"].as_u64().unwrap() < 480, "{library}: {heap}");
        let heap = analyzed(library, "overrun")["heap"][0].clone();
        assert_eq!(array(&heap["corruption"]).len(), 1, "{library}: {heap}");
    }
}
