//! Single accesses: a register read in its own size, a word written.

use super::GdbClient;
use super::link::{READ, shorten};
use crate::base::{Address, hex};
use crate::target::TargetError;

/// Reads a register in one access; see [`crate::target::Target::read_register`].
pub(super) fn read_register(
    client: &mut GdbClient,
    address: Address,
    size: u32,
) -> Result<Vec<u8>, TargetError> {
    let request = format!("m{:x},{size:x}", address.0);
    let reply = client.link.ask(&request, READ)?;
    let bytes = hex::decode(&reply).filter(|bytes| bytes.len() as u64 == u64::from(size));
    bytes.ok_or_else(|| match &*reply {
        b"" => TargetError::Refused { request, code: "an empty reply".to_owned() },
        _ => TargetError::Unexpected { request, reply: shorten(&reply) },
    })
}

/// Writes a word; see [`crate::target::Target::write_word`].
pub(super) fn write_word(
    client: &mut GdbClient,
    address: Address,
    value: u32,
) -> Result<(), TargetError> {
    let bytes = hex::encode(&value.to_le_bytes());
    let request = format!("M{:x},4:{bytes}", address.0);
    let reply = client.link.ask(&request, READ)?;
    match &*reply {
        b"OK" => Ok(()),
        b"" => Err(TargetError::Refused { request, code: "an empty reply".to_owned() }),
        _ => Err(TargetError::Unexpected { request, reply: shorten(&reply) }),
    }
}
