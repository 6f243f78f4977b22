//! `mflt symbols`: its answers are those of binutils and GDB.

use crate::support::file;
use crate::support::folder::Folder;
use crate::support::program::{mflt, run};
use mflt::symbols::{CodeAddress, ElfImage, SymbolFile, SymbolKind, TypeKind};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const ELF: &str = "fixtures/elf/mps2-an386-O2.elf";

fn symbols(arguments: &[&str]) -> Command {
    let mut command = mflt();
    command.arg("symbols").args(arguments);
    command
}

fn json(arguments: &[&str]) -> Value {
    let elf = file(ELF);
    let text = run(symbols(arguments).arg("--elf").arg(elf).arg("--json")).success("mflt symbols");
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// The end of a path, with the line: `file.c:12`.
fn place(text: &str) -> String {
    let text = text.split(" (discriminator").next().unwrap_or(text);
    text.rsplit('/').next().unwrap_or(text).to_string()
}

/// Functions and places at each address, innermost first, as addr2line says.
fn addr2line(addresses: &[String]) -> Vec<Vec<(String, String)>> {
    let mut command = Command::new("arm-none-eabi-addr2line");
    command.args(["-a", "-f", "-i", "-e"]).arg(file(ELF)).args(addresses);
    let text = run(&mut command).success("addr2line").unwrap();
    let mut found: Vec<Vec<(String, String)>> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            found.push(Vec::new());
        } else {
            let at = lines.next().expect("a place behind a function");
            found.last_mut().expect("an address first").push((line.to_string(), place(at)));
        }
    }
    found
}

/// The line of each address, as GDB says: of several rows for one address it takes another than
/// addr2line, and so do we.
fn gdb_lines(addresses: &[String]) -> Vec<String> {
    let folder = Folder::new();
    let script: String = addresses.iter().map(|a| format!("info line *0x{a}\n")).collect();
    let script = folder.write("lines.gdb", script.as_bytes());
    let mut command = Command::new("gdb-multiarch");
    command.args(["-nx", "-batch", "-x"]).arg(script).arg(file(ELF)).env("LC_ALL", "C");
    let text = run(&mut command).success("gdb-multiarch").unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("Line "));
    lines
        .filter_map(|line| line.split_once(" of \""))
        .map(|(number, rest)| format!("{}:{number}", place(rest.split('"').next().unwrap_or(""))))
        .collect()
}

#[test]
fn at_every_address_says_what_addr2line_and_gdb_say() {
    let bytes = fs::read(file(ELF)).unwrap();
    let image = ElfImage::parse(&bytes).unwrap();
    let code = image.allocated_sections().into_iter().find(|s| s.executable).unwrap();
    let known = SymbolFile::new(&image);
    let range = code.range.start().0..code.range.start().0 + code.range.size() as u32;
    // The compiler's own library may lack debug information.
    let addresses: Vec<String> = range
        .step_by(6)
        .filter(|a| known.is_code((*a).into()))
        .filter(|a| !known.frames_at(CodeAddress::Instruction((*a).into())).is_empty())
        .map(|address| format!("{address:x}"))
        .collect();
    assert!(addresses.len() > 800, "{}", addresses.len());

    let arguments: Vec<&str> =
        ["at"].into_iter().chain(addresses.iter().map(String::as_str)).collect();
    let found = json(&arguments);
    let (frames, lines) = (addr2line(&addresses), gdb_lines(&addresses));
    assert_eq!((frames.len(), lines.len()), (addresses.len(), addresses.len()));
    let (mut inlined, mut as_gdb) = (0, 0);
    for ((found, expected), line) in found.as_array().unwrap().iter().zip(&frames).zip(&lines) {
        let call = |call: &Value| {
            let source = &call["source"];
            let at = format!("{}:{}", source["file"].as_str().unwrap(), source["line"]);
            (call["function"].as_str().unwrap().to_string(), place(&at))
        };
        let mut ours: Vec<_> = found["frames"].as_array().unwrap().iter().map(call).collect();
        // GDB passes over rows with a discriminator, addr2line over none.
        let known = ours[0].1 == *line || ours[0].1 == expected[0].1;
        assert!(known, "{}: {} for {line}", found["address"], ours[0].1);
        as_gdb += usize::from(ours[0].1 == *line);
        if expected[0].1 == "??:?" && ours[0].1 == *line {
            // Of many addresses at once, addr2line loses some behind a function in assembler.
            continue;
        }
        ours[0].1.clone_from(&expected[0].1);
        assert_eq!(&ours, expected, "{}", found["address"]);
        inlined += usize::from(ours.len() > 1);
    }
    assert!(inlined > 100, "{inlined}");
    assert!(as_gdb * 100 > addresses.len() * 98, "{as_gdb} of {}", addresses.len());
}

#[test]
fn at_names_parts_of_variables_and_takes_symbols() {
    let found = json(&["at", "_kernel+8", "0x20000000", "30000000"]);
    let first = &found[0]["variable"];
    assert!(first["path"].as_str().unwrap().starts_with("_kernel.cpus[0]."), "{first}");
    assert_eq!(found[0]["offset"], 8);
    assert_eq!(found[2]["section"], Value::Null);

    let elf = file(ELF).display().to_string();
    let nothing = run(&mut symbols(&["at", "30000000", "--elf", &elf]));
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(1), "0x30000000 ?\n"));
    let wrong = run(&mut symbols(&["at", "no_such_symbol", "--elf", &elf]));
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
}

#[test]
fn at_return_address_is_in_the_call_before_it() {
    let bytes = fs::read(file(ELF)).unwrap();
    let image = ElfImage::parse(&bytes).unwrap();
    let known = SymbolFile::new(&image);
    let main = known.symbol("main").unwrap();
    let ends: Vec<u32> = (main.address.0 + 2..main.address.0 + main.size).step_by(2).collect();
    let asked = |at: u32| format!("{at:x}");
    let (returns, calls): (Vec<_>, Vec<_>) =
        ends.iter().map(|end| (asked(*end), asked(end - 2))).unzip();
    let ask = |first: &[&'static str], addresses: &[String]| {
        let words = first.iter().copied().chain(addresses.iter().map(String::as_str));
        json(&words.collect::<Vec<_>>())
    };
    let (returns, calls) = (ask(&["at", "--return"], &returns), ask(&["at"], &calls));
    let mut moved = 0;
    for (index, end) in ends.iter().enumerate() {
        assert_eq!(returns[index]["address"], format!("0x{end:08x}"));
        assert_eq!(returns[index]["frames"], calls[index]["frames"], "0x{end:x}");
        let next = index.checked_add(1).map(|next| &calls[next]["frames"]);
        moved += usize::from(next.is_some_and(|next| next != &returns[index]["frames"]));
    }
    assert!(moved > 3, "lines change within the function");
}

#[test]
fn name_lists_every_symbol_of_nm() {
    let text = run(Command::new("arm-none-eabi-nm").arg("-S").arg(file(ELF))).success("nm");
    let text = text.unwrap();
    let found = json(&["name", "*"]);
    let listed: BTreeSet<(&str, &str)> = found
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|named| Some((named["address"].as_str()?, named["name"].as_str()?)))
        .collect();
    let mut compared = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Address, size, letter, name; functions and objects only.
        let [address, _, letter, name] = words[..] else { continue };
        if "TtWDdBbRr".contains(letter) {
            let plain = name.split('.').next().unwrap();
            let address = format!("0x{address}");
            let here = listed.iter().filter(|(at, _)| *at == address);
            // A static of a function is `function::name` here and `name.7` there.
            let same = |other: &str| other == name || other.rsplit("::").next() == Some(plain);
            assert!(here.clone().any(|(_, other)| same(other)), "{line}");
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn name_of_a_cpp_variable_is_listed_once() {
    let elf = file("fixtures/cpp/firmware.elf").display().to_string();
    let lines = |pattern: &str| {
        let mut command = mflt();
        command.args(["symbols", "name", pattern, "--elf", &elf]);
        run(&mut command).success("name").unwrap()
    };
    let text = lines("*heap_next*");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(" heap_next: uint8_t * "), "{text}");
    assert!(lines("(anonymous namespace)::heap_next").contains("(anonymous namespace)::heap_next"));
}

#[test]
fn name_that_is_not_there_fails_with_names_like_it() {
    let elf = file(ELF).display().to_string();
    let output = run(&mut symbols(&["name", "sem_tak", "--elf", &elf]));
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""));
    assert!(output.stderr.contains("k_sem_take"), "{}", output.stderr);
    let text = run(&mut symbols(&["name", "k_sem_take", "--elf", &elf])).success("name").unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(" function k_sem_take (text) at src/kernel.c:"), "{text}");
}

/// Offset and declaration of each member in GDB's `ptype /o`.
fn gdb_members(text: &str) -> Vec<(String, String)> {
    let mut members = Vec::new();
    for line in text.lines() {
        let Some((place, rest)) = line.strip_prefix("/*").and_then(|l| l.split_once("*/")) else {
            continue;
        };
        let (Some((offset, _)), Some(declared)) = (place.split_once('|'), rest.strip_suffix(';'))
        else {
            continue;
        };
        let offset: String = offset.split_whitespace().collect();
        let declared = declared.split(" : ").next().unwrap_or(declared);
        members.push((offset, declared.trim().to_string()));
    }
    members
}

#[test]
fn type_of_every_structure_is_laid_out_as_gdb_says() {
    let bytes = fs::read(file(ELF)).unwrap();
    let image = ElfImage::parse(&bytes).unwrap();
    let known = SymbolFile::new(&image);
    let names: BTreeSet<String> = known
        .named_types()
        .into_iter()
        .filter(|(_, ty)| known.type_info(*ty).kind == TypeKind::Struct)
        .map(|(name, _)| format!("struct {name}"))
        .collect();
    assert!(names.len() > 30);
    let elf = file(ELF).display().to_string();
    let mut command = Command::new("gdb-multiarch");
    command.args(["-nx", "-batch"]).arg(&elf);
    for name in &names {
        command.arg("-ex").arg(format!("ptype /o {name}")).args(["-ex", "echo end\\n"]);
    }
    let text = run(command.env("LC_ALL", "C")).success("gdb-multiarch").unwrap();
    let (mut compared, mut bit_fields) = (0, 0);
    for (name, theirs) in names.iter().zip(text.split("end\n")) {
        let mut command = symbols(&["type", name, "--expand", "--elf", &elf]);
        let ours = run(&mut command).success("mflt symbols type").unwrap();
        let ours: Vec<(&str, &str)> = ours
            .lines()
            .filter_map(|line| Some((line.get(..8)?.trim(), line.get(17..)?.trim())))
            .collect();
        for (offset, declared) in gdb_members(theirs) {
            let same = ours.iter().any(|(at, text)| *at == offset && *text == declared);
            assert!(same, "{name}: {offset} {declared} in\n{ours:#?}");
            compared += 1;
            bit_fields += usize::from(offset.contains(':'));
        }
    }
    assert!(compared > 200 && bit_fields > 5, "{compared} {bit_fields}");
}

#[test]
fn type_knows_typedefs_enumerations_variables_and_members() {
    let ty = json(&["type", "_kernel.cpus[0].current"]);
    assert_eq!(ty["name"], "struct k_thread *");
    assert_eq!(ty["size"], 4);
    let bytes = fs::read(file(ELF)).unwrap();
    let image = ElfImage::parse(&bytes).unwrap();
    let known = SymbolFile::new(&image);
    let named = known.named_types();
    let of_kind = |kind| named.iter().find(|(_, ty)| known.type_info(*ty).kind == kind).unwrap();
    let (name, ty) = of_kind(TypeKind::Enum);
    let shown = json(&["type", &format!("enum {name}")]);
    let count = known.type_info(*ty).enumerators.len();
    assert_eq!(shown["enumerators"].as_array().unwrap().len(), count);
    let elf = file(ELF).display().to_string();
    let output = run(&mut symbols(&["type", "struct no_such", "--elf", &elf]));
    assert_eq!(output.code, Some(1), "{}", output.stdout);
}

#[test]
fn build_id_of_elf_and_core_are_equal() {
    let paths = ["fixtures/demo/firmware.elf", "fixtures/demo/crash.core"].map(file);
    let text = run(symbols(&["build-id"]).args(&paths)).success("build-id").unwrap();
    let ids: Vec<&str> = text.lines().filter_map(|line| line.split("  ").next()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!((ids[0], ids[0].len()), (ids[1], 40));
}

fn without_build_id(from: &Path, to: &Path) {
    let mut command = Command::new("arm-none-eabi-objcopy");
    command.args(["--remove-section", ".note.gnu.build-id"]).arg(from).arg(to);
    run(&mut command).success("objcopy").unwrap();
}

#[test]
fn find_prefers_the_build_id_and_takes_equal_code_without_one() {
    let folder = Folder::new();
    let inner = folder.path().join("a/b");
    fs::create_dir_all(&inner).unwrap();
    fs::copy(file("fixtures/elf/mps2-an385-Og.elf"), inner.join("other.elf")).unwrap();
    fs::write(inner.join("notes.txt"), "\u{7f}ELF but no program at all").unwrap();
    let core = file("fixtures/demo/crash.core");
    let core = core.to_str().unwrap();
    let place = folder.path().to_str().unwrap();

    let none = run(&mut symbols(&["find", core, "--in", place]));
    assert_eq!((none.code, none.stdout.as_str()), (Some(1), ""));
    assert!(none.stderr.contains("1 programs for Arm in 2 files"), "{}", none.stderr);

    let firmware = file("fixtures/demo/firmware.elf");
    let bare = inner.join("bare.elf");
    without_build_id(&firmware, &bare);
    let only = run(&mut symbols(&["find", core, "--in", place, "--first"])).success("find");
    assert_eq!(only.unwrap(), format!("{}\n", bare.display()));

    let whole = folder.file("whole.elf");
    fs::copy(&firmware, &whole).unwrap();
    let both = run(&mut symbols(&["find", core, "--in", place, "--json"])).success("find");
    let both: Value = serde_json::from_str(&both.unwrap()).unwrap();
    let shown = |index: usize| (both[index]["path"].clone(), both[index]["match"].clone());
    assert_eq!(shown(0), (whole.to_str().unwrap().into(), "build_id".into()));
    assert_eq!(shown(1), (bare.to_str().unwrap().into(), "contents".into()));
    assert_eq!(both.as_array().unwrap().len(), 2);
}

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in ["at", "name", "type", "build-id", "find"] {
        let help = run(&mut symbols(&[verb, "--help"])).success("--help").unwrap();
        assert!(help.contains(&format!("mflt symbols {verb} ")), "{help}");
    }
}

#[test]
fn function_symbols_carry_no_thumb_bit() {
    let bytes = fs::read(file(ELF)).unwrap();
    let image = ElfImage::parse(&bytes).unwrap();
    let known = SymbolFile::new(&image);
    let main = known.symbol("main").unwrap();
    assert_eq!((main.kind, main.address.0 & 1), (SymbolKind::Function, 0));
    let found = json(&["at", &format!("{:x}", main.address.0 | 1)]);
    assert_eq!((&found[0]["symbol"]["name"], &found[0]["offset"]), (&"main".into(), &0.into()));
}

#[test]
fn at_takes_a_source_line_and_gives_the_code_that_gdb_gives() {
    let lines: Vec<String> = (30..120).map(|line| format!("accel.c:{line}")).collect();
    let script: String = lines.iter().map(|line| format!("info line {line}\n")).collect();
    let folder = Folder::new();
    let script = folder.write("lines.gdb", script.as_bytes());
    let mut command = Command::new("gdb-multiarch");
    command.args(["-nx", "-batch", "-x"]).arg(script).arg(file(ELF)).env("LC_ALL", "C");
    let text = run(&mut command).success("gdb-multiarch").unwrap();
    let mut compared = 0;
    for (line, told) in lines.iter().zip(text.lines()) {
        // GDB names the next line with code where this one has none.
        let number = line.rsplit(':').next().unwrap();
        let Some(told) = told.strip_prefix(&format!("Line {number} of ")) else { continue };
        let Some((_, told)) = told.split_once("starts at address 0x") else { continue };
        let word = |text: &str| u32::from_str_radix(text.split([' ', '.']).next().unwrap(), 16);
        let start = word(told).unwrap();
        let end = word(told.split_once("ends at 0x").unwrap().1).unwrap();
        let found = json(&["at", line]);
        let pieces = found.as_array().unwrap();
        let is_piece = |piece: &&Value| {
            piece["address"] == format!("0x{start:08x}") && piece["last"].is_string()
        };
        let piece = pieces.iter().find(is_piece).unwrap_or_else(|| panic!("{line}: {found}"));
        let last = piece["last"].as_str().unwrap().trim_start_matches("0x");
        assert!(u32::from_str_radix(last, 16).unwrap() >= end - 1, "{line}: {piece} {end:x}");
        compared += 1;
    }
    assert!(compared > 20, "{compared} lines");
    let elf = file(ELF).display().to_string();
    let none = run(&mut symbols(&["at", "accel.c:9999", "--elf", &elf]));
    assert_eq!(none.code, Some(2), "{}", none.stdout);
    assert!(none.stderr.contains("no code of line 9999 of `accel.c`"), "{}", none.stderr);
}
