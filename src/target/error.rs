//! What can go wrong between this program and a live target.

use std::io;

use crate::base::Address;

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
    /// No debug probe is plugged in, or none that was asked for.
    #[error("no such debug probe is plugged in")]
    NoProbe,
    /// Several debug probes could be meant.
    #[error("{} debug probes are plugged in: {}", .0.len(), .0.join(", "))]
    SeveralProbes(Vec<String>),
    /// A probe is named in a way that makes no sense.
    #[error("`{0}` names no debug probe")]
    BadSelector(String),
    /// This user may not open the probe.
    #[error("no permission to open the debug probe `{0}`")]
    ProbeDenied(String),
    /// No chip has that name, or several.
    #[error("no single chip is called `{name}`")]
    UnknownChip {
        /// What was asked for.
        name: String,
        /// Chips that may be meant.
        similar: Vec<String>,
    },
    /// The chip could not be asked what it is.
    #[error("the chip is not recognised")]
    ChipNotRecognised,
    /// Another core answers than the chip has.
    #[error("this is no {chip}: a {found} answers")]
    WrongChip {
        /// The chip that was asked for.
        chip: String,
        /// What CPUID says.
        found: String,
    },
    /// The chip has fewer cores.
    #[error("there is no core {number}: the chip has {count}")]
    NoCore {
        /// What was asked for.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// This probe reaches one core only.
    #[error("only the first core can be read through the debug probe `{0}`")]
    FirstCoreOnly(String),
    /// The core is switched off.
    #[error("core {0} is switched off")]
    CoreOff(usize),
    /// Read-out protection keeps debuggers out.
    #[error("the device is locked: its read-out protection keeps debuggers out")]
    Locked,
    /// Nothing answers at the probe's other end.
    #[error("no target answers: {0}")]
    NoResponse(String),
    /// What the probe or its driver says.
    #[error("{0}")]
    Probe(String),
    /// DEMCR does not keep its vector catch bits.
    #[error("the target takes no vector catch")]
    NoVectorCatch,
    /// The target halts where it halted before, without a breakpoint of ours.
    #[error("the target halts at {0} again and does not get on")]
    Stuck(Address),
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
