//! The sources of the SDK: every core's compiler takes them, and they stay within their budget.

use super::host::WARNINGS;
use super::size;
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::program::run;
use std::process::Command;

#[test]
fn sources_stay_within_their_budget() {
    let report = size::measure(&file("sdk")).unwrap();
    assert!(report.is_within_budget(), "{}", report.text());
    // The budget is for something.
    assert!(report.crash.text > 4000 && report.crash.ram > 300, "{}", report.json());
    assert!(report.full.text > report.crash.text && report.full.ram > report.crash.ram);
    let text = report.text();
    assert!(text.contains(" capture\n") && !text.contains("over budget"), "{text}");
}

/// Every core that the SDK is for, with what its compiler needs to know.
const CORES: [&[&str]; 8] = [
    &["-mcpu=cortex-m0"],
    &["-mcpu=cortex-m0plus"],
    &["-mcpu=cortex-m3"],
    &["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
    &["-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16"],
    &["-mcpu=cortex-m23"],
    &["-mcpu=cortex-m33", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"],
    &["-mcpu=cortex-m55", "-mfloat-abi=hard", "-mfpu=auto"],
];

#[test]
fn sources_build_for_every_core_without_a_warning() {
    let objects = Folder::new();
    for folder in ["sdk/src", "sdk/ports/cortex_m"] {
        let sources = std::fs::read_dir(file(folder)).unwrap().map(|entry| entry.unwrap().path());
        let sources: Vec<_> =
            sources.filter(|path| path.extension().is_some_and(|end| end == "c")).collect();
        assert!(!sources.is_empty());
        for core in CORES {
            let mut command = Command::new("arm-none-eabi-gcc");
            command.args(core).args(["-mthumb", "-ffreestanding", "-Os", "-c"]);
            command.current_dir(objects.path());
            command.arg("-std=c99").args(WARNINGS);
            command
                .arg("-I")
                .arg(file("sdk/include"))
                .arg("-I")
                .arg(file("sdk/src"))
                .args(&sources);
            run(&mut command).success("arm-none-eabi-gcc").unwrap();
        }
    }
}
