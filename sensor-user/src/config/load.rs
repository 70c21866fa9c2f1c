//! From a file to a configuration.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use super::locate::{key_at, line_and_column};
use super::raw::RawConfig;
use super::resolve::resolve;
use super::{Config, ConfigError};

/// Where the configuration is looked for when none is named.
pub const DEFAULT_PATH: &str = "/etc/claviger/sensor.toml";

/// A configuration is a page; a larger file is something else.
const MAX_FILE_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads the named file, or else the default one, or where that does not exist takes the defaults.
    ///
    /// # Errors
    /// Where a file is there and cannot be read or is wrong, and where a named file is not there.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        match named {
            Some(path) => read(path),
            None => match read(Path::new(DEFAULT_PATH)) {
                Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    Ok(Self::default())
                }
                read => read,
            },
        }
    }

    /// Parses a text; `path` is only for the errors.
    ///
    /// # Errors
    /// Where a key is unknown or a value cannot be meant.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let wrong = |offset: usize, key: String, reason: String| {
            let (line, column) = line_and_column(text, offset);
            ConfigError::Wrong {
                path: path.to_owned(),
                line,
                column,
                key,
                reason,
            }
        };
        let raw: RawConfig = toml::from_str(text).map_err(|why| {
            let offset = why.span().map_or(0, |span| span.start);
            // The lines of a message of several are hints; the first says it.
            let reason = why.message().lines().next().unwrap_or("not TOML").to_owned();
            wrong(offset, key_at(text, offset), reason)
        })?;
        resolve(raw).map_err(|why| wrong(why.span.start, why.key.to_owned(), why.reason))
    }
}

fn read(path: &Path) -> Result<Config, ConfigError> {
    Config::parse(&read_text(path)?, path)
}

/// A whole file of configuration, 1 MiB at most.
pub(super) fn read_text(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let unfit = |reason| ConfigError::Unfit {
        path: path.to_owned(),
        reason,
    };
    // Before opening: the open of a FIFO would wait for a writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(unfit("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(unfit("it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| unfit("it is not UTF-8"))
}

#[cfg(test)]
mod tests;
