//! Variables: ours are text in GDB's manner, the oracle's are in the normal form that
//! `fixtures/README.md` describes.

use super::{Differences, array};
use serde_json::Value;

/// The arguments or the locals of a frame, by name; of several with one name the innermost first.
pub(super) fn list(what: &'static str, ours: &[Value], gdb: &[Value], found: &mut Differences) {
    let names = |list: &[Value]| -> Vec<String> {
        list.iter().filter_map(|v| v["name"].as_str()).map(str::to_string).collect()
    };
    // GDB makes up `__func__` for each function that uses it; the oracle leaves it out.
    let ours: Vec<Value> = ours.iter().filter(|v| v["name"] != "__func__").cloned().collect();
    let our_names = names(&ours);
    // Of an inlined function's blocks GDB lists the variables again as the original has them.
    let mut gdb = gdb.to_vec();
    for index in (0..gdb.len()).rev() {
        let repeated = gdb[index]["shadowed"] == true && gdb[index]["status"] == "optimized_out";
        let count = |names: &[String]| names.iter().filter(|n| gdb[index]["name"] == **n).count();
        if repeated && count(&our_names) < count(&names(&gdb)) {
            gdb.remove(index);
        }
    }
    let gdb_names = names(&gdb);
    let (mut ours_sorted, mut gdb_sorted) = (our_names.clone(), gdb_names.clone());
    ours_sorted.sort();
    gdb_sorted.sort();
    if ours_sorted != gdb_sorted {
        found.add("variable list", format!("{what}s {our_names:?}, GDB has {gdb_names:?}"));
    } else if what == "argument" && our_names != gdb_names {
        found.add("variable order", format!("{what}s {our_names:?}, GDB has {gdb_names:?}"));
    }
    for (index, gdb) in gdb.iter().enumerate() {
        let same = |variable: &&Value| variable["name"] == gdb["name"];
        let before = gdb_list_before(&gdb_names, index);
        if let Some(ours) = ours.iter().filter(same).nth(before) {
            variable(ours, gdb, found);
        }
    }
}

/// How many before the one at `index` have its name.
fn gdb_list_before(names: &[String], index: usize) -> usize {
    names[..index].iter().filter(|name| **name == names[index]).count()
}

/// All globals, by name and address.
pub(super) fn globals(ours: &[Value], gdb: &[Value], found: &mut Differences) {
    let at = found.enter("globals");
    let is_static_local =
        |variable: &Value| variable["name"].as_str().is_some_and(|name| name.contains("::"));
    let mut unmatched: Vec<&Value> = ours.iter().filter(|v| !is_static_local(v)).collect();
    for gdb in gdb {
        let address = gdb.get("address");
        let same = |ours: &&Value| {
            ours["name"] == gdb["name"] && address.is_none_or(|at| ours["address"] == *at)
        };
        match unmatched.iter().position(same) {
            Some(index) => variable(unmatched.swap_remove(index), gdb, found),
            None => found.add("global list", format!("{} is missing", gdb["name"])),
        }
    }
    // GDB has no such variable at all when no section is at address 0, where the linker puts it.
    for ours in unmatched.into_iter().filter(|ours| ours["status"] != "optimized_out") {
        found.add("global list", format!("{} is unknown to GDB", ours["name"]));
    }
    found.leave(at);
}

/// A variable, and all that it is made of.
fn variable(ours: &Value, gdb: &Value, found: &mut Differences) {
    let at = found.enter(gdb["name"].as_str().unwrap_or("?"));
    if let Some(type_name) = gdb.get("type") {
        found.equal("type", "type", &ours["type"], type_name);
    }
    value(ours, gdb, found);
    found.leave(at);
}

fn value(ours: &Value, gdb: &Value, found: &mut Differences) {
    let status = gdb["status"].as_str().unwrap_or("ok");
    let our_status = ours["status"].as_str().unwrap_or("none");
    let left_out = matches!(our_status, "optimized_out" | "not_captured");
    match status {
        "error" => return found.errors_skipped += 1,
        // The oracle goes no deeper.
        "depth" => return,
        _ => {}
    }
    if gdb["clobbered"] == true && left_out {
        return found.clobbered_left_out += 1;
    }
    let is_float = matches!(gdb["type"].as_str(), Some("float" | "double"));
    if found.without_float && is_float && left_out {
        return;
    }
    if status == "not_captured" && our_status == "ok" && found.first_page_refused {
        return;
    }
    if status != our_status {
        let kind = match (our_status, status) {
            ("ok", _) => "value where GDB has none",
            (_, "ok") => "no value",
            _ => "status",
        };
        let shown = |v: &Value| v.get("value").map_or(String::new(), |v| format!(" ({v})"));
        found.add(kind, format!("{our_status}{}, GDB: {status}{}", shown(ours), shown(gdb)));
        return;
    }
    if status != "ok" {
        return;
    }
    match (gdb.get("children"), gdb["value"].as_str(), ours["value"].as_str()) {
        (Some(children), _, Some(text)) => characters(text, array(children), ours, found),
        (Some(children), _, None) => parts(ours, array(children), gdb, found),
        (None, Some(expected), Some(text)) => {
            let normal = normal(text);
            found.demand(normal == expected, "value", || {
                format!("{normal} (`{text}`), GDB has {expected}")
            });
        }
        (None, Some(expected), None) => found.add("value", format!("none, GDB has {expected}")),
        (None, None, _) => found.add("value", "the oracle has none"),
    }
}

/// Members or elements.
fn parts(ours: &Value, gdb: &[Value], whole: &Value, found: &mut Differences) {
    let elided = whole["elided"].as_u64().unwrap_or(0);
    let mut omitted = ours["omitted"].as_u64().unwrap_or(0);
    let mut children = expanded(array(&ours["children"]));
    // Equal elements are counted; the oracle stops after so many.
    omitted += children.len().saturating_sub(gdb.len()) as u64;
    children.truncate(gdb.len());
    let (count, expected) = (children.len() as u64 + omitted, gdb.len() as u64 + elided);
    found.demand(count == expected, "parts", || format!("{count} parts, GDB has {expected}"));
    let shown = children.len() == gdb.len();
    found.demand(shown, "parts", || format!("{} are shown of {}", children.len(), gdb.len()));
    for (ours, gdb) in children.iter().zip(gdb) {
        found.equal("part name", "name", &ours["name"], &gdb["name"]);
        variable(ours, gdb, found);
    }
}

/// Each of several equal elements by itself, under its own name.
fn expanded(children: &[Value]) -> Vec<Value> {
    let mut all = Vec::new();
    for child in children {
        let Some(repeats) = child["repeats"].as_u64() else {
            all.push(child.clone());
            continue;
        };
        let name = child["name"].as_str().unwrap_or_default();
        let first: u64 = name.trim_matches(['[', ']']).parse().unwrap_or(u64::MAX / 2);
        for index in first..first + repeats.min(u64::from(u16::MAX)) {
            let mut element = child.clone();
            element["name"] = format!("[{index}]").into();
            all.push(element);
        }
    }
    all
}

/// An array of characters, which we show as a string.
fn characters(text: &str, gdb: &[Value], ours: &Value, found: &mut Differences) {
    let Some(mut bytes) = string(text) else {
        return found.add("value", format!("`{text}` is not a string"));
    };
    // The NUL at the end of an array that is shown as a whole is understood.
    if ours["omitted"].is_null() && ours["size"].as_u64() == Some(bytes.len() as u64 + 1) {
        bytes.push(0);
    }
    let number = |v: &Value| {
        // A record of nothing but a character counts as one.
        let v = v.get("children").map_or(v, |children| &children[0]);
        v["value"].as_str().and_then(|text| text.parse::<i16>().ok())
    };
    let expected: Vec<Option<u8>> = gdb.iter().map(|v| number(v).map(|n| n as u8)).collect();
    let shown: Vec<Option<u8>> = bytes.iter().copied().map(Some).take(expected.len()).collect();
    found.demand(shown == expected, "value", || format!("`{text}`, GDB has {expected:?}"));
}

/// Our text in the oracle's form.
fn normal(text: &str) -> &str {
    // `0x20000298 <buffer+8> "text"`
    if text.starts_with("0x") {
        return text.split(' ').next().unwrap_or(text);
    }
    // `97 'a'`
    if let Some((number, rest)) = text.split_once(' ')
        && rest.starts_with('\'')
    {
        return number;
    }
    // `-nan(0x400000)`
    if text.trim_start_matches('-').starts_with("nan(") {
        return "nan";
    }
    text
}

/// The bytes of a string as we print it: `"hi", '\000' <repeats 13 times>, "x"...`.
fn string(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.strip_suffix("...").unwrap_or(text);
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (part, after) = quoted(&rest[1..], quote)?;
        rest = after;
        let mut times = 1;
        if let Some(after) = rest.strip_prefix(" <repeats ") {
            let (count, after) = after.split_once(" times>")?;
            times = count.parse().ok()?;
            rest = after;
        }
        bytes.extend(part.repeat(times));
        rest = rest.strip_prefix(", ").unwrap_or(rest);
    }
    Some(bytes)
}

/// Bytes up to the closing quote, and what follows it.
fn quoted(text: &str, quote: char) -> Option<(Vec<u8>, &str)> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    loop {
        match rest.next()? {
            c if c == quote => return Some((bytes, rest.as_str())),
            '\\' => {
                let c = rest.next()?;
                let escape = "abtnvfr".find(c).map(|at| [7, 8, 9, 10, 11, 12, 13][at]);
                bytes.push(match escape {
                    Some(byte) => byte,
                    None if c.is_ascii_digit() => {
                        let digits: String = [c, rest.next()?, rest.next()?].iter().collect();
                        u8::from_str_radix(&digits, 8).ok()?
                    }
                    None => u8::try_from(c).ok()?,
                });
            }
            c => bytes.push(u8::try_from(c).ok()?),
        }
    }
}

#[test]
fn our_text_has_the_oracles_normal_form() {
    for (text, expected) in [
        ("97 'a'", "97"),
        ("-1 '\\377'", "-1"),
        ("0x20000298 <buffer+8>", "0x20000298"),
        ("0x00000000", "0x00000000"),
        ("-nan(0x400000)", "nan"),
        ("KIND_ACCEL", "KIND_ACCEL"),
        ("(A | B)", "(A | B)"),
        ("-12", "-12"),
    ] {
        assert_eq!(normal(text), expected);
    }
}

#[test]
fn strings_are_read_back() {
    let text = r#""hi\t\"\001", '\000' <repeats 12 times>, "x"..."#;
    let mut expected = b"hi\t\"\x01".to_vec();
    expected.resize(17, 0);
    expected.push(b'x');
    assert_eq!(string(text), Some(expected));
    assert_eq!(string(r#""""#), Some(Vec::new()));
    assert_eq!(string("12"), None);
}
