//! Which server is at the other end, and what it says it can do.
//!
//! Known habits come from the sources and from running the servers; a server that is not
//! recognised gets the careful defaults.

use super::link::shorten;

/// A GDB server, as far as its habits matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerKind {
    /// The emulator: stops when a client connects, takes many requests at once, goes on with `D`.
    Qemu,
    /// Answers zeros for memory that it cannot read; `D` leaves the target halted.
    OpenOcd,
    /// Resumes the target when the last client leaves.
    PyOcd,
    /// Resumes on detach; at most 512 bytes per read; a scan must come first.
    BlackMagic,
    /// None of those.
    Unknown,
}

/// What the reply to `qSupported` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Features {
    /// Largest packet the server takes, in bytes.
    pub(super) packet_size: usize,
    pub(super) no_ack: bool,
    pub(super) target_xml: bool,
    pub(super) memory_map: bool,
    pub(super) threads_xml: bool,
    pub(super) resume_list: bool,
    /// Whether memory may be read in binary, with `x`.
    pub(super) binary: bool,
    /// The debugger that passes requests on to the server it is connected to: `gdb-scripts`.
    pub(super) debugger: Option<String>,
}

impl Features {
    /// Without `PacketSize`, GDB's own minimum counts.
    const DEFAULT_PACKET: usize = 400;

    pub(super) fn parse(reply: &[u8]) -> Features {
        let text = String::from_utf8_lossy(reply);
        let has = |name: &str| text.split(';').any(|feature| feature == name);
        let size = text.split(';').find_map(|feature| feature.strip_prefix("PacketSize="));
        let size =
            size.and_then(|hex| usize::from_str_radix(hex.trim_start_matches("0x"), 16).ok());
        Features {
            // A server may claim anything; both ends of this are what was ever seen to work.
            packet_size: size.unwrap_or(Features::DEFAULT_PACKET).clamp(64, 1 << 16),
            no_ack: has("QStartNoAckMode+"),
            target_xml: has("qXfer:features:read+"),
            memory_map: has("qXfer:memory-map:read+"),
            threads_xml: has("qXfer:threads:read+"),
            resume_list: has("vContSupported+"),
            binary: has("binary-upload+"),
            debugger: text.split(';').find_map(|feature| {
                feature.strip_prefix("mflt.debugger=").map(|name| shorten(name.as_bytes()))
            }),
        }
    }

    /// Whether `reply` looks like an answer to `qSupported` at all.
    pub(super) fn plausible(reply: &[u8]) -> bool {
        // An empty one means that the server does not know the question.
        reply.is_empty()
            || reply.contains(&b'=')
            || reply
                .split(|byte| *byte == b';')
                .all(|part| matches!(part.last(), Some(b'+' | b'-')))
    }

    /// Most bytes per `m` request, a multiple of four: two digits each and some framing.
    pub(super) fn max_read(&self) -> u32 {
        let bytes = (self.packet_size.saturating_sub(4) / 2) & !3;
        u32::try_from(bytes).unwrap_or(0).max(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_size_is_hexadecimal_and_bounded() {
        let read = |text: &str| Features::parse(text.as_bytes()).max_read();
        // QEMU accepts 0x800 at most, Black Magic 0x200.
        assert_eq!(read("PacketSize=1000;qXfer:features:read+"), 0x7fc);
        assert_eq!(read("PacketSize=400"), 0x1fc);
        assert_eq!(read(""), 196);
        assert_eq!(read("PacketSize=ffffffffffffffff"), 0x7ffc);
        assert_eq!(read("PacketSize=0"), 28);
        assert_eq!(read("PacketSize=zz"), 196);
    }

    #[test]
    fn feature_list_is_told_from_stale_replies() {
        assert!(Features::plausible(b"PacketSize=1000;vContSupported+"));
        assert!(Features::plausible(b"QStartNoAckMode+;qXfer:memory-map:read-"));
        assert!(Features::plausible(b""));
        for stale in [&b"OK"[..], b"T02thread:01;", b"E01", b"00000000"] {
            assert!(!Features::plausible(stale));
        }
    }
}
