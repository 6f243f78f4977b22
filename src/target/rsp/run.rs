//! Letting the target run and stop, for those who watch it: `c`, `s`, 0x03, `Z1` and `z1`.

use std::time::Duration;

use super::GdbClient;
use super::link::{READ, SIMPLE, error_code, shorten, stop_signal};
use crate::base::Address;
use crate::target::{Execution, TargetError};

/// How long one look whether the target has halted takes.
const LOOK: Duration = Duration::from_millis(100);

impl GdbClient {
    /// Stops the target that [`Execution::resume`] let run.
    pub(super) fn stop_again(&mut self) -> Result<(), TargetError> {
        // The user who ends the watch waits for an orderly end.
        let cancel = self.link.cancel.take();
        let stopped = self.interrupt();
        self.link.cancel = cancel;
        self.running = stopped.is_err();
        stopped
    }

    fn run_request(&self, action: char) -> String {
        if self.features.resume_list { format!("vCont;{action}") } else { action.to_string() }
    }

    /// The stop reply that says how the target fares.
    fn stopped(&mut self, reply: &[u8], request: &str) -> Result<(), TargetError> {
        if let Some(code) = error_code(reply) {
            return Err(TargetError::Refused { request: request.to_owned(), code });
        }
        if stop_signal(reply).is_none() {
            // `W00`: the target is lost.
            return Err(match reply.first() {
                Some(b'W' | b'X') => TargetError::NotAttached,
                _ => {
                    let reply = shorten(reply);
                    TargetError::Unexpected { request: request.to_owned(), reply }
                }
            });
        }
        self.stop_reason = Some(super::handshake::reason(reply));
        Ok(())
    }
}

impl Execution for GdbClient {
    fn resume(&mut self) -> Result<(), TargetError> {
        let request = self.run_request('c');
        self.link.queue(request.as_bytes());
        self.link.flush()?;
        self.running = true;
        Ok(())
    }

    fn step(&mut self) -> Result<(), TargetError> {
        let request = self.run_request('s');
        let reply = self.link.stop_reply(&request, READ)?;
        self.stopped(&reply, &request)
    }

    fn has_halted(&mut self) -> Result<bool, TargetError> {
        match self.link.stop_reply("", LOOK) {
            Ok(reply) => {
                self.running = false;
                self.stopped(&reply, "c").map(|()| true)
            }
            // Whoever watches looks for that himself.
            Err(TargetError::Timeout { .. } | TargetError::Cancelled) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn breakpoint(&mut self, address: Address, set: bool) -> Result<(), TargetError> {
        // Hardware only: a server may put the other kind into flash.
        let request = format!("{}1,{:x},2", if set { 'Z' } else { 'z' }, address.0 & !1);
        let reply = self.link.ask(&request, SIMPLE)?;
        match &*reply {
            b"OK" => Ok(()),
            b"" => Err(TargetError::Refused { request, code: "an empty reply".to_owned() }),
            _ => Err(TargetError::Unexpected { request, reply: shorten(&reply) }),
        }
    }
}
