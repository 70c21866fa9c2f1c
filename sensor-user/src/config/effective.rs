//! The effective configuration, written as a configuration file.

use std::time::Duration;

use serde::Serialize;
use toml::Spanned;

use super::Config;
use super::raw::{
    Field, RawBatch, RawCatalogue, RawConfig, RawDetector, RawLog, RawMetrics, RawProbes, RawSpool,
};

impl Config {
    /// Every value that holds, in the form of the configuration file: for `config show`.
    #[must_use]
    pub fn effective(&self) -> impl Serialize + use<> {
        RawConfig {
            state_dir: said(self.state_dir.clone()),
            runtime_dir: said(self.runtime_dir.clone()),
            host_name: said(self.effective_host_name()),
            detector: RawDetector {
                address: said(self.detector.address.to_string()),
            },
            spool: RawSpool {
                max_bytes: said(self.spool.max_bytes),
                segment_bytes: said(self.spool.segment_bytes),
                when_full: said(self.spool.when_full),
            },
            batch: RawBatch {
                max_events: said(self.batch.max_events as u64),
                max_delay_ms: said(milliseconds(self.batch.max_delay)),
            },
            probes: RawProbes {
                file_open_hooks: said(self.probes.file_open_hooks.clone()),
                self_test_interval_ms: said(milliseconds(self.probes.self_test_interval)),
                compat_calls: said(self.probes.compat_calls),
                network: said(self.probes.network),
                ring_bytes: said(self.probes.ring_bytes.into()),
                priority_boost: said(self.probes.priority_boost.into()),
                look_interval_ms: said(milliseconds(self.probes.look_interval)),
            },
            catalogue: RawCatalogue {
                rescan_interval_ms: said(milliseconds(self.catalogue.rescan_interval)),
                extra_homes: said(self.catalogue.extra_homes.clone()),
                directory: said(self.catalogue.directory.clone()),
                search_interval_ms: said(milliseconds(self.catalogue.search_interval)),
                max_labelled_files: said(self.catalogue.max_labelled_files.into()),
            },
            metrics: RawMetrics {
                listen: self.metrics.listen.and_then(|address| said(address.to_string())),
            },
            log: RawLog {
                level: said(self.log.level),
                format: said(self.log.format),
            },
        }
    }
}

fn said<T>(value: T) -> Field<T> {
    Some(Spanned::new(0..0, value))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
