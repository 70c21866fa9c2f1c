//! What is looked into soon: roots in which something began, at once and some times more, for what a container is given often comes a moment later.
//!
//! - Roots that nobody has looked into come first, in the order in which they were met.
//! - Who begins one after the other uses up a [`Budget`], and is looked at when there is some again.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crate::decode::RootId;

/// Processes whose roots wait for the first look. Beyond, all processes are looked through.
pub(super) const FIRST_MAX: usize = 1_024;

/// When a root in which something began is looked into again: so long after it.
const AGAIN: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// The look of these that comes first once a root was looked into at once.
const AFTER_THE_FIRST: usize = 1;

/// Looks that come soon may take so much at once, and over time one part in [`SHARE`].
const AT_ONCE: Duration = Duration::from_secs(2);
/// As above.
const SHARE: u32 = 10;

/// A process whose root is to be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    /// It.
    pub pid: u32,
    /// The root in which it started a program, where that is why; else it has mounted something.
    pub root: Option<RootId>,
    /// Its mount namespace, by its inode number.
    pub namespace: u32,
}

/// A root that is looked into again.
#[derive(Debug)]
struct Again {
    pid: u32,
    since: Instant,
    /// Of [`AGAIN`].
    next: usize,
}

impl Again {
    fn due(&self) -> Instant {
        self.since + AGAIN.get(self.next).copied().unwrap_or_default()
    }
}

/// What is to be looked into. As many roots again as there are.
#[derive(Debug)]
pub(super) struct Soon {
    first: VecDeque<First>,
    again: BTreeMap<u64, Again>,
    budget: Budget,
}

impl Soon {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            first: VecDeque::new(),
            again: BTreeMap::new(),
            budget: Budget {
                spent: Duration::ZERO,
                as_of: now,
            },
        }
    }

    /// Something began in the root of a process; false where too many wait.
    pub(super) fn push(&mut self, first: First) -> bool {
        // Who mounts one after the other waits once.
        if first.root.is_none() && self.first.back() == Some(&first) {
            return true;
        }
        let has_room = self.first.len() < FIRST_MAX;
        if has_room {
            self.first.push_back(first);
        }
        has_room
    }

    /// The process whose root nobody has looked into for longest; nothing while the budget is used up.
    pub(super) fn first(&mut self, now: Instant) -> Option<First> {
        self.budget.has_some(now).then(|| self.first.pop_front())?
    }

    /// The root that is due, with a process that had it; nothing while the budget is used up.
    pub(super) fn again(&mut self, now: Instant) -> Option<(u64, u32)> {
        if !self.budget.has_some(now) {
            return None;
        }
        let (&id, again) = self.again.iter_mut().min_by_key(|(_, again)| again.due())?;
        if again.due() > now {
            return None;
        }
        let pid = again.pid;
        // What has come later than it was due is not made up for.
        while again.next < AGAIN.len() && again.due() <= now {
            again.next += 1;
        }
        if again.next >= AGAIN.len() {
            self.again.remove(&id);
        }
        Some((id, pid))
    }

    /// A root is looked into now for the first time since something began in it.
    pub(super) fn began(&mut self, id: u64, pid: u32, now: Instant) {
        self.again.insert(
            id,
            Again {
                pid,
                since: now,
                next: AFTER_THE_FIRST,
            },
        );
    }

    /// Something more began in a root that was looked into.
    pub(super) fn goes_on(&mut self, id: u64, pid: u32, now: Instant) {
        let again = Again {
            pid,
            since: now,
            next: 0,
        };
        match self.again.get(&id) {
            // The look that was to come is not put off.
            Some(waiting) if waiting.next == 0 => {}
            _ => {
                self.again.insert(id, again);
            }
        }
    }

    /// A root is there no more.
    pub(super) fn forget(&mut self, id: u64) {
        self.again.remove(&id);
    }

    /// So long took what was looked at soon.
    pub(super) fn took(&mut self, time: Duration, now: Instant) {
        self.budget.spend(time, now);
    }

    /// When there is something to do; nothing where nothing waits.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let again = self.again.values().map(Again::due).min();
        let first = (!self.first.is_empty()).then_some(now);
        let due = again.into_iter().chain(first).min()?;
        Some(due.max(self.budget.ready(now)))
    }

    /// From when on there is some of the budget.
    pub(super) fn ready(&self, now: Instant) -> Instant {
        self.budget.ready(now)
    }

    /// Whether first looks wait for the budget.
    pub(super) fn is_behind(&self, now: Instant) -> bool {
        !self.first.is_empty() && self.budget.ready(now) > now
    }
}

/// Time that may be spent: what is spent comes back slowly.
#[derive(Debug)]
struct Budget {
    spent: Duration,
    as_of: Instant,
}

impl Budget {
    fn spent(&self, now: Instant) -> Duration {
        let back = now.saturating_duration_since(self.as_of) / SHARE;
        self.spent.saturating_sub(back)
    }

    fn has_some(&self, now: Instant) -> bool {
        self.ready(now) <= now
    }

    /// Where all is spent a part has to come back first, so that looks do not come one by one.
    fn ready(&self, now: Instant) -> Instant {
        let most = AT_ONCE - AT_ONCE / 100;
        now + self.spent(now).saturating_sub(most) * SHARE
    }

    fn spend(&mut self, time: Duration, now: Instant) {
        self.spent = self.spent(now) + time;
        self.as_of = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(pid: u32) -> First {
        First {
            pid,
            root: None,
            namespace: 1,
        }
    }

    fn starts(pid: u32) -> First {
        First {
            pid,
            root: Some(RootId::default()),
            namespace: 0,
        }
    }

    #[test]
    fn a_root_is_looked_into_some_times_after_something_began_and_then_no_more() {
        let begun = Instant::now();
        let mut soon = Soon::new(begun);
        assert!(soon.push(starts(7)));
        assert_eq!(soon.due(begun), Some(begun));
        assert_eq!(soon.first(begun), Some(starts(7)));
        soon.began(1, 7, begun);
        for after in &AGAIN[AFTER_THE_FIRST..] {
            let due = begun + *after;
            assert_eq!(soon.due(begun), Some(due));
            assert_eq!(soon.again(due - Duration::from_millis(1)), None);
            assert_eq!(soon.again(due), Some((1, 7)));
        }
        assert_eq!(soon.due(begun), None);
    }

    #[test]
    fn who_goes_on_puts_no_look_off_and_late_ones_are_not_made_up_for() {
        let begun = Instant::now();
        let mut soon = Soon::new(begun);
        soon.began(1, 7, begun);
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        soon.goes_on(1, 8, at(1));
        soon.goes_on(1, 9, at(15));
        assert_eq!(soon.again(at(21)), Some((1, 8)));
        assert_eq!(soon.again(at(1_000)), Some((1, 8)));
        assert_eq!(soon.due(begun), Some(at(2_001)));
        soon.forget(1);
        assert_eq!(soon.due(begun), None);
    }

    #[test]
    fn what_waits_is_bounded_and_who_mounts_much_waits_once() {
        let mut soon = Soon::new(Instant::now());
        assert!((0..2_000).all(|_| soon.push(mounts(3))));
        assert_eq!(soon.first.len(), 1);
        let pids = 0..u32::try_from(FIRST_MAX).expect("few");
        assert_eq!(pids.filter(|pid| soon.push(starts(*pid))).count(), FIRST_MAX - 1);
    }

    #[test]
    fn a_storm_is_spread_over_time() {
        let begun = Instant::now();
        let mut soon = Soon::new(begun);
        let (mut now, mut spent) = (begun, Duration::ZERO);
        let look = Duration::from_millis(40);
        while now < begun + Duration::from_secs(100) {
            soon.push(starts(1));
            while soon.first(now).is_some() {
                now += look;
                spent += look;
                soon.took(look, now);
                soon.push(starts(1));
            }
            assert!(soon.is_behind(now));
            now = soon.due(now).expect("some wait");
        }
        let most = AT_ONCE + Duration::from_secs(100) / SHARE + look;
        assert!(spent <= most && spent > most / 2, "{spent:?}");
    }
}
