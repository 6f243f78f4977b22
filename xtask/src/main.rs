//! `cargo xtask sdk-size [--json]`: what the device SDK takes, held against its budget.
//! `cargo xtask freertos-kernel`: where the kernel's sources are that its port is built with.

mod kernel;
mod size;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask sdk-size [--json] | freertos-kernel";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let json = match arguments[..] {
        ["sdk-size"] => false,
        ["sdk-size", "--json"] => true,
        ["freertos-kernel"] => {
            return match kernel::sources(&root.join("sdk")) {
                Ok(folder) => {
                    println!("{}", folder.display());
                    ExitCode::SUCCESS
                }
                Err(error) => failed(&error),
            };
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match size::measure(&root.join("sdk")) {
        Ok(report) => {
            println!("{}", if json { report.json() } else { report.text() });
            if report.is_within_budget() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
