//! The device SDK: compiled for the host and attacked, and run in QEMU.

mod events;
mod flash;
mod handler;
mod host;
mod log;
mod qemu;
mod store;
