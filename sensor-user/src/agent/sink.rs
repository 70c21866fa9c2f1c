//! Where events go: to the spool of a running sensor, or to the terminal of a trace.

use std::{
    collections::{BTreeMap, VecDeque},
    time::SystemTime,
};

use claviger_proto::v1::{Event, EventId, EventKind, LossCount};

use super::events::gap;
use crate::{
    forward::{Outbox, OutboxStatus, Submitted},
    spool::{LossReason, Lost},
};

/// Most gaps that wait to be told again. Beyond, the newest takes in what comes.
pub(super) const UNTOLD_MAX: usize = 256;

/// What came of a delivery.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivered {
    /// The ids that the events got; none where this sink gives none, or could not keep them all.
    pub ids: Ids,
    /// What was lost behind the agent since the delivery before, with this one. It is told in a gap as soon as one can be kept.
    pub lost: Vec<LossCount>,
}

/// The ids of events that belong together: one sequence after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ids {
    /// That of the first; nothing where there are none.
    first: Option<EventId>,
    /// How many.
    count: u64,
}

impl Ids {
    /// So many, from this one on.
    #[must_use]
    pub fn starting(first: EventId, count: u64) -> Self {
        Self {
            first: Some(first),
            count,
        }
    }

    /// That of the event at a place, counted from 0.
    #[must_use]
    pub fn get(&self, place: u64) -> Option<EventId> {
        let first = self.first.as_ref().filter(|_| place < self.count)?;
        Some(EventId {
            sequence: first.sequence + place,
            ..first.clone()
        })
    }

    /// That of the last event.
    #[must_use]
    pub fn last(&self) -> Option<EventId> {
        self.get(self.count.checked_sub(1)?)
    }
}

/// Takes events. What it cannot keep it counts itself, and tells with a later delivery.
pub trait Sink: Send + 'static {
    /// Takes events that belong together. May block on a disk.
    fn deliver(&mut self, events: Vec<Event>, losses: Vec<LossCount>) -> Delivered;

    /// Whether evidence of an earlier run is known to it.
    fn ran_before(&self) -> bool {
        false
    }

    /// How the way behind it is; nothing where there is none. May block on a disk.
    fn status(&self) -> Option<EvidenceStatus> {
        None
    }
}

/// How the way behind the agent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceStatus {
    /// Signing, spool and forwarding.
    pub outbox: OutboxStatus,
    /// Events that were sealed and kept, by the word of their kind.
    pub sealed: BTreeMap<String, u64>,
    /// Gaps among them, by their reason.
    pub gaps: BTreeMap<String, u64>,
    /// Gaps that could not be kept yet.
    pub untold: usize,
}

/// Seals events, and keeps them until the detector has them.
#[derive(Debug)]
pub struct Evidence {
    outbox: Outbox,
    /// Losses of earlier runs, told with the first delivery.
    before: Vec<Lost>,
    /// Gaps of the agent that could not be kept yet.
    untold: VecDeque<Event>,
    /// The outbox's totals as far as the agent has counted them.
    counted: BTreeMap<LossReason, u64>,
    /// What was kept, by kind.
    sealed: BTreeMap<i32, u64>,
    /// Gaps among it, by reason.
    gaps: BTreeMap<String, u64>,
}

impl Evidence {
    /// With what opening the outbox told of losses.
    #[must_use]
    pub fn new(outbox: Outbox, before: Vec<Lost>) -> Self {
        Self {
            outbox,
            before,
            untold: VecDeque::new(),
            counted: BTreeMap::new(),
            sealed: BTreeMap::new(),
            gaps: BTreeMap::new(),
        }
    }

    /// The outbox, to be ended.
    #[must_use]
    pub fn into_outbox(self) -> Outbox {
        self.outbox
    }

    /// What was lost and is not counted yet.
    fn count(&mut self) -> Vec<LossCount> {
        let totals = self.outbox.lost_totals();
        let new = totals.iter().filter_map(|(reason, total)| {
            let count = total.saturating_sub(self.counted.get(reason).copied().unwrap_or(0));
            (count > 0).then(|| LossCount {
                stage: "spool".to_owned(),
                reason: reason.word().to_owned(),
                count,
            })
        });
        let new = new.collect();
        self.counted = totals;
        new
    }

    fn tell_again(&mut self, event: Event) {
        if self.untold.len() < UNTOLD_MAX {
            self.untold.push_back(event);
            return;
        }
        if let Some(sum) = self.untold.back_mut().and_then(|last| last.gap.as_mut())
            && let Some(gap) = event.gap
        {
            for loss in gap.losses {
                match sum
                    .losses
                    .iter_mut()
                    .find(|had| had.stage == loss.stage && had.reason == loss.reason)
                {
                    Some(had) => had.count = had.count.saturating_add(loss.count),
                    None => sum.losses.push(loss),
                }
            }
            sum.to = gap.to;
        }
    }

    fn ids(&self, submitted: &Submitted, told: usize) -> Ids {
        let first = submitted.first + told as u64;
        Ids {
            first: Some(EventId {
                sensor_id: self.outbox.sensor_id().to_string(),
                boot_id: submitted.boot_id.to_string(),
                sequence: first,
            }),
            count: (submitted.last + 1).saturating_sub(first),
        }
    }
}

impl Sink for Evidence {
    fn deliver(&mut self, events: Vec<Event>, mut losses: Vec<LossCount>) -> Delivered {
        // What was lost between two deliveries is known in the batch; what this one loses, in the next.
        let mut lost = self.count();
        losses.extend(lost.iter().cloned());
        // Gaps go in front, so that they are in the first batch where it takes several: the spool counts its losses as told with the
        // first that is kept.
        let mut from_spool = std::mem::take(&mut self.before);
        from_spool.extend(self.outbox.take_lost());
        let mut all: Vec<Event> = from_spool.iter().map(|lost| gap(lost.gap())).collect();
        all.extend(self.outbox.take_gaps().into_iter().map(gap));
        let of_spool = all.len();
        all.extend(self.untold.drain(..));
        let told = all.len();
        all.extend(events);
        let kinds: Vec<(i32, Option<String>)> = all
            .iter()
            .map(|event| (event.kind, event.gap.as_ref().map(|gap| gap.reason.clone())))
            .collect();
        let gaps: Vec<(usize, Event)> = all
            .iter()
            .enumerate()
            .skip(of_spool)
            .filter(|(_, event)| event.kind == i32::from(EventKind::Gap))
            .map(|(place, event)| (place, event.clone()))
            .collect();
        // What the outbox cannot keep it counts and logs. It gives its own losses anew until they are told in a batch that is kept.
        let removals = self.outbox.removals();
        let submitted = self.outbox.submit(all, losses, SystemTime::now());
        let found_removed = self.outbox.removals() > removals;
        let kept = |place: usize| {
            submitted
                .as_ref()
                .is_ok_and(|submitted| submitted.kept.iter().any(|range| range.contains(&place)))
        };
        for (_, (kind, gap)) in kinds.into_iter().enumerate().filter(|(place, _)| kept(*place)) {
            *self.sealed.entry(kind).or_default() += 1;
            if let Some(reason) = gap {
                *self.gaps.entry(reason).or_default() += 1;
            }
        }
        for (place, event) in gaps {
            if !kept(place) {
                self.tell_again(event);
            }
        }
        lost.extend(self.count());
        if found_removed {
            // At once: whoever removed something may come again before there is anything else to tell.
            lost.extend(self.deliver(Vec::new(), Vec::new()).lost);
        }
        let ids = match &submitted {
            Ok(submitted) if submitted.lost_events == 0 => self.ids(submitted, told),
            Ok(_) | Err(_) => Ids::default(),
        };
        Delivered { ids, lost }
    }

    fn ran_before(&self) -> bool {
        self.outbox.ran_before()
    }

    fn status(&self) -> Option<EvidenceStatus> {
        let word = |kind: &i32| EventKind::try_from(*kind).unwrap_or_default().word();
        Some(EvidenceStatus {
            outbox: self.outbox.status(),
            sealed: self
                .sealed
                .iter()
                .map(|(kind, count)| (word(kind), *count))
                .collect(),
            gaps: self.gaps.clone(),
            untold: self.untold.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use claviger_proto::v1::{Actor, Batch, Gap};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{
        agent::Accounts,
        clock::SystemClock,
        config::{Config, Spool, WhenFull},
        forward::{
            Timings,
            testing::{Authority, Collector, Manners},
        },
        sign::{BootId, Identity, unused_chain},
    };

    const VALID: (i32, i32) = (2020, 2100);

    fn done_by_somebody(kind: EventKind) -> Event {
        Event {
            kind: kind.into(),
            actor: Some(Actor::default().into()),
            ..Event::default()
        }
    }

    fn use_of_a_credential() -> Event {
        done_by_somebody(EventKind::CredentialAccess)
    }

    /// All kinds that the sensor makes of what somebody did.
    const DONE: [EventKind; 7] = [
        EventKind::CredentialAccess,
        EventKind::ProcessSecretAccess,
        EventKind::KernelKeyAccess,
        EventKind::EnvironmentCredential,
        EventKind::CredentialDiscovery,
        EventKind::CredentialChange,
        EventKind::SensorTamper,
    ];

    fn status_of_the_sensor() -> Event {
        Event {
            kind: EventKind::SensorStatus.into(),
            ..Event::default()
        }
    }

    fn ring_full() -> Event {
        gap(Gap {
            losses: vec![LossCount {
                stage: "file_open".into(),
                reason: "ring_full".into(),
                count: 7,
            }],
            reason: "ring_full".into(),
            ..Gap::default()
        })
    }

    /// The state of a sensor that was just enrolled.
    fn enrolled() -> tempfile::TempDir {
        let state = tempfile::tempdir().expect("made");
        let chain = Identity::chain_file(state.path());
        std::fs::create_dir(chain.parent().expect("below the state")).expect("made");
        std::fs::write(chain, unused_chain(&[1; 32])).expect("written");
        state
    }

    /// What the detector is told that was lost at a stage.
    fn told(batches: &[Batch], stage: &str) -> u64 {
        let gaps = batches
            .iter()
            .flat_map(|batch| &batch.events)
            .filter_map(|event| event.gap.as_ref());
        gaps.flat_map(|gap| &gap.losses)
            .filter(|loss| loss.stage == stage)
            .map(|loss| loss.count)
            .sum()
    }

    /// Delivers as the pipeline does.
    fn deliver(sink: &mut Evidence, accounts: &mut Accounts, events: Vec<Event>) -> usize {
        accounts.delivered += events.iter().filter(|event| event.actor.is_some()).count() as u64;
        let delivered = sink.deliver(events, vec![]);
        for loss in &delivered.lost {
            accounts.lose_behind(&loss.reason, loss.count);
        }
        usize::try_from(delivered.ids.count).expect("few")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_that_somebody_did_is_counted_as_lost_and_at_once_and_gaps_are_told_later() {
        let (authority, dir) = (Authority::new(), enrolled());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bound");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let mut config = Config {
            state_dir: dir.path().to_owned(),
            spool: Spool {
                max_bytes: 8_000,
                segment_bytes: 2_000,
                when_full: WhenFull::DropNewest,
            },
            ..Config::default()
        };
        config.detector.address = address.to_string().parse().expect("an address");
        let timings = Timings {
            first_retry: Duration::from_millis(10),
            longest_retry: Duration::from_millis(50),
            ..Timings::default()
        };
        let (outbox, lost) = Outbox::open_with(
            &config,
            authority.sensor(VALID),
            BootId::from_bytes([1; 16]),
            Arc::new(SystemClock),
            timings,
        )
        .expect("opens");
        let state = outbox.watch();
        let (mut sink, mut accounts) = (Evidence::new(outbox, lost), Accounts::default());
        let mut kept = 0;
        for round in 0..60 {
            let mut events = DONE.map(done_by_somebody).to_vec();
            if round == 50 {
                // A gap and a status in the middle of what cannot be kept, and a batch with nothing else.
                assert!(!accounts.lost_behind.is_empty(), "the spool never filled");
                events.insert(1, ring_full());
                events.insert(2, status_of_the_sensor());
                deliver(&mut sink, &mut accounts, vec![ring_full()]);
            }
            kept += deliver(&mut sink, &mut accounts, events) as u64;
            let lost = accounts.lost_behind.values().sum::<u64>();
            assert_eq!(accounts.delivered, kept + lost, "after round {round}");
        }
        let lost = accounts.lost_behind.clone();
        assert_eq!(lost.keys().collect::<Vec<_>>(), ["spool_full"]);

        let listener = TcpListener::bind(address).await.expect("bound again");
        let collector = Collector::on(listener, authority.server(VALID, true), Manners::default());
        let sent = || {
            let state = state.borrow();
            state.connected && state.waiting_batches == 0
        };
        Collector::until("what was kept", sent).await;
        assert_eq!(deliver(&mut sink, &mut accounts, vec![use_of_a_credential()]), 1);
        Collector::until("the gaps", || told(&collector.received(), "spool") > 0).await;
        assert_eq!(accounts.lost_behind, lost, "telling loses nothing");
        assert_eq!(told(&collector.received(), "spool"), lost["spool_full"]);
        assert_eq!(told(&collector.received(), "file_open"), 14);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn gaps_that_wait_are_bounded_and_lose_no_count() {
        let (authority, dir) = (Authority::new(), enrolled());
        let config = Config {
            state_dir: dir.path().to_owned(),
            ..Config::default()
        };
        let boot_id = BootId::from_bytes([1; 16]);
        let (outbox, lost) = Outbox::open(&config, authority.sensor(VALID), boot_id).expect("opens");
        let mut sink = Evidence::new(outbox, lost);
        for _ in 0..UNTOLD_MAX + 10 {
            sink.tell_again(ring_full());
        }
        let counts = sink
            .untold
            .iter()
            .filter_map(|event| event.gap.as_ref())
            .map(|gap| gap.losses[0].count);
        assert_eq!(
            (sink.untold.len(), counts.sum::<u64>()),
            (UNTOLD_MAX, 7 * (UNTOLD_MAX as u64 + 10))
        );
    }
}
