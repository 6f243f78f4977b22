//! The kernel's objects, one line each.

use super::super::Report;
use super::paint::{Ink, Page};

/// A table of all objects.
pub(super) fn overview(page: &mut Page, report: &Report) {
    if report.kernel_objects.is_empty() {
        return;
    }
    page.heading("Kernel objects");
    let names = report.kernel_objects.iter().map(|object| object.name.chars().count());
    let width = names.max().unwrap_or(0).clamp(4, 32);
    for object in &report.kernel_objects {
        let mut text = format!("{:<18} {}", object.kind, object.state);
        if !object.waiters.is_empty() {
            let waiters = object.waiters.join(", ");
            text = format!("{}, waited for by {waiters}", text.trim_end());
        }
        page.wrapped(&format!("  {:<width$} ", object.name), Ink::Plain, text.trim_end());
    }
    page.blank();
}
