//! Opening the spool for the outbox: with its anchor, once it is free, and saying what was found.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::{Clock, since_boot};
use crate::config::Config;
use crate::sign::{BootId, ChainState, Identity};
use crate::spool::{Anchor, OsFileSystem, Recovery, Spool, SpoolError};

/// Opens it; for as long as `patience` it may belong to a sensor that is ending.
pub(super) fn open_spool(
    config: &Config,
    dir: &Path,
    boot_id: BootId,
    signing_key: [u8; 32],
    clock: &Arc<dyn Clock>,
    patience: Duration,
) -> Result<(Spool<OsFileSystem>, Recovery), SpoolError> {
    let anchor = Anchor {
        path: Identity::chain_file(&config.state_dir),
        behind_all: ChainState::behind_all(boot_id, since_boot()),
        signing_key,
    };
    let open = || {
        let (clock, anchor) = (Arc::clone(clock), Some(anchor.clone()));
        Spool::open_anchored(OsFileSystem, dir, &config.spool, clock, anchor)
    };
    let (spool, recovery) = once_free(open, patience)?;
    log_recovery(&recovery);
    Ok((spool, recovery))
}

/// Opens the spool, waiting for a sensor that was killed and whose descriptors the kernel has not all closed yet.
fn once_free<T>(open: impl Fn() -> Result<T, SpoolError>, patience: Duration) -> Result<T, SpoolError> {
    let begun = Instant::now();
    loop {
        match open() {
            Err(SpoolError::InUse { .. }) if begun.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(20));
            }
            opened => return opened,
        }
    }
}

fn log_recovery(recovery: &Recovery) {
    let Recovery {
        waiting_batches,
        cut_bytes,
        damaged_places,
        missing_segments,
        misplaced_segments,
        removed,
        upgraded,
        ledger_damaged,
    } = *recovery;
    if removed {
        tracing::error!(
            "the spool, or what says where its chain stands, was removed; find out who did that. a gap tells which events may be lost"
        );
    } else if missing_segments > 0 {
        tracing::error!(
            missing_segments,
            "files of the spool are missing or are no regular files, and with them events; find out who removed them. a gap tells which \
             events"
        );
    }
    if misplaced_segments > 0 {
        tracing::error!(
            misplaced_segments,
            "files of the spool lie under each other's names; find out who renamed or copied them. they are set aside, and a gap tells which \
             events are lost with them"
        );
    }
    if damaged_places > missing_segments + misplaced_segments {
        tracing::error!(
            damaged_places,
            "the spool is damaged and events are lost; a gap tells which"
        );
    }
    if ledger_damaged {
        tracing::warn!(
            "the spool's ledger is damaged; the detector may get batches again that it has, and knows how to tell"
        );
    }
    if upgraded {
        tracing::info!(
            "the spool is of an earlier version: where its chain stands is written down outside of it too, from now on"
        );
    }
    if cut_bytes > 0 {
        tracing::info!(cut_bytes, "a write to the spool was interrupted and is cut off");
    }
    if waiting_batches > 0 {
        tracing::info!(waiting_batches, "batches of an earlier run wait for the detector");
    }
}
