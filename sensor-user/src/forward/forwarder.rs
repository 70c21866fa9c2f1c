//! The task: one connection after the other, for as long as the sensor runs.

use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::{Instant, sleep, sleep_until};

use super::ForwardError;
use super::backoff::Backoff;
use super::dial::dial;
use super::session::{self, Context, Ended};
use crate::error::in_one_line;
use crate::sign::Validity;

/// How patient the forwarder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timings {
    /// The first wait after a failure; doubles with each.
    pub first_retry: Duration,
    /// The longest wait.
    pub longest_retry: Duration,
    /// How long connecting may take.
    pub connect_limit: Duration,
    /// How long batches may be without an answer.
    pub answer_limit: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_millis(250),
            longest_retry: Duration::from_secs(30),
            connect_limit: Duration::from_secs(10),
            answer_limit: Duration::from_secs(60),
        }
    }
}

/// A connection that lasted this long was a good one, even where nothing was to be sent.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);

/// The task's state.
pub(super) struct Forwarder {
    pub(super) context: Context,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) validity: Validity,
    pub(super) timings: Timings,
}

impl Forwarder {
    /// Runs until the sensor stops and what waits is sent, or the time for that is over.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(self.timings.first_retry, self.timings.longest_retry);
        let mut outage = Outage::default();
        loop {
            let stopping = *self.context.stop.borrow();
            if stopping.is_some() && self.waiting().await == 0 {
                return;
            }
            let began = Instant::now();
            let stop = self.context.stop.clone();
            let Ended { answered, error } = tokio::select! {
                ended = self.connection(&mut outage) => ended,
                // A session in progress minds the time itself; this is for connecting.
                () = until_stopped(stop, Duration::from_millis(100)) => return,
            };
            let Some(error) = error else { return };
            let waiting = self.waiting().await;
            self.context.state.send_modify(|state| {
                state.connected = false;
                state.last_error = Some(in_one_line(&error));
                state.waiting_batches = waiting;
            });
            outage.say(&error, waiting);
            if self.context.stop.borrow().is_some() {
                return;
            }
            if answered || began.elapsed() > GOOD_CONNECTION {
                backoff.reset();
            }
            let wait = backoff.next(getrandom::u32().unwrap_or(u32::MAX / 2));
            tokio::select! {
                () = sleep(wait) => {}
                _ = self.context.stop.changed() => {}
            }
        }
    }

    async fn connection(&mut self, outage: &mut Outage) -> Ended {
        if let Err(why) = self.validity.check(self.context.clock.now()) {
            // Tried all the same: the detector decides, and its clock may be the right one.
            if outage.is_new_trouble() {
                tracing::warn!("{why}");
            }
        }
        match dial(
            &self.context.address,
            Arc::clone(&self.tls),
            self.timings.connect_limit,
        )
        .await
        {
            Err(error) => Ended {
                answered: false,
                error: Some(error),
            },
            Ok(channel) => {
                session::run(&mut self.context, channel, |context| {
                    context.state.send_modify(|state| {
                        state.connected = true;
                        state.last_error = None;
                    });
                    outage.over(context);
                })
                .await
            }
        }
    }

    async fn waiting(&self) -> u64 {
        self.context
            .spool
            .run(|spool| spool.waiting_batches())
            .await
            .unwrap_or(0)
    }
}

/// Waits until the time for sending after the end is over, and a little longer.
async fn until_stopped(mut stop: session::Stop, grace: Duration) {
    loop {
        let end = *stop.borrow_and_update();
        match end {
            Some(end) => return sleep_until(end + grace).await,
            None => {
                if stop.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

/// What was said about the detector being away.
#[derive(Debug, Default)]
struct Outage {
    /// Kinds of reasons that were said; each once until the detector is back.
    said: HashSet<Discriminant<ForwardError>>,
    certificate_said: bool,
    was_connected: bool,
}

impl Outage {
    fn is_new_trouble(&mut self) -> bool {
        !std::mem::replace(&mut self.certificate_said, true)
    }

    fn say(&mut self, error: &ForwardError, waiting_batches: u64) {
        let reason = in_one_line(error);
        if self.said.insert(discriminant(error)) {
            tracing::warn!(
                reason,
                waiting_batches,
                "events do not get to the detector; they are kept in the spool and sent later"
            );
        } else {
            tracing::debug!(reason, waiting_batches, "still no way to the detector");
        }
    }

    fn over(&mut self, context: &Context) {
        let address = &context.address;
        let waiting_batches = context.state.borrow().waiting_batches;
        match (self.was_connected, self.said.is_empty()) {
            (false, true) => tracing::info!(%address, waiting_batches, "connected to the detector"),
            _ => tracing::info!(%address, waiting_batches, "events get to the detector again"),
        }
        *self = Self {
            was_connected: true,
            ..Self::default()
        };
    }
}
