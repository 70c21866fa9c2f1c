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
use super::session::{self, Context, Ended, Progress};
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
    /// How long the spool may still belong to a sensor that is ending.
    pub spool_patience: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_millis(250),
            longest_retry: Duration::from_secs(30),
            connect_limit: Duration::from_secs(10),
            answer_limit: Duration::from_secs(60),
            spool_patience: Duration::from_secs(5),
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
                (state.in_flight_batches, state.in_flight_bytes) = (0, 0);
                if state.last_error.is_none() || !outage.is_explained(&error) {
                    state.last_error = Some(in_one_line(&error));
                }
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
                session::run(&mut self.context, channel, |context, progress| {
                    outage.progress(context, progress);
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
    said_tls: bool,
    certificate_said: bool,
    was_connected: bool,
}

impl Outage {
    fn is_new_trouble(&mut self) -> bool {
        !std::mem::replace(&mut self.certificate_said, true)
    }

    /// Whether a connection that just ends has its reason in what was said before: in TLS 1.3 a refused certificate may show as that.
    fn is_explained(&self, error: &ForwardError) -> bool {
        let tls_said = self.said_tls || self.certificate_said;
        tls_said && matches!(error, ForwardError::Closed { .. } | ForwardError::Http { .. })
    }

    fn is_news(&mut self, error: &ForwardError) -> bool {
        self.said_tls |= matches!(error, ForwardError::Tls { .. });
        !self.is_explained(error) && self.said.insert(discriminant(error))
    }

    fn say(&mut self, error: &ForwardError, waiting_batches: u64) {
        let reason = in_one_line(error);
        if self.is_news(error) {
            tracing::warn!(
                reason,
                waiting_batches,
                "events do not get to the detector; they are kept in the spool and sent later"
            );
        } else {
            tracing::debug!(reason, waiting_batches, "still no way to the detector");
        }
    }

    /// Whether something is to be said now. Trouble is over when a batch got through: a detector whose disk is full takes the stream, too.
    fn is_good_news(&self, progress: Progress) -> bool {
        let trouble = !self.said.is_empty() || self.certificate_said;
        match progress {
            Progress::Opened => !trouble,
            Progress::Answered => trouble,
        }
    }

    fn progress(&mut self, context: &Context, progress: Progress) {
        context.state.send_if_modified(|state| match progress {
            Progress::Opened => {
                state.connected = true;
                state.connections += 1;
                if state.waiting_batches == 0 {
                    state.last_error = None;
                }
                true
            }
            Progress::Answered => state.last_error.take().is_some(),
        });
        if self.is_good_news(progress) {
            self.over(context);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DetectorAddress;

    fn address() -> DetectorAddress {
        DetectorAddress::default()
    }

    fn full_disk() -> ForwardError {
        ForwardError::Status {
            address: address(),
            code: tonic::Code::Unavailable,
            message: "its disk is full".into(),
        }
    }

    #[test]
    fn an_outage_is_over_when_a_batch_got_through() {
        let mut outage = Outage::default();
        assert!(outage.is_good_news(Progress::Opened), "the first connection");
        assert!(outage.is_news(&full_disk()));
        for _ in 0..3 {
            assert!(!outage.is_good_news(Progress::Opened));
            assert!(!outage.is_news(&full_disk()), "said once");
        }
        assert!(outage.is_good_news(Progress::Answered));
    }

    #[test]
    fn a_refused_certificate_explains_what_ends_the_connection() {
        let closed = || ForwardError::Closed { address: address() };
        let refused = ForwardError::Tls {
            address: address(),
            reason: "expired".into(),
        };
        assert!(Outage::default().is_news(&closed()));
        let mut outage = Outage::default();
        assert!(outage.is_news(&refused));
        assert!(!outage.is_news(&closed()));
        assert!(outage.is_news(&full_disk()), "that is something else");
        let mut outage = Outage::default();
        assert!(outage.is_new_trouble());
        assert!(!outage.is_news(&closed()));
    }
}
