//! From a file to a configuration.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use super::locate::{key_at, line_and_column, offset_of};
use super::policy::{DEFAULT_DIRECTORY, Policy};
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

    /// The same, with the policy that it leads to.
    ///
    /// # Errors
    /// As [`load`](Self::load) and [`policy`](Self::policy); where the catalogue's directory cannot be read, with the place that names it.
    pub fn load_with_policy(named: Option<&Path>) -> Result<(Self, Policy), ConfigError> {
        let config = Self::load(named)?;
        let file = named.unwrap_or(Path::new(DEFAULT_PATH));
        let policy = config.policy().map_err(|why| match why {
            ConfigError::Read { path, source } if path == config.catalogue.directory => {
                place_of_directory(file, &source, &path).unwrap_or(ConfigError::Read { path, source })
            }
            why => why,
        })?;
        Ok((config, policy))
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

/// That the catalogue's directory cannot be read, where a file names it.
fn place_of_directory(file: &Path, source: &io::Error, directory: &Path) -> Option<ConfigError> {
    const KEY: &str = "catalogue.directory";
    let text = read_text(file).ok()?;
    let (line, column) = line_and_column(&text, offset_of(&text, KEY)?);
    let what = match source.kind() {
        io::ErrorKind::NotFound => "is not there: make it".to_owned(),
        io::ErrorKind::NotADirectory => "is no directory: name one".to_owned(),
        _ => format!("cannot be read ({source}): let the sensor read it"),
    };
    Some(ConfigError::Wrong {
        path: file.to_owned(),
        line,
        column,
        key: KEY.to_owned(),
        reason: format!(
            "{} {what}, or leave this key out for {DEFAULT_DIRECTORY}",
            directory.display()
        ),
    })
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
