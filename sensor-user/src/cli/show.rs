//! An event as a person reads it on a terminal.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use claviger_proto::{
    program_notes, program_words,
    v1::{Event, EventKind, Outcome},
};

use super::output::clean;

const STRONG: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const DENIED: Style = AnsiColor::Yellow.on_default();

/// The event in a few aligned lines, with colour codes for a terminal (anstream takes them off elsewhere).
pub(super) fn event(event: &Event) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _infallible = write(&mut text, event);
    text
}

fn write(out: &mut String, event: &Event) -> fmt::Result {
    let kind = EventKind::try_from(event.kind).unwrap_or_default().word();
    let outcome = Outcome::try_from(event.outcome).unwrap_or_default();
    let Some(credential) = &event.credential else {
        write!(out, "{STRONG}{kind}{STRONG:#}")?;
        if let Some(discovery) = &event.discovery {
            write!(out, " {}", clean(&discovery.path))?;
        }
        return Ok(());
    };
    let done = match &event.change {
        Some(change) => clean(&change.what),
        None => credential.operation().word(),
    };
    write!(
        out,
        "{STRONG}{done} {}{STRONG:#} ({})",
        clean(&credential.path),
        clean(&credential.kind)
    )?;
    if let Some(change) = &event.change
        && !(change.before.is_empty() && change.after.is_empty())
    {
        write!(out, " {} → {}", clean(&change.before), clean(&change.after))?;
    }
    if outcome == Outcome::Denied {
        write!(out, " {DENIED}denied, errno {}{DENIED:#}", event.errno)?;
    }
    if let Some(actor) = &event.actor {
        if let Some(process) = &actor.process {
            let uid = process
                .uid
                .map_or_else(|| "unknown user".to_owned(), |uid| format!("uid {uid}"));
            write!(
                out,
                "\n  by        {} (pid {}, {uid}",
                clean(&program_words(process)),
                process.pid
            )?;
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
    }
    for identity in &credential.identities {
        write!(
            out,
            "\n  identity  {} {STRONG}{}{STRONG:#}",
            clean(&identity.kind),
            clean(&identity.id)
        )?;
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
        write!(
            out,
            "\n  identity  not known: {}",
            clean(&credential.unknown_reason)
        )?;
    }
    if let Some(workload) = &event.workload {
        write!(
            out,
            "\n  workload  {}",
            if workload.id.is_empty() {
                "not known".to_owned()
            } else {
                clean(&workload.id)
            }
        )?;
    }
    if let Some(observation) = &event.observation {
        write!(out, "\n  {DIM}seen by   {}{DIM:#}", observation.hook)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use claviger_proto::v1::{Actor, Change, Credential, Identity, Operation, Process};

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
        let plain = anstream::adapter::strip_str(&event(&sample)).to_string();
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
        let plain = anstream::adapter::strip_str(&event(&sample)).to_string();
        assert_eq!(
            plain,
            "read /home/demo/.aws/credentials (aws_access_key) denied, errno 13\n  by        /usr/bin/cat (pid 42, uid 1000)\n  \
             started by sh (41)\n  identity  aws_access_key_id AKIAIOSFODNN7EXAMPLE (profile default)"
        );
    }
}
