//! A report against what GDB says about the same state of the same target.
//!
//! Everything is compared and every difference kept, so that one run tells all there is to mend.
//! The report is read as JSON, by the names that are its contract.

mod causes;
mod differences;
pub(crate) mod frames;
mod values;

pub(crate) use differences::Differences;
pub(crate) use frames::functions;

use crate::support::manifest::{Case, hex};
use serde_json::Value;

/// All of a report on a case that was stopped where the oracle looked at it.
pub(crate) fn report(report: &Value, gdb: &Value, case: &Case) -> Differences {
    let mut found = Differences::default();
    // That of `crash_nullread` holds what the null pointer led to.
    found.first_page_refused = case.mode() == "nullread";
    crash(report, gdb, case, &mut found);
    fault_registers(report, gdb, &mut found);
    exc_return(report, gdb, &mut found);
    halted_registers(report, gdb, &mut found);
    threads(report, gdb, &mut found);
    crashed_context(report, gdb, case, &mut found);
    handlers(report, gdb, &mut found);
    if let Some(globals) = gdb["globals"].as_array() {
        values::globals(array(&report["globals"]), globals, &mut found);
    }
    found
}

/// The elements of an array; none of anything else.
pub(crate) fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The thread or handler in which the crash happened; where nothing crashed, the current thread.
pub(crate) fn crashed(report: &Value) -> Option<&Value> {
    let threads = array(&report["threads"]);
    let marked = threads.iter().find(|thread| thread["crashed"] == true);
    marked.or_else(|| threads.iter().find(|thread| thread["current"] == true))
}

/// GDB's account of the same: the innermost segment, whose frames may stand with its thread.
fn crashed_by_gdb(gdb: &Value) -> Option<&Value> {
    let segment = gdb["segments"].get(0)?;
    if segment.get("frames").is_some() {
        return Some(segment);
    }
    array(&gdb["threads"]).iter().find(|thread| thread["current"] == true)
}

/// Whether the hardware wrote no exception frame: then nobody knows where the code was.
pub(crate) fn is_lost(gdb: &Value) -> bool {
    gdb["segments"][0]["nothing_stacked"] == true
}

fn is_handler(thread: &Value) -> bool {
    thread["state"] == "handler"
}

/// Only what is told about the crash itself.
pub(crate) fn crash_alone(report: &Value, gdb: &Value, case: &Case, found: &mut Differences) {
    crash(report, gdb, case, found);
    crashed_context(report, gdb, case, found);
}

fn crash(report: &Value, gdb: &Value, case: &Case, found: &mut Differences) {
    let expected = case.expected();
    found.equal("category", "category", &report["category"], &expected["category"]);
    let threads = array(&report["threads"]);
    let current = threads.iter().find(|thread| thread["current"] == true);
    let name = current.map_or(&Value::Null, |thread| &thread["name"]);
    found.equal("crashed thread", "current thread", name, &gdb["crashed_thread"]);
    if gdb["segments"][0]["how"] == "live" {
        let nobody = threads.iter().all(|thread| thread["crashed"] == false);
        found.demand(nobody, "crashed thread", || "a thread crashed in a mere halt".to_string());
    } else {
        let in_handler = gdb["segments"][0]["context"] == "handler";
        match threads.iter().find(|thread| thread["crashed"] == true) {
            None => found.add("crashed thread", "none of the threads has crashed"),
            Some(thread) if in_handler != is_handler(thread) => {
                found.add("crashed thread", format!("{} has crashed", thread["name"]));
            }
            Some(_) => {}
        }
    }
    let summary = report["cause"]["summary"].as_str().unwrap_or("");
    if let Some(told) = causes::summary(case) {
        let holds = summary.contains(&told);
        found.demand(holds, "cause", || format!("`{summary}`, it is `{told}`"));
    }
    if is_lost(gdb) {
        guessed(report, gdb, found);
    } else {
        expected_place(report, expected, found);
    }
}

/// The function, file and line of the manifest are among the innermost frames.
fn expected_place(report: &Value, expected: &Value, found: &mut Differences) {
    let frames = crashed(report).map_or(&[][..], |thread| array(&thread["frames"]));
    let keys = ["function", "file", "line"];
    let there = |frame: &Value| keys.iter().all(|key| frame[*key] == expected[*key]);
    found.demand(frames.iter().take(6).any(there), "expected place", || {
        let [function, file, line] = keys.map(|key| &expected[key]);
        format!("{function} at {file}:{line} is not among {:?}", functions(frames))
    });
}

/// Without an exception frame the frames are guesses: the innermost has to be one of those that
/// led there.
fn guessed(report: &Value, gdb: &Value, found: &mut Differences) {
    let before = functions(array(&gdb["before_fault"]));
    let frames = crashed(report).map_or(&[][..], |thread| array(&thread["frames"]));
    let innermost = functions(frames).into_iter().next();
    let known = innermost.as_ref().is_some_and(|function| before.contains(function));
    found.demand(known, "guessed frame", || {
        format!("{innermost:?} is not in the chain before the fault, {before:?}")
    });
}

fn fault_registers(report: &Value, gdb: &Value, found: &mut Differences) {
    let registers = &report["fault"]["registers"];
    for (name, value) in gdb["fault_registers"].as_object().into_iter().flatten() {
        let ours = registers.get(name).unwrap_or(&Value::Null);
        found.equal("fault register", name, ours, value);
    }
}

fn exc_return(report: &Value, gdb: &Value, found: &mut Differences) {
    if let Some(expected) = gdb["exc_return"].as_str() {
        let ours = report["fault"]["exc_return"].as_str().unwrap_or("none");
        found
            .demand(ours.starts_with(expected), "EXC_RETURN", || format!("{ours}, not {expected}"));
    }
}

/// Every register that GDB knows. `exc_return` says whether the context has floating-point
/// registers at all: without them, GDB shows what others have left there.
fn registers(ours: &Value, gdb: &Value, exc_return: Option<&str>, found: &mut Differences) {
    let basic = exc_return.is_some_and(|text| hex(text) & 0x10 != 0);
    for (name, value) in gdb.as_object().into_iter().flatten() {
        let ours = ours.get(name).unwrap_or(&Value::Null);
        let is_float = name == "fpscr" || name.starts_with('s') && name != "sp";
        if is_float && ours.is_null() && (basic || found.without_float) {
            continue;
        }
        found.equal("register", name, ours, value);
    }
}

/// The registers at the stop belong to the innermost context.
fn halted_registers(report: &Value, gdb: &Value, found: &mut Differences) {
    let expected = &gdb["halted_registers"];
    let exception = exception_of(expected);
    let at = found.enter("halted");
    match context(report, exception) {
        Some(ours) => registers(&ours["registers"], expected, None, found),
        None => found.add("handlers", format!("exception {exception} is not listed")),
    }
    found.leave(at);
}

fn exception_of(registers: &Value) -> u32 {
    registers["xpsr"].as_str().map_or(0, hex) & 0x1ff
}

/// The handler of that number, or the current thread for 0.
fn context(report: &Value, exception: u32) -> Option<&Value> {
    let id = format!("exception {exception}");
    array(&report["threads"]).iter().find(|thread| match exception {
        0 => thread["current"] == true,
        _ => thread["id"] == *id,
    })
}

/// The registers and frames at the crash, and the thread that is marked.
fn crashed_context(report: &Value, gdb: &Value, case: &Case, found: &mut Differences) {
    if is_lost(gdb) {
        return;
    }
    let (Some(ours), Some(expected)) = (crashed(report), crashed_by_gdb(gdb)) else { return };
    let at = found.enter("crashed");
    registers(&ours["registers"], &gdb["registers"], gdb["exc_return"].as_str(), found);
    let (frames, expected) = (array(&ours["frames"]), array(&expected["frames"]));
    if case.expected()["broken_chain"] == true {
        // Where the return address is gone GDB gives up, and what a search finds says so. The
        // variables of the function are as wrong as its stack.
        let (ours, gdb) = (frames::functions(frames), frames::functions(expected));
        found.demand(ours.starts_with(&gdb), "frames", || format!("{ours:?}, not {gdb:?}"));
    } else {
        frames::compare(frames, expected, svc(gdb), found);
    }
    found.leave(at);
}

/// Handlers that were interrupted by another one, beyond the crashed one.
fn handlers(report: &Value, gdb: &Value, found: &mut Differences) {
    let handlers = array(&gdb["segments"]).iter().filter(|s| s["context"] == "handler");
    for segment in handlers.skip(1) {
        let exception = exception_of(&segment["registers"]);
        let at = found.enter(&format!("exception {exception}"));
        match context(report, exception) {
            Some(ours) => {
                let exc_return = segment["exc_return"].as_str();
                registers(&ours["registers"], &segment["registers"], exc_return, found);
                frames::compare(array(&ours["frames"]), array(&segment["frames"]), None, found);
            }
            None => found.add("handlers", "is not listed"),
        }
        found.leave(at);
    }
}

/// Every thread of the kernel, in the kernel's order behind the crashed one.
pub(crate) fn threads(report: &Value, gdb: &Value, found: &mut Differences) {
    let ours: Vec<&Value> =
        array(&report["threads"]).iter().filter(|thread| !is_handler(thread)).collect();
    let expected = array(&gdb["threads"]);
    let names = |threads: &mut dyn Iterator<Item = &Value>| -> Vec<String> {
        threads.map(|thread| thread["name"].as_str().unwrap_or("?").to_string()).collect()
    };
    let crashed_first = ours.first().is_some_and(|thread| thread["crashed"] == true);
    let current = |thread: &&Value| crashed_first && thread["current"] == true;
    let order = names(
        &mut expected
            .iter()
            .filter(current)
            .chain(expected.iter().filter(|thread| !current(thread))),
    );
    let our_order = names(&mut ours.iter().copied());
    // Brief accounts hold the current thread alone.
    let same = gdb["brief"] == true || order == our_order;
    found.demand(same, "thread list", || format!("{our_order:?}, not {order:?}"));
    for expected in expected {
        let at = found.enter(expected["name"].as_str().unwrap_or("?"));
        match ours.iter().find(|thread| thread["id"] == expected["address"]) {
            Some(ours) => thread(ours, expected, gdb, found),
            None => found.add("thread list", format!("no thread at {}", expected["address"])),
        }
        found.leave(at);
    }
}

/// The address of the `svc` instruction by which the crash was reported: GDB was asked about that,
/// the hardware stacks the one behind it.
fn svc(gdb: &Value) -> Option<u32> {
    let pc = gdb["registers"]["pc"].as_str().filter(|_| gdb["segments"][0]["how"] == "svc")?;
    hex(pc).checked_sub(2)
}

fn thread(ours: &Value, gdb: &Value, whole: &Value, found: &mut Differences) {
    for (key, theirs) in [
        ("name", "name"),
        ("state_bits", "state_bits"),
        ("priority", "priority"),
        ("entry", "entry_function"),
        ("current", "current"),
    ] {
        found.equal("thread", key, &ours[key], &gdb[theirs]);
    }
    for key in ["start", "size"] {
        found.equal("stack", key, &ours["stack"][key], &gdb["stack"][key]);
    }
    let number = |key: &str| gdb["stack"][key].as_u64().unwrap_or(0);
    let high_water = Value::from(number("size") - number("unused"));
    found.equal("stack", "high_water", &ours["stack"]["high_water"], &high_water);
    let pends = gdb["pended_on"] != "0x00000000";
    let waits = ours["waits_for"].is_string() && ours["state"] == "pending";
    found.demand(pends == waits, "waits for", || {
        format!("{}, pended on {}", ours["waits_for"], gdb["pended_on"])
    });
    let current = gdb["current"] == true;
    if current && whole["segments"][0]["context"] == "thread" {
        // It is compared as the one that crashed.
        return;
    }
    let context = if current { array(&whole["segments"]).last() } else { Some(gdb) };
    let exc_return = context.and_then(|context| context["exc_return"].as_str());
    registers(&ours["registers"], &gdb["registers"], exc_return, found);
    frames::compare(array(&ours["frames"]), array(&gdb["frames"]), None, found);
}
