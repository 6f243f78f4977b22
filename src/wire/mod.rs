//! What devices send: chunks, the messages they carry, and the events inside those.
//!
//! ```text
//! text or binary ── stream ──► chunks ── Reassembler ──► message ── Message ──► coredump bytes
//!                                                                          └──► events
//! ```
//!
//! Input is a byte slice that nobody vouches for: every length is checked before use, a message is
//! at most [`MAX_MESSAGE`] bytes, packed or unpacked, and an event holds a bounded number of values.
//! What is damaged yields what stands before the damage and an error. No I/O, no symbols, no clock:
//! names that only the firmware's ELF knows come in as a [`Dictionary`].

mod binary;
mod cbor;
mod chunk;
mod crc16;
mod decoder;
mod dictionary;
mod event;
mod log_ring;
mod message;
mod parse;
mod rle;
mod stream;
mod varint;

pub use cbor::CborError;
pub use chunk::{ChunkError, Damage, Pushed, Reassembler, Received};
pub use decoder::{Decoder, Found};
pub use dictionary::{
    Dictionary, HEARTBEAT, LogFormat, MetricKey, MetricKind, NamedMetric, Names, WrongCount,
};
pub use event::{
    Argument, Body, CompactLog, Device, Event, Events, Level, LogLine, LogText, MetricValue,
    MetricValues, Metrics, Reboot, Recording, Trace,
};
pub use log_ring::{LOG_RING_HEADER, LogContent, LogRecord, LogRingError, LogRingHeader};
pub use message::{Message, MessageError, MessageKind};
pub use parse::parse_events;
pub use stream::{
    ChunkStream, ConsoleReader, DamagedLine, Encoding, Piece, PrintedLog, UnknownEncoding, chunks,
};

/// Longest message in bytes, before and after unpacking.
pub const MAX_MESSAGE: usize = 64 << 20;

#[cfg(test)]
mod encoder;
#[cfg(test)]
mod tests;
