//! One record: a sealed batch with what the spool must know of it. Pure and total.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use claviger_proto::envelope::Sha256Digest;

use crate::clock::unix_milliseconds;
use crate::sign::{BootId, ChainState, MAX_BATCH_EVENTS, MAX_ENVELOPE_BYTES, Sealed};

/// What every record begins with, so that the next one can be found behind a damaged one.
pub(super) const MARKER: [u8; 4] = *b"CLVR";
/// Marker, length, checksum.
pub(super) const PREFIX_LEN: usize = 12;
/// The body without the envelope.
pub(super) const META_LEN: usize = 16 + 8 + 8 + 32 + 32 + 8;
/// The largest body.
pub(super) const MAX_BODY_LEN: usize = META_LEN + MAX_ENVELOPE_BYTES;

/// What stands before a record's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) body_len: usize,
    checksum: u32,
}

/// What the spool knows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) boot_id: BootId,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) digest: Sha256Digest,
    pub(super) previous_digest: Sha256Digest,
    pub(super) sealed_at_ms: i64,
}

impl Meta {
    pub(super) fn of(sealed: &Sealed) -> Self {
        Self {
            boot_id: sealed.boot_id,
            first: sealed.first_sequence,
            last: sealed.last_sequence,
            digest: sealed.digest,
            previous_digest: sealed.previous_digest,
            sealed_at_ms: unix_milliseconds(sealed.sealed_at),
        }
    }

    /// Where the chain stood before the batch.
    pub(super) fn builds_on(&self) -> ChainState {
        ChainState {
            boot_id: self.boot_id,
            next_sequence: self.first,
            previous_digest: self.previous_digest,
        }
    }

    /// Where the chain stands after it.
    pub(super) fn leaves(&self) -> ChainState {
        ChainState::after(self.boot_id, self.last, self.digest)
    }

    /// How many events the batch holds; 0 where the numbers make no sense.
    pub(super) fn events(&self) -> u64 {
        self.last
            .checked_sub(self.first)
            .map_or(0, |more| more.saturating_add(1))
    }

    pub(super) fn sealed_at(&self) -> SystemTime {
        let distance = Duration::from_millis(self.sealed_at_ms.unsigned_abs());
        let time = if self.sealed_at_ms < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        time.unwrap_or(UNIX_EPOCH)
    }

    /// Whether numbers that no checksum vouches for can be meant.
    pub(super) fn is_plausible_after(&self, chain: &ChainState) -> bool {
        self.builds_on() == chain.in_boot(self.boot_id)
            && (1..=MAX_BATCH_EVENTS as u64).contains(&self.events())
    }

    /// Reads the numbers at the beginning of a body.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (boot, rest) = body.split_first_chunk::<16>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (last, rest) = rest.split_first_chunk::<8>()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let (previous, rest) = rest.split_first_chunk::<32>()?;
        let (sealed_at, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            boot_id: BootId::from_bytes(*boot),
            first: u64::from_le_bytes(*first),
            last: u64::from_le_bytes(*last),
            digest: *digest,
            previous_digest: *previous,
            sealed_at_ms: i64::from_le_bytes(*sealed_at),
        })
    }
}

impl Prefix {
    /// Reads a prefix; nothing where these bytes cannot be one.
    pub(super) fn parse(bytes: &[u8; PREFIX_LEN]) -> Option<Self> {
        let (marker, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (checksum, _) = rest.split_first_chunk::<4>()?;
        let body_len = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        (*marker == MARKER && (META_LEN..=MAX_BODY_LEN).contains(&body_len)).then_some(Self {
            body_len,
            checksum: u32::from_le_bytes(*checksum),
        })
    }

    /// Whether this is the body that was written.
    pub(super) fn vouches_for(&self, body: &[u8]) -> bool {
        body.len() == self.body_len && checksum(body) == self.checksum
    }
}

/// The record's bytes.
pub(super) fn encode(meta: &Meta, envelope: &[u8]) -> Vec<u8> {
    let body_len = META_LEN + envelope.len();
    let mut record = Vec::with_capacity(PREFIX_LEN + body_len);
    record.extend_from_slice(&MARKER);
    record.extend_from_slice(&length_bytes(body_len));
    // The checksum's place: it is known when the body is.
    record.extend_from_slice(&[0; 4]);
    record.extend_from_slice(meta.boot_id.as_bytes());
    record.extend_from_slice(&meta.first.to_le_bytes());
    record.extend_from_slice(&meta.last.to_le_bytes());
    record.extend_from_slice(&meta.digest);
    record.extend_from_slice(&meta.previous_digest);
    record.extend_from_slice(&meta.sealed_at_ms.to_le_bytes());
    record.extend_from_slice(envelope);
    let checksum = checksum(&record[PREFIX_LEN..]);
    record[PREFIX_LEN - 4..PREFIX_LEN].copy_from_slice(&checksum.to_le_bytes());
    record
}

/// The record's length on disk.
pub(super) fn encoded_len(envelope_len: usize) -> u64 {
    (PREFIX_LEN + META_LEN + envelope_len) as u64
}

fn checksum(body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length_bytes(body.len())), body)
}

/// A body is at most 4 MiB and some; one that no u32 holds gets a length that no reader takes.
fn length_bytes(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn meta() -> impl Strategy<Value = Meta> {
        (
            any::<[u8; 16]>(),
            any::<u64>(),
            any::<u64>(),
            any::<[u8; 32]>(),
            any::<[u8; 32]>(),
            any::<i64>(),
        )
            .prop_map(
                |(boot, first, last, digest, previous_digest, sealed_at_ms)| Meta {
                    boot_id: BootId::from_bytes(boot),
                    first,
                    last,
                    digest,
                    previous_digest,
                    sealed_at_ms,
                },
            )
    }

    fn split(record: &[u8]) -> Option<(Prefix, &[u8])> {
        let (prefix, body) = record.split_first_chunk::<PREFIX_LEN>()?;
        Some((Prefix::parse(prefix)?, body))
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written(meta in meta(), envelope: Vec<u8>) {
            let record = encode(&meta, &envelope);
            prop_assert_eq!(record.len() as u64, encoded_len(envelope.len()));
            let (prefix, body) = split(&record).expect("a record");
            prop_assert!(prefix.vouches_for(body));
            prop_assert_eq!(Meta::parse(body), Some(meta));
            prop_assert_eq!(&body[META_LEN..], &envelope);
            let _ = (meta.events(), meta.sealed_at());
        }

        #[test]
        fn any_changed_byte_is_noticed(meta in meta(), envelope: Vec<u8>, at: prop::sample::Index, flip in 1..=255_u8) {
            let mut record = encode(&meta, &envelope);
            let at = at.index(record.len());
            record[at] ^= flip;
            prop_assert!(split(&record).is_none_or(|(prefix, body)| !prefix.vouches_for(body)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Some((prefix, body)) = split(&bytes) {
                let _ = prefix.vouches_for(body);
            }
            let _ = Meta::parse(&bytes).map(|meta| (meta.events(), meta.sealed_at()));
        }
    }
}
