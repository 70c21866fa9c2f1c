//! The anchor: where the chain stands, in a file outside of the spool's directory.
//!
//! It is there so that a spool that is removed is missed, and no sequence that may have left the host is given again. It is written at each
//! append, before anybody can read the batch, but without waiting for the disk: what was written outlives this process, so within a boot it is
//! exact. It is brought to the disk at the first append, with each segment and at a clean stop; after a power cut it may be that old, which gives
//! no sequence twice, for a new boot counts from 1.
//!
//! ```text
//! 0     the durable copy     written when the other is on the disk, and brought to the disk at once
//! 2048  the enrolment        as enrolment writes it (`sign/chain_file.rs`), and whoever makes the file anew
//! 4096  the latest copy      so a write that is torn damages one of them at most
//!
//! copy = "CLVCHAIN" version:u32 crc32c:u32 serial:u64 flags:u64 boot:16 next_sequence:u64 previous_digest:32 segment:u64 end:u64
//!        first_segment:u64 waiting_events:u64 untold_events:u64 acknowledged: segment:u64 end:u64 ordinal:u64 boot:16 last_sequence:u64 digest:32
//! ```
//! Enrolment makes the file, with zeros in place of both copies: of this identity nothing was ever sealed. One that is not there was removed, and so was
//! what one holds that does not tell of the enrolment and nothing else.

use std::io;
use std::path::PathBuf;

use claviger_proto::envelope::Sha256Digest;

use super::ledger::ChainAt;
use super::{FileSystem, Mark, SpoolFile};
use crate::sign::{BootId, ChainState, ENROLMENT_AT, ENROLMENT_LEN, enrolled_key, enrolment};

const MAGIC: [u8; 8] = *b"CLVCHAIN";
const VERSION: u32 = 1;
const COPY_LEN: usize = 8 + 4 + 4 + 8 + 8 + 56 + 8 + 8 + 8 + 8 + 8 + 80;
/// Where the content begins that the checksum covers.
const COVERED: usize = 16;
const DURABLE: u64 = 0;
const LATEST: u64 = 4096;
/// A copy that was never written.
const NOTHING: [u8; COPY_LEN] = [0; COPY_LEN];

const FLAG_ACKNOWLEDGED: u64 = 1;
const FLAG_CLEAN: u64 = 2;

/// Which file is the anchor of a spool, and where its chain goes on where that tells nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The file. Outside of the spool's directory.
    pub path: PathBuf,
    /// A place in this boot behind all that can have been sealed in it.
    pub behind_all: ChainState,
    /// The public half of the signing key, for a file that has to be made anew.
    pub signing_key: [u8; 32],
}

/// What a copy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchored {
    /// Counts the writes.
    pub(super) serial: u64,
    /// Where the chain stands.
    pub(super) chain: ChainAt,
    /// As in the ledger.
    pub(super) acknowledged: Option<Mark>,
    /// As in the ledger.
    pub(super) first_segment: u64,
    /// Events that wait for the detector.
    pub(super) waiting_events: u64,
    /// Events of losses that no gap tells yet.
    pub(super) untold_events: u64,
    /// Whether nothing was appended after this was brought to the disk.
    pub(super) is_clean: bool,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// The chain was there.
    At(Anchored),
    /// Nothing was ever sealed.
    Unused,
    /// It was removed, or nothing in it can be read.
    Removed,
}

impl Anchor {
    /// Reads the file.
    pub(super) fn read<F: FileSystem>(&self, fs: &F) -> io::Result<Found> {
        let file = match fs.open(&self.path) {
            Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                return Ok(Found::Removed);
            }
            file => file?,
        };
        let mut newest: Option<Anchored> = None;
        let mut is_empty = true;
        for at in [DURABLE, LATEST] {
            let mut copy = [0; COPY_LEN];
            let filled = file.read_at(&mut copy, at)?;
            is_empty &= copy == NOTHING;
            let found = (filled == COPY_LEN).then(|| parse(&copy)).flatten();
            newest = newest.into_iter().chain(found).max_by_key(|copy| copy.serial);
        }
        Ok(match newest {
            Some(newest) => Found::At(newest),
            None if is_empty && tells_enrolment(&file)? => Found::Unused,
            None => Found::Removed,
        })
    }

    /// Writes where the chain stands; `durably` waits for the disk, and so does a file that has to be made: a power cut would leave none.
    pub(super) fn write<F: FileSystem>(&self, fs: &F, anchored: &Anchored, durably: bool) -> io::Result<()> {
        let copy = encode(anchored);
        // Opened each time: what somebody puts in its place, or removes, is not to go unnoticed.
        let (mut file, is_new) = match fs.open(&self.path) {
            Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                match fs.remove(&self.path) {
                    Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                    _ => (fs.create(&self.path)?, true),
                }
            }
            file => (file?, false),
        };
        file.write_all_at(&copy, LATEST)?;
        if !durably && !is_new {
            return Ok(());
        }
        file.sync()?;
        if !tells_enrolment(&file)? {
            file.write_all_at(&enrolment(&self.signing_key), ENROLMENT_AT)?;
        }
        file.write_all_at(&copy, DURABLE)?;
        file.sync()?;
        match self.path.parent().filter(|_| is_new) {
            Some(dir) => fs.sync_dir(dir),
            None => Ok(()),
        }
    }
}

fn tells_enrolment(file: &impl SpoolFile) -> io::Result<bool> {
    let mut bytes = [0; ENROLMENT_LEN];
    let filled = file.read_at(&mut bytes, ENROLMENT_AT)?;
    Ok(enrolled_key(&bytes[..filled]).is_some())
}

fn encode(anchored: &Anchored) -> [u8; COPY_LEN] {
    let mut flags = 0;
    if anchored.acknowledged.is_some() {
        flags |= FLAG_ACKNOWLEDGED;
    }
    if anchored.is_clean {
        flags |= FLAG_CLEAN;
    }
    let ChainAt { chain, segment, end } = anchored.chain;
    let mut bytes = Vec::with_capacity(COPY_LEN);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    for number in [anchored.serial, flags] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(chain.boot_id.as_bytes());
    bytes.extend_from_slice(&chain.next_sequence.to_le_bytes());
    bytes.extend_from_slice(&chain.previous_digest);
    let counts = [anchored.waiting_events, anchored.untold_events];
    for number in [segment, end, anchored.first_segment].into_iter().chain(counts) {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    if let Some(mark) = &anchored.acknowledged {
        for number in [mark.segment, mark.end, mark.ordinal] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(mark.boot_id.as_bytes());
        bytes.extend_from_slice(&mark.last_sequence.to_le_bytes());
        bytes.extend_from_slice(&mark.digest);
    }
    let mut copy = [0; COPY_LEN];
    copy[..bytes.len()].copy_from_slice(&bytes);
    let checksum = crc32c::crc32c(&copy[COVERED..]);
    copy[12..COVERED].copy_from_slice(&checksum.to_le_bytes());
    copy
}

fn parse(copy: &[u8; COPY_LEN]) -> Option<Anchored> {
    let mut rest = Rest(copy);
    let (magic, version, checksum) = (rest.take::<8>()?, rest.take::<4>()?, rest.take::<4>()?);
    if magic != MAGIC
        || u32::from_le_bytes(version) != VERSION
        || u32::from_le_bytes(checksum) != crc32c::crc32c(rest.0)
    {
        return None;
    }
    let (serial, flags) = (rest.number()?, rest.number()?);
    let chain = ChainState {
        boot_id: BootId::from_bytes(rest.take()?),
        next_sequence: rest.number()?,
        previous_digest: rest.take()?,
    };
    let (segment, end) = (rest.number()?, rest.number()?);
    let first_segment = rest.number()?;
    let (waiting_events, untold_events) = (rest.number()?, rest.number()?);
    let mark = Mark {
        segment: rest.number()?,
        end: rest.number()?,
        ordinal: rest.number()?,
        boot_id: BootId::from_bytes(rest.take()?),
        last_sequence: rest.number()?,
        digest: rest.take::<{ size_of::<Sha256Digest>() }>()?,
    };
    Some(Anchored {
        serial,
        chain: ChainAt { chain, segment, end },
        acknowledged: (flags & FLAG_ACKNOWLEDGED != 0).then_some(mark),
        first_segment,
        waiting_events,
        untold_events,
        is_clean: flags & FLAG_CLEAN != 0,
    })
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn anchored(serial: u64, acknowledged: bool, is_clean: bool) -> Anchored {
        let boot_id = BootId::from_bytes([3; 16]);
        Anchored {
            serial,
            chain: ChainAt {
                chain: ChainState::after(boot_id, 41, [7; 32]),
                segment: 5,
                end: 900,
            },
            acknowledged: acknowledged.then_some(Mark {
                segment: 4,
                end: 300,
                ordinal: 2,
                boot_id,
                last_sequence: 20,
                digest: [8; 32],
            }),
            first_segment: 2,
            waiting_events: 11,
            untold_events: 6,
            is_clean,
        }
    }

    proptest! {
        #[test]
        fn a_copy_is_read_as_it_was_written(serial: u64, acknowledged: bool, is_clean: bool) {
            let wanted = anchored(serial, acknowledged, is_clean);
            prop_assert_eq!(parse(&encode(&wanted)), Some(wanted));
        }

        #[test]
        fn any_changed_byte_is_noticed(at in 0..COPY_LEN, flip in 1..=255_u8) {
            let mut copy = encode(&anchored(1, true, false));
            copy[at] ^= flip;
            prop_assert_eq!(parse(&copy), None);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let mut copy = [0; COPY_LEN];
            let length = bytes.len().min(COPY_LEN);
            copy[..length].copy_from_slice(&bytes[..length]);
            let _ = parse(&copy);
        }
    }
}
