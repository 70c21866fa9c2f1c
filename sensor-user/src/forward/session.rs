//! One connection: batches out, receipts in, until something ends it.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use claviger_proto::v1::event_collector_client::EventCollectorClient;
use claviger_proto::v1::push_response::Answer;
use claviger_proto::v1::{Envelope, PushRequest, PushResponse};
use prost::Message as _;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::ForwardError;
use super::clock_offset::ClockOffset;
use super::shared_spool::SharedSpool;
use super::state::ForwardState;
use super::window::{MAX_IN_FLIGHT, Sent, Settled, Window};
use crate::clock::{Clock, unix_milliseconds};
use crate::config::DetectorAddress;
use crate::error::in_one_line;
use crate::spool::{Mark, SpoolError, Waiting};

/// When the forwarder shall end: at once when all is sent, and at this time at the latest.
pub(super) type Stop = watch::Receiver<Option<Instant>>;

/// What every connection needs.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) address: DetectorAddress,
    pub(super) spool: SharedSpool,
    pub(super) wake: Arc<Notify>,
    pub(super) state: Arc<watch::Sender<ForwardState>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) clock_offset: ClockOffset,
    /// How long batches may be without an answer before the connection is given up.
    pub(super) answer_limit: Duration,
    pub(super) stop: Stop,
    /// Batches that were rejected, for the log.
    pub(super) rejections: u64,
    /// Whether the last job failed, so that only the change is logged.
    pub(super) write_failed: bool,
}

/// One connection's state.
struct Session<'c> {
    context: &'c mut Context,
    window: Window,
    /// Up to where batches were sent. Not what the window ends with: that empties before it is written down.
    place: Option<Mark>,
    requests: mpsc::Sender<PushRequest>,
    /// Whether there may be more to read.
    may_read: bool,
    reading: Option<JoinHandle<Result<Option<Waiting>, SpoolError>>>,
    /// What is to be written down; at most as much as the window held.
    settled: Vec<Settled>,
    writing: Option<JoinHandle<Written>>,
    /// When the wait for an answer ends.
    answer_due: Instant,
    /// Whether the detector answered at all.
    answered: bool,
}

/// What writing down came to.
struct Written {
    waiting: u64,
    rejected: u64,
    acknowledged: Option<(String, u64)>,
    error: Option<SpoolError>,
}

/// How a connection ended.
pub(super) struct Ended {
    /// Whether the detector answered anything, so that it was worth it.
    pub(super) answered: bool,
    /// Why, where not because the sensor stops.
    pub(super) error: Option<ForwardError>,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The detector has taken the stream.
    Opened,
    /// It has answered for a batch.
    Answered,
}

/// Sends what waits, until the connection ends or the sensor stops. `progress` is called at each step of that kind.
pub(super) async fn run(
    context: &mut Context,
    channel: Channel,
    progress: impl FnMut(&Context, Progress),
) -> Ended {
    let (requests, outgoing) = mpsc::channel(MAX_IN_FLIGHT);
    let answer_due = Instant::now() + context.answer_limit;
    let mut session = Session {
        context,
        window: Window::default(),
        place: None,
        requests,
        may_read: true,
        reading: None,
        settled: Vec::new(),
        writing: None,
        answer_due,
        answered: false,
    };
    let mut client = EventCollectorClient::new(channel);
    let call = client.push(ReceiverStream::new(outgoing));
    let error = session.run(call, progress).await.err();
    let answered = session.answered;
    // Receipts that came are not thrown away with the connection.
    session.finish().await;
    Ended { answered, error }
}

impl Session<'_> {
    async fn run(
        &mut self,
        call: impl Future<Output = Result<tonic::Response<Streaming<PushResponse>>, tonic::Status>>,
        mut progress: impl FnMut(&Context, Progress),
    ) -> Result<(), ForwardError> {
        // A detector may wait for the first batch before it answers the call, so batches go out while it is being made.
        let mut call = pin!(call);
        let mut answers: Option<Streaming<PushResponse>> = None;
        let wake = Arc::clone(&self.context.wake);
        let mut stop = self.context.stop.clone();
        let mut was_stopping = false;
        loop {
            let stopping = *stop.borrow_and_update();
            if stopping.is_some() && !std::mem::replace(&mut was_stopping, true) {
                // The last batch may have come without its call having been heard yet.
                self.may_read = true;
            }
            if was_stopping && self.is_idle() {
                return Ok(());
            }
            if self.reading.is_none() && self.may_read && self.window.has_room() {
                // A call that comes while this reads is for the next read.
                self.may_read = false;
                self.reading = Some(self.context.spool.read(self.place));
            }
            self.begin_writing();
            tokio::select! {
                response = &mut call, if answers.is_none() => {
                    answers = Some(response.map_err(|status| self.failed(&status))?.into_inner());
                    progress(self.context, Progress::Opened);
                }
                answer = next_answer(&mut answers) => match answer.map_err(|status| self.failed(&status))? {
                    Some(answer) => {
                        self.take_answer(&answer);
                        if answer.answer.is_some() {
                            progress(self.context, Progress::Answered);
                        }
                    }
                    None => return Err(ForwardError::Closed { address: self.context.address.clone() }),
                },
                read = join(&mut self.reading) => self.take_read(read)?,
                written = join(&mut self.writing) => self.take_written(written),
                () = wake.notified() => self.may_read = true,
                _ = stop.changed() => {}
                () = at(stopping) => return Ok(()),
                () = sleep_until(self.answer_due), if !self.window.is_empty() => {
                    let seconds = self.context.answer_limit.as_secs();
                    return Err(ForwardError::NoAnswer { address: self.context.address.clone(), seconds });
                }
            }
        }
    }

    fn failed(&self, status: &tonic::Status) -> ForwardError {
        ForwardError::from_status(&self.context.address, status)
    }

    fn is_idle(&self) -> bool {
        self.window.is_empty()
            && !self.may_read
            && self.reading.is_none()
            && self.settled.is_empty()
            && self.writing.is_none()
    }

    fn take_read(&mut self, read: Result<Option<Waiting>, SpoolError>) -> Result<(), ForwardError> {
        let Some(batch) = read.map_err(ForwardError::Spool)? else {
            return Ok(());
        };
        self.may_read = true;
        self.place = Some(batch.mark);
        let Waiting {
            mark,
            first_sequence,
            envelope,
            ..
        } = batch;
        let bytes = envelope.len();
        if self.window.is_empty() {
            self.answer_due = Instant::now() + self.context.answer_limit;
        }
        self.window.push(Sent {
            mark,
            first_sequence,
            bytes,
        });
        match Envelope::decode(envelope) {
            Ok(envelope) => {
                // Never full: it has room for the whole window. Closed: the answers will say why.
                let _ = self.requests.try_send(PushRequest {
                    envelope: Some(envelope),
                });
                self.count(|state| state.sent_batches += 1);
            }
            Err(why) => {
                // The record's checksum held, so it was written like this.
                tracing::error!(error = %why, "a batch in the spool is no envelope and cannot be sent; it is counted as lost");
                self.settled
                    .extend(self.window.rejected(mark.digest()).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn take_answer(&mut self, answer: &PushResponse) {
        self.answered = true;
        self.answer_due = Instant::now() + self.context.answer_limit;
        self.watch_clock(answer);
        let settled = match &answer.answer {
            Some(Answer::Receipt(receipt)) => self.window.stored(&receipt.batch_sha256),
            Some(Answer::Rejection(rejection)) => {
                let settled = self.window.rejected(&rejection.batch_sha256);
                if settled.is_some() {
                    self.context.rejections += 1;
                    // The first, the second, the fourth …: a detector that refuses all must not fill the log.
                    if self.context.rejections.is_power_of_two() {
                        tracing::error!(
                            reason = rejection.reason,
                            message = rejection.message,
                            batch = hex::encode(&rejection.batch_sha256),
                            rejections = self.context.rejections,
                            "the detector refused a batch for good; its events are lost to it and are told in a gap"
                        );
                    }
                }
                settled
            }
            None => None,
        };
        match settled {
            Some(settled) => {
                self.settled.extend(settled);
                let receipts = u64::from(matches!(answer.answer, Some(Answer::Receipt(_))));
                self.count(|state| state.receipts += receipts);
            }
            None => tracing::debug!("an answer for no batch that waits for one"),
        }
    }

    /// Counts something, and tells how much is in flight.
    fn count(&self, count: impl FnOnce(&mut ForwardState)) {
        let size = self.window.size();
        self.context.state.send_modify(|state| {
            (state.in_flight_batches, state.in_flight_bytes) = size;
            count(state);
        });
    }

    fn watch_clock(&mut self, answer: &PushResponse) {
        let Some(theirs) = &answer.collector_time else {
            return;
        };
        let theirs = theirs
            .seconds
            .saturating_mul(1_000)
            .saturating_add(i64::from(theirs.nanos / 1_000_000));
        let offset_ms = unix_milliseconds(self.context.clock.now()).saturating_sub(theirs);
        self.context
            .state
            .send_modify(|state| state.clock_offset_ms = Some(offset_ms));
        if let Some(sentence) = self.context.clock_offset.observe(offset_ms) {
            tracing::warn!(offset_ms, "{sentence}");
        }
    }

    /// Writes down what is settled, one job at a time: receipts that come meanwhile go into the next.
    fn begin_writing(&mut self) {
        if self.writing.is_some() || self.settled.is_empty() {
            return;
        }
        let settled = std::mem::take(&mut self.settled);
        self.writing = Some(self.context.spool.run(move |spool| {
            let mut written = Written {
                waiting: 0,
                rejected: 0,
                acknowledged: None,
                error: None,
            };
            for settled in &settled {
                let (mark, result) = match settled {
                    Settled::Acknowledged(mark) => (mark, spool.acknowledge(mark)),
                    Settled::Rejected { mark, first_sequence } => {
                        written.rejected += 1;
                        (mark, spool.reject(mark, *first_sequence))
                    }
                };
                written.error = result.err().or(written.error);
                written.acknowledged = Some((mark.boot_id().to_string(), mark.last_sequence()));
            }
            written.waiting = spool.waiting_batches();
            written
        }));
    }

    fn take_written(&mut self, written: Written) {
        let Written {
            waiting,
            rejected,
            acknowledged,
            error,
        } = written;
        if let Some(error) = &error
            && !self.context.write_failed
        {
            tracing::warn!(
                error = in_one_line(error),
                "what the detector has could not be written down; after a crash it is sent again"
            );
        }
        self.context.write_failed = error.is_some();
        self.context.state.send_modify(|state| {
            state.waiting_batches = waiting;
            state.rejected_batches += rejected;
            if let Some((boot_id, sequence)) = acknowledged {
                state.acknowledged_boot_id = Some(boot_id);
                state.acknowledged_sequence = sequence;
            }
        });
    }

    /// Leaves no job behind.
    async fn finish(&mut self) {
        if let Some(reading) = self.reading.take() {
            let _ = reading.await;
        }
        loop {
            self.begin_writing();
            if self.writing.is_none() {
                return;
            }
            let written = join(&mut self.writing).await;
            self.take_written(written);
        }
    }
}

async fn next_answer(
    answers: &mut Option<Streaming<PushResponse>>,
) -> Result<Option<PushResponse>, tonic::Status> {
    match answers {
        Some(answers) => answers.message().await,
        None => pending().await,
    }
}

/// Waits for a job on a thread that may block; for ever where there is none, or where it panicked.
async fn join<T>(job: &mut Option<JoinHandle<T>>) -> T {
    let Some(handle) = job else { return pending().await };
    let joined = handle.await;
    *job = None;
    match joined {
        Ok(result) => result,
        Err(why) => match why.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is shutting down cancels jobs.
            Err(_) => pending().await,
        },
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
