//! A thread of its own for the agent: it writes to the disk, which must not hold up those who send.
//!
//! It always being the same one also keeps the C library's allocator from setting memory aside for each thread that it ever ran on.

use std::{io, thread};

use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    task::yield_now,
};

use super::{Accounts, Agent, AgentError, Control, Sink};

/// Runs an agent to its end, on a thread of its own. What it returns comes through the channel; nothing does where it panicked.
///
/// # Errors
/// The system has no thread, or no timer, left.
pub fn run_on_thread<S: Sink + Send + 'static>(
    agent: Agent<S>,
    control: mpsc::Receiver<Control>,
) -> io::Result<oneshot::Receiver<Result<(S, Accounts), AgentError>>> {
    let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
    let (done, ended) = oneshot::channel();
    thread::Builder::new()
        .name("claviger-agent".into())
        .spawn(move || {
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
