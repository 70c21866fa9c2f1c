//! From the raw form to the valid one. Every rule about values stands here.

use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use claviger_sensor_common::OBJECTS_MAX;
use toml::Spanned;

use super::directories;
use super::raw::{Field, RawConfig};
use super::settings::{Batch, Catalogue, Config, Detector, FileOpenHook, Log, Metrics, Probes, Spool};

/// A value that no configuration may have.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) key: &'static str,
    pub(super) span: Range<usize>,
    pub(super) reason: String,
}

/// The least is a page of the largest size that kernels use.
const RING_SIZES: RangeInclusive<u32> = (64 << 10)..=(64 << 20);

/// What was refused so far.
#[derive(Default)]
struct Refusals(Vec<Refused>);

impl Refusals {
    /// The value or, where it is refused, the default.
    fn or<T>(&mut self, value: Result<T, Refused>, default: T) -> T {
        value.unwrap_or_else(|why| {
            self.0.push(why);
            default
        })
    }

    fn number(
        &mut self,
        key: &'static str,
        field: Field<u64>,
        allowed: RangeInclusive<u64>,
        default: u64,
    ) -> u64 {
        self.or(number(key, field, allowed, default), default)
    }

    fn path(&mut self, key: &'static str, field: Field<PathBuf>, default: PathBuf) -> PathBuf {
        match field {
            None => default,
            Some(value) => self.or(path(key, value), default),
        }
    }

    fn duration(
        &mut self,
        key: &'static str,
        field: Field<u64>,
        allowed: RangeInclusive<u64>,
        default: u64,
    ) -> Duration {
        Duration::from_millis(self.number(key, field, allowed, default))
    }
}

/// Takes the defaults where nothing is said, and in the place of what is refused.
pub(super) fn resolve(raw: RawConfig) -> (Config, Vec<Refused>) {
    let default = Config::default();
    let mut all = Refusals::default();
    let directory_spans = [
        span_of(&raw.state_dir),
        span_of(&raw.runtime_dir),
        span_of(&raw.catalogue.directory),
    ];
    let spool_span = span_of(&raw.spool.max_bytes)
        .or(span_of(&raw.spool.segment_bytes))
        .unwrap_or(0..0);
    let config = Config {
        state_dir: all.path("state_dir", raw.state_dir, default.state_dir),
        runtime_dir: all.path("runtime_dir", raw.runtime_dir, default.runtime_dir),
        host_name: raw
            .host_name
            .and_then(|value| all.or(host_name(value).map(Some), None)),
        detector: Detector {
            address: match raw.detector.address {
                None => default.detector.address,
                Some(text) => {
                    let address = text.get_ref().parse();
                    let address = address.map_err(|why| refused("detector.address", &text, format!("{why}")));
                    all.or(address, default.detector.address)
                }
            },
        },
        spool: Spool {
            max_bytes: all.number(
                "spool.max_bytes",
                raw.spool.max_bytes,
                (128 << 10)..=(1 << 44),
                default.spool.max_bytes,
            ),
            segment_bytes: all.number(
                "spool.segment_bytes",
                raw.spool.segment_bytes,
                (64 << 10)..=(1 << 30),
                default.spool.segment_bytes,
            ),
            when_full: raw
                .spool
                .when_full
                .map_or(default.spool.when_full, Spanned::into_inner),
        },
        batch: Batch {
            max_events: usize::try_from(all.number(
                "batch.max_events",
                raw.batch.max_events,
                1..=10_000,
                512,
            ))
            .unwrap_or(default.batch.max_events),
            max_delay: all.duration("batch.max_delay_ms", raw.batch.max_delay_ms, 1..=100, 100),
        },
        probes: Probes {
            file_open_hooks: match raw.probes.file_open_hooks {
                None => default.probes.file_open_hooks,
                Some(list) => all.or(hooks(list), default.probes.file_open_hooks),
            },
            self_test_interval: all.duration(
                "probes.self_test_interval_ms",
                raw.probes.self_test_interval_ms,
                1_000..=3_600_000,
                60_000,
            ),
            network: raw
                .probes
                .network
                .map_or(default.probes.network, Spanned::into_inner),
            compat_calls: raw
                .probes
                .compat_calls
                .map_or(default.probes.compat_calls, Spanned::into_inner),
            look_interval: all.duration(
                "probes.look_interval_ms",
                raw.probes.look_interval_ms,
                1_000..=3_600_000,
                1_500,
            ),
            ring_bytes: match &raw.probes.ring_bytes {
                None => default.probes.ring_bytes,
                Some(bytes) => all.or(ring_bytes(bytes), default.probes.ring_bytes),
            },
            priority_boost: u8::try_from(all.number(
                "probes.priority_boost",
                raw.probes.priority_boost,
                0..=20,
                default.probes.priority_boost.into(),
            ))
            .unwrap_or(default.probes.priority_boost),
        },
        catalogue: Catalogue {
            rescan_interval: all.duration(
                "catalogue.rescan_interval_ms",
                raw.catalogue.rescan_interval_ms,
                100..=3_600_000,
                2_000,
            ),
            extra_homes: match raw.catalogue.extra_homes {
                None => default.catalogue.extra_homes,
                Some(list) => all.or(homes(list), default.catalogue.extra_homes),
            },
            directory: all.path(
                "catalogue.directory",
                raw.catalogue.directory,
                default.catalogue.directory,
            ),
            search_interval: all.duration(
                "catalogue.search_interval_ms",
                raw.catalogue.search_interval_ms,
                1_000..=86_400_000,
                600_000,
            ),
            max_labelled_files: u32::try_from(all.number(
                "catalogue.max_labelled_files",
                raw.catalogue.max_labelled_files,
                64..=OBJECTS_MAX.into(),
                OBJECTS_MAX.into(),
            ))
            .unwrap_or(OBJECTS_MAX),
        },
        metrics: Metrics {
            listen: raw
                .metrics
                .listen
                .and_then(|value| all.or(listen(&value).map(Some), None)),
        },
        log: Log {
            level: raw.log.level.map_or(default.log.level, Spanned::into_inner),
            format: raw.log.format.map_or(default.log.format, Spanned::into_inner),
        },
    };
    // What belongs together is looked at where each by itself is right.
    if all.0.is_empty()
        && let Err(why) = fit(&config, &directory_spans, spool_span)
    {
        all.0.push(why);
    }
    (config, all.0)
}

/// Whether the values fit each other.
fn fit(
    config: &Config,
    directory_spans: &[Option<Range<usize>>; 3],
    spool_span: Range<usize>,
) -> Result<(), Refused> {
    if config.spool.max_bytes / 2 < config.spool.segment_bytes {
        return Err(Refused {
            key: "spool.max_bytes",
            span: spool_span,
            reason: format!(
                "{} must be at least twice spool.segment_bytes, which is {}",
                config.spool.max_bytes, config.spool.segment_bytes
            ),
        });
    }
    directories::check(config, directory_spans)
}

fn span_of<T>(field: &Field<T>) -> Option<Range<usize>> {
    field.as_ref().map(Spanned::span)
}

fn refused<T>(key: &'static str, value: &Spanned<T>, reason: String) -> Refused {
    Refused {
        key,
        span: value.span(),
        reason,
    }
}

fn number(
    key: &'static str,
    field: Field<u64>,
    allowed: RangeInclusive<u64>,
    default: u64,
) -> Result<u64, Refused> {
    match field {
        None => Ok(default),
        Some(value) if allowed.contains(value.get_ref()) => Ok(value.into_inner()),
        Some(value) => Err(refused(
            key,
            &value,
            format!(
                "{} is not in {} to {}",
                value.get_ref(),
                allowed.start(),
                allowed.end()
            ),
        )),
    }
}

fn path(key: &'static str, value: Spanned<PathBuf>) -> Result<PathBuf, Refused> {
    if is_plain_absolute(value.get_ref()) {
        return Ok(value.into_inner());
    }
    let reason = format!("{:?} must be an absolute path without \"..\"", value.get_ref());
    Err(refused(key, &value, reason))
}

fn is_plain_absolute(path: &Path) -> bool {
    path.is_absolute()
        && !path
            .components()
            .any(|part| part == std::path::Component::ParentDir)
}

fn host_name(value: Spanned<String>) -> Result<String, Refused> {
    let name = value.get_ref();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() || name.len() > 253 || !name.chars().all(plain) {
        let reason = format!("{name:?} is not a host name: 1 to 253 letters, digits, \"-\", \"_\" and \".\"");
        return Err(refused("host_name", &value, reason));
    }
    Ok(value.into_inner())
}

/// An address of this host: numbers, for a name could lead anywhere at the next start.
fn listen(value: &Spanned<String>) -> Result<SocketAddr, Refused> {
    let given: String = value.get_ref().chars().take(300).collect();
    match value.get_ref().parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        Ok(_) | Err(_) => {
            let reason =
                format!("{given:?} is not an address and a port: write \"127.0.0.1:9477\" or \"[::1]:9477\"");
            Err(refused("metrics.listen", value, reason))
        }
    }
}

fn hooks(value: Spanned<Vec<FileOpenHook>>) -> Result<Vec<FileOpenHook>, Refused> {
    const KEY: &str = "probes.file_open_hooks";
    let list = value.get_ref();
    if list.is_empty() {
        return Err(refused(
            KEY,
            &value,
            "the list is empty: without a hook nothing is seen".to_owned(),
        ));
    }
    if list
        .iter()
        .enumerate()
        .any(|(at, hook)| list[..at].contains(hook))
    {
        return Err(refused(KEY, &value, "a hook is listed twice".to_owned()));
    }
    Ok(value.into_inner())
}

fn ring_bytes(value: &Spanned<u64>) -> Result<u32, Refused> {
    match u32::try_from(*value.get_ref()) {
        Ok(bytes) if bytes.is_power_of_two() && RING_SIZES.contains(&bytes) => Ok(bytes),
        _ => {
            let reason = format!(
                "{} is not a power of two from {} to {}",
                value.get_ref(),
                RING_SIZES.start(),
                RING_SIZES.end()
            );
            Err(refused("probes.ring_bytes", value, reason))
        }
    }
}

fn homes(value: Spanned<Vec<PathBuf>>) -> Result<Vec<PathBuf>, Refused> {
    match value.get_ref().iter().find(|home| !is_plain_absolute(home)) {
        None => Ok(value.into_inner()),
        Some(home) => {
            let reason = format!("{home:?} must be an absolute path without \"..\"");
            Err(refused("catalogue.extra_homes", &value, reason))
        }
    }
}
