//! Sessions with the demo, request by request.

use super::*;
use crate::analysis::Options;
use crate::format;
use crate::symbols::{ElfImage, SymbolFile};

/// Asks each of `requests` and gives the bodies of the responses; a refusal is a string.
fn ask(requests: &[(&str, Value)]) -> Vec<Value> {
    let elf = include_bytes!("../../fixtures/demo/firmware.elf");
    let snapshot = format::open(include_bytes!("../../fixtures/demo/crash.core")).unwrap();
    let image = ElfImage::parse(elf).unwrap();
    let symbols = [SymbolFile::new(&image)];
    let prepared = Inspector::prepared(&snapshot, &symbols);
    let inspector = Inspector::new(&prepared, &symbols);
    let report = inspector.report(&Options { globals: false, ..Options::default() });
    let mut session = Session::new(&inspector, &report);
    let answers = requests.iter().map(|(command, arguments)| {
        let request =
            json!({ "seq": 7, "type": "request", "command": command, "arguments": arguments });
        let response = session.answer(&request).swap_remove(0);
        assert_eq!((&response["request_seq"], &response["command"]), (&json!(7), &json!(command)));
        match response["success"] == json!(true) {
            true => response["body"].clone(),
            false => response["message"].clone(),
        }
    });
    answers.collect()
}

#[test]
fn requests_that_make_no_sense_are_refused_one_by_one() {
    let far = u64::MAX;
    let refused = ask(&[
        ("continue", json!({})),
        ("fly", json!({})),
        ("stackTrace", json!({ "threadId": 0 })),
        ("stackTrace", json!({ "threadId": far })),
        ("stackTrace", json!({ "threadId": "one" })),
        ("scopes", json!({ "frameId": far })),
        ("variables", json!({ "variablesReference": 0 })),
        ("variables", json!({ "variablesReference": far })),
        ("evaluate", json!({ "expression": "no_such_name", "frameId": 65536 })),
        ("evaluate", json!({})),
        ("readMemory", json!({ "memoryReference": "sp", "count": 4 })),
        ("disassemble", json!({})),
    ]);
    assert!(refused.iter().all(Value::is_string), "{refused:#?}");
    assert_eq!(refused[0], "this is a dump: nothing runs");
    // What is too much is cut.
    let cut = ask(&[
        (
            "readMemory",
            json!({ "memoryReference": "0xfffffffe", "count": far, "offset": i64::MAX }),
        ),
        (
            "disassemble",
            json!({
                "memoryReference": "0", "instructionCount": 10_000_000, "instructionOffset": i64::MIN,
            }),
        ),
        ("stackTrace", json!({ "threadId": 1, "startFrame": far, "levels": far })),
    ]);
    assert!(cut.iter().all(Value::is_object), "{cut:#?}");
    assert_eq!(cut[1]["instructions"].as_array().unwrap().len(), MOST_INSTRUCTIONS_SHOWN);
    assert_eq!(cut[2]["stackFrames"], json!([]));
}

/// The limit that `memory` sets.
const MOST_INSTRUCTIONS_SHOWN: usize = 1 << 12;

#[test]
fn messages_that_are_no_requests_are_passed_over() {
    let snapshot = format::open(include_bytes!("../../fixtures/demo/crash.core")).unwrap();
    let inspector = Inspector::new(&snapshot, &[]);
    let report = inspector.report(&Options::default());
    let mut session = Session::new(&inspector, &report);
    for message in [json!(null), json!([]), json!({ "type": "event" }), json!("request")] {
        assert_eq!(session.answer(&message), Vec::<Value>::new());
    }
    // Without an ELF there are threads and registers all the same.
    let threads =
        session.answer(&json!({ "type": "request", "command": "threads" })).swap_remove(0);
    assert!(!threads["body"]["threads"].as_array().unwrap().is_empty());
}
