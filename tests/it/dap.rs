//! `mflt dap`: what an editor does with a dump, from the greeting to the value of a variable.

use crate::support::file;
use crate::support::program::{LIMIT, mflt, start, wait};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

/// A client of the protocol.
struct Client<R, W> {
    input: BufReader<R>,
    output: W,
    sequence: u64,
    /// Events that came since they were last looked at.
    events: Vec<Value>,
}

impl<R: Read, W: Write> Client<R, W> {
    fn new(input: R, output: W) -> Client<R, W> {
        Client { input: BufReader::new(input), output, sequence: 0, events: Vec::new() }
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.input.read_line(&mut line).unwrap(), 0, "the adapter ended");
            match line.trim_end() {
                "" => break,
                line => length = line.strip_prefix("Content-Length: ").unwrap().parse().unwrap(),
            }
        }
        let mut body = vec![0; length];
        self.input.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Asks, and gives the body of the response.
    fn ask(&mut self, command: &str, arguments: Value) -> Value {
        self.sequence += 1;
        let seq = self.sequence;
        let request =
            json!({ "seq": seq, "type": "request", "command": command, "arguments": arguments });
        let text = request.to_string();
        write!(self.output, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.output.flush().unwrap();
        loop {
            let message = self.receive();
            if message["type"] == "event" {
                self.events.push(message);
                continue;
            }
            assert_eq!(message["request_seq"], seq);
            assert_eq!(message["success"], true, "{message:#}");
            return message["body"].clone();
        }
    }

    fn event(&mut self, name: &str) -> Value {
        while !self.events.iter().any(|event| event["event"] == name) {
            let event = self.receive();
            self.events.push(event);
        }
        let at = self.events.iter().position(|event| event["event"] == name).unwrap();
        self.events.remove(at)["body"].clone()
    }

    fn variables(&mut self, reference: &Value) -> Vec<Value> {
        let body = self.ask("variables", json!({ "variablesReference": reference }));
        body["variables"].as_array().unwrap().clone()
    }
}

fn adapter(more: &[&str]) -> Child {
    let mut command = mflt();
    command.arg("dap").arg(file("fixtures/demo/crash.core"));
    command.arg("--elf").arg(file("fixtures/demo/firmware.elf")).args(more);
    start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

fn named<'v>(list: &'v [Value], name: &str) -> &'v Value {
    list.iter().find(|value| value["name"] == name).unwrap_or_else(|| panic!("{name}: {list:#?}"))
}

/// What the report says of the demo.
fn report() -> Value {
    let mut command = mflt();
    command.arg("analyze").arg(file("fixtures/demo/crash.core"));
    command.arg("--elf").arg(file("fixtures/demo/firmware.elf")).arg("--json");
    let json = crate::support::program::run(&mut command).success("mflt analyze").unwrap();
    serde_json::from_str(&json).unwrap()
}

/// From the greeting to the crashed frame; gives the number of its thread.
fn greet<R: Read, W: Write>(client: &mut Client<R, W>, report: &Value) -> Value {
    let abilities = client.ask("initialize", json!({ "adapterID": "mflt", "linesStartAt1": true }));
    assert_eq!(abilities["supportsReadMemoryRequest"], true);
    client.event("initialized");
    client.ask("launch", json!({}));
    let breakpoints = json!({ "source": { "path": "main.c" }, "breakpoints": [{ "line": 3 }] });
    let set = client.ask("setBreakpoints", breakpoints);
    assert_eq!(set["breakpoints"][0]["verified"], false);
    client.ask("setExceptionBreakpoints", json!({ "filters": [] }));
    client.ask("configurationDone", json!({}));
    let stopped = client.event("stopped");
    assert_eq!((&stopped["reason"], &stopped["text"]), (&json!("exception"), &report["title"]));
    stopped["threadId"].clone()
}

#[test]
fn editor_walks_from_the_crash_to_the_value_of_a_variable() {
    let report = report();
    let mut child = adapter(&[]);
    let (input, output) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let mut client = Client::new(input, output);
    let crashed = greet(&mut client, &report);

    let threads = client.ask("threads", json!({}))["threads"].as_array().unwrap().clone();
    let expected = report["threads"].as_array().unwrap();
    assert_eq!(threads.len(), expected.len());
    let index = crashed.as_u64().unwrap() as usize - 1;
    assert_eq!(expected[index]["crashed"], true);

    let asked = json!({ "threadId": crashed, "startFrame": 0, "levels": 20 });
    let stack = client.ask("stackTrace", asked);
    let frames = stack["stackFrames"].as_array().unwrap();
    let expected = expected[index]["frames"].as_array().unwrap();
    assert_eq!(stack["totalFrames"], expected.len());
    for (frame, expected) in frames.iter().zip(expected) {
        assert_eq!((&frame["name"], &frame["line"]), (&expected["function"], &expected["line"]));
        assert_eq!(frame["source"]["path"], expected["file"]);
    }

    // Every variable of the frame that crashed, and every part of each, as the report has it.
    let with_locals = expected.iter().position(|frame| {
        let has = |list: &str| frame[list].as_array().is_some_and(|list| !list.is_empty());
        has("locals") || has("arguments")
    });
    let position = with_locals.expect("a frame with variables");
    let (frame, expected) = (&frames[position], &expected[position]);
    let scopes = client.ask("scopes", json!({ "frameId": frame["id"] }));
    let scopes = scopes["scopes"].as_array().unwrap().clone();
    let locals = client.variables(&named(&scopes, "Locals")["variablesReference"]);
    let lists = ["arguments", "locals"].map(|list| expected[list].as_array().unwrap().clone());
    let lists = lists.concat();
    assert_eq!(locals.len(), lists.len());
    let mut scalars = 0;
    for variable in &lists {
        let shown = named(&locals, variable["name"].as_str().unwrap());
        assert_eq!(shown["type"], variable["type"]);
        if variable["value"].is_string()
            && variable["summary"].is_null()
            && shown["variablesReference"] == 0
        {
            assert_eq!(shown["value"], variable["value"]);
            scalars += 1;
        }
    }
    assert!(scalars > 0, "{locals:#?}");
    let registers = client.variables(&named(&scopes, "Registers")["variablesReference"]);
    assert_eq!(named(&registers, "pc")["value"], expected["registers"]["pc"]);

    // A global, opened; the same by its path.
    let globals = client.variables(&named(&scopes, "Globals")["variablesReference"]);
    let kernel = named(&globals, "_kernel");
    let members = client.variables(&kernel["variablesReference"]);
    let ready = named(&members, "ready_q");
    let evaluated =
        client.ask("evaluate", json!({ "expression": "_kernel.ready_q", "frameId": frame["id"] }));
    assert_eq!(evaluated["result"], ready["value"]);
    let sp = client.ask("evaluate", json!({ "expression": "$sp", "frameId": frame["id"] }));
    assert_eq!(sp["result"], expected["registers"]["sp"]);

    // Memory and code at the crash.
    let memory = client.ask("readMemory", json!({ "memoryReference": sp["result"], "count": 16 }));
    assert_eq!(memory["address"], sp["result"]);
    assert_eq!(memory["data"].as_str().unwrap().len(), 24);
    let code = json!({ "memoryReference": frames[0]["instructionPointerReference"],
        "instructionOffset": -4, "instructionCount": 9 });
    let code = client.ask("disassemble", code);
    let code = code["instructions"].as_array().unwrap();
    assert_eq!(code.len(), 9);
    assert_eq!(code[4]["address"], frames[0]["instructionPointerReference"]);
    assert_ne!(code[4]["instruction"], "");
    let exception = client.ask("exceptionInfo", json!({ "threadId": crashed }));
    assert_eq!(exception["description"], report["cause"]["summary"]);

    client.ask("disconnect", json!({}));
    client.event("terminated");
    assert_eq!(wait(&mut child, LIMIT).unwrap().code(), Some(0));
}

#[test]
fn clients_on_a_port_come_and_go() {
    let report = report();
    let mut child = adapter(&["--listen", "127.0.0.1:0"]);
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("serving on ").and_then(|rest| rest.split(';').next());
    let address = address.expect("an address").to_string();
    for _ in 0..2 {
        let stream = TcpStream::connect(&address).unwrap();
        let mut client = Client::new(stream.try_clone().unwrap(), stream);
        greet(&mut client, &report);
        // Gone without a goodbye.
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn what_is_no_protocol_ends_with_one_error() {
    for (bytes, says) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "what arrives is not the Debug Adapter Protocol"),
        (b"Content-Length: 99999999999\r\n\r\n", "what arrives is not the Debug Adapter Protocol"),
        (b"Content-Length: 3\r\n\r\n{]}", "a message is not JSON"),
    ] {
        let mut child = adapter(&[]);
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        assert_eq!(wait(&mut child, LIMIT).unwrap().code(), Some(1));
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains(says), "{text}");
    }
    // A message that is cut off is a client that is gone.
    let mut child = adapter(&[]);
    child.stdin.take().unwrap().write_all(b"Content-Length: 300\r\n\r\n{").unwrap();
    assert_eq!(wait(&mut child, LIMIT).unwrap().code(), Some(0));
}
