//! `serve`.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::Which;
use crate::receive::serve;

/// Beside the configuration's level, what the environment says goes first.
const LOG_VARIABLE: &str = "CLAVIGER_LOG";

#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    which: Which,
    /// Where to listen; port 0 takes a free one, which then stands in DIR/listening [default: the configuration's, 127.0.0.1:7402]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut config = self.which.config()?;
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        let filter = EnvFilter::try_from_env(LOG_VARIABLE).or_else(|_| EnvFilter::try_new(&config.log_level));
        let log = tracing_subscriber::fmt()
            .with_writer(anstream::stderr)
            // What cannot be written would be told in the same place, by what panics where that cannot be written.
            .log_internal_errors(false)
            .with_env_filter(filter?);
        log.try_init()
            .map_err(|error| anyhow::anyhow!("cannot set up logging: {error}"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.context("cannot start threads")?.block_on(async {
            let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
            let mut detector = serve::start(&config).await?;
            notify(&NotifyState::Ready);
            let failed = tokio::select! {
                _ = interrupt.recv() => false,
                _ = terminate.recv() => false,
                () = detector.failed() => true,
            };
            notify(&NotifyState::Stopping);
            detector.stop().await;
            anyhow::ensure!(!failed, "a part of the detector failed; see the log");
            Ok(())
        })
    }
}

pub(super) fn on(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("cannot wait for signals")
}

/// Tells the service manager, where there is one.
pub(super) fn notify(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
