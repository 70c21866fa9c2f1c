//! How long-lived streams learn that the detector stops.

use tokio::sync::watch;

/// Tells everybody, once.
#[derive(Debug)]
pub(super) struct Stop(watch::Sender<bool>);

/// Hears of it.
#[derive(Clone, Debug)]
pub(super) struct Stopping(watch::Receiver<bool>);

pub(super) fn stop() -> (Stop, Stopping) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Stopping(receiver))
}

impl Stop {
    pub(super) fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Stopping {
    /// Returns when the detector stops.
    pub(super) async fn wait(&mut self) {
        // An error means that the sender is gone, and the detector with it.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}
