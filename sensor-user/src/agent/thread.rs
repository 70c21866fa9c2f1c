//! A thread of its own for the agent: what it waits for must not hold up those who send.

use std::{io, thread};

use rustix::process::{getpriority_process, setpriority_process};
use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    task::yield_now,
};

use super::{Accounts, Agent, AgentError, Control, Sink};

/// Runs an agent to its end, on a thread of its own, whose nice value is lower by `priority_boost`, as is that of those which it starts. What it returns
/// comes through the channel; nothing does where it panicked.
///
/// # Errors
/// The system has no thread, or no timer, left.
pub fn run_on_thread<S: Sink + Send + 'static>(
    agent: Agent<S>,
    control: mpsc::Receiver<Control>,
    priority_boost: u8,
) -> io::Result<oneshot::Receiver<Result<(S, Accounts), AgentError>>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (done, ended) = oneshot::channel();
    thread::Builder::new()
        .name("claviger-agent".into())
        .spawn(move || {
            boost_priority(priority_boost);
            let returned = runtime.block_on(async {
                let returned = agent.run(control).await;
                // Those who asked to be told when all was delivered hear of it.
                yield_now().await;
                returned
            });
            // Whoever started it may be gone.
            let _gone = done.send(returned);
        })?;
    Ok(ended)
}

/// Lowers the nice value of this thread. It takes CAP_SYS_NICE; without, the agent works all the same.
fn boost_priority(boost: u8) {
    if boost == 0 {
        return;
    }
    // For Linux these calls are about a thread, and nothing named is the calling one.
    let boosted =
        getpriority_process(None).and_then(|nice| setpriority_process(None, nice - i32::from(boost)));
    if let Err(error) = boosted {
        tracing::warn!(%error, "the priority of the thread that takes records stays as it is (probes.priority_boost)");
    }
}
