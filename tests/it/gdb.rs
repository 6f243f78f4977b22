//! GDB opens our cores: every thread is there, and the first one is the crashed one.

use crate::compare::{array, crashed, functions};
use crate::live::{analyze, capture};
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::manifest::{self, hex};
use crate::support::program::run;
use crate::support::qemu::Qemu;
use std::collections::BTreeSet;
use std::process::Command;

fn check(id: &str) {
    let case = manifest::case(id);
    let folder = Folder::new();
    let core = folder.file("x.core");
    let qemu = Qemu::at_stop(case).unwrap();
    capture(&qemu, case, &core).unwrap();
    drop(qemu);
    let report = analyze(&core, case).unwrap();

    let mut command = Command::new("gdb-multiarch");
    command.args(["-nx", "-batch"]).arg(file(case.elf())).arg(&core);
    command.args([
        "-ex",
        "set backtrace past-main on",
        "-ex",
        "info threads",
        "-ex",
        "echo bt of the first\\n",
        "-ex",
        "bt",
    ]);
    command.args(["-ex", "echo all\\n", "-ex", "thread apply all bt"]);
    let text = run(command.env("LC_ALL", "C")).success("gdb-multiarch").unwrap();
    let (list, rest) = text.split_once("bt of the first\n").expect("a list of threads");
    let (first, all) = rest.split_once("all\n").expect("a backtrace");

    let listed: BTreeSet<u32> = list.lines().filter_map(thread_number).collect();
    let expected: BTreeSet<u32> = array(&report["threads"])
        .iter()
        .map(|thread| thread["id"].as_str().expect("an id"))
        .map(|id| match id.strip_prefix("exception ") {
            Some(number) => number.parse().expect("an exception"),
            None => hex(id),
        })
        .collect();
    assert_eq!(listed, expected, "{id}: threads that GDB lists\n{list}");
    let kernel = array(&case.oracle()["threads"]).len();
    assert!(kernel > 0 && listed.len() >= kernel, "{id}: the kernel has {kernel} threads\n{list}");
    for thread in &listed {
        assert!(all.contains(&format!("LWP {thread})")), "{id}: thread {thread}\n{all}");
    }

    // The first is where the crash happened, be it in a thread or in a handler.
    let frames = array(&crashed(&report).expect("a crashed thread")["frames"]);
    // The PC stands behind the `svc` of a panic, where what was inlined around it has ended.
    let inlined = frames.iter().take_while(|f| case.mode() == "panic" && f["inlined"] == true);
    let expected = functions(&frames[inlined.count()..]);
    let seen: Vec<String> = first.lines().filter_map(frame_function).collect();
    let seen = &seen[..seen.len().min(expected.len())];
    assert_eq!(seen, expected, "{id}: the first thread in GDB\n{first}");
}

/// The number in `  2    LWP 536871736 z_thread_entry (…`.
fn thread_number(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once("LWP ")?;
    rest.split([' ', ')']).next()?.parse().ok()
}

/// The function in `#1  0x00001234 in name (…` and `#0  name (…`.
fn frame_function(line: &str) -> Option<String> {
    let rest = line.strip_prefix('#')?.split_once(' ')?.1.trim_start();
    let rest = rest.split_once(" in ").filter(|(a, _)| a.starts_with("0x")).map_or(rest, |p| p.1);
    let name = rest.split(' ').next()?;
    // Where there is no function GDB prints two question marks, we one.
    Some(if name == "??" { "?".to_string() } else { name.to_string() })
}

macro_rules! cases {
    ($($test:ident: $id:literal;)*) => {
        $(
            #[test]
            fn $test() {
                check($id);
            }
        )*
    };
}

cases! {
    gdb_opens_a_core_of_cortex_m0: "microbit-Os-panic";
    gdb_opens_a_core_of_cortex_m3: "mps2-an385-Og-nullptr";
    gdb_opens_a_core_of_cortex_m4: "mps2-an386-Og-fpu";
    gdb_opens_a_core_of_cortex_m7: "mps2-an500-Og-stackoverflow";
    gdb_opens_a_core_of_cortex_m33: "mps2-an505-Og-mpu";
    gdb_opens_a_core_of_a_halted_target: "mps2-an385-O2-hang";
    gdb_opens_a_core_of_a_crashed_handler: "mps2-an386-Og-irq";
}
