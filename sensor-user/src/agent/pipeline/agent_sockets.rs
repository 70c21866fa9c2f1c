//! Connections to sockets of programs that hold keys.

use std::collections::{BTreeMap, HashMap};

use claviger_proto::{catalogue::Socket, v1::AgentSocket as Part};
use claviger_sensor_common::{ObjectKey, RepeatKey};

use super::*;
use crate::{
    agent::{messages::Listening, repeats::First},
    attribute::Answering,
    decode::{AgentSocket, SocketName, display},
};

/// Connections of which it is being found out who answers. At the bound one is told without.
const ASKED_MAX: usize = 256;
/// Sockets of which it is remembered who answered, for repeats. At the bound all are forgotten, and repeats told without.
const ANSWERED_MAX: usize = 1_024;

/// Who answers at sockets.
#[derive(Default)]
pub(super) struct Answerers {
    asked: BTreeMap<u64, Box<AgentSocket>>,
    known: HashMap<RepeatKey, Answering>,
}

impl Answerers {
    /// Whether nothing is being found out.
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }
}

impl<S: Sink> Agent<S> {
    pub(super) fn connected_to_socket(&mut self, socket: &AgentSocket) {
        let process = socket.task.process;
        let is_agent = self.agent_at(socket).is_some();
        // One that is known by its name alone has no object under which its repeats could be counted.
        if socket.errno == 0 && socket.key.object != ObjectKey::default() {
            let first = if is_agent {
                First::Socket(Box::new(socket.clone()))
            } else {
                First::Dropped
            };
            self.repeats.keep(socket.key, process, first);
        }
        if !is_agent {
            self.accounts.received += 1;
            return self.accounts.drop_record(Dropped::NotInCatalogue);
        }
        if socket.errno != 0 || !self.ask_who_answers(socket) {
            // It was found above.
            let _told = self.tell_agent_socket(socket, None, None);
        }
    }

    /// Asks who answers; false where that cannot be asked.
    fn ask_who_answers(&mut self, socket: &AgentSocket) -> bool {
        let number = self.next_token;
        self.next_token += 1;
        let is_asked = self.answerers.asked.len() < ASKED_MAX
            && self.worker.who_answers(Listening {
                number,
                name: match &socket.name {
                    SocketName::Path(path) => path.bytes.clone(),
                    SocketName::Abstract(name) => [b"@", &name[..]].concat(),
                },
                client: socket.task.process,
                maker: socket.peer_pid,
            });
        if is_asked {
            self.answerers.asked.insert(number, Box::new(socket.clone()));
        }
        is_asked
    }

    /// It was found out who answers.
    pub(super) fn answers(&mut self, number: u64, who: Answering) {
        let Some(socket) = self.answerers.asked.remove(&number) else {
            return;
        };
        // Sockets that are known by their names alone have one key, whichever they are.
        if socket.key.object != ObjectKey::default() {
            if self.answerers.known.len() >= ANSWERED_MAX {
                self.answerers.known.clear();
            }
            self.answerers.known.insert(socket.key, who);
        }
        // It is an agent's, or nothing would have been asked; with another catalogue since, it is counted as dropped.
        let _told = self.tell_agent_socket(&socket, Some(who), None);
    }

    /// Tells repeats of a connection, with who answered the first.
    pub(super) fn tell_agent_socket_again(
        &mut self,
        socket: &AgentSocket,
        repeats: u64,
    ) -> Result<(), NotTold> {
        let who = self.answerers.known.get(&socket.key).copied();
        self.tell_agent_socket(socket, who, Some(repeats))
    }

    /// At the end nothing is found out any more.
    pub(super) fn give_up_answerers(&mut self) {
        for socket in std::mem::take(&mut self.answerers.asked).into_values() {
            let _told = self.tell_agent_socket(&socket, None, None);
        }
    }

    /// Which socket of the catalogue it is.
    fn agent_at(&self, socket: &AgentSocket) -> Option<Arc<Socket>> {
        let mut sockets = self.options.policy.catalogue.sockets().iter();
        sockets.find(|known| is_one_of(known, &socket.name)).cloned()
    }

    /// Tells a connection to a socket of the catalogue. With `repeats`, so many repeats of it, now.
    fn tell_agent_socket(
        &mut self,
        socket: &AgentSocket,
        who: Option<Answering>,
        repeats: Option<u64>,
    ) -> Result<(), NotTold> {
        self.accounts.received += 1;
        let Some(known) = self.agent_at(socket) else {
            return Err(self.drop_record(Dropped::NotInCatalogue));
        };
        let outcome = match socket.errno {
            0 => (Outcome::Succeeded, 0),
            errno => (Outcome::Denied, errno),
        };
        let mut part = Part {
            kind: known.kind().to_owned(),
            path: match &socket.name {
                SocketName::Path(path) => path.display(),
                SocketName::Abstract(name) => format!("@{}", display(name)),
            },
            ..Part::default()
        };
        let reason = match who {
            _ if socket.errno != 0 => "the connection was refused",
            Some(Answering::Process(process)) => {
                let (process, workload) = self.facts.other(process);
                (part.peer, part.peer_workload) = (Some(process), Some(workload));
                ""
            }
            Some(Answering::Nobody) => "no process has the socket open any more",
            Some(Answering::Several) => "several sockets have this name",
            None => "it was not found out in time",
        };
        reason.clone_into(&mut part.unknown_reason);
        // The superuser's own processes answer everybody, and nobody else's has to.
        part.of_another_user = match (socket.peer_uid, socket.task.euid) {
            (Some(peer), Some(own)) => peer != 0 && peer != own,
            _ => false,
        };
        let observation = self.observation(Probe::AgentSocket);
        let mut event = self
            .facts
            .used(EventKind::AgentSocketConnect, &socket.task, outcome, observation);
        at(&mut event, socket.time_boot_ns, repeats);
        event.agent_socket = Some(Box::new(part));
        self.push(event, None);
        Ok(())
    }
}

fn is_one_of(known: &Socket, name: &SocketName) -> bool {
    match name {
        SocketName::Path(path) => !path.truncated && known.has_path(&path.bytes),
        SocketName::Abstract(name) => known.has_abstract_name(name),
    }
}
