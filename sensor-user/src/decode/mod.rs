//! From bytes to records: what the kernel half wrote, as types that the rest of the agent can rely on.
//!
//! - Pure and total: any bytes give a record or an error, never a panic (property test and fuzz target).
//! - Nothing of the kernel's encoding leaves this room: device numbers, ticks, unknown ids and paths come out as user space knows them.

mod change;
mod error;
mod numbers;
mod path;
mod record;
mod task;

pub use change::{Attributes, Change, Changed, End, Known};
pub use error::DecodeError;
pub use numbers::{NANOSECONDS_PER_TICK, ticks};
pub use path::{FilePath, display};
pub use record::{
    Access, Attempt, Exec, FileOperation, FileUse, Match, Object, ProcessSecret, Record, SecretPart, Target,
    decode,
};
pub use task::{ProcessKey, Task};
