//! A message: one byte says what it is, then its payload.
//!
//! Bits 0 to 5 of the first byte are the kind; bit 6 says that a project key follows, up to its
//! NUL; bit 7 that the payload is run-length coded.

use std::borrow::Cow;

use super::rle;

const KIND: u8 = 0x3f;
const HAS_PROJECT_KEY: u8 = 0x40;
const PACKED: u8 = 0x80;
/// A project key has 32 characters; longer ones are taken within reason.
const MAX_PROJECT_KEY: usize = 128;

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The message has no byte.
    #[error("the message is empty")]
    Empty,
    /// The project key does not end.
    #[error("the project key has no end")]
    ProjectKey,
    /// The run-length coded payload ends inside a run.
    #[error("the packed payload ends inside the run at offset {offset}")]
    RunCutShort {
        /// Where the run begins in the packed payload.
        offset: usize,
    },
    /// The run-length coded payload unpacks to too many bytes.
    #[error("the packed payload is longer than {} bytes at offset {offset}", super::MAX_MESSAGE)]
    TooLarge {
        /// Where the run that is too long begins in the packed payload.
        offset: usize,
    },
}

/// What a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A coredump in the binary format.
    Coredump,
    /// An event: reboot, trace, heartbeat.
    Event,
    /// Log lines.
    Log,
    /// A custom data recording.
    Recording,
    /// A number that has no meaning here.
    Other(u8),
}

impl MessageKind {
    /// The kind of the message that `bytes` begin.
    pub fn of(bytes: &[u8]) -> Option<MessageKind> {
        bytes.first().map(|header| MessageKind::from_number(header & KIND))
    }

    fn from_number(number: u8) -> MessageKind {
        match number {
            1 => MessageKind::Coredump,
            2 => MessageKind::Event,
            3 => MessageKind::Log,
            4 => MessageKind::Recording,
            other => MessageKind::Other(other),
        }
    }

    /// Its number on the wire.
    pub fn number(self) -> u8 {
        match self {
            MessageKind::Coredump => 1,
            MessageKind::Event => 2,
            MessageKind::Log => 3,
            MessageKind::Recording => 4,
            MessageKind::Other(number) => number,
        }
    }

    /// Whether the payload is read with [`super::parse_events`].
    pub fn has_events(self) -> bool {
        matches!(self, MessageKind::Event | MessageKind::Log | MessageKind::Recording)
    }
}

/// A message with its payload unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it holds.
    pub kind: MessageKind,
    /// The project that the device says it belongs to.
    pub project_key: Option<String>,
    /// What follows the header.
    pub payload: Cow<'a, [u8]>,
    /// Why the payload ends before its end.
    pub damage: Option<MessageError>,
}

impl Message<'_> {
    /// Reads a message that was put together from chunks.
    ///
    /// # Errors
    /// See [`MessageError`]; a kind that is not known is no error.
    pub fn parse(bytes: &[u8]) -> Result<Message<'_>, MessageError> {
        let (header, mut payload) = bytes.split_first().ok_or(MessageError::Empty)?;
        let mut project_key = None;
        if header & HAS_PROJECT_KEY != 0 {
            let mut parts = payload.splitn(2, |byte| *byte == 0);
            let key = parts.next().filter(|key| key.len() <= MAX_PROJECT_KEY);
            let (key, rest) = key.zip(parts.next()).ok_or(MessageError::ProjectKey)?;
            project_key = Some(String::from_utf8_lossy(key).into_owned());
            payload = rest;
        }
        let (payload, damage) = match header & PACKED {
            0 => (Cow::Borrowed(payload), None),
            _ => {
                let (payload, damage) = rle::decode(payload);
                (Cow::Owned(payload), damage)
            }
        };
        let kind = MessageKind::from_number(header & KIND);
        Ok(Message { kind, project_key, payload, damage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_key_ends_at_its_nul() {
        let message = Message::parse(b"\x42abc\0\xa0").unwrap();
        assert_eq!(message.kind, MessageKind::Event);
        assert_eq!(message.project_key.as_deref(), Some("abc"));
        assert_eq!(*message.payload, [0xa0]);
        assert_eq!(Message::parse(b"\x42abc"), Err(MessageError::ProjectKey));
        assert_eq!(Message::parse(&[0x41; 300]), Err(MessageError::ProjectKey));
        assert_eq!(Message::parse(b""), Err(MessageError::Empty));
    }

    #[test]
    fn packed_payload_is_unpacked_and_kind_is_kept() {
        let message = Message::parse(&[0x81, 0x06, 0xaa]).unwrap();
        assert_eq!((message.kind, &*message.payload), (MessageKind::Coredump, &[0xaa; 3][..]));
        assert_eq!(Message::parse(&[0x3f]).unwrap().kind, MessageKind::Other(0x3f));
    }
}
