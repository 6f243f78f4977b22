//! `mflt decode` and `mflt analyze` on what a device printed on its console.

use crate::support::file;
use crate::support::folder::Folder;
use crate::support::program::{mflt, run};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fs;
use std::process::Command;

const LOG: &str = "fixtures/chunks/console.log";
const ELF: &str = "fixtures/chunks/node.elf";

fn decode(path: &std::path::Path) -> Command {
    let mut command = mflt();
    command.arg("decode").arg(path).arg("--elf").arg(file(ELF));
    command
}

fn json(command: &mut Command) -> Vec<Value> {
    let text = run(command.arg("--json")).success("mflt decode --json").unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["kind"].as_str().unwrap()).collect()
}

/// The chunks of the log.
fn chunks() -> Vec<Vec<u8>> {
    let text = fs::read_to_string(file(LOG)).unwrap();
    let coded = text.split("MC:").skip(1).map(|rest| rest.split(':').next().unwrap());
    coded.map(|coded| STANDARD.decode(coded).unwrap()).collect()
}

#[test]
fn every_message_of_a_console_log_is_told() {
    let text = run(&mut decode(&file(LOG))).success("mflt decode").unwrap();
    for expected in [
        "Reason     SensorDead (0xa001), not expected",
        "sensor_read at fixtures/chunks/node.c:",
        "Hard Fault at flash_write",
        "Bus error: write to 0x9003f000",
        "reset_handler ()",
        "battery_soc_pct              87.1\n",
        "MemfaultSdkMetric_IntervalMs 3600000 ms\n",
        "Session    upload\n",
        "Reason     SensorTimeout (1)\n",
        "Log        no answer on I2C\n",
        "2026-01-01 00:00:06 UTC warning page 0x0003f000: try 2 of 3 (src/flash.c:88)\n",
        "Type       application/x-accel\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let notes = "Notes\n  info       no RTOS: one stack\n\n";
    assert_eq!(text.matches("Notes").count(), text.matches(notes).count(), "{text}");
    let full = run(decode(&file(LOG)).arg("--full")).success("mflt decode --full").unwrap();
    assert!(full.contains("g_page") && full.contains("CFSR"), "{full}");
}

#[test]
fn json_has_a_line_for_each_message() {
    let messages = json(&mut decode(&file(LOG)));
    assert_eq!(
        kinds(&messages),
        ["reboot", "coredump", "metrics", "metrics", "trace", "logs", "recording"]
    );
    assert!(messages.iter().all(|message| message["schema"] == 1));
    assert_eq!(messages[0]["pc"]["function"], "sensor_read");
    assert_eq!(messages[1]["report"]["title"], "Hard Fault at flash_write");
    assert_eq!(messages[2]["metrics"][1]["name"], "battery_soc_pct");
    assert_eq!(messages[2]["device"]["software_version"], "1.4.0");
    assert_eq!(messages[2]["captured_at"], 1_767_225_600);
    assert_eq!(messages[5]["lines"][0]["text"], "modem is up");
    assert_eq!(messages[6]["data"].as_str().unwrap().len(), 44);
}

#[test]
fn every_encoding_gives_the_same_messages() {
    let expected = json(&mut decode(&file(LOG)));
    let folder = Folder::new();
    let lines = |line: &dyn Fn(&[u8]) -> String| -> Vec<u8> {
        chunks().iter().map(|chunk| line(chunk) + "\n").collect::<String>().into_bytes()
    };
    let hex = |chunk: &[u8]| chunk.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (name, bytes) in [
        ("hex", lines(&hex)),
        ("base64", lines(&|chunk| STANDARD.encode(chunk))),
        ("binary", chunks().concat()),
    ] {
        let path = folder.write(name, &bytes);
        assert_eq!(json(&mut decode(&path)), expected, "{name}");
        let mut piped = Command::new("sh");
        piped.args(["-c", "exec \"$0\" decode - --elf \"$1\" --json < \"$2\""]);
        piped.arg(env!("CARGO_BIN_EXE_mflt")).arg(file(ELF)).arg(&path);
        assert_eq!(json(&mut piped), expected, "{name} on standard input");
    }
}

#[test]
fn extracted_coredump_is_explained_as_the_log_is() {
    let folder = Folder::new();
    let out = folder.file("new/folder");
    let messages = json(decode(&file(LOG)).arg("--extract").arg(&out));
    let coredump = messages[1]["file"].as_str().unwrap();
    assert_eq!(fs::read(messages[6]["file"].as_str().unwrap()).unwrap().len(), 22);
    let analyze = |path: &std::path::Path| {
        let mut command = mflt();
        command.arg("analyze").arg(path).arg("--elf").arg(file(ELF)).arg("--json");
        let text = run(&mut command).success("mflt analyze").unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let report = analyze(&file(LOG));
    let cause = report["cause"]["summary"].as_str().unwrap();
    assert!(cause.starts_with("Bus error: write to 0x9003f000"), "{cause}");
    assert_eq!(analyze(std::path::Path::new(coredump)), report);
    assert_eq!(messages[1]["report"], report);
}

#[test]
fn lost_chunks_are_told_and_the_rest_is_kept() {
    let folder = Folder::new();
    let path = folder.file("lost.log");
    let write = |lost: &[usize]| {
        let chunks = chunks().into_iter().enumerate();
        let kept = chunks.filter(|(index, _)| !lost.contains(&(index + 1)));
        let lines = kept.map(|(_, chunk)| format!("MC:{}:\n", STANDARD.encode(chunk)));
        fs::write(&path, lines.collect::<String>()).unwrap();
    };
    // The coredump is in chunks 2 to 8, the logs are in 12 and 13.
    write(&[6, 12]);
    let messages = json(&mut decode(&path));
    assert_eq!(
        kinds(&messages),
        ["reboot", "coredump", "metrics", "metrics", "trace", "problem", "recording"]
    );
    assert_eq!(messages[1]["report"]["threads"][0]["frames"][0]["function"], "flash_write");
    let notes = messages[1]["notes"].to_string();
    assert!(notes.contains("the message is cut short"), "{notes}");
    assert_eq!(run(decode(&path).arg("--strict")).code, Some(3));
    write(&[]);
    assert_eq!(run(decode(&path).arg("--strict")).code, Some(0));
}

#[test]
fn compact_lines_of_a_console_are_formatted_where_they_stand() {
    let log = fs::read_to_string(file(LOG)).unwrap();
    let line = |bytes: &[u8]| format!("ML:{}:\r\n", STANDARD.encode(bytes));
    // [38, 0x3f000, 2, 3] and [8].
    let retry = [0x84, 0x18, 38, 0x1a, 0, 3, 0xf0, 0, 2, 3];
    let folder = Folder::new();
    let text = [line(&retry), log, "\r\n".to_string(), line(&[0x81, 8])].concat();
    let path = folder.write("console.log", text.as_bytes());
    let messages = json(&mut decode(&path));
    let kinds = kinds(&messages);
    assert_eq!((kinds.len(), kinds[0], kinds[8]), (9, "logs", "logs"));
    assert_eq!(messages[0]["lines"][0]["text"], "page 0x0003f000: try 2 of 3");
    assert_eq!(messages[8]["lines"][0]["text"], "modem is up");
    let path = folder.write("only.log", line(&retry).as_bytes());
    let text = run(&mut decode(&path)).success("mflt decode").unwrap();
    assert_eq!(text, "Logs (chunk 0)\n  page 0x0003f000: try 2 of 3 (src/flash.c:88)\n");
}

#[test]
fn file_without_chunks_is_refused_with_a_remedy() {
    let answer = run(&mut decode(&file("README.md")));
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(1), ""));
    assert!(answer.stderr.contains("no chunks"), "{}", answer.stderr);
    assert!(answer.stderr.contains("\nhint: "), "{}", answer.stderr);
}
