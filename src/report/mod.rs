//! The report: everything found about a crash, and notes on what could not be found.
//!
//! The names of the fields are a contract (`docs/report-schema.md`): fields are only added,
//! any may be null, enumerations are open. Addresses and register values are strings of ten
//! characters, `"0x2000a298"`. This and `api` are the only types that are serialised.

mod difference;
mod heap;
mod hex32;
mod interrupts;
mod json;
mod log;
pub mod message;
mod mpu;
mod object;
mod peripheral;
mod text;
mod variable;

pub use difference::{Change, Difference, MemoryChange, OwnerChange, ThreadChange, ThreadFate};
pub use heap::{Corruption, Heap, HeapBlock};
pub use hex32::{Hex32, Registers};
pub use interrupts::{Exception, Interrupts, SysTick};
pub use json::write_json;
pub use log::LogLine;
pub use mpu::{Mpu, MpuRegion};
pub use object::KernelObject;
pub use peripheral::{Peripheral, PeripheralRegister, RegisterField};
pub use text::{
    Ink, Section, Span, Style, printable, render_difference, render_message, render_section,
    render_text, section_lines,
};
pub use variable::{Status, Variable};

use serde::{Deserialize, Serialize};

/// Version of the JSON form.
pub const SCHEMA: u32 = 1;

/// What a crash was, as far as the dump and the symbols tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this structure, [`SCHEMA`].
    pub schema: u32,
    /// One line as a person would say it.
    pub title: String,
    /// Which kind of crash it is.
    pub category: Category,
    /// Why it happened.
    pub cause: Cause,
    /// Which device, and what it ran.
    pub device: Device,
    /// The symbol files in use, and how each was matched to the dump.
    pub symbols: Vec<SymbolMatch>,
    /// Fault registers; absent when none were captured.
    pub fault: Option<Fault>,
    /// Threads and active exception handlers; the crashed one first.
    pub threads: Vec<Thread>,
    /// Circles of threads that wait for each other, each by the `id` of its threads.
    #[serde(default)]
    pub deadlocks: Vec<Vec<String>>,
    /// Semaphores, mutexes, queues, timers and the like, by address.
    #[serde(default)]
    pub kernel_objects: Vec<KernelObject>,
    /// Heaps of the kernel and of the C library.
    #[serde(default)]
    pub heap: Vec<Heap>,
    /// What was left of the log in memory, oldest line first.
    #[serde(default)]
    pub logs: Vec<LogLine>,
    /// Exceptions and interrupts; absent when nothing about them was captured.
    #[serde(default)]
    pub interrupts: Option<Interrupts>,
    /// The MPU; absent when the core has none or it was not captured.
    #[serde(default)]
    pub mpu: Option<Mpu>,
    /// Peripheral registers, when an SVD file names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peripherals: Vec<Peripheral>,
    /// Globals and statics.
    pub globals: Vec<Variable>,
    /// What memory the dump holds.
    pub memory: Vec<MemoryRange>,
    /// What could not be found or is doubtful.
    pub notes: Vec<Note>,
}

/// Kinds of crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Category {
    /// HardFault that is not explained by one of the others.
    HardFault,
    /// Bus error.
    BusFault,
    /// MPU violation.
    MemFault,
    /// Undefined instruction, division by zero, unaligned access and the like.
    UsageFault,
    /// Violation of the Armv8-M security rules.
    SecureFault,
    /// A failed assertion.
    Assert,
    /// The firmware stopped itself.
    Panic,
    /// A stack was too small.
    StackOverflow,
    /// A watchdog ran out.
    Watchdog,
    /// Nothing faulted: a debugger stopped the target.
    DebuggerHalted,
    /// A reset.
    Reboot,
    /// None of these.
    Other,
}

/// How sure a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// One explanation among others.
    Possible,
    /// The best explanation, with a gap in the evidence.
    Likely,
    /// The registers or the memory prove it.
    Certain,
}

/// The root cause in one sentence, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// One sentence.
    pub summary: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// What it was concluded from.
    pub evidence: Vec<String>,
}

/// Which device, and what it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Serial number.
    pub serial: Option<String>,
    /// Name of the software.
    pub software_type: Option<String>,
    /// Its version.
    pub software_version: Option<String>,
    /// Version of the hardware.
    pub hardware_version: Option<String>,
    /// GNU build ID that the dump states, lower-case hex.
    pub build_id: Option<String>,
    /// The core by CPUID, for example `Cortex-M4`.
    pub core: Option<String>,
    /// The kernel that was recognised, for example `Zephyr`.
    pub rtos: Option<String>,
    /// How the dump was made.
    pub origin: Option<String>,
}

/// How a symbol file was found to belong to a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchKind {
    /// Equal GNU build IDs.
    BuildId,
    /// Captured code, vectors or constants are those of the file.
    Contents,
    /// The dump holds no code; its RAM looks like that of the file.
    Ram,
    /// The user insisted although they differ.
    Forced,
    /// The dump holds nothing to compare.
    None,
}

/// A symbol file in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SymbolMatch {
    /// Path as the user gave it.
    pub path: Option<String>,
    /// GNU build ID of the file, lower-case hex.
    pub build_id: Option<String>,
    /// How it was matched.
    #[serde(rename = "match")]
    pub matched: MatchKind,
}

/// Fault registers in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Captured system registers by name.
    pub registers: Registers,
    /// Every bit that is set in a fault status register.
    pub bits: Vec<FaultBit>,
    /// The exception being handled, for example `HardFault`; `Thread` when none is.
    pub active_exception: Option<String>,
    /// EXC_RETURN of the fault handler, with its meaning.
    pub exc_return: Option<String>,
    /// The configurable fault that was escalated to HardFault, by name.
    pub escalated_from: Option<String>,
    /// The address of the faulting access where a register holds a valid one.
    pub address: Option<Hex32>,
}

/// One set bit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultBit {
    /// Register, for example `CFSR`.
    pub register: String,
    /// Bit, for example `PRECISERR`.
    pub name: String,
    /// What it means.
    pub meaning: String,
}

/// A thread, or an exception handler that was active.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// Address of the control block; of a handler: `exception 3`.
    pub id: String,
    /// Name, or what stands in for it.
    pub name: String,
    /// `running`, `ready`, `pending`, `sleeping`, `suspended`, `prestart`, `dead`; `handler` for an
    /// active exception.
    pub state: String,
    /// The kernel's own state bits.
    pub state_bits: Option<u32>,
    /// Priority as the kernel counts.
    pub priority: Option<i32>,
    /// Its own priority, when `priority` is one that it inherited.
    pub base_priority: Option<i32>,
    /// Entry function.
    pub entry: Option<String>,
    /// Whether the CPU belonged to this thread.
    pub current: bool,
    /// Whether this is where the crash happened.
    pub crashed: bool,
    /// What a pending or sleeping thread waits for, in words.
    pub waits_for: Option<String>,
    /// The same in parts.
    pub wait: Option<Wait>,
    /// Its stack.
    pub stack: Option<Stack>,
    /// Registers at its innermost frame.
    pub registers: Registers,
    /// Frames, innermost first.
    pub frames: Vec<Frame>,
    /// Why the frames end where they do, when that is not a thread's normal start.
    pub unwind_ended: Option<String>,
}

/// What a thread waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The kernel's word: `mutex`, `queue to receive`, `delay`; empty when it cannot be told.
    pub kind: String,
    /// Address of the object.
    pub object: Option<Hex32>,
    /// Name of the object.
    pub name: Option<String>,
    /// `id` of the thread that owns the object.
    pub owner: Option<String>,
    /// Ticks until the kernel ends the wait.
    pub ticks_left: Option<u64>,
    /// The same in milliseconds.
    pub ms_left: Option<u64>,
}

/// A stack and how much of it is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Lowest address.
    pub start: Hex32,
    /// Bytes.
    pub size: u32,
    /// Bytes between the stack pointer and the top.
    pub used: Option<u32>,
    /// Most bytes that were ever in use, by the fill pattern.
    pub high_water: Option<u32>,
    /// Whether it was overrun.
    pub overflowed: bool,
}

/// One frame of a backtrace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// 0 is the innermost.
    pub index: u32,
    /// Address of execution; in callers the return address.
    pub pc: Hex32,
    /// Stack pointer in this frame.
    pub sp: Option<Hex32>,
    /// Function, demangled.
    pub function: Option<String>,
    /// Distance of `pc` from the function's start.
    pub offset: Option<u32>,
    /// Whether the compiler inlined this function into the next frame's.
    pub inlined: bool,
    /// Source file as the debug information names it.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// How the frame was found: `registers`, `saved registers`, `exception frame`, `cfi`, `exidx`,
    /// `system call`, `link register`, `tail call`, or a guess: `frame size`, `prologue`, `scan`.
    pub found_by: String,
    /// The ELF that holds the code, by the end of its path, when there are several.
    pub image: Option<String>,
    /// `secure` or `non-secure`, on cores that have both and where it is known.
    pub world: Option<String>,
    /// Doubts about this frame.
    pub remark: Option<String>,
    /// Registers as they were in this frame; unknown ones are left out.
    pub registers: Registers,
    /// Arguments.
    pub arguments: Vec<Variable>,
    /// Local variables, innermost block first.
    pub locals: Vec<Variable>,
    /// Instructions around the place; empty where the code is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disassembly: Vec<Instruction>,
}

/// One instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// Where it stands.
    pub address: Hex32,
    /// Its bytes in the order of memory, hex.
    pub bytes: String,
    /// Mnemonic and operands.
    pub text: String,
    /// The function that it branches to, or the constant that it loads.
    pub remark: Option<String>,
    /// Whether the frame stands at it; in callers it is the call.
    pub current: bool,
}

/// A range of memory that the dump holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryRange {
    /// First address.
    pub start: Hex32,
    /// Bytes.
    pub size: u64,
    /// False for a range that was asked for and could not be read.
    pub captured: bool,
    /// Why it could not be read.
    pub reason: Option<String>,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something is missing from the report.
    Warning,
    /// Something in the report may be wrong.
    Error,
}

/// Something that could not be found, or is doubtful.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Stable word for programs, for example `no_thread_list`.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence for people.
    pub text: String,
    /// The address it is about.
    pub address: Option<Hex32>,
}

/// Collects notes; a note that says the same twice is kept once, and of very many the first.
#[derive(Clone, Debug, Default)]
pub struct Notes(Vec<Note>);

/// More than a report is read with; each costs a look at all before it.
const MOST_NOTES: usize = 1024;

impl Notes {
    /// Adds a note without an address.
    pub fn add(&mut self, severity: Severity, code: &str, text: impl Into<String>) {
        self.push(Note { code: code.into(), severity, text: text.into(), address: None });
    }

    /// Adds a note about an address.
    pub fn add_at(
        &mut self,
        severity: Severity,
        code: &str,
        address: impl Into<Hex32>,
        text: impl Into<String>,
    ) {
        let address = Some(address.into());
        self.push(Note { code: code.into(), severity, text: text.into(), address });
    }

    /// Adds the notes that were collected elsewhere.
    pub fn extend(&mut self, others: Notes) {
        others.0.into_iter().for_each(|note| self.push(note));
    }

    fn push(&mut self, note: Note) {
        if self.0.len() < MOST_NOTES && !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// The notes, gravest first, otherwise in the order in which they were made.
    pub fn into_vec(mut self) -> Vec<Note> {
        self.0.sort_by_key(|note| std::cmp::Reverse(note.severity));
        self.0
    }
}
