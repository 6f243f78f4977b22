//! Reaching a target, and what may be done when that fails.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;

use super::WithHint;
use crate::target::TargetError;
use crate::target::rsp::GdbClient;
use crate::target::serial::is_serial;

/// Connects to a GDB server and stops its target; says what may be done when that fails.
pub(in crate::cli) fn connect(server: &str, cancel: Arc<AtomicBool>) -> anyhow::Result<GdbClient> {
    let connected = GdbClient::connect(server, Some(cancel));
    let hint = match &connected {
        Ok(_) => None,
        Err(TargetError::NobodyListens) => {
            Some("start the GDB server of the probe (OpenOCD listens on port 3333, J-Link on 2331)")
        }
        Err(TargetError::Connect(ErrorKind::PermissionDenied)) if is_serial(server) => Some(
            "join the group that owns the device, on Debian `sudo adduser $USER dialout`, and \
             log in again",
        ),
        Err(TargetError::Connect(_)) if is_serial(server) => {
            Some("is it plugged in, and not in use by another program?")
        }
        Err(TargetError::Closed | TargetError::Timeout { .. }) if server.starts_with('|') => {
            Some("does the command run by itself, and speak on its standard streams?")
        }
        Err(TargetError::Connect(_)) => Some("can this machine reach that host and port?"),
        Err(TargetError::BadPort(_)) => Some("write it as HOST:PORT, for example localhost:3333"),
        Err(TargetError::UnknownHost(_)) => {
            Some("check the name of the host, or write its IP address")
        }
        Err(TargetError::Dump) => Some("it is captured already: `mflt analyze` explains it"),
        Err(TargetError::NotAttached) => Some("let the server find the target first"),
        Err(TargetError::DoesNotStop) => Some("the core may sleep or be held in reset"),
        Err(TargetError::Garbage { .. } | TargetError::Checksum { .. }) => {
            Some("is this the port of the GDB server, not its console?")
        }
        Err(TargetError::Timeout { .. }) => {
            Some("another debugger may be connected: most servers serve one at a time")
        }
        Err(_) => None,
    };
    let connected = connected.with_context(|| format!("connecting to GDB server `{server}`"));
    match hint {
        Some(hint) => connected.hint(hint),
        None => connected,
    }
}
