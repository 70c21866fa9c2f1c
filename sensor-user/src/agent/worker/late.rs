//! Opens by io_uring without completion that have not run yet: their paths are followed again when they have. Where they led before is told only then, for it may
//! be that they never run, or are refused.
//!
//! At most [`LATE_MAX`] wait, of one user a fifth. They are asked for each [`SOONEST`], and those that wait for long more seldom, up to [`LATEST`]: between two
//! looks, one of which found the open waiting and the other done, nothing on its way may have been changed.

use std::time::{Duration, Instant};

use crate::agent::{
    messages::{Following, Reached},
    shares::Shares,
};

/// Opens that wait. At the bound a further one is lost, unless its path leads to a credential now.
const LATE_MAX: u32 = 512;
const SOONEST: Duration = Duration::from_millis(20);
const LATEST: Duration = Duration::from_millis(200);
/// It is looked for again after this part of the time that it has waited.
const PART: u32 = 4;

struct Late {
    following: Following,
    /// Where it led, if that is to be told.
    early: Option<Reached>,
    since: Instant,
    due: Instant,
}

/// All that wait.
pub(super) struct Lates {
    waiting: Vec<Late>,
    shares: Shares,
}

impl Default for Lates {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            shares: Shares::of(LATE_MAX),
        }
    }
}

impl Lates {
    /// One waits; given back where there is no room.
    pub(super) fn take(
        &mut self,
        following: Following,
        early: Option<Reached>,
        now: Instant,
    ) -> Option<(Following, Option<Reached>)> {
        if !self.shares.take(following.user) {
            return Some((following, early));
        }
        self.waiting.push(Late {
            following,
            early,
            since: now,
            due: now + SOONEST,
        });
        None
    }

    /// When one is to be looked for.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.iter().map(|late| late.due).min()
    }

    /// Those that wait no longer, by what `is_over` says of each that is due, and where they led.
    pub(super) fn over(
        &mut self,
        now: Instant,
        mut is_over: impl FnMut(&mut Following) -> bool,
    ) -> Vec<(Following, Option<Reached>)> {
        let over = self.waiting.extract_if(.., |late| {
            if late.due > now {
                return false;
            }
            late.due = now + ((now - late.since) / PART).clamp(SOONEST, LATEST);
            is_over(&mut late.following)
        });
        let over: Vec<_> = over.map(|late| (late.following, late.early)).collect();
        for (following, _) in &over {
            self.shares.give_back(following.user);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use claviger_sensor_common::RootPlace;

    use super::*;
    use crate::{
        agent::{follow::Tree, messages::Run},
        decode::ProcessKey,
    };

    fn following(number: u64) -> Following {
        Following {
            number,
            process: ProcessKey {
                pid: 1,
                start_ticks: 1,
            },
            tid: 1,
            tree: Tree {
                mount_namespace: 1,
                root: RootPlace { mount: 1, inode: 0 },
            },
            user: Some(1_000),
            submitted_ns: number,
            time_boot_ns: number,
            run: Run::ToCome,
            is_base_sure: true,
            is_from_outside: false,
            path: PathBuf::from("/x"),
            words: PathBuf::from("/x"),
        }
    }

    #[test]
    fn it_is_looked_for_ever_more_seldom_until_it_is_over() {
        let begun = Instant::now();
        let mut lates = Lates::default();
        assert!(lates.take(following(7), None, begun).is_none());
        let mut looks = Vec::new();
        let mut at = begun;
        while at < begun + Duration::from_secs(2) {
            at = lates.due().expect("it waits");
            looks.push(at);
            assert!(lates.over(at, |_| false).is_empty());
        }
        assert_eq!(looks[1] - looks[0], SOONEST);
        assert_eq!(looks[looks.len() - 1] - looks[looks.len() - 2], LATEST);
        assert!(lates.over(begun, |_| true).is_empty(), "it is not due");
        let over = lates.over(at + LATEST, |_| true);
        assert_eq!(over.first().map(|(one, _)| one.number), Some(7));
        assert_eq!(lates.due(), None);
    }

    #[test]
    fn one_user_leaves_room_for_others() {
        let now = Instant::now();
        let mut lates = Lates::default();
        let taken =
            (0..u64::from(LATE_MAX)).take_while(|&number| lates.take(following(number), None, now).is_none());
        assert_eq!(taken.count(), LATE_MAX as usize / 5 + 1);
        let other = Following {
            user: Some(1_001),
            ..following(0)
        };
        assert!(lates.take(other, None, now).is_none());
        lates.over(now + SOONEST, |one| one.user == Some(1_000));
        assert!(
            lates.take(following(0), None, now).is_none(),
            "what is over gives room"
        );
    }
}
