//! Whole functions as instructions, each with its source line.

use super::Inspector;
use crate::base::Address;
use crate::report::Instruction;
#[cfg(feature = "disasm")]
use crate::symbols::CodeAddress;
use std::sync::Arc;

/// An instruction, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeLine {
    /// The instruction.
    pub instruction: Instruction,
    /// Its source file as the debug information names it.
    pub file: Option<Arc<str>>,
    /// Its line, from 1.
    pub line: Option<u32>,
}

impl Inspector<'_, '_> {
    /// The instructions of the function around `at`, `current` on the one at `at`. Empty where there
    /// is no code, and in a build without a disassembler.
    #[cfg(feature = "disasm")]
    pub fn code(&self, at: Address) -> Vec<CodeLine> {
        let environment = self.core.environment();
        let instructions = super::super::disassembly::function(&environment, at);
        let mut last: Option<Arc<str>> = None;
        let lines = instructions.into_iter().map(|instruction| {
            let address = CodeAddress::Instruction(Address(instruction.address.0));
            let location = self.core.symbols.line_at(address);
            let line = location.as_ref().and_then(|location| location.line);
            let file = location.map(|location| match &last {
                Some(known) if **known == *location.file => Arc::clone(known),
                _ => Arc::from(location.file),
            });
            last.clone_from(&file);
            CodeLine { instruction, file, line }
        });
        lines.collect()
    }

    /// Without a disassembler there is nothing to show.
    #[cfg(not(feature = "disasm"))]
    pub fn code(&self, _: Address) -> Vec<CodeLine> {
        Vec::new()
    }
}
