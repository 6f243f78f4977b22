//! Cortex-M registers by the names the Arm manuals give them, each known or unknown.

use std::fmt;

/// A register of a Cortex-M core that a snapshot may hold.
///
/// Names as in the Armv7-M (DDI 0403) and Armv8-M (DDI 0553) Architecture Reference Manuals,
/// spelt in lower case as GDB's target descriptions do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register(u8);

const NAMES: [&str; Register::COUNT] = [
    "r0",
    "r1",
    "r2",
    "r3",
    "r4",
    "r5",
    "r6",
    "r7",
    "r8",
    "r9",
    "r10",
    "r11",
    "r12",
    "sp",
    "lr",
    "pc",
    "xpsr",
    "msp",
    "psp",
    "primask",
    "basepri",
    "faultmask",
    "control",
    "msplim",
    "psplim",
    "msp_s",
    "psp_s",
    "msplim_s",
    "psplim_s",
    "primask_s",
    "basepri_s",
    "faultmask_s",
    "control_s",
    "msp_ns",
    "psp_ns",
    "msplim_ns",
    "psplim_ns",
    "primask_ns",
    "basepri_ns",
    "faultmask_ns",
    "control_ns",
    "fpscr",
    "vpr",
    "s0",
    "s1",
    "s2",
    "s3",
    "s4",
    "s5",
    "s6",
    "s7",
    "s8",
    "s9",
    "s10",
    "s11",
    "s12",
    "s13",
    "s14",
    "s15",
    "s16",
    "s17",
    "s18",
    "s19",
    "s20",
    "s21",
    "s22",
    "s23",
    "s24",
    "s25",
    "s26",
    "s27",
    "s28",
    "s29",
    "s30",
    "s31",
];

impl Register {
    /// Number of registers known here.
    pub const COUNT: usize = 75;
    /// First general-purpose register.
    pub const R0: Register = Register(0);
    /// Intra-procedure-call scratch register.
    pub const R12: Register = Register(12);
    /// The current stack pointer.
    pub const SP: Register = Register(13);
    /// The link register.
    pub const LR: Register = Register(14);
    /// The program counter.
    pub const PC: Register = Register(15);
    /// APSR, IPSR and EPSR as one.
    pub const XPSR: Register = Register(16);
    /// Main stack pointer.
    pub const MSP: Register = Register(17);
    /// Process stack pointer.
    pub const PSP: Register = Register(18);
    /// Bit 0 masks all configurable exceptions.
    pub const PRIMASK: Register = Register(19);
    /// Masks exceptions of its priority and below; 0 masks none.
    pub const BASEPRI: Register = Register(20);
    /// Bit 0 masks all exceptions but NMI.
    pub const FAULTMASK: Register = Register(21);
    /// Bit 0 nPRIV, bit 1 SPSEL, bit 2 FPCA, bit 3 SFPA.
    pub const CONTROL: Register = Register(22);
    /// Main stack limit (Armv8-M).
    pub const MSPLIM: Register = Register(23);
    /// Process stack limit (Armv8-M).
    pub const PSPLIM: Register = Register(24);
    /// Secure main stack pointer (Armv8-M with the Security Extension).
    pub const MSP_S: Register = Register(25);
    /// Secure process stack pointer.
    pub const PSP_S: Register = Register(26);
    /// Secure CONTROL.
    pub const CONTROL_S: Register = Register(32);
    /// Non-secure main stack pointer.
    pub const MSP_NS: Register = Register(33);
    /// Non-secure process stack pointer.
    pub const PSP_NS: Register = Register(34);
    /// Non-secure CONTROL.
    pub const CONTROL_NS: Register = Register(40);
    /// Floating-point status and control.
    pub const FPSCR: Register = Register(41);
    /// First single-precision register; `d0` is `s0` (low half) and `s1`.
    pub const S0: Register = Register(43);

    /// General register `number`: 0 to 15, where 13 is SP, 14 LR and 15 PC.
    pub fn core(number: u8) -> Option<Register> {
        (number < 16).then_some(Register(number))
    }

    /// Single-precision register `number`, 0 to 31.
    pub fn single(number: u8) -> Option<Register> {
        (number < 32).then(|| Register(Register::S0.0.saturating_add(number)))
    }

    /// Stack pointers by name, their limits, masks and CONTROL, of both worlds: no code changes them
    /// on the way into a function.
    pub fn special() -> impl Iterator<Item = Register> {
        (Register::MSP.0..=Register::CONTROL_NS.0).map(Register)
    }

    /// The register called `name`, in upper or lower case.
    pub fn from_name(name: &str) -> Option<Register> {
        let index = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        u8::try_from(index).ok().map(Register)
    }

    /// The name in lower case.
    pub fn name(self) -> &'static str {
        // Registers are made in this file only, none beyond the table.
        NAMES.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    /// Every register, in the order of this table.
    pub fn all() -> impl Iterator<Item = Register> {
        (0..Register::COUNT as u8).map(Register)
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Values of registers; each is known or it is not.
#[derive(Clone, PartialEq, Eq)]
pub struct RegisterSet {
    values: [Option<u32>; Register::COUNT],
}

impl Default for RegisterSet {
    fn default() -> Self {
        RegisterSet { values: [None; Register::COUNT] }
    }
}

impl RegisterSet {
    /// The value of `register`, when known.
    pub fn get(&self, register: Register) -> Option<u32> {
        self.values.get(usize::from(register.0)).copied().flatten()
    }

    /// Sets or forgets the value of `register`.
    pub fn set(&mut self, register: Register, value: impl Into<Option<u32>>) {
        if let Some(known) = self.values.get_mut(usize::from(register.0)) {
            *known = value.into();
        }
    }

    /// General register `number` (0 to 15), when known.
    pub fn core(&self, number: u8) -> Option<u32> {
        self.get(Register::core(number)?)
    }

    /// Double-precision register `number` (0 to 15), when both halves are known.
    pub fn double(&self, number: u8) -> Option<u64> {
        let low = self.get(Register::single(number.checked_mul(2)?)?)?;
        let high = self.get(Register::single(number.checked_mul(2)?.checked_add(1)?)?)?;
        Some(u64::from(high) << 32 | u64::from(low))
    }

    /// The program counter, when known.
    pub fn pc(&self) -> Option<u32> {
        self.get(Register::PC)
    }

    /// The stack pointer, when known.
    pub fn sp(&self) -> Option<u32> {
        self.get(Register::SP)
    }

    /// The link register, when known.
    pub fn lr(&self) -> Option<u32> {
        self.get(Register::LR)
    }

    /// Whether no value is known.
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }

    /// Every known register with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Register, u32)> + '_ {
        Register::all().filter_map(|register| Some((register, self.get(register)?)))
    }
}

impl fmt::Debug for RegisterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (register, value) in self.iter() {
            map.entry(&register, &format_args!("0x{value:08x}"));
        }
        map.finish()
    }
}

impl FromIterator<(Register, u32)> for RegisterSet {
    fn from_iter<I: IntoIterator<Item = (Register, u32)>>(pairs: I) -> Self {
        let mut set = RegisterSet::default();
        for (register, value) in pairs {
            set.set(register, value);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constant_stands_at_its_name() {
        let expected = [
            (Register::R0, "r0"),
            (Register::R12, "r12"),
            (Register::SP, "sp"),
            (Register::LR, "lr"),
            (Register::PC, "pc"),
            (Register::XPSR, "xpsr"),
            (Register::MSP, "msp"),
            (Register::PSP, "psp"),
            (Register::PRIMASK, "primask"),
            (Register::BASEPRI, "basepri"),
            (Register::FAULTMASK, "faultmask"),
            (Register::CONTROL, "control"),
            (Register::MSPLIM, "msplim"),
            (Register::PSPLIM, "psplim"),
            (Register::MSP_S, "msp_s"),
            (Register::PSP_S, "psp_s"),
            (Register::CONTROL_S, "control_s"),
            (Register::MSP_NS, "msp_ns"),
            (Register::CONTROL_NS, "control_ns"),
            (Register::PSP_NS, "psp_ns"),
            (Register::FPSCR, "fpscr"),
            (Register::S0, "s0"),
        ];
        for (register, name) in expected {
            assert_eq!(register.name(), name);
            assert_eq!(Register::from_name(&name.to_uppercase()), Some(register));
        }
        assert_eq!(Register::single(31).map(Register::name), Some("s31"));
        assert_eq!(Register::all().count(), NAMES.len());
    }

    #[test]
    fn double_joins_two_singles() {
        let mut set = RegisterSet::default();
        set.set(Register::S0, 1);
        assert_eq!(set.double(0), None);
        set.set(Register::single(1).unwrap(), 2);
        assert_eq!(set.double(0), Some(0x2_0000_0001));
        assert_eq!(set.double(16), None);
    }
}
