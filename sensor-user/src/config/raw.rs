//! The raw form: what the file says, each value with its place in the file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::settings::{FileOpenHook, LogFormat, LogLevel, Network, WhenFull};

/// A value that may be left out.
pub(super) type Field<T> = Option<Spanned<T>>;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawConfig {
    pub(super) state_dir: Field<PathBuf>,
    pub(super) runtime_dir: Field<PathBuf>,
    pub(super) host_name: Field<String>,
    pub(super) detector: RawDetector,
    pub(super) spool: RawSpool,
    pub(super) batch: RawBatch,
    pub(super) probes: RawProbes,
    pub(super) catalogue: RawCatalogue,
    pub(super) metrics: RawMetrics,
    pub(super) log: RawLog,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawDetector {
    pub(super) address: Field<String>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSpool {
    pub(super) max_bytes: Field<u64>,
    pub(super) segment_bytes: Field<u64>,
    pub(super) when_full: Field<WhenFull>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawBatch {
    pub(super) max_events: Field<u64>,
    pub(super) max_delay_ms: Field<u64>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawProbes {
    pub(super) file_open_hooks: Field<Vec<FileOpenHook>>,
    pub(super) self_test_interval_ms: Field<u64>,
    pub(super) look_interval_ms: Field<u64>,
    pub(super) compat_calls: Field<bool>,
    pub(super) network: Field<Network>,
    pub(super) ring_bytes: Field<u64>,
    pub(super) priority_boost: Field<u64>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawCatalogue {
    pub(super) rescan_interval_ms: Field<u64>,
    pub(super) extra_homes: Field<Vec<PathBuf>>,
    pub(super) directory: Field<PathBuf>,
    pub(super) search_interval_ms: Field<u64>,
    pub(super) max_labelled_files: Field<u64>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawMetrics {
    pub(super) listen: Field<String>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLog {
    pub(super) level: Field<LogLevel>,
    pub(super) format: Field<LogFormat>,
}
