//! How the agent stands: which policy is in force, what could not be labelled, and whether the probes still see.

use super::*;
use crate::{
    agent::{
        condition::PolicyReport,
        hands::Changed as HangingChanged,
        self_test::{Change, Tested},
    },
    attribute::ProcessDirectory,
    credential::{OVERLAYS_MAX, Overlay},
    kernel::NO_LAYERS,
};

/// Between looks for an overlay over credentials, while something is mounted again and again.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

impl<S: Sink> Agent<S> {
    /// Something was labelled. What cannot be is not watched: that is told when it grows.
    pub(super) fn scanned_again(&mut self, counts: ScanCounts) {
        let before = std::mem::replace(&mut self.scanned, counts);
        if before.files != self.scanned.files
            && let Some(looks) = &self.looks
        {
            looks.soon();
        }
        self.condition.not_labelled += self.scanned.not_labelled.saturating_sub(before.not_labelled);
    }

    /// Tells how many more could not be labelled since it was told last: all at once, for who copies much could make as many events.
    pub(super) fn tell_not_labelled(&mut self) {
        let new = std::mem::take(&mut self.condition.not_labelled);
        if self.options.report_itself && new > 0 {
            let lost = LossCount {
                stage: "catalogue".into(),
                reason: NOT_LABELLED.into(),
                count: new,
            };
            self.tell_gap(Gap {
                losses: vec![lost],
                from: Some(timestamp(SystemTime::now())),
                reason: NOT_LABELLED.into(),
                ..Gap::default()
            });
        }
    }

    /// Another policy is to hold.
    pub(super) fn take_policy(&mut self, policy: Policy, done: oneshot::Sender<()>) {
        if self.worker.take(Arc::clone(&policy.catalogue)) {
            self.condition.coming = Some((policy, done));
        } else {
            tracing::error!("the sensor is too busy to take another catalogue; send SIGHUP again");
            self.refuse_policy("the sensor is too busy to take it; send SIGHUP again");
        }
    }

    /// A policy cannot hold; the one before goes on.
    pub(super) fn refuse_policy(&mut self, reason: &str) {
        self.condition.policy.refused = Some(reason.to_owned());
        self.condition.policy.refusals += 1;
        if self.options.report_itself {
            self.tell_status("policy_refused");
        }
    }

    /// The policy that was to hold does.
    pub(super) fn policy_in_force(&mut self, digest: &str) {
        let Some((policy, done)) = self
            .condition
            .coming
            .take_if(|(policy, _)| policy.digest == digest)
        else {
            return;
        };
        tracing::info!(
            digest,
            entries = policy.catalogue.entries().len(),
            "another catalogue is in force"
        );
        let before = &self.condition.policy;
        self.condition.policy = PolicyReport {
            taken: before.taken + 1,
            refusals: before.refusals,
            ..PolicyReport::of(&policy)
        };
        self.watch_names(&policy.catalogue);
        self.watch_endpoints(&policy.catalogue);
        self.options.policy = policy;
        if self.options.report_itself {
            self.tell_status("policy_changed");
        }
        // Who asked may be gone.
        let _gone = done.send(());
    }

    /// Overlayfs has come, and its files are followed to their layers.
    pub(super) fn layers_known(&mut self) {
        tracing::info!("overlayfs was loaded; its files are followed to their layers from now on");
        for probe in &mut self.kernel.probes {
            probe.cannot_see.retain(|what| what != NO_LAYERS);
        }
    }

    /// Something was mounted: it is looked soon whether that matters, and not each time, for everybody can mount in namespaces of his own.
    pub(super) fn mounted(&mut self) {
        let condition = &mut self.condition;
        let earliest = condition.overlays_looked_for.map(|last| last + BETWEEN_LOOKS);
        let now = Instant::now();
        condition
            .overlays_due
            .get_or_insert(earliest.unwrap_or(now).max(now));
    }

    /// Where overlayfs was awaited, it may have come with what was mounted; and an overlay may lie over credentials now.
    pub(super) fn look_for_overlays(&mut self) {
        self.condition.overlays_due = None;
        self.condition.overlays_looked_for = Some(Instant::now());
        let mut cannot_see = self.kernel.probes.iter().flat_map(|probe| &probe.cannot_see);
        if cannot_see.any(|what| what == NO_LAYERS) || self.is_overlay_new() {
            self.worker.look();
        }
    }

    /// Whether an overlay is mounted over directories of credentials, and no look has seen it.
    fn is_overlay_new(&self) -> bool {
        let known = self.knowledge.overlays();
        if known.len() >= OVERLAYS_MAX {
            return false;
        }
        let Some(mountinfo) = ProcessDirectory::own().and_then(|own| own.read("mountinfo")) else {
            return true;
        };
        let is_over = |overlay: &Overlay| {
            let labels = self.knowledge.labels();
            overlay.lower().any(|lower| labels.below(lower).next().is_some())
        };
        let mut mounted = Overlay::all(&mountinfo);
        mounted.any(|overlay| !known.contains(&overlay) && is_over(&overlay))
    }

    /// File systems answer no longer, or again. What appeared there in between was not labelled, which is told as a gap.
    pub(super) fn hangs_or_answers(&mut self, changed: HangingChanged) {
        let HangingChanged { hanging, answering } = changed;
        for one in &hanging {
            tracing::error!(
                path = %one.path.display(),
                "a file system does not answer: what lies there is not looked at until it does, all else is"
            );
        }
        for one in &answering {
            tracing::info!(path = %one.path.display(), "a file system answers again");
        }
        let is_new = !hanging.is_empty();
        self.condition.hanging.extend(hanging);
        self.condition.hanging.retain(|one| !answering.contains(one));
        if !self.options.report_itself {
            return;
        }
        if is_new {
            self.tell_status("file_system_hangs");
        }
        for one in &answering {
            self.tell_gap(Gap {
                from: Some(timestamp(one.since)),
                to: Some(timestamp(SystemTime::now())),
                reason: "file_system_hung".into(),
                ..Gap::default()
            });
        }
    }

    /// The worker tested whether the probes see.
    pub(super) fn tested(&mut self, mut tested: Tested) {
        // What was done is in the ring by now.
        while self.drain() == DRAIN_MAX {}
        let accounts = self.kernel_accounts();
        let lost = accounts
            .get(&Probe::FileOpen)
            .map_or(0, |accounts| accounts.lost.values().sum::<u64>());
        let lost_before = std::mem::replace(&mut self.condition.opens_lost, lost);
        let opens = std::mem::take(&mut self.condition.self_test_opens);
        tested.told(opens, lost != lost_before);
        let seen = |probe| accounts.get(&probe).map_or(0, |accounts| accounts.seen);
        let Some(test) = &mut self.condition.self_test else {
            return;
        };
        let verdict = test.judge(&tested, &mut self.kernel.probes, seen, SystemTime::now());
        for change in &verdict.changes {
            match change {
                Change::Blind { probe, reason } => {
                    tracing::error!(probe = probe.word(), %reason, "a probe does not see any more: what it is for goes unseen");
                }
                Change::Seeing(probe) => tracing::info!(probe = probe.word(), "a probe sees again"),
            }
        }
        if let Some((from, to)) = verdict.unwatched {
            self.tell_gap(Gap {
                from: Some(timestamp(from)),
                to: Some(timestamp(to)),
                reason: BLIND.into(),
                ..Gap::default()
            });
        }
        if !verdict.changes.is_empty() {
            let is_blind = self.kernel_is_blind();
            self.tell_status(if is_blind { "blind" } else { "seeing_again" });
        }
    }

    /// Says where the test itself does not come back.
    pub(super) fn look_after_self_test(&mut self) {
        if let Some(test) = &mut self.condition.self_test
            && test.becomes_overdue(SystemTime::now())
        {
            tracing::error!(
                "the thread that labels files hangs: new credentials are not labelled, and whether the probes see is not known"
            );
            self.tell_status("self_test_overdue");
        }
    }

    fn kernel_is_blind(&self) -> bool {
        self.condition.self_test.as_ref().is_some_and(SelfTest::is_blind)
    }

    fn tell_gap(&mut self, told: Gap) {
        self.pending.push(gap(told), None, self.started.elapsed());
    }
}
