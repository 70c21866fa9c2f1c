//! The sensor's own log, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging. `CLAVIGER_LOG` overrides the level, in the form of tracing's filters (`claviger_sensor::forward=debug`).
pub(super) fn start(log: &Log) {
    let filter = EnvFilter::try_from_env("CLAVIGER_LOG").unwrap_or_else(|_| EnvFilter::new(log.level.word()));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // What cannot be written would be told in the same place, by what panics where that cannot be written.
        .log_internal_errors(false)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match log.format {
        LogFormat::Json => subscriber.json().try_init(),
        LogFormat::Text => subscriber.try_init(),
    };
    if let Err(error) = started {
        // Only a second start in one process fails, and then the first goes on.
        tracing::debug!(%error, "logging was started before");
    }
}
