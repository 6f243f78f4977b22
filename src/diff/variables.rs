//! Variables of two reports by name, down to members and elements.

use std::collections::BTreeMap;

use super::crashed;
use crate::report::{Change, Report, Status, Thread, Variable};

/// Most values that are listed.
const MOST: usize = 10_000;
/// Characters of one value.
const LONGEST: usize = 400;

/// Values that differ, by name, and how many more do.
pub(super) fn compare(a: &Report, b: &Report) -> (Vec<Change>, u64) {
    let mut list = List::default();
    if let (Some(a), Some(b)) = (crashed(a), crashed(b)) {
        frames(a, b, &mut list);
    }
    let (mut a, mut b) = (by_name(&a.globals), by_name(&b.globals));
    let names: Vec<&str> = a.keys().chain(b.keys()).copied().collect();
    for name in names {
        // Statics of different files may have one name: reports list them in the order of the ELF.
        let first = a.remove(name).unwrap_or_default();
        let second = b.remove(name).unwrap_or_default();
        for index in 0..first.len().max(second.len()) {
            list.pair(name, first.get(index).copied(), second.get(index).copied());
        }
    }
    (list.changes, list.omitted)
}

fn by_name(variables: &[Variable]) -> BTreeMap<&str, Vec<&Variable>> {
    let mut named: BTreeMap<&str, Vec<&Variable>> = BTreeMap::new();
    for variable in variables {
        named.entry(&variable.name).or_default().push(variable);
    }
    named
}

/// Arguments and locals of two backtraces through the same functions.
fn frames(a: &Thread, b: &Thread, list: &mut List) {
    let functions = |thread: &Thread| -> Vec<Option<String>> {
        thread.frames.iter().map(|frame| frame.function.clone()).collect()
    };
    if functions(a) != functions(b) {
        return;
    }
    for (a, b) in a.frames.iter().zip(&b.frames) {
        let function = a.function.as_deref().unwrap_or("?");
        let lead = format!("#{} {function}:", a.index);
        for (a, b) in [(&a.arguments, &b.arguments), (&a.locals, &b.locals)] {
            list.named(&lead, " ", a, b);
        }
    }
}

#[derive(Default)]
struct List {
    changes: Vec<Change>,
    omitted: u64,
}

impl List {
    fn add(&mut self, path: &str, a: Option<String>, b: Option<String>) {
        if self.changes.len() < MOST {
            self.changes.push(Change { name: path.to_string(), a, b });
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    /// Members of `path` that are called the same; of several of one name in their order.
    fn named(&mut self, path: &str, dot: &str, a: &[Variable], b: &[Variable]) {
        let mut left: Vec<&Variable> = b.iter().collect();
        for member in a {
            let index = left.iter().position(|other| other.name == member.name);
            let other = index.map(|index| left.remove(index));
            self.pair(&join(path, dot, member), Some(member), other);
        }
        for member in left {
            self.pair(&join(path, dot, member), None, Some(member));
        }
    }

    fn pair(&mut self, path: &str, a: Option<&Variable>, b: Option<&Variable>) {
        let (Some(x), Some(y)) = (a, b) else {
            self.add(path, a.map(brief), b.map(brief));
            return;
        };
        match (is_array(x), is_array(y)) {
            (true, true) => self.elements(path, x, y),
            (false, false) if !x.children.is_empty() && !y.children.is_empty() => {
                self.named(path, ".", &x.children, &y.children);
            }
            _ if brief(x) != brief(y) => self.add(path, Some(brief(x)), Some(brief(y))),
            _ => {}
        }
    }

    /// Elements index by index; runs of equal ones are compared once.
    fn elements(&mut self, path: &str, a: &Variable, b: &Variable) {
        let (mut a, mut b) = (Runs::new(a), Runs::new(b));
        let mut index = 0_u64;
        loop {
            let (Some((x, x_end)), Some((y, y_end))) = (a.at(index), b.at(index)) else {
                // One is longer, or more of it was left out.
                return;
            };
            let end = x_end.min(y_end);
            let last = end.saturating_sub(1);
            let element = match last > index {
                true => format!("{path}[{index}..{last}]"),
                false => format!("{path}[{index}]"),
            };
            self.pair(&element, Some(x), Some(y));
            index = end;
        }
    }
}

/// The elements of an array, run by run.
struct Runs<'v> {
    elements: std::slice::Iter<'v, Variable>,
    current: Option<(&'v Variable, u64)>,
}

impl<'v> Runs<'v> {
    fn new(array: &'v Variable) -> Runs<'v> {
        let mut elements = array.children.iter();
        let current = elements.next().map(|first| (first, length(first)));
        Runs { elements, current }
    }

    /// The run that holds `index`, with the index behind it; `index` only grows.
    fn at(&mut self, index: u64) -> Option<(&'v Variable, u64)> {
        while let Some((_, end)) = self.current
            && end <= index
        {
            self.current =
                self.elements.next().map(|next| (next, end.saturating_add(length(next))));
        }
        self.current
    }
}

fn length(element: &Variable) -> u64 {
    element.repeats.unwrap_or(1).max(1)
}

fn is_array(variable: &Variable) -> bool {
    variable.children.first().is_some_and(|child| child.name.starts_with('['))
}

/// An anonymous member's members count as those of what is around it.
fn join(path: &str, dot: &str, member: &Variable) -> String {
    match member.name.as_str() {
        "" => path.to_string(),
        name => format!("{path}{dot}{name}"),
    }
}

fn brief(variable: &Variable) -> String {
    if variable.status != Status::Ok {
        return variable.status.text().to_string();
    }
    match &variable.value {
        Some(value) => value.chars().take(LONGEST).collect(),
        None => "{…}".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(name: &str, value: &str) -> Variable {
        Variable { name: name.into(), value: Some(value.into()), ..Variable::default() }
    }

    fn with(name: &str, children: Vec<Variable>) -> Variable {
        Variable { name: name.into(), children, ..Variable::default() }
    }

    fn changes(a: &Variable, b: &Variable) -> Vec<(String, String, String)> {
        let mut list = List::default();
        list.pair("v", Some(a), Some(b));
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        list.changes.into_iter().map(|c| (c.name, text(c.a), text(c.b))).collect()
    }

    fn row(name: &str, a: &str, b: &str) -> (String, String, String) {
        (name.into(), a.into(), b.into())
    }

    #[test]
    fn members_are_named_by_their_path() {
        let value = |x: &str| {
            let inner = with("", vec![leaf("x", x), leaf("y", "2")]);
            with("v", vec![with("s", vec![inner]), leaf("z", "3")])
        };
        assert_eq!(changes(&value("1"), &value("5")), [row("v.s.x", "1", "5")]);
        assert_eq!(changes(&value("1"), &value("1")), []);
        let less = with("v", vec![leaf("z", "3")]);
        assert_eq!(changes(&value("1"), &less), [row("v.s", "{…}", "-")]);
    }

    #[test]
    fn runs_of_equal_elements_are_compared_once() {
        let repeated = |name: &str, value: &str, repeats| Variable {
            repeats: Some(repeats),
            ..leaf(name, value)
        };
        let a = with("v", vec![repeated("[0]", "0", 1000)]);
        let b = with(
            "v",
            vec![repeated("[0]", "0", 500), leaf("[500]", "7"), repeated("[501]", "0", 499)],
        );
        assert_eq!(changes(&a, &b), [row("v[500]", "0", "7")]);
        let c = with("v", vec![repeated("[0]", "1", 1000)]);
        assert_eq!(changes(&a, &c), [row("v[0..999]", "0", "1")]);
    }

    #[test]
    fn value_that_is_not_captured_differs_from_one_that_is() {
        let missing = Variable { status: Status::NotCaptured, ..leaf("v", "") };
        assert_eq!(changes(&leaf("v", "1"), &missing), [row("v", "1", "<not captured>")]);
    }
}
