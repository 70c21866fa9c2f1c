//! The file `acknowledged`: what must be known beside the segments. It is replaced whole, and small.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use claviger_proto::envelope::Sha256Digest;
use claviger_proto::v1::Gap;
use prost::Message as _;
use serde::{Deserialize, Serialize};

use super::lost::{LossReason, Lost, LostRange};
use super::{FileSystem, Mark, SpoolFile as _};
use crate::sign::ChainState;

const NAME: &str = "acknowledged";
/// The name under which the next ledger comes into being.
pub(super) const TEMPORARY_NAME: &str = "acknowledged.new";
/// Losses and breaks are bounded, so the ledger is; a larger file is something else.
const MAX_BYTES: u64 = 4 << 20;

/// Where the chain stood at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChainAt {
    pub(super) chain: ChainState,
    pub(super) segment: u64,
    pub(super) end: u64,
}

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ledger {
    /// Up to where the detector has everything.
    pub(super) acknowledged: Option<Mark>,
    /// Segments before this one were dropped.
    pub(super) first_segment: u64,
    /// Where the chain stood when this was written.
    pub(super) chain: Option<ChainAt>,
    /// What no gap has told yet.
    pub(super) lost: Vec<Lost>,
    /// Gaps of others that were told in a refused batch, and in no other yet.
    pub(super) gaps: Vec<Gap>,
    /// Places (segment, offset), each the end of what is whole, behind which something is missing and this is accounted for.
    pub(super) known_breaks: BTreeSet<(u64, u64)>,
    /// Whether there was an anchor when this was written: one that is not there was removed. Ledgers of before there were anchors say nothing.
    pub(super) has_anchor: bool,
}

impl Ledger {
    /// Reads the ledger: nothing where there is none, and an error of kind `InvalidData` where it is damaged.
    pub(super) fn read<F: FileSystem>(fs: &F, dir: &Path) -> io::Result<Option<Self>> {
        let file = match fs.open(&dir.join(NAME)) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let length = usize::try_from(file.length()?.min(MAX_BYTES + 1)).unwrap_or(0);
        let mut bytes = vec![0; length];
        let read = file.read_at(&mut bytes, 0)?;
        Self::parse(&bytes[..read])
            .map(Some)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    /// Replaces the ledger on the disk.
    pub(super) fn write<F: FileSystem>(&self, fs: &F, dir: &Path) -> io::Result<()> {
        let temporary = dir.join(TEMPORARY_NAME);
        let written = fs.create(&temporary).and_then(|mut file| {
            file.write_all_at(&self.encode(), 0)?;
            file.sync()
        });
        if let Err(why) = written {
            // Half a ledger takes room that the disk may not have.
            let _ = fs.remove(&temporary);
            return Err(why);
        }
        fs.rename(&temporary, &dir.join(NAME))?;
        fs.sync_dir(dir)
    }

    fn encode(&self) -> Vec<u8> {
        let raw = RawLedger {
            version: 1,
            acknowledged: self.acknowledged.as_ref().map(RawMark::from),
            first_segment: self.first_segment,
            chain: self.chain.as_ref().map(RawChain::from),
            lost: self.lost.iter().map(RawLost::from).collect(),
            gaps: self
                .gaps
                .iter()
                .map(|gap| hex::encode(gap.encode_to_vec()))
                .collect(),
            known_breaks: self.known_breaks.iter().copied().collect(),
            has_anchor: self.has_anchor,
        };
        // Strings, numbers and lists of them: serialization has nothing to fail on.
        let json = serde_json::to_vec(&raw).unwrap_or_default();
        let mut bytes = format!("{:08x}\n", crc32c::crc32c(&json)).into_bytes();
        bytes.extend_from_slice(&json);
        bytes.push(b'\n');
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (checksum, json) = text.split_once('\n')?;
        let json = json.strip_suffix('\n')?;
        if checksum.len() != 8 || u32::from_str_radix(checksum, 16).ok()? != crc32c::crc32c(json.as_bytes()) {
            return None;
        }
        let raw: RawLedger = serde_json::from_str(json).ok()?;
        if raw.version != 1 {
            return None;
        }
        Some(Self {
            acknowledged: optional(raw.acknowledged, |mark| mark.resolve())?,
            first_segment: raw.first_segment,
            chain: optional(raw.chain, |chain| chain.resolve())?,
            lost: raw
                .lost
                .into_iter()
                .map(|lost| lost.resolve())
                .collect::<Option<_>>()?,
            gaps: raw.gaps.iter().map(|gap| gap_of(gap)).collect::<Option<_>>()?,
            known_breaks: raw.known_breaks.into_iter().collect(),
            has_anchor: raw.has_anchor,
        })
    }
}

/// What is not said is fine, what is said wrong is not.
fn optional<R, T>(raw: Option<R>, resolve: impl FnOnce(R) -> Option<T>) -> Option<Option<T>> {
    match raw {
        None => Some(None),
        Some(raw) => resolve(raw).map(Some),
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLedger {
    version: u32,
    acknowledged: Option<RawMark>,
    first_segment: u64,
    chain: Option<RawChain>,
    lost: Vec<RawLost>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<String>,
    known_breaks: Vec<(u64, u64)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_anchor: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMark {
    segment: u64,
    end: u64,
    ordinal: u64,
    boot_id: String,
    last_sequence: u64,
    digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChain {
    segment: u64,
    end: u64,
    boot_id: String,
    next_sequence: u64,
    previous_digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLost {
    reason: String,
    batches: u64,
    events: u64,
    range: Option<RawRange>,
    from_ms: i64,
    to_ms: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRange {
    boot_id: String,
    first_sequence: u64,
    last_sequence: u64,
    last_digest: Option<String>,
}

fn gap_of(text: &str) -> Option<Gap> {
    Gap::decode(hex::decode(text).ok()?.as_slice()).ok()
}

fn digest(text: &str) -> Option<Sha256Digest> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).ok()?;
    Some(digest)
}

impl From<&Mark> for RawMark {
    fn from(mark: &Mark) -> Self {
        Self {
            segment: mark.segment,
            end: mark.end,
            ordinal: mark.ordinal,
            boot_id: mark.boot_id.to_string(),
            last_sequence: mark.last_sequence,
            digest: hex::encode(mark.digest),
        }
    }
}

impl RawMark {
    fn resolve(&self) -> Option<Mark> {
        Some(Mark {
            segment: self.segment,
            end: self.end,
            ordinal: self.ordinal,
            boot_id: self.boot_id.parse().ok()?,
            last_sequence: self.last_sequence,
            digest: digest(&self.digest)?,
        })
    }
}

impl From<&ChainAt> for RawChain {
    fn from(at: &ChainAt) -> Self {
        Self {
            segment: at.segment,
            end: at.end,
            boot_id: at.chain.boot_id.to_string(),
            next_sequence: at.chain.next_sequence,
            previous_digest: hex::encode(at.chain.previous_digest),
        }
    }
}

impl RawChain {
    fn resolve(&self) -> Option<ChainAt> {
        let chain = ChainState {
            boot_id: self.boot_id.parse().ok()?,
            next_sequence: self.next_sequence,
            previous_digest: digest(&self.previous_digest)?,
        };
        Some(ChainAt {
            chain,
            segment: self.segment,
            end: self.end,
        })
    }
}

impl From<&Lost> for RawLost {
    fn from(lost: &Lost) -> Self {
        Self {
            reason: lost.reason.word().to_owned(),
            batches: lost.batches,
            events: lost.events,
            range: lost.range.map(|range| RawRange {
                boot_id: range.boot_id.to_string(),
                first_sequence: range.first_sequence,
                last_sequence: range.last_sequence,
                last_digest: range.last_digest.map(hex::encode),
            }),
            from_ms: lost.from_ms,
            to_ms: lost.to_ms,
        }
    }
}

impl RawLost {
    fn resolve(&self) -> Option<Lost> {
        let range = optional(self.range.as_ref(), |range| {
            Some(LostRange {
                boot_id: range.boot_id.parse().ok()?,
                first_sequence: range.first_sequence,
                last_sequence: range.last_sequence,
                last_digest: optional(range.last_digest.as_deref(), digest)?,
            })
        })?;
        Some(Lost {
            reason: LossReason::from_word(&self.reason)?,
            batches: self.batches,
            events: self.events,
            range,
            from_ms: self.from_ms,
            to_ms: self.to_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sign::BootId;

    fn example() -> Ledger {
        let boot_id = BootId::from_bytes([3; 16]);
        let mark = Mark {
            segment: 4,
            end: 500,
            ordinal: 2,
            boot_id,
            last_sequence: 9,
            digest: [8; 32],
        };
        let range = LostRange {
            boot_id,
            first_sequence: 1,
            last_sequence: 2,
            last_digest: Some([1; 32]),
        };
        let lost = Lost::unsequenced(LossReason::DiskFull, 1, 2, -3);
        Ledger {
            acknowledged: Some(mark),
            first_segment: 4,
            chain: Some(ChainAt {
                chain: mark.leaves(),
                segment: 4,
                end: 500,
            }),
            lost: vec![
                Lost {
                    range: Some(range),
                    ..lost.clone()
                },
                lost,
            ],
            gaps: vec![Gap {
                reason: "ring_full".to_owned(),
                ..Gap::default()
            }],
            known_breaks: BTreeSet::from([(4, 72), (5, 0)]),
            has_anchor: true,
        }
    }

    #[test]
    fn a_ledger_is_read_as_it_was_written() {
        for ledger in [Ledger::default(), example()] {
            assert_eq!(Ledger::parse(&ledger.encode()), Some(ledger));
        }
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_noticed(at: prop::sample::Index, flip in 1..=255_u8) {
            let mut bytes = example().encode();
            let at = at.index(bytes.len());
            let before = bytes.clone();
            bytes[at] ^= flip;
            // The checksum's digits mean the same in capitals.
            prop_assert!(Ledger::parse(&bytes).is_none() || bytes.eq_ignore_ascii_case(&before));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Ledger::parse(&bytes);
        }
    }
}
