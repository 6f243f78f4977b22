//! CRC-16/XMODEM: polynomial 0x1021, starts at 0, neither reflected nor inverted.

/// A checksum in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Crc16(u16);

impl Crc16 {
    /// The checksum of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> u16 {
        let mut crc = Crc16::default();
        bytes.iter().for_each(|byte| crc.update(*byte));
        crc.value()
    }

    pub(super) fn update(&mut self, byte: u8) {
        let index = usize::from((self.0 >> 8) as u8 ^ byte);
        let step = TABLE.get(index).copied().unwrap_or_default();
        self.0 = self.0 << 8 ^ step;
    }

    pub(super) fn value(self) -> u16 {
        self.0
    }
}

const TABLE: [u16; 256] = table();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_catalogue() {
        assert_eq!(Crc16::of(b"123456789"), 0x31c3);
        assert_eq!(Crc16::of(b"A"), 0x58e5);
        assert_eq!(Crc16::of(b""), 0);
    }
}
