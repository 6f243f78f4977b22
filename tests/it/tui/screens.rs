//! Every screen of every fixture at three sizes; snapshots of those that differ in what they show.
//!
//! A snapshot file holds all that was drawn of one crash. `INSTA_UPDATE=always cargo test --test it
//! tui::screens` writes them anew; whoever accepts a change has looked at it.

use super::{demo, of_files, opened, session};
use crate::live;
use crate::support::folder::Folder;
use crate::support::qemu::Qemu;
use crate::support::session::{Opened, Session};
use crate::support::{file, manifest, root};
use insta::assert_snapshot;
use ratatui::crossterm::event::Event as Input;
use std::path::{Path, PathBuf};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
const SCREENS: [(&str, &str); 10] = [
    ("1", "overview"),
    ("2", "threads"),
    ("3", "globals"),
    ("4", "memory"),
    ("5", "code"),
    ("6", "interrupts"),
    ("7", "mpu"),
    ("8", "heap"),
    ("9", "log"),
    ("0", "kernel"),
];

/// Registers that every dump has, as a vendor's file would name them.
const DEVICE: &str = r#"<device><name>ANY</name><size>32</size><peripherals>
<peripheral><name>SysTick</name><description>System timer</description>
 <baseAddress>0xE000E010</baseAddress><registers>
 <register><name>CTRL</name><addressOffset>0</addressOffset><fields>
  <field><name>ENABLE</name><bitRange>[0:0]</bitRange></field>
  <field><name>CLKSOURCE</name><bitRange>[2:2]</bitRange><enumeratedValues>
   <enumeratedValue><name>external</name><value>0</value></enumeratedValue>
   <enumeratedValue><name>processor</name><value>1</value></enumeratedValue>
  </enumeratedValues></field></fields></register>
 <register><name>LOAD</name><addressOffset>4</addressOffset></register>
</registers></peripheral></peripherals></device>"#;

/// What `screens` of a dump look like, one below the other, at each of `sizes`.
fn drawn(opened: &Opened, sizes: &[(u16, u16)], screens: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (columns, rows) in sizes {
        let mut session = session(opened.clone(), *columns, *rows);
        for (keys, screen) in screens {
            let shown = check(session.keys(keys), screen, *columns, *rows);
            text.push_str(&format!("======== {screen} {columns}x{rows}\n{shown}\n"));
        }
    }
    text
}

/// What must hold of any screen.
fn check(session: &mut Session, what: &str, columns: u16, rows: u16) -> String {
    let shown = session.screen();
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{what}");
    assert_eq!(shown.lines().count(), usize::from(rows), "{what}");
    assert!(shown.lines().all(|line| line.chars().count() <= usize::from(columns)), "{what}");
    shown
}

// One of each core, and of each kind of firmware; each with the crash that fills the most screens.
// The boards' other crashes differ in the parts that `each_crash` shows, and are drawn below.
#[test]
fn all_screens_of_each_kind_of_firmware_are_as_they_were_seen() {
    for (name, opened) in [
        ("demo", demo()),
        ("cortex-m0-watchdog", opened("microbit", "watchdog")),
        ("cortex-m3-mpu", opened("mps2-an385", "mpu")),
        ("cortex-m4-heapbad", opened("mps2-an386", "heapbad")),
        ("cortex-m7-irq", opened("mps2-an500", "irq")),
        ("cortex-m33-deadlock", opened("mps2-an505", "deadlock")),
        (
            "trustzone-callback",
            of_files(
                "trustzone/callback.core",
                &["trustzone/secure.elf", "trustzone/nonsecure.elf"],
            ),
        ),
        ("newlib-exhaust", of_files("bare/cores/newlib-exhaust.core", &["bare/elf/newlib.elf"])),
        ("cpp", of_files("cpp/crash.core", &["cpp/firmware.elf"])),
        ("rust-panic", of_files("rust/panic.core", &["rust/firmware.elf"])),
        ("no-elf", of_files("demo/crash.core", &[])),
    ] {
        assert_snapshot!(name, drawn(&opened, &SIZES, &SCREENS));
    }
}

// The board whose fixtures have every crash, and a core without the notes that ours have.
#[test]
fn each_crash_is_as_it_was_seen() {
    let mut modes: Vec<String> = fixtures().into_iter().map(|(name, _)| name).collect();
    modes.retain(|name| {
        name.starts_with("mps2-an386-Og-") || name == "plain-mps2-an385-Og-stackoverflow"
    });
    assert!(modes.len() >= 30, "{modes:?}");
    for name in modes {
        let opened = fixture(&name).unwrap();
        let mut text = drawn(&opened, &SIZES, &SCREENS[..1]);
        text.push_str(&drawn(&opened, &SIZES[..1], &[SCREENS[1], SCREENS[4]]));
        assert_snapshot!(format!("crash-{name}"), text);
    }
}

// Its dumps are captured in each run of the tests, from an emulator that counts instructions.
#[test]
fn all_screens_of_freertos_are_as_they_were_seen() {
    let cases = manifest::freertos_cases();
    let case = cases.iter().find(|case| case.id().ends_with("an385-Og-stackoverflow")).unwrap();
    let folder = Folder::new();
    let core = folder.file("freertos.core");
    live::capture(&Qemu::at_stop(case).unwrap(), case, &core).unwrap();
    let elf = std::fs::read(file(case.elf())).unwrap();
    let opened = Opened::new(&std::fs::read(core).unwrap(), vec![elf]);
    assert_snapshot!("freertos-stackoverflow", drawn(&opened, &SIZES, &SCREENS));
}

#[test]
fn peripherals_are_on_a_screen_of_their_own() {
    let opened = Opened { device: Some(DEVICE), ..opened("mps2-an385", "irq") };
    assert_snapshot!("peripherals", drawn(&opened, &SIZES, &[("-", "peripherals")]));
    let mut without = session(demo(), 80, 24);
    let shown = without.keys("-").screen();
    assert!(shown.contains("▶ Overview") && shown.contains("--svd FILE"), "{shown}");
}

#[test]
fn help_of_each_pane_is_as_it_was_seen() {
    let panes = [
        "1?",
        "<Esc>2?",
        "<Esc><Tab>?",
        "<Esc><Tab>?",
        "<Esc><Tab>?",
        "<Esc>3?",
        "<Esc>4?",
        "<Esc>5?",
    ];
    assert_snapshot!("help", drawn(&demo(), &[(120, 70)], &panes.map(|keys| (keys, keys))));
}

/// The core of that name with its ELF, if that is among the fixtures.
fn fixture(name: &str) -> Option<Opened> {
    let image = name.trim_start_matches("plain-").split("-Og-").next()?;
    let elf = format!("elf/{image}-Og.elf");
    file(&format!("fixtures/{elf}"))
        .exists()
        .then(|| of_files(&format!("cores/{name}.core"), &[&elf]))
}

/// How many cores there are under `folder`.
fn stored_cores(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| match path.is_dir() {
        true => stored_cores(&path),
        false => usize::from(path.extension().is_some_and(|extension| extension == "core")),
    };
    entries.map(count).sum()
}

/// Every core of the fixtures with its ELF.
fn fixtures() -> Vec<(String, Opened)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("fixtures/cores")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        found.extend(fixture(&name).map(|opened| (name, opened)));
    }
    for mode in manifest::tables("fixtures/trustzone/manifest.toml", "case") {
        let core = format!("trustzone/{}.core", mode["mode"].as_str().unwrap());
        let elfs = ["trustzone/secure.elf", "trustzone/nonsecure.elf"];
        found.push((core.clone(), of_files(&core, &elfs)));
    }
    for case in ["exhaust", "fault", "halt", "overflow", "overrun"] {
        for libc in ["nano", "newlib"] {
            let core = format!("bare/cores/{libc}-{case}.core");
            found.push((core.clone(), of_files(&core, &[&format!("bare/elf/{libc}.elf")])));
        }
    }
    for (core, elf) in [
        ("demo/crash.core", "demo/firmware.elf"),
        ("cpp/crash.core", "cpp/firmware.elf"),
        ("rust/crash.core", "rust/firmware.elf"),
        ("rust/panic.core", "rust/firmware.elf"),
        ("rust-old/panic.core", "rust-old/firmware.elf"),
    ] {
        found.push((core.to_string(), of_files(core, &[elf])));
    }
    assert_eq!(found.len(), stored_cores(&root().join("fixtures")), "a fixture is not drawn");
    found
}

#[test]
fn every_screen_of_every_fixture_is_drawn_at_every_size() {
    for (name, opened) in fixtures() {
        let mut session = session(opened, 80, 24);
        for (columns, rows) in SIZES {
            session.input(Input::Resize(columns, rows));
            for (key, screen) in SCREENS {
                let what = format!("{name} {screen} {columns}x{rows}");
                session.keys(key);
                let shown = check(&mut session, &what, columns, rows);
                assert!(shown.starts_with("1 Overview 2 Threads"), "{what}: {shown}");
                assert!(shown.contains("? help"), "{what}: the way to the help is shown");
                match screen {
                    "overview" => assert!(shown.contains("\nCause      "), "{what}: {shown}"),
                    "globals" => {
                        assert!(shown.contains("= ") || shown.contains("▸ "), "{what}: {shown}")
                    }
                    "memory" => assert!(shown.contains("\n0x"), "{what}: {shown}"),
                    _ => {}
                }
            }
        }
    }
}
