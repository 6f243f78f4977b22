//! What a dump tells without saying where it stood: found with the help of the ELF.

use crate::base::{Address, AddressRange, Memory};
use crate::rtos;
use crate::snapshot::{Register, RegisterSet, Snapshot};
use crate::symbols::SymbolFile;

/// Registers that hardware pushes, in this order. DDI 0403E B1.5.6.
const PUSHED: [&str; 8] = ["r0", "r1", "r2", "r3", "r12", "lr", "pc", "xpsr"];
/// Largest stack that is searched, in bytes.
const STACK_LIMIT: usize = 1 << 20;

/// The snapshot with the kernel's own objects in memory; `None` when it tells of none.
pub(super) fn with_kernel(snapshot: &Snapshot, files: &[SymbolFile<'_>]) -> Option<Snapshot> {
    let object = snapshot.kernel_object.as_deref();
    if object.is_none() && snapshot.current_thread.is_none() {
        return None;
    }
    let (file, kernel) = files.iter().find_map(|file| Some((file, rtos::recognize(file)?)))?;
    let mut placed = snapshot.clone();
    for (address, bytes) in kernel.place(object, snapshot.current_thread, file) {
        // Nothing can be placed beyond the end of memory; what was captured stays.
        let _ = placed.memory.insert(address, bytes);
    }
    Some(placed)
}

/// The stack pointer at a crash of which only the pushed registers are known: they are searched
/// on the thread's stack.
pub(super) fn stack_pointer(
    registers: &RegisterSet,
    stack: AddressRange,
    memory: &dyn Memory,
) -> Option<u32> {
    let mut pushed = Vec::new();
    for name in PUSHED {
        pushed.extend(registers.get(Register::from_name(name)?)?.to_le_bytes());
    }
    let bytes = memory.read_range(stack, STACK_LIMIT).ok()?;
    // The last one: copies that the kernel made lie below it.
    let words = bytes.len() / 4;
    let index = (0..words).rev().find(|index| {
        bytes.get(index.saturating_mul(4)..).is_some_and(|rest| rest.starts_with(&pushed))
    })?;
    let frame = stack.start().word(u32::try_from(index).ok()?);
    // Bit 9 of the stacked xPSR: a word of padding lies above the frame.
    let padded = registers.get(Register::XPSR)? & (1 << 9) != 0;
    frame.checked_add(if padded { 0x24 } else { 0x20 }).map(|Address(sp)| sp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    #[test]
    fn stack_pointer_is_above_the_frame_with_these_registers() {
        let mut registers = RegisterSet::default();
        for (name, value) in PUSHED.iter().zip(1..) {
            registers.set(Register::from_name(name).unwrap(), value);
        }
        let stack = AddressRange::new(Address(0x2000_0000), 0x80).unwrap();
        let mut words = [0_u32; 32];
        words[10..18].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let memory = MemoryImage::of_words(stack.start().0, &words);
        assert_eq!(stack_pointer(&registers, stack, &memory), Some(0x2000_0048));
        registers.set(Register::PC, 70);
        assert_eq!(stack_pointer(&registers, stack, &memory), None);
    }
}
