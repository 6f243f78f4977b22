//! The sending side, for tests: it shares nothing with the readers beside it.

/// CRC-16/XMODEM, bit by bit.
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
    bits.fold(0, |crc: u16, bit| {
        let carry = crc >> 15 == 1;
        crc << 1 ^ if carry != bit { 0x1021 } else { 0 }
    })
}

fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The chunks of `message` for a buffer of `size` bytes, at least 9.
pub(super) fn chunks(message: &[u8], size: usize) -> Vec<Vec<u8>> {
    let crc = crc16(message).to_le_bytes();
    if message.len() + 3 <= size {
        return vec![[&[0x08], message, &crc].concat()];
    }
    let mut chunks = Vec::new();
    let mut sent = 0;
    loop {
        let lead = number(if chunks.is_empty() { message.len() } else { sent });
        let left = message.len() - sent;
        let room = size - 1 - lead.len();
        if !chunks.is_empty() && left + 2 <= room {
            chunks.push([&[0x80], &lead[..], &message[sent..], &crc].concat());
            return chunks;
        }
        let count = room.min(left);
        let header = if chunks.is_empty() { 0x48 } else { 0xc0 };
        chunks.push([&[header], &lead[..], &message[sent..sent + count]].concat());
        sent += count;
    }
}

/// The run-length coding of `bytes`: runs of two and more, the rest as it is.
pub(super) fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut literal: Vec<u8> = Vec::new();
    let flush = |literal: &mut Vec<u8>, packed: &mut Vec<u8>| {
        if !literal.is_empty() {
            packed.extend(number(literal.len() * 2 - 1));
            packed.append(literal);
        }
    };
    for run in bytes.chunk_by(|a, b| a == b) {
        if run.len() == 1 {
            literal.push(run[0]);
        } else {
            flush(&mut literal, &mut packed);
            packed.extend(number(run.len() * 2));
            packed.push(run[0]);
        }
    }
    flush(&mut literal, &mut packed);
    packed
}

/// Data that has runs, text and noise.
pub(super) fn sample(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let run = if state >> 30 == 0 { 1 + (state >> 20 & 0x3f) as usize } else { 1 };
        bytes.extend(std::iter::repeat_n((state >> 8) as u8, run.min(size - bytes.len())));
    }
    bytes
}
