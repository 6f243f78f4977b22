//! Sentences by which Zephyr names the bits of its fault status registers.

/// Register that a sentence is about, with its bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// CFSR (DDI 0403E B3.2.15).
    Cfsr(u8),
    /// HFSR (DDI 0403E B3.2.16).
    Hfsr(u8),
    /// SFSR (DDI 0553 D1.2).
    Sfsr(u8),
}
use Status::{Cfsr, Hfsr, Sfsr};

/// Headings: what stands below is about this fault.
pub(super) const HEADINGS: [(&str, Heading); 5] = [
    ("***** MPU FAULT", Heading::Memory),
    ("***** BUS FAULT", Heading::Bus),
    ("***** USAGE FAULT", Heading::Usage),
    ("***** SECURE FAULT", Heading::Secure),
    ("***** HARD FAULT", Heading::Hard),
];

/// Which fault is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heading {
    Memory,
    Bus,
    Usage,
    Secure,
    Hard,
}

/// Heading, beginning of the sentence, bit.
pub(super) const SENTENCES: [(Heading, &str, Status); 28] = [
    (Heading::Memory, "Instruction Access Violation", Cfsr(0)),
    (Heading::Memory, "Data Access Violation", Cfsr(1)),
    (Heading::Memory, "Unstacking error", Cfsr(3)),
    (Heading::Memory, "Stacking error", Cfsr(4)),
    (Heading::Memory, "Floating-point lazy state", Cfsr(5)),
    (Heading::Bus, "Instruction bus error", Cfsr(8)),
    (Heading::Bus, "Precise data bus error", Cfsr(9)),
    (Heading::Bus, "Imprecise data bus error", Cfsr(10)),
    (Heading::Bus, "Unstacking error", Cfsr(11)),
    (Heading::Bus, "Stacking error", Cfsr(12)),
    (Heading::Bus, "Floating-point lazy state", Cfsr(13)),
    (Heading::Usage, "Attempt to execute undefined instruction", Cfsr(16)),
    (Heading::Usage, "Illegal use of the EPSR", Cfsr(17)),
    (Heading::Usage, "Illegal load of EXC_RETURN into PC", Cfsr(18)),
    (Heading::Usage, "No coprocessor instructions", Cfsr(19)),
    (Heading::Usage, "Stack overflow", Cfsr(20)),
    (Heading::Usage, "Unaligned memory access", Cfsr(24)),
    (Heading::Usage, "Division by zero", Cfsr(25)),
    (Heading::Hard, "Bus fault on vector table read", Hfsr(1)),
    (Heading::Hard, "Fault escalation", Hfsr(30)),
    (Heading::Hard, "Debug event", Hfsr(31)),
    (Heading::Secure, "Invalid entry point", Sfsr(0)),
    (Heading::Secure, "Invalid integrity signature", Sfsr(1)),
    (Heading::Secure, "Invalid exception return", Sfsr(2)),
    (Heading::Secure, "Attribution unit violation", Sfsr(3)),
    (Heading::Secure, "Invalid transition", Sfsr(4)),
    (Heading::Secure, "Lazy state preservation", Sfsr(5)),
    (Heading::Secure, "Lazy state error", Sfsr(7)),
];

/// Fatal errors that 1.14 prints in words only, with the code that later versions give them.
pub(super) const FATAL_ERRORS: [(&str, u32); 4] = [
    ("***** Stack Check Fail", 2),
    ("***** Kernel OOPS", 3),
    ("***** Kernel Panic", 4),
    ("Spurious interrupt", 1),
];
