//! Once a second: whether the accounts hold, and what is published of them.

use super::*;
use crate::{
    agent::measured::{Beside, Held as Holding, measure},
    metrics::Published,
};

/// Whom the numbers are for.
pub(super) struct Publishing {
    /// Where they are put.
    pub to: Published,
    /// What the kernel half's maps hold.
    pub maps: MapFill,
    /// When the agent began to watch, by the wall clock.
    pub started: SystemTime,
}

impl<S: Sink> Agent<S> {
    /// Compares all accounts, and tells what does not hold: in the log, and as a signed gap.
    pub(super) fn reconcile(&mut self, kernel: &BTreeMap<Probe, ProbeAccounts>) {
        let accounts = self.accounts_now();
        let were_wrong = !self.balance.differences().is_empty();
        let grown = self.balance.check(kernel, self.taken, &accounts);
        self.taken.met_empty = false;
        let now = SystemTime::now();
        for (account, difference) in &grown {
            tracing::error!(
                account,
                difference,
                "the accounts of the sensor do not add up: a fault of it, by which uses may be missing"
            );
        }
        if !grown.is_empty() {
            let losses = grown.iter().map(|(account, difference)| LossCount {
                stage: (*account).to_owned(),
                reason: UNBALANCED.to_owned(),
                count: *difference,
            });
            let event = gap(Gap {
                losses: losses.collect(),
                from: Some(timestamp(self.balanced_at)),
                to: Some(timestamp(now)),
                reason: UNBALANCED.into(),
                ..Gap::default()
            });
            self.pending.push(event, None, self.started.elapsed());
        }
        if self.balance.differences().is_empty() {
            if were_wrong {
                tracing::info!("the accounts of the sensor add up again");
            }
            self.balanced_at = now;
        }
    }

    /// The agent's accounts with what waits now.
    pub(super) fn accounts_now(&self) -> Accounts {
        Accounts {
            waiting: self.pending.uses(),
            ..self.accounts.clone()
        }
    }

    /// Puts the numbers of this moment where they are read from.
    pub(super) fn publish(&self, kernel: &BTreeMap<Probe, ProbeAccounts>) {
        let Some(publishing) = &self.publishing else {
            return;
        };
        let evidence = self.keeper.status();
        let status = self.status_of(kernel, evidence.as_ref());
        let maps = publishing.maps.counted();
        let snapshot = measure(
            &status,
            &Beside {
                now: SystemTime::now(),
                started: publishing.started,
                maps: &maps,
                ring_bytes: self.kernel.records.bytes_in_use(),
                ring_bound_bytes: self.kernel.records.bytes(),
                ring_records: self.taken.records,
                held: self.holding(evidence.as_ref()),
                evidence: evidence.as_ref(),
            },
        );
        publishing.to.publish(snapshot);
    }

    fn holding(&self, evidence: Option<&EvidenceStatus>) -> Holding {
        let worker = self.worker.held();
        let processes = &self.facts.processes;
        Holding {
            pending_events: self.pending.len(),
            batches_to_keep: self.keeper.under_way(),
            late_answers: self.pending.late(),
            processes: processes.len(),
            processes_ended: processes.ended(),
            processes_fruitless: processes.fruitless(),
            processes_not_kept: processes.not_kept(),
            cgroups: self.facts.cgroups.len(),
            repeats: self.repeats.len(),
            writers: self.writers.len(),
            told_by_path: self.by_path.len(),
            just_found: self.just_found.len(),
            followed: self.followed.len(),
            peers: self.peers.len(),
            questions: worker.questions,
            answers: worker.answers,
            roots_met: worker.roots_met,
            copies_waiting: worker.copies_waiting,
            public_parts: worker.public_parts,
            labels: self.knowledge.labels().len(),
            roots: usize::try_from(self.scanned.roots).unwrap_or(usize::MAX),
            programs_sought: self.placing.under_way(),
            program_places_given_up: self.placing.given_up(self.pending.unplaced()),
            behind: evidence.map(|evidence| [evidence.untold, evidence.outbox.untold_losses]),
        }
    }
}
