//! `cargo xtask sdk-size [--json]`: what the device SDK takes, held against its budget.

mod size;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask sdk-size [--json]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let json = match arguments[..] {
        ["sdk-size"] => false,
        ["sdk-size", "--json"] => true,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk");
    match size::measure(&sdk) {
        Ok(report) => {
            println!("{}", if json { report.json() } else { report.text() });
            if report.is_within_budget() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
