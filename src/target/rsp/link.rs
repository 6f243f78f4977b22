//! Requests and their replies over a byte stream with time-outs.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::packet::{Decoder, Event, push_request};
use super::transport::Transport;
use crate::target::TargetError;

/// How long a simple request may take since the last byte that arrived.
#[cfg(not(test))]
pub(super) const SIMPLE: Duration = Duration::from_secs(2);
/// Scripted servers answer at once or never.
#[cfg(test)]
pub(super) const SIMPLE: Duration = Duration::from_millis(700);
/// How long reading registers and memory may take.
pub(super) const READ: Duration = Duration::from_secs(10);
/// How long a monitor command may take.
pub(super) const MONITOR: Duration = Duration::from_secs(30);
/// How long we still wait for outstanding replies after the user asked to stop.
const AFTER_CANCEL: Duration = Duration::from_secs(1);
/// Damaged packets of one connection that are asked for again.
const MAX_NACKS: usize = 100;
/// Packets that answer nothing (console output, stale stop replies) before we give up.
const MAX_STRAY: usize = 10_000;

/// A connection that speaks packets.
pub(super) struct Link {
    transport: Box<dyn Transport>,
    decoder: Decoder,
    received: Vec<u8>,
    /// Acknowledgements and requests not yet sent.
    outgoing: Vec<u8>,
    /// Whether each packet is acknowledged.
    pub(super) acks: bool,
    /// Set by the user to stop.
    pub(super) cancel: Option<Arc<AtomicBool>>,
    last_request: Vec<u8>,
    /// Whether acknowledgements may wait for the next request: while many are on their way,
    /// each write of a few `+` would only wake the server up.
    pub(super) lazy_acks: bool,
    /// Damaged packets that were asked for again.
    nacks: usize,
    /// Whether a stop reply came that nobody had asked for.
    pub(super) unsolicited_stop: bool,
    /// What went wrong; every later use fails the same way.
    failed: Option<TargetError>,
}

impl Link {
    pub(super) fn new(transport: Box<dyn Transport>) -> Link {
        Link {
            transport,
            decoder: Decoder::default(),
            received: vec![0; 1 << 16],
            outgoing: Vec::new(),
            acks: true,
            cancel: None,
            last_request: Vec::new(),
            lazy_acks: false,
            nacks: 0,
            unsolicited_stop: false,
            failed: None,
        }
    }

    /// Whether the user asked to stop.
    pub(super) fn cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    /// Queues a request; [`Link::flush`] or waiting for a reply sends it.
    pub(super) fn queue(&mut self, payload: &[u8]) {
        self.last_request.clear();
        push_request(&mut self.last_request, payload);
        self.outgoing.extend_from_slice(&self.last_request);
    }

    /// Sends raw bytes: `+`, or 0x03 to interrupt.
    pub(super) fn send_raw(&mut self, bytes: &[u8]) -> Result<(), TargetError> {
        self.outgoing.extend_from_slice(bytes);
        self.flush()
    }

    /// Sends what is queued, in one write: servers and networks like that best.
    pub(super) fn flush(&mut self) -> Result<(), TargetError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let mut sent = 0;
        let started = Instant::now();
        while let Some(rest) = self.outgoing.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.transport.write(rest) {
                Ok(0) => return Err(self.fail(TargetError::Closed)),
                Ok(count) => sent = sent.saturating_add(count),
                Err(error) if is_wait(&error) && started.elapsed() < READ => {}
                Err(error) => return Err(self.fail(from_io(&error))),
            }
        }
        self.outgoing.clear();
        Ok(())
    }

    /// Whether the connection is of no more use.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    fn fail(&mut self, error: TargetError) -> TargetError {
        self.failed.get_or_insert(error).clone()
    }

    /// Receives once; `Ok(false)` when nothing arrived within the transport's time slice.
    fn receive(&mut self) -> Result<bool, TargetError> {
        match self.transport.read(&mut self.received) {
            Ok(0) => Err(self.fail(TargetError::Closed)),
            Ok(count) => {
                self.decoder.push(self.received.get(..count).unwrap_or_default());
                Ok(true)
            }
            Err(error) if is_wait(&error) => Ok(false),
            Err(error) => Err(self.fail(from_io(&error))),
        }
    }

    /// The next event that is already here or arrives in time.
    fn event(&mut self, timeout: Duration, request: &str) -> Result<Event, TargetError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut quiet_since = Instant::now();
        loop {
            match self.decoder.next() {
                Ok(Some(event)) => {
                    if self.acks && matches!(event, Event::Packet(_)) {
                        self.outgoing.push(b'+');
                    }
                    return Ok(event);
                }
                Ok(None) => {}
                // The server still has it: over a line that damages bytes it is asked for again.
                Err(TargetError::Checksum { .. })
                    if self.acks && self.transport.is_lossy() && self.nacks < MAX_NACKS =>
                {
                    self.nacks = self.nacks.saturating_add(1);
                    self.outgoing.push(b'-');
                }
                Err(error) => return Err(self.fail(error)),
            }
            if !self.lazy_acks {
                self.flush()?;
            }
            if self.receive()? {
                quiet_since = Instant::now();
            } else if self.cancelled() && quiet_since.elapsed() > AFTER_CANCEL.min(timeout) {
                return Err(TargetError::Cancelled);
            } else if quiet_since.elapsed() > timeout {
                let (request, seconds) = (shorten(request.as_bytes()), timeout.as_secs());
                return Err(TargetError::Timeout { request, seconds });
            }
        }
    }

    /// Waits for the reply to a request that has been queued.
    ///
    /// Console output, notifications and stop replies that nobody asked for are passed over: a
    /// late or stale one must not be taken for the answer.
    pub(super) fn reply(
        &mut self,
        timeout: Duration,
        request: &str,
    ) -> Result<Vec<u8>, TargetError> {
        self.reply_where(timeout, request, |packet| !is_console(packet) && !is_stop(packet))
    }

    /// Waits for a packet that `wanted` accepts and passes over all others.
    pub(super) fn reply_where(
        &mut self,
        timeout: Duration,
        request: &str,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, TargetError> {
        let mut resent = 0_u8;
        for _ in 0..MAX_STRAY {
            match self.event(timeout, request)? {
                Event::Packet(packet) if wanted(&packet) => {
                    return Ok(packet);
                }
                Event::Packet(packet) => self.unsolicited_stop |= is_stop(&packet),
                Event::Nack if resent < 3 => {
                    resent = resent.saturating_add(1);
                    let again = self.last_request.clone();
                    self.send_raw(&again)?;
                }
                Event::Nack | Event::Ack | Event::Notification => {}
            }
        }
        Err(self.fail(TargetError::Garbage { bytes: MAX_STRAY }))
    }

    /// Asks and waits for the answer.
    pub(super) fn request(
        &mut self,
        payload: &str,
        timeout: Duration,
    ) -> Result<Vec<u8>, TargetError> {
        self.queue(payload.as_bytes());
        self.reply(timeout, payload)
    }

    /// Asks; an error of the server becomes [`TargetError::Refused`].
    pub(super) fn ask(&mut self, payload: &str, timeout: Duration) -> Result<Vec<u8>, TargetError> {
        let reply = self.request(payload, timeout)?;
        match error_code(&reply) {
            Some(code) => Err(TargetError::Refused { request: shorten(payload.as_bytes()), code }),
            None => Ok(reply),
        }
    }

    /// Asks `?`, or waits for a target to stop when `payload` is empty.
    pub(super) fn stop_reply(
        &mut self,
        payload: &str,
        timeout: Duration,
    ) -> Result<Vec<u8>, TargetError> {
        if !payload.is_empty() {
            self.queue(payload.as_bytes());
        }
        self.reply_where(timeout, payload, |packet| {
            is_stop(packet) || packet == b"OK" || packet.is_empty() || error_code(packet).is_some()
        })
    }

    /// Passes over everything that arrives until it has been quiet for a time slice.
    pub(super) fn drain(&mut self) -> Result<(), TargetError> {
        for _ in 0..20 {
            let more = self.receive()?;
            loop {
                match self.decoder.next() {
                    Ok(Some(Event::Packet(packet))) => {
                        self.unsolicited_stop |= is_stop(&packet);
                        self.outgoing.push(b'+');
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => return Err(self.fail(error)),
                }
            }
            self.flush()?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Runs a command of the server's own console; gives what it printed.
    pub(super) fn monitor(&mut self, command: &str) -> Result<String, TargetError> {
        let payload = format!("qRcmd,{}", crate::base::hex::encode(command.as_bytes()));
        self.queue(payload.as_bytes());
        let mut printed = VecDeque::new();
        for _ in 0..MAX_STRAY {
            let what = format!("monitor {command}");
            let packet = self.reply_where(MONITOR, &what, |packet| !is_stop(packet))?;
            let (text, last) = match packet.strip_prefix(b"O") {
                Some(b"K") => break,
                Some(hex) => (crate::base::hex::decode(hex).unwrap_or_default(), false),
                None => {
                    if let Some(code) = error_code(&packet) {
                        return Err(TargetError::Refused { request: what, code });
                    }
                    (crate::base::hex::decode(&packet).unwrap_or_default(), true)
                }
            };
            printed.extend(text);
            // Only the end is kept: what a command says last matters most.
            while printed.len() > 1 << 16 {
                printed.pop_front();
            }
            if last {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&Vec::from(printed)).into_owned())
    }
}

fn is_wait(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

fn from_io(error: &io::Error) -> TargetError {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => TargetError::Closed,
        kind => TargetError::Io(kind),
    }
}

/// `T05…`, `S05`, `W00`, `X09`: the target stopped or ended.
pub(super) fn is_stop(packet: &[u8]) -> bool {
    let mut bytes = packet.iter();
    bytes.next().is_some_and(|first| b"TSWX".contains(first))
        && bytes.next().is_some_and(u8::is_ascii_hexdigit)
        && bytes.next().is_some_and(u8::is_ascii_hexdigit)
}

/// The signal of a stop reply; `None` for an ended target and for other packets.
pub(super) fn stop_signal(packet: &[u8]) -> Option<u8> {
    let digits = packet.get(1..3).filter(|_| is_stop(packet))?;
    let known = matches!(packet.first(), Some(b'T' | b'S'));
    crate::base::hex::decode(digits).filter(|_| known)?.first().copied()
}

/// `O` and hexadecimal text: console output.
fn is_console(packet: &[u8]) -> bool {
    packet.strip_prefix(b"O").is_some_and(|text| text.iter().all(u8::is_ascii_hexdigit))
}

/// `E01`, `E1` to `E999`, `E.text`: an error. Hexadecimal data of whole words has a multiple of
/// eight digits, so none of these is ever data; errors are written with a capital letter.
pub(super) fn error_code(packet: &[u8]) -> Option<String> {
    let rest = packet.strip_prefix(b"E")?;
    let digits = (1..=3).contains(&rest.len()) && rest.iter().all(u8::is_ascii_hexdigit);
    (digits || rest.starts_with(b".")).then(|| shorten(packet))
}

/// Text for an error message: short, printable.
pub(super) fn shorten(bytes: &[u8]) -> String {
    let mut text: String =
        bytes.iter().take(60).map(|byte| char::from(*byte)).map(printable).collect();
    if bytes.len() > 60 {
        text.push('…');
    }
    text
}

fn printable(c: char) -> char {
    if c.is_ascii_graphic() || c == ' ' { c } else { '.' }
}
