//! The coredump that a device sent in chunks: `MC:` lines in a console log, hex, base64, binary.

use super::{FormatError, coredump};
use crate::snapshot::Snapshot;
use crate::wire::{self, Decoder, Found, Message, MessageKind, Received};

/// The last whole coredump among the messages, else the last that is cut short or damaged. `None`
/// when `bytes` are no chunks or hold no message.
pub(super) fn read(bytes: &[u8]) -> Option<Result<Snapshot, FormatError>> {
    let stream = wire::chunks(bytes).ok()?;
    let mut decoder = Decoder::new();
    let mut search = Search::default();
    for chunk in &stream.chunks {
        let found = match chunk {
            Ok(chunk) => decoder.push(chunk),
            Err(damaged) => decoder.skip(damaged.to_string()),
        };
        found.into_iter().for_each(|found| search.take(found));
    }
    decoder.finish().into_iter().for_each(|found| search.take(found));
    let Search { messages, coredumps, best } = search;
    let Some(best) = best else {
        return (messages > 0).then_some(Err(FormatError::NoCoredump { messages }));
    };
    let message = Message::parse(&best.bytes).ok()?;
    Some(coredump::read(&message.payload).map(|mut snapshot| {
        let damage = best.damage.map(|damage| damage.to_string());
        snapshot.remarks.extend(damage.or(message.damage.map(|damage| damage.to_string())));
        if coredumps > 1 {
            let which = "this is the last that is whole, or the last";
            snapshot.remarks.push(format!("the chunks hold {coredumps} coredumps: {which}"));
        }
        snapshot
    }))
}

#[derive(Default)]
struct Search {
    messages: usize,
    coredumps: usize,
    best: Option<Received>,
}

impl Search {
    fn take(&mut self, found: Found) {
        let Found::Message { message, .. } = found else { return };
        self.messages = self.messages.saturating_add(1);
        let kind = MessageKind::of(&message.bytes);
        // A device sends a coredump again until it is answered.
        let known = self.best.as_ref().is_some_and(|best| best.bytes == message.bytes);
        if kind != Some(MessageKind::Coredump) || known {
            return;
        }
        self.coredumps = self.coredumps.saturating_add(1);
        let better = |best: &Received| message.damage.is_none() || best.damage.is_some();
        if self.best.as_ref().is_none_or(better) {
            self.best = Some(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;

    const LOG: &[u8] = include_bytes!("../../fixtures/chunks/console.log");

    /// The lines of the log with those that `keep` is false for left out, by number of the chunk.
    fn log_with(keep: impl Fn(usize) -> bool) -> Vec<u8> {
        let mut chunk = 0;
        let kept = LOG.split_inclusive(|byte| *byte == b'\n').filter(|line| {
            let is_chunk = line.windows(3).any(|window| window == b"MC:");
            chunk += usize::from(is_chunk);
            !is_chunk || keep(chunk)
        });
        kept.collect::<Vec<_>>().concat()
    }

    #[test]
    fn coredump_is_found_in_a_console_log() {
        let snapshot = open(LOG).unwrap();
        assert!(!snapshot.registers.is_empty());
        assert_eq!(snapshot.identity.software_type.as_deref(), Some("sensor-node"));
        let twice = [LOG, b"\n", LOG].concat();
        assert_eq!(open(&twice).unwrap().remarks, snapshot.remarks);
    }

    #[test]
    fn coredump_that_lost_a_chunk_gives_its_first_part() {
        let whole = open(LOG).unwrap();
        let part = open(&log_with(|chunk| chunk != 6)).unwrap();
        assert_eq!(part.registers, whole.registers);
        assert!(part.remarks.iter().any(|r| r.contains("the message is cut short")), "{part:?}");
    }

    #[test]
    fn chunks_without_a_coredump_are_told_as_such() {
        let events = log_with(|chunk| chunk > 8);
        assert_eq!(open(&events), Err(FormatError::NoCoredump { messages: 5 }));
        assert!(matches!(open(b"MC: none"), Err(FormatError::Unrecognized { .. })));
    }

    #[test]
    fn every_prefix_of_a_log_is_survived() {
        for length in 0..LOG.len() {
            let _ = open(&LOG[..length]);
        }
    }
}
