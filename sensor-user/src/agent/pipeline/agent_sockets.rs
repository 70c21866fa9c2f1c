//! Connections to sockets of programs that hold keys.

use claviger_proto::{catalogue::Socket, v1::AgentSocket as Part};

use super::*;
use crate::{
    agent::repeats::First,
    decode::{AgentSocket, SocketName, display},
};

impl<S: Sink> Agent<S> {
    pub(super) fn connected_to_socket(&mut self, socket: &AgentSocket) {
        let told = self.tell_agent_socket(socket, None);
        if socket.errno != 0 {
            return;
        }
        let process = socket.task.process;
        let first = match told {
            Ok(()) => First::Socket(Box::new(socket.clone())),
            Err(_) => First::Dropped,
        };
        self.repeats.keep(socket.key, process, first);
    }

    /// Tells a connection to a socket of the catalogue. With `repeats`, so many repeats of it, now.
    pub(super) fn tell_agent_socket(
        &mut self,
        socket: &AgentSocket,
        repeats: Option<u64>,
    ) -> Result<(), NotTold> {
        self.accounts.received += 1;
        let catalogue = Arc::clone(&self.options.policy.catalogue);
        let mut sockets = catalogue.sockets().iter();
        let Some(known) = sockets.find(|known| is_one_of(known, &socket.name)) else {
            return Err(self.drop_record(Dropped::NotInCatalogue));
        };
        let outcome = match socket.errno {
            0 => (Outcome::Succeeded, 0),
            errno => (Outcome::Denied, errno),
        };
        let peer = socket.peer_pid.and_then(|pid| self.facts.processes.with_pid(pid));
        let mut part = Part {
            kind: known.kind().to_owned(),
            path: match &socket.name {
                SocketName::Path(path) => path.display(),
                SocketName::Abstract(name) => format!("@{}", display(name)),
            },
            ..Part::default()
        };
        match (peer, socket.peer_pid) {
            (Some(process), _) => {
                let (process, workload) = self.facts.other(process);
                (part.peer, part.peer_workload) = (Some(process), Some(workload));
            }
            (None, Some(_)) => "who made the socket has ended".clone_into(&mut part.unknown_reason),
            (None, None) if socket.errno != 0 => {
                "the connection was refused".clone_into(&mut part.unknown_reason);
            }
            (None, None) => "the kernel does not say".clone_into(&mut part.unknown_reason),
        }
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
