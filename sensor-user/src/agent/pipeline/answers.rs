//! What the worker found.

use super::*;
use crate::credential::Parsed;

impl<S: Sink> Agent<S> {
    /// Takes up an answer of the worker.
    pub(super) fn found(&mut self, found: Found) {
        match found {
            Found::Counted(counts) => self.scanned_again(counts),
            Found::Scanned(counts) => {
                self.scanned_again(counts);
                self.tell_arrivals();
            }
            Found::LayersKnown => self.layers_known(),
            Found::InForce(digest) => self.policy_in_force(&digest),
            Found::NotLookedAt => self.not_looked_at(),
            Found::Hanging(changed) => self.hangs_or_answers(changed),
            Found::Reached { number, reached } => self.path_led_to(number, reached),
            Found::Answering { number, who } => self.answers(number, who),
            Found::Tested(tested) => self.tested(tested),
            Found::Identified { token, parsed } => {
                self.chains.identified(token, &parsed.identities);
                self.tell_to_servers();
                if let Some(parsed) = self.keeping.put_by(token, parsed) {
                    self.identified(token, parsed);
                }
            }
        }
    }

    /// It was found out which identities an event is about.
    pub(super) fn identified(&mut self, token: u64, parsed: Parsed) {
        match self
            .pending
            .settle(token, &parsed.identities, parsed.unknown_reason)
        {
            Settled::Late(amends) if !parsed.identities.is_empty() => {
                let mut event = gap(Gap::default());
                event.kind = EventKind::Amendment.into();
                event.gap = None;
                event.amendment = Some(Box::new(Amendment {
                    amends: Some(amends),
                    workload: None,
                    identities: parsed.identities,
                }));
                self.pending.push(event, None, self.started.elapsed());
            }
            Settled::InTime | Settled::Late(_) | Settled::Unknown => {}
        }
    }
}
