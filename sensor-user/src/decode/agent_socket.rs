//! Connections to sockets of this host.

use claviger_sensor_common::{AgentSocketRecord, RepeatKey};

use super::{DecodeError, FilePath, Task, numbers::id, path::used};

/// A process has connected to a socket of this host that has a name, or was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSocket {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Task,
    /// What the kernel half counts repeats under.
    pub key: RepeatKey,
    /// To which socket.
    pub name: SocketName,
    /// Who listens, or has made the socket for whoever does: its process id in the initial pid namespace; nothing where it is not known.
    pub peer_pid: Option<u32>,
    /// Its user.
    pub peer_uid: Option<u32>,
    /// The errno, positive; 0 where it succeeded.
    pub errno: u32,
}

/// What a socket is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketName {
    /// By the path of its file, as the root of its mount namespace shows it.
    Path(FilePath),
    /// In the abstract namespace, without its zero.
    Abstract(Vec<u8>),
}

impl AgentSocket {
    pub(super) fn from_record(record: &AgentSocketRecord) -> Result<Self, DecodeError> {
        let name = used(&record.name, "name_length", record.name_length)?;
        let name = match record.is_abstract {
            0 => {
                let path = FilePath::from_record(&record.path)?;
                SocketName::Path(if name.is_empty() {
                    path
                } else {
                    // Where it begins is the path: the process's root, or its directory.
                    let below = name.iter().position(|byte| *byte != b'/').unwrap_or(name.len());
                    path.join(&name[below..])
                })
            }
            1 => SocketName::Abstract(name.to_vec()),
            value => {
                return Err(DecodeError::OutOfRange {
                    field: "is_abstract",
                    value,
                });
            }
        };
        Ok(Self {
            time_boot_ns: record.header.time_boot_ns,
            task: Task::from(&record.task),
            key: record.key,
            name,
            peer_pid: (record.peer_pid != 0).then_some(record.peer_pid),
            peer_uid: id(record.peer_uid),
            errno: record.key.errno,
        })
    }
}
