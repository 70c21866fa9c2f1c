//! Which uses of credentials may be behind a use on the network: those by the same process, or by one that is related to it, a short while before. No clock:
//! times are those of the events.
//!
//! An event gets its id when it is sealed. So a use is known by a number until then, and what it may be behind waits for its id ([`super::pending`]).

use std::collections::VecDeque;

use claviger_proto::v1::{Cause, CauseRelation, Event, EventId, EventKind, Operation, Outcome, Process};

use crate::decode::{NANOSECONDS_PER_TICK, ProcessKey};

/// How long before.
const WINDOW_NS: u64 = 300 * 1_000_000_000;
/// Uses that are remembered. At the bound the oldest is forgotten.
pub(super) const REMEMBERED_MAX: usize = 4_096;
/// Causes that an event tells.
const TOLD_MAX: usize = 8;
/// Ancestors of a process that are compared.
const ANCESTORS_MAX: usize = 8;

/// A cause whose event may have no id yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Link {
    /// The use.
    pub(super) number: u64,
    /// What is told of it.
    pub(super) cause: Cause,
}

/// A use of a credential.
struct Used {
    number: u64,
    time_ns: u64,
    process: ProcessKey,
    ancestors: Vec<ProcessKey>,
    /// For which provider its credential is, as far as its kind says.
    provider: String,
    /// Once it is sealed.
    id: Option<EventId>,
}

/// What is remembered, oldest first.
#[derive(Default)]
pub(super) struct Chains {
    last: u64,
    used: VecDeque<Used>,
}

impl Chains {
    /// Remembers an event, if it is such a use; its number then.
    pub(super) fn remember(&mut self, event: &Event) -> Option<u64> {
        if !gives_a_credential(event) {
            return None;
        }
        let (process, ancestors) = who(event)?;
        self.last += 1;
        if self.used.len() >= REMEMBERED_MAX {
            self.used.pop_front();
        }
        self.used.push_back(Used {
            number: self.last,
            time_ns: event.time_since_boot_ns,
            process,
            ancestors,
            provider: provider_of(event),
            id: None,
        });
        Some(self.last)
    }

    /// A use got this id, or none, for it was not kept.
    pub(super) fn sealed(&mut self, number: u64, id: Option<EventId>) {
        let Ok(at) = self.used.binary_search_by_key(&number, |used| used.number) else {
            return;
        };
        match id {
            Some(id) => self.used[at].id = Some(id),
            None => drop(self.used.remove(at)),
        }
    }

    /// What may be behind an event, the likeliest first; nothing where it is no use on the network.
    pub(super) fn behind(&self, event: &Event) -> Vec<Link> {
        let is_on_network = matches!(
            event.kind(),
            EventKind::TokenEndpointCall | EventKind::IdentityProviderConnection
        );
        let Some((process, ancestors)) = who(event).filter(|_| is_on_network) else {
            return Vec::new();
        };
        let now = event.time_since_boot_ns;
        let provider = event
            .endpoint
            .as_ref()
            .map(|place| &*place.provider)
            .unwrap_or_default();
        let mut links: Vec<Link> = self
            .used
            .iter()
            .rev()
            .filter(|used| used.time_ns <= now && now - used.time_ns <= WINDOW_NS)
            .filter_map(|used| {
                let relation = relation(used, process, &ancestors)?;
                Some(Link {
                    number: used.number,
                    cause: Cause {
                        event: used.id.clone(),
                        relation: relation.into(),
                        same_provider: !provider.is_empty() && used.provider == provider,
                    },
                })
            })
            .collect();
        // Newest first stays the order among equals.
        links.sort_by_key(|link| (!link.cause.same_provider, link.cause.relation));
        links.truncate(TOLD_MAX);
        links
    }
}

/// Whether whoever did it may hold a credential by that.
fn gives_a_credential(event: &Event) -> bool {
    let is_read = || {
        let credential = event.credential.as_ref();
        credential.is_none_or(|credential| credential.operation() != Operation::Write)
    };
    let is_such = match event.kind() {
        EventKind::CredentialAccess => is_read(),
        EventKind::ProcessSecretAccess
        | EventKind::EnvironmentCredential
        | EventKind::KernelKeyAccess
        | EventKind::AgentSocketConnect => true,
        EventKind::TokenEndpointCall => event.endpoint.as_ref().is_some_and(|place| place.for_token),
        _ => false,
    };
    is_such && event.outcome() != Outcome::Denied
}

/// Who did it, and the nearest ancestors.
fn who(event: &Event) -> Option<(ProcessKey, Vec<ProcessKey>)> {
    let actor = event.actor.as_ref()?;
    let process = key(actor.process.as_ref()?);
    // As it was created, where that is known to be another than whom it was given to.
    let ancestors = if actor.creators.is_empty() {
        &actor.ancestors
    } else {
        &actor.creators
    };
    Some((process, ancestors.iter().take(ANCESTORS_MAX).map(key).collect()))
}

fn key(process: &Process) -> ProcessKey {
    ProcessKey {
        pid: process.pid,
        start_ticks: process.start_time_ticks,
    }
}

/// How who used a credential is related to a process with these ancestors, if at all. The first process of a host is related to nobody.
fn relation(used: &Used, process: ProcessKey, ancestors: &[ProcessKey]) -> Option<CauseRelation> {
    if used.process == process {
        return Some(CauseRelation::SameProcess);
    }
    let is_of_host = |process: &ProcessKey| process.pid <= 1;
    if let Some(at) = ancestors.iter().position(|ancestor| *ancestor == used.process) {
        // Who was created by it on the way to the process.
        let child = at.checked_sub(1).map_or(process, |below| ancestors[below]);
        let created_ns = child
            .start_ticks
            .saturating_add(1)
            .saturating_mul(NANOSECONDS_PER_TICK);
        return (!is_of_host(&used.process) && used.time_ns <= created_ns).then_some(CauseRelation::Ancestor);
    }
    if used.ancestors.contains(&process) {
        return Some(CauseRelation::Descendant);
    }
    let parents = (used.ancestors.first(), ancestors.first());
    match parents {
        (Some(one), Some(other)) if one == other && !is_of_host(one) => Some(CauseRelation::Sibling),
        _ => None,
    }
}

/// For which provider a credential is, in the words of the catalogue's endpoints: by its kind, or where a token was handed out.
fn provider_of(event: &Event) -> String {
    if let Some(place) = &event.endpoint {
        return place.provider.clone();
    }
    let kind = event
        .credential
        .as_ref()
        .map(|credential| &*credential.kind)
        .unwrap_or_default();
    match kind.split('_').next().unwrap_or_default() {
        "eks" => "aws",
        "kubeconfig" => "kubernetes",
        "registry" => "docker",
        word => word,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use claviger_proto::v1::{Actor, Credential, Endpoint};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn process(pid: u32) -> Process {
        Process {
            pid,
            // One each second.
            start_time_ticks: u64::from(pid) * SECOND / NANOSECONDS_PER_TICK,
            ..Process::default()
        }
    }

    fn event(kind: EventKind, line: &[u32], seconds: u64) -> Event {
        let actor = Actor {
            process: line.first().copied().map(process),
            ancestors: line.iter().skip(1).copied().map(process).collect(),
            ..Actor::default()
        };
        Event {
            kind: kind.into(),
            time_since_boot_ns: seconds * SECOND,
            actor: Some(actor.into()),
            outcome: Outcome::Succeeded.into(),
            ..Event::default()
        }
    }

    fn read(line: &[u32], seconds: u64, kind: &str) -> Event {
        Event {
            credential: Some(Credential {
                kind: kind.into(),
                operation: Operation::Read.into(),
                ..Credential::default()
            }),
            ..event(EventKind::CredentialAccess, line, seconds)
        }
    }

    fn connection(line: &[u32], seconds: u64, provider: &str) -> Event {
        Event {
            endpoint: Some(Box::new(Endpoint {
                provider: provider.into(),
                ..Endpoint::default()
            })),
            ..event(EventKind::IdentityProviderConnection, line, seconds)
        }
    }

    fn told(chains: &Chains, event: &Event) -> Vec<(u64, CauseRelation, bool)> {
        let links = chains.behind(event).into_iter();
        links
            .map(|link| (link.number, link.cause.relation(), link.cause.same_provider))
            .collect()
    }

    #[test]
    fn uses_by_related_processes_are_told_the_likeliest_first() {
        let mut chains = Chains::default();
        for (line, seconds, kind) in [
            (&[60, 20, 10, 1][..], 61, "aws_access_key"),
            (&[30, 20, 10, 1], 62, "netrc_password"),
            (&[30, 20, 10, 1], 63, "aws_access_key"),
            (&[10, 1], 11, "aws_access_key"),
            (&[64, 30, 20, 10, 1], 65, "aws_access_key"),
            (&[40, 1], 66, "aws_access_key"),
        ] {
            assert!(chains.remember(&read(line, seconds, kind)).is_some());
        }
        assert_eq!(
            told(&chains, &connection(&[30, 20, 10, 1], 70, "aws")),
            [
                (3, CauseRelation::SameProcess, true),
                (4, CauseRelation::Ancestor, true),
                (5, CauseRelation::Descendant, true),
                (1, CauseRelation::Sibling, true),
                (2, CauseRelation::SameProcess, false),
            ]
        );
        assert_eq!(
            told(&chains, &connection(&[50, 1], 70, "aws")),
            [],
            "the first process relates nobody"
        );
    }

    #[test]
    fn what_an_ancestor_did_after_it_had_created_the_process_is_none_of_its_own() {
        let mut chains = Chains::default();
        chains.remember(&read(&[10, 1], 25, "aws_access_key"));
        assert_eq!(told(&chains, &connection(&[30, 20, 10, 1], 70, "aws")), []);
        assert_eq!(told(&chains, &connection(&[30, 10, 1], 70, "aws")).len(), 1);
    }

    #[test]
    fn what_was_long_before_or_later_or_was_refused_is_not_told() {
        let mut chains = Chains::default();
        chains.remember(&read(&[30, 1], 40, "aws_access_key"));
        let at = |seconds| told(&chains, &connection(&[30, 1], seconds, "aws")).len();
        assert_eq!((at(39), at(40), at(340), at(341)), (0, 1, 1, 0));
        let mut refused = read(&[30, 1], 40, "aws_access_key");
        refused.outcome = Outcome::Denied.into();
        let mut written = read(&[30, 1], 40, "aws_access_key");
        if let Some(credential) = &mut written.credential {
            credential.operation = Operation::Write.into();
        }
        for other in [refused, written, connection(&[30, 1], 40, "aws")] {
            assert_eq!(chains.remember(&other), None);
        }
    }

    #[test]
    fn an_id_is_told_once_it_is_known_and_what_was_not_kept_is_forgotten() {
        let mut chains = Chains::default();
        for seconds in [40, 41] {
            chains.remember(&read(&[30, 1], seconds, "aws_access_key"));
        }
        let id = EventId {
            sequence: 7,
            ..EventId::default()
        };
        chains.sealed(1, Some(id.clone()));
        chains.sealed(2, None);
        let links = chains.behind(&connection(&[30, 1], 50, "aws"));
        assert_eq!(links.len(), 1);
        assert_eq!(links[0].cause.event, Some(id));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut chains = Chains::default();
        for _ in 0..=REMEMBERED_MAX {
            chains.remember(&read(&[30, 1], 40, "aws_access_key"));
        }
        assert_eq!(chains.used.len(), REMEMBERED_MAX);
        assert_eq!(chains.behind(&connection(&[30, 1], 50, "aws")).len(), TOLD_MAX);
    }
}
