//! What an operator can set. `detector.full.toml` shows every option with its default.

use std::io;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::regular;

/// Where the configuration is looked for unless told otherwise.
pub const DEFAULT_PATH: &str = "/etc/claviger/detector.toml";
/// The most bytes that it may have.
const MAX_BYTES: u64 = 1 << 20;

/// Why there is no valid configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that makes no sense.
    #[error("{path}:{line}:{column}: {key}: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// The option.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Text that is not what is wanted: no TOML, an unknown option, a wrong type. The message names line and option.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        message: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The detector's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where sensors and operators connect to.
    pub listen: SocketAddr,
    /// Further DNS names and addresses in the server's certificate, beside localhost, the loopback addresses and the host's name.
    pub server_names: Vec<String>,
    /// Connections at the same time with a certificate. One more waits a while for another's end.
    pub max_connections: u32,
    /// What is logged, as `error`, `warn`, `info`, `debug`, `trace`, or by target as `info,claviger_detector::receive=debug`.
    pub log_level: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/claviger/detector"),
            listen: SocketAddr::from(([127, 0, 0, 1], 7402)),
            server_names: Vec::new(),
            max_connections: 1024,
            log_level: "info".into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    data_dir: Option<Spanned<PathBuf>>,
    listen: Option<SocketAddr>,
    server_names: Option<Spanned<Vec<String>>>,
    max_connections: Option<Spanned<u32>>,
    log_level: Option<Spanned<String>>,
}

impl Config {
    /// Reads the file at `path`; without one, [`DEFAULT_PATH`], and the defaults where that is not there.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let named = path.unwrap_or(Path::new(DEFAULT_PATH));
        let text = regular::read(named, MAX_BYTES).and_then(|bytes| {
            String::from_utf8(bytes)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
        });
        match text {
            Ok(text) => Self::parse(&text, named),
            Err(error) if path.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Read {
                path: named.to_owned(),
                source,
            }),
        }
    }

    /// Parses a text; `path` is only for the errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        let spans = (
            span(&raw.data_dir),
            span(&raw.server_names),
            span(&raw.max_connections),
            span(&raw.log_level),
        );
        let invalid = |key, at: usize, reason: &str| {
            let (line, column) = line_and_column(text, at);
            ConfigError::Invalid {
                path: path.to_owned(),
                line,
                column,
                key,
                reason: reason.into(),
            }
        };
        let default = Self::default();
        let config = Self {
            data_dir: raw.data_dir.map_or(default.data_dir, Spanned::into_inner),
            listen: raw.listen.unwrap_or(default.listen),
            server_names: raw.server_names.map_or(default.server_names, Spanned::into_inner),
            max_connections: raw
                .max_connections
                .map_or(default.max_connections, Spanned::into_inner),
            log_level: raw.log_level.map_or(default.log_level, Spanned::into_inner),
        };
        if let Err(reason) = can_be_kept_in(&config.data_dir) {
            return Err(invalid("data_dir", spans.0, reason));
        }
        if config.max_connections == 0 {
            return Err(invalid("max_connections", spans.2, "must be at least 1"));
        }
        if let Some(name) = config.server_names.iter().find(|name| !is_name(name)) {
            let reason = format!("{name:?} is neither a DNS name nor an address");
            return Err(invalid("server_names", spans.1, &reason));
        }
        if config.log_level.parse::<tracing_subscriber::EnvFilter>().is_err() {
            return Err(invalid("log_level", spans.3, "is not a level such as \"info\""));
        }
        Ok(config)
    }
}

/// File systems of the kernel, in which nothing can be kept.
const NOT_DISKS: [&str; 3] = ["/proc", "/sys", "/dev"];

fn can_be_kept_in(data_dir: &Path) -> Result<(), &'static str> {
    if !data_dir.is_absolute() {
        Err("must be an absolute path")
    } else if data_dir.components().any(|part| part == Component::ParentDir) {
        Err("must be a path without \"..\"")
    } else if data_dir.parent().is_none() {
        Err("must not be the root, but a directory that nothing else uses")
    } else if NOT_DISKS.iter().any(|top| data_dir.starts_with(top)) {
        Err("must not lie in /proc, /sys or /dev: what is there is not kept")
    } else if data_dir.exists() && !data_dir.is_dir() {
        Err("is there and is no directory: name another, or move what is there")
    } else {
        Ok(())
    }
}

fn span<T>(field: &Option<Spanned<T>>) -> usize {
    field.as_ref().map_or(0, |value| value.span().start)
}

/// Line and column, both from 1, the column in characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

fn is_name(name: &str) -> bool {
    rustls::pki_types::ServerName::try_from(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(text: &str) -> String {
        Config::parse(text, Path::new("x.toml"))
            .expect_err("is refused")
            .to_string()
    }

    #[test]
    fn the_full_example_is_the_defaults() {
        let full = include_str!("../detector.full.toml");
        assert_eq!(
            Config::parse(full, Path::new("detector.full.toml")).expect("parses"),
            Config::default()
        );
        assert_eq!(
            Config::parse("", Path::new("x.toml")).expect("parses"),
            Config::default()
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_its_file() {
        let error = refuse("listn = \"127.0.0.1:1\"");
        assert!(
            error.contains("x.toml") && error.contains("listn") && error.contains("listen"),
            "{error}"
        );
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let file = format!("{:?}", file.path());
        for nonsense in [
            "\"here\"",
            "\"/\"",
            "\"/a/../b\"",
            "\"/proc/1\"",
            "\"/dev/shm\"",
            &file,
        ] {
            let error = refuse(&format!("# mine\ndata_dir = {nonsense}"));
            assert!(error.starts_with("x.toml:2:12: data_dir: "), "{error}");
        }
        assert!(refuse("max_connections = 0").contains("max_connections"));
        assert!(refuse("server_names = [\"a b\"]").contains("server_names"));
        assert!(refuse("log_level = \"=,=\"").contains("log_level"));
        assert!(refuse("listen = \"nowhere\"").contains("listen"));
    }

    #[test]
    fn a_file_that_is_asked_for_must_be_there() {
        let missing = Path::new("/nonexistent/claviger.toml");
        assert!(matches!(
            Config::load(Some(missing)),
            Err(ConfigError::Read { .. })
        ));
    }

    #[test]
    fn only_a_regular_file_of_bounded_size_is_read() {
        let root = tempfile::tempdir().expect("a directory");
        let (fifo, large) = (root.path().join("fifo"), root.path().join("large.toml"));
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).expect("makes");
        let file = std::fs::File::create(&large).expect("creates");
        file.set_len(MAX_BYTES + 1).expect("grows");
        for (path, why) in [
            (fifo.as_path(), "no regular file"),
            (Path::new("/dev/zero"), "no regular file"),
            (&large, "more than"),
        ] {
            let Err(ConfigError::Read { source, .. }) = Config::load(Some(path)) else {
                panic!("{} is read", path.display())
            };
            assert!(source.to_string().contains(why), "{source}");
        }
    }
}
