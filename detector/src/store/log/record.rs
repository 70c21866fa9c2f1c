//! One record: its form, and what may be wrong with it.

use super::super::StoreError;
use crate::verify::MAX_BATCH_BYTES;

/// The most bytes that a record's body may have: the largest batch and what an envelope adds.
pub const MAX_RECORD_BYTES: usize = MAX_BATCH_BYTES + 4096;
/// Length and checksum.
pub(super) const HEAD_BYTES: usize = 8;

/// What precedes a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    checksum: u32,
}

/// A record as it is written.
pub(super) fn encode(body: &[u8]) -> Result<Vec<u8>, StoreError> {
    let too_large = StoreError::RecordTooLarge { bytes: body.len() };
    let length = match u32::try_from(body.len()) {
        Ok(length) if length > 0 && body.len() <= MAX_RECORD_BYTES => length,
        _ => return Err(too_large),
    };
    let mut record = Vec::with_capacity(HEAD_BYTES + body.len());
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
    record.extend_from_slice(body);
    Ok(record)
}

impl Head {
    /// The head in these bytes; nothing where the length is impossible.
    pub(super) fn parse(bytes: [u8; HEAD_BYTES]) -> Option<Self> {
        let [l0, l1, l2, l3, c0, c1, c2, c3] = bytes;
        let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
        let possible = (1..=MAX_RECORD_BYTES).contains(&length);
        possible.then_some(Self {
            length,
            checksum: u32::from_le_bytes([c0, c1, c2, c3]),
        })
    }

    /// Whether this body is the one.
    pub(super) fn matches(self, body: &[u8]) -> bool {
        body.len() == self.length && crc32c::crc32c(body) == self.checksum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_is_read_as_written_and_no_changed_bit_passes(
            body in proptest::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let check = |record: &[u8]| {
                let (head, body) = record.split_first_chunk::<HEAD_BYTES>().expect("has a head");
                Head::parse(*head).is_some_and(|head| head.matches(body))
            };
            let mut record = encode(&body).expect("fits");
            prop_assert!(check(&record));
            let at = at.index(record.len());
            record[at] ^= 1 << bit;
            prop_assert!(!check(&record));
        }
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert!(encode(&[]).is_err());
        assert!(encode(&vec![0; MAX_RECORD_BYTES]).is_ok());
        assert!(encode(&vec![0; MAX_RECORD_BYTES + 1]).is_err());
    }
}
