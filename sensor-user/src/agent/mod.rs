//! The agent: puts the rooms together. Records come in, events go out, in one loop that owns all state.
//!
//! - Nothing waits for a file system but hands, threads which are given up where one does not answer (`hands.rs`): those of the worker, of the search of the
//!   whole host, and of the look into containers' roots. The worker's answers can come too late and are then amendments. Another thread waits for the
//!   look through open descriptors.
//! - What is told is sealed and kept by a thread of its own (`keeper.rs`), so that a disk that stands still holds up no record.
//! - An event waits at most the batch's delay for its attribution, then it goes out as it is.
//! - Every record is delivered or counted by the reason for which it was not ([`Accounts`]); losses become `gap` events.
//! - Bounds: [`QUEUE_MAX`] questions to the worker, [`PENDING_MAX`] events waiting, [`LATE_MAX`] sealed events whose answer is awaited, eight
//!   batches that wait to be kept,
//!   [`PEERS_MAX`] other sensors, as many uses whose repeats are counted as the kernel half's map holds.

mod accounts;
mod asks;
mod balance;
mod boot_clock;
mod bounds;
mod chains;
mod condition;
mod control;
mod copies;
mod current;
mod elsewhere;
mod events;
mod evidence_report;
mod follow;
mod hands;
mod inventory;
mod keeper;
mod knowledge;
mod known;
mod labelled;
mod labelling;
mod labels;
mod lock;
mod looks;
mod map_fill;
mod measured;
mod messages;
mod options;
mod originals;
mod own;
mod peers;
mod pending;
mod pipeline;
mod placed;
mod placing;
mod publicly;
mod reasons;
mod remembered;
mod repeats;
mod roots;
mod search;
mod seen_from;
mod self_test;
mod self_usage;
mod shares;
mod sink;
mod thread;
mod told;
mod watched_until;
mod ways;
mod worker;

pub use accounts::Accounts;
pub use condition::PolicyReport;
pub use control::{Answer, ControlError, CpuReport, Flushed, ProbeReport, Request, Status, ask};
pub use evidence_report::EvidenceReport;
pub use inventory::{Exposure, Lying, Part, inventory};
pub use lock::{LockError, RunLock};
pub use measured::METRIC_GROUPS;
pub use messages::{LeftOutAt, ScanCounts};
pub use options::{AgentError, AgentOptions, Control, SelfTestOptions};
pub use own::Own;
pub use peers::PEERS_MAX;
pub use pending::{LATE_MAX, PENDING_MAX};
pub use pipeline::{Agent, Kept};
pub use remembered::{
    FileSystem, History, REMEMBERED_MAX, Remembered, RememberedError, RememberedFile, RememberedOne,
};
pub use self_test::SelfTestReport;
pub use self_usage::SelfUsage;
pub use sink::{Delivered, Evidence, EvidenceStatus, Ids, Sink};
pub use thread::run_on_thread;
pub use watched_until::WatchedUntil;
pub use worker::QUEUE_MAX;
