//! The spool as a whole: `cases`, `damage` and `missing` tell single stories, `model` random ones.

mod cases;
mod damage;
mod misplaced;
mod missing;
mod model;
mod removed;
mod told_again;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use claviger_proto::envelope::batch_digest;

use super::memory_fs::{Choices, MemoryFs};
use super::*;
use crate::clock::Clock;
use crate::config::{Spool as SpoolConfig, WhenFull};
use crate::sign::{BootId, ChainState, Sealed, unused_chain};

#[derive(Debug)]
struct At(SystemTime);

impl Clock for At {
    fn now(&self) -> SystemTime {
        self.0
    }
}

fn dir() -> PathBuf {
    PathBuf::from("/spool")
}

fn config(max_bytes: u64, segment_bytes: u64, when_full: WhenFull) -> SpoolConfig {
    SpoolConfig {
        max_bytes,
        segment_bytes,
        when_full,
    }
}

fn roomy() -> SpoolConfig {
    config(1 << 30, 2_000, WhenFull::DropOldest)
}

fn open(fs: &MemoryFs, config: &SpoolConfig) -> (Spool<MemoryFs>, Recovery) {
    try_open(fs, config).expect("the spool opens")
}

fn try_open(fs: &MemoryFs, config: &SpoolConfig) -> Result<(Spool<MemoryFs>, Recovery), SpoolError> {
    let clock = Arc::new(At(UNIX_EPOCH + Duration::from_secs(1_000_000)));
    Spool::open(fs.clone(), &dir(), config, clock)
}

const KEY: [u8; 32] = [1; 32];

fn anchor_path() -> PathBuf {
    PathBuf::from("/identity/chain")
}

/// A file system on which a sensor was enrolled.
fn enrolled() -> MemoryFs {
    let fs = MemoryFs::default();
    let mut file = fs.create(&anchor_path()).expect("made");
    file.write_all_at(&unused_chain(&KEY), 0).expect("written");
    file.sync().expect("synced");
    fs.sync_dir(Path::new("/identity")).expect("synced");
    fs
}

/// Opens a spool that has an anchor, in a boot of which no more than so many events can have been sealed.
fn open_anchored(
    fs: &MemoryFs,
    config: &SpoolConfig,
    boot_id: BootId,
    most: u64,
) -> (Spool<MemoryFs>, Recovery) {
    let anchor = Anchor {
        path: anchor_path(),
        behind_all: ChainState::behind_all(boot_id, Duration::from_micros(most + 1)),
        signing_key: KEY,
    };
    let clock = Arc::new(At(UNIX_EPOCH + Duration::from_secs(1_000_000)));
    Spool::open_anchored(fs.clone(), &dir(), config, clock, Some(anchor)).expect("the spool opens")
}

fn boot(number: u8) -> BootId {
    BootId::from_bytes([number; 16])
}

/// A batch that builds on a chain, as the sealer would make it, with something else than a real envelope. No two are alike.
fn sealed(chain: ChainState, events: u64, size: usize) -> Sealed {
    static SALT: AtomicU64 = AtomicU64::new(0);
    let last_sequence = chain.next_sequence + events - 1;
    let mut content = format!("{:020}", SALT.fetch_add(1, Ordering::Relaxed)).into_bytes();
    let digest = batch_digest(&content);
    content.resize(size.max(content.len()), b'.');
    Sealed {
        envelope: Bytes::from(content),
        boot_id: chain.boot_id,
        first_sequence: chain.next_sequence,
        last_sequence,
        digest,
        previous_digest: chain.previous_digest,
        sealed_at: UNIX_EPOCH + Duration::from_secs(chain.next_sequence),
    }
}

fn chain_of<F: FileSystem>(spool: &Spool<F>, boot_id: BootId) -> ChainState {
    spool
        .chain_state()
        .map_or(ChainState::start(boot_id), |chain| chain.in_boot(boot_id))
}

/// Appends one batch and gives it back.
fn append(spool: &mut Spool<MemoryFs>, events: u64) -> Sealed {
    let batch = sealed(chain_of(spool, boot(1)), events, 300);
    spool.append(&batch).expect("appended");
    batch
}

/// All that waits.
fn waiting<F: FileSystem>(spool: &mut Spool<F>) -> Vec<Waiting> {
    let mut all: Vec<Waiting> = Vec::new();
    while let Some(next) = spool
        .next_after(all.last().map(|last| &last.mark))
        .expect("readable")
    {
        all.push(next);
    }
    all
}

fn digests(waiting: &[Waiting]) -> Vec<[u8; 32]> {
    waiting.iter().map(|batch| *batch.mark.digest()).collect()
}

fn segment_path(number: u64) -> PathBuf {
    segment::path(Path::new("/spool"), number)
}

/// Power off, power on.
fn crash(spool: Spool<MemoryFs>, fs: &MemoryFs, seed: u64) {
    drop(spool);
    fs.restart(&mut Choices::new(seed));
}
