//! What the agent says of itself: losses, gaps, its state, and answers to who asks.

use super::*;
use crate::error::in_one_line;

impl<S: Sink> Agent<S> {
    /// All losses since the start: the kernel half's and the agent's.
    pub(super) fn losses(&self, kernel: &BTreeMap<Probe, ProbeAccounts>) -> Vec<LossCount> {
        let of_probes = kernel.iter().map(|(probe, accounts)| losses_of(*probe, accounts));
        let mut losses: Vec<LossCount> = of_probes.flatten().collect();
        losses.extend(self.accounts.losses());
        losses
    }

    pub(super) fn kernel_accounts(&self) -> BTreeMap<Probe, ProbeAccounts> {
        self.kernel.accounts.read().unwrap_or_else(|error| {
            tracing::error!(error = %in_one_line(&error), "the kernel half's accounts cannot be read");
            BTreeMap::new()
        })
    }

    /// Tells what was lost since it was told last.
    pub(super) fn tell_losses(&mut self, kernel: &BTreeMap<Probe, ProbeAccounts>) {
        self.tell_not_labelled();
        let missed_trees = self.worker.take_missed_trees();
        if missed_trees > 0 {
            self.accounts.received += missed_trees;
            self.accounts.lose(LostHere::TreeNotLookedInto, missed_trees);
        }
        let now = SystemTime::now();
        let losses = self.losses(kernel);
        let new = growth(&self.told, &losses);
        if let Some(first) = new.first() {
            let reason = first.reason.clone();
            if new
                .iter()
                .any(|loss| loss.stage == Probe::CredentialChange.word())
            {
                // A way to credentials may be among what was lost.
                self.worker.look();
            }
            tracing::error!(count = new.iter().map(|loss| loss.count).sum::<u64>(), %reason, "observations were lost");
            let event = gap(Gap {
                losses: new,
                from: Some(timestamp(self.told_at)),
                to: Some(timestamp(now)),
                reason,
                ..Gap::default()
            });
            self.pending.push(event, None, self.started.elapsed());
            self.told = losses;
        }
        self.told_at = now;
    }

    /// Tells the time before this start in which nobody watched.
    pub(super) fn tell_not_watched(&mut self) {
        let now = SystemTime::now();
        let stamp = self.options.watched_until.as_ref();
        let Some(unwatched) = stamp.and_then(|stamp| stamp.unwatched(self.keeper.ran_before(), now)) else {
            return;
        };
        if let Some(why) = unwatched.unknown_because {
            tracing::error!(
                why,
                "it is not known until when this host was watched; a gap tells that it was not, without a beginning"
            );
        }
        let event = gap(Gap {
            from: unwatched.since.map(timestamp),
            to: Some(timestamp(now)),
            reason: NOT_WATCHING.into(),
            ..Gap::default()
        });
        self.pending.push(event, None, self.started.elapsed());
    }

    pub(super) fn tell_status(&mut self, reason: &str) {
        let accounts = self.kernel_accounts();
        let of = |probe| accounts.get(&probe).cloned().unwrap_or_default();
        let event = sensor_status(reason, &self.kernel.release, &self.kernel.probes, of);
        self.pending.push(event, None, self.started.elapsed());
    }

    pub(super) fn renew_stamp(&self) {
        if let Some(stamp) = &self.options.watched_until
            && let Err(error) = stamp.renew()
        {
            tracing::warn!(%error, "the time until which this host was watched cannot be kept; a gap told after a restart begins too early");
        }
    }

    pub(super) fn answer(&mut self, asked: Asked) {
        let Asked { request, asker, back } = asked;
        match request {
            Request::Announce => {
                let answer = match self.peers.announce(asker) {
                    Ok(()) => Answer::Announced,
                    Err(reason) => Answer::Error(reason),
                };
                let _gone = back.send(answer);
            }
            Request::Status => {
                let evidence = self.keeper.status();
                let status = self.status_of(&self.kernel_accounts(), evidence.as_ref());
                // Who asked may be gone.
                let _gone = back.send(Answer::Status(Box::new(status)));
            }
            Request::Flush => {
                let (flushed, done) = oneshot::channel();
                self.ask_to_flush(flushed);
                tokio::spawn(async move {
                    let answer = match done.await {
                        Ok(Kept {
                            last: Some(id),
                            refusing,
                            rejected_batches,
                        }) => Answer::Flushed(Flushed {
                            sensor_id: id.sensor_id,
                            boot_id: id.boot_id,
                            sequence: id.sequence,
                            refusing,
                            rejected_batches,
                        }),
                        Ok(Kept { refusing: true, .. }) => Answer::Error(
                            "nothing can be kept; `claviger-sensor status` and its log say why".into(),
                        ),
                        Ok(_) => Answer::Error("nothing was observed yet".into()),
                        Err(_) => Answer::Error("the sensor is stopping".into()),
                    };
                    let _gone = back.send(answer);
                });
            }
        }
    }

    /// How the sensor is, by accounts of the kernel half that were read a moment ago.
    pub(super) fn status_of(
        &self,
        accounts: &BTreeMap<Probe, ProbeAccounts>,
        evidence: Option<&EvidenceStatus>,
    ) -> Status {
        let usage = SelfUsage::read();
        let uptime = self.started.elapsed();
        let cpu = Duration::from_micros(usage.cpu_time_us.saturating_sub(self.cpu_before_us));
        let probes = self.kernel.probes.iter().map(|state| {
            let accounts = accounts.get(&state.probe).cloned().unwrap_or_default();
            ProbeReport {
                probe: state.probe.word().to_owned(),
                hook: state.hook.clone(),
                refused: state.refused.iter().map(ToString::to_string).collect(),
                cannot_see: state.cannot_see.clone(),
                seen: accounts.seen,
                submitted: accounts.submitted,
                lost: accounts
                    .lost
                    .iter()
                    .map(|(reason, count)| ((*reason).to_owned(), *count))
                    .collect(),
                repeated: accounts.repeated,
                cpus: (0..)
                    .zip(&accounts.cpus)
                    .filter(|(_, cpu)| cpu.seen > 0)
                    .map(|(number, cpu)| CpuReport {
                        cpu: number,
                        seen: cpu.seen,
                        submitted: cpu.submitted,
                        lost: cpu.lost,
                    })
                    .collect(),
            }
        });
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: uptime.as_secs_f64(),
            usage,
            cpu_share: cpu.as_secs_f64() / uptime.as_secs_f64().max(f64::MIN_POSITIVE),
            probes: probes.collect(),
            accounts: self.accounts_now(),
            unbalanced: self
                .balance
                .differences()
                .iter()
                .map(|(account, difference)| ((*account).to_owned(), *difference))
                .collect(),
            labelled: self.scanned.clone(),
            hanging: self
                .condition
                .hanging
                .iter()
                .map(|one| one.path.display().to_string())
                .collect(),
            policy: self.condition.policy.clone(),
            self_test: self
                .condition
                .self_test
                .as_ref()
                .map(|test| test.report(SystemTime::now())),
            processes: self.facts.processes.len(),
            evidence: evidence.map(EvidenceReport::from),
        }
    }
}
