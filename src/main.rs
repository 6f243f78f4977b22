//! The `mflt` program: parse, dispatch, turn an error into an exit code.

fn main() -> std::process::ExitCode {
    mflt::cli::main()
}
