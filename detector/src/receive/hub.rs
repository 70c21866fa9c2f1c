//! Hands what was stored to whoever watches.
//!
//! Bound: [`BATCHES`] batches wait for a watcher. One that is slower is told how many items it missed; nobody waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use claviger_proto::v1::{Event, EventId, Finding};
use tokio::sync::broadcast;

/// How many batches a watcher may be behind.
const BATCHES: usize = 64;

/// What a stored batch holds.
#[derive(Debug)]
pub(super) struct News {
    /// How much was published before it.
    pub(super) before: Totals,
    /// Its events.
    pub(super) events: Vec<Event>,
    /// What detection found in it.
    pub(super) findings: Vec<Finding>,
    /// Its last event, unless it holds nothing new of the sensor.
    pub(super) processed: Option<EventId>,
}

/// How much was published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) events: u64,
    pub(super) findings: u64,
}

/// Where news comes from.
#[derive(Clone, Debug)]
pub(super) struct Hub {
    sender: broadcast::Sender<Arc<News>>,
    state: Arc<Mutex<State>>,
}

/// What is changed and read together with sending and subscribing, so that a subscription cannot fall between.
#[derive(Debug, Default)]
struct State {
    totals: Totals,
    /// The last event of each sensor that went through detection.
    processed: HashMap<String, EventId>,
}

/// One watcher's end.
#[derive(Debug)]
pub(super) struct Subscription {
    receiver: broadcast::Receiver<Arc<News>>,
    seen: Totals,
}

impl Hub {
    /// A hub for a store in which these events are the last of their sensors.
    pub(super) fn new(processed: impl IntoIterator<Item = EventId>) -> Self {
        let processed = processed
            .into_iter()
            .map(|id| (id.sensor_id.clone(), id))
            .collect();
        let state = State {
            totals: Totals::default(),
            processed,
        };
        Self {
            sender: broadcast::channel(BATCHES).0,
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(super) fn publish(&self, events: Vec<Event>, findings: Vec<Finding>, processed: Option<EventId>) {
        let mut state = self.state();
        let before = state.totals;
        state.totals.events += events.len() as u64;
        state.totals.findings += findings.len() as u64;
        if let Some(id) = &processed {
            state.processed.insert(id.sensor_id.clone(), id.clone());
        }
        // An error only says that nobody watches.
        let _ = self.sender.send(Arc::new(News {
            before,
            events,
            findings,
            processed,
        }));
    }

    /// Everything from now on, and what went through detection until now.
    pub(super) fn subscribe(&self) -> (Vec<EventId>, Subscription) {
        let state = self.state();
        let processed = state.processed.values().cloned().collect();
        (
            processed,
            Subscription {
                receiver: self.sender.subscribe(),
                seen: state.totals,
            },
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// The next news and how much was missed before it; nothing when there will be no more.
    pub(super) async fn next(&mut self) -> Option<(Totals, Arc<News>)> {
        loop {
            match self.receiver.recv().await {
                Ok(news) => {
                    let missed = Totals {
                        events: news.before.events - self.seen.events,
                        findings: news.before.findings - self.seen.findings,
                    };
                    self.seen = Totals {
                        events: news.before.events + news.events.len() as u64,
                        findings: news.before.findings + news.findings.len() as u64,
                    };
                    return Some((missed, news));
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_watcher_is_told_exactly_what_it_missed() {
        let hub = Hub::new([]);
        hub.publish(vec![Event::default(); 9], vec![], None);
        let (_, mut watcher) = hub.subscribe();
        let sent = BATCHES as u64 + 10;
        for _ in 0..sent {
            hub.publish(vec![Event::default(); 3], vec![Finding::default()], None);
        }
        drop(hub);
        let (mut missed, mut seen) = (Totals::default(), Totals::default());
        while let Some((skipped, news)) = watcher.next().await {
            missed.events += skipped.events;
            missed.findings += skipped.findings;
            seen.events += news.events.len() as u64;
            seen.findings += news.findings.len() as u64;
        }
        assert!(missed.events >= 30, "{missed:?}");
        assert_eq!(
            (missed.events + seen.events, missed.findings + seen.findings),
            (sent * 3, sent)
        );
    }

    #[tokio::test]
    async fn a_subscription_begins_exactly_behind_what_it_says_was_processed() {
        let id = |sequence| EventId {
            sensor_id: "s".into(),
            boot_id: "b".into(),
            sequence,
        };
        let hub = Hub::new([id(4)]);
        hub.publish(vec![], vec![], Some(id(5)));
        let (processed, mut watcher) = hub.subscribe();
        hub.publish(vec![], vec![], Some(id(6)));
        assert_eq!(processed, [id(5)]);
        assert_eq!(
            watcher.next().await.and_then(|(_, news)| news.processed.clone()),
            Some(id(6))
        );
    }
}
