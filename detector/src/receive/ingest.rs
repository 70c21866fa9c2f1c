//! The thread that writes. Everybody who has a verified batch hands it over here and waits for its outcome.
//!
//! Bounds: [`QUEUE`] batches wait, then senders wait; a group takes at most [`GROUP`] batches and [`GROUP_BYTES`].

use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use super::hub::Hub;
use super::pipeline::{Outcome, Pipeline};
use super::status;
use super::stopping::Alive;
use crate::store::StoreError;
use crate::verify::chain::Stored;
use crate::verify::{Header, SignedBatch, Verified};

/// Batches that wait for the thread.
const QUEUE: usize = 64;
/// Batches that share one fsync.
const GROUP: usize = 64;
/// Bytes of envelopes that share one fsync, but for the last batch.
const GROUP_BYTES: usize = 8 << 20;

/// What a sensor is told about a batch.
#[derive(Debug)]
pub(super) struct Stowed {
    pub(super) header: Header,
    pub(super) fork_of: Option<Stored>,
}

type Reply = oneshot::Sender<Result<Stowed, Status>>;

struct Job {
    batch: Verified<SignedBatch>,
    reply: Reply,
}

/// The way to the thread. It ends when the last of these is gone.
#[derive(Clone, Debug)]
pub(super) struct Ingest {
    jobs: mpsc::Sender<Job>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Job").field(&self.batch.header).finish()
    }
}

impl Ingest {
    /// Starts the thread, which holds `alive`.
    pub(super) fn start(
        pipeline: Pipeline,
        hub: Hub,
        alive: Alive,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().name("ingest".into());
        let thread = thread.spawn(move || {
            let _alive = alive;
            run(pipeline, &hub, queue);
        })?;
        Ok((Self { jobs }, thread))
    }

    /// Hands a batch over. The receiver gets the outcome once the batch is durable and has been through detection.
    pub(super) async fn submit(
        &self,
        batch: Verified<SignedBatch>,
    ) -> Result<oneshot::Receiver<Result<Stowed, Status>>, Status> {
        let (reply, outcome) = oneshot::channel();
        let job = Job { batch, reply };
        self.jobs
            .send(job)
            .await
            .map_err(|_| Status::unavailable("the detector is stopping"))?;
        Ok(outcome)
    }
}

fn run(mut pipeline: Pipeline, hub: &Hub, mut queue: mpsc::Receiver<Job>) {
    let mut trouble = Trouble::default();
    while let Some(first) = queue.blocking_recv() {
        let mut bytes = first.batch.envelope.len();
        let mut group = vec![first];
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let Ok(job) = queue.try_recv() else { break };
            bytes += job.batch.envelope.len();
            group.push(job);
        }
        let (batches, replies): (Vec<_>, Vec<_>) =
            group.into_iter().map(|job| (job.batch, job.reply)).unzip();
        let taken = pipeline.take(batches);
        trouble.note(taken.as_ref().err());
        answer(taken, replies, hub);
    }
}

fn answer(taken: Result<Vec<Outcome>, StoreError>, replies: Vec<Reply>, hub: &Hub) {
    // A failed send only says that the sensor has gone; it will ask again.
    match taken {
        Ok(outcomes) => {
            for (outcome, reply) in outcomes.into_iter().zip(replies) {
                let last = outcome.last_event();
                let Outcome {
                    header,
                    fork_of,
                    events,
                    findings,
                } = outcome;
                let new = !events.is_empty();
                if new || !findings.is_empty() {
                    hub.publish(events, findings, new.then_some(last));
                }
                let _ = reply.send(Ok(Stowed { header, fork_of }));
            }
        }
        Err(error) => {
            for reply in replies {
                let _ = reply.send(Err(status::of_store(&error)));
            }
        }
    }
}

/// Says once that evidence cannot be stored, and once that it can again.
#[derive(Default)]
struct Trouble {
    failed_groups: u64,
}

impl Trouble {
    fn note(&mut self, error: Option<&StoreError>) {
        match error {
            Some(error) => {
                if self.failed_groups == 0 {
                    let advice = if error.is_full() {
                        "free some space"
                    } else {
                        "see the error"
                    };
                    tracing::error!(
                        error = status::chain(error),
                        advice,
                        "evidence cannot be stored; sensors keep it in their spools and send it again"
                    );
                }
                self.failed_groups += 1;
            }
            None if self.failed_groups > 0 => {
                tracing::info!(failed_groups = self.failed_groups, "evidence is stored again");
                self.failed_groups = 0;
            }
            None => {}
        }
    }
}
