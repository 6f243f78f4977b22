//! Exceptions and interrupts as the report lists them: with the names of their handlers.

use super::Core;
use super::unwind::Context;
use crate::arch::cortex_m::exception;
use crate::arch::cortex_m::interrupts::{self, ExceptionState};
use crate::base::Address;
use crate::report::{Exception, Interrupts, SysTick};

/// First exception number of an external interrupt.
const FIRST_LINE: u16 = 16;

/// What the dump holds about exceptions; `None` when it is nothing.
pub(super) fn list(core: &Core<'_, '_>, contexts: &[Context]) -> Option<Interrupts> {
    let nested: Vec<u16> = contexts.iter().map(|c| c.exception).filter(|n| *n != 0).collect();
    let registers = &core.snapshot.registers;
    let found = interrupts::Interrupts::read(&core.memory, &core.system, registers, &nested)?;
    // A stack may be lost: what the registers call active comes behind what was found on it.
    let mut active = nested;
    for state in found.exceptions.iter().filter(|state| state.active == Some(true)) {
        if !active.contains(&state.number) {
            active.push(state.number);
        }
    }
    let exceptions = found.exceptions.iter().map(|state| listed(state, &found, core)).collect();
    Some(Interrupts {
        active: active.into_iter().map(exception::name).collect(),
        masks: found.masks.iter().copied().collect(),
        vector_table: found.vector_table.map(Into::into),
        lines: found.lines,
        priority_group: found.priority_group,
        priority_bits: found.priority_bits,
        exceptions,
        systick: found.systick.map(|systick| SysTick {
            enabled: systick.enabled,
            interrupt: systick.interrupt,
            clock: if systick.processor_clock { "processor" } else { "external" }.to_string(),
            reload: systick.reload,
            current: systick.current,
        }),
        not_captured: found.missing.iter().map(|name| name.to_string()).collect(),
    })
}

fn listed(state: &ExceptionState, all: &interrupts::Interrupts, core: &Core<'_, '_>) -> Exception {
    let name = |address: Address| {
        let address = address.without_thumb_bit();
        let symbol = core.symbols.symbol_at(address).filter(|(_, offset)| *offset == 0);
        symbol.map(|(symbol, _)| symbol.readable().into_owned())
    };
    let vector = state.vector.map(Address);
    let security = state.non_secure.map(|non_secure| match non_secure {
        true => "non-secure".to_string(),
        false => "secure".to_string(),
    });
    Exception {
        number: state.number,
        name: exception::name(state.number),
        handler: vector.and_then(|at| name(at).or_else(|| (at.0 != 0).then(|| at.to_string()))),
        service_routine: service_routine(state, core).and_then(name),
        enabled: state.enabled,
        pending: state.pending,
        active: state.active,
        priority: state.priority,
        group_priority: state.priority.map(|priority| all.group_priority(priority)),
        security,
        blocked_by: state.blocked_by.clone(),
    }
}

/// What the kernel calls for an interrupt, when the vector is its own dispatcher.
fn service_routine(state: &ExceptionState, core: &Core<'_, '_>) -> Option<Address> {
    let line = state.number.checked_sub(FIRST_LINE)?;
    let (kernel, file) = core.kernel.zip(core.kernel_file)?;
    kernel.service_routine(&core.memory, file, state.vector.map(Address)?, line)
}

#[cfg(test)]
mod tests {
    use crate::analysis::tests::report;
    use crate::report::Interrupts;

    fn interrupts(board: &str, case: &str) -> Interrupts {
        report(board, case).interrupts.unwrap()
    }

    // Interrupt 20 at priority 0x40 and SysTick every millisecond: fixtures/firmware/src/kernel.c.
    #[test]
    fn fault_in_an_interrupt_shows_both_with_handlers_and_priorities() {
        for board in ["mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505"] {
            let found = interrupts(board, "irq");
            assert_eq!(found.active, ["BusFault", "IRQ 20"], "{board}");
            let line = found.exceptions.iter().find(|e| e.number == 36).unwrap();
            assert_eq!(line.handler.as_deref(), Some("_isr_wrapper"));
            assert_eq!(line.service_routine.as_deref(), Some("irq_entry"));
            assert_eq!(
                (line.priority, line.enabled, line.active),
                (Some(0x40), Some(true), Some(true))
            );
            assert!(found.systick.unwrap().enabled);
            assert!(!found.not_captured.iter().any(|name| name.starts_with("NVIC")));
        }
        let found = interrupts("microbit", "irq");
        assert_eq!(found.active, ["HardFault", "IRQ 20"]);
        assert_eq!((found.lines, found.priority_bits), (Some(32), Some(2)));
        assert!(found.exceptions.iter().all(|e| e.number != 4), "no MemManage on Armv6-M");
    }
}
