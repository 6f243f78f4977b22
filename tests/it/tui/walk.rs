//! Walks through a crash by keys: from the cause to the bytes, and back.

use super::{demo, opened, session};
use crate::support::session::{Opened, Session};
use mflt::report::Report;
use mflt::tui::Settings;

fn shows(session: &mut Session, text: &str) {
    let shown = session.screen();
    assert!(shown.contains(text), "`{text}` is not in\n{shown}");
}

#[test]
fn link_of_the_cause_leads_to_the_bytes_and_back() {
    let mut session = session(demo(), 80, 24);
    // The first address of the cause is the stack pointer, which is captured.
    session.keys("/Cause<Enter>");
    session.keys("<Enter>");
    shows(&mut session, "▶ Memory");
    shows(&mut session, "0x20002210 ");
    session.keys("<Backspace>");
    shows(&mut session, "▶ Overview");
    session.keys(")");
    shows(&mut session, "▶ Memory");
}

#[test]
fn frame_of_the_overview_leads_to_its_variables() {
    let mut session = session(demo(), 80, 24);
    session.keys("/#1 <Enter><Enter>");
    shows(&mut session, "▶ Threads");
    shows(&mut session, "#1 fft_recurse of accel-workq");
    shows(&mut session, "level = 12");
}

#[test]
fn variables_change_with_the_frame_and_pointers_open() {
    let mut session = session(demo(), 120, 40);
    session.keys("2");
    shows(&mut session, "level = 13");
    session.keys("j");
    shows(&mut session, "level = 12");
    session.keys("j");
    shows(&mut session, "level = 11");
    // To the variables: `in` is a pointer, and opens.
    session.keys("kk<Tab>");
    shows(&mut session, "▸ in = 0x");
    session.keys("<Enter>");
    shows(&mut session, "▾ in = 0x");
    shows(&mut session, "* = ");
    session.keys("h");
    shows(&mut session, "▸ in = 0x");
}

#[test]
fn base_of_numbers_is_switched_and_remembered() {
    let mut session = session(demo(), 120, 40);
    session.keys("2<Tab>x");
    shows(&mut session, "level = 0x0000000d");
    session.keys("xx");
    shows(&mut session, "level = 0b000000000000000000000000000011");
    session.keys("x");
    shows(&mut session, "level = 13");
    let written = session.written.lock().unwrap();
    assert!(
        written.iter().any(|(name, text)| name == "settings" && text.starts_with(b"theme plain"))
    );
}

#[test]
fn array_is_read_by_the_page() {
    let mut session = session(demo(), 80, 24);
    session.keys("3/accel_work_q_stack<Enter>");
    shows(&mut session, "▸ accel_work_q_stack");
    session.keys("<Enter>");
    shows(&mut session, "    [0..63] = 170 '\\252' <repeats 64 times>\n    [64] = 94 '^'\n");
    session.keys("G");
    // A hundred rows, the first for 64 elements.
    shows(&mut session, "    [162] = 0 '\\000'\n    … 1445 more (Enter)");
    session.keys("<Enter>");
    shows(&mut session, "    [163] = ");
    session.keys("G");
    shows(&mut session, "    … 1345 more (Enter)");
}

#[test]
fn equal_elements_share_a_row() {
    let mut session = session(opened("mps2-an385", "nullptr"), 80, 24);
    session.keys("3/g_long_array<Enter><Enter>");
    shows(&mut session, "    [2] = 3\n    [3..78] = 0 <repeats 76 times>\n    [79] = 79\n");
    session.keys("xG");
    shows(&mut session, "[3..78] = 0x0000 <repeats 76 times>");
    session.keys("k");
    shows(&mut session, "uint16_t at 0x");
}

#[test]
fn unions_enums_and_bit_fields_open() {
    let mut session = session(opened("mps2-an385", "nullptr"), 80, 24);
    session.keys("3/g_bits<Enter><Enter>");
    for member in ["a = 5", "b = -9", "c = 1234", "d = -4000", "h = true", "fl = FLAG_IRQ"] {
        shows(&mut session, &format!("    {member}\n"));
    }
    shows(&mut session, "wide = 114837876754");
    session.keys("/<Esc>/g_union<Enter><Enter>");
    shows(&mut session, "    u = 3226013659\n");
    shows(&mut session, "    f = -3.141592");
    session.keys("/<Esc>/g_enum_unknown<Enter>");
    shows(&mut session, " 77");
    session.keys("/<Esc>/g_enum_flags<Enter>");
    shows(&mut session, "(FLAG_POWERED | FLAG_CALIBRATED)");
}

#[test]
fn globals_are_searched_pinned_and_found_again() {
    let mut session = session(demo(), 80, 24);
    session.keys("3/kthrdinfo");
    shows(&mut session, "_kernel_thread_info");
    session.keys("<Esc>/accel.c struct<Enter>");
    shows(&mut session, "2 of 139");
    session.keys("<Esc>");
    session.keys("/console_pos<Enter>p");
    shows(&mut session, "pinned console_pos");
    session.keys("/nothing at all zzz<Enter>");
    // What is pinned stays.
    shows(&mut session, "console_pos");
    session.keys("p/<Esc>");
    let remembered = session.written.lock().unwrap().last().cloned().unwrap();
    assert!(!String::from_utf8_lossy(&remembered.1).contains("pin"), "{remembered:?}");
}

#[test]
fn list_is_followed_to_its_end() {
    let mut session = session(demo(), 80, 24);
    session.keys("3/_kernel<Enter>g<Enter>");
    let shown = session.screen();
    let row = shown.lines().position(|line| line.contains("threads = ")).unwrap();
    let down = row - 2;
    session.keys(&"j".repeat(down));
    session.keys("f");
    shows(&mut session, "nodes; ends with a null pointer");
    shows(&mut session, "[1] = ");
}

#[test]
fn memory_is_searched_followed_and_marked() {
    let mut session = session(demo(), 80, 24);
    session.keys("4:goto _kernel<Enter>");
    shows(&mut session, "_kernel");
    shows(&mut session, "▶ Memory");
    session.keys("m:goto accel_work_q<Enter>");
    shows(&mut session, " accel_work_q");
    session.keys("'");
    shows(&mut session, "[mark]");
    session.keys(":find >_kernel<Enter>");
    shows(&mut session, "`>_kernel` at 0x");
    session.keys("w");
    shows(&mut session, "words of 2 bytes");
    session.keys("ww");
    shows(&mut session, "words of 8 bytes");
    session.keys("w/no such text anywhere<Enter>");
    shows(&mut session, "is not in memory");
    session.keys(":goto 0x99999999<Enter>");
    shows(&mut session, "0x99999999 is not captured");
    session.keys(":goto no_such_symbol<Enter>");
    shows(&mut session, "`no_such_symbol` is not known");
}

#[test]
fn code_follows_branches_and_shows_source() {
    let mut session = session(demo(), 100, 30);
    session.keys("5");
    shows(&mut session, "=> 0x000010ac");
    // The line above is from the source, which the fixtures have.
    shows(&mut session, "accel.c:40  ");
    session.keys(":goto main<Enter>");
    shows(&mut session, "▶ Code main");
}

#[test]
fn threads_are_sorted_and_filtered() {
    let mut session = session(demo(), 80, 24);
    session.keys("2hs");
    shows(&mut session, "Threads (15) by name");
    session.keys("/work<Enter>");
    shows(&mut session, " of 15) by name /work");
    session.keys("/<Esc>");
    shows(&mut session, "Threads (15) by name");
}

#[test]
fn other_dump_shows_what_differs() {
    let mut today = opened("mps2-an385", "nullptr");
    today.other = Some(opened("mps2-an385", "none").snapshot);
    let mut session = session(today, 80, 24);
    session.keys("4");
    shows(&mut session, " changed)");
    session.keys("}");
    shows(&mut session, "(other dump: ");
    let same = opened("mps2-an385", "nullptr");
    let mut session = super::session(Opened { other: Some(same.snapshot.clone()), ..same }, 80, 24);
    session.keys("4}");
    shows(&mut session, "the memory of both dumps is the same");
}

#[test]
fn command_line_completes_and_exports() {
    let mut session = session(demo(), 80, 24);
    session.keys(":exp<Tab>");
    shows(&mut session, ":export");
    session.keys("json out.json<Enter>");
    shows(&mut session, "written to out.json");
    session.keys(":export report out.txt<Enter>:export pane pane.txt<Enter>");
    session.keys(":goto accel_wo<Tab>");
    shows(&mut session, ":goto accel_work_handler");
    session.keys("<Esc>:nonsense<Enter>");
    shows(&mut session, "there is no command `nonsense`");
    let written = session.written.lock().unwrap().clone();
    let file = |name: &str| &written.iter().find(|(path, _)| path == name).expect(name).1;
    let report: Report = serde_json::from_slice(file("out.json")).unwrap();
    assert!(report.title.contains("Stack Overflow in accel-workq") && !report.globals.is_empty());
    assert!(String::from_utf8_lossy(file("out.txt")).contains("accel-workq"));
    assert!(String::from_utf8_lossy(file("pane.txt")).starts_with(&report.title));
}

#[test]
fn line_and_pane_are_copied() {
    let mut session = session(demo(), 80, 24);
    session.keys("y");
    assert!(session.copied[0].starts_with("Mem Fault"), "{:?}", session.copied);
    session.keys("3/console_pos<Enter>yY");
    assert!(session.copied[1].starts_with("console_pos"), "{:?}", session.copied);
    assert!(session.copied[2].lines().count() >= 1);
}

#[test]
fn tab_goes_through_all_panes_and_help_names_their_keys() {
    let mut session = session(demo(), 80, 24);
    let mut seen = Vec::new();
    for _ in 0..13 {
        let shown = session.screen();
        let mark = shown.lines().find_map(|line| line.split_once("▶ ")).unwrap().1;
        seen.push(mark.split(' ').next().unwrap().to_string());
        session.keys("?");
        shows(&mut session, "This pane");
        session.keys("<Esc><Tab>");
    }
    let expected = [
        "Overview",
        "Threads",
        "#0",
        "Registers",
        "src/accel.c:40",
        "Globals",
        "Memory",
        "Code",
        "Exceptions",
        "MPU",
        "Heap",
        "Log",
        "Kernel",
    ];
    assert_eq!(seen, expected);
    // It can be left for the shell from anywhere.
    session.keys(":qu<C-z>");
    assert!(session.suspended && !session.quit);
    session.keys("<Esc>q");
    assert!(session.quit);
}

#[test]
fn dump_without_elf_still_shows_cause_and_memory() {
    let mut dump = opened("mps2-an385", "nullptr");
    dump.elfs.clear();
    let mut session = Session::new(dump, Settings::default(), 80, 24);
    shows(&mut session, "Cause");
    session.keys("3");
    shows(&mut session, "no globals are known");
    session.keys("5");
    shows(&mut session, "no instructions");
    session.keys("4");
    shows(&mut session, "0x2000");
}

/// The walk in the README was made with the program: what it shows is what the keys show.
#[test]
fn walk_of_the_readme_is_what_the_program_shows() {
    let readme = std::fs::read_to_string(crate::support::file("README.md")).unwrap();
    let walk = readme.split("## Walk through it").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut session = session(demo(), 80, 24);
    let mut steps = 0;
    // Before a block of text stand the keys that lead to it.
    for (before, block) in walk
        .split("```")
        .collect::<Vec<_>>()
        .chunks(2)
        .filter_map(|pair| Some((*pair.first()?, pair.get(1)?.strip_prefix("text\n")?)))
    {
        let named = before.rsplit_once("eys: `").map_or("", |(_, keys)| keys);
        let keys = named.split('`').next().unwrap();
        session.keys(keys);
        let shown = session.screen();
        let mut rows = shown.lines();
        for line in block.lines().filter(|line| *line != "…") {
            assert!(rows.any(|row| row == line), "after `{keys}` there is no `{line}` in\n{shown}");
        }
        steps += 1;
    }
    assert!(steps >= 4, "{steps} steps");
}
