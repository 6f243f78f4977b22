//! Tests of the program as a whole: fixtures in QEMU, GDB's answers, files that are broken.
//!
//! What a tool is missing for fails and names the tool's package; nothing passes silently.

mod bad_input;
mod bare;
mod cli;
mod compare;
mod console;
mod dap;
mod decode;
mod diff;
mod formats;
mod freertos;
mod gdb;
mod gdb_commands;
mod gdb_init;
mod gdbserver;
mod hostile;
mod languages;
mod live;
mod matching;
mod mpu;
mod peripherals;
mod plain;
#[cfg(feature = "probe")]
mod probe;
mod sdk;
mod servers;
mod support;
mod symbols;
mod synthetic;
mod tidy;
mod trustzone;
mod tui;
mod vector;
mod watch;
