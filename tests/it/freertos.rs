//! FreeRTOS: every case captured from QEMU, explained, and compared with GDB's answers, then with
//! what the source says that each task waits for.

use crate::compare::{self, array};
use crate::live::capture_and_analyze;
use crate::support::folder::Folder;
use crate::support::manifest::{self, Case};
use crate::support::qemu::Qemu;
use serde_json::Value;

/// Differences of one case that are printed.
const SHOWN: usize = 12;

macro_rules! images {
    ($($test:ident: $image:literal;)*) => {
        $(
            #[test]
            fn $test() {
                check_image($image);
            }
        )*
    };
}

images! {
    freertos_on_cortex_m3_og_is_as_gdb_sees_it: "mps2-an385-Og";
    freertos_on_cortex_m3_os_is_as_gdb_sees_it: "mps2-an385-Os";
    freertos_on_cortex_m4_og_is_as_gdb_sees_it: "mps2-an386-Og";
    freertos_on_cortex_m4_os_is_as_gdb_sees_it: "mps2-an386-Os";
    freertos_on_cortex_m33_og_is_as_gdb_sees_it: "mps2-an505-Og";
    freertos_on_cortex_m33_os_is_as_gdb_sees_it: "mps2-an505-Os";
}

fn check_image(image: &str) {
    let elf = format!("fixtures/freertos/elf/{image}.elf");
    let cases: Vec<Case> =
        manifest::freertos_cases().into_iter().filter(|case| case.elf() == elf).collect();
    assert_eq!(cases.len(), 10, "cases of {elf}");
    let folder = Folder::new();
    let mut failures = String::new();
    for case in &cases {
        let qemu = Qemu::at_stop(case).unwrap();
        let report = capture_and_analyze(&qemu, case, &folder).unwrap();
        let mut found = compare::report(&report, &case.oracle(), case);
        for (task, expected) in waits(case) {
            let thread = array(&report["threads"]).iter().find(|thread| thread["name"] == task);
            let ours = thread.map_or(&Value::Null, |thread| &thread["waits_for"]);
            let ours = ours.as_str().unwrap_or("nothing").to_string();
            found.demand(ours.starts_with(&expected), "waits for", || {
                format!("{task} waits for {ours}, not {expected}")
            });
        }
        for (task, own) in [("first", "1"), ("second", "2")] {
            let thread = array(&report["threads"]).iter().find(|thread| thread["name"] == task);
            // `second` waits for what `first` holds, and lends it its priority.
            let base = thread.map(|thread| thread["base_priority"].to_string());
            let lent = if task == "first" { own } else { "null" };
            found.demand(base.as_deref() == Some(lent), "base priority", || {
                format!("{task} has {base:?}")
            });
        }
        if !found.is_empty() {
            failures += &format!("  {}\n{}", case.id(), found.text(SHOWN));
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// What main.c has its tasks wait for. Without the trace facility the kernel does not tell mutexes
/// and semaphores from their kin, without a registry the variables name them.
fn waits(case: &Case) -> Vec<(&'static str, String)> {
    let traced = case.text("board") == "mps2-an385";
    let registered = case.text("board") != "mps2-an386";
    let name = |registered_as: &str, variable: &str| {
        if registered { registered_as.to_string() } else { variable.to_string() }
    };
    let semaphore = if traced { "counting semaphore" } else { "semaphore" };
    let recursive = if traced { "recursive mutex" } else { "mutex" };
    let samples = if registered { "samples" } else { "samples_queue" };
    let mut waits = vec![
        ("receiver", format!("queue to receive {}", name("CommandQ", "commands"))),
        ("waiter", format!("{semaphore} data_ready")),
        ("events", "event group link_events".to_string()),
        ("notified", "notification".to_string()),
        ("console", "stream buffer to receive console".to_string()),
        ("second", format!("mutex {}, owned by first", name("BusLock", "bus_lock"))),
    ];
    match case.mode() {
        "deadlock" => waits.push(("first", format!("{recursive} log_lock, owned by second"))),
        "queuefull" => waits.push(("producer", format!("queue to send {samples}"))),
        _ => {}
    }
    waits
}

#[test]
fn deadlock_of_tasks_is_found() {
    let report = explained("mps2-an385-Og-deadlock");
    let circle = array(&report["deadlocks"]);
    assert_eq!(circle.len(), 1);
    assert_eq!(array(&circle[0]).len(), 2);
}

/// The report of one case.
fn explained(id: &str) -> Value {
    let cases = manifest::freertos_cases();
    let case = cases.iter().find(|case| case.id() == id).unwrap();
    let qemu = Qemu::at_stop(case).unwrap();
    capture_and_analyze(&qemu, case, &Folder::new()).unwrap()
}

#[test]
fn heap_is_counted_and_its_blocks_are_those_of_tasks() {
    for board in ["mps2-an385", "mps2-an386", "mps2-an505"] {
        let report = explained(&format!("{board}-Og-none"));
        let heap = &report["heap"][0];
        assert_eq!(heap["name"], "ucHeap");
        let number = |key: &str| heap[key].as_u64().unwrap();
        // Each block has a header of 8 bytes, and nothing was freed: one block is left.
        let total = number("used") + 8 * number("blocks") + number("free") + 8;
        assert_eq!(total, number("size"), "{board}");
        assert_eq!(number("free"), number("largest_free"), "{board}");
        let held = |name: &str| {
            let blocks = array(&heap["largest_blocks"]);
            blocks.iter().any(|block| block["held_by"] == name && block["size"] == 640)
        };
        assert!(held("stack of sensor"), "{board}: {}", heap["largest_blocks"]);
        assert_eq!(array(&heap["corruption"]).len(), 0);
    }
}

#[test]
fn overrun_block_is_named_by_its_holder() {
    for board in ["mps2-an385", "mps2-an386", "mps2-an505"] {
        let report = explained(&format!("{board}-Og-corrupt"));
        let text = report["heap"][0]["corruption"][0]["text"].as_str().unwrap_or("none");
        let expected = "held by leaked[0], may have been overrun";
        assert!(text.contains("has the size 0x41414141") && text.ends_with(expected), "{text}");
    }
}

#[test]
fn stack_overflow_into_the_heap_is_not_blamed_on_the_block_before() {
    let report = explained("mps2-an385-Og-neighbour");
    let text = report["heap"][0]["corruption"][0]["text"].as_str().unwrap_or("none");
    assert!(text.ends_with("; the stack of parser, which overflowed, begins above it"), "{text}");
}

#[test]
fn handlers_run_on_the_main_stack() {
    let report = explained("mps2-an385-Og-buswrite");
    let handler = array(&report["threads"]).iter().find(|thread| thread["state"] == "handler");
    let stack = &handler.unwrap()["stack"];
    let (used, size) = (stack["used"].as_u64().unwrap(), stack["size"].as_u64().unwrap());
    assert!(used < size, "{stack}");
}
