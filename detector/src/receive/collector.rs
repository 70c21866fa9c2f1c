//! The `EventCollector` service: batches in, receipts out, in the same order.
//!
//! Bound: [`WINDOW`] batches of one stream wait for their receipt; then no more is read from the sensor. Of these only those in the
//! ingest queue are held in memory, beside one that is being verified.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};

use claviger_proto::envelope::{Sha256Digest, batch_digest};
use claviger_proto::v1::event_collector_server::EventCollector;
use claviger_proto::v1::push_response::Answer;
use claviger_proto::v1::{Envelope, PushRequest, PushResponse, Receipt, Rejection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::Ingest;
use super::clock_watch::{ClockWatch, TOLERATED, in_words};
use super::ingest::Stowed;
use super::peer::{self, Peer};
use super::status::{self, SharedDatabase};
use super::stopping::Stopping;
use crate::clock::{self, SharedClock};
use crate::store::StoreError;
use crate::verify::{Header, KeyRing, MAX_BATCH_BYTES, SensorId, VerifyError, verify};

/// The most bytes that a message may have: more than a batch may, so that a batch that is too large gets its rejection.
pub(super) const MAX_MESSAGE_BYTES: usize = 2 * MAX_BATCH_BYTES;
const WINDOW: usize = 64;

/// The `EventCollector` service.
#[derive(Clone, Debug)]
pub(super) struct CollectorService {
    pub(super) ingest: Ingest,
    pub(super) database: SharedDatabase,
    pub(super) clock: SharedClock,
    pub(super) stopping: Stopping,
    /// Offsets that somebody was told of; as many as there are sensors.
    pub(super) clock_offsets: Arc<Mutex<HashMap<SensorId, bool>>>,
}

/// What one batch's answer waits for.
enum Pending {
    Failed(Status),
    Ready(Answer),
    Waiting(oneshot::Receiver<Result<Stowed, Status>>),
}

/// One sensor's stream.
struct Inbound {
    service: CollectorService,
    sensor: SensorId,
    keys: Arc<KeyRing>,
    clock_watch: ClockWatch,
    answers: mpsc::Sender<Pending>,
}

#[tonic::async_trait]
impl EventCollector for CollectorService {
    type PushStream = Pin<Box<dyn Stream<Item = Result<PushResponse, Status>> + Send>>;

    async fn push(
        &self,
        request: Request<Streaming<PushRequest>>,
    ) -> Result<Response<Self::PushStream>, Status> {
        let sensor = peer::sensor(&request)?;
        let keys = self
            .database
            .with(move |database| database.rows().keys(Some(sensor)))
            .await?;
        let keys = keys.map_err(|error| logged(&error))?;
        if keys.is_empty() {
            tracing::warn!(%sensor, "a sensor with a certificate, but without a signing key here, was turned away");
            return Err(Status::permission_denied(
                "this sensor is not known here; enrol it again",
            ));
        }
        let (answers, pending) = mpsc::channel(WINDOW);
        let inbound = Inbound {
            service: self.clone(),
            sensor,
            keys: Arc::new(keys),
            clock_watch: ClockWatch::default(),
            answers,
        };
        let expires = request.extensions().get::<Peer>().and_then(|peer| peer.expires);
        tokio::spawn(inbound.run(request.into_inner(), expires));
        let clock = Arc::clone(&self.clock);
        let answered = ReceiverStream::new(pending).then(move |pending| answer(pending, Arc::clone(&clock)));
        Ok(Response::new(Box::pin(answered)))
    }
}

impl Inbound {
    async fn run(mut self, mut stream: Streaming<PushRequest>, expires: Option<Instant>) {
        let mut stopping = self.service.stopping.clone();
        let mut expired = pin!(peer::expired(expires));
        tracing::debug!(sensor = %self.sensor, "a sensor has begun to send");
        loop {
            let message = tokio::select! {
                message = stream.message() => message,
                () = stopping.wait() => {
                    self.answer(Pending::Failed(Status::unavailable("the detector is stopping"))).await;
                    return;
                }
                () = self.answers.closed() => return,
                () = &mut expired => {
                    tracing::warn!(sensor = %self.sensor, "client certificate has expired; enrol the sensor again");
                    let status = "the sensor's client certificate has expired; enrol it again";
                    self.answer(Pending::Failed(Status::unauthenticated(status))).await;
                    return;
                }
            };
            let pending = match message {
                Ok(Some(message)) => self.take(message.envelope.unwrap_or_default()).await,
                Ok(None) => return,
                Err(status) => Pending::Failed(status),
            };
            let over = matches!(pending, Pending::Failed(_));
            self.answer(pending).await;
            if over {
                return;
            }
        }
    }

    async fn answer(&self, pending: Pending) {
        // Nobody waits any more only when the sensor has gone.
        let _ = self.answers.send(pending).await;
    }

    async fn take(&mut self, envelope: Envelope) -> Pending {
        let (keys, sensor) = (Arc::clone(&self.keys), self.sensor);
        let check = move || {
            let digest = batch_digest(&envelope.payload);
            (digest, verify(&envelope, &keys, sensor))
        };
        let Ok((digest, verified)) = tokio::task::spawn_blocking(check).await else {
            return Pending::Failed(Status::internal("the detector failed; see its log"));
        };
        let batch = match verified {
            Ok(batch) => batch,
            Err(error) => return Pending::Ready(self.reject(digest, &error)),
        };
        self.watch_clock(&batch.header).await;
        match self.service.ingest.submit(batch).await {
            Ok(outcome) => Pending::Waiting(outcome),
            Err(status) => Pending::Failed(status),
        }
    }

    fn reject(&self, digest: Sha256Digest, error: &VerifyError) -> Answer {
        let (reason, message) = (error.reason(), status::chain(error));
        tracing::error!(sensor = %self.sensor, reason, message, batch = hex::encode(digest), "a batch was refused for good");
        Answer::Rejection(Rejection {
            batch_sha256: digest.to_vec(),
            reason: reason.into(),
            message,
        })
    }

    /// Says once that the sensor's clock is off, and once that it is right again.
    async fn watch_clock(&mut self, header: &Header) {
        let Some(ahead) = self
            .clock_watch
            .observe(header.sealed_at, self.service.clock.now())
        else {
            return;
        };
        let off = ahead.abs() > TOLERATED;
        let sensor = self.sensor;
        let told = {
            let mut told = self
                .service
                .clock_offsets
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            told.insert(sensor, off)
        };
        if told == Some(off) {
            return;
        }
        if off {
            let offset = in_words(ahead);
            tracing::warn!(%sensor, offset, "the sensor's clock is off; its times cannot be compared with others'");
        } else if told.is_some() {
            tracing::info!(%sensor, "the sensor's clock agrees again");
        }
        let offset_ms = off.then(|| i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX));
        let noted = self.service.database.with(move |database| {
            let write = database.write()?;
            write.set_clock_offset(sensor, offset_ms)?;
            write.commit()
        });
        if let Ok(Err(error)) = noted.await {
            tracing::warn!(%sensor, error = status::chain(&error), "the sensor's clock offset could not be noted");
        }
    }
}

async fn answer(pending: Pending, clock: SharedClock) -> Result<PushResponse, Status> {
    let answer = match pending {
        Pending::Failed(status) => return Err(status),
        Pending::Ready(answer) => answer,
        Pending::Waiting(outcome) => {
            let stowed = outcome
                .await
                .map_err(|_| Status::unavailable("the detector is stopping"))??;
            receipt(&stowed)
        }
    };
    Ok(PushResponse {
        collector_time: Some(clock::to_proto(clock.now())),
        answer: Some(answer),
    })
}

fn receipt(stowed: &Stowed) -> Answer {
    let header = &stowed.header;
    match &stowed.fork_of {
        None => Answer::Receipt(Receipt {
            boot_id: header.boot.to_string(),
            last_sequence: header.last_sequence,
            batch_sha256: header.digest.to_vec(),
        }),
        Some(stored) => {
            let message = format!(
                "another batch is stored for events {} to {}: the signing key is in use twice, or the sensor's state was set back",
                stored.first_sequence, stored.last_sequence
            );
            tracing::error!(sensor = %header.sensor, batch = hex::encode(header.digest), "a fork of the evidence was refused");
            Answer::Rejection(Rejection {
                batch_sha256: header.digest.to_vec(),
                reason: "fork".into(),
                message,
            })
        }
    }
}

fn logged(error: &StoreError) -> Status {
    tracing::error!(error = status::chain(error), "the store cannot be read");
    status::of_store(error)
}
