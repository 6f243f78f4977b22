//! What differs between two dumps, as text for people.

use super::paint::{Ink, Page, Style};
use crate::report::{
    Change, Difference, MemoryChange, MemoryRange, OwnerChange, Severity, ThreadChange, ThreadFate,
};

/// Entries of a list that are shown unless all are wanted.
const FEW: usize = 20;
/// Texts that are longer stand below each other.
const LONG: usize = 36;
/// Widest column of names.
const WIDEST: usize = 40;

/// Renders `difference`; with `style.full` every entry of every list.
pub fn render_difference(difference: &Difference, style: Style) -> String {
    let mut page = Page::new(style);
    page.field("A", Ink::Strong, &difference.title_a);
    page.field("B", Ink::Strong, &difference.title_b);
    page.blank();
    if difference.same {
        page.line(Ink::Plain, "no difference");
        page.blank();
    }
    let summary: Vec<&Change> =
        difference.summary.iter().filter(|change| change.name != "title").collect();
    changes(&mut page, "Summary", &summary);
    changes(&mut page, "Fault", &difference.fault.iter().collect::<Vec<_>>());
    changes(&mut page, "Registers", &difference.registers.iter().collect::<Vec<_>>());
    let cpu: Vec<&Change> = difference.cpu_registers.iter().collect();
    changes(&mut page, "Registers of the CPU as it was stopped", &cpu);
    threads(&mut page, &difference.threads);
    changes(&mut page, "Heap", &difference.heap.iter().collect::<Vec<_>>());
    changes(&mut page, "Variables", &difference.variables.iter().collect::<Vec<_>>());
    if difference.variables_omitted > 0 {
        let text = format!("  … {} more are not listed", difference.variables_omitted);
        page.line(Ink::Dim, &text);
        page.blank();
    }
    if let Some(memory) = &difference.memory {
        self::memory(&mut page, memory);
    }
    for note in &difference.notes {
        let ink = if note.severity == Severity::Error { Ink::Fault } else { Ink::Warning };
        page.field("Note", ink, &note.text);
    }
    page.finish()
}

/// How many entries of `count` are shown.
fn shown(page: &Page, count: usize) -> usize {
    if page.style().full { count } else { FEW }
}

fn rest(page: &mut Page, count: usize) {
    let hidden = count.saturating_sub(shown(page, count));
    if hidden > 0 {
        page.line(Ink::Dim, &format!("  … {hidden} more (--full shows them)"));
    }
    page.blank();
}

fn changes(page: &mut Page, heading: &str, list: &[&Change]) {
    if list.is_empty() {
        return;
    }
    page.heading(&format!("{heading} ({} differ)", list.len()));
    let shown = list.get(..shown(page, list.len())).unwrap_or(list);
    let width = shown.iter().map(|change| change.name.chars().count()).max().unwrap_or(0);
    for one in shown {
        change(page, one, 2, width.min(WIDEST));
    }
    rest(page, list.len());
}

fn change(page: &mut Page, change: &Change, indent: usize, width: usize) {
    let name = &change.name;
    let lead = format!("{:indent$}{name:<width$} ", "");
    let (a, b) = (change.a.as_deref().unwrap_or("-"), change.b.as_deref().unwrap_or("-"));
    if a.chars().count().max(b.chars().count()) <= LONG {
        page.wrapped(&lead, Ink::Plain, &format!("{a} -> {b}"));
    } else {
        let below = " ".repeat(lead.chars().count());
        page.wrapped(&format!("{lead}A "), Ink::Plain, a);
        page.wrapped(&format!("{below}B "), Ink::Plain, b);
    }
}

fn threads(page: &mut Page, list: &[ThreadChange]) {
    if list.is_empty() {
        return;
    }
    page.heading(&format!("Threads ({} differ)", list.len()));
    for thread in list.iter().take(shown(page, list.len())) {
        let what = match thread.change {
            ThreadFate::Appeared => "+ only in B",
            ThreadFate::Gone => "- only in A",
            ThreadFate::Changed => "~",
        };
        page.wrapped(
            &format!("  {what} "),
            Ink::Strong,
            &format!("{} ({})", thread.name, thread.id),
        );
        for detail in &thread.details {
            match (&detail.a, &detail.b) {
                // Of a thread that only one side has this is no change.
                (Some(only), None) | (None, Some(only)) if thread.change != ThreadFate::Changed => {
                    page.wrapped(&format!("      {:<16} ", detail.name), Ink::Plain, only);
                }
                _ => change(page, detail, 6, 16),
            }
        }
    }
    rest(page, list.len());
}

fn memory(page: &mut Page, memory: &MemoryChange) {
    let MemoryChange { compared, changed, owners, omitted, only_a, only_b } = memory;
    if *changed == 0 && only_a.is_empty() && only_b.is_empty() {
        return;
    }
    page.heading(&format!("Memory ({changed} of {compared} bytes differ)"));
    let mut sorted: Vec<&OwnerChange> = owners.iter().collect();
    sorted.sort_by_key(|owner| std::cmp::Reverse(owner.changed));
    for owner in sorted.iter().take(shown(page, owners.len())) {
        let size = owner.size.map_or(String::new(), |size| format!(" of {size}"));
        let part = owner.part.as_ref().map_or(String::new(), |part| format!(" ({part})"));
        let text = format!(
            "{}: {}{size} bytes, first at {}{part}: {} -> {}",
            owner.owner, owner.changed, owner.first, owner.a, owner.b
        );
        page.wrapped("  ", Ink::Plain, &text);
    }
    if *omitted > 0 {
        page.line(Ink::Dim, &format!("  … {omitted} more bytes differ elsewhere"));
    }
    for (name, ranges) in [("A", only_a), ("B", only_b)] {
        only(page, name, ranges);
    }
    rest(page, owners.len());
}

fn only(page: &mut Page, name: &str, ranges: &[MemoryRange]) {
    let Some(first) = ranges.first() else { return };
    let bytes = ranges.iter().map(|range| range.size).fold(0, u64::saturating_add);
    let text = format!("{bytes} bytes in {} ranges, first at {}", ranges.len(), first.start);
    page.wrapped(&format!("  only in {name} "), Ink::Plain, &text);
    if page.style().full {
        for range in ranges {
            page.wrapped("    ", Ink::Plain, &format!("{} {} bytes", range.start, range.size));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_and_long_texts_stand_below_each_other() {
        let one =
            |number: usize| Change { name: format!("v{number}"), a: Some("1".into()), b: None };
        let mut difference = Difference {
            title_a: "x".into(),
            variables: (0..30).map(one).collect(),
            ..Difference::default()
        };
        difference.summary.push(Change {
            name: "cause".into(),
            a: Some("a".repeat(50)),
            b: Some("b".into()),
        });
        let text = render_difference(&difference, Style::default());
        assert!(text.contains("  v19 1 -> -\n  … 10 more (--full shows them)\n"), "{text}");
        assert!(text.contains("  cause A aaaa") && text.contains("\n        B b\n"), "{text}");
        let style = Style { full: true, ..Style::default() };
        assert!(render_difference(&difference, style).contains("v29 1 -> -"));
    }
}
