//! Reading target memory, wherever its bytes come from.

use super::{Address, AddressRange};

/// Memory at an address cannot be read: it was not captured, or the target refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("memory at {address} is not available")]
pub struct Unreadable {
    /// The first address that could not be read.
    pub address: Address,
}

/// Target memory, little endian, as a dump, an ELF file or a live core gives it.
pub trait Memory {
    /// Fills `buffer` with the bytes from `address` on.
    ///
    /// # Errors
    /// [`Unreadable`] when any of the bytes is missing; `buffer` is then unspecified.
    fn read(&self, address: Address, buffer: &mut [u8]) -> Result<(), Unreadable>;

    /// Whether the byte at `address` cannot be read because it was redacted.
    fn is_redacted(&self, _address: Address) -> bool {
        false
    }

    /// One byte.
    fn read_u8(&self, address: Address) -> Result<u8, Unreadable> {
        let mut bytes = [0; 1];
        self.read(address, &mut bytes)?;
        Ok(bytes[0])
    }

    /// A 16-bit little-endian value; no alignment is asked for.
    fn read_u16(&self, address: Address) -> Result<u16, Unreadable> {
        let mut bytes = [0; 2];
        self.read(address, &mut bytes)?;
        Ok(u16::from_le_bytes(bytes))
    }

    /// A 32-bit little-endian value; no alignment is asked for.
    fn read_u32(&self, address: Address) -> Result<u32, Unreadable> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// The bytes of `range`, when all can be read. `limit` bounds what is allocated:
    /// a longer range counts as unreadable.
    fn read_range(&self, range: AddressRange, limit: usize) -> Result<Vec<u8>, Unreadable> {
        let unreadable = Unreadable { address: range.start() };
        let size = usize::try_from(range.size()).map_err(|_| unreadable)?;
        if size > limit {
            return Err(unreadable);
        }
        let mut bytes = vec![0; size];
        self.read(range.start(), &mut bytes)?;
        Ok(bytes)
    }

    /// The NUL-terminated bytes at `address`, without the NUL; at most `limit` bytes.
    /// A string that is cut by the limit or by unreadable memory is returned as far as it goes;
    /// only an unreadable first byte is an error.
    fn read_c_string(&self, address: Address, limit: usize) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::new();
        let mut at = address;
        while bytes.len() < limit {
            match self.read_u8(at) {
                Ok(0) => break,
                Ok(byte) => bytes.push(byte),
                Err(error) if bytes.is_empty() => return Err(error),
                Err(_) => break,
            }
            match at.checked_add(1) {
                Some(next) => at = next,
                None => break,
            }
        }
        Ok(bytes)
    }
}

impl<M: Memory + ?Sized> Memory for &M {
    fn read(&self, address: Address, buffer: &mut [u8]) -> Result<(), Unreadable> {
        (**self).read(address, buffer)
    }

    fn is_redacted(&self, address: Address) -> bool {
        (**self).is_redacted(address)
    }
}

/// Two memories as one: `first` is asked, then `second` for what `first` does not have.
#[derive(Clone, Copy, Debug)]
pub struct Overlay<A, B> {
    /// Asked first: usually what was captured.
    pub first: A,
    /// Asked for the rest: usually the read-only contents of the ELF file.
    pub second: B,
}

impl<A: Memory, B: Memory> Memory for Overlay<A, B> {
    fn read(&self, address: Address, buffer: &mut [u8]) -> Result<(), Unreadable> {
        self.first.read(address, buffer).or_else(|_| self.second.read(address, buffer))
    }

    fn is_redacted(&self, address: Address) -> bool {
        self.first.is_redacted(address)
    }
}
