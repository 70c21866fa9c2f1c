//! From bytes to records: what the kernel half wrote, as types that the rest of the agent can rely on.
//!
//! - Pure and total: any bytes give a record or an error, never a panic (property test and fuzz target).
//! - Nothing of the kernel's encoding leaves this room: device numbers, ticks, unknown ids and paths come out as user space knows them.

mod agent_socket;
mod arguments;
mod change;
mod core_dump;
mod directory_list;
mod error;
mod given;
mod held;
mod hold;
mod kernel_key;
mod network;
mod numbers;
mod options;
mod path;
mod process_secret;
mod program;
mod program_secret;
mod record;
mod runs;
mod tamper;
mod task;
mod written;

pub use agent_socket::{AgentSocket, SocketName};
pub use change::{Attributes, Change, Changed, End, Known, Paths};
pub use core_dump::CoreDump;
pub use directory_list::DirectoryList;
pub use error::DecodeError;
pub use given::Above;
pub use held::Held;
pub use hold::Hold;
pub use kernel_key::{KernelKey, KeyOperation};
pub use network::{Connect, Packet, Socket, Transport};
pub use numbers::{NANOSECONDS_PER_TICK, ticks};
pub use path::{FilePath, display};
pub use process_secret::{Came, ProcessSecret, SecretPart, Target};
pub use program::{Carried, CarriedFile, Given, Marks, Program};
pub use program_secret::{ProgramSecret, SecretName};
pub use record::{
    Access, Attempt, Exec, FileOperation, FileUse, Match, Object, Record, RootId, Start, decode,
};
pub use runs::{NotTold, Runs};
pub use tamper::{Covers, Done, Tamper};
pub use task::{ProcessKey, ProgramRun, Task};
pub use written::Written;
