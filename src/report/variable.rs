//! A variable as a report shows it.

use super::Hex32;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Whether a value could be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The value is there.
    #[default]
    Ok,
    /// Its memory or register is not in the dump.
    NotCaptured,
    /// Its memory was overwritten on purpose before the dump was passed on.
    Redacted,
    /// The compiler kept no copy at this place in the code.
    OptimizedOut,
    /// The debug information could not be followed.
    Unreadable,
}

impl Status {
    /// As people write it in place of a value.
    pub fn text(self) -> &'static str {
        match self {
            Status::Ok => "",
            Status::NotCaptured => "<not captured>",
            Status::Redacted => "<redacted>",
            Status::OptimizedOut => "<optimized out>",
            Status::Unreadable => "<unreadable>",
        }
    }
}

/// A variable, a member of one, or an element.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Name; `[3]` for an element; empty for an anonymous member.
    pub name: String,
    /// Type as C writes it.
    #[serde(rename = "type")]
    pub type_name: Arc<str>,
    /// Where it lives in memory; null for a value in registers.
    pub address: Option<Hex32>,
    /// Bytes.
    pub size: Option<u64>,
    /// The value as text; null for an aggregate, whose parts are `children`.
    pub value: Option<String>,
    /// What people expect of a value of the standard libraries of Rust and C++ and of Rust's enums:
    /// `"text"`, `[1, 2]`, `Some(5)`; its parts are `children` all the same.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub summary: Option<String>,
    /// Whether the value could be shown.
    pub status: Status,
    /// Members or elements.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub children: Vec<Variable>,
    /// Of an element: how many equal ones there are in a row, this one counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repeats: Option<u64>,
    /// How many elements were left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub omitted: Option<u64>,
}
