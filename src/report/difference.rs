//! What differs between two dumps.

use super::{Hex32, MemoryRange, Note};
use serde::{Deserialize, Serialize};

/// What differs between two dumps, `a` and `b`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Version of this structure, [`super::SCHEMA`].
    pub schema: u32,
    /// Whether nothing differs.
    pub same: bool,
    /// Title of the first dump's report.
    pub title_a: String,
    /// Title of the second dump's report.
    pub title_b: String,
    /// Title, category, cause, and what the dumps say of the device.
    pub summary: Vec<Change>,
    /// System registers, with the names of the bits that are set.
    pub fault: Vec<Change>,
    /// Registers of the crashed context; where nothing crashed, of the CPU.
    pub registers: Vec<Change>,
    /// Registers of the CPU as it was stopped, where `registers` are those of the crashed context.
    pub cpu_registers: Vec<Change>,
    /// Threads and handlers.
    pub threads: Vec<ThreadChange>,
    /// Figures of heaps.
    pub heap: Vec<Change>,
    /// Values by name, down to members and elements; with `#n function:` those of the frames of the
    /// crashed thread.
    pub variables: Vec<Change>,
    /// How many more variables differ.
    pub variables_omitted: u64,
    /// Memory byte by byte; null between different builds, where equal addresses mean different
    /// things.
    pub memory: Option<MemoryChange>,
    /// What could not be compared.
    pub notes: Vec<Note>,
}

/// Something with a name that is not the same in both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it is.
    pub name: String,
    /// In the first dump; null where it is not there.
    pub a: Option<String>,
    /// In the second dump.
    pub b: Option<String>,
}

/// What happened to a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThreadFate {
    /// Only the second dump has it.
    Appeared,
    /// Only the first dump has it.
    Gone,
    /// Both have it.
    Changed,
}

/// A thread that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadChange {
    /// As in the report.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What happened to it.
    pub change: ThreadFate,
    /// What differs: `state`, `priority`, `waits_for`, `stack_used`, `stack_high_water`,
    /// `overflowed`, `current`, `crashed`, `backtrace`. Of one that appeared or is gone what it
    /// is or was.
    pub details: Vec<Change>,
}

/// How memory differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryChange {
    /// Bytes that both dumps hold.
    pub compared: u64,
    /// Bytes that differ.
    pub changed: u64,
    /// Whose bytes differ, by address.
    pub owners: Vec<OwnerChange>,
    /// Bytes that differ and whose owners are left out.
    pub omitted: u64,
    /// What only the first dump holds.
    pub only_a: Vec<MemoryRange>,
    /// What only the second dump holds.
    pub only_b: Vec<MemoryRange>,
}

/// Bytes of one owner that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerChange {
    /// A variable, a thread's stack, a symbol, a section or a region.
    pub owner: String,
    /// Where the owner begins.
    pub start: Hex32,
    /// Its size in bytes; null where that is not known.
    pub size: Option<u64>,
    /// How many of its bytes differ.
    pub changed: u64,
    /// The first word that differs.
    pub first: Hex32,
    /// The part of the variable there.
    pub part: Option<String>,
    /// The bytes there in the first dump, hexadecimal.
    pub a: String,
    /// The bytes there in the second dump.
    pub b: String,
}
