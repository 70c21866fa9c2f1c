//! What the agent sees of signing, spooling and forwarding: events go in, losses come back.

mod trouble;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use claviger_proto::v1::{Event, Gap, LossCount};
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::clock_offset::ClockOffset;
use super::earlier_identities::count_left_behind;
use super::forwarder::{Forwarder, Timings};
use super::opening::open_spool;
use super::session::Context;
use super::shared_spool::SharedSpool;
use super::state::ForwardState;
use super::tls::{TlsError, client_config};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, SPOOL_DIR};
use crate::error::in_one_line;
use crate::sign::{BootId, ChainState, Identity, SealError, Sealer, SensorId};
use crate::spool::{LossReason, Lost, OsFileSystem, Spool, SpoolError, SpoolStats};

/// Signs events, keeps them on disk, and has them forwarded.
#[derive(Debug)]
pub struct Outbox {
    sensor_id: SensorId,
    boot_id: BootId,
    ran_before: bool,
    inner: Mutex<Inner>,
    spool: SharedSpool,
    wake: Arc<Notify>,
    state: Arc<watch::Sender<ForwardState>>,
    stop: watch::Sender<Option<Instant>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What one submission at a time uses.
#[derive(Debug)]
struct Inner {
    sealer: Sealer,
    /// Batches that were signed and kept.
    sealed_batches: u64,
    /// Whether the last batch was refused, so that only the change is logged.
    refusing: bool,
    /// The spool's removals that were logged.
    removals: u64,
    /// Whether it was logged that the anchor cannot be written.
    unanchored: bool,
}

/// Events that were signed and are on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The boot of their ids.
    pub boot_id: BootId,
    /// Sequence of the first.
    pub first: u64,
    /// Sequence of the last.
    pub last: u64,
    /// How many of those that were submitted are not among them.
    pub lost_events: u64,
    /// The places of those that are, in what was submitted, in the order of their sequences.
    pub kept: Vec<Range<usize>>,
}

/// How the outbox is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxStatus {
    /// This sensor.
    pub sensor_id: SensorId,
    /// This boot.
    pub boot_id: BootId,
    /// Sequence of the last event on the disk; 0 where there is none of this boot.
    pub last_sequence: u64,
    /// Batches that were signed and kept since the outbox was opened.
    pub sealed_batches: u64,
    /// How full the spool is.
    pub spool: SpoolStats,
    /// Bytes that it may take.
    pub spool_max_bytes: u64,
    /// Losses that no gap tells yet.
    pub untold_losses: usize,
    /// Whether the last batch could not be kept.
    pub refusing: bool,
    /// Whether where the chain stands could not be written down outside of the spool the last time.
    pub is_unanchored: bool,
    /// How the forwarding goes.
    pub forward: ForwardState,
}

/// Why there is no outbox, or events were not kept.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// Nothing was submitted.
    #[error("there is nothing to submit")]
    Empty,
    /// None of the events could be kept. Those of what somebody did are counted as lost.
    #[error("{events} events could not be kept and are lost")]
    NotKept {
        /// How many.
        events: u64,
        /// Why.
        #[source]
        source: SpoolError,
    },
    /// The spool cannot be opened.
    #[error("the spool cannot be opened")]
    Spool(#[source] SpoolError),
    /// The identity cannot be used for TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// None of the events fits into a batch. Those of what somebody did are counted as lost.
    #[error("{events} events are too large and are lost")]
    TooLarge {
        /// How many.
        events: u64,
    },
}

impl Outbox {
    /// Opens the spool and starts forwarding; must be called within a tokio runtime. Blocks on the disk.
    ///
    /// The losses are those of earlier runs and of this opening that no gap has told: they are to be told in the first batch.
    ///
    /// # Errors
    /// Where the spool is in use or cannot be read, and where the identity's parts do not fit.
    pub fn open(
        config: &Config,
        identity: Identity,
        boot_id: BootId,
    ) -> Result<(Self, Vec<Lost>), OutboxError> {
        Self::open_with(
            config,
            identity,
            boot_id,
            Arc::new(SystemClock),
            Timings::default(),
        )
    }

    /// The same with another clock and other patience.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        config: &Config,
        identity: Identity,
        boot_id: BootId,
        clock: Arc<dyn Clock>,
        timings: Timings,
    ) -> Result<(Self, Vec<Lost>), OutboxError> {
        let tls = client_config(&identity)?;
        let sensor_id = identity.sensor_id();
        let spools = config.state_dir.join(SPOOL_DIR);
        let dir = spools.join(sensor_id.to_string());
        let (mut spool, recovery) = open_spool(
            config,
            &dir,
            boot_id,
            identity.signing_public_key(),
            &clock,
            timings.spool_patience,
        )
        .map_err(OutboxError::Spool)?;
        count_left_behind(&mut spool, &spools, sensor_id, config, &clock);
        let lost = spool.take_lost();
        let ran_before = spool.chain_state().is_some() || !lost.is_empty();
        let chain = spool
            .chain_state()
            .map_or(ChainState::start(boot_id), |chain| chain.in_boot(boot_id));
        let validity = identity.validity();

        let (state, _) = watch::channel(ForwardState {
            waiting_batches: recovery.waiting_batches,
            certificate_not_after: validity.not_after,
            ..ForwardState::default()
        });
        let (stop, stopped) = watch::channel(None);
        let (spool, wake, state) = (SharedSpool::new(spool), Arc::new(Notify::new()), Arc::new(state));
        let context = Context {
            address: config.detector.address.clone(),
            spool: spool.clone(),
            wake: Arc::clone(&wake),
            state: Arc::clone(&state),
            clock,
            clock_offset: ClockOffset::default(),
            answer_limit: timings.answer_limit,
            stop: stopped,
            rejections: 0,
            write_failed: false,
        };
        let task = tokio::spawn(
            Forwarder {
                context,
                tls,
                validity,
                timings,
            }
            .run(),
        );
        let outbox = Self {
            sensor_id,
            boot_id,
            ran_before,
            inner: Mutex::new(Inner {
                sealer: Sealer::new(Arc::new(identity), chain),
                sealed_batches: 0,
                refusing: false,
                removals: 0,
                unanchored: false,
            }),
            spool,
            wake,
            state,
            stop,
            task: Mutex::new(Some(task)),
        };
        Ok((outbox, lost))
    }

    /// This sensor.
    #[must_use]
    pub fn sensor_id(&self) -> SensorId {
        self.sensor_id
    }

    /// Whether the spool, or what says where its chain stands, was of an earlier run when it was opened: also where it is missed.
    #[must_use]
    pub fn ran_before(&self) -> bool {
        self.ran_before
    }

    /// Signs events into the next batch and puts it on the disk; when this returns they are there for good. Blocks on the disk: call
    /// it where that is allowed. What does not fit into one batch goes into several.
    ///
    /// Of what is not kept every event that has an actor is counted as lost, of whatever kind. Gaps are the caller's, to be submitted again; the sensor's
    /// status and amendments hold nothing that was done.
    ///
    /// # Errors
    /// Where no event could be kept; what is lost tell [`take_lost`](Self::take_lost) and [`lost_totals`](Self::lost_totals).
    #[expect(
        clippy::needless_pass_by_value,
        reason = "as with the events, the caller has no more use for them"
    )]
    pub fn submit(
        &self,
        events: Vec<Event>,
        losses: Vec<LossCount>,
        now: SystemTime,
    ) -> Result<Submitted, OutboxError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let submitted = events.len() as u64;
        let first = inner.sealer.chain().next_sequence;
        let mut error = None;
        let mut kept_places = Vec::new();
        let mut rest = vec![(0, events)];
        while let Some((place, mut events)) = rest.pop() {
            let (count, seen) = (events.len(), seen_in(&events));
            match inner.sealer.seal(events, losses.clone(), now) {
                Ok(sealed) => {
                    let (result, dropped) = {
                        let mut spool = self.spool.lock();
                        let before = dropped_events(&spool);
                        let appended = spool.append_counting(&sealed, seen);
                        inner.log_trouble(&spool);
                        (appended, dropped_events(&spool) - before)
                    };
                    if result.is_ok() && dropped > 0 {
                        tracing::error!(
                            events = dropped,
                            "the spool is at its max_bytes and its oldest events are dropped; a gap tells which"
                        );
                    }
                    match result {
                        Ok(()) => {
                            inner.sealer.advance(&sealed);
                            inner.sealed_batches += 1;
                            kept_places.push(place..place + count);
                        }
                        Err(source) => {
                            error = Some(OutboxError::NotKept {
                                events: submitted,
                                source,
                            });
                        }
                    }
                }
                Err((SealError::Empty, _)) => error = Some(OutboxError::Empty),
                Err((SealError::TooLarge { .. }, back)) if back.len() > 1 => {
                    events = back;
                    let second = events.split_off(events.len() / 2);
                    rest.extend([(place + events.len(), second), (place, events)]);
                }
                Err((SealError::TooLarge { bytes, .. }, _)) => {
                    tracing::error!(bytes, "an event is larger than a batch may be and is lost");
                    self.spool.lock().count_lost(LossReason::TooLarge, 0, seen);
                    error = Some(OutboxError::TooLarge { events: submitted });
                }
            }
        }
        inner.log_change(error.as_ref());
        let kept = inner.sealer.chain().next_sequence - first;
        if kept == 0 {
            return Err(error.unwrap_or(OutboxError::Empty));
        }
        let waiting = self.spool.lock().waiting_batches();
        self.state.send_modify(|state| state.waiting_batches = waiting);
        self.wake.notify_one();
        Ok(Submitted {
            boot_id: self.boot_id,
            first,
            last: first + kept - 1,
            lost_events: submitted - kept,
            kept: kept_places,
        })
    }

    /// Losses of sealed events that no gap tells yet, by a full spool or disk, damage or rejection. They are to be told in the next
    /// batch that is submitted: when that is kept they are forgotten, else they are given again.
    pub fn take_lost(&self) -> Vec<Lost> {
        self.spool.lock().take_lost()
    }

    /// Gaps of the caller that were in a batch which the detector refused; as with [`take_lost`](Self::take_lost) they are to be told in the next batch.
    pub fn take_gaps(&self) -> Vec<Gap> {
        self.spool.lock().take_gaps()
    }

    /// How often something of the spool was found removed since it was opened.
    #[must_use]
    pub fn removals(&self) -> u64 {
        self.spool.lock().removals()
    }

    /// Events lost by reason since the outbox was opened, those included that opening it told. Grows when something is lost, whether
    /// that could be told yet or not.
    #[must_use]
    pub fn lost_totals(&self) -> BTreeMap<LossReason, u64> {
        self.spool.lock().lost_totals().clone()
    }

    /// How the outbox is. Blocks on the disk.
    #[must_use]
    pub fn status(&self) -> OutboxStatus {
        let (chain, sealed_batches, refusing) = {
            let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            (inner.sealer.chain(), inner.sealed_batches, inner.refusing)
        };
        let mut spool = self.spool.lock();
        OutboxStatus {
            sensor_id: self.sensor_id,
            boot_id: self.boot_id,
            last_sequence: chain.next_sequence - 1,
            sealed_batches,
            spool: spool.stats(),
            spool_max_bytes: spool.max_bytes(),
            untold_losses: spool.untold_losses(),
            refusing,
            is_unanchored: !spool.is_anchored(),
            forward: self.state.borrow().clone(),
        }
    }

    /// Tells whenever the state of the forwarding changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<ForwardState> {
        self.state.subscribe()
    }

    /// Ends the forwarding: sends what waits for as long as `limit` where the detector is there. What is left stays in the spool.
    pub async fn flush_and_stop(&self, limit: Duration) {
        let _ = self.stop.send(Some(Instant::now() + limit));
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if timeout(limit + Duration::from_secs(1), &mut task).await.is_err() {
            task.abort();
        }
        // On a thread of its own, since this may wait for the disk; that thread panics only where the spool does.
        if let Ok(Err(error)) = self.spool.run(Spool::save).await {
            tracing::warn!(
                error = in_one_line(&error),
                "where the spool ends could not be written down; if its files go missing now, not all of that will be told"
            );
        }
        let waiting = self.state.borrow().waiting_batches;
        if waiting > 0 {
            tracing::info!(
                waiting_batches = waiting,
                "stopped; the spool keeps what the detector does not have yet"
            );
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
        }
    }
}

/// What somebody did, of whatever kind: what the agent counts as delivered.
fn seen_in(events: &[Event]) -> u64 {
    events.iter().filter(|event| event.actor.is_some()).count() as u64
}

/// Events that were dropped because the spool is full.
fn dropped_events(spool: &Spool<OsFileSystem>) -> u64 {
    spool
        .lost_totals()
        .get(&LossReason::SpoolFull)
        .copied()
        .unwrap_or(0)
}
