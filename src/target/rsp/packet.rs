//! Packets of the GDB remote protocol: framing, checksums, escapes and run lengths, without I/O.
//!
//! Source: the GDB manual, appendix "Remote Serial Protocol", section "Overview".

use crate::target::TargetError;

/// Longest packet that is accepted, as sent and as expanded.
pub(super) const MAX_PACKET: usize = 1 << 20;
/// Bytes outside of packets that are passed over before it counts as garbage.
const MAX_NOISE: usize = 1 << 16;

/// What a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// `+`: the last request arrived.
    Ack,
    /// `-`: send it again.
    Nack,
    /// `$…#cc`, without escapes and run lengths.
    Packet(Vec<u8>),
    /// `%…#cc`: not an answer to anything.
    Notification,
}

/// A request as it goes over the wire.
pub(super) fn push_request(out: &mut Vec<u8>, payload: &[u8]) {
    out.push(b'$');
    let start = out.len();
    for byte in payload {
        match byte {
            b'#' | b'$' | b'}' | b'*' => out.extend([b'}', byte ^ 0x20]),
            _ => out.push(*byte),
        }
    }
    let sum = checksum(out.get(start..).unwrap_or_default());
    out.push(b'#');
    out.extend(crate::base::hex::encode(&[sum]).as_bytes());
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte))
}

/// Cuts the byte stream of a server into events.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    buffer: Vec<u8>,
    /// What was consumed of `buffer`.
    start: usize,
    /// Up to here no `#` was found, counted from `start`.
    scanned: usize,
    noise: usize,
}

impl Decoder {
    /// Takes received bytes in.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start.min(self.buffer.len()));
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next event, or `None` until more bytes are there.
    ///
    /// # Errors
    /// [`TargetError::Checksum`], behind which the stream goes on; [`TargetError::PacketTooLong`]
    /// and [`TargetError::Garbage`], after which it is of no more use.
    pub(super) fn next(&mut self) -> Result<Option<Event>, TargetError> {
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            let Some(first) = rest.first().copied() else { return Ok(None) };
            match first {
                b'+' | b'-' => {
                    self.consume(1);
                    return Ok(Some(if first == b'+' { Event::Ack } else { Event::Nack }));
                }
                b'$' | b'%' => return self.packet(first),
                _ => {
                    // Lone NUL bytes of Black Magic, console noise of others.
                    self.consume(1);
                    self.noise = self.noise.saturating_add(1);
                    if self.noise > MAX_NOISE {
                        return Err(TargetError::Garbage { bytes: self.noise });
                    }
                }
            }
        }
    }

    fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count);
        self.scanned = 0;
    }

    /// The packet at the start of the buffer, when it is there as a whole.
    fn packet(&mut self, first: u8) -> Result<Option<Event>, TargetError> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let from = self.scanned.max(1);
        let unseen = rest.get(from..).unwrap_or_default();
        let Some(found) = memchr::memchr(b'#', unseen) else {
            self.scanned = rest.len();
            if rest.len() > MAX_PACKET {
                return Err(TargetError::PacketTooLong { limit: MAX_PACKET });
            }
            return Ok(None);
        };
        let end = from.saturating_add(found);
        self.scanned = end;
        if end > MAX_PACKET {
            return Err(TargetError::PacketTooLong { limit: MAX_PACKET });
        }
        let after = end.saturating_add(1);
        let Some(sum) = rest.get(after..after.saturating_add(2)) else { return Ok(None) };
        let body = rest.get(1..end).unwrap_or_default();
        // A `$` is always escaped inside a packet: this one was cut off by the next.
        let body = match memchr::memrchr(b'$', body) {
            Some(cut) => body.get(cut.saturating_add(1)..).unwrap_or_default(),
            None => body,
        };
        let expected = crate::base::hex::decode(sum).and_then(|bytes| bytes.first().copied());
        let found = checksum(body);
        if expected != Some(found) {
            let sum = String::from_utf8_lossy(sum).into_owned();
            self.consume(after.saturating_add(2));
            return Err(TargetError::Checksum { announced: sum, found });
        }
        let event = if first == b'%' { Event::Notification } else { Event::Packet(expand(body)?) };
        self.noise = 0;
        self.consume(after.saturating_add(2));
        Ok(Some(event))
    }
}

/// Undoes escapes and run lengths.
fn expand(body: &[u8]) -> Result<Vec<u8>, TargetError> {
    if memchr::memchr2(b'*', b'}', body).is_none() {
        return Ok(body.to_vec());
    }
    let mut out: Vec<u8> = Vec::with_capacity(body.len());
    let mut bytes = body.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'}' => out.extend(bytes.next().map(|escaped| escaped ^ 0x20)),
            b'*' => {
                // `0* ` is `0` and three more: the count is the byte less 29.
                let count = bytes.next().unwrap_or(29).saturating_sub(29);
                if let Some(last) = out.last().copied() {
                    out.resize(out.len().saturating_add(usize::from(count)), last);
                }
            }
            _ => out.push(byte),
        }
        if out.len() > MAX_PACKET {
            return Err(TargetError::PacketTooLong { limit: MAX_PACKET });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(bytes: &[u8], step: usize) -> Result<Vec<Event>, TargetError> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for part in bytes.chunks(step) {
            decoder.push(part);
            while let Some(event) = decoder.next()? {
                events.push(event);
            }
        }
        Ok(events)
    }

    fn packet(text: &str) -> Event {
        Event::Packet(text.as_bytes().to_vec())
    }

    #[test]
    fn stream_cut_anywhere_gives_the_same_events() {
        let bytes = b"+$OK#9a\0\0-%Stop:T05#99$#00junk$0* #7a$a}\x03b#43$12$T02#b6";
        let expected = vec![
            Event::Ack,
            packet("OK"),
            Event::Nack,
            Event::Notification,
            packet(""),
            packet("0000"),
            packet("a#b"),
            packet("T02"),
        ];
        for step in 1..bytes.len() {
            assert_eq!(events(bytes, step).as_ref(), Ok(&expected), "{step}");
        }
    }

    #[test]
    fn wrong_checksum_is_an_error() {
        let error = TargetError::Checksum { announced: "9b".into(), found: 0x9a };
        assert_eq!(events(b"$OK#9b", 100), Err(error));
        assert!(events(b"$OK#zz", 100).is_err());
    }

    #[test]
    fn endless_input_is_refused_in_time() {
        let noise = vec![b'x'; MAX_NOISE + 1];
        assert_eq!(events(&noise, 4096), Err(TargetError::Garbage { bytes: MAX_NOISE + 1 }));
        let mut long = vec![b'0'; MAX_PACKET + 10];
        long[0] = b'$';
        let error = Err(TargetError::PacketTooLong { limit: MAX_PACKET });
        assert_eq!(events(&long, 4096), error);
        // A small packet that would expand beyond the limit.
        let mut body = b"0".to_vec();
        for _ in 0..MAX_PACKET / 90 {
            body.extend(b"*~");
        }
        let mut bomb = b"$".to_vec();
        bomb.extend(&body);
        bomb.extend(format!("#{:02x}", checksum(&body)).as_bytes());
        assert_eq!(events(&bomb, 4096), error);
    }

    #[test]
    fn request_is_framed_and_escaped() {
        let mut out = Vec::new();
        push_request(&mut out, b"OK");
        push_request(&mut out, b"a#b");
        assert_eq!(out, b"$OK#9a$a}\x03b#43");
        assert_eq!(events(&out, 3), Ok(vec![packet("OK"), packet("a#b")]));
    }
}
