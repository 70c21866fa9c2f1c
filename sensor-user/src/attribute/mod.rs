//! Who did it and on whose behalf: processes, their ancestors, and the workload as an operator names it.
//!
//! - What the kernel half saw at the moment of a use comes first; /proc and the cgroup file system only add to it, and a process that is
//!   gone loses nothing that the snapshot had.
//! - A pid means nothing without its start: every look into /proc is confirmed by field 22 of `stat`.
//! - Unknown is said, with the reason. Every statement about a workload names what it rests on.
//! - Bounds: the process table holds at most [`process_table::LIVE_MAX`] living and [`process_table::ENDED_MAX`] ended processes; the
//!   cgroup cache at most [`cgroups::CACHE_MAX`] paths.

mod cgroup_path;
pub mod cgroups;
mod keys;
mod mounted;
mod proc_fs;
pub mod process_table;
mod users;
mod workload;

pub use cgroup_path::{CgroupRole, classify};
pub use cgroups::{CACHE_MAX as CGROUPS_MAX, Cgroups};
pub use keys::{KeyFacts, key_facts};
pub use mounted::is_mounted;
pub use proc_fs::{
    boot_id, is_own_mount_namespace, is_own_pid_namespace, mount_namespace_of, process_in_namespace,
    start_ticks_of,
};
pub use process_table::{ENDED_MAX, FRUITLESS_MAX, LIVE_MAX, ProcessFacts, ProcessTable};
pub use users::Users;
pub use workload::{WorkloadContext, workload};
