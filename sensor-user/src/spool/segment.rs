//! A segment: its name, its header, and what is remembered of it while the spool is open.

use std::path::{Path, PathBuf};

use claviger_proto::envelope::Sha256Digest;

use super::lost::{LossReason, Lost, LostRange};
use super::mark::Mark;
use super::record::Meta;
use crate::sign::{BootId, ChainState};

/// Length of a segment's header.
pub(super) const HEADER_LEN: usize = 8 + 4 + 4 + 16 + 8 + 32;
/// The same, as an offset: where the first record stands.
pub(super) const FIRST_RECORD: u64 = HEADER_LEN as u64;

const MAGIC: [u8; 8] = *b"CLVSPOOL";
const VERSION: u32 = 1;

/// The header's bytes: where the chain stands when the segment is begun.
pub(super) fn encode_header(chain: &ChainState) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..32].copy_from_slice(chain.boot_id.as_bytes());
    header[32..40].copy_from_slice(&chain.next_sequence.to_le_bytes());
    header[40..].copy_from_slice(&chain.previous_digest);
    let checksum = crc32c::crc32c(&header[16..]);
    header[12..16].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Reads a header; nothing where it is damaged.
pub(super) fn parse_header(bytes: &[u8]) -> Option<ChainState> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (version, rest) = rest.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let state = rest.first_chunk::<56>()?;
    if *magic != MAGIC
        || u32::from_le_bytes(*version) != VERSION
        || u32::from_le_bytes(*checksum) != crc32c::crc32c(state)
    {
        return None;
    }
    let (boot, rest) = state.split_first_chunk::<16>()?;
    let (next, digest) = rest.split_first_chunk::<8>()?;
    Some(ChainState {
        boot_id: BootId::from_bytes(*boot),
        next_sequence: u64::from_le_bytes(*next),
        previous_digest: Sha256Digest::try_from(digest).ok()?,
    })
}

/// Where a segment lies.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.seg"))
}

/// The number in a segment's name.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// What is remembered of a segment.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// Where the chain stood when it was begun, where its header tells.
    pub(super) begins: Option<ChainState>,
    /// Where its last whole record ends.
    pub(super) end: u64,
    /// Whole records in it.
    pub(super) records: u64,
    /// What they hold. One element for each boot, and one more for each place where records are lost.
    runs: Vec<Run>,
}

/// Records that follow one another within a boot.
#[derive(Debug, Clone)]
struct Run {
    boot_id: BootId,
    first: u64,
    last: u64,
    last_digest: Sha256Digest,
    batches: u64,
    from_ms: i64,
    to_ms: i64,
}

impl Segment {
    pub(super) fn new(number: u64, begins: Option<ChainState>) -> Self {
        Self {
            number,
            begins,
            end: FIRST_RECORD,
            records: 0,
            runs: Vec::new(),
        }
    }

    /// Takes note of a record that ends at `end`.
    pub(super) fn push(&mut self, meta: &Meta, end: u64) {
        self.end = end;
        self.records += 1;
        match self.runs.last_mut() {
            Some(run) if run.boot_id == meta.boot_id && run.last.checked_add(1) == Some(meta.first) => {
                run.last = meta.last;
                run.last_digest = meta.digest;
                run.batches += 1;
                run.to_ms = meta.sealed_at_ms;
            }
            _ => self.runs.push(Run {
                boot_id: meta.boot_id,
                first: meta.first,
                last: meta.last,
                last_digest: meta.digest,
                batches: 1,
                from_ms: meta.sealed_at_ms,
                to_ms: meta.sealed_at_ms,
            }),
        }
    }

    /// Records that are not acknowledged.
    pub(super) fn waiting(&self, acknowledged: Option<&Mark>) -> u64 {
        match acknowledged {
            Some(mark) if mark.covers(self.number, self.end) => 0,
            Some(mark) if mark.segment == self.number => self.records.saturating_sub(mark.ordinal),
            _ => self.records,
        }
    }

    /// Where the chain stands after its last record, where it has one.
    pub(super) fn leaves(&self) -> Option<ChainState> {
        self.runs
            .last()
            .map(|run| ChainState::after(run.boot_id, run.last, run.last_digest))
    }

    /// What is lost with the segment: all that is not acknowledged.
    pub(super) fn lost(&self, acknowledged: Option<&Mark>, reason: LossReason) -> Vec<Lost> {
        let mut acknowledged_batches = self.records.saturating_sub(self.waiting(acknowledged));
        let mut lost = Vec::new();
        for run in &self.runs {
            let batches = run.batches.saturating_sub(acknowledged_batches);
            acknowledged_batches = acknowledged_batches.saturating_sub(run.batches);
            if batches == 0 {
                continue;
            }
            let first = match acknowledged {
                Some(mark)
                    if batches < run.batches
                        && mark.boot_id == run.boot_id
                        && (run.first..run.last).contains(&mark.last_sequence) =>
                {
                    mark.last_sequence + 1
                }
                _ => run.first,
            };
            lost.push(Lost {
                reason,
                batches,
                events: run.last.saturating_sub(first).saturating_add(1),
                range: Some(LostRange {
                    boot_id: run.boot_id,
                    first_sequence: first,
                    last_sequence: run.last,
                    last_digest: Some(run.last_digest),
                }),
                from_ms: run.from_ms,
                to_ms: run.to_ms,
            });
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        let name = |number| {
            path(Path::new("/d"), number)
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        };
        for wanted in [0, 1, u64::MAX] {
            assert_eq!(number(&name(wanted)), Some(wanted));
        }
        for wrong in [
            "1.seg",
            "lock",
            "0000000000000000000x.seg",
            "+0000000000000000001.seg",
            "99999999999999999999.seg",
        ] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_header_is_read_as_it_was_written(boot: [u8; 16], next_sequence: u64, previous_digest: [u8; 32]) {
            let chain = ChainState { boot_id: BootId::from_bytes(boot), next_sequence, previous_digest };
            prop_assert_eq!(parse_header(&encode_header(&chain)), Some(chain));
        }

        #[test]
        fn any_changed_byte_of_a_header_is_noticed(at in 0..HEADER_LEN, flip in 1..=255_u8) {
            let mut header = encode_header(&ChainState::start(BootId::from_bytes([7; 16])));
            header[at] ^= flip;
            prop_assert_eq!(parse_header(&header), None);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse_header(&bytes);
        }
    }
}
