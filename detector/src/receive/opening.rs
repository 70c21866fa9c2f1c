//! Opens what is stored, and takes up what a crash left half done.

use std::sync::Arc;

use claviger_proto::catalogue::Catalogue;
use claviger_proto::v1::EventId;

use super::ServeError;
use super::pipeline::Pipeline;
use crate::clock::SharedClock;
use crate::detect::State;
use crate::store::db::{Database, SensorRow};
use crate::store::log::{EvidenceLog, LogReader, Medium, Recovery};
use crate::store::{DataDir, StoreError};

/// Opens log and index, and takes up what a crash left between them.
pub(super) fn pipeline(
    directory: &DataDir,
    medium: Box<dyn Medium>,
    clock: &SharedClock,
) -> Result<Pipeline, ServeError> {
    let database = database(directory)?;
    let indexed = database.rows().progress()?;
    let (log, recovery) = EvidenceLog::open(&directory.evidence(), medium, indexed)?;
    tell(&recovery);
    let mut pipeline = Pipeline::new(log, database, State::new(Catalogue::shipped()), Arc::clone(clock));
    let batches = pipeline.catch_up()?;
    if batches > 0 {
        tracing::info!(batches, "evidence that a crash had left unindexed was indexed");
    }
    Ok(pipeline)
}

/// Opens the database. Refuses where there is evidence but no sensor is known: what is there could not be checked, and to take it
/// for new would index none of it and tell nobody.
fn database(directory: &DataDir) -> Result<Database, ServeError> {
    let path = directory.database();
    let has_evidence = LogReader::new(&directory.evidence()).has_records()?;
    let refused = || StoreError::Orphaned {
        evidence: directory.evidence(),
        database: directory.database(),
    };
    if has_evidence && !path.exists() {
        return Err(refused().into());
    }
    let database = Database::open(&path)?;
    if has_evidence && database.rows().keys(None)?.is_empty() {
        return Err(refused().into());
    }
    Ok(database)
}

/// The last event of each sensor that is stored and has been through detection.
pub(super) fn processed(database: &Database) -> Result<Vec<EventId>, StoreError> {
    let event_id = |sensor: SensorRow| {
        let head = sensor.chain.head?;
        let (sensor_id, boot_id) = (sensor.id.to_string(), head.boot.to_string());
        Some(EventId {
            sensor_id,
            boot_id,
            sequence: head.last_sequence,
        })
    };
    Ok(database
        .rows()
        .sensors()?
        .into_iter()
        .filter_map(event_id)
        .collect())
}

fn tell(recovery: &Recovery) {
    if recovery.cut_bytes > 0 {
        tracing::warn!(
            bytes = recovery.cut_bytes,
            "evidence log ended in a torn record without a receipt; it was cut off"
        );
    }
    if let Some((bytes, file)) = &recovery.set_aside {
        tracing::error!(bytes, file = %file.display(), "end of the evidence log was damaged; it was set aside, sensors send it again");
    }
    if recovery.shorter_than_index {
        tracing::error!(
            "evidence log holds less than its index knows: evidence with a receipt is gone; restore it from a backup"
        );
    }
}
