//! What an agent is started with, told while it runs, and fails with.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use tokio::sync::oneshot;

use super::{Kept, Own, RememberedFile, WatchedUntil};
use crate::{config::Policy, kernel::KernelError, metrics::Published};

/// What an agent needs to know.
pub struct AgentOptions {
    /// This host's name.
    pub host: String,
    /// Most events in a batch.
    pub batch_max_events: usize,
    /// How long an event waits for its attribution.
    pub batch_max_delay: Duration,
    /// Whether an event is handed on as soon as it is attributed, rather than in batches: a trace does.
    pub eager: bool,
    /// How often the places of credentials are looked through.
    pub rescan_interval: Duration,
    /// How often the whole host is searched for what can lie anywhere; nothing for an agent that does not live long enough.
    pub search_interval: Option<Duration>,
    /// How often open descriptors are looked through where hooks do not see all ways to one; nothing for an agent that does not look at all.
    pub look_interval: Option<Duration>,
    /// Directories that are homes although no user has them.
    pub extra_homes: Vec<PathBuf>,
    /// What is watched.
    pub policy: Policy,
    /// Whether every TLS session is told, not only those with identity providers.
    pub all_tls: bool,
    /// How the probes are tested while they run; nothing for an agent that does not live long enough.
    pub self_test: Option<SelfTestOptions>,
    /// The sensor's own files.
    pub own: Own,
    /// Where the control socket is made; nothing for an agent that has none.
    pub runtime_dir: Option<PathBuf>,
    /// Until when this host was watched before; nothing for an agent that does not keep it.
    pub watched_until: Option<WatchedUntil>,
    /// Where what is known by its history only is written down for the next start; nothing for an agent that forgets it.
    pub remembered: Option<RememberedFile>,
    /// Where the metrics are published; nothing for an agent that nobody reads any from.
    pub metrics: Option<Published>,
    /// Whether to report about itself and about the time before: a sensor does, a trace does not.
    pub report_itself: bool,
}

/// How the probes are tested.
#[derive(Clone, Debug)]
pub struct SelfTestOptions {
    /// How often.
    pub interval: Duration,
    /// A program that ends at once, and its arguments.
    pub canary_command: Vec<OsString>,
}

/// Why the agent cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The kernel half.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A step failed in the system.
    #[error("{step}")]
    Io {
        /// What was done.
        step: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The worker thread is gone.
    #[error("the thread that labels files has ended")]
    WorkerGone,
    /// The thread that keeps what is told ended, which it does on a panic only.
    #[error("the thread that keeps what is told has ended")]
    KeeperGone,
}

/// What can be asked of a running agent from within its process.
pub enum Control {
    /// Deliver everything that happened until now, then answer with the last event's id.
    Flush(oneshot::Sender<Kept>),
    /// Take another policy; the one before holds until all that this one names is labelled. Then answer; no answer comes where it cannot be taken.
    Policy(Box<Policy>, oneshot::Sender<()>),
    /// Another policy was to be taken and is wrong, for this reason; the one before goes on.
    PolicyRefused(String),
    /// Deliver everything and end.
    Stop,
}
