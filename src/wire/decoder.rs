//! A stream of chunks as messages and problems, each problem told once.

use super::chunk::{ChunkError, Damage, Reassembler, Received};
use super::message::MessageKind;

/// What came of chunks. Chunks are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A message, for [`super::Message::parse`]. Only a coredump may be damaged: its first part is
    /// worth something without the rest.
    Message {
        /// Number of its last chunk.
        chunk: usize,
        /// Its bytes and what is wrong with them.
        message: Received,
    },
    /// Chunks that were lost or dropped.
    Problem {
        /// Number of the first chunk it is about.
        first: usize,
        /// Number of the last.
        last: usize,
        /// What is wrong.
        text: String,
    },
}

/// Puts messages together and gathers what goes wrong: a chunk that is lost makes all that
/// continue the same message useless, which is told as one problem.
#[derive(Debug, Default)]
pub struct Decoder {
    reassembler: Reassembler,
    count: usize,
    dropped: Option<Dropped>,
}

/// Chunks in a row that were dropped for one cause.
#[derive(Debug)]
struct Dropped {
    first: usize,
    last: usize,
    error: ChunkError,
}

impl Decoder {
    /// Nothing received yet.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Found> {
        let before = self.count;
        self.count = before.saturating_add(1);
        let mut found = Vec::new();
        let pushed = self.reassembler.push(chunk);
        if pushed.error.is_none() || !pushed.messages.is_empty() {
            found.extend(self.take_dropped());
        }
        for message in pushed.messages {
            let cut_short = matches!(message.damage, Some(Damage::CutShort { .. }));
            found.push(judged(message, if cut_short { before } else { self.count }));
        }
        let Some(error) = pushed.error else { return found };
        match &mut self.dropped {
            Some(dropped) if follows(dropped.error, error) => dropped.last = self.count,
            _ => {
                found.extend(self.take_dropped());
                self.dropped = Some(Dropped { first: self.count, last: self.count, error });
            }
        }
        found
    }

    /// Takes note of a chunk that has no bytes.
    pub fn skip(&mut self, why: String) -> Vec<Found> {
        self.count = self.count.saturating_add(1);
        let mut found: Vec<Found> = self.take_dropped().into_iter().collect();
        found.push(Found::Problem { first: self.count, last: self.count, text: why });
        found
    }

    /// What is left when no more chunks come.
    pub fn finish(&mut self) -> Vec<Found> {
        let mut found: Vec<Found> = self.take_dropped().into_iter().collect();
        found.extend(self.reassembler.finish().map(|message| judged(message, self.count)));
        found
    }

    fn take_dropped(&mut self) -> Option<Found> {
        let Dropped { first, last, error } = self.dropped.take()?;
        Some(Found::Problem { first, last, text: error.to_string() })
    }
}

/// A message that is of use, or why it is not.
fn judged(message: Received, chunk: usize) -> Found {
    match message.damage {
        Some(damage) if MessageKind::of(&message.bytes) != Some(MessageKind::Coredump) => {
            Found::Problem { first: chunk, last: chunk, text: damage.to_string() }
        }
        _ => Found::Message { chunk, message },
    }
}

/// Whether `next` is told already with `first`: of a message whose beginning was lost or that has
/// a gap, no further chunk fits.
fn follows(first: ChunkError, next: ChunkError) -> bool {
    match next {
        ChunkError::Gap { .. } => matches!(first, ChunkError::Gap { .. }),
        ChunkError::NoBeginning => true,
        next => first == next,
    }
}
