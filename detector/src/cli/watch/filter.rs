//! Which events are of one process tree.
//!
//! An event names at most 16 ancestors, so every process seen to belong is remembered and counts as a root of its own: up to
//! [`MOST`] of them; beyond that only the first root's own ancestors lists decide.

use std::collections::HashSet;
use std::str::FromStr;

use claviger_proto::v1::{Actor, Event, Finding, Process};

const MOST: usize = 65_536;

/// A process, by pid and start time in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Root {
    pid: u32,
    start_time_ticks: u64,
}

impl FromStr for Root {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "give PID:TICKS, two numbers";
        let (pid, ticks) = text.split_once(':').ok_or(FORM)?;
        Ok(Self {
            pid: pid.parse().map_err(|_| FORM)?,
            start_time_ticks: ticks.parse().map_err(|_| FORM)?,
        })
    }
}

/// Decides what is shown, and counts what is not.
#[derive(Debug)]
pub(super) struct Filter {
    known: Option<HashSet<Root>>,
    others: u64,
}

impl Filter {
    pub(super) fn new(root: Option<Root>) -> Self {
        Self {
            known: root.map(|root| HashSet::from([root])),
            others: 0,
        }
    }

    /// How many events were not shown.
    pub(super) fn others(&self) -> u64 {
        self.others
    }

    pub(super) fn shows_event(&mut self, event: &Event) -> bool {
        let shown = self.belongs(event.actor.as_deref());
        self.others += u64::from(!shown);
        shown
    }

    pub(super) fn shows_finding(&mut self, finding: &Finding) -> bool {
        self.belongs(finding.actor.as_deref())
    }

    fn belongs(&mut self, actor: Option<&Actor>) -> bool {
        let Some(known) = &mut self.known else { return true };
        let Some(actor) = actor else { return false };
        let line: Vec<Root> = actor.process.iter().chain(&actor.ancestors).map(root).collect();
        let Some(depth) = line.iter().position(|process| known.contains(process)) else {
            return false;
        };
        if known.len() < MOST {
            known.extend(&line[..depth]);
        }
        true
    }
}

fn root(process: &Process) -> Root {
    Root {
        pid: process.pid,
        start_time_ticks: process.start_time_ticks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &[(u32, u64)]) -> Event {
        let process = |&(pid, start_time_ticks): &(u32, u64)| Process {
            pid,
            start_time_ticks,
            ..Process::default()
        };
        let actor = Actor {
            process: line.first().map(process),
            ancestors: line.iter().skip(1).map(process).collect(),
            ..Actor::default()
        };
        Event {
            actor: Some(actor.into()),
            ..Event::default()
        }
    }

    #[test]
    fn a_tree_is_told_by_pid_and_start_time_and_remembered() {
        let mut filter = Filter::new(Some("10:5".parse().expect("is one")));
        assert!(filter.shows_event(&event(&[(10, 5), (1, 0)])));
        assert!(filter.shows_event(&event(&[(30, 7), (20, 6), (10, 5)])));
        assert!(
            filter.shows_event(&event(&[(40, 8), (20, 6)])),
            "a child of a process that belongs"
        );
        assert!(
            !filter.shows_event(&event(&[(10, 99)])),
            "another process with the same pid"
        );
        assert!(
            !filter.shows_event(&event(&[(2, 0), (1, 0)])),
            "an ancestor's other child"
        );
        assert!(!filter.shows_event(&Event::default()));
        assert_eq!(filter.others(), 3);
    }

    #[test]
    fn without_a_root_all_is_shown() {
        assert!(Filter::new(None).shows_event(&Event::default()));
        for wrong in ["", "10", "10:", "a:b", "-1:5"] {
            assert!(wrong.parse::<Root>().is_err(), "{wrong}");
        }
    }
}
