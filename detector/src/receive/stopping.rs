//! How long-lived streams learn that the detector stops, and how the detector learns that a part of it has ended.

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

/// Held by a part of the detector for as long as it lives.
#[derive(Debug)]
pub(super) struct Alive(
    #[expect(dead_code, reason = "it says something by being dropped")] watch::Sender<()>,
);

/// Hears of a part's end.
#[derive(Clone, Debug)]
pub(super) struct Ended(watch::Receiver<()>);

pub(super) fn life() -> (Alive, Ended) {
    let (sender, receiver) = watch::channel(());
    (Alive(sender), Ended(receiver))
}

impl Ended {
    /// Returns when the part has ended, in order or in a panic.
    pub(super) async fn wait(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_in_a_panic_is_heard_of_too() {
        let (alive, mut ended) = life();
        let thread = std::thread::spawn(move || {
            let _alive = alive;
            panic!("as planned");
        });
        ended.wait().await;
        ended.wait().await;
        assert!(thread.join().is_err());
    }
}
