//! Files that appear as a whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes `bytes` to `path`: into a temporary file beside it, which then takes its name. An
/// existing file is replaced; a device or a pipe is written to as it is.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Through a link to the file itself, so that the link stays a link.
    let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&resolved).is_ok_and(|known| !known.is_file()) {
        return fs::OpenOptions::new().write(true).open(&resolved)?.write_all(bytes);
    }
    let name = resolved.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = resolved.with_file_name(temporary);
    let written = fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, &resolved));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Fails as [`write_atomically`] would, before there is anything to lose.
pub(super) fn check_writable(path: &Path) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|known| known.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if path.exists() {
        return fs::OpenOptions::new().append(true).open(path).map(|_| ());
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary);
    fs::File::create(&temporary)?;
    fs::remove_file(&temporary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_replaced_and_nothing_stays_beside_it() {
        let folder = std::env::temp_dir().join(format!("mflt-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.core");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        assert!(write_atomically(&folder.join("no/such/folder"), b"x").is_err());
        assert!(write_atomically(&folder, b"x").is_err());
        write_atomically(Path::new("/dev/null"), b"x").unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
