//! Backtraces, frame by frame.

use super::{Differences, array, values};
use serde_json::Value;

/// The functions of a backtrace, innermost first; `?` for code without one.
pub(crate) fn functions(frames: &[Value]) -> Vec<String> {
    frames.iter().map(|frame| frame["function"].as_str().unwrap_or("?").to_string()).collect()
}

/// Every frame with its arguments and locals. A frame at `svc` may stand behind the instruction.
pub(crate) fn compare(ours: &[Value], gdb: &[Value], svc: Option<u32>, found: &mut Differences) {
    let pairs = pairs(ours, gdb);
    let complete = pairs.len() == gdb.len() && pairs.iter().all(|(ours, _)| ours.is_some());
    if !complete {
        let missing_are_tail_calls = pairs.len() == gdb.len()
            && pairs.iter().all(|(ours, gdb)| ours.is_some() || gdb["tailcall"] == true);
        let kind = if missing_are_tail_calls { "tail call frames" } else { "frames" };
        found.add(kind, format!("{}\n          GDB: {}", chain(ours), chain(gdb)));
    }
    for (index, (ours, gdb)) in pairs.iter().enumerate() {
        let Some(ours) = ours else { continue };
        let function = gdb["function"].as_str().unwrap_or("?");
        let at = found.enter(&format!("#{} {function}", gdb["index"]));
        frame(ours, gdb, svc, found);
        variables(ours, gdb, pairs.get(index + 1).map(|(_, gdb)| *gdb), found);
        found.leave(at);
    }
}

/// GDB's frames with ours, as far as the functions are the same; a tail call's may have none of
/// ours. Complete only when all of ours are used.
fn pairs<'a>(ours: &'a [Value], gdb: &'a [Value]) -> Vec<(Option<&'a Value>, &'a Value)> {
    let mut rest = ours;
    let mut pairs = Vec::new();
    for gdb in gdb {
        match rest.split_first() {
            Some((first, others)) if first["function"] == gdb["function"] => {
                pairs.push((Some(first), gdb));
                rest = others;
                // GDB shows of a frame that ended in a tail call only the innermost function that
                // was inlined there, we all of them.
                let mut last = first;
                while gdb["tailcall"] == true
                    && last["inlined"] == true
                    && let Some((next, others)) = rest.split_first()
                    && next["pc"] == last["pc"]
                {
                    (last, rest) = (next, others);
                }
            }
            _ if gdb["tailcall"] == true => pairs.push((None, gdb)),
            _ => return pairs,
        }
    }
    if !rest.is_empty() {
        // More than GDB has: not complete.
        pairs.pop();
    }
    pairs
}

fn chain(frames: &[Value]) -> String {
    functions(frames).join(" < ")
}

fn frame(ours: &Value, gdb: &Value, svc: Option<u32>, found: &mut Differences) {
    let behind = svc.map(|svc| Value::from(format!("0x{:08x}", svc + 2)));
    let at_svc = svc.is_some_and(|svc| gdb["pc"] == format!("0x{svc:08x}"));
    for key in ["pc", "sp", "file", "line", "inlined"] {
        let kind = match key {
            "pc" => "frame pc",
            "sp" => "frame sp",
            "inlined" => "frame inlined",
            _ => "line",
        };
        if key == "pc" && at_svc && behind.as_ref() == Some(&ours[key]) {
            continue;
        }
        if key == "inlined" && gdb["tailcall"] == true {
            continue;
        }
        found.equal(kind, key, &ours[key], &gdb[key]);
    }
}

fn variables(ours: &Value, gdb: &Value, caller: Option<&Value>, found: &mut Differences) {
    let arguments = corrected(gdb, caller);
    values::list("argument", array(&ours["arguments"]), &arguments, found);
    values::list("local", array(&ours["locals"]), array(&gdb["locals"]), found);
}

/// GDB's arguments, but for those that are known to be wrong.
///
/// `store_word(where, seed)` is inlined, and its `what` is described as the value of the
/// caller's own argument at entry. GDB 13 works that out with the registers of the caller itself
/// instead of those of the caller's caller: it shows 33 where `seed` is 80, and `shifted`, which
/// is twice `what`, is 160. The value of `seed` is the right one.
fn corrected(gdb: &Value, caller: Option<&Value>) -> Vec<Value> {
    let mut arguments = array(&gdb["args"]).to_vec();
    if gdb["function"] != "store_word" || gdb["inlined"] != true {
        return arguments;
    }
    let seed =
        caller.and_then(|caller| array(&caller["args"]).iter().find(|v| v["name"] == "seed"));
    let shown = |v: &&mut Value| v["name"] == "what" && v.get("value").is_some();
    if let (Some(what), Some(seed)) = (arguments.iter_mut().find(shown), seed) {
        *what = seed.clone();
        what["name"] = "what".into();
    }
    arguments
}
