//! `cargo xtask freertos-kernel`: where cargo keeps the sources of the FreeRTOS kernel.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate that the kernel's sources are in.
const CRATE: &str = "freertos-next-";

/// The folder with `tasks.c`, of the version that `sdk/tests/freertos` pins; cargo fetches it when it is
/// not there yet.
///
/// # Errors
/// Text that says what cargo did not do.
pub(crate) fn sources(sdk: &Path) -> Result<PathBuf, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--locked", "--format-version", "1", "--manifest-path"]);
    let output = command
        .arg(sdk.join("tests/freertos/Cargo.toml"))
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    // Paths stand in the JSON as they are, but on systems that write them with backslashes.
    let text = String::from_utf8_lossy(&output.stdout).replace("\\\\", "/");
    let manifests = text.split("\"manifest_path\":\"").skip(1);
    let mut paths = manifests.filter_map(|rest| Path::new(rest.split('"').next()?).parent());
    let named = |path: &&Path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(CRATE))
    };
    match paths.find(named).map(|path| path.join("FreeRTOS-Kernel")) {
        Some(folder) if folder.join("tasks.c").exists() => Ok(folder),
        _ => Err(format!("no kernel in `{CRATE}…`")),
    }
}
