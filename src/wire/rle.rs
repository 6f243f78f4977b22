//! Run-length coding of a message's payload: a sequence of signed numbers (zigzag, LEB128), each
//! followed by the byte to repeat so often, or, when negative, by so many bytes as they are.

use super::MAX_MESSAGE;
use super::message::MessageError;
use super::varint;
use crate::base::Reader;

/// The payload that `packed` stands for, as far as it goes: [`MAX_MESSAGE`] bytes at most.
pub(super) fn decode(packed: &[u8]) -> (Vec<u8>, Option<MessageError>) {
    let mut unpacked = Vec::new();
    let error = unpack(packed, &mut unpacked).err();
    (unpacked, error)
}

fn unpack(packed: &[u8], unpacked: &mut Vec<u8>) -> Result<(), MessageError> {
    let mut reader = Reader::new(packed);
    while !reader.is_empty() {
        let offset = reader.offset();
        let cut_short = MessageError::RunCutShort { offset };
        let number = varint::read(&mut reader).map_err(|_| cut_short)?;
        let literal = number & 1 == 1;
        let count = usize::try_from(number >> 1).unwrap_or(usize::MAX);
        let count = if literal { count.saturating_add(1) } else { count };
        let size = unpacked.len().saturating_add(count);
        if size > MAX_MESSAGE {
            return Err(MessageError::TooLarge { offset });
        }
        if literal {
            let there = count.min(reader.left());
            unpacked.extend_from_slice(reader.bytes(there).map_err(|_| cut_short)?);
            if there < count {
                return Err(cut_short);
            }
        } else {
            let byte = reader.u8().map_err(|_| cut_short)?;
            unpacked.resize(size, byte);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex;

    #[test]
    fn runs_and_literals_decode() {
        let mut long = hex::decode(b"010203030303050607").unwrap();
        long.resize(long.len() + 391, 0);
        let expected: [(&str, Vec<u8>); 6] = [
            ("17010202030404050606070808", hex::decode(b"010202030404050606070808").unwrap()),
            (
                "070102020306040105060604070408",
                hex::decode(b"010202030404040506060607070808").unwrap(),
            ),
            ("0101", vec![1]),
            ("8040ef", vec![0xef; 4096]),
            ("0301020803", hex::decode(b"010203030303").unwrap()),
            ("0301020803050506078e0600", long),
        ];
        for (packed, unpacked) in expected {
            let bytes = hex::decode(packed.as_bytes()).unwrap();
            assert_eq!(decode(&bytes), (unpacked, None), "{packed}");
        }
        assert_eq!(decode(&[]), (Vec::new(), None));
        // A run of no byte is strange, but has a meaning.
        assert_eq!(decode(&[0, 7, 1, 9]), (vec![9], None));
    }

    #[test]
    fn run_that_is_cut_short_or_endless_ends_what_is_unpacked() {
        let cut = |offset| Some(MessageError::RunCutShort { offset });
        assert_eq!(decode(&[2]), (vec![], cut(0)));
        assert_eq!(decode(&[1, 1, 0x80]), (vec![1], cut(2)));
        assert_eq!(decode(&[7, 1, 2]), (vec![1, 2], cut(0)));
        let endless = [1, 5, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0];
        assert_eq!(decode(&endless), (vec![5], Some(MessageError::TooLarge { offset: 2 })));
    }
}
