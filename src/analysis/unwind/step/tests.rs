//! Unwind tables that no compiler wrote.

use super::*;
use crate::arch::cortex_m::system::SystemState;
use crate::snapshot::MemoryImage;
use crate::symbols::Symbols;

#[test]
fn offsets_at_the_ends_of_the_number_range_wrap() {
    let mut memory = MemoryImage::default();
    memory.insert(Address(0), vec![1; 64]).unwrap();
    let system = SystemState::default();
    let symbols = Symbols::default();
    let environment = Environment::bare(&memory, &symbols, &system, 16);
    let registers: RegisterSet = [(Register::SP, 0x20)].into_iter().collect();
    let pc = CodeAddress::Instruction(Address(0x100));
    let frame = UnwoundFrame::new(pc, registers, FoundBy::Registers);
    for offset in [i64::MAX, i64::MIN, -1, 4] {
        // d8 and LR, counted from CFA; CFA from SP.
        let rules = vec![
            (264, RegisterRule::Offset(offset)),
            (14, RegisterRule::Offset(offset)),
            (13, RegisterRule::ValOffset(offset)),
        ];
        let row = UnwindRow {
            cfa: CfaRule::Register(STACK_POINTER, offset),
            rules,
            return_register: 14,
            function_start: Address(0x100),
        };
        let found = by_cfi(&frame, &row, &environment).unwrap();
        assert_eq!(found.cfa, Address(0x20).wrapping_add(offset));
    }
}
