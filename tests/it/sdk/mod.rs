//! The device SDK: compiled for the host and attacked, and run in QEMU.

mod build;
mod console;
mod events;
mod flash;
mod freertos;
mod handler;
mod host;
mod http;
#[path = "../../../xtask/src/kernel.rs"]
mod kernel;
mod log;
mod qemu;
#[path = "../../../xtask/src/size.rs"]
mod size;
mod store;
mod zephyr;
