//! Which uses of credentials may be behind a use on the network: those by the same process, or by one that is related to it, a short while before. No clock:
//! times are those of the events.
//!
//! An event gets its id when it is sealed. So a use is known by a number until then, and what it may be behind waits for its id ([`super::pending`]).

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
};

use claviger_proto::v1::{
    Cause, CauseRelation, Event, EventId, EventKind, Identity, Operation, Outcome, Process,
};

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
    /// Servers that its credential is for, as its identities name them (`HOST`, `HOST:PORT`).
    servers: Servers,
    /// Once it is sealed.
    id: Option<EventId>,
}

/// What is known of a credential's servers.
#[derive(Clone, Debug, PartialEq)]
enum Servers {
    Known(Vec<String>),
    /// This question is not answered yet.
    Asked(u64),
}

impl Servers {
    fn of(identities: &[Identity]) -> Self {
        let servers = identities
            .iter()
            .filter_map(|identity| identity.attributes.get("server"));
        Self::Known(servers.cloned().collect())
    }

    /// Whether a connection may turn out to be one to them.
    fn may_name(&self) -> bool {
        match self {
            Self::Known(servers) => !servers.is_empty(),
            Self::Asked(_) => true,
        }
    }
}

/// Whether a connection is one to a server that a credential is for, which whoever connects has used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// It is, and the provider is this one.
    By(String),
    /// That is not known yet.
    NotYet,
    /// It is not.
    No,
}

/// What is remembered, oldest first.
#[derive(Default)]
pub(super) struct Chains {
    last: u64,
    used: VecDeque<Used>,
    /// How many of these may name a server.
    naming: usize,
}

impl Chains {
    /// Remembers an event, if it is such a use; its number then. `question` is the one by which its credential's identities are being found.
    pub(super) fn remember(&mut self, event: &Event, question: Option<u64>) -> Option<u64> {
        if !gives_a_credential(event) {
            return None;
        }
        let (process, ancestors) = who(event)?;
        self.last += 1;
        if self.used.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.used.pop_front()
        {
            self.naming -= usize::from(oldest.servers.may_name());
        }
        let used = Used {
            number: self.last,
            time_ns: event.time_since_boot_ns,
            process,
            ancestors,
            provider: provider_of(event),
            servers: match (question, &event.credential) {
                (Some(question), _) => Servers::Asked(question),
                (None, Some(credential)) => Servers::of(&credential.identities),
                (None, None) => Servers::Known(Vec::new()),
            },
            id: None,
        };
        self.naming += usize::from(used.servers.may_name());
        self.used.push_back(used);
        Some(self.last)
    }

    /// A use got this id, or none, for it was not kept.
    pub(super) fn sealed(&mut self, number: u64, id: Option<EventId>) {
        let Ok(at) = self.used.binary_search_by_key(&number, |used| used.number) else {
            return;
        };
        match id {
            Some(id) => self.used[at].id = Some(id),
            None => {
                let gone = self.used.remove(at);
                self.naming -= usize::from(gone.is_some_and(|gone| gone.servers.may_name()));
            }
        }
    }

    /// A question was answered.
    pub(super) fn identified(&mut self, question: u64, identities: &[Identity]) {
        let mut newest_first = self.used.iter_mut().rev();
        if let Some(used) = newest_first.find(|used| used.servers == Servers::Asked(question)) {
            used.servers = Servers::of(identities);
            self.naming -= usize::from(!used.servers.may_name());
        }
    }

    /// Whether any credential may name a server.
    pub(super) fn may_name_servers(&self) -> bool {
        self.naming > 0
    }

    /// Whether an event's connection, to a host of this name at these addresses, or by a proxy to nowhere that is known, is to a server that a credential is for.
    pub(super) fn meant(&self, event: &Event, name: &str, addresses: &[SocketAddr]) -> Meant {
        let Some((process, ancestors)) = who(event) else {
            return Meant::No;
        };
        let now = event.time_since_boot_ns;
        let mut meant = Meant::No;
        for used in self.used.iter().rev() {
            let is_before = used.time_ns <= now && now - used.time_ns <= WINDOW_NS;
            if !is_before || !used.servers.may_name() || relation(used, process, &ancestors).is_none() {
                continue;
            }
            match &used.servers {
                Servers::Known(servers) => {
                    if servers.iter().any(|server| is_at(server, name, addresses)) {
                        return Meant::By(used.provider.clone());
                    }
                }
                Servers::Asked(_) => meant = Meant::NotYet,
            }
        }
        meant
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

/// Whether a server, as a credential names it, is at one of these addresses, or at their port and of this name; of this name alone where there is no address.
fn is_at(server: &str, name: &str, addresses: &[SocketAddr]) -> bool {
    /// Of a URL without one (RFC 9110, 4.2.2).
    const HTTPS: u16 = 443;
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (server, Some(HTTPS)),
    };
    let host = host.trim_matches(['[', ']']);
    if addresses.is_empty() {
        return !name.is_empty() && host.eq_ignore_ascii_case(name);
    }
    addresses.iter().any(|address| {
        let is_there = match host.parse::<IpAddr>() {
            Ok(ip) => address.ip() == ip,
            Err(_) => !name.is_empty() && host.eq_ignore_ascii_case(name),
        };
        is_there && port == Some(address.port())
    })
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
mod tests;
