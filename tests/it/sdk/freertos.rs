//! The port to FreeRTOS on three boards in QEMU: a coredump names the tasks, what the kernel notices is a
//! crash, and the heartbeat tells what is left of stacks and heap.

use super::kernel;
use super::qemu::{BOARDS, STORAGE, analyzed, build_in, decoded, exported, metric};
use crate::compare::array;
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::qemu::Qemu;
use serde_json::Value;
use std::path::PathBuf;

/// The demo with two tasks, whose control blocks and stacks no region of the application covers.
fn build(folder: &Folder, board: &str) -> PathBuf {
    let kernel = kernel::sources(&file("sdk")).unwrap();
    build_in(folder, board, &[STORAGE], &[("FREERTOS", &kernel)])
}

/// The functions of a task, from the innermost on.
fn calls<'a>(report: &'a Value, task: &str) -> Vec<&'a str> {
    let threads = array(&report["threads"]);
    let Some(found) = threads.iter().find(|thread| thread["name"] == task) else { return vec![] };
    array(&found["frames"]).iter().filter_map(|frame| frame["function"].as_str()).collect()
}

/// Ways to crash, the reason on three boards, the title, and the task that it happened in.
const CRASHES: [(&str, u32, &str, &str); 8] = [
    ("task", 0x9100, "Bus Fault at board_touch_nothing", "sensor"),
    ("kernel", 0x8001, "Assert at xQueueReceive", "sensor"),
    ("heap", 0x800a, "Panic at exhaust_heap [Out of Memory]", "sensor"),
    ("bus", 0x9100, "Bus Fault at board_touch_nothing", "shell"),
    ("assert", 0x8001, "Assert at crash_assert", "shell"),
    ("call", 0x9200, "Mem Fault at 0xf0000000", "shell"),
    ("watchdog", 0x8006, "Watchdog at crash_watchdog", "shell"),
    // The kernel's tick has the lowest priority.
    ("irq", 0x9100, "Bus Fault at board_touch_nothing [in SysTick handler]", "SysTick handler"),
];

#[test]
fn crash_names_all_tasks_with_their_calls() {
    for board in BOARDS {
        let folder = Folder::new();
        let elf = build(&folder, board);
        let (_qemu, mut serial) = Qemu::with_serial(board, &elf);
        for (number, (crash, reason, title, task)) in (1..).zip(CRASHES) {
            serial.send(&format!("crash {crash}"));
            let boot = serial.until(&format!(" bytes, crash {number}\n"));
            assert!(boot.contains(&format!("reason 0x{reason:04x}")), "{board} {crash}: {boot}");
            serial.until("> ");
            let messages = decoded(&exported(&mut serial), &elf, &folder);
            let report = &messages[0]["report"];
            // The watchdog may bite while the tick is handled, too.
            let first = &report["threads"][0]["name"];
            if crash != "watchdog" || first != "SysTick handler" {
                assert_eq!(report["title"], title, "{board} {crash}");
                assert_eq!(first, task, "{board} {crash}");
            }
            let notes = array(&report["notes"]);
            assert!(
                notes.iter().all(|note| note["severity"] == "info"),
                "{board} {crash}: {notes:?}"
            );
            for (task, calls_end_in) in
                [("shell", "run_shell"), ("sensor", "run_sensor"), ("IDLE", "prvIdleTask")]
            {
                let calls = calls(report, task);
                assert_eq!(calls.last(), Some(&calls_end_in), "{board} {crash}: {calls:?}");
            }
        }
    }
}

#[test]
fn stack_that_overflowed_is_known_even_if_it_broke_the_kernels_lists() {
    for board in BOARDS {
        let folder = Folder::new();
        let elf = build(&folder, board);
        let (_qemu, mut serial) = Qemu::with_serial(board, &elf);
        // By the kernel when it switches tasks, or by the core's own limit.
        let reason = if board == "mps2-an505" { "0x9300" } else { "0x800b" };
        serial.send("crash overflow");
        let boot = serial.until(" bytes, crash 1\n");
        assert!(boot.contains(reason), "{board}: {boot}");
        serial.until("> ");
        let report = analyzed(&serial.command("export", "> "), &elf, &folder);
        let title = report["title"].as_str().unwrap();
        assert!(title.ends_with("[Stack Overflow in sensor]"), "{board}: {title}");
    }
}

#[test]
fn heartbeat_tells_what_is_left_of_stacks_and_heap() {
    let folder = Folder::new();
    let elf = build(&folder, BOARDS[0]);
    let (_qemu, mut serial) = Qemu::with_serial(BOARDS[0], &elf);
    assert!(serial.command("heartbeat", "> ").contains("heartbeat gave 0"));
    let messages = decoded(&exported(&mut serial), &elf, &folder);
    let heartbeat = messages.last().unwrap();
    // The least is that of the idle task, of 384 bytes.
    let stack = metric(heartbeat, "stack_free_bytes").as_i64().unwrap();
    assert!((100..384).contains(&stack), "{stack}");
    // Of 12288 bytes three tasks have taken theirs.
    let heap = metric(heartbeat, "heap_free_bytes").as_i64().unwrap();
    assert!((8000..9000).contains(&heap), "{heap}");
}
