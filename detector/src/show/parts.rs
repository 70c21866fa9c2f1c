//! The parts that events and findings share, each on a line of its own below the first.

use claviger_proto::v1::{Actor, Credential, Identity, Operation, Process, Workload};
use claviger_proto::{program_notes, program_words};

use super::clean;
use super::style::{FAINT, in_style};

/// Width of the names before the lines.
const NAME_WIDTH: usize = 11;

/// Lines with their names aligned.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    pub(super) fn add(&mut self, name: &str, text: &str) {
        let name = in_style(FAINT, format!("{name:<NAME_WIDTH$}"));
        self.0.push_str(&format!("    {name} {text}\n"));
    }

    pub(super) fn add_some(&mut self, name: &str, text: Option<String>) {
        if let Some(text) = text {
            self.add(name, &text);
        }
    }

    /// Who did it, and started by whom.
    pub(super) fn add_actor(&mut self, actor: Option<&Actor>, workload: Option<&Workload>) {
        let Some(actor) = actor else { return };
        self.add_some(
            "by",
            actor.process.as_ref().map(|process| program(process, workload)),
        );
        self.add_some("started by", ancestors(&actor.ancestors));
        self.add_some("created by", ancestors(&actor.creators));
        self.add_some("workload", workload.and_then(self::workload));
    }

    /// Which identities a credential stands for.
    pub(super) fn add_identities(&mut self, credential: &Credential) {
        for identity in &credential.identities {
            self.add("identity", &self::identity(identity));
        }
        if credential.identities.is_empty() && !credential.unknown_reason.is_empty() {
            let reason = clean(&credential.unknown_reason);
            self.add("identity", &in_style(FAINT, format!("unknown: {reason}")));
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// What was done to a credential, as the name of a line.
pub(super) fn done(credential: &Credential) -> String {
    match credential.operation() {
        Operation::Unspecified => "credential".into(),
        Operation::ReadWrite => "read+write".into(),
        known => known.word(),
    }
}

/// A credential's path, or in which names it stands, and its kind.
pub(super) fn place(credential: &Credential) -> String {
    if credential.path.is_empty() && !credential.held_in.is_empty() {
        let more = match credential.held_in_left_out {
            0 => String::new(),
            count => format!(" and {count} more that are not told"),
        };
        return format!(
            "{}{more} ({})",
            clean(&credential.held_in.join(", ")),
            clean(&credential.kind)
        );
    }
    let truncated = if credential.path_truncated { "…" } else { "" };
    format!(
        "{truncated}{} ({})",
        clean(&credential.path),
        clean(&credential.kind)
    )
}

fn program(process: &Process, workload: Option<&Workload>) -> String {
    let mut text = format!("{} (pid {}", clean(&program_words(process)), process.pid);
    if let Some(uid) = process.euid.or(process.uid) {
        let name = match uid {
            0 => Some("root"),
            _ => workload
                .map(|workload| workload.user.as_str())
                .filter(|user| !user.is_empty()),
        };
        match name {
            Some(name) => text.push_str(&format!(", {} uid {uid}", clean(name))),
            None => text.push_str(&format!(", uid {uid}")),
        }
    }
    if let Some(login) = process
        .login_uid
        .filter(|login| Some(*login) != process.euid.or(process.uid))
    {
        text.push_str(&format!(", login uid {login}"));
    }
    for note in program_notes(process) {
        text.push_str(&format!(", {}", clean(&note)));
    }
    text.push(')');
    let files = [&process.script, &process.loaded_program];
    for file in files.into_iter().flatten().filter(|file| file.path.is_empty()) {
        let reason = clean(&file.unknown_reason);
        text.push_str(&in_style(FAINT, format!(" what it runs is not known: {reason}")));
    }
    if !process.unknown_reason.is_empty() {
        text.push_str(&in_style(FAINT, format!(" {}", clean(&process.unknown_reason))));
    }
    text
}

fn ancestors(ancestors: &[Process]) -> Option<String> {
    let names = ancestors
        .iter()
        .map(|process| format!("{} ({})", clean(&process.comm), process.pid));
    let chain = names.collect::<Vec<_>>().join(" ← ");
    (!chain.is_empty()).then_some(chain)
}

fn workload(workload: &Workload) -> Option<String> {
    if !workload.id.is_empty() {
        return Some(clean(&workload.id).into_owned());
    }
    let reason = clean(&workload.unknown_reason);
    (!reason.is_empty()).then(|| in_style(FAINT, format!("unknown: {reason}")))
}

fn identity(identity: &Identity) -> String {
    let mut attributes: Vec<_> = identity.attributes.iter().collect();
    attributes.sort_unstable();
    let mut text = format!("{} {}", clean(&identity.kind), clean(&identity.id));
    for (name, value) in attributes {
        text.push_str(&in_style(FAINT, format!("  {}={}", clean(name), clean(value))));
    }
    text
}
