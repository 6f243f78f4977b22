//! Addresses and register values in their serialised form.

use crate::base::Address;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A 32-bit value that is written as `"0x2000a298"`, always ten characters.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex32(pub u32);

impl fmt::Display for Hex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

impl fmt::Debug for Hex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<u32> for Hex32 {
    fn from(value: u32) -> Self {
        Hex32(value)
    }
}

impl From<Address> for Hex32 {
    fn from(address: Address) -> Self {
        Hex32(address.0)
    }
}

impl Serialize for Hex32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A report holds thousands of these: spell them without the formatting machinery.
        let mut text = *b"0x00000000";
        for (digit, shift) in text.iter_mut().skip(2).zip((0..32).step_by(4).rev()) {
            let value = (self.0 >> shift & 0xf) as u8;
            *digit = if value < 10 { b'0' | value } else { b'`' | value.saturating_sub(9) };
        }
        serializer.serialize_str(std::str::from_utf8(&text).map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Hex32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 8);
        digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .map(Hex32)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is not of the form 0x0123abcd")))
    }
}

/// Named 32-bit values that keep their order: an object in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registers(pub Vec<(Cow<'static, str>, Hex32)>);

impl Registers {
    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<u32> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<Cow<'static, str>>> FromIterator<(N, u32)> for Registers {
    fn from_iter<I: IntoIterator<Item = (N, u32)>>(pairs: I) -> Self {
        Registers(pairs.into_iter().map(|(name, value)| (name.into(), Hex32(value))).collect())
    }
}

impl Serialize for Registers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Registers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Registers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of register values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Registers, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Registers(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_always_ten_characters_and_reads_back() {
        for value in [0, 1, 0x2000_a298, u32::MAX] {
            let text = serde_json::to_string(&Hex32(value)).unwrap();
            assert_eq!(text, format!("\"0x{value:08x}\""));
            assert_eq!(serde_json::from_str::<Hex32>(&text).unwrap(), Hex32(value));
        }
        assert!(serde_json::from_str::<Hex32>("\"0x1\"").is_err());
    }
}
