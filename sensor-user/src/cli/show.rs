//! An event as a person reads it on a terminal.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::{self, Write as _},
};

use anstyle::{AnsiColor, Style};
use claviger_proto::{
    agent_socket_words, asked_words, endpoint_words, program_notes, program_words, relation_words,
    v1::{Actor, Cause, Credential, Endpoint, Event, EventKind, Outcome},
};

use super::output::clean;

/// Headlines that are kept. At the bound the oldest is forgotten, and told by its number.
const HEADS_MAX: usize = 4_096;

/// Uses that are known to have been told. At the bound the oldest is forgotten, and told at length when it comes again.
const TOLD_MAX: usize = 256;

const STRONG: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const DENIED: Style = AnsiColor::Yellow.on_default();

/// What was told before: the headlines of events that may be behind others, and whose repeats are told in short.
#[derive(Default)]
pub(super) struct Earlier {
    heads: BTreeMap<u64, String>,
    told: VecDeque<(ProcessKey, String)>,
}

/// Who does it, and since when it runs.
type ProcessKey = (u32, u64);

impl Earlier {
    /// The event in a few aligned lines, with colour codes for a terminal (anstream takes them off elsewhere).
    pub(super) fn event(&mut self, event: &Event) -> String {
        let mut line = String::new();
        // Writing to a String cannot fail.
        let _infallible = headline(&mut line, event);
        let mut text = line.clone();
        if self.is_again(event, &line) {
            let _infallible = again(&mut text, event);
        } else {
            let _infallible = details(&mut text, event, self);
        }
        if let Some(id) = event.id.as_ref().filter(|_| event.actor.is_some()) {
            if self.heads.len() >= HEADS_MAX {
                self.heads.pop_first();
            }
            let mut line = String::new();
            let _infallible = head(&mut line, event);
            self.heads.insert(id.sequence, line);
        }
        text
    }

    /// Whether the same was told of the same run of a program, with the same identities.
    fn is_again(&mut self, event: &Event, line: &str) -> bool {
        let actor = event.actor.as_ref().and_then(|actor| actor.process.as_ref());
        let Some(process) = actor else {
            return false;
        };
        let mut what = format!("{line}\n{}", program_words(process));
        if let Some(credential) = &event.credential {
            let _infallible = identities(&mut what, credential);
        }
        let one = ((process.pid, process.start_time_ticks), what);
        if self.told.contains(&one) {
            return true;
        }
        if self.told.len() >= TOLD_MAX {
            self.told.pop_front();
        }
        self.told.push_back(one);
        false
    }
}

/// What happened, and how it ended where it did not succeed.
fn headline(out: &mut String, event: &Event) -> fmt::Result {
    head(out, event)?;
    if Outcome::try_from(event.outcome).unwrap_or_default() == Outcome::Denied {
        write!(out, " {DENIED}denied, errno {}{DENIED:#}", event.errno)?;
    }
    Ok(())
}

/// What was told already, by whom: how often it was done since.
fn again(out: &mut String, event: &Event) -> fmt::Result {
    match event.count {
        0 | 1 => write!(out, ", again")?,
        count => write!(out, ", {count} times again")?,
    }
    if let Some(process) = event.actor.as_ref().and_then(|actor| actor.process.as_ref()) {
        let program = clean(&program_words(process));
        write!(out, "\n  by        {program} (pid {})", process.pid)?;
    }
    Ok(())
}

fn details(out: &mut String, event: &Event, earlier: &Earlier) -> fmt::Result {
    if event.count > 1 {
        write!(out, ", {} times", event.count)?;
    }
    if let Some(actor) = &event.actor {
        who(out, actor)?;
    }
    if let Some(credential) = &event.credential {
        identities(out, credential)?;
    }
    for cause in &event.caused_by {
        after(out, cause, earlier)?;
    }
    if let Some(workload) = &event.workload {
        let id = match &*workload.id {
            "" => "not known".to_owned(),
            id => clean(id),
        };
        write!(out, "\n  workload  {id}")?;
    }
    if let Some(observation) = event.observation.as_ref().filter(|_| event.actor.is_some()) {
        write!(out, "\n  {DIM}seen by   {}{DIM:#}", observation.hook)?;
    }
    Ok(())
}

/// What may be behind it.
fn after(out: &mut String, cause: &Cause, earlier: &Earlier) -> fmt::Result {
    let sequence = cause.event.as_ref().map(|id| id.sequence).unwrap_or_default();
    let by = match relation_words(cause.relation()) {
        "" => String::new(),
        by => format!(", {by}"),
    };
    match earlier.heads.get(&sequence) {
        Some(head) => write!(out, "\n  after     {head}{by}"),
        None => write!(out, "\n  after     event {sequence}{by}"),
    }
}

/// What was done, and to what.
fn head(out: &mut String, event: &Event) -> fmt::Result {
    let kind = EventKind::try_from(event.kind).unwrap_or_default().word();
    if let Some(credential) = &event.credential {
        let done = match &event.change {
            Some(change) => clean(&change.what),
            None => credential.operation().word(),
        };
        let (path, kind) = (clean(&credential.path), clean(&credential.kind));
        write!(out, "{STRONG}{done} {path}{STRONG:#} ({kind})")?;
        if let Some(change) = &event.change
            && !(change.before.is_empty() && change.after.is_empty())
        {
            write!(out, " {} → {}", clean(&change.before), clean(&change.after))?;
        }
        return Ok(());
    }
    write!(out, "{STRONG}{kind}{STRONG:#}")?;
    if let Some(discovery) = &event.discovery {
        write!(out, " {}", clean(&discovery.path))?;
    }
    if let Some(endpoint) = &event.endpoint {
        place(out, endpoint)?;
    }
    if let Some(tls) = &event.tls {
        write!(out, ", TLS {}", clean(&tls.versions.join(", ")))?;
        if tls.encrypted_client_hello {
            write!(out, ", encrypted hello")?;
        }
    }
    if let Some(socket) = &event.agent_socket {
        write!(out, " {}", clean(&agent_socket_words(socket)))?;
        if socket.of_another_user {
            write!(out, ", {DENIED}another user's{DENIED:#}")?;
        }
    }
    Ok(())
}

/// Where on the network, and what was asked there.
fn place(out: &mut String, endpoint: &Endpoint) -> fmt::Result {
    let (asked, status) = asked_words(endpoint).unwrap_or_default();
    if !asked.is_empty() {
        write!(out, " {}", clean(&asked))?;
    }
    write!(out, " at {}", clean(&endpoint_words(endpoint)))?;
    if let Some(status) = status {
        write!(out, " → {status}")?;
    }
    Ok(())
}

fn who(out: &mut String, actor: &Actor) -> fmt::Result {
    if let Some(process) = &actor.process {
        let uid = process
            .uid
            .map_or_else(|| "unknown user".to_owned(), |uid| format!("uid {uid}"));
        let program = clean(&program_words(process));
        write!(out, "\n  by        {program} (pid {}, {uid}", process.pid)?;
        for note in program_notes(process) {
            write!(out, ", {}", clean(&note))?;
        }
        write!(out, ")")?;
    }
    for (name, processes) in [("started by", &actor.ancestors), ("created by", &actor.creators)] {
        let chain: Vec<String> = processes
            .iter()
            .take(6)
            .map(|process| format!("{} ({})", clean(&process.comm), process.pid))
            .collect();
        if !chain.is_empty() {
            write!(out, "\n  {name} {}", chain.join(" ← "))?;
        }
    }
    Ok(())
}

fn identities(out: &mut String, credential: &Credential) -> fmt::Result {
    for identity in &credential.identities {
        let (kind, id) = (clean(&identity.kind), clean(&identity.id));
        write!(out, "\n  identity  {kind} {STRONG}{id}{STRONG:#}")?;
        let attributes: Vec<String> = identity
            .attributes
            .iter()
            .map(|(name, value)| format!("{} {}", clean(name), clean(value)))
            .collect();
        if !attributes.is_empty() {
            write!(out, " ({})", attributes.join(", "))?;
        }
    }
    if credential.identities.is_empty() {
        let reason = clean(&credential.unknown_reason);
        write!(out, "\n  identity  not known: {reason}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use claviger_proto::v1::{
        AgentSocket, CauseRelation, Change, EventId, Identity, Operation, Process, Tls,
    };

    use super::*;

    #[test]
    fn a_change_reads_well() {
        let sample = Event {
            kind: EventKind::CredentialChange.into(),
            credential: Some(Credential {
                kind: "ssh_private_key".into(),
                path: "/root/.ssh/id_rsa".into(),
                unknown_reason: "it is new".into(),
                ..Credential::default()
            }),
            change: Some(Box::new(Change {
                what: "mode".into(),
                before: "0600".into(),
                after: "0644".into(),
            })),
            ..Event::default()
        };
        let plain = anstream::adapter::strip_str(&Earlier::default().event(&sample)).to_string();
        assert_eq!(
            plain,
            "mode /root/.ssh/id_rsa (ssh_private_key) 0600 → 0644\n  identity  not known: it is new"
        );
    }

    #[test]
    fn a_use_reads_well() {
        let sample = Event {
            kind: EventKind::CredentialAccess.into(),
            outcome: Outcome::Denied.into(),
            errno: 13,
            actor: Some(
                Actor {
                    process: Some(Process {
                        pid: 42,
                        exe_path: "/usr/bin/cat".into(),
                        uid: Some(1000),
                        ..Process::default()
                    }),
                    ancestors: vec![Process {
                        pid: 41,
                        comm: "sh".into(),
                        ..Process::default()
                    }],
                    ..Actor::default()
                }
                .into(),
            ),
            credential: Some(Credential {
                kind: "aws_access_key".into(),
                path: "/home/demo/.aws/credentials".into(),
                operation: Operation::Read.into(),
                identities: vec![Identity {
                    kind: "aws_access_key_id".into(),
                    id: "AKIAIOSFODNN7EXAMPLE".into(),
                    attributes: [("profile".to_owned(), "default".to_owned())].into(),
                    evidence: Vec::new(),
                }],
                ..Credential::default()
            }),
            ..Event::default()
        };
        let plain = anstream::adapter::strip_str(&Earlier::default().event(&sample)).to_string();
        assert_eq!(
            plain,
            "read /home/demo/.aws/credentials (aws_access_key) denied, errno 13\n  by        /usr/bin/cat (pid 42, uid 1000)\n  \
             started by sh (41)\n  identity  aws_access_key_id AKIAIOSFODNN7EXAMPLE (profile default)"
        );
    }

    #[test]
    fn what_comes_again_is_told_in_short() {
        let mut sample = Event {
            kind: EventKind::CredentialAccess.into(),
            count: 1,
            actor: Some(
                Actor {
                    process: Some(Process {
                        pid: 42,
                        exe_path: "/usr/bin/ssh".into(),
                        uid: Some(1000),
                        ..Process::default()
                    }),
                    ..Actor::default()
                }
                .into(),
            ),
            credential: Some(Credential {
                kind: "ssh_private_key".into(),
                path: "/root/.ssh/id_rsa".into(),
                operation: Operation::Read.into(),
                unknown_reason: "encrypted".into(),
                ..Credential::default()
            }),
            ..Event::default()
        };
        let mut earlier = Earlier::default();
        let mut plain = |event: &Event| anstream::adapter::strip_str(&earlier.event(event)).to_string();
        let first = plain(&sample);
        assert!(first.contains("identity  not known"), "{first}");
        assert_eq!(
            plain(&sample),
            "read /root/.ssh/id_rsa (ssh_private_key), again\n  by        /usr/bin/ssh (pid 42)"
        );
        sample.count = 7;
        assert_eq!(
            plain(&sample),
            "read /root/.ssh/id_rsa (ssh_private_key), 7 times again\n  by        /usr/bin/ssh (pid 42)"
        );
        if let Some(credential) = &mut sample.credential {
            credential.unknown_reason = "too large".into();
        }
        let other = plain(&sample);
        assert!(
            other.starts_with("read /root/.ssh/id_rsa (ssh_private_key), 7 times\n"),
            "{other}"
        );
        assert!(other.contains("too large"), "{other}");
    }

    #[test]
    fn uses_on_the_network_read_well() {
        let endpoint = Endpoint {
            address: "fd00:ec2::254".into(),
            port: 80,
            provider: "aws".into(),
            method: "GET".into(),
            path_class: "/latest/meta-data/iam/security-credentials/web".into(),
            metadata_version: 1,
            for_token: true,
            status: 200,
            ..Endpoint::default()
        };
        let call = Event {
            kind: EventKind::TokenEndpointCall.into(),
            endpoint: Some(Box::new(endpoint)),
            ..Event::default()
        };
        let plain =
            |event_: &Event| anstream::adapter::strip_str(&Earlier::default().event(event_)).to_string();
        assert_eq!(
            plain(&call),
            "token_endpoint_call GET /latest/meta-data/iam/security-credentials/web at [fd00:ec2::254]:80 (aws, IMDSv1, for a token) → 200"
        );
        let connection = Event {
            kind: EventKind::IdentityProviderConnection.into(),
            endpoint: Some(Box::new(Endpoint {
                address: "192.0.2.1".into(),
                port: 443,
                name: "sts.amazonaws.com".into(),
                provider: "aws".into(),
                ..Endpoint::default()
            })),
            tls: Some(Box::new(Tls {
                versions: vec!["1.3".into(), "1.2".into()],
                ..Tls::default()
            })),
            ..Event::default()
        };
        assert_eq!(
            plain(&connection),
            "identity_provider_connection at 192.0.2.1:443 (sts.amazonaws.com, aws), TLS 1.3, 1.2"
        );
        let socket = Event {
            kind: EventKind::AgentSocketConnect.into(),
            agent_socket: Some(Box::new(AgentSocket {
                kind: "ssh_agent".into(),
                path: "/tmp/ssh-x/agent.1".into(),
                peer: Some(Process {
                    pid: 7,
                    exe_path: "/usr/bin/ssh-agent".into(),
                    ..Process::default()
                }),
                of_another_user: true,
                ..AgentSocket::default()
            })),
            ..Event::default()
        };
        assert_eq!(
            plain(&socket),
            "agent_socket_connect /tmp/ssh-x/agent.1 (ssh_agent), answered by /usr/bin/ssh-agent (pid 7), another user's"
        );
    }

    #[test]
    fn what_may_be_behind_a_use_is_told_by_what_it_was() {
        let id = |sequence| EventId {
            sequence,
            ..EventId::default()
        };
        let read = Event {
            id: Some(id(3)),
            actor: Some(Actor::default().into()),
            credential: Some(Credential {
                kind: "aws_access_key".into(),
                path: "/home/demo/.aws/credentials".into(),
                operation: Operation::Read.into(),
                ..Credential::default()
            }),
            ..Event::default()
        };
        let cause = |sequence, relation: CauseRelation| Cause {
            event: Some(id(sequence)),
            relation: relation.into(),
            same_provider: true,
        };
        let connection = Event {
            kind: EventKind::IdentityProviderConnection.into(),
            caused_by: vec![
                cause(3, CauseRelation::SameProcess),
                cause(4, CauseRelation::Ancestor),
            ],
            ..Event::default()
        };
        let mut earlier = Earlier::default();
        earlier.event(&read);
        let plain = anstream::adapter::strip_str(&earlier.event(&connection)).to_string();
        assert_eq!(
            plain,
            "identity_provider_connection\n  after     read /home/demo/.aws/credentials (aws_access_key), by itself\n  \
             after     event 4, by an ancestor"
        );
    }
}
