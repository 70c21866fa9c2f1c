//! Who did it and on whose behalf: processes, their ancestors, and the workload as an operator names it.
//!
//! - What the kernel half saw at the moment of a use comes first; /proc and the cgroup file system only add to it, and a process that is
//!   gone loses nothing that the snapshot had.
//! - A pid means nothing without its start: every look into procfs is confirmed by field 22 of `stat`. It is a procfs that nobody can mount over
//!   (`procfs.rs`).
//! - What a process calls itself decides nothing: its executable is known by the object, its program run by a number of the kernel's.
//! - The path of a program proves nothing: it is compared with what lies there (`program_place.rs`).
//! - Unknown is said, with the reason. Every statement about a workload names what it rests on.
//! - Bounds: the process table holds at most [`process_table::LIVE_MAX`] living and [`process_table::ENDED_MAX`] ended processes; the
//!   cgroup cache at most [`cgroups::CACHE_MAX`] paths.

mod applets;
mod cgroup_path;
pub mod cgroups;
mod code_in_environment;
mod core_pattern;
mod kept_to_itself;
mod keys;
mod listening;
mod mounted;
mod open_files;
mod proc_fs;
mod process_facts;
pub mod process_table;
mod procfs;
mod program_place;
mod run;
mod users;
mod workload;

pub use cgroup_path::{CgroupRole, classify};
pub use cgroups::{CACHE_MAX as CGROUPS_MAX, Cgroups};
pub use code_in_environment::{CODE_COMING_MAX, CodeInEnvironment};
pub use core_pattern::{Dumped, core_path};
pub use kept_to_itself::{part_of, secret_of};
pub use keys::{KeyFacts, key_facts};
pub use listening::{Answering, who_answers};
pub use mounted::{DeviceNumber, devices_of, is_mounted};
pub use open_files::open_file_of;
pub use proc_fs::{
    boot_id, cgroup_of, is_ending, is_own_mount_namespace, is_own_pid_namespace, is_own_user_namespace,
    mount_namespace_of, own_pid_namespace, process_in_namespace, process_of_thread, program_of, root_of,
    start_ticks_of, thread_of,
};
pub use process_facts::ProcessFacts;
pub use process_table::{ENDED_MAX, FRUITLESS_MAX, LIVE_MAX, ProcessTable};
pub use procfs::{Identity, ProcessDirectory, pids};
pub use program_place::{Place, Sought};
pub use run::Run;
pub use users::Users;
pub use workload::{WorkloadContext, workload};
