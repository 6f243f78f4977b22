//! Where a frame executes: an instruction address and a return address are different types.

use crate::base::Address;

/// The program counter of a frame, and what it points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeAddress {
    /// The instruction that was about to execute or that faulted.
    Instruction(Address),
    /// The instruction after a call. It may belong to the next line, the next inlined call or,
    /// after a call that does not return, the next function.
    Return(Address),
}

impl CodeAddress {
    /// The address as a register or the stack holds it, with the Thumb bit cleared.
    pub fn address(self) -> Address {
        match self {
            CodeAddress::Instruction(address) | CodeAddress::Return(address) => {
                address.without_thumb_bit()
            }
        }
    }

    /// The address to look up lines, scopes, unwind rules and location lists with: inside the
    /// call for a return address. This is the only place that subtracts.
    pub fn lookup(self) -> Address {
        match self {
            CodeAddress::Instruction(_) => self.address(),
            CodeAddress::Return(_) => Address(self.address().0.saturating_sub(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_of_return_address_is_inside_the_call() {
        assert_eq!(CodeAddress::Return(Address(0x1001)).lookup(), Address(0xfff));
        assert_eq!(CodeAddress::Instruction(Address(0x1001)).lookup(), Address(0x1000));
        assert_eq!(CodeAddress::Return(Address(0)).lookup(), Address(0));
    }
}
