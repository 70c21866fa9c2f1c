//! Under what the workloads are measured.

use std::fmt;

use crate::audit::{self, Auditd, Quiet};
use crate::child::Running;
use crate::decoys::Decoys;
use crate::empty;
use crate::hook::Hook;
use crate::interrupt::Interrupt;
use crate::peer::Peer;
use crate::snoop;
use crate::stand::{Sensor, Stand};

/// What watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Condition {
    Nothing,
    Empty,
    Sensor,
    Auditd,
    Bpftrace,
}

impl Condition {
    pub(crate) const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Empty,
        Self::Sensor,
        Self::Auditd,
        Self::Bpftrace,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Empty => "empty_program",
            Self::Sensor => "sensor",
            Self::Auditd => "auditd",
            Self::Bpftrace => "bpftrace_opensnoop",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A condition that holds until it is dropped.
#[expect(dead_code, reason = "held for their ends")]
#[derive(Debug)]
pub(crate) struct Holding<'a> {
    watching: Watching<'a>,
    quiet: Option<Quiet>,
}

#[expect(dead_code, reason = "held for their ends")]
#[derive(Debug)]
enum Watching<'a> {
    Nothing,
    Empty(Running),
    Sensor(Sensor<'a>),
    Auditd(Auditd),
    Bpftrace(Running),
}

/// What conditions are made with.
#[derive(Debug)]
pub(crate) struct Means<'a> {
    pub(crate) stand: &'a Stand,
    pub(crate) decoys: &'a Decoys,
    pub(crate) hook: Hook,
    pub(crate) audit: Option<audit::Tools>,
    pub(crate) bpftrace: Option<Peer>,
    pub(crate) interrupt: &'a Interrupt,
}

impl<'a> Means<'a> {
    /// Those that can be had here, but for nothing.
    pub(crate) fn conditions(&self) -> Vec<Condition> {
        Condition::ALL
            .into_iter()
            .filter(|condition| match condition {
                Condition::Auditd => self.audit.is_some(),
                Condition::Bpftrace => self.bpftrace.is_some(),
                Condition::Nothing => false,
                Condition::Empty | Condition::Sensor => true,
            })
            .collect()
    }

    /// Makes one hold.
    pub(crate) fn hold(&self, condition: Condition) -> anyhow::Result<Holding<'a>> {
        let quiet = match &self.audit {
            Some(tools) if condition != Condition::Auditd => Quiet::hold(tools)?,
            _ => None,
        };
        let watching = match (condition, &self.audit, &self.bpftrace) {
            (Condition::Empty, ..) => Watching::Empty(empty::attach(self.hook)?),
            (Condition::Sensor, ..) => Watching::Sensor(self.stand.sensor(self.hook, self.interrupt)?),
            (Condition::Auditd, Some(tools), _) => {
                Watching::Auditd(Auditd::start(tools, self.decoys, self.interrupt)?)
            }
            (Condition::Bpftrace, _, Some(program)) => Watching::Bpftrace(snoop::start(program)?),
            _ => Watching::Nothing,
        };
        Ok(Holding { watching, quiet })
    }
}
