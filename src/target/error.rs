//! What can go wrong between this program and a live target.

use std::io;

/// Why a target could not be reached, stopped or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(io::ErrorKind),
    /// Nobody listens at that port.
    #[error("nobody listens there")]
    NobodyListens,
    /// The port is missing, or it is no number from 1 to 65535.
    #[error("`{0}` names no port from 1 to 65535")]
    BadPort(String),
    /// The name of the server's machine is unknown.
    #[error("the host `{0}` is not known")]
    UnknownHost(String),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(io::ErrorKind),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server did not answer.
    #[error("no answer to `{request}` within {seconds} s")]
    Timeout {
        /// What was asked.
        request: String,
        /// How long we waited since the last byte.
        seconds: u64,
    },
    /// A packet arrived damaged.
    #[error("a packet with the checksum `{announced}` adds up to {found:02x}")]
    Checksum {
        /// The two digits behind the packet.
        announced: String,
        /// What its bytes add up to.
        found: u8,
    },
    /// A packet never ends.
    #[error("a packet is longer than {limit} bytes")]
    PacketTooLong {
        /// The most that is accepted.
        limit: usize,
    },
    /// What arrives is not the GDB remote protocol.
    #[error("{bytes} bytes arrived that are not the GDB remote protocol")]
    Garbage {
        /// How many were passed over.
        bytes: usize,
    },
    /// The server answered with an error.
    #[error("the server answers `{request}` with {code}")]
    Refused {
        /// What was asked.
        request: String,
        /// Its error, for example `E01`.
        code: String,
    },
    /// The server answered with something that is no answer to the question.
    #[error("`{reply}` is no answer to `{request}`")]
    Unexpected {
        /// What was asked.
        request: String,
        /// The beginning of what came.
        reply: String,
    },
    /// The server is not attached to a target.
    #[error("the server is not attached to a target")]
    NotAttached,
    /// The server's target is no Cortex-M.
    #[error("the target is no Cortex-M: the server calls it `{0}`")]
    OtherArchitecture(String),
    /// What the server serves is a dump.
    #[error("this is no target but a dump that `mflt gdbserver` serves")]
    Dump,
    /// The target runs and cannot be stopped.
    #[error("the target does not stop")]
    DoesNotStop,
    /// The user asked to stop.
    #[error("interrupted")]
    Cancelled,
}

impl TargetError {
    /// Whether only this request failed, and the connection can still be used.
    pub fn is_answer(&self) -> bool {
        matches!(self, TargetError::Refused { .. })
    }
}
