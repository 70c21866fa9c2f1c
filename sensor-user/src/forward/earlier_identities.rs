//! Spools of identities that this sensor had before it was enrolled anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::in_one_line;
use crate::sign::SensorId;
use crate::spool::{LossReason, OsFileSystem, Spool, SpoolError};

/// Counts what an earlier identity of this sensor left unsent, and removes it: nobody takes batches that it signed any more.
pub(super) fn count_left_behind(
    spool: &mut Spool<OsFileSystem>,
    spools: &Path,
    own: SensorId,
    config: &Config,
    clock: &Arc<dyn Clock>,
) {
    let others = match other_spools(spools, own) {
        Ok(others) => others,
        Err(error) => {
            tracing::warn!(%error, path = %spools.display(), "cannot look for spools of earlier identities");
            return;
        }
    };
    for dir in others {
        match events_in(&dir, config, clock) {
            Ok((batches, events)) => {
                if events > 0 {
                    tracing::error!(
                        batches,
                        events,
                        "the sensor was enrolled anew before the detector had all events; they are lost"
                    );
                    spool.count_lost(LossReason::IdentityReplaced, batches, events);
                }
                if let Err(error) = fs::remove_dir_all(&dir) {
                    tracing::warn!(%error, path = %dir.display(), "cannot remove the spool of an earlier identity; it is counted again at the next start");
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = in_one_line(&error),
                    "cannot read the spool of an earlier identity; it stays where it is"
                );
            }
        }
    }
}

fn other_spools(spools: &Path, own: SensorId) -> io::Result<Vec<PathBuf>> {
    let mut others = Vec::new();
    for entry in fs::read_dir(spools)? {
        let entry = entry?;
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<SensorId>().ok());
        if id.is_some_and(|id| id != own) {
            others.push(entry.path());
        }
    }
    Ok(others)
}

fn events_in(dir: &Path, config: &Config, clock: &Arc<dyn Clock>) -> Result<(u64, u64), SpoolError> {
    let (mut spool, _) = Spool::open(OsFileSystem, dir, &config.spool, Arc::clone(clock))?;
    let (mut batches, mut events, mut place) = (0, 0, None);
    while let Some(batch) = spool.next_after(place.as_ref())? {
        batches += 1;
        events += batch
            .mark
            .last_sequence()
            .saturating_sub(batch.first_sequence)
            .saturating_add(1);
        place = Some(batch.mark);
    }
    Ok((batches, events))
}
