//! What happens to verified batches: chain, log, index, detection, as one group with one fsync and one transaction.
//!
//! No async and no gRPC here. [`Pipeline::take`] either does all of it for a whole group or leaves everything as it was.

use claviger_proto::v1::{Envelope, Event, EventId, Finding};
use prost::Message as _;

use super::status;
use crate::clock::SharedClock;
use crate::detect::{State, chain_findings, detect, stamp};
use crate::store::StoreError;
use crate::store::db::{Database, NewBatch, Write};
use crate::store::log::{EvidenceLog, Position};
use crate::verify::chain::{Dropped, Stored, Verdict};
use crate::verify::{Header, KeyRing, SignedBatch, Verified, verify};

/// How many batches are indexed in one transaction when catching up.
const CATCH_UP_GROUP: usize = 64;

/// Where verified batches go.
#[derive(Debug)]
pub(super) struct Pipeline {
    log: EvidenceLog,
    database: Database,
    detection: State,
    clock: SharedClock,
}

/// What became of one batch.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) header: Header,
    /// What is stored at its place instead, where it is a fork.
    pub(super) fork_of: Option<Stored>,
    /// Its events, where they are new.
    pub(super) events: Vec<Event>,
    /// What was found, where it is new.
    pub(super) findings: Vec<Finding>,
}

impl Pipeline {
    pub(super) fn new(log: EvidenceLog, database: Database, detection: State, clock: SharedClock) -> Self {
        Self {
            log,
            database,
            detection,
            clock,
        }
    }

    /// Takes a group of batches, in order. When this returns, all of them are durable and have been through detection.
    pub(super) fn take(&mut self, group: Vec<Verified<SignedBatch>>) -> Result<Vec<Outcome>, StoreError> {
        let start = self.log.begin_group()?;
        let taken = self.try_take(group);
        if taken.is_err() {
            // Detection has seen events that are not stored.
            self.detection.forget();
            if let Err(error) = self.log.roll_back(start) {
                tracing::error!(
                    error = status::chain(&error),
                    "evidence log could not be cut back; a new segment is begun"
                );
            }
        }
        taken
    }

    fn try_take(&mut self, group: Vec<Verified<SignedBatch>>) -> Result<Vec<Outcome>, StoreError> {
        let write = self.database.write()?;
        let log = &mut self.log;
        let mut step = Step {
            write: &write,
            detection: &mut self.detection,
            clock: &self.clock,
        };
        let outcomes = group
            .into_iter()
            .map(|batch| step.place(batch, |envelope| log.append(envelope)));
        let mut outcomes = outcomes.collect::<Result<Vec<_>, _>>()?;
        let end = self.log.sync()?;
        step.store_findings(&mut outcomes)?;
        write.set_progress(end)?;
        write.commit()?;
        Ok(outcomes)
    }

    /// Indexes, and detects in, what is in the log behind the index: a crash came between fsync and commit.
    pub(super) fn catch_up(&mut self) -> Result<usize, StoreError> {
        let end = self.log.begin_group()?;
        let from = self.database.rows().progress()?;
        let keys = self.database.rows().keys(None)?;
        let mut scan = self.log.reader().scan(from)?;
        let mut caught_up = 0;
        loop {
            let write = self.database.write()?;
            let mut step = Step {
                write: &write,
                detection: &mut self.detection,
                clock: &self.clock,
            };
            let (mut outcomes, mut reached) = (Vec::new(), None);
            for record in scan.by_ref().take(CATCH_UP_GROUP) {
                let (position, envelope, behind) = match record {
                    Ok(record) => record,
                    Err(error @ StoreError::Damaged { .. }) => {
                        tracing::error!(
                            error = status::chain(&error),
                            "rest of this segment cannot be indexed"
                        );
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                reached = Some(behind);
                match verify_stored(&envelope, &keys) {
                    Some(batch) => outcomes.push(step.place(batch, |_| Ok(position))?),
                    None => tracing::error!(
                        ?position,
                        "record of the evidence log does not verify; it is left out"
                    ),
                }
            }
            step.store_findings(&mut outcomes)?;
            write.set_progress(reached.unwrap_or(end))?;
            write.commit()?;
            caught_up += outcomes.len();
            if reached.is_none() {
                return Ok(caught_up);
            }
        }
    }
}

/// Verifies what the log holds, against the keys of all sensors.
fn verify_stored(envelope: &[u8], keys: &KeyRing) -> Option<Verified<SignedBatch>> {
    let envelope = Envelope::decode(envelope).ok()?;
    let (owner, _) = keys.get(&envelope.signatures.first()?.key_id)?;
    verify(&envelope, keys, owner).ok()
}

/// One transaction's work.
struct Step<'a, 'w> {
    write: &'a Write<'w>,
    detection: &'a mut State,
    clock: &'a SharedClock,
}

impl Step<'_, '_> {
    /// Judges a batch, and indexes it where it is new. `keep` says where its bytes are, having put them there.
    fn place(
        &mut self,
        batch: Verified<SignedBatch>,
        keep: impl FnOnce(&[u8]) -> Result<Position, StoreError>,
    ) -> Result<Outcome, StoreError> {
        let (header, envelope, events) = batch.split();
        let rows = self.write.rows();
        let stored = rows.overlapping(&header)?;
        let dropped: Vec<_> = events
            .iter()
            .filter_map(|event| Dropped::of(event.gap.as_ref()?))
            .collect();
        let judgement = rows
            .chain(header.sensor)?
            .judge(&header, stored.as_ref(), &dropped);
        let now = self.clock.now();
        let mut outcome = Outcome {
            header,
            fork_of: None,
            events: Vec::new(),
            findings: Vec::new(),
        };
        let header = &outcome.header;
        match &judgement.verdict {
            Verdict::Duplicate => return Ok(outcome),
            Verdict::Fork(stored) => {
                if !rows.has_fork(&header.digest)? {
                    let position = keep(&envelope)?;
                    self.write.add_fork(NewBatch {
                        header,
                        position,
                        stored: now,
                    })?;
                }
                outcome.findings = chain_findings(header, &judgement);
                outcome.fork_of = Some(stored.clone());
            }
            Verdict::Accept | Verdict::Break(_) => {
                let position = keep(&envelope)?;
                self.write.add_batch(NewBatch {
                    header,
                    position,
                    stored: now,
                })?;
                self.write.set_chain(header.sensor, &judgement.next, now)?;
                outcome.findings = chain_findings(header, &judgement);
                for event in events {
                    outcome.findings.extend(detect(&event, self.detection));
                    outcome.events.push(event.into_inner());
                }
            }
        }
        Ok(outcome)
    }

    /// Stores the findings of a group; leaves in the outcomes what is new.
    fn store_findings(&self, outcomes: &mut [Outcome]) -> Result<(), StoreError> {
        let now = self.clock.now();
        for outcome in outcomes {
            for mut finding in std::mem::take(&mut outcome.findings) {
                stamp(&mut finding, now);
                if self.write.add_finding(&finding, now.as_microsecond())? {
                    outcome.findings.push(finding);
                }
            }
        }
        Ok(())
    }
}

impl Outcome {
    /// The id of its last event.
    pub(super) fn last_event(&self) -> EventId {
        EventId {
            sensor_id: self.header.sensor.to_string(),
            boot_id: self.header.boot.to_string(),
            sequence: self.header.last_sequence,
        }
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
