//! Peripheral registers: by default those and their fields that are not zero, all in full.

use super::super::{PeripheralRegister, RegisterField, Report};
use super::paint::{Ink, Page};

/// One line a register.
pub(super) fn overview(page: &mut Page, report: &Report) {
    let full = page.style().full;
    for peripheral in &report.peripherals {
        let about = match &peripheral.description {
            Some(description) if full => format!(" ({description})"),
            _ => String::new(),
        };
        page.heading(&format!("Peripheral {} at {}{about}", peripheral.name, peripheral.address));
        let shown = |register: &&PeripheralRegister| full || register.value.0 != 0;
        let names = peripheral.registers.iter().map(|register| register.name.chars().count());
        let width = names.max().unwrap_or(0).clamp(4, 32);
        for register in peripheral.registers.iter().filter(shown) {
            let lead = format!("  {:<width$} ", register.name);
            let text = format!("{} {}", register.value, fields(register, full));
            page.wrapped(&lead, Ink::Plain, text.trim_end());
        }
        let zero = peripheral.registers.iter().filter(|register| !shown(register)).count();
        if zero > 0 {
            page.wrapped("  ", Ink::Dim, &format!("{zero} more are 0 (--full shows them)"));
        }
        page.blank();
    }
}

/// `ENABLE 1, CLKSOURCE processor, RELOAD 24999`.
fn fields(register: &PeripheralRegister, full: bool) -> String {
    let shown = register.fields.iter().filter(|field| full || field.value != 0);
    let one = |field: &RegisterField| match &field.meaning {
        Some(meaning) => format!("{} {meaning}", field.name),
        None if field.value < 10 => format!("{} {}", field.name, field.value),
        None => format!("{} 0x{:x}", field.name, field.value),
    };
    shown.map(one).collect::<Vec<_>>().join(", ")
}
