//! Ending a session: the target runs or stays halted, as found or as asked for.

use super::link::SIMPLE;
use super::{GdbClient, ServerKind};
use crate::target::{Leave, TargetError};

/// Ends the session. Gives whether the target runs now, where that is known.
pub(super) fn leave(client: &mut GdbClient, leave: Leave) -> Result<Option<bool>, TargetError> {
    // The user may have asked to stop the capture; leaving in order is part of stopping.
    client.link.cancel = None;
    if client.link.has_failed() {
        return Ok(None);
    }
    let run = match leave {
        Leave::Halted => false,
        Leave::Running => true,
        // When it cannot be told, leave it to the server what `D` means.
        Leave::AsFound => client.was_running.unwrap_or(true),
    };
    if client.features.debugger.is_some() {
        // The target stays with the debugger, which stopped it.
        detach(client)?;
        return Ok(Some(false));
    }
    match (client.kind, run) {
        // QEMU goes on with `D`, and stays as it is when the connection just ends.
        (ServerKind::Qemu, false) => return Ok(Some(false)),
        // OpenOCD leaves the target halted with `D`.
        (ServerKind::OpenOcd, true) => {
            client.link.monitor("resume")?;
        }
        _ => {}
    }
    if !detach(client)? {
        return Ok(None);
    }
    Ok(match client.kind {
        ServerKind::OpenOcd => Some(run),
        // These let the target run whenever the last client leaves.
        ServerKind::Qemu | ServerKind::PyOcd | ServerKind::BlackMagic => Some(true),
        ServerKind::Unknown => None,
    })
}

/// `D`, always before closing: a probe-rs server ends when a client just vanishes. Gives whether
/// the server has agreed.
fn detach(client: &mut GdbClient) -> Result<bool, TargetError> {
    let done = |packet: &[u8]| packet == b"OK" || packet.is_empty() || packet.starts_with(b"E");
    // QEMU still thinks of processes when a GDB was there before us, and wants to be told which.
    for request in ["D", "D;1"] {
        client.link.queue(request.as_bytes());
        match client.link.reply_where(SIMPLE, request, done) {
            Ok(reply) if reply.starts_with(b"E") => {}
            Ok(reply) => {
                // The last `+`, for servers that wait for it. Not QEMU: it stops the machine
                // again at the first byte that it does not expect.
                if client.kind != ServerKind::Qemu {
                    let _ = client.link.flush();
                }
                return Ok(reply == b"OK");
            }
            Err(TargetError::Closed | TargetError::Timeout { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
