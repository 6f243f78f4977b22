//! Peripheral registers, named and decoded by an SVD file.

use super::Hex32;
use serde::{Deserialize, Serialize};

/// A peripheral of which the dump holds registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peripheral {
    /// Its name.
    pub name: String,
    /// Its base address.
    pub address: Hex32,
    /// What the file says about it.
    pub description: Option<String>,
    /// Registers that the dump holds, by address.
    pub registers: Vec<PeripheralRegister>,
}

/// A register of a peripheral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeripheralRegister {
    /// Its name, with those of its clusters before it: `CH[0].CTRL`.
    pub name: String,
    /// Its address.
    pub address: Hex32,
    /// Bits: 8, 16 or 32.
    pub size: u8,
    /// What it held.
    pub value: Hex32,
    /// What the file says about it.
    pub description: Option<String>,
    /// Its fields, lowest bit first.
    pub fields: Vec<RegisterField>,
}

/// A field of a register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterField {
    /// Its name.
    pub name: String,
    /// Its bits: `7:4`, or `3` for a single one.
    pub bits: String,
    /// What it held.
    pub value: u64,
    /// What this value is called.
    pub meaning: Option<String>,
}
