//! Whether the probes still see: judged by what the sensor itself did a moment ago. Pure: what was done and counted is handed in.
//!
//! - What the worker does for each probe that has a canary, as opening a file, must be answered by the very hook that sees others do it.
//! - A labelled file that a program of the sensor's opens, as any other may, must come out of the ring: the answers to the worker say nothing of labels.
//! - A program that it starts must have been counted as created, started and ended. Others' processes are counted too: a hook that misses only some
//!   is not found out by this.
//! - A probe that fails loses its hook, with the reason, until it passes again; the time since it passed last is told as a gap.
//! - So is the time around a setting by which somebody can have the kernel call no probes: between two tests he may have set it to and fro.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use claviger_sensor_common::Probe;
use serde::{Deserialize, Serialize};

use crate::kernel::{HookTrial, ProbeState};

/// A worker that has not tested anything for so many intervals hangs.
const PATIENCE: u32 = 3;

/// What the worker did and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tested {
    /// Whether the canary of each probe was seen, of those that have one.
    pub canaries: BTreeMap<Probe, Result<(), String>>,
    /// The program that it started opened the labelled file that is there for it.
    pub opened_labelled: bool,
    /// It started a program and waited for its end. An error says only that it could not: nothing follows from that.
    pub started: Result<(), String>,
}

impl Tested {
    /// Takes up what came out of the ring of opens of the labelled file. Where records were lost meanwhile nothing follows from none.
    pub(super) fn told(&mut self, opens: u64, is_any_lost: bool) {
        if self.opened_labelled && opens == 0 && !is_any_lost {
            let seen = self.canaries.entry(Probe::FileOpen).or_insert(Ok(()));
            if seen.is_ok() {
                *seen = Err(
                    "a labelled file that another program opened was not told; was a map of the kernel half changed?".to_owned(),
                );
            }
        }
    }
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A probe does not see any more.
    Blind {
        /// Which.
        probe: Probe,
        /// What is wrong.
        reason: String,
    },
    /// A probe sees again.
    Seeing(Probe),
}

/// What came of one test.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What changed.
    pub changes: Vec<Change>,
    /// The time for which nothing vouches, where a probe was or is blind, or may have been.
    pub unwatched: Option<(SystemTime, SystemTime)>,
}

/// How the self-test stands, for `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SelfTestReport {
    /// Tests made.
    pub done: u64,
    /// Of these, in how many a probe saw nothing.
    pub failed: u64,
    /// Probes that do not see, with the reason.
    pub blind: BTreeMap<String, String>,
    /// Seconds since each probe was seen to see; since the start, where it never was again.
    pub seen_ago_s: BTreeMap<String, f64>,
}

/// The state between tests.
#[derive(Debug)]
pub(super) struct SelfTest {
    interval: Duration,
    report: SelfTestReport,
    /// Hooks of the probes that are blind.
    hooks: BTreeMap<Probe, String>,
    /// What the process probes had counted at the test before.
    counted: BTreeMap<Probe, u64>,
    last: SystemTime,
    /// When each probe was seen to see.
    seen: BTreeMap<Probe, SystemTime>,
    is_overdue: bool,
    /// For how many tests to come nothing vouches for the time before them.
    doubted: u32,
}

/// A setting is told before it takes effect: what the next test does may still be seen.
const DOUBTED: u32 = 2;

impl SelfTest {
    /// Begins at `now`, right after loading has seen every probe work that has a hook.
    pub(super) fn new(interval: Duration, probes: &[ProbeState], now: SystemTime) -> Self {
        Self {
            interval,
            report: SelfTestReport::default(),
            hooks: BTreeMap::new(),
            counted: BTreeMap::new(),
            last: now,
            seen: probes
                .iter()
                .filter(|state| state.hook.is_some())
                .map(|state| (state.probe, now))
                .collect(),
            is_overdue: false,
            doubted: 0,
        }
    }

    /// Somebody sets whether the kernel calls probes.
    pub(super) fn doubt(&mut self) {
        self.doubted = DOUBTED;
    }

    /// As it stands at `now`.
    pub(super) fn report(&self, now: SystemTime) -> SelfTestReport {
        let ago = |seen: &SystemTime| now.duration_since(*seen).unwrap_or_default().as_secs_f64();
        SelfTestReport {
            seen_ago_s: self
                .seen
                .iter()
                .map(|(probe, seen)| (probe.word().to_owned(), ago(seen)))
                .collect(),
            ..self.report.clone()
        }
    }

    /// Whether a probe is known not to see.
    pub(super) fn is_blind(&self) -> bool {
        !self.report.blind.is_empty()
    }

    /// Judges a test.
    pub(super) fn judge(
        &mut self,
        tested: &Tested,
        probes: &mut [ProbeState],
        seen: impl Fn(Probe) -> u64,
        now: SystemTime,
    ) -> Verdict {
        let was_blind = !self.report.blind.is_empty();
        let mut changes = Vec::new();
        for state in probes.iter_mut() {
            let probe = state.probe;
            let works = match probe {
                Probe::ProcessExec | Probe::ProcessFork | Probe::ProcessExit | Probe::ProgramSecrets => {
                    let count = seen(probe);
                    let before = self.counted.insert(probe, count);
                    if tested.started.is_ok() && before.is_some_and(|before| before >= count) {
                        Err("it counted nothing of a program that was started".to_owned())
                    } else {
                        Ok(())
                    }
                }
                _ => match tested.canaries.get(&probe) {
                    Some(seen) => seen.clone(),
                    None => continue,
                },
            };
            if works.is_ok() && self.seen.contains_key(&probe) {
                self.seen.insert(probe, now);
            }
            changes.extend(self.judge_one(state, works));
        }
        self.report.done += 1;
        self.report.failed += u64::from(!self.report.blind.is_empty());
        let overdue = std::mem::take(&mut self.is_overdue);
        let from = std::mem::replace(&mut self.last, now);
        let doubted = self.doubted > 0;
        self.doubted = self.doubted.saturating_sub(1);
        let blind = was_blind || overdue || doubted || !self.report.blind.is_empty();
        Verdict {
            changes,
            unwatched: blind.then_some((from, now)),
        }
    }

    fn judge_one(&mut self, state: &mut ProbeState, works: Result<(), String>) -> Option<Change> {
        let probe = state.probe;
        match (works, state.hook.take()) {
            (Ok(()), None) => {
                // One that never had a hook is not tested back to life.
                state.hook = self.hooks.remove(&probe);
                state.hook.as_ref()?;
                state.refused.pop();
                self.report.blind.remove(probe.word());
                Some(Change::Seeing(probe))
            }
            (Err(reason), Some(hook)) => {
                state.refused.push(HookTrial {
                    hook: hook.clone(),
                    reason: reason.clone(),
                });
                self.hooks.insert(probe, hook);
                self.report.blind.insert(probe.word().to_owned(), reason.clone());
                Some(Change::Blind { probe, reason })
            }
            (_, hook) => {
                state.hook = hook;
                None
            }
        }
    }

    /// Whether no test came back for so long that the worker must hang; said once, until one comes back.
    pub(super) fn becomes_overdue(&mut self, now: SystemTime) -> bool {
        let waited = now.duration_since(self.last).unwrap_or_default();
        let overdue = waited > self.interval * PATIENCE;
        overdue && !std::mem::replace(&mut self.is_overdue, overdue)
    }
}

#[cfg(test)]
mod tests;
