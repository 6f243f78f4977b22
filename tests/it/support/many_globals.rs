//! Firmware with as many globals as no test can keep in a repository: a compiler makes it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Where they are, one behind the other.
pub(crate) const START: u32 = 0x6000_0000;
/// Bytes of each.
pub(crate) const SIZE: u32 = 64;

/// An ELF file of `count` structures `variable_000000` and so on, made in `folder`. Needs
/// `arm-none-eabi-gcc`.
pub(crate) fn elf(count: u32, folder: &Path) -> Vec<u8> {
    let mut text = String::from(
        "struct part { struct part *next; unsigned mode : 3, level : 5; short samples[8];\n\
         union { unsigned long long wide; unsigned char bytes[8]; } data; char name[32]; };\n",
    );
    for number in 0..count {
        let _ = writeln!(text, "struct part variable_{number:06};");
    }
    let (source, elf) = (folder.join("globals.c"), folder.join("globals.elf"));
    std::fs::write(&source, text).expect("the source");
    let mut gcc = Command::new("arm-none-eabi-gcc");
    gcc.args(["-mcpu=cortex-m4", "-mthumb", "-O0", "-g", "-ffreestanding", "-nostdlib"]);
    gcc.args([&format!("-Wl,--section-start=.bss={START:#x}"), "-Wl,--entry=0", "-o"]);
    let status = gcc.arg(&elf).arg(&source).status().expect("arm-none-eabi-gcc");
    assert!(status.success(), "{gcc:?}");
    std::fs::read(elf).expect("the ELF")
}
