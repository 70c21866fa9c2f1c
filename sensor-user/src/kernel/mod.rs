//! The room that talks to the kernel: loads the programs, chooses the hooks, hands out records, sets labels, reads the accounts.
//!
//! - It is the only room that names aya, and the only one with `unsafe`.
//! - A hook is in use only after it was seen to work: the canary is the labelling handshake itself, so a hook that is attached and
//!   never runs, or that reads at wrong offsets, is found out before anything relies on it.
//! - Nothing it does outlives it: programs and links go with their descriptors, nothing is pinned, and the file systems it has to mount
//!   are seen by one thread of its own that has ended when loading is done.

mod accounts;
mod agent_sockets;
mod attach;
mod attached;
mod begun;
pub mod canary;
mod changes;
#[cfg(feature = "debug-logs")]
mod debug_logs;
mod endpoints;
mod error;
mod fill;
mod functions;
mod handle;
mod hook;
mod hooks;
mod labeller;
mod layers;
mod left_opens;
mod load;
mod network;
mod object;
mod offsets;
mod open_descriptors;
mod own;
mod own_threads;
mod preconditions;
mod private_mounts;
mod probe_state;
mod repeats;
mod ring;
mod secret_names;
mod tamper;
mod topmost_cgroup;
mod types;

pub use accounts::{Accounts, CpuAccounts, ProbeAccounts, kernel_losses};
pub use attached::Attached;
pub use endpoints::{Endpoints, EndpointsError};
pub use error::KernelError;
pub use fill::{Fill, MAPS, MapFill};
pub use handle::{FileHandle, hold_by_number};
pub use hooks::name as hook_name;
pub use labeller::{LabelError, Labeller, Purpose};
pub use layers::{Layers, NO_LAYERS};
pub use left_opens::{LeftOpen, LeftOpens};
pub use load::{Kernel, LoadOptions};
pub use object::OBJECT;
pub use offsets::resolve as resolve_offsets;
pub use open_descriptors::{LookError, OpenDescriptors};
pub use own::{BpfObject, OwnBpf};
pub use preconditions::active_lsms;
pub use probe_state::{HookTrial, ProbeState};
pub use repeats::{RepeatError, Repeats};
pub use ring::{Mark, Records};
pub use secret_names::{SecretNames, SecretNamesError};
