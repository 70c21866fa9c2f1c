//! Where nothing answers, or too slowly: known to all hands, so that no second one touches what the first one hangs at.
//!
//! - Who answers each question, but late, could keep a thread for ever. Slow steps in one mount together may take [`SLOW_MAX`] within [`REST`]; then
//!   that mount is left alone for as long. At most [`SLOW_MOUNTS_MAX`] are counted, and as many left alone; beyond, the oldest are forgotten.
//! - What hangs is bounded by the threads that may be given up ([`super::GIVEN_UP_MAX`] for each hands).

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crate::credential::served_from;

/// A step that takes so long is slow.
const SLOW: Duration = Duration::from_millis(50);

/// What slow steps in one mount may take together.
const SLOW_MAX: Duration = Duration::from_secs(10);

/// In this time, and for so long a mount is left alone afterwards.
const REST: Duration = Duration::from_secs(120);

/// Mounts whose slow steps are counted, and mounts that are left alone for them.
const SLOW_MOUNTS_MAX: usize = 64;

/// A path at which nothing answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Hanging {
    /// The mount, where another serves it, else the path itself. Below another root as this process reaches it, through `/proc/PID/root`.
    pub path: PathBuf,
    /// Since when.
    pub since: SystemTime,
}

/// What changed since the last time that it was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::agent) struct Changed {
    /// What answers no longer.
    pub hanging: Vec<Hanging>,
    /// What answers again.
    pub answering: Vec<Hanging>,
}

enum Until {
    /// The threads that hang there have come back.
    Back(Vec<Arc<AtomicBool>>),
    /// It has rested.
    Rested(Instant),
}

impl Until {
    fn has_come(&self, now: Instant) -> bool {
        match self {
            Self::Back(are_back) => are_back.iter().all(|is_back| is_back.load(Ordering::Acquire)),
            Self::Rested(at) => *at <= now,
        }
    }
}

struct Avoided {
    hanging: Hanging,
    until: Until,
    is_told: bool,
}

struct Slow {
    mount: PathBuf,
    spent: Duration,
    since: Instant,
}

#[derive(Default)]
struct Known {
    avoided: Vec<Avoided>,
    slow: VecDeque<Slow>,
    /// Left alone no longer, and not told yet.
    answering: Vec<Hanging>,
}

/// What is known of it.
#[derive(Clone, Default)]
pub(super) struct Hung(Arc<Mutex<Known>>);

impl Hung {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread hangs at a path, until it says that it is back.
    pub(super) fn hangs(&self, at: &Path, is_back: Arc<AtomicBool>) {
        let path = served_from(at).unwrap_or_else(|| at.to_owned());
        let mut known = self.known();
        // Several can have come there before one was given up.
        let there = known.avoided.iter_mut().find(|one| one.hanging.path == path);
        if let Some(Until::Back(threads)) = there.map(|one| &mut one.until) {
            threads.push(is_back);
        } else {
            known.avoid(path, Until::Back(vec![is_back]));
        }
    }

    /// A step at a path took so long.
    pub(super) fn took(&self, at: &Path, time: Duration) {
        if time < SLOW {
            return;
        }
        // A disk of this host's is as slow as it is.
        if let Some(mount) = served_from(at) {
            self.known().took(mount, time, Instant::now());
        }
    }

    /// Whether a path is not to be touched now.
    pub(super) fn is_avoided(&self, path: &Path) -> bool {
        let known = self.known();
        if known.avoided.is_empty() {
            return false;
        }
        let now = Instant::now();
        let mut avoided = known.avoided.iter().filter(|one| !one.until.has_come(now));
        avoided.any(|one| path.starts_with(&one.hanging.path))
    }

    /// What is not touched for now.
    pub(super) fn avoided(&self) -> Vec<PathBuf> {
        let known = self.known();
        known.avoided.iter().map(|one| one.hanging.path.clone()).collect()
    }

    /// What changed since the last call.
    pub(super) fn changed(&self) -> Changed {
        let now = Instant::now();
        let mut known = self.known();
        let mut changed = Changed::default();
        for one in &mut known.avoided {
            if !std::mem::replace(&mut one.is_told, true) {
                changed.hanging.push(one.hanging.clone());
            }
        }
        changed.answering = std::mem::take(&mut known.answering);
        let back = known.avoided.extract_if(.., |one| one.until.has_come(now));
        changed.answering.extend(back.map(|one| one.hanging));
        changed
    }
}

impl Known {
    fn avoid(&mut self, path: PathBuf, until: Until) {
        let since = SystemTime::now();
        self.avoided.push(Avoided {
            hanging: Hanging { path, since },
            until,
            is_told: false,
        });
    }

    fn took(&mut self, mount: PathBuf, time: Duration, now: Instant) {
        self.slow
            .retain(|slow| now.saturating_duration_since(slow.since) < REST);
        let spent = match self.slow.iter_mut().find(|slow| slow.mount == mount) {
            Some(slow) => {
                slow.spent += time;
                slow.spent
            }
            None => {
                if self.slow.len() >= SLOW_MOUNTS_MAX {
                    self.slow.pop_front();
                }
                self.slow.push_back(Slow {
                    mount: mount.clone(),
                    spent: time,
                    since: now,
                });
                time
            }
        };
        if spent < SLOW_MAX {
            return;
        }
        self.slow.retain(|slow| slow.mount != mount);
        let mut resting = self
            .avoided
            .iter()
            .enumerate()
            .filter(|(_, one)| matches!(one.until, Until::Rested(_)));
        if let (Some((oldest, _)), true) = (resting.next(), resting.count() + 1 >= SLOW_MOUNTS_MAX) {
            let first = self.avoided.remove(oldest);
            if first.is_told {
                self.answering.push(first.hanging);
            }
        }
        self.avoid(mount, Until::Rested(now + REST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(4);

    #[test]
    fn who_answers_too_slowly_is_left_alone_for_a_while() {
        let hung = Hung::default();
        let (slow, other) = (Path::new("/nowhere/slow"), Path::new("/nowhere/other"));
        let begun = Instant::now();
        let took = |path: &Path, after| hung.known().took(path.to_owned(), STEP, begun + after);
        took(slow, Duration::ZERO);
        took(other, Duration::ZERO);
        took(slow, STEP);
        assert!(!hung.is_avoided(slow), "it has had 8 seconds");
        took(slow, STEP * 2);
        assert!(hung.is_avoided(&slow.join("below")) && !hung.is_avoided(other));
        assert_eq!(hung.changed().hanging.len(), 1);
        // Slow now and then is what any disk is.
        took(other, REST);
        took(other, REST + STEP);
        assert!(!hung.is_avoided(other));
        hung.known().avoided[0].until = Until::Rested(begun);
        assert!(!hung.is_avoided(slow));
        assert_eq!(hung.changed().answering[0].path, slow);
        assert_eq!(hung.changed(), Changed::default(), "it is told once");
    }

    #[test]
    fn what_is_slow_is_bounded() {
        let hung = Hung::default();
        let now = Instant::now();
        for number in 0..SLOW_MOUNTS_MAX * 3 {
            let mount = PathBuf::from(format!("/nowhere/{number}"));
            hung.known().took(mount, SLOW, now);
        }
        assert_eq!(hung.known().slow.len(), SLOW_MOUNTS_MAX);
        let mut told = 0;
        for number in 0..SLOW_MOUNTS_MAX * 3 {
            let mount = PathBuf::from(format!("/nowhere/{number}"));
            hung.known().took(mount, SLOW_MAX, now);
            told += hung.changed().hanging.len();
        }
        assert_eq!(told, SLOW_MOUNTS_MAX * 3);
        assert!(hung.avoided().len() <= SLOW_MOUNTS_MAX);
    }

    #[test]
    fn where_two_hang_is_told_once_and_left_alone_until_both_are_back() {
        let hung = Hung::default();
        let path = Path::new("/nowhere");
        let threads = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
        for thread in &threads {
            hung.hangs(path, Arc::clone(thread));
        }
        assert_eq!(hung.changed().hanging.len(), 1);
        for thread in threads {
            assert!(hung.is_avoided(path));
            thread.store(true, Ordering::Release);
        }
        assert!(!hung.is_avoided(path));
        assert_eq!(hung.changed().answering.len(), 1);
    }

    #[test]
    fn a_step_that_is_not_slow_counts_nothing() {
        let hung = Hung::default();
        for _ in 0..1_000 {
            hung.took(Path::new("/nowhere"), SLOW / 2);
        }
        assert!(hung.known().slow.is_empty());
    }
}
