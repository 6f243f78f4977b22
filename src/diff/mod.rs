//! What differs between two dumps: their reports entry by entry, their memory byte by byte.

mod memory;
mod threads;
mod variables;

use crate::report::{
    Change, Difference, Fault, Heap, Notes, Registers, Report, SCHEMA, Severity, Thread,
};
use crate::snapshot::Snapshot;
use crate::symbols::Symbols;

/// One of two dumps.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The dump.
    pub snapshot: &'a Snapshot,
    /// Its report, with globals.
    pub report: &'a Report,
}

/// Compares `a` and `b`. `symbols` are those of both; `None` when the dumps are of different builds:
/// then memory is not compared, since equal addresses mean different things.
pub fn compare(a: Side<'_>, b: Side<'_>, symbols: Option<&Symbols<'_, '_>>) -> Difference {
    let mut notes = Notes::default();
    let same_build = symbols.is_some();
    if !same_build {
        let text = "the dumps are of different builds: variables and threads are compared by name, \
                    memory is not compared";
        notes.add(Severity::Warning, "different_builds", text);
    }
    if a.report.globals.is_empty() && b.report.globals.is_empty() {
        let text = "no variable is known: only registers, threads and memory are compared";
        notes.add(Severity::Warning, "no_variables", text);
    }
    let (variables, variables_omitted) = variables::compare(a.report, b.report);
    let mut difference = Difference {
        schema: SCHEMA,
        same: false,
        title_a: a.report.title.clone(),
        title_b: b.report.title.clone(),
        summary: summary(a.report, b.report),
        fault: fault(a.report.fault.as_ref(), b.report.fault.as_ref()),
        registers: registers(&shown_registers(a), &shown_registers(b)),
        cpu_registers: match (crashed(a.report), crashed(b.report)) {
            (None, None) => Vec::new(),
            _ => registers(&cpu_registers(a), &cpu_registers(b)),
        },
        threads: threads::compare(&a.report.threads, &b.report.threads, same_build),
        heap: heaps(a.report, b.report),
        variables,
        variables_omitted,
        memory: symbols.map(|symbols| memory::compare(a, b, symbols)),
        notes: notes.into_vec(),
    };
    difference.same = is_empty(&difference);
    difference
}

fn is_empty(difference: &Difference) -> bool {
    let Difference { summary, fault, registers, cpu_registers, heap, variables, .. } = difference;
    let Difference { threads, memory, .. } = difference;
    let memory_same = memory
        .as_ref()
        .is_none_or(|m| m.changed == 0 && m.only_a.is_empty() && m.only_b.is_empty());
    let lists = [summary, fault, registers, cpu_registers, heap, variables];
    lists.iter().all(|list| list.is_empty()) && threads.is_empty() && memory_same
}

/// A change, unless both are equal.
fn change(name: &str, a: Option<String>, b: Option<String>) -> Option<Change> {
    (a != b).then(|| Change { name: name.to_string(), a, b })
}

fn summary(a: &Report, b: &Report) -> Vec<Change> {
    let entries = |report: &Report| {
        let device = &report.device;
        [
            ("title", Some(report.title.clone())),
            ("category", Some(format!("{:?}", report.category))),
            ("cause", Some(report.cause.summary.clone())),
            ("serial", device.serial.clone()),
            ("software type", device.software_type.clone()),
            ("software version", device.software_version.clone()),
            ("hardware version", device.hardware_version.clone()),
            ("build ID", device.build_id.clone()),
            ("core", device.core.clone()),
            ("RTOS", device.rtos.clone()),
        ]
    };
    let both = entries(a).into_iter().zip(entries(b));
    both.filter_map(|((name, a), (_, b))| change(name, a, b)).collect()
}

fn fault(a: Option<&Fault>, b: Option<&Fault>) -> Vec<Change> {
    let text = |fault: Option<&Fault>, name: &str| {
        let fault = fault?;
        let (_, value) = fault.registers.0.iter().find(|(known, _)| known == name)?;
        let bits = fault.bits.iter().filter(|bit| bit.register == name);
        let bits: String = bits.map(|bit| format!(" {}", bit.name)).collect();
        Some(format!("{value}{bits}"))
    };
    let mut changes = Vec::new();
    let active = |fault: Option<&Fault>| fault?.active_exception.clone();
    changes.extend(change("exception", active(a), active(b)));
    let exc_return = |fault: Option<&Fault>| fault?.exc_return.clone();
    changes.extend(change("EXC_RETURN", exc_return(a), exc_return(b)));
    let names = |fault: Option<&Fault>| -> Vec<String> {
        fault.iter().flat_map(|f| &f.registers.0).map(|(name, _)| name.to_string()).collect()
    };
    for name in union(names(a), names(b)) {
        changes.extend(change(&name, text(a, &name), text(b, &name)));
    }
    changes
}

/// The names of `a`, then those that only `b` has.
fn union(mut a: Vec<String>, b: Vec<String>) -> Vec<String> {
    for name in b {
        if !a.contains(&name) {
            a.push(name);
        }
    }
    a
}

/// Where the crash happened; without one, those of the CPU.
fn shown_registers(side: Side<'_>) -> Registers {
    match crashed(side.report) {
        Some(thread) => thread.registers.clone(),
        None => cpu_registers(side),
    }
}

fn cpu_registers(side: Side<'_>) -> Registers {
    side.snapshot.registers.iter().map(|(register, value)| (register.name(), value)).collect()
}

fn heaps(a: &Report, b: &Report) -> Vec<Change> {
    let figures = |report: &Report| -> Vec<(String, Option<String>)> {
        let of_heap = |heap: &Heap| {
            let number = |value: Option<u64>| value.map(|value| value.to_string());
            let corrupt = Some(heap.corruption.len().to_string());
            [
                ("size", number(heap.size)),
                ("used", number(heap.used)),
                ("blocks", number(heap.blocks.map(u64::from))),
                ("largest free", number(heap.largest_free)),
                ("most used", number(heap.high_water)),
                ("corruptions", corrupt),
            ]
            .map(|(figure, value)| (format!("{}: {figure}", heap.name), value))
        };
        report.heap.iter().flat_map(of_heap).collect()
    };
    let (a, b) = (figures(a), figures(b));
    let names = |figures: &[(String, Option<String>)]| -> Vec<String> {
        figures.iter().map(|(name, _)| name.clone()).collect()
    };
    let value = |figures: &[(String, Option<String>)], name: &str| {
        figures.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone())
    };
    let names = union(names(&a), names(&b));
    names.iter().filter_map(|name| change(name, value(&a, name), value(&b, name))).collect()
}

fn crashed(report: &Report) -> Option<&Thread> {
    report.threads.iter().find(|thread| thread.crashed)
}

fn registers(a: &Registers, b: &Registers) -> Vec<Change> {
    let names = |registers: &Registers| -> Vec<String> {
        registers.0.iter().map(|(name, _)| name.to_string()).collect()
    };
    let text = |registers: &Registers, name: &str| {
        let (_, value) = registers.0.iter().find(|(known, _)| known == name)?;
        Some(value.to_string())
    };
    let names = union(names(a), names(b));
    names.iter().filter_map(|name| change(name, text(a, name), text(b, name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{FaultBit, Hex32};

    #[test]
    fn fault_registers_tell_their_bits() {
        let fault_with = |value, bit: &str| Fault {
            registers: [("CFSR", value), ("HFSR", 0)].into_iter().collect(),
            bits: vec![FaultBit {
                register: "CFSR".into(),
                name: bit.into(),
                meaning: String::new(),
            }],
            ..Fault::default()
        };
        let (a, b) = (fault_with(2, "DACCVIOL"), fault_with(0x200, "PRECISERR"));
        let changes = fault(Some(&a), Some(&b));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].a.as_deref(), Some("0x00000002 DACCVIOL"));
        assert_eq!(changes[0].b.as_deref(), Some("0x00000200 PRECISERR"));
        let gone = fault(Some(&a), None);
        assert_eq!(gone.len(), 2, "each register by name");
        assert_eq!(gone[1].b, None);
        assert!(fault(Some(&a), Some(&a)).is_empty());
    }

    #[test]
    fn register_that_only_one_side_knows_is_a_change() {
        let set = |names: &[&'static str]| {
            Registers(names.iter().map(|name| ((*name).into(), Hex32(1))).collect())
        };
        let changes = registers(&set(&["r0", "r1"]), &set(&["r1", "msp"]));
        let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
        assert_eq!(names, ["r0", "msp"]);
    }
}
