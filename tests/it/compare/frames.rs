//! Backtraces, frame by frame.

use super::{Differences, array, values};
use serde_json::Value;

/// The functions of a backtrace, innermost first; `?` for code without one.
pub(crate) fn functions(frames: &[Value]) -> Vec<String> {
    frames.iter().map(|frame| frame["function"].as_str().unwrap_or("?").to_string()).collect()
}

/// Every frame with its arguments and locals.
pub(crate) fn compare(ours: &[Value], gdb: &[Value], found: &mut Differences) {
    let kept: Vec<&Value> = if functions(ours) == functions(gdb) {
        gdb.iter().collect()
    } else {
        let real: Vec<&Value> = gdb.iter().filter(|frame| frame["tailcall"] != true).collect();
        let names: Vec<String> =
            real.iter().map(|frame| frame["function"].as_str().unwrap_or("?").into()).collect();
        let only_tail_calls = functions(ours) == names;
        let kind = if only_tail_calls { "tail call frames" } else { "frames" };
        found.add(kind, format!("{}\n          GDB: {}", chain(ours), chain(gdb)));
        if only_tail_calls { real } else { gdb.iter().collect() }
    };
    for (ours, gdb) in ours.iter().zip(kept) {
        if ours["function"] != gdb["function"] {
            // From here on they are about different things.
            break;
        }
        let function = gdb["function"].as_str().unwrap_or("?");
        let at = found.enter(&format!("#{} {function}", gdb["index"]));
        frame(ours, gdb, found);
        found.leave(at);
    }
}

fn chain(frames: &[Value]) -> String {
    functions(frames).join(" < ")
}

fn frame(ours: &Value, gdb: &Value, found: &mut Differences) {
    for key in ["pc", "sp", "file", "line", "inlined"] {
        let kind = match key {
            "pc" => "frame pc",
            "sp" => "frame sp",
            "inlined" => "frame inlined",
            _ => "line",
        };
        found.equal(kind, key, &ours[key], &gdb[key]);
    }
    values::list("argument", array(&ours["arguments"]), array(&gdb["args"]), found);
    values::list("local", array(&ours["locals"]), array(&gdb["locals"]), found);
}
