//! The way back out of a system call (CONFIG_USERSPACE, `arch/arm/core/userspace.S`, since 2.0): the
//! assembler code that calls what was asked for leaves on the privileged stack r4, r5, the address of
//! what stands behind them, then the stack pointer and the link register of the user's code. r8 holds
//! where that goes on.

use crate::base::{Address, Memory};
use crate::snapshot::{Register, RegisterSet};

/// Labels of that code.
const DISPATCHERS: &[&str] = &["z_arm_do_syscall", "valid_syscall", "dispatch_syscall"];
/// The instruction that makes a system call: SVC 3.
const SVC: u16 = 0xdf03;

/// The registers of the user's code, when `function` waits for a system call to return and has
/// `registers`.
pub(super) fn caller(
    memory: &dyn Memory,
    function: &str,
    registers: &RegisterSet,
) -> Option<RegisterSet> {
    if !DISPATCHERS.contains(&function) {
        return None;
    }
    let back = Address(registers.core(8)?).without_thumb_bit();
    if memory.read_u16(back.checked_sub(2)?).ok()? != SVC {
        return None;
    }
    let stack = Address(registers.sp()?);
    let behind = Address(memory.read_u32(stack.word(2)).ok()?);
    // One more word lies between for a call that does not exist.
    if behind != stack.word(3) && behind != stack.word(4) {
        return None;
    }
    let mut caller = RegisterSet::default();
    // r6 held the number of the call.
    for number in [4, 5, 7, 9, 10, 11] {
        caller.set(Register::core(number)?, registers.core(number));
    }
    caller.set(Register::SP, memory.read_u32(behind).ok()?);
    caller.set(Register::LR, memory.read_u32(behind.word(1)).ok());
    caller.set(Register::PC, back.0);
    Some(caller)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemoryImage;

    const STACK: u32 = 0x2000_0100;

    fn registers_at(code: u16, words: &[u32]) -> Option<RegisterSet> {
        let mut memory = MemoryImage::default();
        memory.insert(Address(0x8000), code.to_le_bytes().to_vec()).unwrap();
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        memory.insert(Address(STACK), bytes).unwrap();
        let mut registers = RegisterSet::default();
        for number in 4..=11 {
            registers.set(Register::core(number).unwrap(), 100 + u32::from(number));
        }
        registers.set(Register::core(8).unwrap(), 0x8003);
        registers.set(Register::SP, STACK);
        assert_eq!(caller(&memory, "main", &registers), None);
        caller(&memory, "dispatch_syscall", &registers)
    }

    #[test]
    fn users_code_goes_on_behind_its_svc_and_on_its_own_stack() {
        let words = [104, 105, STACK + 12, 0x2000_4000, 0x9001];
        let unknown = [104, 105, STACK + 16, 0x9001, 0x2000_4000, 0x9001];
        for words in [words.as_slice(), &unknown] {
            let user = registers_at(SVC, words).unwrap();
            assert_eq!(
                (user.pc(), user.sp(), user.lr()),
                (Some(0x8002), Some(0x2000_4000), Some(0x9001))
            );
            let known: Vec<_> = (4..=11).map(|number| user.core(number)).collect();
            let expected = [104, 105, 0, 107, 0, 109, 110, 111];
            assert_eq!(known, expected.map(|value| Some(value).filter(|value| *value > 0)));
        }
    }

    #[test]
    fn what_is_laid_out_otherwise_is_left_to_other_methods() {
        let words = [104, 105, STACK + 12, 0x2000_4000, 0x9001];
        assert_eq!(registers_at(0xdf02, &words), None);
        assert_eq!(registers_at(SVC, &[104, 105, STACK + 8, 0x2000_4000, 0x9001]), None);
        assert_eq!(registers_at(SVC, &words[..3]), None);
    }
}
