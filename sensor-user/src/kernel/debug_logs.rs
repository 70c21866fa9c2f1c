//! Log lines of the programs, for debugging them. Not in what is shipped: see the feature `debug-logs`.

use aya::Ebpf;
use aya_log::EbpfLogger;
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
};

/// Forwards log lines to this process's log until the runtime ends.
#[expect(
    unsafe_code,
    reason = "the runtime polls the descriptor that the logger says it has"
)]
pub(super) fn start(ebpf: &mut Ebpf, runtime: &Handle) {
    let logger = match EbpfLogger::init(ebpf) {
        Ok(logger) => logger,
        Err(error) => {
            tracing::warn!(%error, "the programs' log lines cannot be read");
            return;
        }
    };
    runtime.spawn(async move {
        // SAFETY: an EbpfLogger owns its ring's descriptor, returns the same one always, and closes it only when it is dropped.
        let registered = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) };
        let Ok(mut logger) = registered else { return };
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    });
}
