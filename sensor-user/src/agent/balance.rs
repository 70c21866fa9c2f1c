//! Whether the accounts hold while the sensor runs. Pure: what was read is handed in, once a second.
//!
//! - In the kernel, for each probe and CPU: `seen = submitted + lost`. Counters are read one after the other while programs run, so what is under way
//!   may make `seen` larger for a moment. More outcomes than observations are wrong at once, for `seen` is counted first and read last. Observations
//!   without an outcome are wrong when they are there [`STEADY`] times in a row: no program runs for so long.
//! - Between the halves: `Σ submitted` of all probes is what the agent has taken from the ring, once the ring was met empty.
//! - In the agent: `received = delivered + waiting + Σ dropped + Σ lost`, exactly, at any time between two records.

use std::collections::{BTreeMap, HashMap};

use claviger_sensor_common::{PROBES, Probe};

use super::Accounts;
use crate::kernel::{CpuAccounts, ProbeAccounts};

/// Checks in a row at which a difference that could be under way must be there.
const STEADY: u32 = 5;

/// The account of what went through the ring.
pub(super) const RING: &str = "ring";

/// The account of the agent.
pub(super) const AGENT: &str = "agent";

/// All accounts, as metrics and gaps name them.
pub(super) fn accounts() -> Vec<&'static str> {
    PROBES.into_iter().map(Probe::word).chain([RING, AGENT]).collect()
}

/// Records that the agent has taken from the ring.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    /// Since the start.
    pub records: u64,
    /// Those of packets.
    pub packets: u64,
    /// Whether the ring was met empty since the check before.
    pub met_empty: bool,
}

/// A difference that may be under way: how often in a row it was there, and the least that it was.
#[derive(Clone, Copy, Debug, Default)]
struct Suspicion {
    checks: u32,
    least: u64,
}

/// The state between checks.
#[derive(Debug, Default)]
pub(super) struct Balance {
    /// By account and CPU.
    suspicions: HashMap<(&'static str, usize), Suspicion>,
    /// What all probes had submitted at the check before.
    submitted: u64,
    /// What does not hold, and by how much.
    differences: BTreeMap<&'static str, u64>,
}

impl Balance {
    /// Accounts that do not hold, each with its difference.
    pub(super) fn differences(&self) -> &BTreeMap<&'static str, u64> {
        &self.differences
    }

    /// Checks all. Returns which differences are larger than at the check before, by how much.
    pub(super) fn check(
        &mut self,
        kernel: &BTreeMap<Probe, ProbeAccounts>,
        taken: Taken,
        agent: &Accounts,
    ) -> BTreeMap<&'static str, u64> {
        let mut now: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (probe, accounts) in kernel {
            for (number, cpu) in accounts.cpus.iter().enumerate() {
                let difference = self.of_cpu((probe.word(), number), cpu);
                *now.entry(probe.word()).or_default() += difference;
            }
        }
        now.insert(RING, self.of_ring(kernel, taken));
        now.insert(AGENT, of_agent(agent));
        now.retain(|_, difference| *difference > 0);
        let before = std::mem::replace(&mut self.differences, now);
        let grown = |(account, difference): (&&'static str, &u64)| {
            let more = difference.saturating_sub(before.get(account).copied().unwrap_or(0));
            (more > 0).then_some((*account, more))
        };
        self.differences.iter().filter_map(grown).collect()
    }

    fn of_cpu(&mut self, place: (&'static str, usize), cpu: &CpuAccounts) -> u64 {
        let outcomes = cpu.submitted + cpu.lost;
        let missing = self.steady(place, cpu.seen_before.saturating_sub(outcomes));
        outcomes.saturating_sub(cpu.seen).max(missing)
    }

    fn of_ring(&mut self, kernel: &BTreeMap<Probe, ProbeAccounts>, taken: Taken) -> u64 {
        let submitted = kernel.values().map(|accounts| accounts.submitted).sum();
        let before = std::mem::replace(&mut self.submitted, submitted);
        // A record is counted just after it can be read.
        let excess = self.steady((RING, 0), taken.records.saturating_sub(submitted));
        let missing = if taken.met_empty {
            before.saturating_sub(taken.records)
        } else {
            0
        };
        excess.max(self.steady((RING, 1), missing))
    }

    /// The least that a difference was, once it was there for long enough.
    fn steady(&mut self, place: (&'static str, usize), difference: u64) -> u64 {
        if difference == 0 {
            self.suspicions.remove(&place);
            return 0;
        }
        let suspicion = self.suspicions.entry(place).or_insert(Suspicion {
            checks: 0,
            least: difference,
        });
        suspicion.checks = suspicion.checks.saturating_add(1);
        suspicion.least = suspicion.least.min(difference);
        if suspicion.checks >= STEADY {
            suspicion.least
        } else {
            0
        }
    }
}

fn of_agent(accounts: &Accounts) -> u64 {
    let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
    let outcomes = accounts.delivered + accounts.waiting + sum(&accounts.dropped) + sum(&accounts.lost);
    accounts.received.abs_diff(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::reasons::{Dropped, LostHere};

    fn cpu(seen_before: u64, seen: u64, submitted: u64, lost: u64) -> CpuAccounts {
        CpuAccounts {
            seen_before,
            seen,
            submitted,
            lost,
        }
    }

    fn kernel(cpus: &[CpuAccounts]) -> BTreeMap<Probe, ProbeAccounts> {
        let accounts = ProbeAccounts {
            submitted: cpus.iter().map(|cpu| cpu.submitted).sum(),
            cpus: cpus.to_vec(),
            ..ProbeAccounts::default()
        };
        BTreeMap::from([(Probe::FileOpen, accounts)])
    }

    fn all_of(kernel: &BTreeMap<Probe, ProbeAccounts>) -> Taken {
        Taken {
            records: kernel.values().map(|accounts| accounts.submitted).sum(),
            packets: 0,
            met_empty: true,
        }
    }

    /// What is found by so many checks of the same accounts.
    fn after(checks: u32, cpus: &[CpuAccounts]) -> BTreeMap<&'static str, u64> {
        let (mut balance, kernel) = (Balance::default(), kernel(cpus));
        for _ in 0..checks {
            balance.check(&kernel, all_of(&kernel), &Accounts::default());
        }
        balance.differences().clone()
    }

    #[test]
    fn what_holds_is_not_told() {
        assert_eq!(after(10, &[cpu(5, 5, 4, 1), cpu(0, 0, 0, 0)]), BTreeMap::new());
        // Observed between the two looks at `seen`: it may have its outcome or not.
        assert_eq!(after(10, &[cpu(5, 9, 7, 0)]), BTreeMap::new());
    }

    #[test]
    fn more_outcomes_than_observations_are_wrong_at_once() {
        assert_eq!(after(1, &[cpu(5, 5, 4, 2)]), BTreeMap::from([("file_open", 1)]));
    }

    #[test]
    fn one_cpu_does_not_make_up_for_another() {
        let both = [cpu(5, 5, 6, 0), cpu(5, 5, 4, 0)];
        assert_eq!(after(1, &both), BTreeMap::from([("file_open", 1)]));
        assert_eq!(after(STEADY, &both), BTreeMap::from([("file_open", 2)]));
    }

    #[test]
    fn what_is_under_way_is_wrong_only_when_it_stays() {
        let mut balance = Balance::default();
        let (one, none) = (kernel(&[cpu(5, 5, 4, 0)]), kernel(&[cpu(5, 5, 5, 0)]));
        for accounts in [&one, &one, &one, &one, &none, &one, &one, &one, &one] {
            let grown = balance.check(accounts, all_of(accounts), &Accounts::default());
            assert_eq!(grown, BTreeMap::new());
        }
        let mut check = || balance.check(&one, all_of(&one), &Accounts::default());
        assert_eq!(check(), BTreeMap::from([("file_open", 1)]));
        assert_eq!(check(), BTreeMap::new(), "it is told once");
    }

    #[test]
    fn what_was_submitted_must_come_out_of_the_ring() {
        let (mut balance, kernel) = (Balance::default(), kernel(&[cpu(7, 7, 7, 0)]));
        let taken = |records, met_empty| Taken {
            records,
            packets: 0,
            met_empty,
        };
        for _ in 0..10 {
            balance.check(&kernel, taken(5, false), &Accounts::default());
            assert!(balance.differences().is_empty(), "the rest is still in the ring");
        }
        for _ in 0..STEADY {
            balance.check(&kernel, taken(5, true), &Accounts::default());
        }
        assert_eq!(balance.differences(), &BTreeMap::from([(RING, 2)]));
        for _ in 0..STEADY {
            balance.check(&kernel, taken(8, true), &Accounts::default());
        }
        assert_eq!(
            balance.differences(),
            &BTreeMap::from([(RING, 1)]),
            "nor may more come out"
        );
    }

    #[test]
    fn the_agents_account_is_exact() {
        let mut accounts = Accounts {
            received: 9,
            delivered: 4,
            waiting: 2,
            ..Accounts::default()
        };
        accounts.drop_record(Dropped::OwnProcess);
        accounts.lose(LostHere::Undecodable, 2);
        let mut balance = Balance::default();
        assert_eq!(
            balance.check(&kernel(&[]), Taken::default(), &accounts),
            BTreeMap::new()
        );
        accounts.received += 3;
        let grown = balance.check(&kernel(&[]), Taken::default(), &accounts);
        assert_eq!(grown, BTreeMap::from([(AGENT, 3)]));
    }

    #[test]
    fn what_holds_again_is_let_go() {
        let mut balance = Balance::default();
        let wrong = Accounts {
            received: 1,
            ..Accounts::default()
        };
        balance.check(&kernel(&[]), Taken::default(), &wrong);
        assert!(!balance.differences().is_empty());
        balance.check(&kernel(&[]), Taken::default(), &Accounts::default());
        assert!(balance.differences().is_empty());
    }
}
