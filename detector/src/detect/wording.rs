//! Findings in words. What came from a host (paths, names) stands in them as it came; whoever shows them on a terminal takes the
//! control characters out.

use claviger_proto::catalogue::Catalogue;
use claviger_proto::v1::{Actor, Credential, Event, Identity, Operation, Outcome, Process, Workload};
use claviger_proto::{program_notes, program_words};

use super::program::Runs;

/// A kind that the catalogue does not know, or none. Its name is in the finding's credential.
const UNKNOWN_KIND: &str = "an unknown kind of credential";

/// One line: what happened to which kind of credential.
pub(super) fn title(catalogue: &Catalogue, credential: &Credential, outcome: Outcome) -> String {
    let kind = kind(catalogue, credential);
    let done = match credential.operation() {
        Operation::Unspecified => "opened",
        Operation::Read => "read",
        Operation::ReadWrite => "opened for reading and writing",
        Operation::Write => "opened for writing",
        Operation::Map => "mapped into memory",
        Operation::Inherit => "inherited open",
        Operation::Receive => "received open",
    };
    match outcome {
        Outcome::Denied => format!("{kind}: an unusual program was refused"),
        _ => format!("{kind} {done} by an unusual program"),
    }
}

/// One sentence: who, started by whom, as which user, did what to which credential, how it ended.
pub(super) fn summary(catalogue: &Catalogue, event: &Event, credential: &Credential, runs: &Runs) -> String {
    let sentence = who(event);
    let infinitive = match credential.operation() {
        Operation::Unspecified => "open",
        Operation::Read => "read",
        Operation::ReadWrite => "open for reading and writing",
        Operation::Write => "open for writing",
        Operation::Map => "map",
        Operation::Inherit => "inherit the open",
        Operation::Receive => "receive the open",
    };
    let past = match credential.operation() {
        Operation::Read => "read".to_owned(),
        Operation::Map => "mapped".to_owned(),
        Operation::Inherit => "inherited the open".to_owned(),
        Operation::Receive => "received the open".to_owned(),
        _ => infinitive.replacen("open", "opened", 1),
    };
    let path = &credential.path;
    let kind = kind(catalogue, credential);
    let proves = identities(&credential.identities);
    let did = match event.outcome() {
        Outcome::Denied => format!(
            "tried to {infinitive} {path}{proves} and was refused (errno {})",
            event.errno
        ),
        Outcome::Unknown | Outcome::Unspecified if asks_the_object(event) => {
            format!("was let to {infinitive} {path}{proves} by what the sensor saw")
        }
        Outcome::Unknown | Outcome::Unspecified => {
            format!("asked to {infinitive} {path}{proves}, and whether it could was not seen")
        }
        Outcome::Succeeded => format!("{past} {path}{proves}"),
    };
    match runs.claim() {
        Some(claim) => {
            format!("{sentence} {did}; it has the path of a program that usually does so, {claim} ({kind})")
        }
        None => format!("{sentence} {did}; it is not among the programs that usually do so ({kind})"),
    }
}

/// Whether the hook has seen the object, when the kernel was about to let the process have it. With tracepoints an end that is not known is one of a path.
fn asks_the_object(event: &Event) -> bool {
    event.observation.as_deref().is_some_and(|observation| {
        ["lsm/", "fentry/"]
            .iter()
            .any(|level| observation.hook.starts_with(level))
    })
}

/// Who, started by whom, as which user.
pub(super) fn who(event: &Event) -> String {
    let actor = event.actor.as_deref();
    let who = actor
        .and_then(|actor| actor.process.as_ref())
        .map_or_else(|| "an unknown process".into(), program);
    let mut sentence = who;
    if let Some(by) = actor.and_then(started_by) {
        sentence.push_str(&format!(", started by {by},"));
    }
    let user = actor
        .and_then(|actor| actor.process.as_ref())
        .and_then(|p| user(p, event.workload.as_deref()));
    if let Some(user) = user {
        sentence.push_str(&format!(" as {user}"));
    }
    sentence
}

fn kind<'a>(catalogue: &'a Catalogue, credential: &Credential) -> &'a str {
    catalogue
        .kind(&credential.kind)
        .map_or(UNKNOWN_KIND, |kind| kind.title())
}

fn program(process: &Process) -> String {
    if process.exe_path.is_empty() {
        format!(
            "{} (pid {}, its executable is not known)",
            process.comm, process.pid
        )
    } else {
        let mut words = format!("{} (pid {}", program_words(process), process.pid);
        for note in program_notes(process) {
            words.push_str(", ");
            words.push_str(&note);
        }
        words.push(')');
        words
    }
}

/// The nearest two ancestors; more are in the evidence.
fn started_by(actor: &Actor) -> Option<String> {
    let name = |process: &Process| format!("{} ({})", process.comm, process.pid);
    match actor.ancestors.as_slice() {
        [] => None,
        [parent] => Some(name(parent)),
        [parent, grandparent, ..] => Some(format!("{} under {}", name(parent), name(grandparent))),
    }
}

/// User ids mean something on their own host only; names are taken from what the sensor said.
fn user(process: &Process, workload: Option<&Workload>) -> Option<String> {
    let uid = process.euid.or(process.uid)?;
    let login = process.login_uid.filter(|login| *login != uid);
    let name = match uid {
        0 => "root".to_owned(),
        _ => match workload
            .map(|workload| workload.user.as_str())
            .filter(|user| !user.is_empty())
        {
            Some(user) if login.is_none() => format!("{user} (uid {uid})"),
            _ => format!("uid {uid}"),
        },
    };
    Some(login.map_or_else(
        || name.clone(),
        |login| format!("{name} (logged in as uid {login})"),
    ))
}

fn identities(identities: &[Identity]) -> String {
    let name = |identity: &Identity| {
        let profile = identity
            .attributes
            .get("profile")
            .map(|profile| format!(" of profile {profile}"));
        format!("{}{}", identity.id, profile.unwrap_or_default())
    };
    match identities {
        [] => String::new(),
        [one] => format!(", which holds {}", name(one)),
        [first, rest @ ..] => format!(", which holds {} and {} more", name(first), rest.len()),
    }
}
