//! The target description: which registers there are, and how they lie in GDB's packets.
//!
//! GDB manual, appendix G.5.2 (Arm features). The names are those that GDB, QEMU and OpenOCD
//! use; a feature that lacks one of its required registers would make GDB refuse the description.

use std::fmt::Write as _;

use super::threads::Thread;
use crate::snapshot::{Register, RegisterSet};

/// Registers that stand behind XPSR have this number in every server that GDB knows.
const XPSR_NUMBER: u32 = 25;
/// The stack pointers of one sort: the current one, the secure and the non-secure one.
const BANKED: [[&str; 3]; 2] = [["msp", "msp_s", "msp_ns"], ["psp", "psp_s", "psp_ns"]];

/// What GDB calls `org.gnu.gdb.arm.…`: name, registers without which it is left out, others.
struct Feature {
    name: &'static str,
    required: &'static [&'static str],
    others: &'static [&'static str],
}

const SYSTEM_FEATURES: [Feature; 2] = [
    Feature {
        name: "m-system",
        required: &["msp", "psp"],
        others: &["primask", "basepri", "faultmask", "control", "msplim", "psplim"],
    },
    Feature {
        name: "secext",
        required: &["msp_ns", "msp_s", "psp_ns", "psp_s"],
        others: &[
            "msplim_s",
            "psplim_s",
            "msplim_ns",
            "psplim_ns",
            "primask_s",
            "basepri_s",
            "faultmask_s",
            "control_s",
            "primask_ns",
            "basepri_ns",
            "faultmask_ns",
            "control_ns",
        ],
    },
];

/// The description, and the 32-bit words of the packet in their order.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) xml: String,
    /// A double-precision register is two words.
    words: Vec<Register>,
}

impl Description {
    /// For `threads`, whose stack pointers are filled in from `cpu` where they follow from it.
    pub(super) fn of(threads: &mut [Thread], cpu: &RegisterSet) -> Description {
        for thread in &mut *threads {
            fill_stack_pointers(&mut thread.registers, cpu);
        }
        let known_by = |test: &dyn Fn(&RegisterSet) -> bool| {
            threads.iter().any(|thread| test(&thread.registers))
        };
        let known_by_all = |names: &[&str]| {
            let registers: Vec<Register> =
                names.iter().filter_map(|n| Register::from_name(n)).collect();
            let all = |set: &RegisterSet| registers.iter().all(|r| set.get(*r).is_some());
            !threads.is_empty() && threads.iter().all(|thread| all(&thread.registers))
        };
        let mut writer = Writer::default();
        writer.core();
        if known_by(&|set| set.iter().any(|(register, _)| is_float(register))) {
            writer.float();
        }
        for feature in &SYSTEM_FEATURES {
            if known_by_all(feature.required) {
                let known = |name: &&&str| {
                    let register = Register::from_name(name);
                    register.is_some_and(|r| known_by(&|set| set.get(r).is_some()))
                };
                let others: Vec<&str> = feature.others.iter().filter(known).copied().collect();
                writer.system(feature.name, feature.required, &others);
            }
        }
        writer.finish()
    }

    /// The registers as a packet has them; what is not known is `None`.
    pub(super) fn bytes(&self, registers: &RegisterSet) -> Vec<Option<u8>> {
        let word = |register: &Register| match registers.get(*register) {
            Some(value) => value.to_le_bytes().map(Some),
            None => [None; 4],
        };
        self.words.iter().flat_map(word).collect()
    }
}

fn is_float(register: Register) -> bool {
    register == Register::FPSCR || (0..32).any(|n| Register::single(n) == Some(register))
}

/// MSP and PSP belong to the CPU; a thread that was switched out runs on PSP when it returns, one
/// in a handler on MSP. GDB unwinds exceptions with them and wants both.
fn fill_stack_pointers(registers: &mut RegisterSet, cpu: &RegisterSet) {
    let in_handler = registers.get(Register::XPSR).is_some_and(|xpsr| xpsr & 0x1ff != 0);
    let own = if in_handler { Register::MSP } else { Register::PSP };
    for names in BANKED {
        let [Some(plain), Some(secure), Some(non_secure)] = names.map(Register::from_name) else {
            continue;
        };
        if registers.get(plain).is_none() {
            let value = if plain == own { registers.sp() } else { cpu.get(plain) };
            registers.set(plain, value);
        }
        // The plain name is another name for one of the banked ones.
        for banked in [secure, non_secure] {
            if registers.get(banked).is_none() {
                let is_alias = cpu.get(banked).is_some() && cpu.get(banked) == cpu.get(plain);
                let value = if is_alias { registers.get(plain) } else { cpu.get(banked) };
                registers.set(banked, value);
            }
        }
    }
    for (register, value) in cpu.iter() {
        let is_special =
            SYSTEM_FEATURES.iter().flat_map(|f| f.others).any(|n| *n == register.name());
        if is_special && registers.get(register).is_none() {
            registers.set(register, value);
        }
    }
}

#[derive(Default)]
struct Writer {
    features: String,
    words: Vec<Register>,
    next: u32,
}

impl Writer {
    fn core(&mut self) {
        self.open("m-profile");
        for number in 0..16 {
            let kind = match number {
                13 => "data_ptr",
                15 => "code_ptr",
                _ => "uint32",
            };
            let Some(register) = Register::core(number) else { continue };
            self.register(register.name(), 32, kind, &[register]);
        }
        self.next = XPSR_NUMBER;
        self.register("xpsr", 32, "uint32", &[Register::XPSR]);
        self.close();
    }

    fn float(&mut self) {
        self.open("vfp");
        for number in 0_u8..16 {
            let low = number.saturating_mul(2);
            let halves = [Register::single(low), Register::single(low.saturating_add(1))];
            let [Some(low), Some(high)] = halves else { continue };
            self.register(&format!("d{number}"), 64, "ieee_double", &[low, high]);
        }
        self.register("fpscr", 32, "uint32", &[Register::FPSCR]);
        self.close();
    }

    fn system(&mut self, feature: &str, required: &[&str], others: &[&str]) {
        self.open(feature);
        for name in required.iter().chain(others) {
            let Some(register) = Register::from_name(name) else { continue };
            let kind = if name.contains("sp") { "data_ptr" } else { "uint32" };
            self.register(name, 32, kind, &[register]);
        }
        self.close();
    }

    fn open(&mut self, feature: &str) {
        let _ = writeln!(self.features, "<feature name=\"org.gnu.gdb.arm.{feature}\">");
    }

    fn close(&mut self) {
        self.features.push_str("</feature>\n");
    }

    fn register(&mut self, name: &str, bits: u32, kind: &str, words: &[Register]) {
        let number = self.next;
        let _ = writeln!(
            self.features,
            "<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{kind}\" regnum=\"{number}\"/>"
        );
        self.next = number.saturating_add(1);
        self.words.extend(words);
    }

    fn finish(self) -> Description {
        let xml = format!(
            "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n\
             <target version=\"1.0\">\n<architecture>arm</architecture>\n\
             <feature name=\"mflt.dump\"/>\n{}</target>\n",
            self.features
        );
        Description { xml, words: self.words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn thread(registers: RegisterSet) -> Thread {
        Thread { id: NonZeroUsize::MIN, registers, label: String::new() }
    }

    fn set(pairs: &[(&str, u32)]) -> RegisterSet {
        let known = |(name, value): &(&str, u32)| (Register::from_name(name).unwrap(), *value);
        pairs.iter().map(known).collect()
    }

    #[test]
    fn core_registers_alone_are_seventeen_words() {
        let mut threads = [thread(set(&[("r0", 1), ("xpsr", 0x0100_0000)]))];
        let description = Description::of(&mut threads, &RegisterSet::default());
        let bytes = description.bytes(&threads[0].registers);
        assert_eq!(bytes.len(), 17 * 4);
        assert_eq!(bytes[..5], [Some(1), Some(0), Some(0), Some(0), None]);
        assert!(!description.xml.contains("m-system") && !description.xml.contains("vfp"));
    }

    #[test]
    fn switched_out_thread_gets_its_own_psp_and_its_alias() {
        let cpu = set(&[
            ("sp", 0x100),
            ("msp", 0x100),
            ("psp", 0x200),
            ("msp_s", 0x900),
            ("psp_s", 0x908),
            ("msp_ns", 0x100),
            ("psp_ns", 0x200),
            ("control_s", 2),
        ]);
        let mut threads = [thread(cpu.clone()), thread(set(&[("sp", 0x300)]))];
        let description = Description::of(&mut threads, &cpu);
        let get = |name| threads[1].registers.get(Register::from_name(name).unwrap());
        assert_eq!(
            (get("psp"), get("psp_ns"), get("psp_s")),
            (Some(0x300), Some(0x300), Some(0x908))
        );
        assert_eq!(
            (get("msp"), get("msp_ns"), get("msp_s")),
            (Some(0x100), Some(0x100), Some(0x900))
        );
        assert!(description.xml.contains("org.gnu.gdb.arm.secext"));
        assert!(description.xml.contains("control_s") && !description.xml.contains("basepri"));
    }

    #[test]
    fn every_register_of_a_feature_is_known() {
        for feature in &SYSTEM_FEATURES {
            for name in feature.required.iter().chain(feature.others) {
                assert_eq!(Register::from_name(name).map(Register::name), Some(*name));
            }
        }
        assert!(BANKED.iter().flatten().all(|name| Register::from_name(name).is_some()));
    }

    #[test]
    fn float_registers_are_pairs_of_words() {
        let mut threads = [thread(set(&[("s3", 7)]))];
        let description = Description::of(&mut threads, &RegisterSet::default());
        let bytes = description.bytes(&threads[0].registers);
        assert_eq!(bytes.len(), (17 + 32 + 1) * 4);
        assert_eq!(bytes[(17 + 3) * 4], Some(7));
    }
}
